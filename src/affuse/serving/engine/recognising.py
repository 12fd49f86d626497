"""The process that hears words: a piece of sound may take it seconds, for which no window should wait."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from multiprocessing.connection import Connection

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.failures import cause_of
from affuse.inference.recogniser import Recogniser
from affuse.media.speech import Span
from affuse.serving.engine.frames import head_of, pack, tensors_of
from affuse.workers import begin_worker


def serve(recognisers: Sequence[str], device: str, threads: int, pipe: Connection) -> None:
    """Hear pieces of sound until the pipe ends.

    Args:
        recognisers: Ids or folders.
        device: Where they run.
        threads: Of this process.
        pipe: To the service.
    """
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the service itself ends its processes
    torch.set_num_threads(threads)
    try:
        loaded = {name: Recogniser(name, device) for name in recognisers}
    except AffuseError as error:
        pipe.send_bytes(pack({"refused": str(error)}))
        return
    pipe.send_bytes(pack({"ready": {}}))
    try:
        while True:
            head = head_of(pipe.recv_bytes())
            frames = [pipe.recv_bytes() for _ in range(head["count"])]
            try:
                answer = _hear(loaded[head["recogniser"]], frames[0])
            except Exception as error:
                answer = pack({"failed": cause_of(error, "The clip", "has words that cannot be recognised")})
            pipe.send_bytes(answer)
    except (EOFError, OSError):  # the service is gone
        return


def _hear(recogniser: Recogniser, frame: bytes) -> bytes:
    head, sound = head_of(frame), tensors_of(frame)["sound"]
    words = recogniser.words(np.ascontiguousarray(sound.numpy()), Span(*head["piece"]))
    return pack({"words": [list(word) for word in words]})
