"""What the encoders read of every window of a clip, in one pass over its sound and one over its pictures.

An encoder that reads pictures in a way of its own opens the file for every window.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.encoders.face_clips import FaceEncoder
from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.face_encoders import face_options, reads_plainly
from affuse.inference.faces import FaceWindows
from affuse.inference.settings import Settings
from affuse.inference.timeline import Picture
from affuse.inference.tracks import Tracks
from affuse.inference.watching import unwatched
from affuse.inference.windows import Window
from affuse.inference.words import Word, text_between
from affuse.media.samples import Samples
from affuse.media.sound import Sound
from affuse.media.sound_stream import SoundStream, SoundWindows

_PICTURES = 60  # faces kept for the plot


class Reading(NamedTuple):
    """modality -> the tensor of ``Encoder.read``, None where the window lacks it; causes: which faults made it so."""

    tensors: dict[str, Tensor | None]
    causes: list[str]


class WindowReader:
    """Iterate over it once, for a ``Reading`` of every window in order; ``beat``: see ``ClipReader.read``."""

    def __init__(
        self,
        path: Path | Samples,
        tracks: Tracks,
        encoders: Mapping[str, Encoder],
        settings: Settings,
        words: Sequence[Word],
        windows: Sequence[Window],
        beat: Callable[[], None] = unwatched,
    ) -> None:
        self.path, self.encoders, self.settings = path, encoders, settings
        self.words, self.windows = words, windows
        self.pictures: list[Picture] = []
        self._tracks = tracks
        kinds = {encoder.kind for encoder in encoders.values()}
        self._sound = (
            SoundWindows(SoundStream(path, settings.channel, settings.track, settings.start or 0.0))
            if tracks.sound and "audio" in kinds
            else None
        )
        self._faces = {
            name: FaceWindows(
                path, windows, face_options(encoder.options, encoder.size_of(encoder.options), settings), beat
            )
            for name, encoder in encoders.items()
            if isinstance(path, Path)
            and isinstance(encoder, FaceEncoder)
            and reads_plainly(type(encoder))
            and tracks.picture
        }
        self._check_settings()

    def __iter__(self) -> Iterator[Reading]:
        faces = {name: iter(windows) for name, windows in self._faces.items()}
        stride = max(1, len(self.windows) // _PICTURES)
        for i, window in enumerate(self.windows):
            causes: list[str] = []
            utterance = self._utterance(i, window)
            tensors: dict[str, Tensor | None] = {}
            for name, encoder in self.encoders.items():
                tensors[name] = None
                if name in faces:
                    frames = next(faces[name])
                    tensors[name] = None if frames is None else torch.from_numpy(frames)
                    if frames is not None and i % stride == 0:
                        middle = (window.start + window.end) / 2
                        self.pictures.append(Picture(middle, frames[len(frames) // 2]))
                elif encoder.kind != "video" or self._tracks.picture:
                    try:
                        tensors[name], fault = encoder.read_with_fault(utterance)
                    except ClipError as error:
                        fault = str(error)
                    causes += [fault] if fault else []
            yield Reading(tensors, causes)

    def _utterance(self, i: int, window: Window) -> Utterance:
        """A window as a row of a corpus would name it, so that every encoder reads it as it reads those."""
        file = self.path if isinstance(self.path, Path) else None
        sound: Sound | Path | None = file if self._tracks.sound else None
        if self._sound is not None:
            heard = self._sound.read(window.start, window.end)
            sound = heard if len(heard.samples) else None
        return Utterance(
            id=f"window {i} ({window.start:.2f} s)",
            audio=sound,
            video=file if self._tracks.picture else None,
            text=text_between(self.words, window.start, window.end) or None,
            start=window.start,
            end=window.end,
            channel=self.settings.channel,
            track=self.settings.track,
            side=self.settings.side,
        )

    @property
    def fault(self) -> str:
        """Of the pictures; known when every window is read."""
        return next((windows.fault for windows in self._faces.values() if windows.fault), "")

    def _check_settings(self) -> None:
        """Check that a choice of faces reaches the pictures that are read.

        Raises:
            AffuseError: It would be without effect.
        """
        own = [name for name, one in self.encoders.items() if one.kind == "video" and name not in self._faces]
        if not own or self._faces or not self._tracks.picture:
            return
        if self.settings.detector or self.settings.face:
            raise AffuseError(
                f"{argument('detector')} and {argument('face')} do not reach the modality {own[0]!r}, whose encoder "
                f"({type(self.encoders[own[0]]).__name__}) reads pictures in its own way; leave them out."
            )
