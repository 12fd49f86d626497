"""VGGish's front end: waveform -> patches of 96 frames (0.96 s) of 64 log-mels."""

from __future__ import annotations

import numpy as np

from affuse.media.mel import HOP, WINDOW, log_mel

BANDS = 64
PATCH_FRAMES = 96
PATCH_SAMPLES = WINDOW + (PATCH_FRAMES - 1) * HOP  # 15,600 samples: 0.975 s


def to_patches(waveform: np.ndarray) -> np.ndarray:
    """(samples,) at 16 kHz -> (patches, 96, 64) float32, patches >= 1.

    Patches do not overlap, and the frames left over at the end are dropped, as in VGGish. A clip shorter than
    one patch is padded with silence to one (VGGish itself gives no patch for it, and the first paper's code
    then drops the clip).
    """
    if len(waveform) < PATCH_SAMPLES:
        waveform = np.pad(waveform, (0, PATCH_SAMPLES - len(waveform)))
    patches = (1 + (len(waveform) - WINDOW) // HOP) // PATCH_FRAMES
    used = WINDOW + (patches * PATCH_FRAMES - 1) * HOP
    return log_mel(waveform[:used], BANDS, 125.0, 7500.0).reshape(patches, PATCH_FRAMES, BANDS)
