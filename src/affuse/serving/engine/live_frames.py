"""Windows of live streams on their way to a network: sound in memory, which is no stranger's file and is read there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from affuse.inference.live.listener import STREAM, ReadyWindow
from affuse.inference.live.window import read_window
from affuse.inference.window_answers import given_of
from affuse.inference.words import Word
from affuse.media.sound import Sound
from affuse.media.speech import Span
from affuse.serving.engine.frames import pack, unpack
from affuse.serving.engine.side import Side

_FACES = "faces "  # before the name of a modality


def window_frame(
    window: ReadyWindow,
    words: Sequence[Word],
    worded: bool,
    faces: Mapping[str, np.ndarray | None] = MappingProxyType({}),
) -> bytes:
    """A window for ``answer_sound``.

    Args:
        window: With its sound.
        words: Of its span.
        worded: Whether the stream has words at all: without, the encoders of words are not asked.
        faces: Modality -> (frames, size, size, 3) uint8 RGB, None where no face is seen.
    """
    head = {
        "number": window.number,
        "start": window.start,
        "end": window.end,
        "span": window.span,
        "sure": window.sure,
        "rate": window.sound.rate,
        "first": window.sound.first,
        "words": [list(word) for word in words],
        "worded": worded,
    }
    shown = {f"{_FACES}{name}": torch.tensor(one) for name, one in faces.items() if one is not None}
    return pack(head, {"sound": _tensor(window.sound.samples)} | shown)


def piece_frame(waveform: np.ndarray, span: Span) -> bytes:
    """A piece of sound whose words are to be heard: (samples,) float32 at the recogniser's rate."""
    return pack({"piece": list(span)}, {"sound": _tensor(waveform)})


def answer_sound(side: Side, frames: Sequence[bytes]) -> bytes:
    """Task -> (windows, columns), as of ``WindowAnswers.outputs``; ``given``: the modalities of each window."""
    read: list[dict[str, torch.Tensor | None]] = []
    for frame in frames:
        head, tensors = unpack(frame)
        encoders = {
            name: encoder
            for name, encoder in side.network.encoders.items()
            if side.kinds[name] != "text" or head["worded"]
        }
        window = _window(head, tensors["sound"].numpy())
        faces = {
            name.removeprefix(_FACES): one.numpy() for name, one in tensors.items() if name.startswith(_FACES)
        }
        read.append(read_window(encoders, window, [Word(*word) for word in head["words"]], faces)[0])
    found = side.network.answer_windows(read)
    return pack(
        {"answered": len(frames), "given": [given_of(tensors) for tensors in read]},
        {task: torch.from_numpy(rows) for task, rows in found.items()},
    )


def _window(head: dict[str, Any], samples: np.ndarray) -> ReadyWindow:
    sound = Sound(samples, int(head["rate"]), int(head["first"]), STREAM)
    return ReadyWindow(head["number"], head["start"], head["end"], head["span"], sound, head["sure"])


def _tensor(samples: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(samples, np.float32))
