"""The visual encoder: every frame of a face clip through one ResNet.

Chae et al., "End-to-end multimodal emotion and gender recognition with dynamic joint loss weights" (2018),
section II-B; with their defaults: ResNet-50 on 96 x 96 faces, 25 frames a second, 2048 features a frame.

Shape letters: b clips, t frames of a clip, n real frames of all clips together, h rows, w columns, c colours.
"""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from affuse.encoders.augmentation import augment
from affuse.encoders.base import EncoderOptions
from affuse.encoders.face_clips import FaceClipOptions, FaceEncoder, per_frame
from affuse.encoders.resnet import Name, load_weights, make_network, pool_before_relu, widths
from affuse.sequence import FeatureSequence

# Mean and deviation of ImageNet's colours in [0, 1], which every ResNet trained on it was given.
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class VisualOptions(FaceClipOptions):
    """The defaults are the paper's; a small machine takes fewer frames, and a smaller network."""

    network: Name = Field(default="resnet50", description="the ResNet")
    # Multiples of 16: with fewer channels the CPU's strided 1 x 1 convolution (oneDNN, torch 2.13) destroys memory in
    # its channels-last backward pass
    base_width: int = Field(
        default=64, gt=0, multiple_of=16, description="channels of the first stage; the others follow"
    )
    stages: int = Field(default=4, ge=1, le=4, description="of the network's four, from the first")
    weights: str | None = Field(
        default=None, description="null: from scratch; a Hub id, a folder, or a torchvision state-dict file"
    )
    revision: str | None = Field(default=None, description="commit or tag of the Hub's weights")
    scaling: Literal["auto", "unit", "imagenet", "raw255"] = Field(
        default="auto",
        description="of the colours: from 0 to 1, ImageNet's mean and deviation, or 0 to 255 as in the paper's own "
        "code; auto: unit from scratch, imagenet with weights",
    )
    augment: bool = Field(
        default=False, description="in training: mirror, shift, zoom, light, one draw per clip"
    )
    bf16: bool = Field(
        default=False, description="the network's arithmetic in bfloat16; features are float32 again"
    )
    channels_last: bool = Field(default=True, description="memory format of the network")


class VisualEncoder(FaceEncoder[VisualOptions]):
    """Faces at frames_per_second -> one feature vector each: the mean over the last stage's map.

    Only real frames go through the network: padding costs nothing, and batch normalisation never sees it.
    ResNet-50 has 23,508,032 parameters.

    Args:
        options: ``VisualOptions``.

    Examples:
        >>> from affuse.sequence import pad
        >>> encoder = VisualEncoder(VisualOptions(network="resnet18", base_width=16, stages=2, size=48))
        >>> encoder(pad([torch.zeros(3, 48, 48, 3)])).values.shape
        torch.Size([1, 3, 32])
    """

    Options: ClassVar[type[EncoderOptions]] = VisualOptions

    def __init__(self, options: VisualOptions) -> None:
        super().__init__(options)
        shape = (options.network, options.base_width, options.stages)
        self.network = (
            make_network(*shape)
            if options.weights is None
            else load_weights(options.weights, *shape, revision=options.revision)
        )
        pool_before_relu(self.network)
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
    @override
    def width_of(cls, options: VisualOptions) -> int:
        return widths(options.network, options.base_width, options.stages)[-1]

    def write_source(self, folder: Path, weights: bool) -> dict[str, str | None]:
        """Also the network's config, or, with ``weights``, the network as it is now; a file's too, as a folder."""
        written = super().write_source(folder, weights)
        if self.options.weights is None:
            return written  # the options alone say what the network is
        (self.network if weights else self.network.config).save_pretrained(folder)  # type: ignore[operator]
        return {**written, "weights": ".", "revision": None}

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, rows, columns, 3) of 0 to 255 -> (batch, frames, width)."""
        augmented = self.training and self.options.augment
        clip_n = clips.mask.nonzero()[:, 0] if augmented else None
        return per_frame(clips, lambda frames: self._features(frames, clip_n), (self.width,))

    def _features(self, x_nhwc: Tensor, clip_n: Tensor | None = None) -> Tensor:
        """(frames, rows, columns, 3) -> (frames, width); augmented where ``clip_n`` names each frame's clip."""
        x_nchw = x_nhwc.permute(0, 3, 1, 2)  # channels last in memory as it lies
        if not self.options.channels_last:
            x_nchw = x_nchw.contiguous()
        x_nchw = x_nchw.float() / 255
        if clip_n is not None:
            x_nchw = augment(x_nchw, clip_n)
        if self.scaling != "unit":
            x_nchw = (x_nchw - self.mean) / self.deviation
        # an autocast of the trainer's stays on where this option is off
        autocast = torch.autocast(x_nhwc.device.type, torch.bfloat16) if self.options.bf16 else nullcontext()
        with autocast:
            map_nchw = self.network(x_nchw).last_hidden_state
        return map_nchw.float().mean(dim=(2, 3))
