"""Which utterances each run of a stack takes in each step, all of one shape.

Shapes: s runs, k steps (batches) of an epoch, b the recipe's batch size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from affuse.losses.base import blanked


class Batches(NamedTuple):
    """The batches of one pass for every run.

    A batch that is not full is filled up with its own first utterance, and a run that has fewer batches than others
    gets empty ones; ``real`` tells what counts.

    Attributes:
        index: (k, s, b) int64, numbers among all utterances.
        place: (k, s, b) int64, numbers among the utterances of the run's part.
        real: (k, s, b) bool.
        steps: (s,) how many batches each run has.
    """

    index: Tensor  # type: ignore[override]
    place: Tensor
    real: Tensor
    steps: list[int]

    @classmethod
    def of(cls, orders: Sequence[Sequence[Sequence[int]]], rows: Sequence[np.ndarray], size: int) -> Batches:
        """Join the passes of all runs.

        Args:
            orders: Per run its batches, each the places of its utterances in the run's part.
            rows: Per run the number among all utterances of each place.
            size: b.
        """
        steps = [len(order) for order in orders]
        place = np.zeros((max(steps, default=0), len(orders), size), dtype=np.int64)
        real = np.zeros(place.shape, dtype=bool)
        for run, order in enumerate(orders):
            for step, batch in enumerate(order):
                place[step, run] = batch[0]
                place[step, run, : len(batch)] = batch
                real[step, run, : len(batch)] = True
        index = np.zeros_like(place)
        for run, numbers in enumerate(rows):
            if len(numbers):
                index[:, run] = numbers[place[:, run]]
        return cls(torch.from_numpy(index), torch.from_numpy(place), torch.from_numpy(real), steps)

    def labels(self, labels: Sequence[Tensor]) -> Tensor:
        """The labels of one task, (k, s, b), or (k, s, b, c); what is not real is blank.

        Args:
            labels: Per run the label of each place, (n,), or its row, (n, c); of one dtype for all runs.
        """
        found = labels[0].new_zeros(*self.place.shape, *labels[0].shape[1:])
        for run, own in enumerate(labels):
            if len(own):
                found[:, run] = own[self.place[:, run]]
        return blanked(found, self.real)
