"""Several channels as one: a channel that is asked for, or the mix by FFmpeg's weights; and whether channels cancel."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

# Seconds of the loudest channel's energy in which the mix is too quiet, from which the channels are said to cancel.
_SHARE = 0.25
# The mix of channels that have nothing to do with each other has the sum of their weighted powers, that of like ones
# more. A tenth of it needs opposite channels.
_OPPOSITE = 0.1
_LOST = 1e-3  # of the loudest channel's power (-30 dB): it has no weight, or others take it away


@lru_cache(maxsize=64)
def weights_of(layout: str, channels: int) -> tuple[float, ...]:
    """What each channel counts in the mix, all together 1.

    The ratios are FFmpeg's own (libswresample to mono): in 5.1 the sides count 0.71 of the center, the back 0.5,
    the bass (LFE) nothing. Two channels count alike. A layout that is not told is the one that FFmpeg and players
    take for so many channels; what they cannot mix is averaged.
    """
    import av  # slow to import

    if channels <= 2:
        return (1 / channels,) * channels
    try:
        if layout == f"{channels} channels" or av.AudioLayout(layout).nb_channels != channels:
            layout = _USUAL[channels]
        # one impulse per channel, each in a sample of its own
        frame = av.AudioFrame.from_ndarray(np.eye(channels, dtype=np.float32).reshape(1, -1), "flt", layout)
        frame.sample_rate = 48_000
        mixed = av.AudioResampler("flt", "mono", 48_000).resample(frame)[0].to_ndarray().reshape(-1)
    except (av.FFmpegError, KeyError, ValueError, IndexError):
        return (1 / channels,) * channels
    weights = np.abs(mixed[:channels].astype(np.float64))
    if len(weights) < channels or not weights.sum():
        return (1 / channels,) * channels
    return tuple(float(weight) for weight in weights / weights.sum())


# av_channel_layout_default
_USUAL = {3: "2.1", 4: "4.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1", 16: "hexadecagonal"}


def mix(samples_tc: np.ndarray, layout: str) -> np.ndarray:
    """(time, channels) float32 -> (time,) float32."""
    channels = samples_tc.shape[1]
    if channels == 1:
        return samples_tc[:, 0]
    if channels == 2:
        return (samples_tc[:, 0] + samples_tc[:, 1]) * np.float32(0.5)
    mixed = np.zeros(len(samples_tc), np.float32)
    for channel, weight in enumerate(weights_of(layout, channels)):
        if weight:
            mixed += samples_tc[:, channel] * np.float32(weight)
    return mixed


class CancelMeter:
    """Hears blocks and their mix, a second at a time; memory does not depend on how many."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._powers = np.zeros(0)  # of each channel, summed over the second so far
        self._expected = self._mixed = 0.0
        self._samples = 0
        self._loud = self._quiet = 0.0

    def hear(self, samples_tc: np.ndarray, mixed: np.ndarray, layout: str) -> None:
        """A block, (time, channels), and its mix, (time,)."""
        for at in range(0, len(mixed), self._rate):
            part_tc, part = samples_tc[at : at + self._rate], mixed[at : at + self._rate]
            # a view of one channel is strided, and BLAS takes strides
            powers = np.array([float(np.dot(column, column)) for column in part_tc.T])
            if len(powers) != len(self._powers):
                self._close()
                self._powers = np.zeros(len(powers))
            self._powers += powers
            self._expected += float(np.square(weights_of(layout, len(powers))) @ powers)
            self._mixed += float(np.dot(part, part))
            self._samples += len(part)
            if self._samples >= self._rate:
                self._close()

    def cancels(self) -> bool:
        """Whether the channels cancel each other in most of what was heard."""
        self._close()
        return self._quiet > _SHARE * self._loud

    def _close(self) -> None:
        """The second so far is judged."""
        if self._samples:
            loudest = float(self._powers.max())
            if np.isfinite(loudest):
                self._loud += loudest
                if self._mixed < max(_OPPOSITE * self._expected, _LOST * loudest):
                    self._quiet += loudest
        self._powers[:] = 0
        self._expected = self._mixed = 0.0
        self._samples = 0
