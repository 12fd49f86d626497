"""Adam for every run of a stack, each with its own rates and its own count of steps."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.adam import adam

from affuse.recipe import Recipe
from affuse.training.stacked.network import Slot

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # Adam's, as torch has them


class Moments(NamedTuple):
    """Adam's state of one parameter: running means of gradient and squared gradient, and steps done, as a tensor."""

    mean: Tensor
    square: Tensor
    steps: Tensor

    @classmethod
    def of(cls, parameter: Tensor) -> Moments:
        """Before the first step."""
        # torch's fused kernel wants the count where the parameter is
        return cls(
            torch.zeros_like(parameter), torch.zeros_like(parameter), torch.zeros((), device=parameter.device)
        )

    def beside(self, parameter: Tensor) -> Moments:
        """The same where a parameter is: a state that was read from a file is on the processor."""
        return Moments(*(one.to(parameter.device) for one in self))


@dataclass
class Rates:
    """The learning rates of one run now.

    They fall by repeated multiplication as ``torch.optim.lr_scheduler.StepLR``'s do, so that the digits agree.
    """

    recipe: Recipe
    network: float = field(init=False)
    centers: float = field(init=False)
    weighting: float = field(init=False)

    def __post_init__(self) -> None:
        choice = self.recipe.optimizer
        self.network, self.centers = choice.lr, choice.centers_lr
        self.weighting = self.recipe.weighting.lr or choice.lr

    def end_epoch(self, epochs: int) -> None:
        """After ``epochs`` epochs."""
        schedule = self.recipe.training.schedule
        if schedule is None or epochs % schedule.every:
            return
        self.network *= schedule.factor
        self.centers *= schedule.factor
        if self.recipe.weighting.scheduled:
            self.weighting *= schedule.factor


class StackedAdam:
    """Adam over the rows of stacked parameters.

    Each run's rows are tensors of their own to Adam, so nothing is shared but the call: rows with equal rates are
    stepped by one call of torch's fused kernel.

    Args:
        slots: The stacked parameters. Their rows are trained where they need a gradient.
        recipes: Of the runs.
        rates: Of the runs; read anew in every step.
        moments: Of the runs: name -> state. What is missing is added.
        weightings: Of the runs: their parameters are trained too, at a rate of their own.
    """

    def __init__(
        self,
        slots: Sequence[Slot],
        recipes: Sequence[Recipe],
        rates: Sequence[Rates],
        moments: Sequence[dict[str, Moments]],
        weightings: Sequence[nn.Module],
    ) -> None:
        self.slots = [slot for slot in slots if slot.parameter.requires_grad]
        self.recipes, self.rates = recipes, rates
        # one tensor per parameter for all runs, as the parameters themselves: their rows are what a run has
        self.rows: list[list[_Row]] = [[] for _ in recipes]
        for number, slot in enumerate(self.slots):
            mean, square = torch.zeros_like(slot.parameter.data), torch.zeros_like(slot.parameter.data)
            for row, run in enumerate(slot.runs):
                state = moments[run].get(slot.name)
                steps = torch.zeros((), device=mean.device)
                if state is not None:
                    mean[row].copy_(state.mean)
                    square[row].copy_(state.square)
                    steps.copy_(state.steps)
                moments[run][slot.name] = state = Moments(mean[row], square[row], steps)
                kind = "centers" if slot.name.endswith(".centers") else "network"
                self.rows[run].append(_Row(kind, slot.task, number, row, slot.parameter.data[row], state))
        self.weightings = [
            [
                (parameter, _kept(moments[run], f"weighting.{name}", parameter.detach()))
                for name, parameter in weighting.named_parameters()
                if parameter.requires_grad
            ]
            for run, weighting in enumerate(weightings)
        ]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for slot in self.slots:
            slot.parameter.grad = None
        for own in self.weightings:
            for parameter, _ in own:
                parameter.grad = None

    def step(self, active: Sequence[int], absent: Mapping[int, Collection[str]] | None = None) -> None:
        """One step of these runs; the others stay as they are.

        Args:
            active: The runs.
            absent: Run -> the tasks that its batch has no label for. Their heads and losses have no gradient, which is
                not a gradient of 0: Adam's momentum does not move them, and their steps are not counted.
        """
        grads = [
            None if slot.parameter.grad is None else slot.parameter.grad.unbind(0) for slot in self.slots
        ]
        moved = {run: self._moved(run, grads, (absent or {}).get(run, ())) for run in active}
        self._clip(moved)
        calls: dict[tuple[float, float], _Call] = {}
        for run in active:
            recipe, rates = self.recipes[run], self.rates[run]
            decay = recipe.optimizer.weight_decay
            # weight decay would pull centers and task weights to zero, which is no regulariser for them
            network = calls.setdefault((rates.network, decay), _Call())
            centers = calls.setdefault((rates.centers, 0.0), _Call())
            for row, grad in moved[run]:
                (centers if row.kind == "centers" else network).add(row.parameter, grad, row.moments)
            if self.weightings[run]:
                weighting = calls.setdefault((rates.weighting, 0.0), _Call())
                for parameter, state in self.weightings[run]:
                    if parameter.grad is not None:
                        weighting.add(parameter.data, parameter.grad, state)
        for (rate, decay), call in calls.items():
            call.step(rate, decay)

    def _moved(
        self, run: int, grads: Sequence[tuple[Tensor, ...] | None], absent: Collection[str]
    ) -> list[tuple[_Row, Tensor]]:
        """The rows of a run that have a gradient, with it."""
        return [
            (row, of_slot[row.row])
            for row in self.rows[run]
            if (of_slot := grads[row.slot]) is not None and row.task not in absent
        ]

    def _clip(self, moved: Mapping[int, Sequence[tuple[_Row, Tensor]]]) -> None:
        """As ``torch.nn.utils.clip_grad_norm_`` for each run that asks for it: all its gradients, one norm."""
        for run, rows in moved.items():
            bound = self.recipes[run].optimizer.clip_norm
            if bound is None:
                continue
            own = [grad for _, grad in rows]
            own += [parameter.grad for parameter, _ in self.weightings[run] if parameter.grad is not None]
            total = torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(grad) for grad in own]))
            factor = (bound / (total + 1e-6)).clamp(max=1.0)
            for grad in own:
                grad.mul_(factor)


def _kept(moments: dict[str, Moments], name: str, parameter: Tensor) -> Moments:
    """The state of a parameter, kept under its name."""
    known = moments.get(name)
    moments[name] = Moments.of(parameter) if known is None else known.beside(parameter)
    return moments[name]


class _Row(NamedTuple):
    """A run's row of a stacked parameter, and what Adam keeps of it."""

    kind: str
    task: str | None
    slot: int
    row: int
    parameter: Tensor
    moments: Moments


class _Call:
    """What one call of torch's Adam steps."""

    def __init__(self) -> None:
        self.parameters: list[Tensor] = []
        self.grads: list[Tensor] = []
        self.means: list[Tensor] = []
        self.squares: list[Tensor] = []
        self.steps: list[Tensor] = []

    def add(self, parameter: Tensor, grad: Tensor, moments: Moments) -> None:
        self.parameters.append(parameter)
        self.grads.append(grad)
        self.means.append(moments.mean)
        self.squares.append(moments.square)
        self.steps.append(moments.steps)

    def step(self, rate: float, decay: float) -> None:
        if self.parameters:
            adam(
                self.parameters, self.grads, self.means, self.squares, [], self.steps,
                fused=True, amsgrad=False, maximize=False, beta1=BETA1, beta2=BETA2, eps=EPSILON,
                lr=rate, weight_decay=decay,
            )  # fmt: skip
