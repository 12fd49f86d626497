"""Fixed weights, and the grid of them that the dynamic methods have to beat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.weighting.base import Weighting


class StaticWeighting(Weighting):
    """sum_i w_i L_i with weights that never change. 1/T each is the second paper's baseline, "MM-static".

    A weight stays what it is when another task is absent from the batch.

    Parameters
    ----------
    weights: one weight per task, at least 0 and not all 0, of any sum; without it 1/T each.

    Raises AffuseError for a task without a weight, a weight without a task, and a weight that is negative,
    not finite or, with all others, zero.
    """

    fixed: Tensor

    def __init__(self, tasks: Sequence[str], weights: Mapping[str, float] | None = None) -> None:
        super().__init__(tasks)
        given = dict.fromkeys(self.tasks, 1 / len(self.tasks)) if weights is None else dict(weights)
        if set(given) != set(self.tasks):
            raise AffuseError(
                f"The static weights name {', '.join(given) or 'no task'}, but the tasks are "
                f"{', '.join(self.tasks)}; give one weight for each."
            )
        if not all(math.isfinite(w) and w >= 0 for w in given.values()) or not any(given.values()):
            raise AffuseError(f"Static weights must be finite, at least 0 and not all 0; got {given}.")
        self.register_buffer("fixed", torch.tensor([float(given[task]) for task in self.tasks]))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, rows = self.gather(losses)
        return (self.select(self.fixed, rows) * values).sum()

    def weight_vector(self) -> Tensor:
        return self.fixed


def static_grid(tasks: Sequence[str], step: float = 0.1) -> list[dict[str, float]]:
    """Every weight vector on the simplex in steps of ``step``, single tasks at its corners included.

    The search of Parthasarathy and Busso 2017, the second paper's reference [22]. Two tasks in steps of 0.1
    give 11 vectors, T tasks in n steps C(n + T - 1, T - 1). The first task's weight rises slowest.

    Raises AffuseError unless 1 is a whole number of steps.
    """
    parts = round(1 / step) if 0 < step <= 1 else 0
    if not parts or not math.isclose(parts * step, 1, rel_tol=1e-9):
        raise AffuseError(f"A grid of weights needs a step that divides 1, such as 0.1 or 0.25; got {step}.")
    names = StaticWeighting(tasks).tasks  # the same checks of the names
    return [
        dict(zip(names, (count / parts for count in counts), strict=True))
        for counts in _shares(parts, len(names))
    ]


def _shares(parts: int, places: int) -> Iterator[tuple[int, ...]]:
    """All ways to share ``parts`` equal parts among ``places``."""
    if places == 1:
        yield (parts,)
        return
    for first in range(parts + 1):
        for rest in _shares(parts - first, places - 1):
            yield (first, *rest)
