"""Films whose sound and pictures begin at different times: beeps and flashes at known moments of the player's clock."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np

MOMENTS = (1.5, 5.2)  # of a beep and a flash, in seconds of the player's clock
LASTS = 0.4
FPS = 20  # so that 0.3, 0.7 and both moments are times of pictures
_TICK = Fraction(1, 1000)


class Kind(NamedTuple):
    """A container and its sound; ``exact``: seconds by which its clock and its codec may be off."""

    suffix: str
    codec: str
    rate: int
    exact: float


def write_film(
    path: Path,
    kind: Kind,
    sound_at: float = 0.0,
    pictures_at: float = 0.0,
    *,
    seconds: float = 8.0,
    clock: float = 0.0,
    wave: np.ndarray | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Both tracks go on until ``seconds``. ``clock``: what the container calls the moment 0.

    Beeps (1 kHz) and white pictures come at ``MOMENTS`` for ``LASTS`` seconds, beside faint noise and dark pictures;
    ``wave``: another sound, (samples,) float32, whose first sample is heard at ``sound_at``.
    """
    options = (options or {}) | ({"output_ts_offset": str(clock)} if clock else {})
    if wave is None:
        time = np.arange(round((seconds - sound_at) * kind.rate)) / kind.rate + sound_at
        loud = np.any([(time >= at) & (time < at + LASTS) for at in MOMENTS], axis=0)
        noise = 0.002 * np.random.default_rng(0).standard_normal(len(time))
        wave = np.where(loud, 0.5 * np.sin(2 * np.pi * 1000 * time), noise).astype(np.float32)
    assert wave is not None
    with av.open(str(path), "w", options=options) as film:
        shown = film.add_stream({"webm": "libvpx", "flv": "flv"}.get(kind.suffix, "mpeg4"), rate=FPS)
        shown.width, shown.height, shown.pix_fmt, shown.gop_size = 96, 64, "yuv420p", 12
        shown.codec_context.time_base = _TICK
        heard = film.add_stream(kind.codec, rate=kind.rate)
        heard.layout = "mono"
        resampler = av.AudioResampler(heard.codec_context.format, "mono", kind.rate)
        blocks = [(sound_at + k / kind.rate, "sound", k) for k in range(0, len(wave), 1000)]
        pictures = [
            (pictures_at + k / FPS, "picture", k) for k in range(round((seconds - pictures_at) * FPS))
        ]
        for at, what, k in sorted(blocks + pictures):
            if what == "sound":
                block = av.AudioFrame.from_ndarray(wave[None, k : k + 1000], "fltp", "mono")
                block.sample_rate, block.time_base = kind.rate, Fraction(1, kind.rate)
                block.pts = round(sound_at * kind.rate) + k
                for frame in resampler.resample(block):
                    film.mux(heard.encode(frame))
            else:
                lit = any(moment - 1e-6 <= at < moment + LASTS - 1e-6 for moment in MOMENTS)
                picture = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 250 if lit else 40, np.uint8))
                picture.pts, picture.time_base = round(at / _TICK), _TICK
                film.mux(shown.encode(picture))
        film.mux(shown.encode(None))
        film.mux(heard.encode(None))
    return path


def beeps(wave: np.ndarray, rate: int, first: float = 0.0) -> list[float]:
    """Seconds at which beeps begin, ``first`` being the time of the first sample."""
    size = round(0.002 * rate)
    whole = wave[: len(wave) // size * size].reshape(-1, size)
    loud = np.abs(whole).max(axis=1) > 0.1
    starts = np.flatnonzero(loud & ~np.r_[False, loud[:-1]])
    found: list[float] = []
    for start in starts:
        at = first + start * size / rate
        if not found or at - found[-1] > LASTS + 0.1:
            found.append(at)
    return found


def remux(
    source: Path,
    target: Path,
    *,
    shift: Callable[[float], float] = lambda at: 0.0,
    lost: Callable[[float], bool] = lambda at: False,
    tracks: tuple[str, ...] = ("audio",),
) -> Path:
    """The same packets; those of ``tracks`` later by ``shift`` seconds, and without those that are ``lost``."""
    with av.open(str(source)) as whole, av.open(str(target), "w") as film:
        copies = {stream.index: film.add_stream_from_template(stream) for stream in whole.streams}
        for packet in whole.demux():
            if packet.dts is None:
                continue
            if packet.stream.type in tracks:
                assert packet.pts is not None
                at = float(packet.pts * packet.time_base)
                if lost(at):
                    continue
                packet.pts += round(shift(at) / packet.time_base)
                packet.dts += round(shift(at) / packet.time_base)
            packet.stream = copies[packet.stream.index]
            film.mux(packet)
    return target
