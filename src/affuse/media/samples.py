"""Sound that is in memory already, as ``(samples, rate)``: read like the file that holds the same samples."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Real
from typing import Any, BinaryIO, NoReturn

import numpy as np

from affuse.errors import AffuseError
from affuse.media.one_rate import Chunk
from affuse.names import quote

# Integer PCM of b bits is divided by 2 ** (b - 1), as in files; 8 bits without a sign are centred first, as in wav.
_INTEGERS = {"uint8": 128.0, "int8": 128.0, "int16": 2.0**15, "int32": 2.0**31}
_PCM = {"uint8": "PCM_U8", "int8": "PCM_U8", "int16": "PCM_16", "int32": "PCM_32"}
_LEAST_RATE, _MOST_RATE = 1_000, 1_000_000  # Hz; 16 or 44.1 are kHz
_MOST_CHANNELS = 32
_BLOCK = 2**20  # samples that are looked at together
_USUAL = "give (samples, rate): an array and its sampling rate in Hz, as in (samples, 16000)"


class Samples:
    """An array and its sampling rate, in the place of a file's path.

    Args:
        samples: ``(n,)`` for mono, ``(channels, n)`` or ``(n, channels)``; a NumPy array, a PyTorch tensor or a list.
            Floats are as in a file of floats (full scale is 1); integers of 8, 16 and 32 bits are PCM.
        rate: Sampling rate in Hz, a whole number.

    Raises:
        AffuseError: Neither axis can be the channels, nothing is in it, a sample is NaN or infinite, the numbers are of
            another type, or the rate is none.
    """

    lead = 0
    tracks = 1
    broken = is_joined = is_mended = False
    name = "array"

    def __init__(self, samples: Any, rate: Any) -> None:
        self.rate = check_rate(rate)
        self._samples_tc = _channels_last(_checked_array(samples))
        self.channels = self._samples_tc.shape[1]
        self.is_float = self._samples_tc.dtype.kind == "f"
        for chunk in self.chunks(0, _BLOCK):
            bad = ~np.isfinite(chunk.samples_tc)
            if bad.any():
                first = int(np.flatnonzero(bad.any(axis=1))[0]) + round(chunk.position)
                raise AffuseError(
                    f"The array holds NaN, or a number too large for float32, at sample {first} "
                    f"({first / self.rate:.2f} s); replace such samples, for example by 0."
                )

    @classmethod
    def of(cls, clip: object) -> Samples:
        """The samples that a user gave as ``(samples, rate)``.

        Raises:
            AffuseError: For anything else.
        """
        if not isinstance(clip, tuple | list):
            _refuse(f"A clip cannot be of type {type(clip).__name__}")
        pair: Sequence[Any] = clip
        if isinstance(clip, list) or len(pair) != 2:
            _refuse(f"A clip cannot be a {type(clip).__name__} of {len(pair)}")
        samples, rate = pair
        if isinstance(samples, Real) and hasattr(rate, "__len__") and not isinstance(rate, str):
            _refuse("The clip is (rate, samples)")
        return cls(samples, rate)

    def __str__(self) -> str:
        return "The array"

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self._samples_tc) / self.rate

    def chunks(self, first: int, size: int) -> Iterator[Chunk]:
        """From sample ``first`` on, ``size`` samples at most in each."""
        for at in range(first, len(self._samples_tc), size):
            part_tc = self._samples_tc[at : at + size]
            scale = _INTEGERS.get(part_tc.dtype.name)
            with np.errstate(over="ignore"):  # of float64; said in one sentence by whoever makes it
                floats_tc = part_tc.astype(np.float32)
            if part_tc.dtype.name == "uint8":
                floats_tc -= np.float32(128)
            yield Chunk(at, floats_tc if scale is None else floats_tc / np.float32(scale), self.rate)

    def write_wav(self, file: BinaryIO) -> None:
        """Write a wav file that is read like the array: floats as floats, integers as PCM of as many bits."""
        import soundfile

        subtype = _PCM.get(self._samples_tc.dtype.name, "FLOAT")
        with soundfile.SoundFile(file, "w", self.rate, self.channels, subtype, format="WAV") as written:
            for at in range(0, len(self._samples_tc), _BLOCK):
                part_tc = self._samples_tc[at : at + _BLOCK]
                if part_tc.dtype.kind == "f":
                    part_tc = part_tc.astype(np.float32)
                elif part_tc.dtype.itemsize == 1:  # soundfile takes 8 bits as the upper ones of 16
                    centre = 128 if part_tc.dtype.name == "uint8" else 0
                    part_tc = (part_tc.astype(np.int16) - centre) << 8
                written.write(part_tc)

    def close(self) -> None:
        """Nothing is open; it stands for a file."""


def check_rate(rate: Any) -> int:
    """A sampling rate in Hz, as a whole number.

    Raises:
        AffuseError: It is none.
    """
    value: Any = _plain(rate)
    if isinstance(value, np.generic | np.ndarray) and np.size(value) == 1:
        value = value.item()
    number = float(value) if isinstance(value, int | float | Real) and not isinstance(value, bool) else 0.0
    if not (number.is_integer() and _LEAST_RATE <= number <= _MOST_RATE):
        raise AffuseError(
            f"The sampling rate must be a whole number of Hz from {_LEAST_RATE} to {_MOST_RATE}, not {quote(value)}; "
            f"{_USUAL}."
        )
    return int(number)


def _checked_array(samples: Any) -> np.ndarray[Any, Any]:
    try:
        array = np.asarray(_plain(samples))
    except (TypeError, ValueError):  # lists of different lengths
        _refuse(f"The samples cannot be made an array of numbers (they are of type {type(samples).__name__})")
    if array.size == 0 and array.ndim > 0:
        raise AffuseError("The array is empty: it holds no samples; give at least one second of sound.")
    if array.dtype.kind != "f" and array.dtype.name not in _INTEGERS:
        raise AffuseError(
            f"The array holds {array.dtype.name}, which is not a format of sound; give floats from -1 to 1, or int16."
        )
    return array


def _channels_last(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """(n,), (channels, n) or (n, channels) -> (n, channels), without a copy."""
    if array.ndim == 1:
        return array[:, None]
    shape = " x ".join(map(str, array.shape)) or "a single number"
    if array.ndim != 2:
        raise AffuseError(
            f"The array is {shape}, which is not one clip; give (n,) for mono, (channels, n) or (n, channels)."
        )
    few, many = sorted(array.shape)
    if few == many or few > _MOST_CHANNELS:
        raise AffuseError(
            f"The array is {shape}, and its shape does not say which axis is the channels; give one clip as (n,), "
            f"(channels, n) or (n, channels), with at most {_MOST_CHANNELS} channels."
        )
    return array.T if array.shape[0] == few else array


def _plain(value: Any) -> Any:
    """A PyTorch tensor as a NumPy array; NumPy has no bfloat16, which float32 holds."""
    if not hasattr(value, "detach"):
        return value
    tensor = value.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()


def _refuse(what: str) -> NoReturn:
    raise AffuseError(f"{what}; {_USUAL}, or the path of a file.")
