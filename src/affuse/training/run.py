"""One cell: one fold of one recipe with one seed, trained, tested once, written as a run folder."""

from __future__ import annotations

import logging
import platform
import signal
import time
import warnings
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pandas as pd
import torch
from torch.utils.data import DataLoader

import affuse
from affuse.errors import AffuseError
from affuse.evaluation.metrics import Metrics
from affuse.evaluation.predictions import measure_table, prediction_table
from affuse.models.defaults import PredictionDefaults
from affuse.models.loading import load_model
from affuse.models.network import Model, Standardiser
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.training.calibration import prediction_defaults
from affuse.training.callbacks import CloseEpoch, KeepBest, ReportEpoch, SaveResumeState, load_state
from affuse.training.card import model_card
from affuse.training.data import BucketBatches, Clips, batches
from affuse.training.embeddings import embed
from affuse.training.experiment import Experiment, skipped_table
from affuse.training.features import Source
from affuse.training.module import NonFiniteLoss, TrainingModule
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.seen import remember
from affuse.training.subsets import predict_subsets
from affuse.training.svm import check_keepable, fit_machines


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

    ``recipe`` may differ from the experiment's in what features and split do not depend on. A finished folder
    is returned as it is; an interrupted one goes on from its last saved epoch. ``self_contained`` copies frozen
    encoders into the model folder. ``subsets`` adds the test part's
    predictions from every subset of the modalities; a finished folder gets them from its model, or, where it kept
    none, from training again. Raises AffuseError if the folder holds another experiment, and NonFiniteLoss if the loss
    diverges (after saving the best model so far, where models are kept).
    """
    run = RunFolder(out)
    if keep_model:
        check_keepable(recipe)
    key = experiment.key(recipe, fold)
    finished = run.result(key)
    roles = experiment.roles(fold)
    if finished is not None and (run.has_model or not keep_model):
        if subsets and not run.has_subsets and run.has_model:
            trained = load_model(run.model)
            opened = experiment.clips.open(dict(trained.encoders.items()))  # type: ignore[arg-type]
            test = Clips(roles["test"], opened, experiment.labelled.codes)
            _write_subsets(trained, test, fold, run, experiment.clips.device)
        if not subsets or run.has_subsets:
            return finished
    began = time.perf_counter()
    run.check_writable()
    run.write_environment(environment(experiment, fold, key))
    run.write_recipe(recipe)
    run.write_split(experiment.split.table.query("fold == @fold"))
    run.write_skipped(skipped_table(experiment.skipped, experiment.partial))

    torch.manual_seed(recipe.seed)
    model = Model(recipe, experiment.labelled.spaces)
    opened = experiment.clips.open(dict(model.encoders.items()))  # type: ignore[arg-type]
    fit_standardisers(model, opened, roles["train"])
    parts = {role: Clips(ids, opened, experiment.labelled.codes) for role, ids in roles.items()}
    module = TrainingModule(recipe, model, roles["train"])
    best = KeepBest(recipe.training)
    saver = SaveResumeState(run.state)
    callbacks: list[L.Callback] = [CloseEpoch(), best, saver]
    if progress is not None:
        callbacks.append(ReportEpoch(progress))
    try:
        _fit(module, recipe, parts, callbacks, run.state, experiment.clips.device)
    except NonFiniteLoss as error:
        run.write_metrics(module.history)
        if best.weights is None or not keep_model:
            raise
        model.load_state_dict(best.weights)
        model.defaults = PredictionDefaults(seen=remember(experiment.corpus, roles))
        save_model(model, run.model)
        raise NonFiniteLoss(f"{error} The weights of epoch {best.epoch} are kept in {run.model}.") from None
    assert best.weights is not None
    model.load_state_dict(best.weights)
    run.write_metrics(module.history)

    batch_size, device = recipe.training.batch_size, experiment.clips.device
    machines = fit_machines(model, parts["train"], batch_size, device)
    tables = [
        predict_table(model, parts[role], role, fold, batch_size, device, machines)
        for role in ("validation", "test")
        if role in parts and len(parts[role])
    ]
    predictions = pd.concat(tables, ignore_index=True)
    run.write_predictions(predictions)
    embedding = embed(model, parts["test"], recipe.training.batch_size, experiment.clips.device)
    run.write_embeddings(parts["test"].ids, embedding)
    if subsets:
        _write_subsets(model, parts["test"], fold, run, experiment.clips.device)
    test = predictions[predictions["role"] == "test"]
    if keep_model:
        model.defaults = prediction_defaults(experiment, roles, predictions)
        card = model_card(model, experiment, fold, test)
        save_model(model, run.model, card=card, self_contained=self_contained)
    measured = {
        task: measures_as_json(measure_table(test, task, space))
        for task, space in experiment.labelled.spaces.items()
        if (test[task] != "").any()
    }
    result = RunResult(
        run.path,
        fold,
        recipe.seed,
        best.epoch,
        len(module.history),
        measured,
        key=key,
        utterances={role: len(ids) for role, ids in roles.items()},
        parameters=model.trainable_parameters(),
        seconds=round(time.perf_counter() - began, 1),
        finished=time.strftime("%Y-%m-%d"),
        stamp=experiment.split.stamp,
        on_test=recipe.on_test,
        last_epoch=module.history[-1],
    )
    run.write_result(result)
    return result


def _write_subsets(model: Model, test: Clips, fold: int, run: RunFolder, device: str) -> None:
    run.write_subset_predictions(
        predict_subsets(model, test, "test", fold, model.recipe.training.batch_size, device)
    )


def _fit(
    module: TrainingModule,
    recipe: Recipe,
    parts: Mapping[str, Clips],
    callbacks: list[L.Callback],
    state: Path,
    device: str,
) -> None:
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
    train = parts["train"]
    sampler = BucketBatches(train.lengths(), recipe.training.batch_size, recipe.seed)
    loader = DataLoader(train, batch_sampler=sampler, collate_fn=train.collate)
    validation = parts.get(module.watched)
    trainer = L.Trainer(
        accelerator="gpu" if device.startswith("cuda") else "cpu",
        devices=1,
        max_epochs=recipe.training.epochs,
        precision=recipe.training.precision,
        callbacks=callbacks,
        default_root_dir=state.parent,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
    )
    resume = str(state) if load_state(state) else None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="lightning")
        try:
            trainer.fit(
                module,
                loader,
                batches(validation, recipe.training.batch_size)
                if validation is not None and len(validation)
                else None,
                ckpt_path=resume,
                weights_only=True,
            )
        except SystemExit:  # Lightning answers Ctrl-C with exit(1), and has SIGINT ignored from then on
            if not trainer.interrupted:
                raise
            signal.signal(signal.SIGINT, signal.default_int_handler)
            raise KeyboardInterrupt from None


def predict_table(
    model: Model,
    clips: Clips,
    role: str,
    fold: int,
    batch_size: int,
    device: str = "cpu",
    machines: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """The prediction table of one part, in its order; ``machines`` classify for their tasks.

    A support vector machine gives no probabilities: the class it calls has 1.
    """
    model.eval().to(device)
    probabilities = {task: np.zeros((len(clips), len(space))) for task, space in model.label_spaces.items()}
    machines = machines or {}
    with torch.inference_mode():
        for batch in batches(clips, batch_size):
            output = model({name: sequence.to(device) for name, sequence in batch.clips.items()})
            for task, machine in machines.items():
                called = machine.predict(output.embedding.double().cpu().numpy())
                probabilities[task][batch.index.numpy(), called] = 1.0
            for task, logits in output.logits.items():
                if task in machines:
                    continue
                probabilities[task][batch.index.numpy()] = logits.double().softmax(dim=1).cpu().numpy()
    labels = {task: codes.numpy() for task, codes in clips.labels.items()}
    return prediction_table(clips.ids, role, fold, probabilities, labels, model.label_spaces)


def fit_standardisers(model: Model, opened: Mapping[str, Source], ids: list[str]) -> None:
    """Mean and deviation of each feature over the steps of the training part, summed in float64."""
    for name, standardiser in model.standardisers.items():
        assert isinstance(standardiser, Standardiser)
        if name in model.encoders:
            raise AffuseError(
                f"modalities.{name}: standardise needs frozen features, this encoder is trained."
            )
        count, total, squares, shift = 0, torch.zeros(()), torch.zeros(()), None
        for id in ids:
            clip = opened[name].load(id)
            if clip is not None:
                # sums about the first step: E[x^2] - E[x]^2 of a large constant is noise, not 0
                shift = clip[0].double() if shift is None else shift
                steps = clip.double() - shift
                count, total, squares = (
                    count + len(steps),
                    total + steps.sum(0),
                    squares + steps.square().sum(0),
                )
        if count and shift is not None:
            mean = total / count
            deviation = (squares / count - mean.square()).clamp(min=0).sqrt()
            standardiser.fit((mean + shift).float(), deviation.float())


def environment(experiment: Experiment, fold: int, key: str) -> dict[str, Any]:
    """What the numbers of this run depend on besides its recipe."""
    overlap = experiment.transcript_overlap
    return {
        "key": key,
        "affuse": affuse.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in ("torch", "lightning", "transformers", "numpy", "scikit-learn")},
        "threads": torch.get_num_threads(),
        "device": experiment.clips.device,
        "corpus": experiment.corpus.info.title,
        "generated": experiment.corpus.info.generated,
        "corpus_hash": experiment.corpus.hash,
        "split_hash": experiment.split.hash,
        "stamp": experiment.split.stamp,
        "view": experiment.notes,  # what the recipe's view of the corpus left out or changed
        # share of test utterances whose words occur verbatim in training, mean over folds; null without words
        "transcript_overlap": None if np.isnan(overlap) else round(overlap, 6),
        "fold": fold,
    }


def measures_as_json(metrics: Metrics) -> dict[str, Any]:
    """A task's metrics as ``results.json`` has them."""
    return {
        "acc": metrics.acc,
        "bacc": metrics.bacc,
        "macro_f1": metrics.macro_f1,
        "weighted_f1": metrics.weighted_f1,
        "recall": metrics.recall,
        "confusion": metrics.confusion.tolist(),
        "n": metrics.n,
    }
