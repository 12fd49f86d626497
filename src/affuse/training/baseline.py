"""The classical baseline of a comparison: statistics of the same features, and a regularised regression.

What a network is worth is told by what does without one. The row goes through the same folds, tables and tests.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from affuse.errors import AffuseError
from affuse.evaluation.label_sets import EVEN, SetAnswers
from affuse.evaluation.predictions import prediction_table
from affuse.files import digest
from affuse.progress import Progress
from affuse.training.baseline_fits import ALPHAS, GRID, INNER, fit, fit_ratings, pool, prepare
from affuse.training.calibration import thresholds_of
from affuse.training.cells import Cell
from affuse.training.compare import Comparison
from affuse.training.comparison_folder import run_folder
from affuse.training.environment import environment
from affuse.training.experiment import Experiment
from affuse.training.run import measured
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.variants import Variant, describe, folder_name, told_axes

NAME, CLASSIFIER, REGRESSOR = "baseline", "logistic regression", "ridge regression"
BOTH = "logistic, ridge regression"
DESCRIPTION = (
    "Mean and standard deviation over time of every modality's features (a missing one: the training part's mean), "
    "z-scored, and a logistic regression with an L2 penalty and balanced classes. Its C is the one of {grid} with the "
    "best BACC in a cross-validation inside the training part, grouped by speaker."
)
RATED = (
    "Ratings: the same features, and a ridge regression. Its alpha is the one of {grid} with the best CCC over the "
    "parts left out of that cross-validation."
)


def add_baseline(comparison: Comparison, out: str | Path, progress: Progress) -> None:
    """Train and add a row for every split of the comparison, from the experiment with features of most modalities.

    One run per fold, finished ones are not done again, unless they were of other features (it takes seconds); it has no
    seed, so its cells stand for every seed of the others. Encoders that are trained have no features to take
    statistics of: without any other there is no baseline, which is said.
    """
    splits: dict[str, list[Cell]] = {}
    for cell in comparison.cells:
        splits.setdefault(comparison.experiments[cell.experiment].split.hash, []).append(cell)
    names_of = _row_names(list(splits.values()))
    for (split, cells), row in zip(splits.items(), names_of, strict=True):
        numbers = dict.fromkeys(cell.experiment for cell in cells)
        number = max(numbers, key=lambda i: len(_features(comparison.experiments[i])))
        experiment = comparison.experiments[number]
        names = _features(experiment)
        if not names:
            progress.say(
                "No classical baseline: every encoder here is trained, so there are no features to take statistics of."
            )
            continue
        settings = _settings(cells)
        # a row of another split is another run, even where the settings do not tell them apart
        row_folder = folder_name({NAME: CLASSIFIER, "split": split[:8]}, NAME)
        folds = list(dict.fromkeys(cell.fold for cell in cells))
        advance = progress.start(NAME, len(folds))
        pooled: dict[str, np.ndarray] = {}
        merges = {task: choice.merge for task, choice in experiment.recipe.tasks.items() if choice.merge}
        labels = repr((experiment.labelled.names, merges))
        for fold in folds:
            folder = run_folder(Path(out), row_folder, fold)
            rated = [RATED, repr(ALPHAS), *map(str, experiment.recipe.dimensions.items())]
            rated = rated if experiment.labelled.ratings else []
            key = digest(
                NAME,
                DESCRIPTION,
                repr((GRID, INNER)),
                experiment.shared_key,
                *names,
                str(fold),
                *rated,
                labels,
            )
            cells_of_fold = []
            for seed in dict.fromkeys(cell.variant.recipe.seed for cell in cells):
                recipe = experiment.recipe.changed([f"seed={seed}", "training.select=validation"])
                kept = {name: part for name, part in recipe.modalities.items() if name in names}
                recipe = recipe.model_copy(
                    update={
                        "name": row, "modalities": kept,
                        "description": describe_baseline(experiment),
                    }
                )  # fmt: skip
                cells_of_fold.append(
                    Cell(Variant(settings, recipe, baseline=_methods(experiment)), number, fold, folder)
                )
            comparison.cells += cells_of_fold
            run = RunFolder(folder)
            done = run.result() if run.recorded().get("key") == key else None
            try:
                if done is None:
                    bad = {skip.id for skip in experiment.skipped}
                    ids = [id for id in experiment.labelled.table["id"] if id not in bad]
                    pooled = pooled or pool(experiment.clips.open(), names, ids)
                    # matrices this small gain nothing from several threads, which wait for each other all the time
                    with threadpool_limits(1, user_api="blas"):
                        done = train_baseline(experiment, fold, folder, pooled, key)
                comparison.results[folder] = done
            except AffuseError as error:  # as of a network's cell: the others stand
                comparison.failed.append((cells_of_fold[0], str(error)))
            advance()


def train_baseline(
    experiment: Experiment, fold: int, folder: Path, pooled: Mapping[str, np.ndarray], key: str
) -> RunResult:
    """Fit every task on the training part, predict validation and test, write the run folder.

    ``pooled``: ``pool``.
    """
    began = time.perf_counter()
    roles = experiment.roles(fold)
    rows = {role: np.stack([pooled[id] for id in ids]) for role, ids in roles.items() if ids}
    speakers = experiment.labelled.table.set_index("id")["speaker"].reindex(roles["train"])
    groups = speakers.fillna(pd.Series(roles["train"], index=speakers.index)).astype(str).to_numpy()
    parts = prepare(rows)
    labels = {
        role: {
            task: np.array([targets[id] for id in roles[role]])
            for task, targets in experiment.labelled.targets.items()
        }
        for role in parts
    }
    probabilities: dict[str, dict[str, np.ndarray]] = {role: {} for role in parts}
    chosen, parameters = {}, 0
    for task, space in experiment.labelled.spaces.items():
        codes = labels["train"][task]
        known = codes >= 0
        parameters += len(space) * (rows["train"].shape[1] + 1)
        there = np.unique(codes[known])
        fitted = None
        if len(there) > 1:
            chosen[task], fitted = fit(parts["train"][known], codes[known], groups[known])
        for role, x in parts.items():
            table = np.zeros((len(x), len(space)))
            # of one class alone nothing can be learnt but its name, of none nothing
            table[:, there] = 1.0 if fitted is None else fitted.predict_proba(x)
            probabilities[role][task] = table if len(there) else table + 1 / len(space)
    ratings: dict[str, dict[str, tuple[np.ndarray, np.ndarray]]] = {role: {} for role in parts}
    for task, dimension in experiment.recipe.dimensions.items():
        targets = labels["train"][task]
        known = ~np.isnan(targets)
        parameters += rows["train"].shape[1] + 1
        regression = None
        if known.any():
            chosen[task], regression = fit_ratings(parts["train"][known], targets[known], groups[known])
        for role, x in parts.items():
            outputs = np.zeros(len(x)) if regression is None else regression.predict(x)
            answers = dimension.from_unit(outputs).clip(dimension.low, dimension.high)
            ratings[role][task] = dimension.from_unit(labels[role][task]), answers
    sets, penalties = _sets(experiment, parts, labels, groups)
    chosen |= penalties
    parameters += sum(map(len, experiment.labelled.label_sets.values())) * (rows["train"].shape[1] + 1)
    tables = [
        prediction_table(
            roles[role],
            role,
            fold,
            probabilities[role],
            labels[role],
            experiment.labelled.spaces,
            ratings[role],
            sets[role],
        )
        for role in ("validation", "test")
        if role in parts
    ]
    predictions = pd.concat(tables, ignore_index=True)
    run = RunFolder(folder)
    run.write_environment(environment(experiment, fold, key))
    run.write_baseline(describe_baseline(experiment))
    run.write_split(experiment.split.rows(fold))
    run.write_votes(experiment.votes(roles["test"]))
    run.write_predictions(predictions)
    result = RunResult(
        folder, fold, 0, 0, 0, measured(experiment, predictions),
        key=key, utterances={role: len(ids) for role, ids in roles.items()}, parameters=parameters,
        seconds=round(time.perf_counter() - began, 1), finished=time.strftime("%Y-%m-%d"),
        stamp=experiment.split.stamp, c=chosen,
    )  # fmt: skip
    run.write_result(result)
    return result


def _sets(
    experiment: Experiment,
    parts: Mapping[str, np.ndarray],
    labels: Mapping[str, Mapping[str, np.ndarray]],
    groups: np.ndarray,
) -> tuple[dict[str, dict[str, SetAnswers]], dict[str, float]]:
    """(role -> task -> answers of several labels at once, the chosen penalties): each label is fitted for itself."""
    sets: dict[str, dict[str, SetAnswers]] = {role: {} for role in parts}
    chosen: dict[str, float] = {}
    for task, names in experiment.labelled.label_sets.items():
        wanted = labels["train"][task]
        known = ~np.isnan(wanted).any(axis=1)
        told = {role: np.full((len(x), len(names)), EVEN) for role, x in parts.items()}
        for i, name in enumerate(names):
            there = wanted[known, i].astype(int)
            if len(np.unique(there)) < 2:  # of what is always so, or never, nothing can be learnt but that
                for one in told.values():
                    one[:, i] = there[0] if len(there) else EVEN
                continue
            chosen[f"{task} {name}"], fitted = fit(parts["train"][known], there, groups[known])
            for role, x in parts.items():
                told[role][:, i] = fitted.predict_proba(x)[:, 1]
        thresholds = thresholds_of(labels.get("validation", {}).get(task), told.get("validation"), names)
        for role, one in told.items():
            sets[role][task] = SetAnswers(names, labels[role][task], one, thresholds)
    return sets, chosen


def describe_baseline(experiment: Experiment) -> str:
    """What it is, in words."""
    told = [DESCRIPTION.format(grid=", ".join(f"{c:g}" for c in GRID))]
    if experiment.labelled.ratings:
        told.append(RATED.format(grid=", ".join(f"{alpha:g}" for alpha in ALPHAS)))
    return " ".join(told)


def _methods(experiment: Experiment) -> str:
    """'logistic regression', 'ridge regression', or both."""
    classes, ratings = bool(experiment.labelled.names), bool(experiment.labelled.ratings)
    if classes and ratings:
        return BOTH
    return REGRESSOR if ratings else CLASSIFIER


def _features(experiment: Experiment) -> list[str]:
    """The modalities whose features lie in the cache or the corpus; of a trained encoder only its raw input does."""
    plan = experiment.clips
    return [
        name
        for name, part in plan.recipe.modalities.items()
        if part.frozen
        and ((plan.keys[name] is not None and plan.cache is not None) or part.encoder == "precomputed")
    ]


def _row_names(splits: Sequence[Sequence[Cell]]) -> list[str]:
    """Of the row of each split: 'baseline', or 'baseline of mm-static' where the settings do not tell them apart."""
    settings = [_settings(cells) for cells in splits]
    names = []
    for cells, mine in zip(splits, settings, strict=True):
        recipes = dict.fromkeys(describe(cell.variant)["recipe"] for cell in cells)
        names.append(NAME if settings.count(mine) == 1 else f"{NAME} of {', '.join(recipes)}")
    return names


def _settings(cells: Sequence[Cell]) -> dict[str, str]:
    """The axes that tell this split from others; '-' where its cells differ."""
    axes = dict.fromkeys(axis for cell in cells for axis in cell.variant.settings)
    found = {}
    for axis in axes:
        if axis in told_axes(cells[0].variant.recipe):
            continue
        values = {cell.variant.settings.get(axis, "-") for cell in cells}
        found[axis] = values.pop() if len(values) == 1 else "-"
    return found
