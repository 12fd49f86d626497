"""Clips of faces, read once for every encoder that looks at them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, ClassVar, Literal, Self, TypeVar

import torch
from pydantic import Field, model_validator
from torch import Tensor
from typing_extensions import override

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.errors import AffuseError, ClipError
from affuse.files import digest, file_digest
from affuse.media.clock import clock_rule


class FaceClipOptions(EncoderOptions):
    """Which pictures of a video, and what part of each; the defaults are Chae et al.'s (2018)."""

    frames_per_second: float = Field(default=25.0, gt=0, description="pictures taken")
    seconds: float | None = Field(
        default=6.0, gt=0, description="the clip's first so many seconds; null: all of it"
    )
    size: int = Field(default=96, ge=48, description="rows and columns of a face")
    crop: Literal["window", "detect"] = Field(
        default="window", description="a fixed place in the speaker's half, or a face detector's"
    )
    detector: str | None = Field(default=None, description="of crop: detect; the path of YuNet's ONNX file")

    @model_validator(mode="after")
    def _detector_named(self) -> Self:
        if self.crop == "detect" and self.detector is None:
            raise ValueError("crop 'detect' needs detector: the path of YuNet's ONNX file")
        if self.crop != "detect" and self.detector is not None:
            raise ValueError(f"detector is given, but crop is {self.crop!r}; set crop: detect")
        return self


AnyFaceOptions = TypeVar("AnyFaceOptions", bound=FaceClipOptions)


class FaceEncoder(Encoder[AnyFaceOptions]):
    """An encoder of (frames, size, size, 3) uint8 RGB faces; what ``forward`` makes of them is its children's."""

    kind: ClassVar[str] = "video"

    @classmethod
    @override
    def reading_of(cls, options: AnyFaceOptions) -> Reading:
        meaning = f"RGB face of 0 to 255, {options.frames_per_second:g} a second"
        return Reading(torch.uint8, (options.size, options.size, 3), meaning)

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The face detector's file, where there is one."""
        if self.options.detector is None:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(self.options.detector).expanduser(), folder / "detector.onnx")
        return {"detector": "detector.onnx"}

    def read(self, utterance: Utterance) -> Tensor | None:
        """(frames, size, size, 3) uint8 RGB, ``floor(duration * frames_per_second)`` frames.

        Raises ClipError for a clip shorter than one frame, or whose picture cannot be read. A video that ends
        before the utterance, or fails on the way, gives the frames before that.
        """
        return self._faces(utterance)[0]

    @override
    def read_with_fault(self, utterance: Utterance) -> tuple[Tensor | None, str]:
        return self._faces(utterance)

    def _faces(self, utterance: Utterance) -> tuple[Tensor | None, str]:
        if utterance.video is None:
            return None, ""
        from affuse.media.video import read_faces  # decoders are slow to import, and only needed here

        start, end = utterance.span("video")
        try:
            clip = read_faces(
                utterance.video,
                start=start,
                end=end,
                side=utterance.side,
                fps=self.options.frames_per_second,
                seconds=self.options.seconds,
                size=self.options.size,
                detector=None if self.options.detector is None else Path(self.options.detector).expanduser(),
            )
        except ClipError as error:
            raise ClipError(f"{utterance.id}: {error}") from None
        return torch.from_numpy(clip.frames), clip.fault

    def media(self, utterance: Utterance) -> list[Any]:
        """The sound channel does not matter here."""
        return [utterance.video, *utterance.span("video"), utterance.side, *clock_rule(utterance.video)]

    @property
    def reading_key(self) -> str:
        """Networks of any depth and weights share the clips that were read."""
        o = self.options
        detector = ""
        if o.detector is not None:
            path = Path(o.detector).expanduser()
            if not path.is_file():
                raise AffuseError(
                    f"There is no face detector {path}; set the option detector to the path of YuNet's ONNX file, or "
                    "crop: window."
                )
            detector = file_digest(path)
        return digest("faces 2", repr((o.frames_per_second, o.seconds, o.size, o.crop)), detector)
