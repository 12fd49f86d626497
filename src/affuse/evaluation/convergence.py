"""Whether a training trained: rules on its curve, and whether what it answers is better than chance.

A difference between two rows is one of their methods only where both were trained: a network that never left the start,
or one that was stopped while it still improved, says how the training was set, not how good the method is. The rules
are wide on purpose, for a row that is wrongly not judged costs its user a verdict; docs/statistics.md has them with
their false alarms, simulated and on real runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.special import ndtr

LEVEL = 0.05
TRAINED, NEVER_LEFT, IMPROVING, DIVERGED, UNKNOWN = (
    "trained", "never left the start", "still improving at the end", "diverged", "unknown",
)  # fmt: skip
EARLY = 2  # epochs: one of these is the best
TRIED = 5  # of so many at least
LATE = 0.9  # of the epochs allowed: the best one is beyond
FLAT = 0.02  # the training loss falls by less, from the first epoch to the mean of the last quarter
STEEP = 1 / 3  # the loss of the part that is watched falls by more in the last fifth
FALLING = 0.02  # or by this,
GAIN = 0.02  # while BACC (or what takes its place) gains this from the third quarter to the fourth
UNWATCHED = 0.15  # share of the training loss's fall in the last fifth, where no part is watched
SOLVED = 0.98  # BACC beyond which there is nothing to gain


def state_of(
    history: pd.DataFrame,
    kept: int | None,
    allowed: int | None,
    part: str,
    chance_p: float,
    usual: bool = False,
) -> str:
    """TRAINED, NEVER_LEFT, IMPROVING, DIVERGED, or UNKNOWN without a curve.

    - DIVERGED: the training loss (unweighted, summed over the tasks; mean of the last quarter of the epochs) ends 2 %
      or more above that of the first epoch, or is not finite.
    - NEVER_LEFT: it ends less than 2 % below it, in three epochs or more; or the first or second of five epochs or more
      was the best, and its answers are no better than chance. (The second epoch alone says nothing: a good network may
      need no more.)
    - IMPROVING: see ``still_improving``, which takes ``usual``.

    history: ``metrics.csv``, a row per epoch; kept: the epoch that was kept, from 1; allowed: ``training.epochs``;
    part: validation or test, whichever was measured after every epoch; chance_p: ``chance_p`` of the run's answers.
    Where kept or allowed is None (runs of an older kind), what depends on it is passed over.
    """
    losses = history[[name for name in history.columns if name.startswith("train_loss_")]]
    if not len(history) or not losses.shape[1]:
        return UNKNOWN
    loss = losses.to_numpy(float).sum(axis=1)
    # a task may be without labels in one epoch's metrics, never without a loss: what is not finite has diverged
    if not np.isfinite(loss).all():
        return DIVERGED
    end = loss[-max(1, len(loss) // 4) :].mean()
    if len(loss) > 1 and end > (1 + FLAT) * loss[0] > 0:
        return DIVERGED
    flat = len(loss) > 2 and loss[0] > 0 and end > (1 - FLAT) * loss[0]
    early = kept is not None and kept <= EARLY and len(loss) >= TRIED and chance_p >= LEVEL
    if flat or early:
        return NEVER_LEFT
    if kept is not None and allowed is not None and still_improving(history, kept, allowed, part, usual):
        return IMPROVING
    return TRAINED


def still_improving(history: pd.DataFrame, kept: int, allowed: int, part: str, usual: bool = False) -> bool:
    """Whether more epochs would most likely have made a better network.

    The best epoch is in the last tenth of those allowed (all were used: stopping early is no sign of it), BACC (CCC of
    ratings, macro F1 of several labels at once) is not yet beyond 98 %, and the part that is watched says that it goes
    on: its loss falls by more than a third in the last fifth of the epochs, or by more than 2 % while BACC gains 2
    points from the third quarter to the fourth. ``usual``: most runs of the same row have their best epoch that late,
    which chance does not do; then the 2 % alone will do.
    Without such a part: 15 % or more of the training loss's whole fall is in the last fifth of three epochs or more (a
    straight line has 20 %, an exponential with a time constant of 3/4 of the training 15 %). One epoch tells nothing.
    """
    epochs = len(history)
    if epochs < max(2, allowed) or not is_late(kept, allowed):
        return False
    fifth, quarter = max(1, round(epochs / 5)), max(1, epochs // 4)
    columns = {
        name: [c for c in history.columns if c.startswith(starts)]
        for name, starts in (
            ("loss", (f"{part}_loss_",)),
            ("bacc", (f"{part}_bacc_", f"{part}_ccc_", f"{part}_macro_f1_")),  # one of each kind of task
            ("train", ("train_loss_",)),
        )
    }
    if columns["loss"] and columns["bacc"]:
        loss = history[columns["loss"]].sum(axis=1).to_numpy(float)
        bacc = history[columns["bacc"]].mean(axis=1).to_numpy(float)
        if not loss[-1 - fifth] > 0 or bacc[kept - 1] > SOLVED:
            return False
        fall = 1 - loss[-1] / loss[-1 - fifth]
        gain = bacc[-quarter:].mean() - bacc[-2 * quarter : -quarter].mean()
        return bool(fall > STEEP or (fall > FALLING and (usual or gain >= GAIN)))
    train = history[columns["train"]].sum(axis=1).to_numpy(float)
    whole = train[0] - train[-1]
    return bool(epochs > 2 and whole > 0 and (train[-1 - fifth] - train[-1]) / whole >= UNWATCHED)


def is_late(kept: int, allowed: int) -> bool:
    """Whether an epoch is in the last tenth of those allowed."""
    return kept > LATE * allowed


def chance_p(confusions: Sequence[np.ndarray]) -> float:
    """One-sided p value of BACC against answers that do not depend on the labels.

    The deviation is exact for labels that are permuted (counts of a table with fixed margins are multivariate
    hypergeometric: Agresti 2013, section 3.5), the tail that of a normal. Utterances count as independent: where
    speakers differ, it takes a row for better than chance rather than not.

    Args:
        confusions: (classes, classes) each, true by predicted, one per seed: the same utterances answered anew, so that
            their BACC is averaged and its deviation is that of one.

    Returns:
        0 to 1; NaN where there is one class.

    Examples:
        >>> chance_p([np.array([[5, 5], [5, 5]])])
        0.5
        >>> chance_p([np.array([[9, 1], [1, 9]])]) < 0.001
        True
    """
    values, deviations, chance = [], [], float("nan")
    for counts in confusions:
        there = counts.sum(axis=1) > 0
        k = int(there.sum())
        if k < 2:
            continue
        true = counts.sum(axis=1)[there].astype(float)
        called = counts.sum(axis=0)[there].astype(float)
        n = true.sum()
        right = np.diagonal(counts)[there]
        share, chance = called / n, float(called.sum() / n / k)
        # Cov(x_c, x_d) of the diagonal, over the class sizes
        covariance = np.outer(share, share) / (n - 1)
        np.fill_diagonal(covariance, share * (1 - share) * (n - true) / true / (n - 1))
        values.append(float((right / true).sum() / k - chance))
        deviations.append(float(np.sqrt(max(covariance.sum(), 0.0)) / k))
    if not values:
        return float("nan")
    excess, deviation = float(np.mean(values)), float(np.mean(deviations))
    if deviation == 0:
        return 0.0 if excess > 0 else 1.0
    return float(ndtr(-excess / deviation))  # the upper tail of the normal distribution
