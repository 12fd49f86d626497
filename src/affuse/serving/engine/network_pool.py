"""The processes with weights, and the windows and pieces of sound that wait for them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from affuse.errors import AffuseError
from affuse.serving.engine import networks, recognising
from affuse.serving.engine.child import Child
from affuse.serving.engine.fair import FairQueue
from affuse.serving.engine.frames import head_of, pack, unpack
from affuse.serving.engine.job import Failure
from affuse.serving.engine.restarts import Restarts

TRIES = 2  # of what was under way in a process that died


@dataclass(eq=False)
class Unit:
    """One window to be answered, or one piece of sound whose words are to be heard.

    Attributes:
        owner: Whose it is; it is forgotten together with it.
        client: Whose turn it is.
        model: Which network answers.
        what: "answer" (a window that was read), "sound" (one of a stream, whose sound is to be read first) or "hear" (a
            piece of sound).
        frame: As the decoder sent it, or as ``live_frames`` makes it.
        done: Called with the answer: task -> (classes,); of "sound" with the modalities beside it; or the words.
        lost: Called where there is none.
        tries: How often a process died of it, or beside it.
        alone: Whether it is answered without others: one of them was at fault for what happened to all.
    """

    owner: object
    client: str
    model: str
    what: Literal["answer", "sound", "hear"]
    frame: bytes
    done: Callable[[Any], None]
    lost: Callable[[Failure], None]
    tries: int = 0
    alone: bool = False


class _Network:
    """One process; ``units`` is what it works on. It recognises words, or answers windows."""

    def __init__(self, hears: bool) -> None:
        self.hears = hears
        self.child: Child
        self.ready = False
        self.restarts = Restarts()
        self.units: list[Unit] = []
        self.begun = 0.0


class NetworkPool:
    """Hands out units, those of one model together, to whichever process is idle.

    Args:
        folders: Name -> model folder.
        recognisers: Name -> recogniser, of the models that have one: one process more has them all, for a piece of
            sound may take it seconds.
        device: Where networks run.
        threads: Of each process.
        batch: Windows that run through a network together.
        workers: How many processes answer windows.

    Attributes:
        observe: Called with a quantity's name and its value: "batch_windows", "answer_seconds", "hear_seconds".
    """

    def __init__(
        self,
        folders: Mapping[str, str],
        recognisers: Mapping[str, str],
        device: str,
        threads: int,
        batch: int,
        workers: int,
    ) -> None:
        self._answers = (dict(folders), device, threads, batch)
        self._hears = (sorted(set(recognisers.values())), device, threads)
        self._recognisers = dict(recognisers)
        self._networks = [_Network(False) for _ in range(workers)]
        self._networks += [_Network(True)] if recognisers else []
        self._facts: dict[str, dict[str, Any]] = {}
        self._waiting = FairQueue[Unit]()
        self._batch: dict[str, int] = {}
        self._closing = False
        self.observe: Callable[[str, float], None] = lambda what, value: None

    def pids(self, hears: bool = False) -> list[int]:
        """The ids of the processes that recognise words, or of those that answer windows."""
        found = [one.child.pid for one in self._networks if one.hears == hears]
        return [pid for pid in found if pid is not None]

    @property
    def ready(self) -> bool:
        """Whether some process has its models."""
        return any(one.ready for one in self._networks if not one.hears)

    @property
    def failing(self) -> list[str]:
        """What does not begin any more, in sentences."""
        does = {True: "recognises words", False: "answers windows"}
        said = [one.restarts.sentence(does[one.hears]) for one in self._networks]
        return [sentence for sentence in said if sentence]

    @property
    def waiting(self) -> int:
        """Units that no process has taken yet."""
        return len(self._waiting)

    async def start(self) -> dict[str, dict[str, Any]]:
        """Start the processes and wait until all of them are ready; what they say of their models.

        Raises:
            AffuseError: A model cannot be loaded, or a process died of it.
        """
        self._loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for network in self._networks:
            self._spawn(network)
        await self._loaded
        self._batch = {name: fact["batch"] for name, fact in self._facts.items()}
        return self._facts

    def submit(self, unit: Unit) -> None:
        """It is answered when its client's turn comes; words that nobody can hear are lost at once."""
        if unit.what == "hear" and any(one.hears and one.restarts.hopeless for one in self._networks):
            asyncio.get_running_loop().call_soon(self._lose, unit)
            return
        self._waiting.put(unit.client, unit)
        self.feed()

    def forget(self, owner: object) -> None:
        """Nobody waits for an owner's units any more; those under way are answered to nobody."""
        self._waiting.remove(lambda unit: unit.owner is owner)
        for network in self._networks:
            for unit in network.units:
                if unit.owner is owner:
                    unit.done = unit.lost = _unheard

    def feed(self) -> None:
        """Give every idle process as much as it takes at once."""
        for network in self._networks:
            if not network.ready or network.units:
                continue
            first = self._waiting.take(lambda one, hears=network.hears: (one.what == "hear") == hears)
            if first is None:
                continue
            network.units = [first]
            if not network.hears and not first.alone:
                self._fill(network.units, first)
            head = {"do": first.what, "model": first.model, "count": len(network.units)}
            if network.hears:
                head["recogniser"] = self._recognisers[first.model]
            network.begun = time.monotonic()
            network.child.send(pack(head), *(unit.frame for unit in network.units))

    async def close(self) -> None:
        """End all processes."""
        self._closing = True
        started = [network for network in self._networks if hasattr(network, "child")]
        for network in started:
            network.child.kill()
        for network in started:
            await asyncio.to_thread(network.child.join)

    def _fill(self, units: list[Unit], first: Unit) -> None:
        """More windows for the same network, from one client after another."""
        while len(units) < self._batch[first.model]:
            unit = self._waiting.take(
                lambda one: one.what == first.what and one.model == first.model and not one.alone
            )
            if unit is None:
                return
            units.append(unit)

    def _spawn(self, network: _Network) -> None:
        if self._closing:
            return
        network.ready = False
        network.child = Child(
            recognising.serve if network.hears else networks.serve,
            self._hears if network.hears else self._answers,
            lambda frame: self._hear(network, frame),
            lambda how: self._died(network, how),
        )

    def _hear(self, network: _Network, frame: bytes) -> None:
        head = head_of(frame)
        if "ready" in head:
            network.ready = True
            network.restarts.worked()
            self._facts = head["ready"] or self._facts
            if not self._loaded.done() and all(one.ready for one in self._networks):
                self._loaded.set_result(None)
        elif "refused" in head:
            if not self._loaded.done():
                self._loaded.set_exception(AffuseError(head["refused"]))
        else:
            units, network.units = network.units, []
            taken = time.monotonic() - network.begun
            self.observe("hear_seconds" if network.hears else "answer_seconds", taken)
            if not network.hears:
                self.observe("batch_windows", len(units))
            self._answer(units, frame)
        self.feed()

    def _answer(self, units: list[Unit], frame: bytes) -> None:
        head, tensors = unpack(frame)
        if "failed" in head:
            if len(units) == 1:
                units[0].lost(Failure(head["failed"], "internal"))
                return
            for unit in reversed(units):  # one of them is at fault
                unit.alone = True
                self._waiting.put_back(unit.client, unit)
            return
        if units[0].what == "hear":
            units[0].done(head["words"])
            return
        rows: dict[str, np.ndarray] = {task: tensor.numpy() for task, tensor in tensors.items()}
        for i, unit in enumerate(units):
            row = {task: values[i] for task, values in rows.items()}
            unit.done((row, tuple(head["given"][i])) if unit.what == "sound" else row)

    def _died(self, network: _Network, how: str) -> None:
        if self._closing:
            return
        if not self._loaded.done():
            self._loaded.set_exception(
                AffuseError(
                    f"A process of the service {how} while it loaded the models; memory may have run out."
                )
            )
            return
        units, network.units = network.units, []
        for unit in reversed([unit for unit in units if unit.done is not _unheard]):
            unit.tries, unit.alone = unit.tries + 1, True
            if unit.tries < TRIES:
                self._waiting.put_back(unit.client, unit)
            else:
                told = f"The process that answered the clip {how}; it may take more memory than there is."
                unit.lost(Failure(told, "crash"))
        if network.ready:
            self._spawn(network)
        else:
            asyncio.get_running_loop().call_later(network.restarts.failed(), self._spawn, network)
            if network.hears and network.restarts.hopeless:
                while (unit := self._waiting.take(lambda one: one.what == "hear")) is not None:
                    self._lose(unit)
        self.feed()

    def _lose(self, unit: Unit) -> None:
        told = "What recognises words does not start any more; send the words themselves, or no words (asr=false)."
        unit.lost(Failure(told, "internal"))


def _unheard(answer: object) -> None:
    """Where nobody waits for it."""
