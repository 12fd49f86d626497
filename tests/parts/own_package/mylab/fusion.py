"""Tensor fusion: Zadeh et al. 2017, "Tensor Fusion Network for Multimodal Sentiment Analysis", section 4.2."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.fusion import Fusion, FusionOptions, pool
from affuse.sequence import FeatureSequence


class TensorOptions(FusionOptions):
    part: int = Field(default=8, gt=0, description="width of each modality's vector")
    width: int = Field(default=64, gt=0, description="width of the embedding")


class TensorFusion(Fusion):
    """The outer product of [1, h_m] over the modalities: every product of features of different modalities."""

    Options = TensorOptions

    def __init__(self, widths: Mapping[str, int], options: TensorOptions | None = None) -> None:
        super().__init__()
        options = TensorOptions() if options is None else options
        self.project = nn.ModuleDict({name: nn.Linear(size, options.part) for name, size in widths.items()})
        self.output = nn.Linear((options.part + 1) ** len(widths), options.width)
        self.width = options.width

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        product: Tensor | None = None
        for name, project in self.project.items():
            sequence = sequences[name]
            h_bw = (
                project(pool(sequence, "mean")).relu() * sequence.present[:, None]
            )  # missing: [1, 0, ..., 0]
            h_bw = torch.cat([torch.ones_like(h_bw[:, :1]), h_bw], dim=1)
            product = h_bw if product is None else torch.einsum("bi,bj->bij", product, h_bw).flatten(1)
        assert product is not None
        return self.output(product)
