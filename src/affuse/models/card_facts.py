"""What a model card says that the model itself does not know: its run's data, protocol and numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from affuse.corpora.schema import CorpusInfo
from affuse.evaluation.intervals import Interval
from affuse.evaluation.soft import SoftMetrics


@dataclass(frozen=True)
class Gap:
    """BACC of a task by gender, or CCC of a rating.

    Args:
        groups: gender -> BACC or CCC, and utterances.
        interval: the largest less the smallest, with its 95 % interval; NaN where that is not known.
        metric: bacc or ccc.
    """

    groups: dict[str, tuple[float, int]]
    interval: Interval
    metric: str = "bacc"


@dataclass(frozen=True)
class TaskResult:
    """A task on the test part.

    Args:
        intervals: acc and bacc (0 to 1), with their 95 % intervals over speakers.
        recalls: class -> recall (0 to 1), NaN of a class that no utterance has.
        gap: None where the test part has one annotated gender only, or none.
    """

    intervals: dict[str, Interval]
    recalls: dict[str, float]
    gap: Gap | None


@dataclass(frozen=True)
class RatingResult:
    """A regression on the test part.

    Args:
        intervals: ccc, pearson, rmse and mae with their 95 % intervals over speakers; errors are in units of the
            ratings.
        gap: None where the test part has one annotated gender only, or none.
    """

    intervals: dict[str, Interval]
    gap: Gap | None


@dataclass(frozen=True)
class SetResult:
    """A task of several labels at once on the test part; 0 to 1.

    Args:
        intervals: Macro- and micro-F1 by name, with their 95 % intervals over speakers.
        mean_precision: mAP.
        f1: Label -> F1, NaN of one that no utterance has.
    """

    intervals: dict[str, Interval]
    mean_precision: float
    f1: dict[str, float]


@dataclass(frozen=True)
class CardFacts:
    """What a card says that the model itself does not know.

    Args:
        corpus: that it was trained on.
        speakers: of the corpus, with a label.
        parts: role -> utterances and speakers.
        notes: what the recipe's view of the corpus changed.
        fold: that was tested.
        folds: how many there are.
        stamp: "speaker-dependent" where speakers of the test part are heard in training, else "".
        results: task -> its numbers, of the tasks that have a test label.
        tested: what the intervals cannot know of the test speakers, in sentences.
        training: why the numbers say little of the method, "" where the network trained.
        ratings: regression -> its numbers, of those that have a test rating.
        sets: task of several labels -> its numbers, of those that have test labels.
        votes: task that learnt votes -> how well its probabilities agree with those of the test part.
    """

    corpus: CorpusInfo
    speakers: int
    parts: dict[str, tuple[int, int]]
    notes: list[str]
    fold: int
    folds: int
    stamp: str
    results: dict[str, TaskResult]
    tested: list[str]
    training: str
    ratings: dict[str, RatingResult] = field(default_factory=dict[str, RatingResult])
    sets: dict[str, SetResult] = field(default_factory=dict[str, SetResult])
    votes: dict[str, SoftMetrics] = field(default_factory=dict[str, SoftMetrics])
