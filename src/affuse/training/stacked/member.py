"""One run of a stack, between epochs: what is its own, wherever it trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from affuse.losses import CenteredLoss
from affuse.models.parts import build_weighting
from affuse.training.best_epoch import BestEpoch, watched_part
from affuse.training.data import BucketBatches, Clips, in_length_order
from affuse.training.modality_dropout import ModalityDropout
from affuse.training.run import Run
from affuse.training.stacked.features import Features
from affuse.training.stacked.optimizer import Moments, Rates


class Part(NamedTuple):
    """One part of a run's split.

    Attributes:
        ids: Its utterances.
        rows: (n,) their numbers among all features.
        labels: Task -> (n,) class indices or ratings, or (n, c) rows, as batches have them (``losses.base.known``).
        scored: What answers are measured by; the same, but for tasks that learn votes, whose labels it has.
        lengths: (n,) steps of all modalities.
    """

    ids: list[str]
    rows: np.ndarray
    labels: dict[str, Tensor]
    scored: dict[str, Tensor]
    lengths: np.ndarray

    @classmethod
    def of(cls, clips: Clips, features: Features, tasks: Sequence[str]) -> Part:
        """The utterances of ``clips``."""
        rows = np.array([features.numbers[id] for id in clips.ids], dtype=np.int64)
        labels = {task: clips.labels_of(task) for task in tasks}
        scored = labels | {task: clips.labels[task] for task in clips.shares}
        return cls(clips.ids, rows, labels, scored, features.lengths[rows])

    def nothing(self) -> Part:
        """A part of the same tasks without an utterance."""
        labels, scored = ({task: one[:0] for task, one in of.items()} for of in (self.labels, self.scored))
        return Part([], self.rows[:0], labels, scored, self.lengths[:0])


@dataclass
class Member:
    """A run with what its training needs from epoch to epoch. Its weights are its model's while it is in no stack.

    Args:
        run: As it was begun.
        features: Of its experiment.

    Attributes:
        epoch: How many are done.
        history: A row of ``metrics.csv`` per epoch.
        moments: Adam's state by the name of the parameter.
    """

    run: Run
    features: Features
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list[dict[str, float]])
    moments: dict[str, Moments] = field(default_factory=dict[str, Moments])

    def __post_init__(self) -> None:
        recipe = self.run.recipe
        self.best = BestEpoch(recipe.training)
        self.rates = Rates(recipe)
        self.weighting = build_weighting(recipe.weighting, list(recipe.tasks))
        tasks, parts = list(recipe.tasks), self.run.parts
        self.train = Part.of(parts["train"], self.features, tasks)
        self.watched = watched_part(recipe.training)
        self.watching = (
            Part.of(parts[self.watched], self.features, tasks)
            if self.watched in parts
            else self.train.nothing()
        )
        self.order = BucketBatches(self.train.lengths, recipe.training.batch_size, recipe.seed)
        self.watched_order = in_length_order(self.watching.lengths, recipe.training.batch_size)
        rates = {name: modality.dropout for name, modality in recipe.modalities.items()}
        self.dropout = ModalityDropout(rates, recipe.seed, len(self.train.ids))
        self.first_centers = {name: centers.detach().clone() for name, centers in self.centers().items()}

    def centers(self) -> dict[str, Tensor]:
        """Name of each centered loss in the model -> its centers, (classes, width)."""
        return {
            f"losses.{name}.centers": module.centers
            for name, module in self.run.model.losses.named_modules()
            if isinstance(module, CenteredLoss)
        }

    def batches(self) -> list[list[int]]:
        """Of the next epoch: places in the training part."""
        self.order.set_epoch(self.epoch)
        return list(self.order)

    @property
    def is_over(self) -> bool:
        """Whether it has trained enough."""
        return self.epoch >= self.run.recipe.training.epochs or (
            self.epoch > 0 and self.best.is_over(self.epoch)
        )

    def end_epoch(self, row: dict[str, float], trained: Mapping[str, float]) -> bool:
        """Take note of an epoch; whether its weights are the best so far.

        Args:
            row: Of ``metrics.csv``.
            trained: Task -> mean training loss.
        """
        self.epoch += 1
        self.history.append(row)
        self.weighting.end_epoch(trained)
        self.rates.end_epoch(self.epoch)
        return self.best.is_better(row)

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Put weights into the model, by the names of its parameters."""
        own = dict(self.run.model.named_parameters())
        with torch.no_grad():
            for name, tensor in weights.items():
                own[name].copy_(tensor)
