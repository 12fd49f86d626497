"""``media.mel`` and ``media.pitch`` as products and comparisons of tensors, which an ONNX file can hold: samples in.

In float64, as there: beside a loud tone float32 is off by more than log-mels forgive. Frame i begins at sample 160 i;
of a padded batch there are frames for the longest clip, and ``frame_mask`` says which are a clip's own.

Shape letters: b clips, n samples, t frames, w samples of a frame, k frequencies, l lags, m mel bands.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from affuse.media import pitch
from affuse.media.mel import BINS, FFT, HOP, LOG_OFFSET, RATE, WINDOW, mel_matrix
from affuse.media.pitch import autocorrelation_window

SAMPLE = f"sample of mono sound at {RATE} Hz, within -1 and 1"


def frame_mask(mask_bn: Tensor, frames: int | Tensor) -> Tensor:
    """(b, t) bool: the frames of each clip, at least one where there is sound (``media.mel.frame_count``)."""
    samples_b = mask_bn.sum(dim=1)
    count_b = torch.where(samples_b > 0, 1 + (samples_b - WINDOW).clamp(min=0) // HOP, 0)
    return torch.arange(frames, device=mask_bn.device) < count_b[:, None]  # type: ignore[arg-type]


def _hops(sound_bn: Tensor, before: int, after: int) -> Tensor:
    """(b, n) -> (b, hops, 160) float64, silence added in front and, beyond the last whole hop, behind."""
    fill = -sound_bn.shape[1] % HOP
    return F.pad(sound_bn.double(), (before, fill + after)).unflatten(1, (-1, HOP))


class LogMelFrames(nn.Module):
    """``media.mel.log_mel`` of every clip, (b, n) -> (b, t, bands).

    Args:
        bands: Mel bands.
        low: Hz, where the lowest begins.
        high: Hz, where the highest ends.
        more: Frames of silence at the end.
    """

    def __init__(self, bands: int, low: float, high: float, more: int = 0) -> None:
        super().__init__()
        self.more = more
        window_w = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
        angles_wk = 2 * np.pi * np.outer(np.arange(WINDOW), np.arange(BINS)) / FFT
        basis = np.concatenate([np.cos(angles_wk), np.sin(angles_wk)], axis=1) * window_w[:, None]
        self.register_buffer("basis", torch.from_numpy(basis))  # (w, 2 k)
        self.register_buffer("filters", torch.tensor(mel_matrix(bands, low, high)))  # (k, m)

    def forward(self, sound_bn: Tensor) -> Tensor:
        """Log-mels of a padded batch."""
        hops = _hops(sound_bn, 0, HOP * (3 + self.more))  # a frame is two hops and a half
        frames_btw = torch.cat([hops[:, :-2], hops[:, 1:-1], hops[:, 2:, : WINDOW - 2 * HOP]], dim=2)
        real_btk, imaginary_btk = (frames_btw @ self.basis).chunk(2, dim=2)  # type: ignore[operator]
        mel_btm = (real_btk.square() + imaginary_btk.square()).sqrt() @ self.filters  # type: ignore[operator]
        return (mel_btm + LOG_OFFSET).log().float()


class PitchFrames(nn.Module):
    """``media.pitch.track_pitch`` of every clip, (b, n) -> (b, t, 2), for as many frames as ``LogMelFrames`` gives."""

    def __init__(self) -> None:
        super().__init__()
        window_w, correlation_l = autocorrelation_window()
        size = pitch.FFT
        angles_wk = 2 * np.pi * (np.outer(np.arange(len(window_w)), np.arange(size // 2 + 1)) % size) / size
        basis = np.concatenate([np.cos(angles_wk), np.sin(angles_wk)], axis=1) * window_w[:, None]
        self.register_buffer("basis", torch.from_numpy(basis))  # (w, 2 k)
        lags = np.r_[0, pitch.SHORTEST - 1 : pitch.LONGEST + 2]  # lag 0, then every lag and one to each side
        # the inverse transform of a spectrum of powers, of which all but the first and last frequency stand twice
        twice_k = np.r_[1, np.full(size // 2 - 1, 2), 1] / size
        back_kl = (
            np.cos(2 * np.pi * (np.outer(np.arange(size // 2 + 1), lags) % size) / size) * twice_k[:, None]
        )
        self.register_buffer("back", torch.from_numpy(back_kl / correlation_l[lags]))
        places = np.arange(pitch.SHORTEST, pitch.LONGEST + 1)
        self.register_buffer("lags", torch.from_numpy(places.astype(float)))
        cost = pitch.OCTAVE_COST * np.log2(places * pitch.LOWEST / RATE)
        self.register_buffer("cost", torch.from_numpy(cost))

    def forward(self, sound_bn: Tensor) -> Tensor:
        """Pitch: ln F0 (0: unvoiced) and voicing of a padded batch."""
        # each frame of 800 samples, five hops, lies around the middle of its mel frame of 400
        before = (pitch.LENGTH - WINDOW) // 2
        hops = _hops(sound_bn, before, HOP * 5 - before)
        last = hops.shape[1] - 4
        frames_btw = torch.cat([hops[:, place : last + place] for place in range(5)], dim=2)
        loudest_b11 = sound_bn.double().abs().amax(dim=1)[:, None, None]
        centered_btw = frames_btw - frames_btw.mean(dim=2, keepdim=True)
        real_btk, imaginary_btk = (centered_btw @ self.basis).chunk(2, dim=2)  # type: ignore[operator]
        correlation = (real_btk.square() + imaginary_btk.square()) @ self.back  # type: ignore[operator]
        correlation = correlation[..., 1:] / correlation[..., :1].clamp(min=1e-12)
        left, middle, right = correlation[..., :-2], correlation[..., 1:-1], correlation[..., 2:]
        is_peak = (middle > left) & (middle >= right)
        shift = 0.5 * (left - right) / torch.where(is_peak, left - 2 * middle + right, -1.0)
        height = middle - 0.25 * (left - right) * shift
        worth = torch.where(is_peak, height - self.cost, -1e9)  # type: ignore[operator]
        best = worth.argmax(dim=2, keepdim=True)
        found = is_peak.any(dim=2, keepdim=True)
        period = torch.where(found, (self.lags + shift).gather(2, best), 1.0)  # type: ignore[operator]
        height = torch.where(found, height.gather(2, best), 0.0)
        loud = centered_btw.abs().amax(dim=2, keepdim=True) >= pitch.SILENT_BELOW * loudest_b11
        voicing = torch.where(loud, height.clamp(0.0, 1.0), 0.0)
        log_f0 = torch.where(voicing >= pitch.VOICED_FROM, (RATE / period).log(), 0.0)
        return torch.cat([log_f0, voicing], dim=2).float()
