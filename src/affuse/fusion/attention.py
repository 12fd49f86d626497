"""Attention fusion of 3M-SER (Tran et al. 2023): one self-attention over the steps of all modalities."""

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
from affuse.layers import LayerNorm, Linear, MultiheadAttention
from affuse.sequence import FeatureSequence


class AttentionOptions(FusionOptions):
    """Options of ``attention``."""

    width: int = Field(default=128, gt=0, description="width of the fused steps and of the embedding")
    heads: int = Field(
        default=8, gt=0, description="attention heads; must divide width and each attended width"
    )
    dropout: float = Field(default=0.5, ge=0, lt=1, description="of the attention weights")
    attend: list[str] = Field(
        default_factory=lambda: ["text"], description="modalities that attend to themselves before fusion"
    )
    pool: Literal["mean", "first"] = Field(
        default="mean", description="over all fused steps; first = BERT's [CLS]"
    )


class SelfAttention(nn.Module):
    """Multi-head self-attention in which padding is no key; no residual, no position (as in 3M-SER)."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = MultiheadAttention(width, heads, dropout)

    def forward(self, sequence: FeatureSequence, then: Linear) -> Tensor:
        """Attended steps, put through the linear layer that follows, (batch, time, width)."""
        values, mask = sequence
        # A row without any key would be softmax over nothing: NaN. Such a row attends to its padding
        # (zeros) instead, and its mask keeps the result out of everything that follows.
        hidden = ~mask & mask.any(dim=-1, keepdim=True)
        return self.attention(values, values, hidden, then)


class AttentionFusion(Fusion):
    """Attention fusion of 3M-SER: self-attention over the steps of all modalities together (Tran et al. 2023).

    attend -> Linear -> LayerNorm per modality; joined over time; attend -> Linear -> LayerNorm; pool.

    A modality that is not in ``attend`` and has ``width`` already is only normalised, as 3M-SER does with
    VGGish's 128 codes.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``AttentionOptions``, or None for the defaults.

    Raises:
        AffuseError: ``heads`` does not divide a width that is attended to.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = AttentionFusion({"text": 768, "audio": 128})
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 128])
    """

    Options = AttentionOptions
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: AttentionOptions | None = None) -> None:
        super().__init__()
        options = AttentionOptions() if options is None else options
        for name, width in [
            *((n, widths[n]) for n in options.attend if n in widths),
            ("fusion", options.width),
        ]:
            if width % options.heads:
                raise AffuseError(
                    f"fusion.options.heads is {options.heads}, which does not divide the width {width} of {name}."
                )
        self.attend = nn.ModuleDict()
        self.project = nn.ModuleDict()
        for name, width in widths.items():
            layers: list[nn.Module] = []
            if name in options.attend:
                self.attend[name] = SelfAttention(width, options.heads, options.dropout)
            if name in options.attend or width != options.width:
                layers.append(Linear(width, options.width))
            layers.append(LayerNorm(options.width))
            self.project[name] = nn.Sequential(*layers)
        self.fuse = SelfAttention(options.width, options.heads, options.dropout)
        self.output = nn.Sequential(Linear(options.width, options.width), LayerNorm(options.width))
        self.pooling: Literal["mean", "first"] = options.pool
        self.width = options.width

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        steps, masks = [], []
        for name, project in self.project.items():
            sequence = sequences[name]
            if name in self.attend:
                first, norm = project  # type: ignore[misc]
                values = norm(self.attend[name](sequence, first))
            else:
                values = project(sequence.values)
            # zero again after bias and normalisation: what stands in the padding must not matter
            steps.append(values * sequence.mask[..., None])
            masks.append(sequence.mask)
        joined = FeatureSequence(torch.cat(steps, dim=-2), torch.cat(masks, dim=-1))
        first, norm = self.output
        return pool(FeatureSequence(norm(self.fuse(joined, first)), joined.mask), self.pooling)
