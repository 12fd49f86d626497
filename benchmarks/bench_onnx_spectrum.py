"""Whisper's log-mel in onnxruntime: spectrum by convolution, against ONNX's STFT operator and transformers' extractor.

30 s chunks of tones in noise. Error: the largest difference of a log-mel from the formula in float64; the extractor's
own, in float32, is the yardstick.
"""

from __future__ import annotations

import logging
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import Tensor, nn
from transformers import WhisperFeatureExtractor

from affuse.encoders.whisper_mel import WhisperMel

CHUNKS, SECONDS, RATE = 4, 30, 16_000
ROUNDS = 7
SIZE, HOP = 400, 160


class ByOperator(nn.Module):
    """``torch.stft``, which the exporter writes as ONNX's STFT; with ``dtype`` float64, the formula."""

    def __init__(self, filters: np.ndarray, dtype: torch.dtype) -> None:
        super().__init__()
        self.filters = torch.from_numpy(filters).to(dtype).T
        self.window = torch.hann_window(SIZE, dtype=torch.float64).to(dtype)

    def forward(self, sound: Tensor) -> Tensor:
        spectrum = torch.stft(sound.to(self.window.dtype), SIZE, HOP, window=self.window, return_complex=True)
        power = torch.view_as_real(spectrum).square().sum(dim=-1)[..., :-1]
        log = (self.filters @ power).clamp(min=1e-10).log10()
        return (torch.maximum(log, log.amax(dim=(1, 2), keepdim=True) - 8) + 4) / 4


def in_onnxruntime(network: nn.Module, sound: Tensor) -> Callable[[], np.ndarray]:
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = str(Path(folder) / "mel.onnx")
        torch.onnx.export(network, (sound,), path, opset_version=18, external_data=False, verbose=False)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(path, options)
    return lambda: session.run(None, {session.get_inputs()[0].name: sound.numpy()})[0]


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    seconds = torch.arange(SECONDS * RATE) / RATE
    tones = sum(torch.sin(2 * torch.pi * hertz * seconds) / 4 for hertz in (110, 440, 3000))
    sound = tones + 1e-3 * torch.randn(CHUNKS, SECONDS * RATE)
    extractor = WhisperFeatureExtractor()
    exact = ByOperator(extractor.mel_filters, torch.float64)(sound).numpy()
    clips = list(sound.numpy())
    ways = {
        "transformers' extractor (torch)": lambda: extractor(clips, sampling_rate=RATE)["input_features"],
        "ONNX STFT operator": in_onnxruntime(ByOperator(extractor.mel_filters, torch.float32), sound),
        "convolution (affuse)": in_onnxruntime(WhisperMel(extractor), sound),
    }
    errors = {name: np.abs(np.asarray(run()) - exact).max() for name, run in ways.items()}
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, run in ways.items():  # in turn, so that a busy machine slows all alike
            began = time.perf_counter()
            run()
            times[name].append(1000 * (time.perf_counter() - began) / CHUNKS)
    for name, values in times.items():
        spent = statistics.median(values)
        print(f"{name:32} {spent:7.1f} ms per {SECONDS} s chunk, largest error {errors[name]:.1e}")


if __name__ == "__main__":
    main()
