"""Choosing the checkpoint, stopping early, and saving the state that a rerun resumes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from affuse.files import replacing
from affuse.recipe import Training
from affuse.training.module import TrainingModule, watched_part


class CloseEpoch(L.Callback):
    """First of the callbacks: Lightning runs theirs before the module's, and they need the epoch's row."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """See ``TrainingModule.close_epoch``."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.close_epoch()


class KeepBest(L.Callback):
    """Keeps the weights of the best epoch by ``training.select`` and ``criterion``; stops after ``patience``.

    On a few dozen utterances BACC has few values and ties are common; the lower loss decides them. Without a
    part to choose on the last epoch counts.
    """

    def __init__(self, training: Training) -> None:
        self.training = training
        self.patience = training.patience
        self.score: tuple[float, float] | None = None
        self.epoch = 0
        self.weights: dict[str, Tensor] | None = None

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the weights where the epoch is the best so far."""
        assert isinstance(pl_module, TrainingModule)
        row = pl_module.history[-1]
        epoch = int(row["epoch"])
        score = self._score(row)
        if self.score is None or score > self.score:
            self.score, self.epoch = score, epoch
            self.weights = {
                name: tensor.detach().cpu().clone() for name, tensor in pl_module.model.state_dict().items()
            }
        elif self.patience is not None and epoch - self.epoch >= self.patience:
            trainer.should_stop = True

    def _score(self, row: dict[str, float]) -> tuple[float, float]:
        """Higher is better; the second number decides among equals."""
        part, criterion = watched_part(self.training), self.training.criterion
        losses = [value for name, value in row.items() if name.startswith(f"{part}_loss_")]
        if self.training.select == "last" or not losses:
            return row["epoch"], 0.0
        if criterion == "loss":
            return -sum(losses), 0.0
        if criterion == "last_batch":
            return -row[f"{part}_last_batch"], 0.0
        values = [value for name, value in row.items() if name.startswith(f"{part}_{criterion}_")]
        return sum(values) / len(values), -sum(losses)

    def state_dict(self) -> dict[str, Any]:
        """Of Lightning's checkpoint, so that a resumed training still knows its best epoch."""
        return {"score": self.score, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See ``state_dict``."""
        score = state_dict["score"]
        self.score = None if score is None else (float(score[0]), float(score[1]))
        self.epoch = state_dict["epoch"]
        self.weights = state_dict["weights"]


class SaveResumeState(L.Callback):
    """Writes Lightning's checkpoint, atomically, when ``every`` seconds have passed since the last one."""

    def __init__(self, path: Path, every: float = 20.0) -> None:
        self.path = path
        self.every = every
        self._saved = time.monotonic()

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Save where it is time."""
        if time.monotonic() - self._saved >= self.every:
            self.save(trainer)

    def save(self, trainer: L.Trainer) -> None:
        """Write the checkpoint; an earlier one is replaced only once it is whole."""
        with replacing(self.path) as temporary:
            trainer.save_checkpoint(temporary)
        self._saved = time.monotonic()


class ReportEpoch(L.Callback):
    """Calls ``progress(epoch, row)`` after each epoch."""

    def __init__(self, progress: Callable[[int, dict[str, float]], None]) -> None:
        self.progress = progress

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Call ``progress``."""
        assert isinstance(pl_module, TrainingModule)
        self.progress(len(pl_module.history), pl_module.history[-1])


def load_state(path: Path) -> bool:
    """Whether a resume state is there and whole; a damaged one is removed, so that training starts again."""
    if not path.is_file():
        return False
    try:
        torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # truncated archives and foreign files fail in many ways
        path.unlink()
        return False
    return True
