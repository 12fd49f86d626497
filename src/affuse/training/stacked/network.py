"""The networks of a stack as one: the trunk of all runs together, heads and losses by groups of one loss.

Shapes: s runs (of a group: g), b batch, c classes, w width of the embedding.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from affuse.fusion.base import Opinions
from affuse.fusion.pooling import Pooled, PooledFusion
from affuse.layers import Dropout, Streams
from affuse.losses import CenteredLoss
from affuse.models.network import Model
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence
from affuse.training.stacked.modules import MappedFusion, MappedLoss, stacked, stacks

Inputs = Mapping[str, FeatureSequence] | Mapping[str, Pooled]


class Slot(NamedTuple):
    """A stacked parameter: its name in a ``Model``, and the run of its first row."""

    name: str
    parameter: nn.Parameter
    first: int

    @property
    def runs(self) -> range:
        """The runs that have this parameter."""
        return range(self.first, self.first + len(self.parameter))

    @property
    def task(self) -> str | None:
        """The task whose head or loss it is of; None: all tasks share it."""
        part, _, rest = self.name.partition(".")
        return rest.split(".")[0] if part in ("heads", "losses") else None


class Losses(NamedTuple):
    """What a batch gives.

    Attributes:
        by_task: Task -> (s,), unweighted; 0 where the batch of a run has no label.
        told: Task -> logits (s, b, c), or values of a regression (s, b); None where nobody asked for them.
    """

    by_task: dict[str, Tensor]
    told: dict[str, Tensor] | None


def pools(model: Model) -> bool:
    """Whether features can be pooled once for all epochs: nothing is learnt, and no code is mapped, before that."""
    kind = type(model.fusion)
    return (
        issubclass(kind, PooledFusion)
        and all(
            getattr(kind, name) is getattr(PooledFusion, name) for name in ("pool", "opinions", "forward")
        )
        and stacks(model.fusion)
        and not model.adapters
    )


def loss_shape(recipe: Recipe) -> str:
    """Runs with the same text have losses of one form: the same terms with the same options, whatever their weights.

    A weight of 0 is another form: a term that does not count trains no classifier.
    """
    return repr(
        {
            task: [
                (term.name, term.reduction, term.weight > 0, sorted(term.options.items()))
                for term in choice.loss
            ]
            for task, choice in recipe.tasks.items()
        }
    )


class _Group(nn.Module):
    """Neighbouring runs whose losses are of one form."""

    def __init__(self, models: Sequence[Model]) -> None:
        super().__init__()
        first = models[0]
        self.size = len(models)
        self.heads, self.terms = nn.ModuleDict(), nn.ModuleDict()
        self.weights: dict[str, list[Tensor]] = {}
        self.dimensions, self.label_sets = frozenset(first.dimensions), frozenset(first.label_sets)
        for task in first.tasks:
            if task in first.heads:
                self.heads[task] = stacked([model.heads[task] for model in models])
            sums = [model.losses[task] for model in models]
            kept = [list(one.terms) for one in sums]  # type: ignore[arg-type]
            self.terms[task] = nn.ModuleList(
                stacked(parts) if stacks(parts[0]) else MappedLoss(parts)  # type: ignore[arg-type]
                for parts in zip(*kept, strict=True)
            )
            weights = torch.tensor([one.weights for one in sums])  # (g, terms)
            self.weights[task] = list(weights.unbind(1))

    def to_device(self, device: torch.device | str) -> None:
        self.to(device)
        self.weights = {task: [one.to(device) for one in weights] for task, weights in self.weights.items()}

    def losses(self, opinions: Opinions, labels: Mapping[str, Tensor], wanted: bool) -> Losses:
        embedding = opinions.embedding()
        by_task: dict[str, Tensor] = {}
        found: dict[str, Tensor] = {}
        for task, terms in self.terms.items():
            logits = embedding  # of a loss that reads none
            if task in self.dimensions:
                found[task] = opinions.values(self.heads[task])
                logits = found[task][..., None]
            elif task in self.label_sets:
                found[task] = logits = opinions.label_logits(self.heads[task])
            elif wanted or task in self.heads:
                found[task] = logits = opinions.logits(partial(self._logits, task))
            total = torch.zeros((), device=embedding.device)
            for term, weights in zip(terms, self.weights[task], strict=True):  # type: ignore[call-overload]
                total = total + weights * term.reduced(logits, embedding, labels[task])
            by_task[task] = total
        return Losses(by_task, found if wanted else None)

    def _logits(self, task: str, embedding: Tensor) -> Tensor:
        if task in self.heads:
            return self.heads[task](embedding)
        # as ``Model``: the nearest center decides
        return -0.5 * self._centered(task).squared_distances(embedding)

    def _centered(self, task: str) -> CenteredLoss:
        for term in self.terms[task]:  # type: ignore[union-attr]
            loss = term.parameters_of_all if isinstance(term, MappedLoss) else term
            if isinstance(loss, CenteredLoss):
                return loss
        raise AssertionError("a model without a head has centers")


class StackedNetwork(nn.Module):
    """Several models of one shape as one.

    Args:
        models: In the order of ``loss_shape``, so that equal ones are neighbours.
        device: Where it computes.

    Attributes:
        slots: Every trainable or fixed parameter.
        pools: Whether it takes pooled features, of which nothing but the fusion's ``join`` is left to be done.
    """

    def __init__(self, models: Sequence[Model], device: torch.device | str = "cpu") -> None:
        super().__init__()
        first = models[0]
        self.widths = first.widths
        self.pools = pools(first)
        self.adapters = nn.ModuleDict(
            {name: stacked([model.adapters[name] for model in models]) for name in first.adapters}
        )
        self.fusion = (
            stacked([model.fusion for model in models])
            if stacks(first.fusion)
            else MappedFusion([model.fusion for model in models])
        )
        self.groups = nn.ModuleList(_Group(part) for part in _alike(models))
        self.to(device)
        for group in self._groups():
            group.to_device(device)
        self.slots = list(self._slots())
        trunk = [*self.adapters.modules(), *self.fusion.modules()]
        self._dropouts = [
            [module for module in modules if isinstance(module, Dropout)]
            for modules in (trunk, *(list(group.modules()) for group in self._groups()))
        ]

    def _groups(self) -> Iterator[_Group]:
        for group in self.groups:
            assert isinstance(group, _Group)
            yield group

    def _slots(self) -> Iterator[Slot]:
        def of(module: nn.Module, prefix: str, first: int) -> Iterator[Slot]:
            inner = getattr(module, "parameters_of_all", module)
            for name, parameter in inner.named_parameters():
                yield Slot(f"{prefix}.{name}", parameter, first)

        for name, adapter in self.adapters.items():
            yield from of(adapter, f"adapters.{name}", 0)
        yield from of(self.fusion, "fusion", 0)
        first = 0
        for group in self._groups():
            for task, head in group.heads.items():
                yield from of(head, f"heads.{task}", first)
            for task, terms in group.terms.items():
                for number, term in enumerate(terms):  # type: ignore[arg-type]
                    yield from of(term, f"losses.{task}.terms.{number}", first)
            first += group.size

    def draw_from(self, streams: Streams) -> None:
        """Let every dropout layer draw from the runs' own streams."""
        for module in self._dropouts[0]:
            module.streams = streams
        first = 0
        for group, modules in zip(self._groups(), self._dropouts[1:], strict=True):
            own = streams.part(first, group.size)
            for module in modules:
                module.streams = own
            first += group.size

    def forward(self, inputs: Inputs, labels: Mapping[str, Tensor], wanted: bool = False) -> Losses:
        """The losses of a batch per run.

        Args:
            inputs: Modality -> (s, b, t, w) with its mask, or pooled, (s, b, w).
            labels: Task -> (s, b), or (s, b, c); see ``losses.base.known``.
            wanted: Give what the network tells, too.
        """
        opinions = self._opinions(inputs)
        sizes = [group.size for group in self._groups()]
        if len(sizes) == 1:
            return next(self._groups()).losses(opinions, labels, wanted)
        embeddings = [one.split(sizes) for one in opinions.embeddings]
        weights = None if opinions.log_weights is None else opinions.log_weights.split(sizes)
        of_tasks = {task: one.split(sizes) for task, one in labels.items()}
        found = [
            group.losses(
                Opinions([one[i] for one in embeddings], None if weights is None else weights[i]),
                {task: parts[i] for task, parts in of_tasks.items()},
                wanted,
            )
            for i, group in enumerate(self._groups())
        ]
        by_task = {task: torch.cat([one.by_task[task] for one in found]) for task in labels}
        if not wanted:
            return Losses(by_task, None)
        return Losses(
            by_task, {task: torch.cat([(one.told or {})[task] for one in found]) for task in labels}
        )

    def _opinions(self, inputs: Inputs) -> Opinions:
        fusion: Any = self.fusion
        if self.pools:
            return fusion.join(inputs)
        sequences = {}
        for name, width in self.widths.items():
            sequence = inputs[name]
            assert isinstance(sequence, FeatureSequence)
            if name in self.adapters:
                sequence = self.adapters[name](sequence)
            assert sequence.values.shape[-1] == width
            sequences[name] = sequence
        return fusion.opinions(sequences)


def _alike(models: Sequence[Model]) -> list[list[Model]]:
    """Neighbours with losses of one form."""
    groups: list[list[Model]] = []
    for model in models:
        if groups and loss_shape(groups[-1][0].recipe) == loss_shape(model.recipe):
            groups[-1].append(model)
        else:
            groups.append([model])
    return groups
