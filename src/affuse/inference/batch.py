"""One clip of many: predicted past whatever failure, with its time and memory."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.errors import AffuseError, ClipError
from affuse.failures import cause_of, trace_of
from affuse.files.names import shown, written
from affuse.inference.memory import peak_memory
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline
from affuse.media.samples import Samples
from affuse.progress import Advance, uncounted

if TYPE_CHECKING:
    from affuse.inference.predict import Predictor
    from affuse.models.network import Model


@dataclass(frozen=True)
class Job:
    """One clip, and what is particular to it.

    Attributes:
        path: The file, or sound in memory.
        name: What its outputs are called, without an ending.
        settings: How it is predicted.
    """

    path: Path | Samples
    name: str
    settings: Settings


class Outcome(NamedTuple):
    """What became of one clip.

    Attributes:
        job: The clip.
        timeline: None where the clip failed.
        cause: Why it failed, in one sentence, else "".
        wall_seconds: How long it took.
        peak_bytes: Of the process, so far; None where the system does not tell (Windows).
        trace: The whole traceback of a failure that nobody expected.
        error: What was raised, where it was expected.
        files: What was written.
    """

    job: Job
    timeline: Timeline | None
    cause: str
    wall_seconds: float
    peak_bytes: int | None
    trace: str = ""
    error: AffuseError | None = None
    files: tuple[Path, ...] = ()

    @property
    def clip(self) -> str:
        """The clip's path, or "array"."""
        return self.job.path.name if isinstance(self.job.path, Samples) else str(self.job.path)


def predict_one(predictor: Predictor, job: Job, advance: Advance = uncounted) -> Outcome:
    """A clip that cannot be used is an outcome like any other, whatever the exception.

    ``advance`` hears of (windows done, all windows).
    """
    began = time.perf_counter()
    timeline, cause, trace, expected = None, "", "", None
    try:
        if isinstance(job.path, Path):
            _check_place(job.path)
        timeline = predictor.predict(job.path, advance)
        timeline.clip = written(timeline.clip)
        timeline.faults = [shown(fault) for fault in timeline.faults]
    except Exception as error:
        cause, trace = cause_of(error, job.path, "cannot be predicted"), trace_of(error)
        expected = error if isinstance(error, AffuseError) else None
    return Outcome(job, timeline, cause, time.perf_counter() - began, peak_memory(), trace, expected)


class Worker:
    """The model, and its encoders, which are the same for every job but for words and the like."""

    def __init__(self, model: Model | str | Path) -> None:
        from affuse.models.loading import load_model

        self.model = load_model(model) if isinstance(model, str | Path) else model
        self._last: tuple[Settings, Predictor] | None = None

    def predictor(self, settings: Settings) -> Predictor:
        """Made for these settings, with what the last one has loaded."""
        from affuse.inference.predict import Predictor

        if self._last is None:
            self._last = settings, Predictor(self.model, settings)
        elif self._last[0] != settings:
            self._last = settings, Predictor(self.model, settings, like=self._last[1])
        return self._last[1]

    def run(self, job: Job, advance: Advance = uncounted) -> Outcome:
        """The outcome of one clip, whatever happens; ``advance`` hears of (windows done, all windows)."""
        try:
            predictor = self.predictor(job.settings)
        except Exception as error:  # words of this clip that cannot be read
            cause = cause_of(error, job.path, "cannot be predicted")
            expected = error if isinstance(error, AffuseError) else None
            return Outcome(job, None, cause, 0.0, peak_memory(), trace_of(error), expected)
        return predict_one(predictor, job, advance)


def _check_place(path: Path) -> None:
    """Say it as it is: a link without its file is not a misspelt path, a closed folder no damaged file."""
    if path.is_dir():
        raise ClipError(f"{path} is a folder that may not be read; change its permissions.")
    if not path.is_symlink() or path.exists():
        return
    try:
        target = path.resolve()
    except (OSError, RuntimeError):
        raise ClipError(f"{path} is a link that leads in a circle; correct it.") from None
    raise ClipError(f"{path} is a link to {target}, which is not there; fetch that file or correct the link.")
