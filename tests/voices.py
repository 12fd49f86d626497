"""Recordings with a known truth: generated voices between silences."""

from __future__ import annotations

import numpy as np

from affuse.corpora.generated.people import make_actor, make_room
from affuse.corpora.generated.voice import speak

RATE = 16_000


def recording(*parts: tuple[str, float] | float, gender: str = "F", seed: int = 0) -> np.ndarray:
    """(samples,) float32: ("neu", 2.5) is that much speech, 1.0 that much silence."""
    voice, room = make_actor(seed, 1, gender).voice, make_room(seed, 1)
    blocks = []
    for i, part in enumerate(parts):
        if isinstance(part, tuple):
            blocks.append(speak(voice, part[0], part[1], room, np.random.default_rng(seed + i)))
        else:
            blocks.append(np.zeros(round(part * RATE), np.float32))
    return np.concatenate(blocks)
