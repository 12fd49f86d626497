"""The gated multimodal unit: gates decide per feature how much of the embedding each modality gives.

Arevalo, Solorio, Montes-y-Gomez and Gonzalez 2017, "Gated Multimodal Units for Information Fusion", section 3.

Shapes: b batch, m modalities, w width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import nn
from torch.nn import functional
from typing_extensions import override

from affuse.fusion.base import NEVER, FusionOptions, Opinions
from affuse.fusion.pooling import Pooled, PooledFusion, Pooling, pooled_width
from affuse.layers import Linear


class GatedOptions(FusionOptions):
    """Options of ``gated``."""

    width: int = Field(default=128, gt=0, description="width of the embedding")
    gates: Literal["tied", "independent"] = Field(
        default="tied",
        description="tied: the modalities share each feature out (gates sum to 1); independent: a sigmoid each",
    )
    pool: dict[str, Pooling] = Field(
        default_factory=dict, description="modality -> mean, sum, first or mean_std over time (default mean)"
    )


class GatedFusion(PooledFusion):
    """Gated multimodal unit: gates share each feature of the embedding out among the modalities (Arevalo et al. 2017).

    h_m = tanh(W_m x_m);  embedding = sum_m z_m * h_m, with x_m the modality pooled over time.

    independent (the paper's unit for any number of modalities): z_m = sigmoid(V_m [x_1, ..., x_M]).
    tied (its bimodal unit): z_1 = sigmoid(V [x_1, x_2]), z_2 = 1 - z_1. For more modalities z is the softmax over
    the modalities of V_m [x_1, ..., x_M], the last one's logit being 0, which for two is the same.

    As in the paper there are no biases: a bimodal unit has (d_1 + d_2) * 2 * width parameters. A missing modality
    adds nothing to any gate's sum and has gate 0; tied gates are shared out among those present, so a lone
    modality's gate is 1. Without any modality the embedding is 0.

    Args:
        widths: Modality -> width of one step of its features, in the recipe's order.
        options: ``GatedOptions``, or None for the defaults.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = GatedFusion({"text": 768, "audio": 128})
        >>> clips = {"text": pad([torch.ones(5, 768)]), "audio": pad([torch.ones(2, 128)])}
        >>> fusion(clips).shape
        torch.Size([1, 128])
    """

    Options = GatedOptions
    stacks: ClassVar[bool] = True

    def __init__(self, widths: Mapping[str, int], options: GatedOptions | None = None) -> None:
        super().__init__()
        options = GatedOptions() if options is None else options
        self.pooling: dict[str, Pooling] = {name: options.pool.get(name, "mean") for name in widths}
        self.tied = options.gates == "tied"
        self.width = options.width
        gates = len(widths) - 1 if self.tied else len(widths)
        self.features = nn.ModuleDict()
        self.gates = nn.ModuleDict()  # modality -> its columns of every gate's matrix
        for name, width in widths.items():
            pooled = pooled_width(width, self.pooling[name])
            self.features[name] = Linear(pooled, options.width, bias=False)
            if gates:
                self.gates[name] = Linear(pooled, gates * options.width, bias=False)

    @override
    def join(self, pooled: Mapping[str, Pooled]) -> Opinions:
        present_bm1 = torch.stack([pooled[name].present for name in self.features], dim=-1)[..., None]
        h_bmw = torch.stack(
            [layer(pooled[name].values).tanh() for name, layer in self.features.items()], dim=-2
        )
        logits_bmw = h_bmw[..., :0, :]
        if self.gates:
            total = torch.stack([layer(pooled[name].values) for name, layer in self.gates.items()]).sum(dim=0)
            logits_bmw = total.unflatten(-1, (-1, self.width))
        if self.tied:
            last = torch.zeros_like(h_bmw[..., :1, :])
            logits_bmw = torch.cat([logits_bmw, last], dim=-2).masked_fill(~present_bm1, NEVER)
            log_z_bmw = logits_bmw.log_softmax(dim=-2)
        else:
            log_z_bmw = functional.logsigmoid(logits_bmw)
        # Not softmax or sigmoid: these round a value otherwise where it stands at the end of a vector register, so a
        # run would come out otherwise in another stack.
        z_bmw = log_z_bmw.exp()
        return Opinions([(z_bmw * h_bmw * present_bm1).sum(dim=-2)])
