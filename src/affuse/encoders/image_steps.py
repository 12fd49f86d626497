"""What an image processor of transformers does to a square picture, as tensor operations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from affuse.errors import AffuseError

_SAME = 1e-5  # largest difference from the processor's own values


class ImageSteps(nn.Module):
    """Centre crop, scale and normalise, with the processor's numbers; its resize is done where faces are cut.

    Faces are read at the very size that the processor resizes to, so what it would resize is never resized twice. The
    steps are compared with the processor itself on one picture: one that does something else is refused.

    Args:
        processor: An image processor of transformers.
        model: Its name, for messages.

    Raises:
        AffuseError: The processor does more than resize, crop, scale and normalise.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, processor: Any, model: str) -> None:
        super().__init__()
        self.side, self.crop = sides(processor, model)
        scale = float(processor.rescale_factor) if getattr(processor, "do_rescale", False) else 1.0
        normal = getattr(processor, "do_normalize", False)
        mean, deviation = (processor.image_mean, processor.image_std) if normal else ([0.0] * 3, [1.0] * 3)
        self.register_buffer("mean", torch.tensor(mean).reshape(-1, 1, 1), persistent=False)
        self.register_buffer("deviation", torch.tensor(deviation).reshape(-1, 1, 1), persistent=False)
        self.scale = scale
        face = np.random.default_rng(0).integers(0, 256, (self.side, self.side, 3), dtype=np.uint8)
        own = torch.as_tensor(np.asarray(processor(face, return_tensors="np")["pixel_values"]))
        found = self(torch.from_numpy(face)[None])
        if own.shape != found.shape or not torch.allclose(own.float(), found, rtol=0, atol=_SAME):
            raise AffuseError(
                f"The image processor of {model} ({type(processor).__name__}) does more than resize, crop, scale and "
                "normalise, which affuse's faces need; choose another model, such as facebook/dinov2-small."
            )

    def forward(self, faces_nhwc: Tensor) -> Tensor:
        """(frames, side, side, 3) of 0 to 255 -> (frames, 3, crop, crop)."""
        cut = (self.side - self.crop) // 2
        inner = faces_nhwc[:, cut : cut + self.crop, cut : cut + self.crop]
        return (inner.permute(0, 3, 1, 2).float() * self.scale - self.mean) / self.deviation


def sides(processor: Any, model: str) -> tuple[int, int]:
    """Rows of a square picture after the processor's resize, and after its centre crop.

    Raises:
        AffuseError: They are not square, or the processor names none.
    """
    size = _square(processor, "size", model)
    crop = _square(processor, "crop_size", model) if getattr(processor, "do_center_crop", False) else None
    if not getattr(processor, "do_resize", False):
        size = crop if size is None else size
    if size is None:
        raise AffuseError(
            f"The image processor of {model} names no size; add it to its preprocessor_config.json."
        )
    # ConvNeXt's own rule: smaller pictures are a centre crop of what is resized to size / crop_pct
    share = getattr(processor, "crop_pct", None)
    if share is not None and size < 384:
        return int(size / share), size
    return size, min(size, crop or size)


def _square(processor: Any, field: str, model: str) -> int | None:
    value = getattr(processor, field, None)
    if value is None or isinstance(value, int):
        return value
    named = {key: value[key] for key in ("height", "width", "shortest_edge") if value.get(key)}
    if len(set(named.values())) > 1:
        raise AffuseError(
            f"{model} reads pictures of {named['height']} x {named['width']}, and faces are square; "
            "choose a model of square pictures."
        )
    return next(iter(named.values()), None)
