"""Fixed weights, and the grid of them that the dynamic methods have to beat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from affuse.errors import AffuseError
from affuse.weighting.base import Weighting


class StaticWeighting(Weighting):
    """Fixed weights: sum_i w_i L_i with weights that never change; 1/T each is the second paper's "MM-static".

    A weight stays what it is when another task is absent from the batch.

    Args:
        tasks: The names of the tasks.
        weights: One weight per task, at least 0 and not all 0, of any sum; without it 1/T each.

    Raises:
        AffuseError: A task has no weight, a weight no task, or a weight is negative, not finite or, with all others,
            zero.

    Examples:
        >>> import torch
        >>> weighting = StaticWeighting(["emotion", "gender"], {"emotion": 0.75, "gender": 0.25})
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        1.0
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
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        return (self.select(self.fixed, rows) * values).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.fixed


def static_grid(tasks: Sequence[str], step: float = 0.1) -> list[dict[str, float]]:
    """Every weight vector on the simplex in steps of ``step``, single tasks at its corners included.

    The search of Parthasarathy and Busso 2017, the second paper's reference [22]. Two tasks in steps of 0.1
    give 11 vectors, T tasks in n steps C(n + T - 1, T - 1). The first task's weight rises slowest.

    Args:
        tasks: The names of the tasks.
        step: Between neighbouring weights; 1 must be a whole number of steps.

    Raises:
        AffuseError: 1 is no whole number of steps.

    Examples:
        >>> static_grid(["emotion", "gender"], 0.5)
        [{'emotion': 0.0, 'gender': 1.0}, {'emotion': 0.5, 'gender': 0.5}, {'emotion': 1.0, 'gender': 0.0}]
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
