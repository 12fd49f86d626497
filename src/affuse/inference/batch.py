"""Many clips: on all cores, past failures, each with its time and memory."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.errors import AffuseError, ClipError
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline
from affuse.workers import begin_worker, worker_pool

if TYPE_CHECKING:
    from affuse.inference.predict import Predictor


@dataclass(frozen=True)
class Job:
    """One clip, and what is particular to it."""

    path: Path
    name: str  # of its outputs, without a suffix
    settings: Settings


class Outcome(NamedTuple):
    """``timeline`` is None where the clip failed; ``cause`` says why. peak_bytes: of the process, so far."""

    job: Job
    timeline: Timeline | None
    cause: str
    wall_seconds: float
    peak_bytes: int


def predict_jobs(model: str | Path, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs, as they are ready. One process: this one, with all of its threads.

    Raises AffuseError for a model or settings that cannot be used: that is no clip's fault.
    """
    worker = _Worker(model)
    settings = jobs[0].settings
    if any(job.settings != settings for job in jobs):  # words of each clip's own are that clip's fault
        settings = settings.model_copy(update={"text": None, "words": None})
    worker.predictor(settings)
    if processes == 1 or len(jobs) == 1:
        yield from map(worker.run, jobs)
        return
    del worker
    with worker_pool(min(processes, len(jobs)), _begin, model) as pool:
        waiting = deque(pool.submit(_run, job) for job in jobs)
        while waiting:
            yield waiting.popleft().result()


def predict_one(predictor: Predictor, job: Job) -> Outcome:
    """A clip that cannot be used is an outcome like any other."""
    began = time.perf_counter()
    timeline, cause = None, ""
    try:
        timeline = predictor.predict(job.path)
    except ClipError as error:
        cause = str(error)
    except (
        RuntimeError,
        MemoryError,
        ValueError,
    ) as error:  # of a decoder or a network: one clip's, not the batch's
        cause = f"{job.path} cannot be predicted ({type(error).__name__}: {' '.join(str(error).split())})."
    return Outcome(job, timeline, cause, time.perf_counter() - began, peak_memory())


def peak_memory() -> int:
    """Bytes: the most this process has had in memory at once."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


class _Worker:
    """The model, and its encoders, which are the same for every job but for words and the like."""

    def __init__(self, model: str | Path) -> None:
        from affuse.modelfolder import load_model

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
        except AffuseError as error:  # words of this clip that cannot be read
            return Outcome(job, None, str(error), 0.0, peak_memory())
        return predict_one(predictor, job)


_worker: _Worker | None = None


def _begin(model: str | Path) -> None:
    global _worker
    begin_worker()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)  # as many processes as cores
    _worker = _Worker(model)


def _run(job: Job) -> Outcome:
    assert _worker is not None
    return _worker.run(job)
