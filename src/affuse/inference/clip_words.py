"""Where the words of a clip come from: a file, a text, or a recogniser that hears them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from affuse.errors import AffuseError, argument
from affuse.inference.settings import Settings
from affuse.inference.sound_scan import SoundScan
from affuse.inference.words import Cue, Transcript, Word, composed, place, read_transcript
from affuse.media.samples import Samples
from affuse.media.speech import Span

if TYPE_CHECKING:
    from affuse.inference.recogniser import Recogniser


class Hearer(Protocol):
    """What hears the words of a clip: see ``Recogniser.hear``."""

    def hear(
        self,
        path: Path | Samples,
        channel: int | None,
        speech: Sequence[Span],
        track: int | None = None,
        start: float = 0.0,
    ) -> list[Word]:
        """Every word of the speech with its times."""
        ...


class ClipWords:
    """The words of the settings, read once for every clip that has these settings.

    Args:
        settings: ``text``, ``words`` or ``asr`` of them, at most one.
        like: Whose recogniser is used again where it is the same one.
        hearer: What hears the words in place of the recogniser that the settings name: in another process, say.

    Attributes:
        recogniser: What hears the words here, or None.

    Raises:
        AffuseError: More than one source of words, a file of words that cannot be read, no such recogniser.
    """

    def __init__(
        self, settings: Settings, like: ClipWords | None = None, hearer: Hearer | None = None
    ) -> None:
        self._settings = settings
        self.transcript = self._read()
        self.recogniser: Recogniser | None = None  # in this process
        if hearer is None:
            self.recogniser = self._load(like)
        self._hearer = self.recogniser if hearer is None else hearer

    def _load(self, like: ClipWords | None) -> Recogniser | None:
        settings = self._settings
        if like is not None and like._settings.asr == settings.asr:
            return like.recogniser
        if settings.asr is None:
            return None
        from affuse.inference.recogniser import Recogniser

        return Recogniser(settings.asr, settings.device)

    def known(self, sound: bool) -> bool:
        """Whether there are words for a clip that has sound or has none."""
        return bool(self.transcript.cues) or (self._hearer is not None and sound)

    def missing(self, clip: Path | Samples) -> list[str]:
        """What is to be said where a folder of words has no file for the clip: it is in the settings still."""
        folder = self._settings.text
        if folder is None or not folder.is_dir():
            return []
        return [f"No words for {clip} in {folder}: predicted without."]

    def words(self, clip: Path | Samples, heard: SoundScan, cues: Sequence[Cue]) -> list[Word]:
        """Every word with its times, seconds of the clip.

        Args:
            clip: What a recogniser listens to.
            heard: Where somebody speaks.
            cues: Those of ``transcript`` that fit the clip.
        """
        if self._hearer is None:
            return place(cues, heard.speech)
        settings = self._settings
        return self._hearer.hear(clip, settings.channel, heard.speech, settings.track, settings.start or 0.0)

    def _read(self) -> Transcript:
        settings = self._settings
        if sum(given is not None for given in (settings.text, settings.words, settings.asr)) > 1:
            raise AffuseError(
                f"Words come from one place: {argument('text')}, {argument('words')} or {argument('asr')}; give one of "
                "them."
            )
        if settings.words is not None and settings.words.strip():
            return Transcript([Cue(None, None, " ".join(composed(settings.words).split()))])
        if settings.text is None or settings.text.is_dir():
            return Transcript([])
        return read_transcript(settings.text)
