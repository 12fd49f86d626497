"""Real media files with known sound, for tests: written by soundfile or PyAV, read by the code under test."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile


def sine(seconds: float, rate: int, hertz: float = 440.0, peak: float = 0.5) -> np.ndarray:
    """(samples,) float32."""
    time = np.arange(round(seconds * rate)) / rate
    return (peak * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def speechlike(seconds: float, rate: int, seed: int = 0) -> np.ndarray:
    """(samples,) float32: noise filtered to 100..3000 Hz; no two stretches alike, so a shift shows."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(round(seconds * rate)))
    hertz = np.fft.rfftfreq(round(seconds * rate), 1 / rate)
    spectrum[(hertz < 100) | (hertz > 3000)] = 0
    wave = np.fft.irfft(spectrum, round(seconds * rate))
    return (0.5 * wave / np.abs(wave).max()).astype(np.float32)


def write_sound(path: Path, samples: np.ndarray, rate: int, subtype: str | None = None) -> Path:
    """Through soundfile; samples (time,) or (time, channels)."""
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def write_track(
    path: Path, samples: np.ndarray, rate: int, codec: str, video: bool = False, container: str | None = None
) -> Path:
    """Through PyAV: one audio track, and a grey video track if asked; samples (time,) or (time, channels)."""
    samples_tc = samples[:, None] if samples.ndim == 1 else samples
    layout = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}[samples_tc.shape[1]]
    with av.open(str(path), "w", format=container) as output:
        picture, shown = None, 0
        if video:
            picture = output.add_stream("mpeg4", rate=25)
            picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        stream = output.add_stream(codec, rate=rate)
        stream.layout = layout
        resampler = av.AudioResampler(stream.codec_context.format, layout, rate)
        for begin in range(0, len(samples_tc), 1000):
            block = np.ascontiguousarray(samples_tc[begin : begin + 1000], dtype=np.float32).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, "flt", layout)
            frame.sample_rate, frame.pts = rate, begin
            for converted in resampler.resample(frame):
                output.mux(stream.encode(converted))
            while picture is not None and shown < 25 * (begin + 1000) / rate:
                grey = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 127, np.uint8))
                output.mux(picture.encode(grey))
                shown += 1
        if picture is not None:
            output.mux(picture.encode(None))
        output.mux(stream.encode(None))
    return path


def write_tracks(path: Path, tracks: dict[str, np.ndarray], rate: int) -> Path:
    """Several audio tracks of 16-bit PCM: title -> (samples,)."""
    with av.open(str(path), "w") as output:
        streams = []
        for title in tracks:
            stream = output.add_stream("pcm_s16le", rate=rate)
            stream.layout, stream.metadata["title"] = "mono", title
            streams.append(stream)
        for stream, samples in zip(streams, tracks.values(), strict=True):
            frame = av.AudioFrame.from_ndarray((samples * 32767).astype(np.int16)[None], "s16", "mono")
            frame.sample_rate, frame.pts = rate, 0
            output.mux(stream.encode(frame))
            output.mux(stream.encode(None))
    return path


def join(path: Path, *files: Path) -> Path:
    """``cat FILES > path``."""
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    return path
