"""Losses of the distribution of several raters' votes: cross-entropy to it, and its divergence from the answer."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from affuse.losses.base import Kind, TaskLoss


class SoftCrossEntropyLoss(TaskLoss):
    """Cross-entropy to the votes: - sum_c q_c log p_c with q the votes' shares and p = softmax(logits), in nats.

    Of unanimous votes it is the cross-entropy to their class. Its least value is the entropy of the votes.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> loss = SoftCrossEntropyLoss(num_classes=2, dim=8)
        >>> votes = torch.tensor([[0.5, 0.5], [1.0, 0.0], [float("nan")] * 2])
        >>> round(loss(torch.zeros(3, 2), torch.zeros(3, 8), votes).item(), 4)  # ln 2
        0.6931
    """

    fits: ClassVar[Kind] = "distribution"
    reads_logits: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The formula for each utterance, (n, classes), (n, dim), (n, classes) that sum to 1 -> (n,)."""
        return -(labels * logits.log_softmax(dim=-1)).sum(dim=-1)


class DivergenceLoss(TaskLoss):
    """Kullback-Leibler divergence of the answer from the votes: sum_c q_c log(q_c / p_c), in nats.

    It is the cross-entropy to the votes less their entropy, so both have the same gradient. It is 0 where the answer is
    the votes; so a weighting that compares losses by their size does not take an utterance on which raters disagree for
    one that is not learnt yet.

    Args:
        num_classes: Size of the task's label space, 2 or more.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> loss = DivergenceLoss(num_classes=2, dim=8)
        >>> votes = torch.tensor([[0.5, 0.5], [0.5, 0.5]])
        >>> round(loss(torch.zeros(2, 2), torch.zeros(2, 8), votes).item(), 4)
        0.0
    """

    fits: ClassVar[Kind] = "distribution"
    reads_logits: ClassVar[bool] = True
    stacks: ClassVar[bool] = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """The formula for each utterance, (n, classes), (n, dim), (n, classes) that sum to 1 -> (n,)."""
        return (torch.xlogy(labels, labels) - labels * logits.log_softmax(dim=-1)).sum(dim=-1)
