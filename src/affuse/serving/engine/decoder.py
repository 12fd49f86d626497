"""The process that opens files of strangers: it reads windows, knows no weights, and may die.

It is given one clip at a time and sends what it finds in frames: ``seen`` while it scans (and ``long``, once), a
``piece`` where words are to be recognised, the ``plan``, every ``window``, then the ``end``; or why it ``failed``.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.failures import cause_of
from affuse.inference.clip_reader import ClipPlan, ClipReader
from affuse.inference.clip_words import ClipWords
from affuse.inference.recogniser import pieces
from affuse.inference.settings import Settings
from affuse.inference.words import Word
from affuse.media.samples import Samples
from affuse.media.speech import RATE, Span, SpeechDetector
from affuse.serving.engine.declared import TooMuchError, check_declared
from affuse.serving.engine.frames import head_of, pack
from affuse.serving.engine.memory_limit import limit_memory
from affuse.serving.engine.side import Side
from affuse.serving.limits import Limits
from affuse.workers import begin_worker

_TELL = 1.0  # seconds between two words of progress


class _CancelledError(Exception):
    """Nobody wants the clip any more."""


def serve(models: Mapping[str, str], limits: Limits, pipe: Connection) -> None:
    """Read clips until the pipe ends. ``models``: name -> folder."""
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the service itself ends its processes
    torch.set_num_threads(1)
    try:
        sides = {name: Side(folder, words=False) for name, folder in models.items()}
        for side in sides.values():
            side.forget_weights()
    except AffuseError as error:
        pipe.send_bytes(pack({"refused": str(error)}))
        return
    SpeechDetector(RATE)  # what is loaded for a first clip counts as the process's own memory
    limit_memory(limits.decoder_memory)
    pipe.send_bytes(pack({"ready": True}))
    try:
        while True:
            head = head_of(pipe.recv_bytes())
            if head["do"] == "read":
                _OneClip(pipe, sides[head["model"]], limits, head).read()
    except (EOFError, OSError):  # the service is gone
        return


class _OneClip:
    """One clip on its way through the decoder. It also stands for the recogniser, which is in another process."""

    def __init__(self, pipe: Connection, side: Side, limits: Limits, head: Mapping[str, Any]) -> None:
        self.pipe, self.side, self.limits = pipe, side, limits
        self.path = Path(head["clip"])
        self.settings = Settings.model_validate(head["settings"])
        self.recognise = bool(head["hear"])
        self.job = head["job"]
        self._open = 0  # windows that were sent and not answered yet
        self._words: list[Word] | None = None
        self._began, self._told = time.process_time(), time.monotonic()
        self._seconds, self._long = 0.0, False  # of the clip, as far as is known

    def read(self) -> None:
        """Send all of the clip, or why there is none."""
        try:
            reader = self._reader()
            plan = reader.plan(self.path, self._watch, lambda tracks: check_declared(tracks, self.limits))
            self._send_plan(plan)
            windows = reader.read(self.path, plan, self._beat)
            for i, reading in enumerate(windows):
                tensors = {name: tensor for name, tensor in reading.tensors.items() if tensor is not None}
                self._make_room()
                causes = [self._renamed(cause) for cause in reading.causes]
                self._send({"window": i, "given": list(tensors), "causes": causes}, tensors)
                self._open += 1
                self._check()
            faces = {str(k): torch.from_numpy(one.pixels.copy()) for k, one in enumerate(windows.pictures)}
            times = [one.time for one in windows.pictures]
            self._send({"end": True, "fault": self._renamed(windows.fault), "times": times}, faces)
        except _CancelledError:
            self._send({"cancelled": True})
        except TooMuchError as error:
            self._send({"failed": str(error), "kind": "limit"})
        except AffuseError as error:
            self._send({"failed": self._renamed(str(error)), "kind": "clip"})
        except Exception as error:
            if isinstance(error, MemoryError) or "can't allocate memory" in str(
                error
            ):  # torch raises the latter
                told = "Reading the clip takes more memory than the service gives to one; send a smaller one."
                self._send({"failed": told, "kind": "limit"})
                return
            # whatever a decoder stumbles over is in the file
            self._send({"failed": self._renamed(cause_of(error, self.path)), "kind": "clip"})

    def hear(
        self,
        path: Path | Samples,
        channel: int | None,
        speech: Sequence[Span],
        track: int | None = None,
        start: float = 0.0,
    ) -> list[Word]:
        """As ``Recogniser.hear``, by a network in another process."""
        for waveform, span in pieces(path, channel, speech, track, start):
            self._make_room()
            self._send({"piece": [span.start, span.end]}, {"sound": torch.from_numpy(waveform)})
            self._open += 1
            self._check()
        self._send({"pieces_end": True})
        while self._words is None:
            self._listen()
        return self._words

    def _reader(self) -> ClipReader:
        words = ClipWords(self.settings, hearer=self if self.recognise else None)
        return self.side.reader(self.settings, words, worded=self.recognise)

    def _watch(self, seconds: float) -> None:
        """While sound is scanned: how long is it already, and does anybody still want it."""
        self._seconds = max(self._seconds, seconds)
        most = self.limits.seconds
        if seconds > most:
            raise TooMuchError(
                f"The clip is longer than the {most:g} seconds that the service takes; send a part of it."
            )
        if seconds > self.limits.long_seconds and not self._long:
            self._long = True
            self._send({"long": True})
        self._beat()

    def _beat(self) -> None:
        """While sound or pictures are decoded: it goes on; does anybody still want it."""
        self._check()
        if time.monotonic() - self._told > _TELL:
            self._told = time.monotonic()
            self._send({"seen": self._seconds})

    def _check(self) -> None:
        while self.pipe.poll():
            self._listen()
        most = self.limits.decode_seconds + self._seconds
        if time.process_time() - self._began > most:
            raise TooMuchError(
                f"Reading the clip takes more than {most:.0f} seconds of processor time, which is what the service "
                "gives to one; convert it (wav, mp4) or send a part of it."
            )

    def _make_room(self) -> None:
        while self._open >= self.limits.ahead:
            self._listen()

    def _listen(self) -> None:
        """One command; those of a clip that is over are passed over."""
        head = head_of(self.pipe.recv_bytes())
        if head.get("job") != self.job:
            return
        if head["do"] == "cancel":
            raise _CancelledError
        if head["do"] == "answered":
            self._open -= head["count"]
        elif head["do"] == "words":
            self._words = [Word(*word) for word in head["words"]]

    def _send_plan(self, plan: ClipPlan) -> None:
        told = {
            "start": plan.start,
            "seconds": plan.seconds,
            "windows": [list(window) for window in plan.windows],
            "words": [list(word) for word in plan.words],
            "faults": [self._renamed(fault) for fault in plan.faults],
            "strange": [self._renamed(fault) for fault in plan.strange],
            "tracks": [plan.tracks.sound, plan.tracks.picture],
        }
        self._send({"plan": told}, {"peaks": torch.from_numpy(np.asarray(plan.peaks, np.float32))})

    def _renamed(self, sentence: str) -> str:
        """Clients know their clip by no name of ours."""
        sentence = sentence.replace(str(self.path), "the clip")
        if self.settings.text is not None:
            sentence = sentence.replace(str(self.settings.text), "the file of words")
        return sentence[:1].upper() + sentence[1:]

    def _send(self, head: dict[str, Any], tensors: Mapping[str, torch.Tensor] | None = None) -> None:
        self.pipe.send_bytes(pack({"job": self.job, **head}, tensors or {}))
