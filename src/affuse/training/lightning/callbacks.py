"""Choosing the checkpoint, stopping early, and saving the state that a rerun resumes from."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch

from affuse.files import replacing
from affuse.recipe import Training
from affuse.training.best_epoch import BestEpoch
from affuse.training.lightning.module import TrainingModule


class CloseEpoch(L.Callback):
    """First of the callbacks: Lightning runs theirs before the module's, and they need the epoch's row."""

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """See ``TrainingModule.close_epoch``."""
        assert isinstance(pl_module, TrainingModule)
        pl_module.close_epoch()


class KeepBest(L.Callback):
    """Keeps the weights of the best epoch (``BestEpoch``), and stops after ``patience``."""

    def __init__(self, training: Training) -> None:
        self.best = BestEpoch(training)

    def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Keep the weights where the epoch is the best so far."""
        assert isinstance(pl_module, TrainingModule)
        row = pl_module.history[-1]
        if self.best.is_better(row):
            self.best.weights = {
                name: tensor.detach().cpu().clone() for name, tensor in pl_module.model.state_dict().items()
            }
        elif self.best.is_over(int(row["epoch"])):
            trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Of Lightning's checkpoint, so that a resumed training still knows its best epoch."""
        return self.best.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See ``state_dict``."""
        self.best.load_state_dict(state_dict)


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
