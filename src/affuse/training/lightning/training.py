"""One run from its first file to its result, trained by Lightning."""

from __future__ import annotations

from pathlib import Path

import lightning as L

from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.failures import NonFiniteLoss
from affuse.training.lightning.callbacks import CloseEpoch, KeepBest, ReportEpoch, SaveResumeState
from affuse.training.lightning.fitting import fit
from affuse.training.lightning.module import TrainingModule
from affuse.training.random_state import own_random_state
from affuse.training.run import Report, Wanted, begin_run, end_diverged, end_run
from affuse.training.runfolder import RunResult


def train_with_lightning(
    experiment: Experiment,
    recipe: Recipe,
    fold: int,
    out: str | Path,
    wanted: Wanted,
    progress: Report | None = None,
) -> RunResult:
    """Train one run, going on from where it was interrupted.

    Args:
        experiment: What ``set_up`` made ready.
        recipe: Of the run.
        fold: Of the experiment's split.
        out: The run folder.
        wanted: What the run leaves.
        progress: Called with (epoch, its row of ``metrics.csv``) after each epoch.

    Raises:
        NonFiniteLoss: The loss diverged; the best model so far is saved before, where models are kept.
    """
    with own_random_state():
        run = begin_run(experiment, recipe, fold, out, wanted)
        module = TrainingModule(recipe, run.model, run.roles["train"])
        keeping = KeepBest(recipe.training)
        callbacks: list[L.Callback] = [CloseEpoch(), keeping, SaveResumeState(run.folder.state)]
        if progress is not None:
            callbacks.append(ReportEpoch(progress))
        best = keeping.best
        try:
            fit(module, recipe, run.parts, callbacks, run.folder.state, run.device)
        except NonFiniteLoss as error:
            raise end_diverged(run, module.history, best.epoch, best.weights, error) from None
        assert best.weights is not None
        run.model.load_state_dict(best.weights)
        return end_run(run, module.history, best.epoch)
