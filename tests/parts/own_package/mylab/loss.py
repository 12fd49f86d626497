"""Focal loss: Lin et al. 2017, "Focal Loss for Dense Object Detection", eq. 4."""

from __future__ import annotations

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from affuse.losses import Reduction, TaskLoss


class FocalLoss(TaskLoss):
    """Focal loss, -(1 - p_y)^gamma ln p_y: what is classified well counts little.

    Args:
        num_classes: Size of the label space.
        dim: Width of the embedding.
        reduction: See ``affuse.losses.TaskLoss``.
        gamma: 0 is cross-entropy.
    """

    reads_logits = True

    def __init__(
        self,
        num_classes: int,
        dim: int,
        reduction: Reduction = "mean",
        *,
        gamma: Annotated[float, Field(ge=0)] = 2.0,
    ) -> None:
        super().__init__(num_classes, dim, reduction)
        self.gamma = gamma

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        log_p = logits.log_softmax(dim=-1).gather(1, labels[:, None]).squeeze(1)
        missed = (-torch.expm1(log_p)).clamp_min(1e-12)  # 1 - p, which has no slope to follow at 0
        return -(missed**self.gamma) * log_p
