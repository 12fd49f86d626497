"""The geometric mean of the losses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from affuse.weighting.base import Weighting, above_zero


class GeometricWeighting(Weighting):
    """The geometric mean of the losses, (prod_i L_i)^(1/T).

    Each task counts by the relative change of its loss, whatever its unit.

    Chennupati et al. 2019, "MultiNet++: multi-stream feature aggregation and geometric loss strategy for
    multi-task learning" (CVPR workshops). Its gradient is that of sum_i w_i L_i with w_i = joint / (T L_i).
    The losses must not be negative. One that is 0 counts as 1e-8: the others then hardly count.

    Args:
        tasks: The names of the tasks.

    Examples:
        >>> import torch
        >>> weighting = GeometricWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        0.6928
    """

    last: Tensor

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        values = above_zero(values)
        joint = values.log().mean().exp()
        if self.training:
            self.last[rows] = (joint / (len(rows) * values)).detach().to(self.last.dtype)
        return joint

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.last
