"""Training one fold, by the way that the recipe allows: as a stack of one, or with Lightning."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from affuse.recipe import Recipe
from affuse.training.experiment import Experiment
from affuse.training.run import Report, Wanted, finished
from affuse.training.runfolder import RunResult
from affuse.training.stacked.reasons import tell, why_not

log = logging.getLogger("affuse.training")


def train_fold(
    experiment: Experiment,
    recipe: Recipe,
    fold: int,
    out: str | Path,
    *,
    keep_model: bool = True,
    self_contained: bool = False,
    subsets: bool = False,
    progress: Report | None = None,
    say: Callable[[str], None] = lambda sentence: None,
) -> RunResult:
    """Train, choose the epoch by ``training.select``, predict validation and test, write the run folder.

    A finished folder is returned as it is; an interrupted one goes on from its last saved epoch.

    Args:
        experiment: what ``set_up`` made ready.
        recipe: may differ from the experiment's in what features and split do not depend on.
        fold: of the experiment's split.
        out: the run folder.
        keep_model: write the model folder too.
        self_contained: copy frozen encoders into the model folder.
        subsets: predict the test part from every subset of the modalities too; a finished folder gets that from its
            model or, where it kept none, from training again.
        progress: called with (epoch, its row of ``metrics.csv``) after each epoch.
        say: Hears what the user should know of the way.

    Raises:
        AffuseError: if the folder holds another run.
        NonFiniteLoss: if the loss diverges; the best model so far is saved before, where models are kept.
    """
    wanted = Wanted(keep_model, self_contained, subsets)
    there = finished(experiment, recipe, fold, out, wanted)
    if there is not None:
        return there
    reason = why_not(recipe, experiment)
    if reason:
        tell(recipe, reason, say)
        from affuse.training.lightning.training import train_with_lightning

        return train_with_lightning(experiment, recipe, fold, out, wanted, progress)
    from affuse.training.stacked.runs import StackCell, train_stacked

    log.info("%s: a stack of one.", recipe.name)
    cell = StackCell(experiment, recipe, fold, Path(out), progress)
    for _, found in train_stacked([cell], wanted):
        if isinstance(found, RunResult):
            return found
        raise found
    raise AssertionError("a stack of one gives one result")
