"""Any audio file, or the audio track of any video, as a mono float32 waveform at a given rate.

``media/recording.py`` decodes, soxr resamples. Seconds count from the first audio sample of the file, in a film from
where its clock begins (``media/clock.py``): sound that begins later has silence before it, and lost packets leave
silence. The same file and arguments give the same samples.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soxr

from affuse.errors import ClipError
from affuse.media.recording import Recording
from affuse.media.remarks import remark
from affuse.media.sound import Sound, bounds

# A peak below this is no speech: 10 ** (-90 / 20) is one step of 16-bit PCM, the least such a file can hold.
SILENCE_DBFS = -90.0
_AT_ONCE = 2**20  # samples: most clips are one block, and are not copied


class AudioInfo(NamedTuple):
    """What a file's headers say.

    ``seconds`` is when the sound ends, None where they do not say (a stream that was never closed) or cannot be
    believed (a clock that jumps by hours).
    """

    rate: int  # Hz
    channels: int
    seconds: float | None


def read_waveform(
    path: str | Path | Sound,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
    track: int | None = None,
) -> np.ndarray:
    """(samples,) float32, mono, at ``rate`` Hz; integer PCM of b bits is divided by 2 ** (b - 1): [-1, 1).

    start, end: seconds; None is the file's own. Only this part is decoded where the format can seek. The
        result is the same slice of the whole file, but for the resampler's edges (a few ms) and for AAC's
        noise bands, which the decoder draws anew from wherever it begins. An ``end`` past the end of the file
        is the end of the file.
    channel: the channel to take, from 0; None is the mix of all: the mean of two, FFmpeg's weights for more
        (``media/mixdown.py``).
    track: the audio track to take, from 0; None is the first.
    path: or samples that were decoded already (their channel was chosen then): the same samples come out.

    A truncated file gives what can be decoded of it.

    Raises:
        ClipError: Naming the file, the cause and the cure, for a clip that is missing, a folder, empty, not media,
            without an audio track or samples, silent (peak below -90 dBFS), with NaN or infinite samples, and for a
            range or channel that does not exist.
    """
    if isinstance(path, Sound):
        source, mono, native, silence = path.path, path.cut(start, end), path.rate, path.silence
        if not len(mono):
            raise ClipError(f"{source}{_range(start, end)} holds no audio samples; the sound ends before.")
    else:
        source = Path(path)
        _check_range(source, start, end)
        mono, native, silence = _decode(source, start, end, channel, track)
    _check_samples(source, mono, start, end, silence)
    if native != rate:
        mono = soxr.resample(mono, native, rate)
        if not len(mono):
            raise ClipError(
                f"{source}{_range(start, end)} is shorter than one sample at {rate} Hz; take a longer range."
            )
    return np.ascontiguousarray(mono, dtype=np.float32)


def probe_audio(path: str | Path, track: int | None = None) -> AudioInfo:
    """Rate, channels and duration by the file's headers; of a film the first sound is decoded, to see when it begins.

    Raises ClipError as above.
    A truncated file's headers may claim more than ``read_waveform`` finds.
    """
    with Recording(Path(path), track=track) as recording:
        remark(recording.sentences)
        return AudioInfo(recording.rate, recording.channels, recording.seconds)


def _decode(
    path: Path, start: float | None, end: float | None, channel: int | None, track: int | None
) -> tuple[np.ndarray, int, str]:
    """((samples,) float32, rate, why it may be silent) of the range; never empty. Says what is particular about it."""
    with Recording(path, channel, track) as recording:
        first, last = bounds(start, end, recording.rate)
        blocks = list(recording.blocks(first, last, _AT_ONCE))
        remark(recording.sentences)
        if blocks:
            mono = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
            return mono, recording.rate, recording.silence
        seconds = recording.seconds
    if start and seconds and start >= seconds:
        raise ClipError(
            f"{path} is {seconds:.2f} s long, so nothing starts at {start:g} s; correct the row's start."
        )
    raise ClipError(
        f"{path}{_range(start, end)} holds no audio samples; replace the file or leave this row out."
    )


def _range(start: float | None, end: float | None) -> str:
    if start is None and end is None:
        return ""
    return f" from {start or 0:g} s to {'its end' if end is None else f'{end:g} s'}"


def _check_range(path: Path, start: float | None, end: float | None) -> None:
    for name, value in (("start", start), ("end", end)):
        if value is not None and not (math.isfinite(value) and value >= 0):
            raise ClipError(f"{path} cannot have {name} {value:g} s; correct the row's {name}.")
    if end is not None and end <= (start or 0):
        raise ClipError(
            f"{path} cannot be read from {start or 0:g} s to {end:g} s, because the end is not after the start; "
            "correct the row's start and end."
        )


def _check_samples(
    path: object, mono: np.ndarray, start: float | None, end: float | None, silence: str
) -> None:
    peak = max(float(mono.max()), -float(mono.min()))  # NaN if any sample is
    if not math.isfinite(peak) or not np.isfinite(mono).all():
        bad = int(np.count_nonzero(~np.isfinite(mono)))
        raise ClipError(
            f"{path}{_range(start, end)} has {bad} of {len(mono)} samples that are NaN or infinite; "
            "export the recording again."
        )
    if peak < 10 ** (SILENCE_DBFS / 20):
        why = silence or "; leave this row out or repair the recording"
        raise ClipError(
            f"{path}{_range(start, end)} is silent (its peak is below {SILENCE_DBFS:g} dBFS){why}."
        )
