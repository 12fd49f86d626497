"""Binary cross-entropy: several labels at once, each there or not."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor
from torch.nn.functional import logsigmoid

from affuse.losses.base import Kind, TaskLoss


class BinaryCrossEntropyLoss(TaskLoss):
    """Binary cross-entropy of an utterance, the mean over its labels, in nats.

    -1/L sum_l (y_l log p_l + (1 - y_l) log(1 - p_l)) with p = sigmoid(logits) and L labels. The mean and not the sum:
    a task of 28 labels then weighs as much beside others as one of 7.

    Args:
        num_classes: Labels of the task, 2 or more.
        dim: Width of the embedding, which this loss does not read.
        reduction: Over utterances; see ``TaskLoss``.

    Examples:
        >>> import torch
        >>> loss = BinaryCrossEntropyLoss(num_classes=3, dim=8)
        >>> labels = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0], [float("nan")] * 3])
        >>> round(loss(torch.zeros(3, 3), torch.zeros(3, 8), labels).item(), 4)  # ln 2
        0.6931
    """

    fits: ClassVar[Kind] = "multilabel"
    reads_logits: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The formula for each utterance, (n, labels), (n, dim), (n, labels) of 0 and 1 -> (n,)."""
        # not torch's binary_cross_entropy_with_logits: its gradient's last bits depend on the size of the whole tensor,
        # so that a run's would on the runs that it is stacked with
        return -(labels * logsigmoid(logits) + (1 - labels) * logsigmoid(-logits)).mean(dim=-1)
