"""What a model knows of its training: how long clips were, what its answers are worth, which clips it has seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field

from affuse.evaluation.bands import Band
from affuse.evaluation.confidence import Confidence
from affuse.evaluation.label_sets import EVEN

DIGITS = (
    16  # of a digest in ``Seen``: 64 bits, so that among millions of utterances no two share one by chance
)


class ClipSeconds(BaseModel):
    """Of the training part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    median: float = Field(gt=0)
    low: float = Field(gt=0, description="5th percentile")
    high: float = Field(gt=0, description="95th percentile")
    silence: float | None = Field(
        default=None,
        ge=0,
        description="median seconds before a clip's first speech and after its last; None: not measured",
    )


class Seen(BaseModel):
    """Of a run's corpus, digests alone: no id, name or path can be read from them.

    corpus:     its title
    utterances: role (train, validation, test) -> per utterance ``DIGITS`` hex digits of id and speaker, then as many
                of the clip's content (``training.seen``)
    speakers:   digests of the speakers of the training and validation parts
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    corpus: str
    utterances: dict[str, list[str]]
    speakers: list[str]


class TrainedOn(BaseModel):
    """A corpus that something in a model was trained on.

    title:   as results show it
    licence: as its corpus.yaml states it, "" where it does not
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    licence: str = ""


class PredictionDefaults(BaseModel):
    """``prediction.json`` of a model folder. An untrained model, or one of an older folder, has the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip_seconds: ClipSeconds | None = None  # None: the clips have no length (text alone, features)
    confidence: dict[str, Confidence] = Field(default_factory=dict)  # task -> fitted on validation
    bands: dict[str, Band] = Field(default_factory=dict)  # regression -> fitted on validation
    # task of several labels -> label -> probability from which it is told, fitted on validation
    thresholds: dict[str, dict[str, float]] = Field(default_factory=dict)
    seen: Seen | None = None  # None: not kept
    recogniser: str | None = None  # Hub id of what hears the words where nobody gives any
    trained_on: list[TrainedOn] = Field(default_factory=list)  # older folders do not say

    def of_task(self, task: str) -> Confidence:
        """Return what was fitted for a task; of an unknown one, nothing: temperature 1, no answer unsure."""
        return self.confidence.get(task, Confidence())

    def band_of(self, task: str) -> Band:
        """Return what was found for a regression; of an unknown one, nothing: no band."""
        return self.bands.get(task, Band())

    def thresholds_of(self, task: str, labels: Sequence[str]) -> list[float]:
        """The probability from which each label is told; of a model that knows none, 0.5."""
        known = self.thresholds.get(task, {})
        return [known.get(label, EVEN) for label in labels]

    def notes(self, tasks: Iterable[str], regressions: Iterable[str] = ()) -> list[str]:
        """What should be known before confidences and bands of these tasks are believed, a sentence each."""
        told = [self.of_task(task).note(task) for task in tasks]
        told += [self.band_of(task).note(task) for task in regressions]
        return [note for note in told if note]
