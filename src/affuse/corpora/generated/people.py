"""The actors and the rooms: who speaks, with what voice and face, and where."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from affuse.corpora.generated.seeding import stream

Colour = tuple[int, int, int]  # blue, green, red: OpenCV's order

_SKINS: tuple[Colour, ...] = (
    (170, 196, 232),
    (140, 172, 218),
    (108, 144, 196),
    (84, 116, 168),
    (62, 88, 132),
)
_HAIRS: tuple[Colour, ...] = ((28, 30, 36), (34, 48, 74), (44, 72, 112), (92, 142, 190), (120, 124, 128))
_CLOTHES: tuple[Colour, ...] = (
    (120, 60, 40),
    (60, 90, 50),
    (60, 50, 120),
    (90, 90, 90),
    (130, 110, 60),
    (50, 50, 60),
)


@dataclass(frozen=True)
class Look:
    """How an actor is drawn. Lengths are factors of the drawn head's size."""

    skin: Colour
    hair: Colour
    cloth: Colour
    lips: Colour
    width: float  # of the face
    jaw: float  # 0 pointed .. 1 square
    brow: float  # thickness
    long_hair: bool
    beard: float  # 0 none .. 1 full stubble


@dataclass(frozen=True)
class Voice:
    """An actor's voice at rest."""

    f0: float  # Hz
    formants: float  # factor on an adult man's formant frequencies: the vocal tract's length
    rate: float  # factor on syllables per second
    level: float  # dB
    breath: float  # share of aspiration noise
    expressive: float  # factor on how far emotion moves the voice


@dataclass(frozen=True)
class Actor:
    """One of the two speakers of a session."""

    speaker: str  # "Ses01_F"
    gender: str  # "F" or "M"
    voice: Voice
    look: Look


@dataclass(frozen=True)
class Room:
    """Where a session was recorded."""

    decay: float  # seconds for the reverberation to fall by 60 dB
    wet: float  # level of the reverberation relative to the voice
    noise: float  # dBFS of the room's noise
    gain: float  # dB of the recorder
    wall: Colour
    light: float  # factor on brightness


def make_actor(seed: int, session: int, gender: str) -> Actor:
    """The actor of ``session`` (from 1) with that gender ("F" or "M")."""
    rng = stream(seed, "actor", session, gender)
    female = gender == "F"
    voice = Voice(
        f0=float(rng.uniform(185, 225) if female else rng.uniform(98, 128)),
        formants=float(rng.uniform(1.13, 1.20) if female else rng.uniform(0.96, 1.03)),
        rate=float(rng.uniform(0.94, 1.06)),
        level=float(rng.uniform(-2.0, 2.0)),
        breath=float(rng.uniform(0.02, 0.06) if female else rng.uniform(0.01, 0.04)),
        expressive=float(rng.uniform(0.85, 1.15)),
    )
    skin = _SKINS[int(rng.integers(len(_SKINS)))]
    redness = rng.uniform(0.75, 1.0) if female else rng.uniform(0.1, 0.3)
    lips = _mix(skin, (70, 50, 190), 0.15 + 0.6 * redness)
    look = Look(
        skin=skin,
        hair=_HAIRS[int(rng.integers(len(_HAIRS)))],
        cloth=_CLOTHES[int(rng.integers(len(_CLOTHES)))],
        lips=lips,
        width=float(rng.uniform(0.90, 0.97) if female else rng.uniform(0.99, 1.08)),
        jaw=float(rng.uniform(0.05, 0.3) if female else rng.uniform(0.6, 1.0)),
        brow=float(rng.uniform(0.6, 0.9) if female else rng.uniform(1.2, 1.7)),
        long_hair=female,
        beard=float(0.0 if female else rng.choice([0.0, 0.5, 0.9])),
    )
    return Actor(speaker=f"Ses{session:02d}_{gender}", gender=gender, voice=voice, look=look)


def make_room(seed: int, session: int) -> Room:
    """The room of ``session``: reverberation, noise, recorder gain, wall and light."""
    rng = stream(seed, "room", session)
    grey = rng.uniform(90, 150)
    return Room(
        decay=float(rng.uniform(0.12, 0.35)),
        wet=float(rng.uniform(0.10, 0.30)),
        noise=float(rng.uniform(-66, -54)),
        gain=float(rng.uniform(-3, 3)),
        wall=tuple(int(np.clip(grey + tint, 0, 255)) for tint in rng.uniform(-18, 18, 3)),  # pyright: ignore[reportArgumentType]
        light=float(rng.uniform(0.85, 1.1)),
    )


def _mix(a: Colour, b: Colour, share: float) -> Colour:
    """``a`` with ``share`` of ``b``."""
    blue, green, red = (round(x + (y - x) * share) for x, y in zip(a, b, strict=True))
    return blue, green, red
