"""Clips of faces, read once for every encoder that looks at them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
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
from affuse.media.yunet import packaged_detector
from affuse.sequence import FeatureSequence


class PictureOptions(EncoderOptions):
    """Which pictures of a video, and what part of each; the defaults are Chae et al.'s (2018)."""

    frames_per_second: float = Field(default=25.0, gt=0, description="pictures taken")
    seconds: float | None = Field(
        default=6.0, gt=0, description="the clip's first so many seconds; null: all of it"
    )
    crop: Literal["auto", "detect", "window"] = Field(
        default="auto",
        description="auto: where a detector finds the face, but a fixed place in the half of a row that has a side "
        "(IEMOCAP's split screen); detect: the detector's always; window: the fixed place always",
    )
    detector: str | None = Field(
        default=None, description="the path of a YuNet ONNX file; null: the one that comes with affuse"
    )
    formerly: ClassVar[Mapping[str, Any]] = {"crop": "window"}

    @model_validator(mode="after")
    def _detector_used(self) -> Self:
        if self.crop == "window" and self.detector is not None:
            raise ValueError("detector is given, but crop is 'window'; set crop: auto or detect")
        return self

    def detector_for(self, side: str | None) -> Path | None:
        """The detector that looks for faces in pictures of which ``side`` is read; None: the fixed window.

        Raises:
            AffuseError: The file that comes with affuse is missing or altered.
        """
        if self.crop == "window" or (self.crop == "auto" and side is not None):
            return None
        return self.chosen_detector()

    def chosen_detector(self) -> Path:
        """The file that looks for faces where any are looked for."""
        return packaged_detector() if self.detector is None else Path(self.detector).expanduser()


class FaceClipOptions(PictureOptions):
    """With the size of what is read of a picture."""

    size: int = Field(default=96, ge=48, description="rows and columns of a face")


AnyFaceOptions = TypeVar("AnyFaceOptions", bound=PictureOptions)


class FaceEncoder(Encoder[AnyFaceOptions]):
    """An encoder of (frames, size, size, 3) uint8 RGB faces; what ``forward`` makes of them is its children's."""

    kind: ClassVar[str] = "video"

    @classmethod
    @override
    def reading_of(cls, options: AnyFaceOptions) -> Reading:
        meaning = f"RGB face of 0 to 255, {options.frames_per_second:g} a second"
        size = cls.size_of(options)
        return Reading(torch.uint8, (size, size, 3), meaning)

    @classmethod
    def size_of(cls, options: AnyFaceOptions) -> int:
        """Rows and columns of a face, found without loading any weight."""
        assert isinstance(options, FaceClipOptions)
        return options.size

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The face detector's file, where there is one."""
        if self.options.detector is None:
            return {}
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(Path(self.options.detector).expanduser(), folder / "detector.onnx")
        return {"detector": "detector.onnx"}

    def read(self, utterance: Utterance) -> Tensor | None:
        """(frames, size, size, 3) uint8 RGB, ``floor(duration * frames_per_second)`` frames; None: no face was found.

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
                size=self.size_of(self.options),
                detector=self.options.detector_for(utterance.side),
            )
        except ClipError as error:
            raise ClipError(f"{utterance.id}: {error}") from None
        if not len(clip.frames):
            return None, f"{utterance.id}: {clip.fault}"
        return torch.from_numpy(clip.frames), clip.fault

    def media(self, utterance: Utterance) -> list[Any]:
        """The sound channel does not matter here."""
        return [utterance.video, *utterance.span("video"), utterance.side, *clock_rule(utterance.video)]

    @property
    def reading_key(self) -> str:
        """Networks of any depth and weights share the clips that were read."""
        o = self.options
        how = repr((o.frames_per_second, o.seconds, self.size_of(o), o.crop))
        if o.crop == "window":
            return digest("faces 2", how, "")
        path = o.chosen_detector()
        if not path.is_file():
            raise AffuseError(
                f"There is no face detector {path}; set the option detector to the path of a YuNet ONNX file, or leave "
                "it out: one comes with affuse."
            )
        return digest("faces 3", how, file_digest(path))


def per_frame(
    clips: FeatureSequence,
    features: Callable[[Tensor], Tensor],
    shape: tuple[int, ...],
    at_once: int | None = None,
) -> FeatureSequence:
    """Features of every real frame, (batch, frames, ...) -> (batch, frames, *shape); padding costs nothing.

    ``features`` takes the frames of all clips together, or where no gradient is kept ``at_once`` of them, so that
    memory does not grow with a clip's length.
    """
    mask_bt = clips.mask
    if (
        torch.compiler.is_exporting()
    ):  # sizes must not depend on the mask: padding goes through the network too
        values = features(clips.values.flatten(0, 1)).unflatten(0, mask_bt.shape)
        return FeatureSequence(values * _widened(mask_bt, shape), mask_bt)
    found = torch.zeros(*mask_bt.shape, *shape, device=mask_bt.device)
    if not bool(mask_bt.any()):
        return FeatureSequence(found, mask_bt)
    frames = clips.values[mask_bt]
    if at_once is None or torch.is_grad_enabled():
        made = features(frames)
    else:
        made = torch.cat([features(part) for part in frames.split(at_once)])
    return FeatureSequence(found.masked_scatter(_widened(mask_bt, shape), made), mask_bt)


def _widened(mask_bt: Tensor, shape: tuple[int, ...]) -> Tensor:
    return mask_bt[(..., *[None] * len(shape))]
