"""The process that has the weights: it answers windows of many clips together, and hears words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from multiprocessing.connection import Connection

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.failures import cause_of
from affuse.inference.recogniser import Recogniser
from affuse.media.speech import Span
from affuse.serving.engine.frames import head_of, pack, tensors_of
from affuse.serving.engine.side import Side
from affuse.workers import begin_worker


def serve(
    models: Mapping[str, str], recognisers: Mapping[str, str], device: str, threads: int, pipe: Connection
) -> None:
    """Answer until the pipe ends.

    Args:
        models: Name -> folder.
        recognisers: Name -> the recogniser of its clips, an id or a folder.
        device: Where they run.
        threads: Of this process.
        pipe: To the service.
    """
    begin_worker()
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    try:
        sides = {name: Side(folder, device) for name, folder in models.items()}
        by_id = {id: Recogniser(id, device) for id in dict.fromkeys(recognisers.values())}
    except AffuseError as error:
        pipe.send_bytes(pack({"refused": str(error)}))
        return
    facts = {name: {"wordless": side.wordless, "batch": side.network.size} for name, side in sides.items()}
    pipe.send_bytes(pack({"ready": facts}))
    try:
        while True:
            head = head_of(pipe.recv_bytes())
            frames = [pipe.recv_bytes() for _ in range(head["count"])]
            try:
                if head["do"] == "answer":
                    answer = _answer(sides[head["model"]], frames)
                else:
                    answer = _hear(by_id[recognisers[head["model"]]], frames[0])
            except Exception as error:  # of a window that is not as the network wants it
                answer = pack({"failed": cause_of(error, "The clip", "cannot be predicted")})
            pipe.send_bytes(answer)
    except (EOFError, OSError):  # the service is gone
        return


def _answer(side: Side, frames: list[bytes]) -> bytes:
    """Task -> (windows, classes), float64."""
    found = side.network.answer_windows([tensors_of(frame) for frame in frames])
    return pack({"answered": len(frames)}, {task: torch.from_numpy(rows) for task, rows in found.items()})


def _hear(recogniser: Recogniser, frame: bytes) -> bytes:
    head, sound = head_of(frame), tensors_of(frame)["sound"]
    words = recogniser.words(np.ascontiguousarray(sound.numpy()), Span(*head["piece"]))
    return pack({"words": [list(word) for word in words]})
