"""The directional crossmodal transformer, MulT: every modality is reinforced by each of the others.

Tsai, Bai, Liang, Kolter, Morency and Salakhutdinov 2019, "Multimodal Transformer for Unaligned Multimodal Language
Sequences", section 3.

Shapes: b batch, t steps, d width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.errors import AffuseError
from affuse.fusion.base import Fusion, FusionOptions
from affuse.fusion.pooling import pool
from affuse.fusion.positions import sinusoids
from affuse.layers import Dropout, LayerNorm, Linear, MultiheadAttention, StepConvolution
from affuse.sequence import FeatureSequence


class CrossAttentionOptions(FusionOptions):
    """Options of ``cross_attention``."""

    width: int = Field(default=40, gt=0, description="d, the common width of the modalities' steps")
    heads: int = Field(default=8, gt=0, description="attention heads; must divide width")
    layers: int = Field(default=4, gt=0, description="D, layers of every crossmodal transformer")
    self_layers: int = Field(
        default=3, ge=0, description="layers of each target's self-attention transformer"
    )
    kernel: int = Field(default=1, gt=0, description="steps of the temporal convolution; odd")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of attention weights and residual branches")
    pool: Literal["last", "mean"] = Field(
        default="last", description="of each target's steps: the last real one (the paper) or their mean"
    )


class CrossmodalLayer(nn.Module):
    """Eq. 4: y = CM(LN(target), LN(source)) + LN(target);  z = f(LN(y)) + LN(y), f two layers of 4 d hidden.

    Source steps that are padding are no keys. Where a row's source has no step at all nothing is attended to: the
    first sum is LN(target) alone.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.target_norm = LayerNorm(width)
        self.source_norm = LayerNorm(width)
        self.attention = MultiheadAttention(width, heads, dropout)
        self.middle_norm = LayerNorm(width)
        self.feed_forward = nn.Sequential(
            Linear(width, 4 * width), nn.ReLU(), Dropout(dropout), Linear(4 * width, width)
        )
        self.dropout = Dropout(dropout)

    def forward(self, target: Tensor, source: FeatureSequence) -> Tensor:
        """(batch, t, width) and (batch, s, width) with mask -> (batch, t, width)."""
        target = self.target_norm(target)
        keys = self.source_norm(source.values)
        # A row without any key would be softmax over nothing: NaN. It attends to its padding, and the result
        # is taken out again.
        hidden = ~source.mask & source.present[..., None]
        heard = self.attention(target, keys, hidden)
        between = self.middle_norm(target + self.dropout(heard * source.present[..., None, None]))
        return between + self.dropout(self.feed_forward(between))


class CrossAttentionFusion(Fusion):
    """MulT: for every ordered pair a transformer reads one modality into the other (Tsai et al. 2019).

    Conv1d -> positions -> crossmodal transformers -> self-attention per target -> pooled, joined.

    Each modality is convolved over time to ``width`` without a bias (eq. 2) and given sinusoidal positions
    (eq. 3). For every ordered pair (source, target), ``layers`` layers of eq. 4 read the source's first-level steps
    into the target; a target's results are joined feature by feature and read by ``self_layers`` of the same
    layers with themselves as the source. The embedding joins every target's pooled steps: M * max(M - 1, 1) *
    width. A lone modality has no pair: its steps go straight to self-attention.

    Where a source is missing, its pair passes the target on unreinforced; where a target is missing, it has no steps
    to pool, and its part of the embedding is zero.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``CrossAttentionOptions``, or None for the defaults.

    Raises:
        AffuseError: ``heads`` does not divide ``width``, or ``kernel`` is even.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = CrossAttentionFusion({"text": 768, "audio": 128})
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 80])
    """

    Options = CrossAttentionOptions
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: CrossAttentionOptions | None = None) -> None:
        super().__init__()
        options = CrossAttentionOptions() if options is None else options
        if options.width % options.heads:
            raise AffuseError(
                f"fusion.options.heads is {options.heads}, which does not divide the width {options.width}."
            )
        if options.kernel % 2 == 0:
            raise AffuseError(
                f"fusion.options.kernel is {options.kernel}; an even kernel has no middle step: make it odd."
            )
        self.names = list(widths)
        self.mean = options.pool == "mean"
        self.convolutions = nn.ModuleDict(
            {name: StepConvolution(width, options.width, options.kernel) for name, width in widths.items()}
        )
        self.crossmodal = nn.ModuleDict(
            {
                f"{source}_to_{target}": self._stack(options, options.width, options.layers)
                for target in self.names
                for source in self.names
                if source != target
            }
        )
        part = max(len(widths) - 1, 1) * options.width
        self.temporal = nn.ModuleDict(
            {name: self._stack(options, part, options.self_layers) for name in self.names}
        )
        self.width = part * len(widths)

    @staticmethod
    def _stack(options: CrossAttentionOptions, width: int, layers: int) -> nn.ModuleList:
        return nn.ModuleList(CrossmodalLayer(width, options.heads, options.dropout) for _ in range(layers))

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        first = {name: self._first_level(name, sequences[name]) for name in self.names}
        parts = []
        for name in self.names:
            values, mask = first[name]
            directions = []
            for source in self.names:
                if source != name:
                    heard = values
                    for layer in self.crossmodal[f"{source}_to_{name}"]:  # type: ignore[attr-defined]
                        heard = layer(heard, first[source])
                    directions.append(heard)
            joined = torch.cat(directions or [values], dim=-1)
            for layer in self.temporal[name]:  # type: ignore[attr-defined]
                joined = layer(joined, FeatureSequence(joined, mask))
            pooled = self._pool(FeatureSequence(joined, mask))
            parts.append(pooled * mask.any(dim=-1)[..., None])
        return torch.cat(parts, dim=-1)

    def _first_level(self, name: str, sequence: FeatureSequence) -> FeatureSequence:
        """Z^[0] of eq. 3. What stands in the padding must not reach a real step through the kernel."""
        values = sequence.values.masked_fill(~sequence.mask[..., None], 0)
        x_btd = self.convolutions[name](values)
        return FeatureSequence(x_btd + sinusoids(x_btd.shape[-2], x_btd.shape[-1], x_btd), sequence.mask)

    def _pool(self, sequence: FeatureSequence) -> Tensor:
        if self.mean:
            return pool(sequence, "mean")
        last_b = (sequence.lengths - 1).clamp_min(0)
        index_b1d = last_b[..., None, None].expand(*last_b.shape, 1, sequence.values.shape[-1])
        return sequence.values.gather(-2, index_b1d).squeeze(-2)
