"""One run: one fold of one recipe with one seed, trained, tested once, written as a run folder."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
import pandas as pd
import torch

from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import measure_table
from affuse.models.card import card_text
from affuse.models.defaults import PredictionDefaults
from affuse.models.loading import load_model
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.training.calibration import prediction_defaults
from affuse.training.callbacks import CloseEpoch, KeepBest, ReportEpoch, SaveResumeState
from affuse.training.card import card_facts
from affuse.training.convergence import training_in_words
from affuse.training.data import Clips
from affuse.training.environment import environment
from affuse.training.experiment import Experiment, skipped_table
from affuse.training.fitting import fit
from affuse.training.module import NonFiniteLoss, TrainingModule
from affuse.training.prediction import Answers, answer, table_of
from affuse.training.random_state import own_random_state
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.seen import remember
from affuse.training.standardise import fit_standardisers
from affuse.training.subsets import predict_subsets
from affuse.training.svm import check_keepable, fit_svms


@dataclass
class _Run:
    """What the steps of one run share."""

    experiment: Experiment
    recipe: Recipe
    fold: int
    folder: RunFolder
    roles: dict[str, list[str]]
    parts: dict[str, Clips]  # role -> its clips
    model: Model

    @property
    def device(self) -> str:
        return self.experiment.clips.device

    @property
    def batch_size(self) -> int:
        return self.recipe.training.batch_size


def train_fold(
    experiment: Experiment,
    recipe: Recipe,
    fold: int,
    out: str | Path,
    *,
    keep_model: bool = True,
    self_contained: bool = False,
    subsets: bool = False,
    progress: Callable[[int, dict[str, float]], None] | None = None,
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

    Raises:
        AffuseError: if the folder holds another run.
        NonFiniteLoss: if the loss diverges; the best model so far is saved before, where models are kept.
    """
    if keep_model:
        check_keepable(recipe)
    folder = RunFolder(out)
    finished = _finished(experiment, recipe, fold, folder, keep_model, subsets)
    if finished is not None:
        return finished
    with own_random_state():
        return _train(experiment, recipe, fold, folder, keep_model, self_contained, subsets, progress)


def _train(
    experiment: Experiment, recipe: Recipe, fold: int, folder: RunFolder, keep_model: bool,
    self_contained: bool, subsets: bool, progress: Callable[[int, dict[str, float]], None] | None,
) -> RunResult:  # fmt: skip
    began = time.perf_counter()
    key = experiment.key(recipe, fold)
    run = _prepare(experiment, recipe, fold, folder, key)
    module, kept = _fit(run, keep_model, progress)
    answers = {
        role: answer(run.model, run.parts[role], run.batch_size, run.device)
        for role in ("validation", "test")
        if role in run.parts and len(run.parts[role])
    }
    predictions = _predictions(run, answers)
    metrics = measured(experiment, predictions)
    training = training_in_words(
        pd.DataFrame(module.history), kept, recipe.training, predictions, experiment.labelled.spaces
    )
    folder.write_predictions(predictions)
    folder.write_embeddings(run.parts["test"].ids, answers["test"].embedding)
    if subsets:
        _write_subsets(run)
    if keep_model:
        _write_model(run, predictions, training, self_contained)
    result = RunResult(
        folder.path, fold, recipe.seed, kept, len(module.history), metrics,
        key=key,
        utterances={role: len(ids) for role, ids in run.roles.items()},
        parameters=run.model.trainable_parameters(),
        seconds=round(time.perf_counter() - began, 1),
        finished=time.strftime("%Y-%m-%d"),
        stamp=experiment.split.stamp,
        on_test=recipe.on_test,
        training=training,
        last_epoch=module.history[-1],
    )  # fmt: skip
    folder.write_result(result)
    return result


def _finished(
    experiment: Experiment, recipe: Recipe, fold: int, folder: RunFolder, keep_model: bool, subsets: bool
) -> RunResult | None:
    """The result of a folder that has all that is asked for, once its model has answered from subsets; else None."""
    result = folder.result(experiment.key(recipe, fold, folder))
    if result is None or (keep_model and not folder.has_model):
        return None
    if subsets and not folder.has_subsets:
        if not folder.has_model:
            return None
        model = load_model(folder.model)
        roles = experiment.roles(fold)
        parts = {"test": Clips(roles["test"], experiment.open_clips(model), experiment.labelled.codes)}
        _write_subsets(_Run(experiment, model.recipe, fold, folder, roles, parts, model))
    return result


