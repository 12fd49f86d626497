"""Late fusion: every modality is classified on its own, and the probabilities are averaged with learnt weights.

Kittler, Hatef, Duin and Matas 1998, "On combining classifiers", the sum rule (eq. 11): the class with the largest
sum over classifiers of P(class | x_m). Weighted, the sum is the linear opinion pool of Stone 1961.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from affuse.fusion.base import NEVER, Fusion, FusionOptions, Opinions
from affuse.fusion.pooling import Pooling, pool, pooled_width
from affuse.sequence import FeatureSequence


class LateOptions(FusionOptions):
    """Options of ``late``."""

    width: int = Field(default=128, gt=0, description="width of each modality's embedding")
    pool: dict[str, Pooling] = Field(
        default_factory=dict, description="modality -> mean, sum, first or mean_std over time (default mean)"
    )


class LateFusion(Fusion):
    """Each modality is classified on its own; probabilities are averaged with learnt weights (Kittler et al. 1998).

    e_m = W_m pool(x_m) + b_m;  P(class) = sum_m w_m softmax(head(e_m)), w = softmax of one logit per modality.

    The weights are renormalised over the modalities that an utterance has: with one modality the answer is that
    modality's own. All modalities share the task's head; their own projections come before it. Every weight
    starts equal (the sum rule as printed). The embedding, for losses that read it, is the weighted mean of the
    e_m. An utterance without any modality gets the answer to e = 0.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``LateOptions``, or None for the defaults.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = LateFusion({"text": 768, "audio": 128})
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 128])
    """

    Options = LateOptions

    def __init__(self, widths: Mapping[str, int], options: LateOptions | None = None) -> None:
        super().__init__()
        options = LateOptions() if options is None else options
        self.pooling: dict[str, Pooling] = {name: options.pool.get(name, "mean") for name in widths}
        self.projections = nn.ModuleDict(
            {
                name: nn.Linear(pooled_width(width, self.pooling[name]), options.width)
                for name, width in widths.items()
            }
        )
        self.weight_logits = nn.Parameter(torch.zeros(len(widths)))
        self.width = options.width

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        return self.opinions(sequences).embedding()

    @override
    def opinions(self, sequences: Mapping[str, FeatureSequence]) -> Opinions:
        embeddings, present = [], []
        for name, project in self.projections.items():
            sequence = sequences[name]
            present.append(sequence.present)
            embedding = project(pool(sequence, self.pooling[name]))
            embeddings.append(embedding * sequence.present[:, None])
        absent_bm = ~torch.stack(present, dim=1)
        logits_bm = self.weight_logits.expand(absent_bm.shape[0], -1).masked_fill(absent_bm, NEVER)
        return Opinions(embeddings, logits_bm.log_softmax(dim=1))
