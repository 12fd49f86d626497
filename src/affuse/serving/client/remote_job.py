"""A clip on its way through a service."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from affuse.inference.timeline import Timeline
from affuse.serving.client.connection import Connection, UnreachedError
from affuse.serving.client.read_timeline import read_timeline

_FINAL = ("done", "failed", "cancelled")
_TRIES = 5  # times that events may break without a word in between
_PAUSE = 0.5  # seconds before they are asked for again


class JobState(NamedTuple):
    """How far a job is.

    Attributes:
        state: "queued", "reading", "hearing", "predicting", then "done", "failed" or "cancelled".
        position: Its place in the queue, 1 is next; None where it does not wait.
        windows_done: Windows that were answered.
        windows: How many there are; None as long as that is not known.
        problem: Why it has failed, or "".
    """

    state: str
    position: int | None
    windows_done: int
    windows: int | None
    problem: str

    @property
    def final(self) -> bool:
        """Whether nothing will change any more."""
        return self.state in _FINAL


class RemoteJob:
    """A clip that a service works on; ``Client.submit`` makes it.

    Attributes:
        id: Whoever knows it may ask the service for the answer.
        clip: How the timeline calls the clip.
        told: What the service said last of it.
    """

    def __init__(
        self, connection: Connection, told: Mapping[str, Any], clip: str, values: bool | None = None
    ) -> None:
        self._connection, self.clip, self._values = connection, clip, values
        self.told = self._state(told)
        self.id = str(told.get("id", ""))

    def __repr__(self) -> str:
        return f"RemoteJob({self.clip!r}: {self.told.state})"

    @property
    def state(self) -> str:
        """What it does now; asks the service, unless nothing will change any more."""
        if not self.told.final:
            self.told = self._state(self._connection.get(self._path))
        return self.told.state

    def events(self) -> Iterator[JobState]:
        """The job now and at every change; the last one is final. A connection that breaks is opened again.

        Raises:
            AffuseError: The service cannot be reached any more, or has forgotten the job.
        """
        tries = 0
        while True:
            try:
                with self._connection.events(f"{self._path}/events") as events:
                    for event in events:
                        tries = 0
                        self.told = self._state(_json(event.data))
                        yield self.told
                        if self.told.final:
                            return
                broken = UnreachedError("The job's events end before the job does; ask for them again.")
            except UnreachedError as error:
                broken = error
            tries += 1  # some proxies end what takes long
            if tries >= _TRIES:
                raise broken
            time.sleep(_PAUSE)

    def wait(self) -> Timeline:
        """The timeline, when it is made.

        Raises:
            ClipError: The clip cannot be used.
            AffuseError: The job was cancelled, or the service cannot be reached any more.
        """
        for _ in self.events():
            pass
        return self.timeline()

    def timeline(self) -> Timeline:
        """The timeline of a job that is done.

        Raises:
            ClipError: The clip cannot be used.
            AffuseError: The job is not finished, was cancelled, or its answer is not kept any more.
        """
        told = self._connection.get(f"{self._path}/timeline", format="json", detail="full")
        return read_timeline(told, self.clip, self._values)

    def cancel(self) -> None:
        """End the work, and let the service forget its answer."""
        self._connection.delete(self._path)
        if not self.told.final:
            self.told = self.told._replace(state="cancelled", position=None)

    @property
    def _path(self) -> str:
        return f"v1/jobs/{self.id}"

    def _state(self, told: Any) -> JobState:
        try:
            problem = (told["problem"] or {}).get("detail", "")
            return JobState(told["state"], told["position"], told["windows_done"], told["windows"], problem)
        except (KeyError, TypeError, AttributeError):
            raise self._connection.foreign("what is no job") from None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