def _prepare(experiment: Experiment, recipe: Recipe, fold: int, folder: RunFolder, key: str) -> _Run:
    """The folder's first files, the untrained network, and each part's clips."""
    roles = experiment.roles(fold)
    folder.check_writable()
    folder.write_environment(environment(experiment, fold, key))
    folder.write_recipe(recipe)
    folder.write_split(experiment.split.rows(fold))
    folder.write_skipped(skipped_table(experiment.skipped, experiment.partial))
    torch.manual_seed(recipe.seed)
    model = Model(recipe, experiment.labelled.spaces)
    opened = experiment.open_clips(model)
    fit_standardisers(model, opened, roles["train"], experiment.statistics(fold))
    parts = {role: Clips(ids, opened, experiment.labelled.codes) for role, ids in roles.items()}
    return _Run(experiment, recipe, fold, folder, roles, parts, model)


def _fit(
    run: _Run, keep_model: bool, progress: Callable[[int, dict[str, float]], None] | None
) -> tuple[TrainingModule, int]:
    """Train; the model has the weights of the chosen epoch afterwards. Gives the module, and that epoch from 1."""
    module = TrainingModule(run.recipe, run.model, run.roles["train"])
    best = KeepBest(run.recipe.training)
    callbacks: list[L.Callback] = [CloseEpoch(), best, SaveResumeState(run.folder.state)]
    if progress is not None:
        callbacks.append(ReportEpoch(progress))
    try:
        fit(module, run.recipe, run.parts, callbacks, run.folder.state, run.device)
    except NonFiniteLoss as error:
        run.folder.write_metrics(module.history)
        if best.weights is None or not keep_model:
            raise
        run.model.load_state_dict(best.weights)
        run.model.defaults = PredictionDefaults(seen=remember(run.experiment.corpus, run.roles))
        save_model(run.model, run.folder.model)
        raise NonFiniteLoss(
            f"{error} The weights of epoch {best.epoch} are kept in {run.folder.model}."
        ) from None
    run.folder.write_metrics(module.history)
    assert best.weights is not None
    run.model.load_state_dict(best.weights)
    return module, best.epoch


def _predictions(run: _Run, answers: dict[str, Answers]) -> pd.DataFrame:
    """The prediction tables of the parts, one after another; SVMs classify for their tasks."""
    svms = fit_svms(run.model, run.parts["train"], run.batch_size, run.device)
    tables = [
        table_of(run.model, found, run.parts[role], role, run.fold, svms) for role, found in answers.items()
    ]
    return pd.concat(tables, ignore_index=True)


def measured(experiment: Experiment, predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Task -> metrics of the test part as ``results.json`` has them; tasks without a test label are left out."""
    test = predictions[predictions["role"] == "test"]
    return {
        task: _as_json(measure_table(test, task, space))
        for task, space in experiment.labelled.spaces.items()
        if (test[task] != "").any()
    }


def _write_subsets(run: _Run) -> None:
    table = predict_subsets(run.model, run.parts["test"], "test", run.fold, run.batch_size, run.device)
    run.folder.write_subset_predictions(table)


def _write_model(run: _Run, predictions: pd.DataFrame, training: str, self_contained: bool) -> None:
    """The model folder, with what prediction needs to know of the training, and its card."""
    run.model.defaults = prediction_defaults(run.experiment, run.roles, predictions)
    test = predictions[predictions["role"] == "test"]
    card = card_text(run.model, card_facts(run.experiment, run.fold, test, training))
    save_model(run.model, run.folder.model, card=card, self_contained=self_contained)


def _as_json(metrics: Metrics) -> dict[str, Any]:
    return {
        "acc": metrics.acc,
        "bacc": metrics.bacc,
        "macro_f1": metrics.macro_f1,
        "weighted_f1": metrics.weighted_f1,
        "recall": metrics.recall,
        "confusion": metrics.confusion.tolist(),
        "n": metrics.n,
    }
