"""Any audio file, or the audio track of any video, as a mono float32 waveform at a given rate.

soundfile reads what it can (wav, flac, ogg, aiff, ...): it opens fast and seeks by sample. PyAV reads the
rest (mp3, m4a, mp4, avi, mkv, ...), see ``media/audio_track.py``. soxr resamples. Seconds count from the
first audio sample of the file, in a film from where its clock begins (``media/clock.py``): sound that begins later
has silence before it, and lost packets leave silence. The same file and arguments give the same samples.
"""

from __future__ import annotations

import math
import os
import stat
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from affuse.errors import ClipError
from affuse.media.audio_track import AudioTrack
from affuse.media.sound import Sound

# A peak below this is no speech: 10 ** (-90 / 20) is one step of 16-bit PCM, the least such a file can hold.
SILENCE_DBFS = -90.0
# Not tried with soundfile. It does read mp3, but only PyAV reads mp3 tracks inside avi and mkv the same way.
_FOR_PYAV = frozenset({".mp3", ".mp4", ".m4a", ".mkv", ".avi", ".mov", ".webm", ".aac", ".wma"})


class AudioInfo(NamedTuple):
    """What a file's headers say. ``seconds`` is when the sound ends, None where they do not say (a stream that was
    never closed) or cannot be believed (a clock that jumps by hours)."""

    rate: int  # Hz
    channels: int
    seconds: float | None


def read_waveform(
    path: str | Path | Sound,
    rate: int,
    start: float | None = None,
    end: float | None = None,
    channel: int | None = None,
) -> np.ndarray:
    """(samples,) float32, mono, at ``rate`` Hz; integer PCM of b bits is divided by 2 ** (b - 1): [-1, 1).

    start, end: seconds; None is the file's own. Only this part is decoded where the format can seek. The
        result is the same slice of the whole file, but for the resampler's edges (a few ms) and for AAC's
        noise bands, which the decoder draws anew from wherever it begins. An ``end`` past the end of the file
        is the end of the file.
    channel: the channel to take, from 0; None is the mean of all.
    path: or samples that were decoded already (their channel was chosen then): the same samples come out.

    A truncated file gives what can be decoded of it. Raises ClipError, one sentence naming the file, the
    cause and the cure, for a clip that is missing, a folder, empty, not media, without an audio track or
    samples, silent (peak below -90 dBFS), with NaN or infinite samples, and for a range or channel that does
    not exist.
    """
    if isinstance(path, Sound):
        mono, native, path = path.cut(start, end), path.rate, path.path
        if not len(mono):
            raise ClipError(f"{path}{_range(start, end)} holds no audio samples; the sound ends before.")
    else:
        path = Path(path)
        _check_range(path, start, end)
        check_file(path)
        mono, native = _decode_mono(path, start, end, channel)
    _check_samples(path, mono, start, end)
    if native != rate:
        mono = soxr.resample(mono, native, rate)
        if not len(mono):
            raise ClipError(
                f"{path}{_range(start, end)} is shorter than one sample at {rate} Hz; take a longer range."
            )
    return np.ascontiguousarray(mono, dtype=np.float32)


def probe_audio(path: str | Path) -> AudioInfo:
    """Rate, channels and duration by the file's headers; of a film the first sound is decoded, to see when it begins.

    Raises ClipError as above.
    A truncated file's headers may claim more than ``read_waveform`` finds.
    """
    path = Path(path)
    check_file(path)
    sound = open_sound(path)
    if sound is None:
        with AudioTrack(path) as track:
            return AudioInfo(track.rate, track.channels, track.seconds)
    with sound:
        return AudioInfo(sound.samplerate, sound.channels, sound.frames / sound.samplerate)


def _decode_mono(
    path: Path, start: float | None, end: float | None, channel: int | None
) -> tuple[np.ndarray, int]:
    samples_tc, native = _decode(path, start, end)
    channels = samples_tc.shape[1]
    if channel is not None and not 0 <= channel < channels:
        known = "only channel 0" if channels == 1 else f"channels 0 to {channels - 1}"
        raise ClipError(
            f"{path} has {known}, not channel {channel}; correct the row's channel or leave it out."
        )
    if channel is not None:
        return samples_tc[:, channel], native
    if channels == 1:
        return samples_tc[:, 0], native
    return samples_tc.mean(axis=1, dtype=np.float32), native


