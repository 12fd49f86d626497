"""The process that has the weights: it answers windows of many clips together."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import torch

from affuse.encoders.face_clips import FaceEncoder, PictureOptions
from affuse.errors import AffuseError
from affuse.failures import cause_of
from affuse.inference.face_encoders import reads_plainly
from affuse.serving.engine.frames import head_of, pack, tensors_of
from affuse.serving.engine.live_frames import answer_sound
from affuse.serving.engine.side import Side
from affuse.workers import begin_worker


def serve(models: Mapping[str, str], device: str, threads: int, batch: int, pipe: Connection) -> None:
    """Answer until the pipe ends.

    Args:
        models: Name -> folder.
        device: Where they run.
        threads: Of this process.
        batch: Windows that run through a network together.
        pipe: To the service.
    """
    begin_worker()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # of a whole group: the service itself ends its processes
    torch.set_num_threads(threads)
    try:
        sides = {name: Side(folder, device, batch) for name, folder in models.items()}
    except AffuseError as error:
        pipe.send_bytes(pack({"refused": str(error)}))
        return
    facts = {name: facts_of(side) for name, side in sides.items()}
    pipe.send_bytes(pack({"ready": facts}))
    try:
        while True:
            head = head_of(pipe.recv_bytes())
            frames = [pipe.recv_bytes() for _ in range(head["count"])]
            try:
                if head["do"] == "answer":
                    answer = _answer(sides[head["model"]], frames)
                else:
                    answer = answer_sound(sides[head["model"]], frames)
            except Exception as error:  # of a window that is not as the network wants it
                answer = pack({"failed": cause_of(error, "The clip", "cannot be predicted")})
            pipe.send_bytes(answer)
    except (EOFError, OSError):  # the service is gone
        return


def facts_of(side: Side) -> dict[str, Any]:
    """What the service must know of a model whose weights it has not, as JSON (see ``ServedModel``)."""
    model = side.model
    return {
        "description": " ".join(model.recipe.description.split()),
        "label_spaces": model.label_spaces,
        "ranges": {task: list(scale) for task, scale in model.dimensions.items()},
        "modalities": side.kinds,
        # which clips it has seen is much, and nothing that is told of an answer
        "defaults": model.defaults.model_dump(mode="json", exclude={"seen"}),
        "wordless": side.wordless,
        "batch": side.network.size,
        "faces": {
            name: {
                "options": encoder.options.model_dump(mode="json", include=set(PictureOptions.model_fields)),
                "size": encoder.size_of(encoder.options),
            }
            for name, encoder in side.network.encoders.items()
            if isinstance(encoder, FaceEncoder) and reads_plainly(type(encoder))
        },
    }


def _answer(side: Side, frames: list[bytes]) -> bytes:
    """Task -> (windows, columns), float64, as of ``WindowAnswers.outputs``."""
    found = side.network.answer_windows([tensors_of(frame) for frame in frames])
    return pack({"answered": len(frames)}, {task: torch.from_numpy(rows) for task, rows in found.items()})
