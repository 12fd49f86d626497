"""Attention bottlenecks: modalities keep transformers of their own and meet only in a few fusion tokens.

Nagrani, Yang, Arnab, Jansen, Schmid and Sun 2021, "Attention Bottlenecks for Multimodal Fusion", section 3.2.

Shapes: b batch, t steps, k bottleneck tokens, w width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.errors import AffuseError
from affuse.fusion.base import Fusion, FusionOptions
from affuse.fusion.positions import sinusoids
from affuse.layers import EncoderLayer, Linear, per_run
from affuse.sequence import FeatureSequence


class BottleneckOptions(FusionOptions):
    """Options of ``bottleneck``."""

    width: int = Field(default=128, gt=0, description="width of the steps, the tokens and the embedding")
    heads: int = Field(default=8, gt=0, description="attention heads; must divide width")
    layers: int = Field(default=4, gt=0, description="L, layers of each modality's transformer")
    fuse_from: int = Field(
        default=2, ge=0, description="L_f: that many first layers are without the bottleneck"
    )
    tokens: int = Field(default=4, gt=0, description="B, bottleneck tokens")
    hidden: int = Field(default=4, gt=0, description="width of each layer's hidden part, in widths")
    dropout: float = Field(default=0.1, ge=0, lt=1, description="of attention weights and residual branches")


class BottleneckFusion(Fusion):
    """A transformer per modality; the modalities meet in a few bottleneck tokens (Nagrani et al. 2021).

    Per modality: Linear -> [CLS], positions -> transformer layers; from ``fuse_from`` on with shared tokens.

    Layers are pre-norm with GELU (the paper's eqs. 1 and 2, ViT). From layer L_f on, each modality's layer reads its
    own steps and the bottleneck tokens, [z_m, f_m] = layer_m([z_m, f]) (eq. 8), and the modalities' tokens are
    averaged, f = mean_m f_m (eq. 9). The paper averages the logits of one linear classifier over the modalities'
    [CLS] tokens; here the head reads the mean of the [CLS] tokens, which is the same for a linear head.

    Both means run over the modalities that an utterance has, so one without a modality is treated exactly as by
    the network without that modality. Without any modality the embedding is 0. At the paper's size (width 768,
    12 layers) a modality's layers are those of ViT-Base, 85,054,464 parameters. The sinusoidal positions have
    none: clips are of any length, the paper's are not.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``BottleneckOptions``, or None for the defaults.

    Raises:
        AffuseError: ``heads`` does not divide ``width``, or the modalities would never meet.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = BottleneckFusion({"text": 768, "audio": 128}, BottleneckOptions(width=32))
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 32])
    """

    Options = BottleneckOptions
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: BottleneckOptions | None = None) -> None:
        super().__init__()
        options = BottleneckOptions() if options is None else options
        if options.width % options.heads:
            raise AffuseError(
                f"fusion.options.heads is {options.heads}, which does not divide the width {options.width}."
            )
        if options.fuse_from >= options.layers:
            raise AffuseError(
                f"fusion.options.fuse_from is {options.fuse_from} of {options.layers} layers: the modalities "
                "would never meet; make it less than layers."
            )
        self.project = nn.ModuleDict({name: Linear(width, options.width) for name, width in widths.items()})
        self.classes = nn.ParameterDict(
            {name: nn.Parameter(0.02 * torch.randn(options.width)) for name in widths}
        )
        self.tokens = nn.Parameter(0.02 * torch.randn(options.tokens, options.width))
        self.layers = nn.ModuleDict(
            {
                name: nn.ModuleList(
                    EncoderLayer(
                        options.width, options.heads, options.hidden * options.width, options.dropout
                    )
                    for _ in range(options.layers)
                )
                for name in widths
            }
        )
        self.depth, self.fuse_from = options.layers, options.fuse_from
        self.width = options.width

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        steps: dict[str, Tensor] = {}
        padding: dict[str, Tensor] = {}  # True where a step is no key; [CLS] always is one
        for name, project in self.project.items():
            x_btw = project(sequences[name].values)
            x_btw = x_btw + sinusoids(x_btw.shape[-2], self.width, x_btw)
            first = per_run(self.classes[name], x_btw.dim()).expand(*x_btw.shape[:-2], 1, -1)
            steps[name] = torch.cat([first, x_btw], dim=-2)
            mask = sequences[name].mask
            padding[name] = torch.cat([mask.new_zeros(*mask.shape[:-1], 1), ~mask], dim=-1)
        present_bm = torch.stack([sequences[name].present for name in self.project], dim=-1)
        f_bkw = self.tokens.unsqueeze(-3).expand(*present_bm.shape[:-1], -1, -1)
        shares_bm = present_bm.to(f_bkw) / present_bm.sum(dim=-1, keepdim=True).clamp_min(1)
        for depth in range(self.depth):
            heard = []
            for name, layers in self.layers.items():
                layer: nn.Module = layers[depth]  # type: ignore[index]
                if depth < self.fuse_from:
                    steps[name] = layer(steps[name], padding[name])
                    continue
                keys = torch.cat([padding[name], padding[name].new_zeros(f_bkw.shape[:-1])], dim=-1)
                both = layer(torch.cat([steps[name], f_bkw], dim=-2), keys)
                own = steps[name].shape[-2]
                steps[name] = both[..., :own, :]
                heard.append(both[..., own:, :])
            if heard:
                f_bkw = torch.einsum("...m,...mkw->...kw", shares_bm, torch.stack(heard, dim=-3))
        classes_bmw = torch.stack([steps[name][..., 0, :] for name in self.project], dim=-2)
        return torch.einsum("...m,...mw->...w", shares_bm, classes_bmw)
