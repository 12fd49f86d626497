"""One row of a corpus with its paths resolved."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from affuse.media.sound import Sound


@dataclass(frozen=True)
class Utterance:
    """One row with its paths resolved. Blank fields are None."""

    id: str
    audio: Path | Sound | None = None  # a file, or sound that was decoded already
    video: Path | None = None
    text: str | None = None
    start: float | None = None  # seconds
    end: float | None = None  # seconds
    channel: int | None = None
    track: int | None = None  # of the sound
    side: str | None = None
    features: dict[str, str] = field(default_factory=dict)  # name -> absolute "path[#key][#row]"
    video_start: float | None = None  # seconds into the video, where its clock is not the audio's
    video_end: float | None = None  # seconds

    def waveform(self, rate: int, end: float | None = None) -> np.ndarray:
        """Read the row's piece of its sound, from its channel of its track. The row has audio.

        Args:
            rate: Samples per second.
            end: Seconds into the file, where the row's own end is not the one to stop at.

        Returns:
            (samples,) float32, mono.

        Raises:
            ClipError: The sound cannot be used; see ``media.audio.read_waveform``.
        """
        from affuse.media.audio import read_waveform  # decoders are slow to import

        assert self.audio is not None
        last = self.end if end is None else end
        return read_waveform(self.audio, rate, self.start, last, self.channel, self.track)

    def span(self, kind: str) -> tuple[float | None, float | None]:
        """Start and end in seconds within the file of ``kind``: a video may have a clock of its own."""
        if kind == "video" and not (self.video_start is None and self.video_end is None):
            return self.video_start, self.video_end
        return self.start, self.end
