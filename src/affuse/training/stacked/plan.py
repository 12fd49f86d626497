"""Which runs train as one stack, and how large a stack is.

On a processor a stack is as large as its weights and Adam's state stay in the cache: matrix products of small networks
run at twice the speed there, and a handful of runs share the cost of a step's calls already. On a GPU it is as large as
memory allows, since every call costs the same however many runs it computes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import TypeVar

from affuse.models.network import Model
from affuse.models.parts import resolve_encoders
from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.random_state import seeded
from affuse.training.stacked.network import pools

CACHE_BYTES = 16e6  # weights, gradients and Adam's two moments of a stack on a processor; measured
LARGEST = 32  # runs of a stack on a processor: more gain nothing
UNBOUNDED = 1_000_000  # on a GPU memory alone is the limit (``memory.Room``)
COPIES = 4  # weight, gradient and two moments of every parameter, float32

Item = TypeVar("Item")


def stack_key(recipe: Recipe, experiment: Experiment) -> str:
    """Runs with the same text have networks and batches of one shape.

    Loss, weighting, seed, fold, learning rates, dropout, schedule, selection and the range of a rating may differ.
    """
    fusion = {name: value for name, value in recipe.fusion.options.items() if name != "dropout"}
    return repr(
        (
            [(name, encoder.width, str(encoder.part)) for name, encoder in resolve_encoders(recipe).items()],
            recipe.fusion.name,
            sorted(fusion.items(), key=str),
            recipe.head.hidden,
            recipe.head.activation,
            [(task, choice.fits, experiment.labelled.outputs[task]) for task, choice in recipe.tasks.items()],
            recipe.training.batch_size,
            recipe.training.precision,
            recipe.training.feature_precision,
            sorted(name for name, part in recipe.modalities.items() if part.standardise),
            experiment.clips.device,
            experiment.features_key,
        )
    )


def largest_stack(recipe: Recipe, spaces: Mapping[str, list[str]], device: str) -> int:
    """How many runs of a recipe train best as one stack, where memory allows it.

    One where sequences are fused: the padded length of a run's batch, on which its dropout and the last bits of its
    sums depend, would be that of its neighbours; and such networks are large enough to be worth a call of their own.
    """
    with seeded(0):
        model = Model(recipe, spaces)
    if not pools(model):
        return 1
    size = 4 * COPIES * sum(parameter.numel() for parameter in model.parameters())
    if device.startswith("cuda"):
        return UNBOUNDED
    return max(1, min(LARGEST, int(CACHE_BYTES / size)))


def cut(items: Sequence[Item], largest: int, jobs: int, alike: Callable[[Item], str]) -> list[list[Item]]:
    """Cut runs of one shape into stacks of nearly one size.

    Args:
        items: The runs.
        largest: Of a stack.
        jobs: How many stacks train at a time; there are at least so many, where there are enough runs.
        alike: What neighbours should have in common: groups of one loss cost fewer calls.

    Examples:
        >>> cut([1, 2, 3, 4, 5, 6, 7], largest=3, jobs=2, alike=lambda item: str(item % 2))
        [[2, 4], [6, 1, 3], [5, 7]]
    """
    ordered = sorted(items, key=alike)
    count = max(min(jobs, len(ordered)), -(-len(ordered) // largest))
    edges = [round(len(ordered) * i / count) for i in range(count + 1)] if ordered else [0]
    return [ordered[a:b] for a, b in pairwise(edges)]
