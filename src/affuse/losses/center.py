"""Center loss (Wen et al. 2016; multi-loss paper, eq. 1)."""

from __future__ import annotations

from torch import Tensor

from affuse.losses.centers import CenteredLoss


class CenterLoss(CenteredLoss):
    """1/2 ||x_i - c_{y_i}||^2."""

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return 0.5 * (embedding - self.centers[labels]).square().sum(dim=-1)
