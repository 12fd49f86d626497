"""Cross-entropy (multi-loss paper, eq. 3)."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from affuse.losses.base import TaskLoss


class CrossEntropyLoss(TaskLoss):
    """-log p_i[y_i] with p = softmax(logits), in nats; eq. 3 is its mean over the batch."""

    reads_logits = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return functional.cross_entropy(logits, labels, reduction="none")
