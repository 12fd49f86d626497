"""Late fusion of classifiers that were trained elsewhere: their probabilities, under common class names, averaged.

Kittler, Hatef, Duin and Matas 1998, "On combining classifiers", the sum rule (eq. 11); weighted, the linear opinion
pool of Stone 1961.

Shapes: b batch, s steps, n scores of a classifier, c classes of a task, m modalities.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

import torch
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn
from typing_extensions import override

from affuse.errors import AffuseError
from affuse.fusion.base import NEVER, Fusion, FusionOptions
from affuse.sequence import FeatureSequence


class OpinionPoolOptions(FusionOptions):
    """Options of ``opinion_pool``."""

    scores: dict[str, dict[str, list[list[int]]]] = Field(
        default_factory=dict,
        description="modality -> task -> for every class the places of its scores in a step; a task that a modality "
        "does not name is none of its business",
    )
    labels: dict[str, list[str]] = Field(
        default_factory=dict,
        description="modality -> what its classifier itself calls its scores, in their order; for the reader alone",
    )
    weights: dict[str, float] = Field(
        default_factory=dict, description="modality -> its weight, above 0 (default 1)"
    )

    @field_validator("weights")
    @classmethod
    def _above_zero(cls, weights: dict[str, float]) -> dict[str, float]:
        for name, weight in weights.items():
            if not 0 < weight < math.inf:
                raise ValueError(f"the weight of {name!r} is a number above 0, not {weight}")
        return weights

    @model_validator(mode="after")
    def _same_classes(self) -> Self:
        counts: dict[str, int] = {}
        for modality, tasks in self.scores.items():
            for task, groups in tasks.items():
                if counts.setdefault(task, len(groups)) != len(groups):
                    raise ValueError(f"{modality!r} names {len(groups)} classes of {task}, another modality "
                                     f"{counts[task]}")  # fmt: skip
                if not all(groups):
                    raise ValueError(f"{modality!r} has no score for class {groups.index([])} of {task}")
        if not counts:
            raise ValueError("scores names no task; 'affuse adopt' makes such a recipe")
        return self


class OpinionPool(Fusion):
    """Whole classifiers joined: the weighted mean of the probabilities of those that a clip has (Kittler et al. 1998).

    A modality's steps are the scores (logits) of a classifier. For a task with classes c, scores S_c each::

        p_m(c) = mean over steps of  sum_{j in S_c} exp(x_j / T_m)  /  sum_{c'} sum_{j in S_c'} exp(x_j / T_m)
        p(c) = sum_m w_m p_m(c) / sum_m w_m,   over the modalities m that the clip has and that know the task

    So several labels of a classifier may count as one class, and what is no class of the task is left out before the
    probabilities are normalised. A clip without any such modality gets equal probabilities. The embedding is ln p of
    every task, one after the other: a head without a hidden layer picks its task's. Weights and temperatures T are
    parameters, one for each task and modality, which a corpus may fit.

    Args:
        widths: Modality -> how many scores its classifier gives.
        options: ``OpinionPoolOptions``.

    Attributes:
        tasks: Task -> its classes in the embedding.

    Raises:
        AffuseError: A modality that is not read, or a score that its classifier does not give.

    Examples:
        >>> from affuse.sequence import pad
        >>> scores = {"text": {"emotion": [[0], [1, 2]]}, "audio": {"emotion": [[1], [0]]}}
        >>> pool = OpinionPool({"text": 3, "audio": 2}, OpinionPoolOptions(scores=scores))
        >>> clips = {"text": pad([torch.zeros(1, 3)]), "audio": pad([torch.zeros(1, 2)])}
        >>> pool(clips).exp()  # text says 1/3 and 2/3, audio 1/2 and 1/2
        tensor([[0.4167, 0.5833]], grad_fn=<ExpBackward0>)
    """

    Options = OpinionPoolOptions

    def __init__(self, widths: Mapping[str, int], options: OpinionPoolOptions | None = None) -> None:
        super().__init__()
        options = OpinionPoolOptions() if options is None else options
        for name in options.scores:
            if name not in widths:
                raise AffuseError(
                    f"fusion.options.scores names {name!r}, which is none of the modalities {', '.join(widths)}; "
                    "correct it."
                )
        for name, labels in options.labels.items():
            if name in widths and len(labels) != widths[name]:
                raise AffuseError(
                    f"fusion.options.labels has {len(labels)} names for the {widths[name]} scores of {name!r}; correct "
                    "it."
                )
        self.tasks: dict[str, slice] = {}
        self.names: dict[str, list[str]] = {}  # task -> the modalities that know it
        self.width = 0
        for name, width in widths.items():
            for task, groups in options.scores.get(name, {}).items():
                _check_places(name, task, groups, width)
                if task not in self.tasks:
                    self.tasks[task] = slice(self.width, self.width + len(groups))
                    self.width += len(groups)
                self.names.setdefault(task, []).append(name)
                self.register_buffer(f"groups_{name}_{task}", _membership(groups, width), persistent=False)
        self.log_weights = nn.ParameterDict()
        self.log_temperatures = nn.ParameterDict()
        for task, names in self.names.items():
            weights = torch.tensor([options.weights.get(name, 1.0) for name in names])
            self.log_weights[task] = nn.Parameter(weights.log())
            self.log_temperatures[task] = nn.Parameter(torch.zeros(len(names)))

    @override
    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        parts = []
        for task, names in self.names.items():
            present_bm = torch.stack([sequences[name].present for name in names], dim=1)
            temperatures = self.log_temperatures[task].exp()
            log_p_bmc = torch.stack([
                _mean_opinion(sequences[name], temperature, getattr(self, f"groups_{name}_{task}"))
                for name, temperature in zip(names, temperatures, strict=True)
            ], dim=1)  # fmt: skip
            log_w_bm = self.log_weights[task].masked_fill(~present_bm, NEVER).log_softmax(dim=1)
            log_p_bc = (log_w_bm[..., None] + log_p_bmc).logsumexp(dim=1)
            blank = -math.log(log_p_bc.shape[1])
            parts.append(log_p_bc.masked_fill(~present_bm.any(dim=1, keepdim=True), blank))
        return torch.cat(parts, dim=1)


def _mean_opinion(sequence: FeatureSequence, temperature: Tensor, groups_cn: Tensor) -> Tensor:
    """Ln p_m, (b, c); without any real step as good as minus infinity, and finite."""
    scores_bsn = sequence.values / temperature
    log_p_bsc = (scores_bsn[..., None, :] + groups_cn).logsumexp(dim=-1).log_softmax(dim=-1)
    steps_b1 = sequence.mask.sum(dim=1, keepdim=True).clamp(min=1)
    return log_p_bsc.masked_fill(~sequence.mask[..., None], NEVER).logsumexp(dim=1) - steps_b1.log()


def _check_places(name: str, task: str, groups: list[list[int]], width: int) -> None:
    for place in (one for group in groups for one in group):
        if not 0 <= place < width:
            raise AffuseError(
                f"fusion.options.scores: the classifier of {name!r} gives {width} scores, and {task} names score "
                f"{place} (counted from 0); correct it."
            )


def _membership(groups: list[list[int]], width: int) -> Tensor:
    """(c, n): 0 where a score counts for a class, else so low that its exponential is 0."""
    membership = torch.full((len(groups), width), NEVER)
    for c, group in enumerate(groups):
        membership[c, group] = 0.0
    return membership
