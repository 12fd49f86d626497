"""Whisper's log-mel spectrogram as two convolutions, which an ONNX file can hold.

transformers' WhisperFeatureExtractor takes the spectrum by ``torch.stft``, whose ONNX operator is slow and coarse
in onnxruntime (docs/decisions.md). Here its real and imaginary part are products with a windowed cosine and sine.

Shape letters: r rows (chunks of sound), n samples, f frames, k frequencies, m mel bands.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_FLOOR = 1e-10  # of a band's power
_RANGE = 8.0  # powers of ten below the loudest band and frame; what is weaker is raised to that


class WhisperMel(nn.Module):
    """(rows, samples) at the extractor's rate -> (rows, bands, samples / hop), as its extractor gives for each row.

    Both products are convolutions, so that 8-bit quantisation, which takes matrix products, leaves them exact:
    a spectrum spans eight powers of ten.
    """

    def __init__(self, extractor: Any) -> None:
        super().__init__()
        size = extractor.n_fft
        self.hop: int = extractor.hop_length
        self.margin = size // 2  # frame i is centered on sample i * hop
        window_n = torch.hann_window(size, dtype=torch.float64)
        turns_kn = torch.outer(torch.arange(size // 2 + 1), torch.arange(size)) % size
        angles_kn = 2 * torch.pi / size * turns_kn.double()
        basis = torch.cat([window_n * angles_kn.cos(), window_n * angles_kn.sin()])
        self.register_buffer("basis", basis[:, None].float())  # (2 k, 1, n)
        filters_km = torch.from_numpy(extractor.mel_filters).float()
        self.register_buffer("filters", filters_km.T[..., None].contiguous())  # (m, k, 1)

    def forward(self, sound_rn: Tensor) -> Tensor:
        """Log-mels in Whisper's scale, each row's own maximum setting its floor."""
        sound_rcn = F.pad(sound_rn[:, None], (self.margin, self.margin), mode="reflect")
        real_rkf, imaginary_rkf = F.conv1d(sound_rcn, self.basis, stride=self.hop).chunk(2, dim=1)  # type: ignore[arg-type]
        power_rkf = real_rkf.square() + imaginary_rkf.square()
        mel_rmf = F.conv1d(power_rkf[..., :-1], self.filters)  # type: ignore[arg-type] # the last frame is half beyond
        log_rmf = mel_rmf.clamp(min=_FLOOR).log10()
        log_rmf = torch.maximum(log_rmf, log_rmf.amax(dim=(1, 2), keepdim=True) - _RANGE)
        return (log_rmf + 4) / 4
