"""A small two-head network and the loop that a trainer runs, for any weighting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from affuse.weighting import (
    DwaWeighting,
    FamoWeighting,
    GeometricWeighting,
    ImtlLWeighting,
    RlwWeighting,
    SoftmaxWeighting,
    StaticWeighting,
    UncertaintyWeighting,
)
from affuse.weighting.torchjd import (
    AlignedMtlWeighting,
    CaGradWeighting,
    MgdaWeighting,
    NashMtlWeighting,
    PcGradWeighting,
    UpGradWeighting,
)

TASKS = ("emotion", "gender")
LOSS_BASED = [
    StaticWeighting,
    SoftmaxWeighting,
    UncertaintyWeighting,
    DwaWeighting,
    RlwWeighting,
    GeometricWeighting,
    ImtlLWeighting,
    FamoWeighting,
]
SURGERY = [
    PcGradWeighting,
    MgdaWeighting,
    AlignedMtlWeighting,
    CaGradWeighting,
    NashMtlWeighting,
    UpGradWeighting,
]
SOLVERS = {
    CaGradWeighting: ("cvxpy", "clarabel"),
    NashMtlWeighting: ("cvxpy", "ecos"),
    UpGradWeighting: ("qpsolvers", "quadprog"),
}


class TwoHeads(nn.Module):
    def __init__(self, tasks: tuple[str, ...] = TASKS) -> None:
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 6), nn.Tanh())
        self.heads = nn.ModuleDict({task: nn.Linear(6, 2 + row) for row, task in enumerate(tasks)})

    def forward(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        embedding = self.trunk(x)
        labels = {task: (x[:, row] > 0).long() for row, task in enumerate(self.heads)}
        losses = {task: cross_entropy(head(embedding), labels[task]) for task, head in self.heads.items()}
        return losses, embedding


class Run:
    """Network, weighting and optimiser; ``step`` is one batch as a trainer runs it."""

    def __init__(self, kind: type[Any], tasks: tuple[str, ...] = TASKS, **options: float | str) -> None:
        torch.manual_seed(3)
        self.network = TwoHeads(tasks)
        self.weighting = kind(tasks, **options)
        self.optimiser = torch.optim.Adam([*self.network.parameters(), *self.weighting.parameters()], lr=0.02)

    def step(self, number: int, absent: str | None = None) -> Tensor:
        x = torch.randn(12, 5, generator=torch.Generator().manual_seed(number))
        losses, embedding = self.network(x)
        losses.pop(absent, None)
        self.optimiser.zero_grad()
        joint = self.weighting.backward(losses, list(self.network.trunk.parameters()), [embedding])
        self.optimiser.step()
        if self.weighting.needs_losses_after_step:
            with torch.no_grad():
                after = self.network(x)[0]
                after.pop(absent, None)
                self.weighting.after_step(after)
        if number % 2:
            self.weighting.end_epoch({task: loss.item() for task, loss in losses.items()})
        return joint

    def state(self) -> dict:
        return {name: getattr(self, name).state_dict() for name in ("network", "weighting", "optimiser")}

    def load(self, state: dict) -> None:
        for name, part in state.items():
            getattr(self, name).load_state_dict(part)
