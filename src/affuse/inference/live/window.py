"""A window of a stream as the encoders read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.errors import ClipError
from affuse.inference.live.listener import ReadyWindow
from affuse.inference.words import Word, text_between


def read_window(
    encoders: Mapping[str, Encoder],
    window: ReadyWindow,
    words: Sequence[Word] = (),
    faces: Mapping[str, np.ndarray | None] = MappingProxyType({}),
) -> tuple[dict[str, Tensor | None], list[str]]:
    """A window as the encoders read it, and what of it could not be used.

    Args:
        encoders: Modality -> encoder.
        window: With its sound.
        words: Of its span.
        faces: Modality -> (frames, size, size, 3) uint8 RGB, None where no face is seen.

    Returns:
        Modality -> the tensor of ``Encoder.read``, None where the window lacks it; and the causes, in sentences.
    """
    utterance = Utterance(
        id=f"window {window.number} ({window.start:.2f} s)",
        audio=window.sound if len(window.sound.samples) else None,
        video=None,
        text=text_between(words, window.start, window.end) or None,
        start=window.start,
        end=window.end,
    )
    tensors: dict[str, Tensor | None] = {}
    causes: list[str] = []
    for name, encoder in encoders.items():
        tensors[name] = None
        if encoder.kind == "video":
            frames = faces.get(name)
            tensors[name] = None if frames is None else torch.from_numpy(frames)
            continue
        try:
            tensors[name], fault = encoder.read_with_fault(utterance)
        except ClipError as error:
            fault = str(error)
        causes += [fault] if fault else []
    return tensors, causes
