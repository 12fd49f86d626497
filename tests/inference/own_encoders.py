"""Encoders of one's own, as a user would write and register them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.hog import HogEncoder
from affuse.errors import ClipError
from affuse.sequence import FeatureSequence


class OwnOptions(EncoderOptions):
    pass


class _Own(Encoder):
    Options = OwnOptions

    @classmethod
    def width_of(cls, options: Any):
        return 4

    @classmethod
    def reading_of(cls, options: Any):
        return Reading(torch.float32, (4,), "own")

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        return clips


class Brightness(_Own):
    """Mean colour of each picture of the clip, and which half: a video encoder that looks at no face."""

    kind = "video"

    def read(self, utterance: Any):
        if utterance.video is None:
            return None
        from affuse.media.picture_track import PictureTrack

        assert utterance.end is not None
        times = np.arange(utterance.start + 0.1, utterance.end, 0.2)
        with PictureTrack(utterance.video) as track:
            means = [picture.mean((0, 1)) / 255 for picture in track.pictures(times)]
        if not means:
            raise ClipError(f"{utterance.video} shows nothing from {utterance.start:g} s on.")
        half = {"left": -1.0, None: 0.0, "right": 1.0}[utterance.side]
        return torch.tensor(np.array([[*mean, half] for mean in means]), dtype=torch.float32)


class Loudness(_Own):
    """Opens the file by itself, as code from elsewhere does."""

    kind = "audio"

    def read(self, utterance: Any):
        if utterance.audio is None:
            return None
        import soundfile

        rate = soundfile.info(utterance.audio).samplerate
        first, last = round(utterance.start * rate), round(utterance.end * rate)
        wave, _ = soundfile.read(utterance.audio, start=first, stop=last, always_2d=True)
        one = wave.mean(axis=1) if utterance.channel is None else wave[:, utterance.channel]
        return torch.tensor([[np.abs(one).mean(), one.std(), len(one) / rate, 1.0]], dtype=torch.float32)


class Letters(_Own):
    kind = "text"

    def read(self, utterance: Any):
        text = utterance.text
        return None if text is None else torch.tensor([[len(text), text.count(" "), 1.0, 0.0]])


class Table(_Own):
    """Looks its numbers up in the corpus's columns."""

    kind = "features"
    cached = False

    def read(self, utterance: Any):
        return None if "mine" not in utterance.features else torch.ones(1, 4)


class Darker(HogEncoder):
    """Faces, read in a way of its own: ``read`` alone."""

    def read(self, utterance: Any):
        faces = super().read(utterance)
        return None if faces is None else faces // 2


class Mirrored(HogEncoder):
    """The same by ``read_with_fault`` alone."""

    def read_with_fault(self, utterance: Any):
        faces, fault = super().read_with_fault(utterance)
        return None if faces is None else faces.flip(2), fault
