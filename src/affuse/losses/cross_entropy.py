"""Cross-entropy (multi-loss paper, eq. 3)."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from affuse.losses.base import TaskLoss


class CrossEntropyLoss(TaskLoss):
    """Cross-entropy: -log p_i[y_i] with p = softmax(logits), in nats; eq. 3 is its mean over the batch.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> import torch
        >>> loss = CrossEntropyLoss(num_classes=4, dim=8)
        >>> round(loss(torch.zeros(3, 4), torch.zeros(3, 8), torch.tensor([0, 1, -1])).item(), 4)  # ln 4
        1.3863
    """

    reads_logits: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The negative log-likelihood of each label, (n, classes), (n, dim), (n,) -> (n,)."""
        return -logits.log_softmax(dim=-1).gather(-1, labels[..., None]).squeeze(-1)
