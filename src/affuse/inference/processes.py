"""Many clips, in several processes of which any may die: a decoder's crash or a lack of memory costs its clip alone."""

from __future__ import annotations

import os
import signal
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.errors import AffuseError, argument
from affuse.failures import cause_of, trace_of
from affuse.files.names import shown
from affuse.inference.batch import Job, Outcome, Worker
from affuse.inference.memory import peak_memory
from affuse.progress import Advance, uncounted
from affuse.workers import WorkerContext, begin_worker

if TYPE_CHECKING:
    from affuse.models.network import Model


def predict_jobs(
    model: Model | str | Path, jobs: Sequence[Job], processes: int, advance: Advance = uncounted
) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs, as they are ready.

    Whatever goes wrong with a clip is its outcome; with several processes, even where it kills one.

    Args:
        model: A model, or the folder it is loaded from.
        jobs: One for each clip.
        processes: 1 is this one, with all of its threads.
        advance: Hears of (windows done, all windows) of a clip that is alone.

    Raises:
        AffuseError: The model or the settings cannot be used: that is no clip's fault.
    """
    worker = Worker(model)
    settings = jobs[0].settings
    if any(job.settings != settings for job in jobs):  # words of each clip's own are that clip's fault
        settings = settings.model_copy(update={"text": None, "words": None})
    worker.predictor(settings)
    if len(jobs) == 1:
        yield worker.run(jobs[0], advance)
        return
    if processes == 1:
        yield from map(worker.run, jobs)
        return
    del worker
    from affuse.models.saving import save_model

    with tempfile.TemporaryDirectory(prefix="affuse-") as copy:
        if not isinstance(model, str | Path):  # other processes have it from a folder
            save_model(model, copy)
            model = copy
        yield from run_in_processes(model, jobs, min(processes, len(jobs)))


def run_in_processes(model: str | Path, jobs: Sequence[Job], processes: int) -> Iterator[Outcome]:
    """Outcomes in the order of the jobs. A job whose process died beside others is tried once more, alone.

    A pool of the standard library fails everything that waits when one of its processes dies.

    Raises:
        AffuseError: Where a process dies while it loads the model.
    """
    waiting, again = deque(range(len(jobs))), deque[int]()
    done: dict[int, Outcome] = {}
    tried: set[int] = set()
    workers = [_Process(model) for _ in range(processes)]
    try:
        for number in range(len(jobs)):
            while number not in done:
                _hand_out(workers, jobs, waiting, again)
                ready = wait([worker.pipe for worker in workers if worker.busy])
                for worker in [one for one in workers if one.pipe in ready]:
                    job = worker.job
                    try:
                        outcome = worker.receive()
                    except (EOFError, OSError):
                        death = worker.died()
                        if job is None:
                            raise AffuseError(
                                f"A process {death} while it loaded the model, most likely because memory ran out; run "
                                f"the same again with fewer processes ({argument('jobs')})."
                            ) from None
                        # alone, nobody else took the memory: a second try would end in the same way
                        alone = all(one.job is None for one in workers if one is not worker)
                        workers[workers.index(worker)] = _Process(model)
                        if job in tried or alone:
                            done[job] = _lost(jobs[job], death)
                        else:
                            tried.add(job)
                            again.append(job)
                        continue
                    if job is not None and outcome is not None:
                        done[job] = outcome
            yield done.pop(number)
    except _Raised as raised:
        raise raised.args[0] from None
    finally:
        for worker in workers:
            worker.stop()


def _hand_out(
    workers: Sequence[_Process], jobs: Sequence[Job], waiting: deque[int], again: deque[int]
) -> None:
    """Every idle process gets a job; while one is tried again, it runs alone."""
    idle = [worker for worker in workers if worker.loaded and worker.job is None]
    if again:
        if idle and all(worker.job is None for worker in workers):
            number = again.popleft()
            idle[0].send(number, jobs[number])
        return
    for worker in idle:
        if waiting:
            number = waiting.popleft()
            worker.send(number, jobs[number])


class _Process:
    """One process with the model; ``job`` is the number of what it works on."""

    def __init__(self, model: str | Path) -> None:
        context = WorkerContext()
        self.pipe, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_serve, args=(model, theirs), daemon=True)
        self._process.start()
        theirs.close()  # so that its death ends the pipe
        self.loaded = False
        self.job: int | None = None

    @property
    def busy(self) -> bool:
        return not self.loaded or self.job is not None

    def send(self, number: int, job: Job) -> None:
        self.job = number
        with suppress(OSError):  # it died while it was idle; receiving finds that
            self.pipe.send(job)

    def receive(self) -> Outcome | None:
        """None: the model is loaded. Raises EOFError where the process has died, and what is no clip's fault."""
        outcome = self.pipe.recv()
        if isinstance(outcome, Exception):
            raise _Raised(outcome)
        self.loaded, self.job = True, None
        return outcome

    def died(self) -> str:
        """How, as a verb."""
        self._process.join()
        self.pipe.close()
        code = self._process.exitcode or 0
        if code >= 0:
            return f"ended with exit code {code}"
        return f"was killed by {signal.Signals(-code).name}"

    def stop(self) -> None:
        self._process.terminate()
        self._process.join()


class _Raised(Exception):
    """Of a process: ends the batch."""


def _lost(job: Job, death: str) -> Outcome:
    cause = (
        f"{job.path} cannot be predicted: the process that read it {death}; its decoder may have crashed, or it takes "
        "more memory than there is."
    )
    return Outcome(job, None, shown(cause), 0.0, peak_memory())


def _serve(model: str | Path, pipe: Connection) -> None:
    begin_worker()
    os.environ["OMP_NUM_THREADS"] = "1"
    import torch

    torch.set_num_threads(1)  # as many processes as cores
    try:
        worker = Worker(model)
        pipe.send(None)
        while True:
            job: Job = pipe.recv()
            outcome = worker.run(job)
            try:
                pipe.send(outcome)
            except Exception as error:  # of a timeline that cannot be handed over
                cause = cause_of(error, job.path, "cannot be predicted")
                pipe.send(Outcome(job, None, cause, 0.0, peak_memory(), trace_of(error)))
    except EOFError:  # the parent is gone
        return
    except Exception as error:
        pipe.send(error)
