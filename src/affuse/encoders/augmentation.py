"""Face clips seen a little differently each time: mirrored, shifted, nearer, in other light.

One draw per clip, so that a clip stays a clip; from torch's own random numbers, so that a seed repeats it.

Shape letters: n frames of all clips together, b clips, c colours, h rows, w columns.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

# The work that the paper builds on (Tzirakis et al. 2017) resizes to 110 and crops 96 at random.
_NEARER = 96 / 110  # least side of the crop, in sides of the picture
_LIGHT = 0.2  # brightness, contrast and saturation are multiplied by 1 - 0.2 to 1 + 0.2
_GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601: the luminance of red, green and blue


def augment(x_nchw: Tensor, clip_n: Tensor) -> Tensor:
    """Pictures in [0, 1], and the clip of each frame, counted from 0; the same shape and range again."""
    clips = int(clip_n.max()) + 1
    # drawn on the CPU: the same numbers on every device
    flip_b = torch.where(torch.rand(clips) < 0.5, -1.0, 1.0)
    size_b = _NEARER + (1 - _NEARER) * torch.rand(clips)
    shift_b2 = (2 * torch.rand(clips, 2) - 1) * (1 - size_b)[:, None]  # the crop stays inside the picture
    light_b3 = 1 + _LIGHT * (2 * torch.rand(clips, 3) - 1)

    theta_b23 = torch.zeros(clips, 2, 3)
    theta_b23[:, 0, 0], theta_b23[:, 1, 1] = flip_b * size_b, size_b
    theta_b23[:, :, 2] = shift_b2
    theta_n23 = theta_b23.to(x_nchw)[clip_n]
    grid = functional.affine_grid(theta_n23, list(x_nchw.shape), align_corners=False)
    x_nchw = functional.grid_sample(x_nchw, grid, padding_mode="border", align_corners=False)

    brightness_n, contrast_n, saturation_n = light_b3.to(x_nchw)[clip_n].unbind(1)
    x_nchw = x_nchw * brightness_n[:, None, None, None]
    grey_n1hw = (x_nchw * x_nchw.new_tensor(_GREY)[:, None, None]).sum(1, keepdim=True)
    frame_mean_n = grey_n1hw.mean(dim=(1, 2, 3))
    counts_b = torch.bincount(clip_n, minlength=clips).clamp_min(1)
    mean_b = frame_mean_n.new_zeros(clips).index_add(0, clip_n, frame_mean_n) / counts_b
    x_nchw = torch.lerp(grey_n1hw.expand_as(x_nchw), x_nchw, saturation_n[:, None, None, None])
    mean_n111 = mean_b[clip_n][:, None, None, None]
    return torch.lerp(mean_n111.expand_as(x_nchw), x_nchw, contrast_n[:, None, None, None]).clamp(0, 1)
