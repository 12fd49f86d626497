"""What runs take of memory while they train, and how many fit into what is free.

An estimate that is rather too large: what it decides is how many runs train at a time, which no number depends on.
"""

from __future__ import annotations

from typing import NamedTuple

import psutil
import torch

from affuse.fusion.pooling import PooledFusion, pooled_width
from affuse.models.network import Model
from affuse.models.parts import resolve_encoders
from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.random_state import seeded
from affuse.training.stacked.network import pools

SHARE = 0.5  # of the free memory that features may take, and that runs may take beside them
# Of every parameter, float32: weight, gradient, two moments, best weights, the run's own model, and two more for
# what is made for a moment. Stacks of wide networks were found to take 6.5 to 7.5.
COPIES = 8
PASSES = 4  # of every value that a layer gives: itself, its gradient, its dropout and what follows it
LONGEST = 3  # times the mean, for the steps of the longest batch


def free_memory(device: str = "cpu") -> int:
    """Bytes that are free where a device computes."""
    if device.startswith("cuda"):
        return int(torch.cuda.mem_get_info()[0])
    return int(psutil.virtual_memory().available)


def features_bytes(recipe: Recipe, experiment: Experiment) -> int:
    """What an experiment's features take in memory, as the recipe keeps them."""
    return experiment.features_bytes // (2 if recipe.training.feature_precision == "bfloat16" else 1)


def bytes_of_run(recipe: Recipe, experiment: Experiment) -> int:
    """What one run of a stack takes while it trains."""
    with seeded(0):
        model = Model(recipe, experiment.labelled.names)
    parameters = sum(one.numel() for one in model.parameters())
    widths = [encoder.width for encoder in resolve_encoders(recipe).values()]
    values = sum(widths) + sum(len(one) for one in model.parameters() if one.dim() > 1)
    steps = 1.0
    if not isinstance(model.fusion, PooledFusion):
        read = experiment.features_bytes / max(1, len(experiment.usable_ids) * 4 * sum(widths))
        steps = max(1.0, LONGEST * read)
    return int(4 * (COPIES * parameters + PASSES * recipe.training.batch_size * steps * values))


def pooled_bytes(recipe: Recipe, experiment: Experiment) -> int:
    """What a table of every utterance's pooled features takes (``inputs.pooled_table``); 0: there is none."""
    with seeded(0):
        model = Model(recipe, experiment.labelled.names)
    if not pools(model):
        return 0
    assert isinstance(model.fusion, PooledFusion)
    values = sum(pooled_width(model.widths[name], how) for name, how in model.fusion.pooling.items())
    present = len(model.fusion.pooling)
    return len(experiment.usable_ids) * (4 * values + present)


def tables_of(recipe: Recipe, parts: int, largest: int) -> int:
    """How many such tables a stack has at most.

    Args:
        recipe: Of one of its runs. Where nothing is standardised, all of them share one.
        parts: Training parts of all runs.
        largest: Runs of the stack.
    """
    standardised = any(modality.standardise for modality in recipe.modalities.values())
    return min(parts, largest) if standardised else 1


class Room(NamedTuple):
    """What memory allows for runs of one shape.

    Attributes:
        of_run: Bytes that one takes.
        free: Bytes that are free.
        runs: How many may train at a time, 1 at least.
    """

    of_run: int
    free: int
    runs: int

    @classmethod
    def of(cls, recipe: Recipe, experiment: Experiment, features: int) -> Room:
        """For runs of a recipe.

        Args:
            recipe: Of one of them.
            experiment: Of them.
            features: Bytes of features that are still to be read, and pooled.
        """
        of_run, free = bytes_of_run(recipe, experiment), free_memory(experiment.clips.device)
        return cls(of_run, free, max(1, int(SHARE * (free - features) / of_run)))


def in_words(count: float) -> str:
    """Bytes as they are told.

    Examples:
        >>> in_words(2_340_000_000), in_words(12_600_000)
        ('2.3 GB', '13 MB')
    """
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
