"""One minus the concordance correlation coefficient (Lin 1989)."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from affuse.losses.dimension import DimensionLoss

# variance of a batch's ratings, in squared units of half the range, below which they are all alike
ALIKE = 1e-6


class ConcordanceLoss(DimensionLoss):
    """1 - CCC of a batch: 1 - 2 cov(x, y) / (var x + var y + (mean x - mean y)^2), from 0 to 2 (Lin 1989, eq. 2).

    The moments are those of the batch's rated utterances (divided by n). It is computed as the equal
    mean((x - y)^2) / (var x + var y + (mean x - mean y)^2), which loses no digits where x is close to y; so each
    utterance has a share of it, which reduction "none" gives and "sum" adds up.

    A batch of one rating, or of ratings that are all alike, has no order to agree with: by the formula its loss is 1
    whatever the answer, with no gradient. There var y is taken to be 1, half the range squared: the loss is
    e / (e + 1) with e = mean((x - y)^2), from 0 to 1, and its gradient leads to the rating.

    Args:
        num_classes: 1.
        dim: Width of the embedding, which this loss does not read.
        reduction: See ``TaskLoss``.

    Examples:
        >>> loss, embedding = ConcordanceLoss(num_classes=1, dim=8), torch.zeros(3, 8)
        >>> ratings = torch.tensor([-1.0, 0.0, 1.0])
        >>> [round(loss(x[:, None], embedding, ratings).item(), 4) for x in (ratings, 0 * ratings, -ratings)]
        [0.0, 1.0, 2.0]
    """

    stacks: ClassVar[bool] = True

    def of_ratings(self, outputs: Tensor, ratings: Tensor) -> Tensor:
        """The share of each utterance, (n,), (n,) -> (n,); their mean is 1 - CCC."""
        return self._shares(outputs, ratings, torch.ones_like(ratings, dtype=torch.bool))

    def total(self, logits: Tensor, embedding: Tensor, labels: Tensor, labelled: Tensor) -> Tensor:
        """The sum of the shares: n (1 - CCC) over the n rated utterances."""
        return self._shares(logits.squeeze(-1), labels, labelled).sum(-1)

    @staticmethod
    def _shares(outputs: Tensor, ratings: Tensor, rated: Tensor) -> Tensor:
        n = rated.sum(-1, keepdim=True).clamp_min(1)

        def mean(values: Tensor) -> Tensor:
            return torch.where(rated, values, 0.0).sum(-1, keepdim=True) / n

        mean_x, mean_y = mean(outputs), mean(ratings)
        var_x, var_y = mean((outputs - mean_x).square()), mean((ratings - mean_y).square())
        var_y = torch.where(var_y < ALIKE, 1.0, var_y)
        scale = var_x + var_y + (mean_x - mean_y).square()
        return torch.where(rated, (outputs - ratings).square() / scale, 0.0)
