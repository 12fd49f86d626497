"""Many clips: on all cores, past failures, each with its time and memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.errors import ClipError
from affuse.failures import cause_of, trace_of
from affuse.files.names import shown, written
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline

if TYPE_CHECKING:
    from affuse.inference.predict import Predictor


@dataclass(frozen=True)
class Job:
    """One clip, and what is particular to it."""

    path: Path
    name: str  # of its outputs, without a suffix
    settings: Settings


class Outcome(NamedTuple):
    """``timeline`` is None where the clip failed; ``cause`` says why, and ``trace`` where nobody expected it.

    peak_bytes: of the process, so far.
    """

    job: Job
    timeline: Timeline | None
    cause: str
    wall_seconds: float
    peak_bytes: int
    trace: str = ""


def predict_jobs(model: str | Path, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs, as they are ready. One process: this one, with all of its threads.

    Whatever goes wrong with a clip is its outcome; with several processes, even where it kills one. Raises AffuseError
    for a model or settings that cannot be used: that is no clip's fault.
    """
    worker = Worker(model)
    settings = jobs[0].settings
    if any(job.settings != settings for job in jobs):  # words of each clip's own are that clip's fault
        settings = settings.model_copy(update={"text": None, "words": None})
    worker.predictor(settings)
    if processes == 1 or len(jobs) == 1:
        yield from map(worker.run, jobs)
        return
    del worker
    from affuse.inference.processes import run_in_processes

    yield from run_in_processes(model, jobs, min(processes, len(jobs)))


def predict_one(predictor: Predictor, job: Job) -> Outcome:
    """A clip that cannot be used is an outcome like any other, whatever the exception."""
    began = time.perf_counter()
    timeline, cause, trace = None, "", ""
    try:
        _check_place(job.path)
        timeline = predictor.predict(job.path)
        timeline.clip = written(timeline.clip)
        timeline.faults = [shown(fault) for fault in timeline.faults]
    except Exception as error:
        cause, trace = cause_of(error, job.path, "cannot be predicted"), trace_of(error)
    return Outcome(job, timeline, cause, time.perf_counter() - began, peak_memory(), trace)


def peak_memory() -> int:
    """Bytes: the most this process has had in memory at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class Worker:
    """The model, and its encoders, which are the same for every job but for words and the like."""

    def __init__(self, model: str | Path) -> None:
        from affuse.models.loading import load_model

        self.model = load_model(model)
        self._last: tuple[Settings, Predictor] | None = None

    def predictor(self, settings: Settings) -> Predictor:
        from affuse.inference.predict import Predictor

        if self._last is None:
            self._last = settings, Predictor(self.model, settings)
        elif self._last[0] != settings:
            self._last = settings, Predictor(self.model, settings, like=self._last[1])
        return self._last[1]

    def run(self, job: Job) -> Outcome:
        try:
            predictor = self.predictor(job.settings)
        except Exception as error:  # words of this clip that cannot be read
            cause = cause_of(error, job.path, "cannot be predicted")
            return Outcome(job, None, cause, 0.0, peak_memory(), trace_of(error))
        return predict_one(predictor, job)


def _check_place(path: Path) -> None:
    """Told as it is: a link without its file is not a misspelt path, a closed folder no damaged file."""
    if path.is_dir():
        raise ClipError(f"{path} is a folder that may not be read; change its permissions.")
    if not path.is_symlink() or path.exists():
        return
    try:
        target = path.resolve()
    except (OSError, RuntimeError):
        raise ClipError(f"{path} is a link that leads in a circle; mend it.") from None
    raise ClipError(f"{path} is a link to {target}, which is not there; fetch that file or mend the link.")
