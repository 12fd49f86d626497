"""How far raters agree with each other: the human ceiling beside a model's numbers.

Votes are counts, (utterances, labels): how many raters gave each label. Who gave which is not needed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from affuse.evaluation.intervals import Interval, speaker_interval
from affuse.evaluation.rating_sums import SUMS, rating_interval

# as columns -> as they are shown
AGREEMENT = {"all": "all agree", "most": "most agree", "half": "half or fewer agree"}


class AgreementBand(NamedTuple):
    """How a model did on utterances of which raters were about as sure.

    Args:
        name: One of those in ``AGREEMENT``, as it is shown.
        utterances: How many utterances.
        accuracy: The model's ACC on them, NaN without any.
    """

    name: str
    utterances: int
    accuracy: float


def krippendorff_alpha(votes: np.ndarray, values: np.ndarray | None = None) -> float:
    """Krippendorff's alpha: 1 where all agree, 0 where raters agree as often as chance has it.

    1 - observed / expected disagreement over pairs of votes (Krippendorff 2004, Content Analysis, chapter 11).
    Utterances with fewer than two votes have no pairs and are left out.

    Args:
        votes: (utterances, labels) counts.
        values: (labels,) what each label measures, where labels are ratings: two ratings differ by the square of
            their distance (interval). Default: two labels differ or do not (nominal).

    Returns:
        At most 1. NaN where no utterance has two votes, or where one label got all votes: then chance would agree too.

    Raises:
        ValueError: ``votes`` are no counts, or ``values`` are not one finite number for each label.

    Examples:
        >>> krippendorff_alpha(np.array([[2, 0], [0, 2], [1, 1]]))
        0.4444444444444444
    """
    votes = _counts(votes)
    if values is None:
        difference = 1.0 - np.eye(votes.shape[1])
    else:
        values = np.asarray(values, np.float64)
        if values.shape != votes.shape[1:] or not np.isfinite(values).all():
            raise ValueError("interval alpha needs one finite value for each label")
        difference = np.square(values[:, None] - values[None])
    votes = votes[votes.sum(axis=1) >= 2]
    total = votes.sum(axis=0)
    expected = float(total @ difference @ total)
    if expected == 0:
        return float("nan")
    others = votes.sum(axis=1) - 1
    observed = float((((votes @ difference) * votes).sum(axis=1) / others).sum())
    return 1.0 - (float(total.sum()) - 1.0) * observed / expected


def leave_one_rater_out(votes: np.ndarray) -> np.ndarray:
    """Each rater against the majority of the others: one confusion matrix per utterance.

    Where the others tie, each of the tied labels is the truth in equal parts: the rater is right as often as if one
    of them were drawn. All raters of an utterance together count as one answer, so utterances weigh alike, as in a
    model's ACC. The majority of the others is of one vote fewer than the consensus a model is tested on.

    Args:
        votes: (utterances, labels) counts.

    Returns:
        (utterances, labels, labels), majority by rater; each sums to 1, or to 0 with fewer than two votes.

    Raises:
        ValueError: ``votes`` are no counts.

    Examples:
        >>> float(np.trace(leave_one_rater_out(np.array([[2, 1]]))[0]).round(3))  # others: (1, 1), (1, 1), (2, 0)
        0.333
    """
    votes = _counts(votes)
    labels = votes.shape[1]
    confusion = np.zeros((len(votes), labels, labels))
    several = votes.sum(axis=1) >= 2
    for label in range(labels):
        rows = several & (votes[:, label] > 0)
        others = votes[rows].copy()
        share = others[:, label] / others.sum(axis=1)
        others[:, label] -= 1
        tied = others == others.max(axis=1, keepdims=True)
        confusion[rows, :, label] = share[:, None] * tied / tied.sum(axis=1, keepdims=True)
    return confusion


def human_ceiling(votes: np.ndarray, speakers: Sequence[str], metric: str = "acc") -> Interval:
    """How well one rater tells what the others say, with the interval that models' numbers have.

    Args:
        votes: (utterances, labels) counts.
        speakers: (utterances,) who speaks.
        metric: "acc" or "bacc".

    Returns:
        See ``leave_one_rater_out`` and ``intervals.speaker_interval``. NaN where no utterance has two votes.

    Raises:
        ValueError: ``votes`` are no counts, or are not one row for each of ``speakers``.

    Examples:
        >>> votes = np.array([[3, 0], [3, 0], [0, 3], [0, 3]])
        >>> human_ceiling(votes, ["Ann", "Bob", "Ann", "Bob"]).value
        1.0
    """
    each = leave_one_rater_out(votes)
    if len(speakers) != len(each):
        raise ValueError("a human ceiling needs the speaker of each utterance")
    if not each.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    names, index = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    confusions = np.zeros((len(names), 1, *each.shape[1:]))
    np.add.at(confusions[:, 0], index, each)
    return speaker_interval(confusions, metric)


def leave_one_rating_out(counts: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Each rater against the mean of the others: what CCC and the other metrics of ratings are made of.

    All raters of an utterance together count as one answer, so utterances weigh alike, as in a model's CCC.

    Args:
        counts: (utterances, values) how many raters gave each rating.
        values: (values,) the ratings.

    Returns:
        (utterances, SUMS), see ``rating_sums.sum_ratings``: the mean over the raters of an utterance, ``x`` one rater
        and ``y`` the others' mean; zeros with fewer than two ratings. Sums over utterances are those of all of them.

    Raises:
        ValueError: ``counts`` are no counts, or there is not one finite value for each of their columns.

    Examples:
        >>> from affuse.evaluation.rating_sums import concordance
        >>> each = leave_one_rating_out(np.array([[2, 0, 0], [0, 1, 1], [0, 0, 2]]), np.array([1.0, 2.0, 3.0]))
        >>> float(concordance(each.sum(axis=0)).round(3))
        0.793
    """
    counts, values = _counts(counts), np.asarray(values, np.float64)
    if values.shape != counts.shape[1:] or not np.isfinite(values).all():
        raise ValueError("one rater against the others needs one finite value for each rating")
    given = counts.sum(axis=1)
    several = given >= 2
    found = np.zeros((len(counts), SUMS))
    if not several.any():
        return found
    counts, given = counts[several], given[several, None]
    # a shift of both changes no metric, and small numbers lose nothing in their squares
    values = values - (counts.sum(axis=0) @ values) / counts.sum()
    weight, total = counts / given, (counts @ values)[:, None]
    x = np.broadcast_to(values, counts.shape)
    y = (total - x) / (given - 1)
    each = np.stack([np.ones_like(y), x, y, x * x, y * y, x * y, np.abs(x - y)], axis=-1)
    found[several] = (weight[..., None] * each).sum(axis=1)
    return found


