"""`image_classifier`: any image classifier of transformers, on every picture of a face."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.encoders.base import EncoderOptions
from affuse.encoders.classifiers.checkpoint import Scores, copy_files, width_of
from affuse.encoders.face_clips import FaceClipOptions, FaceEncoder
from affuse.encoders.pretrained import check_processor, load
from affuse.encoders.sources import files_key
from affuse.errors import AffuseError, argument
from affuse.files import digest
from affuse.sequence import FeatureSequence

LEAST = 48  # rows of a face
_TOGETHER = 32  # pictures that go through the network at once


class ImageClassifierOptions(FaceClipOptions):
    """Options of ``image_classifier``: a few pictures a second, in the size that most such networks take."""

    model: str = Field(description="Hub id, folder, or package:NAME/FOLDER of a checkpoint that classifies")
    revision: str | None = Field(default=None, description="commit or tag of the Hub model")
    readout: list[list[float]] | None = Field(
        default=None, description="as of audio_classifier, for a head whose outputs are degrees"
    )
    frames_per_second: float = Field(default=5.0, gt=0, description="pictures taken")
    seconds: float | None = Field(
        default=None, gt=0, description="the clip's first so many seconds; null: all of it"
    )
    size: int = Field(default=224, ge=LEAST, description="rows and columns of a face")


class ImageClassifier(FaceEncoder[ImageClassifierOptions]):
    """A public image classifier: faces in, one step of its head's scores out for every picture. Always frozen.

    Args:
        options: ``ImageClassifierOptions``.

    Raises:
        AffuseError: The checkpoint cannot be had, or is no image classifier.

    Examples:
        >>> encoder = ImageClassifier(ImageClassifierOptions(model="trpakov/vit-face-expression"))  # doctest: +SKIP
        >>> encoder.width_of(encoder.options)  # doctest: +SKIP
        7
    """

    Options: ClassVar[type[EncoderOptions]] = ImageClassifierOptions

    def __init__(self, options: ImageClassifierOptions) -> None:
        super().__init__(options)
        self.scores = Scores(options, "video")

    @classmethod
    @override
    def width_of(cls, options: ImageClassifierOptions) -> int:
        return width_of(options)

    @classmethod
    @override
    def check_exportable(cls, options: ImageClassifierOptions) -> None:
        if reason := _obstacle(_processor(options), options.size):
            raise AffuseError(
                f"{options.model} cannot be part of an ONNX file, since its image processor {reason}; export with "
                f"{argument('inputs', 'features')}."
            )

    @override
    def exportable(self) -> nn.Module:
        return _Pictures(self.scores, self.processor)

    @override
    def check_trainable(self) -> None:
        raise AffuseError("A public classifier stays as it is; set its frozen: true.")

    @override
    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """The checkpoint's own files, and the face detector's."""
        return super().write_source(folder, weights) | copy_files(self.options, folder)

    @property
    @override
    def features_key(self) -> str:
        return digest(super().features_key, self.scores.scale, *files_key(self.options.model))

    @cached_property
    def processor(self) -> Any:
        """The image processor of transformers."""
        return _processor(self.options)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, pictures, rows, columns, 3) of 0 to 255 -> (batch, pictures, scores)."""
        mask_bt = clips.mask
        device = clips.values.device
        scores_btn = torch.zeros(*mask_bt.shape, self.width_of(self.options), device=device)
        if not bool(mask_bt.any()):
            return FeatureSequence(scores_btn, mask_bt)
        pictures = clips.values[mask_bt].to("cpu", torch.uint8).numpy()
        parts = []
        for at in range(0, len(pictures), _TOGETHER):
            # the form is told: a picture of three rows or columns would leave it open
            inputs = self.processor(
                list(pictures[at : at + _TOGETHER]), return_tensors="pt", input_data_format="channels_last"
            )
            parts.append(self.scores(pixel_values=inputs["pixel_values"].to(device)))
        return FeatureSequence(scores_btn.masked_scatter(mask_bt[..., None], torch.cat(parts)), mask_bt)


class _Pictures(nn.Module):
    """The same for an ONNX file, where the processor does no more than scale colours."""

    slope: Tensor
    shift: Tensor

    def __init__(self, scores: Scores, processor: Any) -> None:
        super().__init__()
        self.scores = scores
        factor = processor.rescale_factor if processor.do_rescale else 1.0
        mean, deviation = (
            (processor.image_mean, processor.image_std) if processor.do_normalize else (0.0, 1.0)
        )
        shape = (-1, 1, 1)
        self.register_buffer("slope", factor / torch.tensor(deviation).reshape(shape))
        self.register_buffer(
            "shift", torch.tensor(mean).reshape(shape) / torch.tensor(deviation).reshape(shape)
        )

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, pictures, rows, columns, 3) -> (batch, pictures, scores)."""
        mask_bt = clips.mask
        pixels: Tensor = clips.values.flatten(0, 1).permute(0, 3, 1, 2).float()
        scores = self.scores(pixel_values=pixels * self.slope - self.shift).unflatten(0, mask_bt.shape)
        return FeatureSequence(scores * mask_bt[..., None], mask_bt)


def _obstacle(processor: Any, size: int) -> str:
    """What it does beyond scaling colours, "" for nothing."""
    sides = _sides(processor)
    if getattr(processor, "do_resize", False) and sides != {size}:
        told = " x ".join(map(str, sorted(sides)))
        return f"changes the size of pictures (set the option size to {told})"
    if getattr(processor, "do_center_crop", False):
        crop = getattr(processor, "crop_size", None) or {}
        if {crop.get("height"), crop.get("width")} != {size}:
            return "cuts pictures"
    if not all(hasattr(processor, one) for one in ("do_rescale", "do_normalize", "image_mean", "image_std")):
        return f"is {type(processor).__name__}, which affuse does not know"
    return ""


def side_of(model: str, revision: str | None = None) -> int | None:
    """Rows and columns of the pictures that a checkpoint takes; None where they are not square, or not said."""
    sides = _sides(_load_processor(model, revision))
    return min(sides) if len(sides) == 1 and min(sides) >= LEAST else None


def _sides(processor: Any) -> set[int]:
    wanted = getattr(processor, "size", None) or {}
    return {wanted[side] for side in ("height", "width", "shortest_edge") if wanted.get(side)}


def _processor(options: ImageClassifierOptions) -> Any:
    return _load_processor(options.model, options.revision)


def _load_processor(model: str, revision: str | None) -> Any:
    from transformers import AutoImageProcessor

    check_processor(model, "image processor", "how pictures are scaled")
    return load(AutoImageProcessor, model, revision)
