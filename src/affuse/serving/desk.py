"""From a form to a job: what is asked for is checked, and the job's files go as soon as they were read."""

from __future__ import annotations

import asyncio
import time

from affuse.errors import AffuseError
from affuse.serving.asking import make_request
from affuse.serving.engine import Engine, Job
from affuse.serving.metrics import Metrics
from affuse.serving.problems import ProblemError, problem_of
from affuse.serving.uploads import Upload


class Desk:
    """Takes forms in and gives jobs out.

    Args:
        engine: Does the work, and keeps finished jobs for a while.
        metrics: Told of every job that is over.
    """

    def __init__(self, engine: Engine, metrics: Metrics) -> None:
        self.engine, self.metrics = engine, metrics
        self._watching: set[asyncio.Task[None]] = set()

    def check_room(self, client: str) -> None:
        """Before a clip is received: nobody sends 500 MB to hear that the queue is full.

        Args:
            client: Whose it is.

        Raises:
            ProblemError: There is no room.
        """
        try:
            self.engine.check_room(client)
        except AffuseError as error:
            raise problem_of(error) from None

    def submit(self, upload: Upload, client: str) -> Job:
        """Begin the work on an upload, whose files are ours from now on.

        Args:
            upload: The form.
            client: Whose it is.

        Raises:
            ProblemError: The form asks for what is not there, or there is no room.
        """
        try:
            job = self.engine.submit(make_request(upload, self.engine, client))
        except BaseException as error:
            upload.remove()
            if isinstance(error, AffuseError):
                raise problem_of(error) from None
            raise
        task = asyncio.create_task(self._watch(job, upload))
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)
        return job

    def find(self, id: str) -> Job:
        """A job by its id.

        Raises:
            ProblemError: There is none, or none any more.
        """
        if id not in self.engine.jobs:
            kept = f"{self.engine.limits.keep_seconds:g}"
            raise ProblemError(404, f"There is no such job; answers are kept for {kept} seconds.")
        return self.engine.jobs[id]

    def forget(self, id: str) -> None:
        """Cancel a job and let go of its answer.

        Raises:
            ProblemError: There is none.
        """
        self.find(id).cancel()
        self.engine.jobs.pop(id, None)

    async def _watch(self, job: Job, upload: Upload) -> None:
        began = time.monotonic()
        try:
            await job.released.wait()
        finally:
            upload.remove()
        await job.wait()
        self.metrics.clip(job, time.monotonic() - began)