def _decode(path: Path, start: float | None, end: float | None) -> tuple[np.ndarray, int]:
    """((samples, channels) float32, rate) of the range; never empty."""
    sound = open_sound(path)
    if sound is None:
        with AudioTrack(path) as track:
            samples_tc, native, seconds = (
                track.read(*_bounds(start, end, track.rate)),
                track.rate,
                track.seconds,
            )
    else:
        with sound:
            native, seconds = sound.samplerate, sound.frames / sound.samplerate
            samples_tc = _read_sound(sound, *_bounds(start, end, native))
        if not len(samples_tc):  # damaged (a header that was never filled in, say), or really nothing there
            try:
                with AudioTrack(path) as track:
                    samples_tc, native = track.read(*_bounds(start, end, track.rate)), track.rate
            except ClipError:
                pass
    if not len(samples_tc):
        if start and seconds and start >= seconds:
            raise ClipError(
                f"{path} is {seconds:.2f} s long, so nothing starts at {start:g} s; correct the row's start."
            )
        raise ClipError(
            f"{path}{_range(start, end)} holds no audio samples; replace the file or leave this row out."
        )
    return samples_tc, native


def open_sound(path: Path) -> soundfile.SoundFile | None:
    """The file if soundfile is the one to read it, else None (PyAV is)."""
    if path.suffix.lower() in _FOR_PYAV:
        return None
    try:
        sound = soundfile.SoundFile(
            os.fsencode(path)
        )  # its own encoding of names refuses bytes that are no text
    except soundfile.LibsndfileError:
        return None
    if sound.format == "MPEG":
        sound.close()
        return None
    return sound


def _read_sound(sound: soundfile.SoundFile, first: int, last: int | None) -> np.ndarray:
    """(samples, channels) float32; empty where soundfile finds nothing or stumbles over damage."""
    if first < sound.frames:
        try:
            sound.seek(first)
            return sound.read(-1 if last is None else last - first, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError:
            pass
    return np.zeros((0, sound.channels), np.float32)


def _bounds(start: float | None, end: float | None, rate: int) -> tuple[int, int | None]:
    first = 0 if start is None else round(start * rate)
    return first, None if end is None else max(first + 1, round(end * rate))


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
            f"{path} cannot be read from {start or 0:g} s to {end:g} s, for the end is not after the start; "
            "correct the row's start and end."
        )


def check_file(path: Path, row: bool = True) -> None:
    """Raises ClipError for a path that is missing, no regular file, empty or not readable.

    row: whether a corpus's row names it, which then may be the one to correct
    """
    try:
        status = path.stat()
    except FileNotFoundError:
        place = " or the corpus's media_root" if row else ""
        raise ClipError(f"{path} does not exist; correct the path{place}.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ClipError(f"{path} cannot be reached ({_reason(error)}); correct the path.") from None
    if stat.S_ISDIR(status.st_mode):
        raise ClipError(f"{path} is a folder, not an audio or video file; name a file in it.")
    if not stat.S_ISREG(status.st_mode):  # reading a pipe or device could wait forever
        raise ClipError(f"{path} is not a regular file; name an audio or video file.")
    if status.st_size == 0:
        raise ClipError(
            f"{path} is empty (0 bytes); fetch it again{' or leave this row out' if row else ''}."
        )
    if not os.access(path, os.R_OK):
        raise ClipError(f"{path} may not be read by this user; change its permissions.")


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


def _check_samples(path: Path, mono: np.ndarray, start: float | None, end: float | None) -> None:
    peak = max(float(mono.max()), -float(mono.min()))  # NaN if any sample is
    if not math.isfinite(peak) or not np.isfinite(mono).all():
        bad = int(np.count_nonzero(~np.isfinite(mono)))
        raise ClipError(
            f"{path}{_range(start, end)} has {bad} of {len(mono)} samples that are NaN or infinite; "
            "export the recording again."
        )
    if peak < 10 ** (SILENCE_DBFS / 20):
        raise ClipError(
            f"{path}{_range(start, end)} is silent (its peak is below {SILENCE_DBFS:g} dBFS); "
            "leave this row out or mend the recording."
        )
