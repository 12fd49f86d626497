"""The process that has the weights: it answers windows of many clips together, and hears words."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch

from affuse.errors import AffuseError
from affuse.failures import cause_of
from affuse.inference.predict import NO_RECOGNISER
from affuse.inference.recogniser import Recogniser
from affuse.media.speech import Span
from affuse.serving.engine.frames import head_of, pack, tensors_of
from affuse.serving.engine.live_frames import answer_sound
from affuse.serving.engine.side import Side
from affuse.workers import begin_worker


def serve(
    models: Mapping[str, str], asr: str | None, device: str, threads: int, batch: int, pipe: Connection
) -> None:
    """Answer until the pipe ends.

    Args:
        models: Name -> folder.
        asr: Recogniser of every model, an id or a folder; None: each one's own; "none": no words are recognised.
        device: Where they run.
        threads: Of this process.
        batch: Windows that run through a network together.
        pipe: To the service.
    """
    begin_worker()
    signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # of a whole group: the service itself ends its processes, when done
    os.environ["OMP_NUM_THREADS"] = str(threads)
    torch.set_num_threads(threads)
    try:
        sides = {name: Side(folder, device, batch) for name, folder in models.items()}
        recognisers = {name: _recogniser_of(side, asr) for name, side in sides.items()}
        by_id = {id: Recogniser(id, device) for id in recognisers.values() if id is not None}
    except AffuseError as error:
        pipe.send_bytes(pack({"refused": str(error)}))
        return
    facts = {name: facts_of(side, recognisers[name]) for name, side in sides.items()}
    pipe.send_bytes(pack({"ready": facts}))
    try:
        while True:
            head = head_of(pipe.recv_bytes())
            frames = [pipe.recv_bytes() for _ in range(head["count"])]
            try:
                if head["do"] == "answer":
                    answer = _answer(sides[head["model"]], frames)
                elif head["do"] == "sound":
                    answer = answer_sound(sides[head["model"]], frames)
                else:
                    answer = _hear(by_id[recognisers[head["model"]] or ""], frames[0])
            except Exception as error:  # of a window that is not as the network wants it
                answer = pack({"failed": cause_of(error, "The clip", "cannot be predicted")})
            pipe.send_bytes(answer)
    except (EOFError, OSError):  # the service is gone
        return


def facts_of(side: Side, recogniser: str | None) -> dict[str, Any]:
    """What the service must know of a model whose weights it has not, as JSON (see ``ServedModel``)."""
    model = side.model
    return {
        "description": " ".join(model.recipe.description.split()),
        "label_spaces": model.label_spaces,
        "modalities": side.kinds,
        # which clips it has seen is much, and nothing that is told of an answer
        "defaults": model.defaults.model_dump(mode="json", exclude={"seen"}),
        "asr": recogniser,
        "wordless": side.wordless,
        "batch": side.network.size,
    }


def _recogniser_of(side: Side, asr: str | None) -> str | None:
    """The operator's choice; else the model's own, where its words can be read."""
    if asr is not None:
        return None if asr == NO_RECOGNISER else asr
    return None if side.wordless else side.model.defaults.recogniser


def _answer(side: Side, frames: list[bytes]) -> bytes:
    """Task -> (windows, classes), float64."""
    found = side.network.answer_windows([tensors_of(frame) for frame in frames])
    return pack({"answered": len(frames)}, {task: torch.from_numpy(rows) for task, rows in found.items()})


def _hear(recogniser: Recogniser, frame: bytes) -> bytes:
    head, sound = head_of(frame), tensors_of(frame)["sound"]
    words = recogniser.words(np.ascontiguousarray(sound.numpy()), Span(*head["piece"]))
    return pack({"words": [list(word) for word in words]})
