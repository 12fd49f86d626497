"""The visual encoder: every frame of a face clip through one ResNet.

Chae et al., "End-to-end multimodal emotion and gender recognition with dynamic joint loss weights" (2018),
section II-B; with their defaults: ResNet-50 on 96 x 96 faces, 25 frames a second, 2048 features a frame.

Shape letters: b clips, t frames of a clip, n real frames of all clips together, h rows, w columns, c colours.
"""

from __future__ import annotations

import logging
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor

from affuse.corpora.corpus import Utterance
from affuse.encoders.augmentation import augment
from affuse.encoders.base import Encoder, EncoderOptions
from affuse.encoders.resnet import Name, load_weights, make_network, widths
from affuse.errors import ClipError
from affuse.files import digest, file_digest
from affuse.sequence import FeatureSequence

log = logging.getLogger(__name__)

# Mean and deviation of ImageNet's colours in [0, 1], which every ResNet trained on it was given.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class VisualOptions(EncoderOptions):
    """The defaults are the paper's; a small machine takes fewer frames, and a smaller network."""

    network: Name = "resnet50"
    # channels of the first stage; the others follow. Multiples of 16: with fewer channels the CPU's strided 1 x 1
    # convolution (oneDNN, torch 2.13) destroys memory in its channels-last backward pass
    base_width: int = Field(64, gt=0, multiple_of=16)
    stages: int = Field(4, ge=1, le=4)  # of the network's four, from the first
    weights: str | None = None  # null: from scratch; a Hub id, a folder, or a torchvision state-dict file
    # of the colours: from 0 to 1, ImageNet's mean and deviation, or 0 to 255 as in the paper's own code;
    # auto: unit from scratch, imagenet with weights
    scaling: Literal["auto", "unit", "imagenet", "raw255"] = "auto"
    frames_per_second: float = Field(25.0, gt=0)
    seconds: float | None = Field(6.0, gt=0)  # the clip's first so many seconds; null: all of it
    size: int = Field(96, ge=48)  # rows and columns of a face
    crop: Literal["window", "detect"] = "window"  # a fixed place in the speaker's half, or a face detector's
    detector: str | None = None  # of crop: detect; the path of YuNet's ONNX file
    augment: bool = False  # in training: mirror, shift, zoom, light, one draw per clip
    bf16: bool = False  # the network's arithmetic in bfloat16; features are float32 again
    channels_last: bool = True  # memory format of the network

    @model_validator(mode="after")
    def _detector_named(self) -> Self:
        if self.crop == "detect" and self.detector is None:
            raise ValueError("crop 'detect' needs detector: the path of YuNet's ONNX file")
        if self.crop != "detect" and self.detector is not None:
            raise ValueError(f"detector is given, but crop is {self.crop!r}; set crop: detect")
        return self


class VisualEncoder(Encoder):
    """Faces at ``frames_per_second`` -> one feature vector each: the mean over the last stage's map.

    Only real frames go through the network: padding costs nothing, and batch normalisation never sees it.
    ResNet-50 has 23,508,032 parameters.
    """

    Options: ClassVar[type[EncoderOptions]] = VisualOptions
    kind: ClassVar[str] = "video"
    options: VisualOptions

    def __init__(self, options: VisualOptions) -> None:
        super().__init__(options)
        shape = (options.network, options.base_width, options.stages)
        self.network = (
            make_network(*shape) if options.weights is None else load_weights(options.weights, *shape)
        )
        if options.channels_last:
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.width = self.width_of(options)
        self.register_buffer("mean", torch.zeros(3, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.ones(3, 1, 1), persistent=False)
        self.scaling = options.scaling
        if self.scaling == "auto":
            self.scaling = "unit" if options.weights is None else "imagenet"
        if self.scaling == "imagenet":
            self.mean, self.deviation = (torch.tensor(v)[:, None, None] for v in _IMAGENET)
        if self.scaling == "raw255":
            self.deviation = torch.full((3, 1, 1), 1 / 255)

    @classmethod
    def width_of(cls, options: VisualOptions) -> int:
        return widths(options.network, options.base_width, options.stages)[-1]

    def read(self, utterance: Utterance) -> Tensor | None:
        """(frames, size, size, 3) uint8 RGB, ``floor(duration * frames_per_second)`` frames.

        Raises ClipError for a clip shorter than one frame, or whose picture cannot be read. A video that ends
        before the utterance, or fails on the way, gives the frames before that, and a warning in the log.
        """
        if utterance.video is None:
            return None
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
                detector=self.options.detector,
            )
        except ClipError as error:
            raise ClipError(f"{utterance.id}: {error}") from None
        if clip.fault:
            log.warning("%s: %s", utterance.id, clip.fault)
        return torch.from_numpy(clip.frames)

    def media(self, utterance: Utterance) -> list[Any]:
        """The sound channel does not matter here."""
        return [utterance.video, *utterance.span("video"), utterance.side]

    @property
    def reading_key(self) -> str:
        """Networks of any depth and weights share the clips that were read."""
        o = self.options
        detector = "" if o.detector is None else file_digest(Path(o.detector))
        return digest("faces 1", repr((o.frames_per_second, o.seconds, o.size, o.crop)), detector)

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, rows, columns, 3) of 0 to 255 -> (batch, frames, width)."""
        mask_bt = clips.mask
        features_btd = torch.zeros(*mask_bt.shape, self.width, device=mask_bt.device)
        if not bool(mask_bt.any()):
            return FeatureSequence(features_btd, mask_bt)
        x_nhwc = clips.values[mask_bt]
        x_nchw = x_nhwc.permute(0, 3, 1, 2)  # channels last in memory as it lies
        if not self.options.channels_last:
            x_nchw = x_nchw.contiguous()
        x_nchw = x_nchw.float() / 255
        if self.training and self.options.augment:
            clip_n = mask_bt.nonzero()[:, 0]
            x_nchw = augment(x_nchw, clip_n)
        x_nchw = (x_nchw - self.mean) / self.deviation
        # an autocast of the trainer's stays on where this option is off
        autocast = torch.autocast(mask_bt.device.type, torch.bfloat16) if self.options.bf16 else nullcontext()
        with autocast:
            map_nchw = self.network(x_nchw).last_hidden_state
        features_nd = map_nchw.float().mean(dim=(2, 3))
        return FeatureSequence(features_btd.masked_scatter(mask_bt[..., None], features_nd), mask_bt)
