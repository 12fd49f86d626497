"""The first stage of a prediction: a clip is scanned, windows are laid, and each is read as the encoders want it.

Nothing is learnt here and no weight is used, so it may run in another process than the network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from affuse.encoders.base import Encoder
from affuse.errors import ClipError, argument
from affuse.inference.clip_range import ClipRange
from affuse.inference.clip_words import ClipWords
from affuse.inference.settings import Settings
from affuse.inference.sound_scan import SoundScan, scan_sound
from affuse.inference.tracks import Tracks, find_tracks
from affuse.inference.watching import unchecked, unwatched
from affuse.inference.window_reader import WindowReader
from affuse.inference.windows import Window, lay_windows
from affuse.inference.words import Word, fit, speech_with
from affuse.media.samples import Samples
from affuse.media.speech import Span

# of a modality's kind, in the words of a complaint
WHAT = {"audio": "sound", "text": "words", "video": "pictures", "features": "pre-extracted features"}


class ClipPlan(NamedTuple):
    """What is known of a clip before any window of it is read.

    Attributes:
        clip: Its path, or "array".
        start: Seconds into the file, where the range that was asked for begins.
        seconds: When that range ends.
        windows: In order of their starts.
        words: With their times, where words are known.
        faults: What could not be used so far, and why, in sentences.
        strange: Those of the faults that would explain a clip without any answer.
        peaks: The loudest sample of each 1/20 s.
        tracks: What the file has.
    """

    clip: str
    start: float
    seconds: float
    windows: list[Window]
    words: list[Word]
    faults: list[str]
    strange: list[str]
    peaks: np.ndarray
    tracks: Tracks


class ClipReader:
    """Reads clips for one model under some settings.

    Args:
        encoders: Modality -> encoder; only its ``read`` is used.
        kinds: Modality -> kind, of all of the model's modalities, read here or not.
        settings: How clips are read.
        window: Seconds of a window.
        hop: Seconds from window to window.
        words: Where the words of the clips come from.
    """

    def __init__(
        self,
        encoders: Mapping[str, Encoder],
        kinds: Mapping[str, str],
        settings: Settings,
        window: float,
        hop: float,
        words: ClipWords,
    ) -> None:
        self.encoders, self.kinds, self.settings = encoders, kinds, settings
        self.window, self.hop, self.words = window, hop, words

    def plan(
        self,
        path: Path | Samples,
        watch: Callable[[float], None] = unwatched,
        check: Callable[[Tracks], None] = unchecked,
    ) -> ClipPlan:
        """Scan a clip: how long it is, where somebody speaks and what is said, and so which windows it has.

        Args:
            path: A file, or samples in memory.
            watch: Called with the seconds of the range that are known to be there, again and again while sound is
                decoded; what it raises ends the scan.
            check: Called with what the file says of itself, before anything of it is decoded; it may refuse the clip.

        Raises:
            ClipError: Not media, nothing to decode, none of the model's modalities in it.
        """
        asked = ClipRange.of(path, self.settings)
        tracks = find_tracks(path)
        check(tracks)
        self._check_modalities(path, tracks)
        faults: list[str] = list(tracks.notes) if "video" in self.kinds.values() else []
        heard = self._scan_sound(path, tracks, asked, watch)
        watch(heard.seconds - asked.start)
        faults += asked.remarks(path, heard.seconds)
        if heard.fault:
            faults.append(heard.fault)
        faults += heard.remarks
        cues, strange, notes = fit(self.words.transcript, asked.file_seconds(heard.seconds, tracks.seconds))
        within = asked.cues(cues)
        if cues and not within:
            strange = [
                f"No cue of {self.settings.text} lies from {asked.start:g} s to {heard.seconds:.2f} s."
            ]
        cues = within
        missing = self.words.missing(path) if "text" in self.kinds.values() else []
        faults += [*missing, *strange, *notes]
        heard = heard._replace(speech=speech_with(cues, heard.speech, heard.seconds))
        words = self.words.words(path, heard, cues)
        return ClipPlan(
            path.name if isinstance(path, Samples) else str(path),
            asked.start,
            heard.seconds,
            lay_windows(heard.speech, self.window, self.hop),
            words,
            faults,
            list(strange),
            heard.peaks,
            tracks,
        )

    def read(
        self, path: Path | Samples, plan: ClipPlan, beat: Callable[[], None] = unwatched
    ) -> WindowReader:
        """The windows of a clip that was planned; iterate over it once.

        Args:
            path: As it was planned.
            plan: What ``plan`` gave.
            beat: Called again and again while pictures are decoded; what it raises ends the reading.
        """
        return WindowReader(path, plan.tracks, self.encoders, self.settings, plan.words, plan.windows, beat)

    def _scan_sound(
        self, path: Path | Samples, tracks: Tracks, asked: ClipRange, watch: Callable[[float], None]
    ) -> SoundScan:
        """Length, speech and loudness; a clip without sound, or whose sound nobody asks for, is one span."""
        vad = self.settings.vad
        detect = set(self.kinds.values()) - {"features"} != {"video"} if vad is None else vad
        if tracks.sound:
            heard = scan_sound(
                path, self.settings.channel, detect, asked.start, asked.end, self.settings.track, watch
            )
            whole = asked.until(float(tracks.seconds or 0))
            if heard.seconds and not detect and tracks.picture and whole > heard.seconds:
                # pictures may go on after the sound: the whole clip is asked for, not what was said in it
                return heard._replace(seconds=whole, speech=[Span(asked.start, whole)])
            if heard.seconds:
                return heard
            if not tracks.picture or "video" not in self.kinds.values():
                raise ClipError(f"{path} has no sound that can be decoded; convert it or fetch it again.")
        if vad and not tracks.sound:
            raise ClipError(f"{path} has no sound to find speech in; leave {argument('vad')} out.")
        if not tracks.seconds:
            raise ClipError(f"{path} does not say how long it is and has no sound; convert it (mp4, mkv).")
        seconds = asked.until(tracks.seconds)
        return SoundScan(seconds, [Span(asked.start, seconds)], np.zeros(0, np.float32), "")

    def _check_modalities(self, path: Path | Samples, tracks: Tracks) -> None:
        there = {"audio": tracks.sound, "video": tracks.picture, "text": self.words.known(tracks.sound)}
        if any(there.get(kind, False) for kind in self.kinds.values()):
            return
        reads = ", ".join(f"{name} ({WHAT[kind]})" for name, kind in self.kinds.items())
        has = " and ".join(
            name for name, is_there in (("sound", tracks.sound), ("pictures", tracks.picture)) if is_there
        )
        cure = "give a file that has them"
        if "text" in self.kinds.values():
            cure = f"give {argument('text')} (a file of words) or {argument('asr')} (a recogniser)"
        has = f"{has} only" if has else "neither sound nor pictures"
        raise ClipError(f"{path} has {has}, and this model reads {reads}; {cure}.")


def lengths_of_windows(usual: float, settings: Settings) -> tuple[float, float]:
    """Window and hop in seconds: those of the settings, else the usual window and half of it."""
    window = settings.window if settings.window is not None else usual
    return window, settings.hop if settings.hop is not None else window / 2


def causes_of_nothing(plan: ClipPlan, causes: Sequence[str]) -> str:
    """Why a clip that has windows has no answer."""
    nothing = f"{plan.clip} has nothing that this model reads."
    return next(filter(None, [*plan.strange, *causes, nothing]))
