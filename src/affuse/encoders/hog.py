"""``hog``: histograms of oriented gradients of faces; nothing to train, nothing to download.

Dalal and Triggs, "Histograms of oriented gradients for human detection" (2005), as OpenCV has them: 9 orientations
in cells of 8 x 8 pixels, normalised over blocks of 2 x 2 cells, a block at every cell.

Shape letters: b clips, t frames of a clip, n real frames of all clips together, d descriptor.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import cv2
import numpy as np
import torch
from pydantic import Field
from typing_extensions import override

from affuse.encoders.base import EncoderOptions
from affuse.encoders.face_clips import FaceClipOptions, FaceEncoder
from affuse.errors import AffuseError, argument
from affuse.sequence import FeatureSequence

CELL = 8
ORIENTATIONS = 9


class HogOptions(FaceClipOptions):
    """Cheap by default: small faces, a few frames a second, the whole clip."""

    frames_per_second: float = Field(default=2.5, gt=0)
    seconds: float | None = Field(default=None, gt=0)
    size: int = Field(default=48, ge=48, multiple_of=CELL)
    steps: Literal["clip", "frames"] = Field(
        default="clip", description="one step, mean and deviation over the clip's frames; or a step per frame"
    )


class HogEncoder(FaceEncoder[HogOptions]):
    """Histograms of oriented gradients of faces -> (batch, 1, 2 x descriptor) or (batch, frames, descriptor).

    The descriptor of a 48 x 48 face has 5 x 5 blocks of 4 cells of 9 orientations: 900 numbers. The deviation over
    frames (divided by their count; 0 for one frame) tells how the face moves.

    Args:
        options: ``HogOptions``.

    Examples:
        >>> import torch
        >>> from affuse.sequence import pad
        >>> encoder = HogEncoder(HogOptions())
        >>> encoder(pad([torch.zeros(3, 48, 48, 3)])).values.shape
        torch.Size([1, 1, 1800])
    """

    Options: ClassVar[type[EncoderOptions]] = HogOptions
    unscaled = True

    def __init__(self, options: HogOptions) -> None:
        super().__init__(options)
        size, block, cell = ((side, side) for side in (options.size, 2 * CELL, CELL))
        self.descriptor = cv2.HOGDescriptor(size, block, cell, cell, ORIENTATIONS)

    @classmethod
    @override
    def width_of(cls, options: HogOptions) -> int:
        blocks = options.size // CELL - 1
        width = blocks * blocks * 4 * ORIENTATIONS
        return 2 * width if options.steps == "clip" else width

    @classmethod
    @override
    def check_exportable(cls, options: HogOptions) -> None:
        raise AffuseError(
            "The hog encoder is OpenCV's and cannot be part of an ONNX file; export with "
            f"{argument('inputs', 'features')}."
        )

    @override
    def check_trainable(self) -> None:
        raise AffuseError("The hog encoder has nothing to train; set its frozen: true.")

    def forward(self, clips: FeatureSequence) -> FeatureSequence:
        """(batch, frames, rows, columns, 3) of 0 to 255 -> (batch, steps, width)."""
        values, mask_bt = clips
        faces_nhwc = values[mask_bt].to("cpu", torch.uint8).numpy()
        width = int(self.descriptor.getDescriptorSize())
        found_nd = np.empty((len(faces_nhwc), width), np.float32)
        for i, face in enumerate(faces_nhwc):
            found_nd[i] = np.ravel(self.descriptor.compute(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY)))
        features_btd = torch.zeros(*mask_bt.shape, width, device=mask_bt.device)
        features_btd[mask_bt] = torch.from_numpy(found_nd).to(mask_bt.device)
        if self.options.steps == "frames":
            return FeatureSequence(features_btd, mask_bt)
        count_b1 = mask_bt.sum(dim=1, keepdim=True).clamp(min=1)
        mean_bd = features_btd.sum(dim=1) / count_b1
        offset_btd = (features_btd - mean_bd[:, None]) * mask_bt[..., None]
        deviation_bd = (offset_btd.square().sum(dim=1) / count_b1).sqrt()
        return FeatureSequence(
            torch.cat([mean_bd, deviation_bd], dim=1)[:, None], mask_bt.any(dim=1, keepdim=True)
        )
