"""One run: one fold of one recipe with one seed. How it begins and ends; what is between is one way of training."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from affuse.evaluation.dimensions import has_rating, measure_dimension
from affuse.evaluation.label_sets import has_set, measure_label_sets
from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import measure_table, measure_votes
from affuse.models.card import card_text
from affuse.models.defaults import PredictionDefaults
from affuse.models.loading import load_model
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.training.calibration import fitted_thresholds, prediction_defaults, trained_on
from affuse.training.card import card_facts
from affuse.training.convergence import training_in_words
from affuse.training.data import Clips
from affuse.training.environment import environment
from affuse.training.experiment import Experiment, skipped_table
from affuse.training.failures import NonFiniteLoss
from affuse.training.features import Source
from affuse.training.prediction import Answers, answer, table_of
from affuse.training.random_state import seeded
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.seen import remember
from affuse.training.standardise import fit_standardisers
from affuse.training.subsets import predict_subsets
from affuse.training.svm import check_keepable, fit_svms

Report = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Wanted:
    """What a run leaves besides its result.

    Args:
        model: The model folder.
        self_contained: Copies of frozen encoders in it.
        subsets: The test part's predictions from every subset of the modalities.
    """

    model: bool = True
    self_contained: bool = False
    subsets: bool = False


@dataclass
class Run:
    """What the steps of one run share.

    Args:
        experiment: What ``set_up`` made ready.
        recipe: May differ from the experiment's in what features and split do not depend on.
        fold: Of the experiment's split.
        folder: Where its files are.
        key: Digest of all that the result depends on.
        wanted: What it leaves.
        roles: Role -> ids.
        parts: Role -> clips.
        model: Untrained at the beginning.
        began: By ``time.perf_counter``.
    """

    experiment: Experiment
    recipe: Recipe
    fold: int
    folder: RunFolder
    key: str
    wanted: Wanted
    roles: dict[str, list[str]]
    parts: dict[str, Clips]
    model: Model
    began: float = field(default_factory=time.perf_counter)

    @property
    def device(self) -> str:
        """Where the network is: cpu or cuda."""
        return self.experiment.clips.device

    @property
    def batch_size(self) -> int:
        """Utterances of a batch."""
        return self.recipe.training.batch_size


def finished(
    experiment: Experiment, recipe: Recipe, fold: int, out: str | Path, wanted: Wanted
) -> RunResult | None:
    """The result of a folder that has all that is wanted, once its model has answered from subsets; else None.

    Raises:
        AffuseError: The folder holds another run, or no model folder can hold what the recipe trains.
    """
    if wanted.model:
        check_keepable(recipe)
    folder = RunFolder(out)
    result = folder.result(experiment.key(recipe, fold, folder))
    if result is None or (wanted.model and not folder.has_model):
        return None
    if wanted.subsets and not folder.has_subsets:
        if not folder.has_model:
            return None
        model = load_model(folder.model)
        roles = experiment.roles(fold)
        labelled = experiment.labelled
        clips = Clips(roles["test"], experiment.open_clips(model), labelled.targets, labelled.shares)
        parts = {"test": clips}
        run = Run(experiment, model.recipe, fold, folder, "", wanted, roles, parts, model)
        _write_subsets(run)
    return result


def begin_run(
    experiment: Experiment,
    recipe: Recipe,
    fold: int,
    out: str | Path,
    wanted: Wanted,
    sources: Mapping[str, Source] | None = None,
) -> Run:
    """The folder's first files, the untrained network, and each part's clips.

    Args:
        experiment: See ``Run``.
        recipe: See ``Run``.
        fold: See ``Run``.
        out: The run folder.
        wanted: What the run leaves.
        sources: Modality -> its clips, where they are in memory; None: the experiment's.
    """
    folder, roles = RunFolder(out), experiment.roles(fold)
    key = experiment.key(recipe, fold)
    folder.check_writable()
    folder.write_environment(environment(experiment, fold, key))
    folder.write_recipe(recipe)
    folder.write_split(experiment.split.rows(fold))
    folder.write_votes(experiment.votes(roles["test"]))
    folder.write_skipped(skipped_table(experiment.skipped, experiment.partial))
    with seeded(recipe.seed):
        model = Model(recipe, experiment.labelled.names)
    opened = experiment.open_clips(model) if sources is None else sources
    fit_standardisers(model, opened, roles["train"], experiment.statistics(fold))
    labelled = experiment.labelled
    parts = {role: Clips(ids, opened, labelled.targets, labelled.shares) for role, ids in roles.items()}
    return Run(experiment, recipe, fold, folder, key, wanted, roles, parts, model)


def end_run(run: Run, history: Sequence[Mapping[str, float]], best_epoch: int) -> RunResult:
    """Predict validation and test part with the model as it is now, and write what the run leaves.

    Args:
        run: Its model has the weights of the chosen epoch.
        history: A row per epoch.
        best_epoch: The chosen one, from 1.

    Raises:
        NonFiniteLoss: The chosen weights answer with NaN: the last step of their epoch ruined them.
    """
    run.folder.write_metrics(history)
    answers = {
        role: answer(run.model, run.parts[role], run.batch_size, run.device)
        for role in ("validation", "test")
        if role in run.parts and len(run.parts[role])
    }
    if not all(np.isfinite(one).all() for found in answers.values() for one in found.numbers):
        raise NonFiniteLoss(
            f"The answers became NaN with the weights of epoch {best_epoch}. Lower optimizer.lr or set "
            "optimizer.clip_norm."
        )
    if "validation" in answers:
        run.model.defaults = PredictionDefaults(
            thresholds=fitted_thresholds(run.model, run.parts["validation"], answers["validation"])
        )
    predictions = _predictions(run, answers)
    metrics = measured(run.experiment, predictions)
    training = training_in_words(
        pd.DataFrame(list(history)),
        best_epoch,
        run.recipe.training,
        predictions,
        run.experiment.measures.values(),
    )
    run.folder.write_predictions(predictions)
    run.folder.write_embeddings(run.parts["test"].ids, answers["test"].embedding)
    if run.wanted.subsets:
        _write_subsets(run)
    if run.wanted.model:
        _write_model(run, predictions, training)
    result = RunResult(
        run.folder.path, run.fold, run.recipe.seed, best_epoch, len(history), metrics,
        key=run.key,
        utterances={role: len(ids) for role, ids in run.roles.items()},
        parameters=run.model.trainable_parameters(),
        seconds=round(time.perf_counter() - run.began, 1),
        finished=time.strftime("%Y-%m-%d"),
        stamp=run.experiment.split.stamp,
        on_test=run.recipe.on_test,
        training=training,
        last_epoch=dict(history[-1]),
    )  # fmt: skip
    run.folder.write_result(result)
    return result


def end_diverged(
    run: Run,
    history: Sequence[Mapping[str, float]],
    best_epoch: int,
    weights: Mapping[str, Tensor] | None,
    error: NonFiniteLoss,
) -> NonFiniteLoss:
    """Keep the best weights of a run whose loss became NaN, where models are kept; the error that says so.

    Args:
        run: The run.
        history: A row per epoch before.
        best_epoch: The best of them, from 1.
        weights: Its weights; None: there was none.
        error: What happened.
    """
    run.folder.write_metrics(history)
    if weights is None or not run.wanted.model:
        return error
    run.model.load_state_dict(weights, strict=False)
    run.model.defaults = PredictionDefaults(
        seen=remember(run.experiment.corpus, run.roles, run.experiment.marks),
        trained_on=trained_on(run.experiment.corpus.info),
    )
    save_model(run.model, run.folder.model)
    return NonFiniteLoss(f"{error} The weights of epoch {best_epoch} are kept in {run.folder.model}.")


def _predictions(run: Run, answers: dict[str, Answers]) -> pd.DataFrame:
    """The prediction tables of the parts, one after another; SVMs classify for their tasks."""
    svms = fit_svms(run.model, run.parts["train"], run.batch_size, run.device)
    tables = [
        table_of(run.model, found, run.parts[role], role, run.fold, svms) for role, found in answers.items()
    ]
    return pd.concat(tables, ignore_index=True)


def measured(experiment: Experiment, predictions: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Task -> metrics of the test part as ``results.json`` has them; tasks without a test label are left out."""
    test = predictions[predictions["role"] == "test"]
    spaces = experiment.labelled.spaces
    found = {
        task: _as_json(measure_table(test, task, space))
        for task, space in spaces.items()
        if (test[task] != "").any()
    }
    for task in experiment.labelled.shares:
        if task in found and (soft := measure_votes(test, task, spaces[task])) is not None:
            found[task]["soft"] = soft._asdict()
    dimensions = [task for task in experiment.labelled.ratings if has_rating(test, task)]
    found |= {task: measure_dimension(test, task)._asdict() for task in dimensions}
    return found | {
        task: measure_label_sets(test, task, labels)._asdict()
        for task, labels in experiment.labelled.label_sets.items()
        if has_set(test, task).any()
    }


def _write_subsets(run: Run) -> None:
    table = predict_subsets(run.model, run.parts["test"], "test", run.fold, run.batch_size, run.device)
    run.folder.write_subset_predictions(table)


def _write_model(run: Run, predictions: pd.DataFrame, training: str) -> None:
    """The model folder, with what prediction needs to know of the training, and its card."""
    thresholds = run.model.defaults.thresholds
    defaults = prediction_defaults(run.experiment, run.roles, predictions)
    run.model.defaults = defaults.model_copy(update={"thresholds": thresholds})
    test = predictions[predictions["role"] == "test"]
    card = card_text(run.model, card_facts(run.experiment, run.fold, test, training))
    save_model(run.model, run.folder.model, card=card, self_contained=run.wanted.self_contained)


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
