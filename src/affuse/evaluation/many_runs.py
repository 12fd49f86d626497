"""ACC and BACC, or CCC, of many runs at once, on the device that their answers are on.

Shapes: r runs, n utterances, c classes.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class RunScores(NamedTuple):
    """Of every run, float64 in 0 to 1; NaN where the run has no label.

    Args:
        acc: (runs,) share of correct answers.
        bacc: (runs,) mean recall over the classes that occur among the run's labels.
    """

    acc: Tensor
    bacc: Tensor


def score_runs(predicted: Tensor, labels: Tensor, classes: int) -> RunScores:
    """ACC and BACC of each run, as ``metrics.measure`` has them for one.

    Counts are whole numbers and the recalls are added class by class: a run's scores do not depend, to the last bit, on
    the runs beside it.

    Args:
        predicted: (runs, utterances) int64, class indices; what stands at a blank does not matter.
        labels: (runs, utterances) int64 class indices, below 0 where blank; utterances that a run does not have are
            blanks too.
        classes: How many there are.

    Examples:
        >>> labels = torch.tensor([[0, 0, 0, 1], [1, 1, -1, -1]])
        >>> predicted = torch.tensor([[0, 0, 1, 1], [1, 0, 0, 0]])
        >>> acc, bacc = score_runs(predicted, labels, 3)
        >>> acc.tolist(), bacc.round(decimals=3).tolist()
        ([0.75, 0.5], [0.833, 0.5])
    """
    of_class_crn = labels == torch.arange(classes, device=labels.device)[:, None, None]
    support_cr = of_class_crn.sum(2)
    right_cr = (of_class_crn & (predicted == labels)).sum(2)
    occurs_cr = support_cr > 0
    recall_cr = (right_cr.double() / support_cr).masked_fill(~occurs_cr, 0.0)
    bacc_r = recall_cr.cumsum(0)[-1] / occurs_cr.sum(0)
    return RunScores(right_cr.sum(0).double() / support_cr.sum(0), bacc_r)


def score_ratings(answers: Tensor, ratings: Tensor) -> Tensor:
    """CCC of each run, as ``dimensions.measure_ratings`` has it for one.

    Sums are added utterance by utterance, so that neither the runs beside a run nor the blanks that fill up its row
    change a bit of them.

    Args:
        answers: (runs, utterances) floating; what stands at a blank does not matter.
        ratings: (runs, utterances) floating, NaN where blank; utterances that a run does not have are blanks too.

    Returns:
        (runs,) float64, -1 to 1; NaN where the run has no rating, or its ratings and answers are all one number.

    Examples:
        >>> ratings = torch.tensor([[1.0, 2.0, 3.0], [1.0, 3.0, torch.nan]])
        >>> answers = torch.tensor([[2.0, 3.0, 4.0], [3.0, 1.0, 9.0]])
        >>> score_ratings(answers, ratings).round(decimals=3).tolist()
        [0.571, -1.0]
    """
    rated = ~ratings.isnan()
    n = rated.sum(1)

    def mean(values: Tensor) -> Tensor:
        return torch.where(rated, values, 0.0).cumsum(1)[:, -1:] / n[:, None]

    def deviations(values: Tensor) -> Tensor:
        low = torch.where(rated, values, torch.inf).amin(1, keepdim=True)
        high = torch.where(rated, values, -torch.inf).amax(1, keepdim=True)
        # numbers that are all alike may each lie a bit beside their mean
        return torch.where(low == high, 0.0, values - mean(values))

    x, y = answers.double(), ratings.double()
    dx, dy = deviations(x), deviations(y)
    shift = mean(x) - mean(y)
    return (2 * mean(dx * dy) / (mean(dx.square()) + mean(dy.square()) + shift.square())).squeeze(1)
