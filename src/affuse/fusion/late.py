"""Late fusion: every modality is classified on its own, and the probabilities are averaged with learnt weights.

Kittler, Hatef, Duin and Matas 1998, "On combining classifiers", the sum rule (eq. 11): the class with the largest
sum over classifiers of P(class | x_m). Weighted, the sum is the linear opinion pool of Stone 1961.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from pydantic import Field
from torch import nn
from typing_extensions import override

from affuse.fusion.base import NEVER, FusionOptions, Opinions
from affuse.fusion.pooling import Pooled, PooledFusion, Pooling, pooled_width
from affuse.layers import Linear, per_run


class LateOptions(FusionOptions):
    """Options of ``late``."""

    width: int = Field(default=128, gt=0, description="width of each modality's embedding")
    pool: dict[str, Pooling] = Field(
        default_factory=dict, description="modality -> mean, sum, first or mean_std over time (default mean)"
    )


class LateFusion(PooledFusion):
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
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: LateOptions | None = None) -> None:
        super().__init__()
        options = LateOptions() if options is None else options
        self.pooling: dict[str, Pooling] = {name: options.pool.get(name, "mean") for name in widths}
        self.projections = nn.ModuleDict(
            {
                name: Linear(pooled_width(width, self.pooling[name]), options.width)
                for name, width in widths.items()
            }
        )
        self.weight_logits = nn.Parameter(torch.zeros(len(widths)))
        self.width = options.width

    @override
    def join(self, pooled: Mapping[str, Pooled]) -> Opinions:
        embeddings, present = [], []
        for name, project in self.projections.items():
            part = pooled[name]
            present.append(part.present)
            embeddings.append(project(part.values) * part.present[..., None])
        present_bm = torch.stack(present, dim=-1)
        logits_bm = per_run(self.weight_logits, present_bm.dim()).expand(present_bm.shape)
        return Opinions(embeddings, logits_bm.masked_fill(~present_bm, NEVER).log_softmax(dim=-1))