def rating_ceiling(
    counts: np.ndarray, values: np.ndarray, speakers: Sequence[str], metric: str = "ccc"
) -> Interval:
    """How well one rater tells what the others say on average, with the interval that models' numbers have.

    Args:
        counts: (utterances, values) how many raters gave each rating.
        values: (values,) the ratings.
        speakers: (utterances,) who speaks.
        metric: "ccc", "pearson", "rmse" or "mae".

    Returns:
        See ``leave_one_rating_out`` and ``rating_sums.rating_interval``. NaN where no utterance has two ratings.

    Raises:
        ValueError: See ``leave_one_rating_out``; or there is not one of ``speakers`` for each utterance.

    Examples:
        >>> counts = np.array([[2, 0], [0, 2], [2, 0], [1, 1]])
        >>> round(rating_ceiling(counts, np.array([1.0, 5.0]), list("abab")).value, 3)
        0.467
    """
    each = leave_one_rating_out(counts, values)
    if len(speakers) != len(each):
        raise ValueError("a human ceiling needs the speaker of each utterance")
    if not each.any():
        return Interval(float("nan"), float("nan"), float("nan"))
    names, index = np.unique(np.asarray(speakers, dtype=str), return_inverse=True)
    sums = np.zeros((len(names), 1, SUMS))
    np.add.at(sums[:, 0], index, each)
    return rating_interval(sums, metric)


def by_agreement(votes: np.ndarray, right: np.ndarray) -> list[AgreementBand]:
    """A model's ACC where all raters agree, where more than half do, and where half or fewer do.

    Args:
        votes: (utterances, labels) counts; utterances with fewer than two votes are left out.
        right: (utterances,) whether the model was right.

    Returns:
        Those of ``AGREEMENT``, in its order.

    Raises:
        ValueError: ``votes`` are no counts, or are not one row for each of ``right``.

    Examples:
        >>> [band.utterances for band in by_agreement(np.array([[3, 0], [2, 1], [1, 1]]), np.array([True] * 3))]
        [1, 1, 1]
    """
    votes, right = _counts(votes), np.asarray(right, bool)
    if right.shape != votes.shape[:1]:
        raise ValueError("bands of agreement need one answer for each utterance")
    several = votes.sum(axis=1) >= 2
    cast, most = votes[several].sum(axis=1), votes[several].max(axis=1, initial=0)
    masks = (most == cast, (most < cast) & (2 * most > cast), 2 * most <= cast)
    answers = right[several]
    return [
        AgreementBand(name, int(mask.sum()), float(answers[mask].mean()) if mask.any() else float("nan"))
        for name, mask in zip(AGREEMENT.values(), masks, strict=True)
    ]


def _counts(votes: np.ndarray) -> np.ndarray:
    """As float64, checked."""
    votes = np.asarray(votes, np.float64)
    if votes.ndim != 2 or not np.isfinite(votes).all() or (votes < 0).any() or (votes % 1 != 0).any():
        raise ValueError("votes must be whole numbers of raters, 0 or more: (utterances, labels)")
    return votes
