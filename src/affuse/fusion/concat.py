"""Concatenation of pooled modalities: the fusion of SERVER (Pham et al. 2023)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from typing_extensions import override

from affuse.fusion.base import FusionOptions, Opinions
from affuse.fusion.pooling import Pooled, PooledFusion, Pooling, pooled_width
from affuse.layers import Linear


class ConcatOptions(FusionOptions):
    """Options of ``concat``."""

    width: int = Field(default=128, gt=0, description="width of each modality's part of the embedding")
    pool: dict[str, Pooling] = Field(
        default_factory=dict, description="modality -> mean, sum, first or mean_std over time (default mean)"
    )


class ConcatFusion(PooledFusion):
    """Concatenation of pooled modalities, the fusion of SERVER (Pham et al. 2023).

    Each modality is pooled over time and projected to ``width`` without an activation; parts are joined.

    A modality whose pooled width is ``width`` already is passed on unprojected, as SERVER does with VGGish's
    128 codes. Text 768 -> 128 beside audio 128 gives the paper's 256-d embedding.

    A missing modality's part of the embedding is zero: every head begins with a linear layer, to which it then adds
    nothing, as if that layer's columns for the modality were not there.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``ConcatOptions``, or None for the defaults.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = ConcatFusion({"text": 768, "audio": 128})
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 256])
    """

    Options = ConcatOptions
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: ConcatOptions | None = None) -> None:
        super().__init__()
        options = ConcatOptions() if options is None else options
        self.pooling: dict[str, Pooling] = {name: options.pool.get(name, "mean") for name in widths}
        self.projections = nn.ModuleDict()
        for name, width in widths.items():
            pooled = pooled_width(width, self.pooling[name])
            self.projections[name] = (
                nn.Identity() if pooled == options.width else Linear(pooled, options.width)
            )
        self.width = options.width * len(widths)

    @override
    def join(self, pooled: Mapping[str, Pooled]) -> Opinions:
        parts = []
        for name, project in self.projections.items():
            values, present = pooled[name]
            parts.append(project(values) * present[..., None])  # a missing modality adds no projection bias
        return Opinions([torch.cat(parts, dim=-1)])
