"""Floats that are not between -1 and 1: whole numbers of 16, 24 or 32 bits that were saved as they were."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from affuse.errors import ClipError
from affuse.media.samples import Samples

# Mixes and decoders exceed 1 by a little, mixes in floats by 12 dB and more: up to here nothing is wrong.
_USUAL_PEAK = 8.0
_BITS = (16, 24, 32)
# A peak from this share of the bits' full scale (-36 dB) to twice that is explained by them: resampling overshoots.
_LEAST, _MOST = 1 / 64, 2.0
# Share of the samples that are not 0 which must be beyond 2 as well: a single wrong one is no scale.
_BEYOND = 0.01


def scale_of(path: Path | Samples, blocks: Iterator[np.ndarray]) -> tuple[float, str]:
    """What the samples are to be multiplied with, and a sentence on it where that is not 1.

    blocks: all of the file, whatever is asked of it: a quiet range alone would tell nothing

    Raises:
        ClipError: For samples that no scale explains.
    """
    peak, beyond, sounding = 0.0, 0, 0
    for block_tc in blocks:
        loud = np.abs(block_tc[np.isfinite(block_tc)])
        if not len(loud):
            continue
        highest = float(loud.max())
        peak = max(peak, highest)
        sounding += int(np.count_nonzero(loud))
        beyond += int(np.count_nonzero(loud > 2)) if highest > 2 else 0
    if peak <= _USUAL_PEAK:
        return 1.0, ""
    if beyond >= _BEYOND * sounding:
        for bits in _BITS:
            full = 2.0 ** (bits - 1)
            if _LEAST * full <= peak <= _MOST * full:
                return 1 / full, (
                    f"{path} holds floats in units of {bits} bits (its peak is {peak:.0f}, where floats end at 1): "
                    f"divided by {full:.0f}."
                )
    raise ClipError(
        f"{path} holds floats that reach {peak:.4g}, where floats end at 1, and no unit explains it; export it as "
        "16-bit PCM, or divide its samples so that they lie within -1 and 1."
    )
