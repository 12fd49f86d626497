"""Which epoch's weights a run keeps, and when it stops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from affuse.recipe import Training


def watched_part(training: Training) -> str:
    """The part that is measured after every epoch: test if the epoch is chosen on it, else validation."""
    return "test" if training.select == "test" else "validation"


class BestEpoch:
    """The best epoch so far by ``training.select`` and ``criterion``, with its weights.

    On a few dozen utterances BACC has few values and ties are common; the lower loss decides them. Without a part to
    choose on the last epoch counts.

    Args:
        training: The recipe's section.

    Attributes:
        epoch: From 1; 0 before the first.
        weights: The network's state at that epoch.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.score: tuple[float, float] | None = None
        self.epoch = 0
        self.weights: dict[str, Tensor] | None = None

    def is_better(self, row: Mapping[str, float]) -> bool:
        """Whether an epoch, by its row of ``metrics.csv``, is the best so far; it is taken note of."""
        score = self._score(row)
        if any(math.isnan(one) for one in score):  # nothing is above it or below it
            score = (-math.inf, -math.inf)
        if self.score is not None and score <= self.score:
            return False
        self.score, self.epoch = score, int(row["epoch"])
        return True

    def is_over(self, epoch: int) -> bool:
        """Whether ``patience`` is at its end after this epoch."""
        patience = self.training.patience
        return patience is not None and epoch - self.epoch >= patience

    def _score(self, row: Mapping[str, float]) -> tuple[float, float]:
        """Higher is better; the second number decides among equals."""
        part, criterion = watched_part(self.training), self.training.criterion
        losses = [value for name, value in row.items() if name.startswith(f"{part}_loss_")]
        if self.training.select == "last" or not losses:
            return row["epoch"], 0.0
        if criterion == "loss":
            return -sum(losses), 0.0
        if criterion == "last_batch":
            return -row[f"{part}_last_batch"], 0.0
        # "bacc" and "acc" take a regression's CCC, and the macro-F1 of several labels, for the task's
        metrics = (criterion, "ccc", "macro_f1") if criterion in ("bacc", "acc") else (criterion,)
        starts = tuple(f"{part}_{metric}_" for metric in metrics)
        values = [value for name, value in row.items() if name.startswith(starts)]
        if not values:  # criterion ccc or macro_f1, and no label of such a task in this part
            return row["epoch"], 0.0
        return sum(values) / len(values), -sum(losses)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs, so that it still knows its best epoch."""
        return {"score": self.score, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See ``state_dict``."""
        score = state["score"]
        self.score = None if score is None else (float(score[0]), float(score[1]))
        self.epoch, self.weights = int(state["epoch"]), state["weights"]
