"""What the annotators wrote: votes that give the planned consensus, ratings, self-evaluations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from affuse.corpora.generated.script import Dialog, Turn
from affuse.corpora.generated.seeding import stream

NAMES = {
    "neu": "Neutral", "hap": "Happiness", "exc": "Excited", "ang": "Anger", "sad": "Sadness", "fru": "Frustration",
    "sur": "Surprise", "fea": "Fear", "dis": "Disgust", "oth": "Other",
}  # fmt: skip
# valence, activation, dominance on the release's 1 to 5 scale
RATINGS = {
    "neu": (3.0, 2.5, 2.7), "hap": (4.1, 3.3, 3.2), "exc": (4.2, 4.0, 3.5), "ang": (1.8, 3.9, 4.0),
    "sad": (2.1, 2.2, 2.4), "fru": (2.2, 3.1, 3.2), "sur": (3.2, 3.6, 2.9), "fea": (2.1, 3.3, 2.3),
    "dis": (1.9, 3.0, 3.3), "oth": (3.0, 3.0, 3.0),
}  # fmt: skip
RATING_NOISE = 0.6  # standard deviation of one annotator around these, before rounding
RATED_BY = ("E3", "E4")
# What a dissenting annotator hears instead.
_NEAR = {
    "neu": ("fru", "sad", "hap"), "hap": ("exc", "neu", "sur"), "exc": ("hap", "sur", "neu"),
    "ang": ("fru", "dis", "neu"), "sad": ("neu", "fru", "fea"), "fru": ("ang", "neu", "sad"),
    "sur": ("exc", "neu", "oth"), "fea": ("sad", "sur", "oth"), "dis": ("fru", "ang", "oth"),
    "oth": ("neu", "sur", "fru"),
}  # fmt: skip
_COMMENTS = ("", "", "", "", "", "curious", "hesitant", "naïve", "worried", "blasé")  # two need latin-1


@dataclass(frozen=True)
class Vote:
    """One annotator's categories for one turn."""

    annotator: str  # "E2", or "F1" and "M1" for the actors themselves
    labels: tuple[str, ...]
    comment: str


@dataclass(frozen=True)
class Rating:
    """One annotator's attributes for one turn, whole numbers from 1 to 5."""

    annotator: str
    valence: int
    activation: int
    dominance: int


@dataclass(frozen=True)
class Evaluation:
    """All that was written about one turn."""

    turn: Turn
    votes: tuple[Vote, ...]
    ratings: tuple[Rating, ...]

    def mean_rating(self) -> tuple[float, float, float]:
        """Average the external annotators: valence, activation, dominance. Self-ratings do not count."""
        external = [r for r in self.ratings if r.annotator.startswith("E")]
        return (
            float(np.mean([r.valence for r in external])),
            float(np.mean([r.activation for r in external])),
            float(np.mean([r.dominance for r in external])),
        )


def evaluate(dialog: Dialog, seed: int) -> list[Evaluation]:
    """Make the annotators' work on every turn of a dialog."""
    return [_evaluate(turn, dialog, stream(seed, "annotators", turn.id)) for turn in dialog.turns]


def consensus(votes: tuple[Vote, ...]) -> str:
    """The label most external annotators gave (each of an annotator's labels counts), "xxx" on a tie."""
    tally = Counter(label for v in votes if v.annotator.startswith("E") for label in v.labels)
    (first, most), *rest = tally.most_common()
    return "xxx" if rest and rest[0][1] == most else first


def _evaluate(turn: Turn, dialog: Dialog, rng: np.random.Generator) -> Evaluation:
    votes = [
        Vote(annotator, labels, _COMMENTS[int(rng.integers(len(_COMMENTS)))])
        for annotator, labels in zip(("E2", "E3", "E4"), _external(turn, rng), strict=True)
    ]
    ratings = [Rating(annotator, *_rate(turn.meant, rng)) for annotator in RATED_BY]
    if dialog.improvised:  # only improvised dialogs were judged by the actors themselves
        reported = turn.meant if rng.random() < 0.65 else _near(turn.meant, rng)[0]
        labels = (reported, _near(reported, rng)[0]) if rng.random() < 0.15 else (reported,)
        votes.append(Vote(f"{turn.gender}1", labels, ""))
        ratings.append(Rating(f"{turn.gender}1", *_rate(turn.meant, rng)))
    return Evaluation(turn, tuple(votes), tuple(ratings))


def _external(turn: Turn, rng: np.random.Generator) -> list[tuple[str, ...]]:
    """Three annotators' labels whose consensus is the turn's label."""
    meant = turn.meant
    first, second, _ = _near(meant, rng)
    kind = rng.random()
    if turn.label == "xxx":
        found = [(meant,), (first,), (second,) if kind < 0.7 else (meant, first)]
    elif kind < 0.5:
        found = [(meant,), (meant,), (meant,)]
    elif kind < 0.8:
        found = [(meant,), (meant,), (first,)]
    else:
        found = [(meant,), (meant, first), (second,)]
    return [found[i] for i in rng.permutation(3)]


def _near(label: str, rng: np.random.Generator) -> list[str]:
    """The labels near to this one, in random order."""
    return [str(near) for near in rng.permutation(_NEAR[label])]


def _rate(label: str, rng: np.random.Generator) -> tuple[int, int, int]:
    valence, activation, dominance = np.clip(np.rint(RATINGS[label] + rng.normal(0, RATING_NOISE, 3)), 1, 5)
    return int(valence), int(activation), int(dominance)
