"""A trained model on a corpus: predictions, metrics with intervals, recall, gaps by gender."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from affuse.corpora.selection import CorpusView, lacking, view
from affuse.errors import AffuseError
from affuse.evaluation.calibration import (
    expected_calibration_error,
    negative_log_likelihood,
    probabilities_of,
)
from affuse.evaluation.groups import GROUPINGS, grouped
from affuse.evaluation.intervals import speaker_confusions, speaker_interval, speakers_in_words
from affuse.evaluation.predictions import measure_table
from affuse.failures import SKIPPED
from affuse.files import write_csv
from affuse.names import listed
from affuse.registry import unknown
from affuse.tables import read_table
from affuse.training.label_fit import check_labels
from affuse.training.runfolder import METRICS, PREDICTIONS, SPLIT
from affuse.training.unseen import choose_utterances

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.recipe import Recipe
    from affuse.training.cache import FeatureCache
    from affuse.training.features import Skipped


@dataclass
class Evaluation:
    """Tables; see ``evaluate_model``."""

    corpus: Corpus  # as it was looked at
    trained: bool  # some of the utterances trained the model or chose its epoch
    predictions: pd.DataFrame
    metrics: pd.DataFrame  # task, metric, value, low, high, n, speakers
    notes: list[str]  # what the intervals cannot know of the speakers
    recalls: pd.DataFrame  # task, class, n, recall, called <class> ...
    groups: (
        pd.DataFrame
    )  # task, grouping (gender, dialog type), group, metric, value, low, high, n, speakers, p
    calibration: pd.DataFrame  # task, n, confidence, acc, ece, nll
    skipped: list[Skipped]
    partial: list[Skipped]  # used as far as they could be decoded


TABLES = {  # table of an Evaluation -> its file, where a folder is asked for
    "predictions": PREDICTIONS,
    "metrics": METRICS,
    "recalls": "recalls.csv",
    "groups": "groups.csv",
    "calibration": "calibration.csv",
    "skipped": SKIPPED,
}


def write_evaluation(found: Evaluation, folder: Path) -> None:
    """Write TABLES into a folder; one without lines is left out, but for ``skipped.csv``."""
    from affuse.training.experiment import skipped_table

    for name, file in TABLES.items():
        skipped = name == "skipped"
        table = skipped_table(found.skipped, found.partial) if skipped else getattr(found, name)
        if skipped or len(table):
            write_csv(folder / file, table)


def evaluate_model(
    model: Model,
    corpus: Corpus,
    cache: FeatureCache,
    progress: Progress,
    device: str = "cpu",
    split: Path | None = None,
    role: str | None = None,
    modalities: Sequence[str] | None = None,
    run: Path | None = None,
) -> Evaluation:
    """Predict the labelled utterances that had no part in training the model, and measure.

    ``role``: only those of one role (train, validation, test) in the model's training, or all; with a run's ``split``
    (``split.csv``) by that table, default test. ``run`` is the model's folder, for models that do not keep what they
    have seen. ``modalities`` are those that the model is given (default: all of its own); the others are neither read
    nor encoded, but masked. The corpus is looked at as the model's recipe looks at its own (``as_trained``). Labels
    outside the model's classes count as blank. Raises AffuseError for a modality that the model does not have, for
    labels that are not the model's (``check_labels``), and if nothing is left (``choose_utterances``).
    """
    from affuse.training.data import Clips, label_table
    from affuse.training.experiment import read_clips
    from affuse.training.prediction import predict_table

    recipe = _given(model.recipe, modalities)
    corpus = as_trained(corpus, model.recipe.corpus, progress, split)
    labelled = label_table(corpus, recipe, model.label_spaces)
    everyone = list(corpus.table["id"])
    if split is not None:
        role = role or "test"
        everyone = of_role(everyone, split, role)
        if not everyone:
            raise AffuseError(
                f"No {role} utterance of {split} is in {corpus.info.name}; is it another corpus's split?"
            )
    unfit, said = check_labels(corpus, everyone, model.label_spaces, recipe.tasks)
    wanted = set(everyone)
    tasks = [task for task in model.label_spaces if task not in unfit]
    some = labelled.table[tasks].notna().any(axis=1) & labelled.table["id"].isin(wanted)
    ids = list(labelled.table["id"][some])
    if len(ids) < len(everyone):
        said.append(
            f"{len(everyone) - len(ids)} of {len(everyone)} utterances have no label to compare: left out."
        )
    trained, roles = False, dict.fromkeys(ids, role or "all")
    if split is None:
        chosen = choose_utterances(model, corpus, ids, role, run)
        ids, trained, roles = chosen.ids, chosen.trained, roles | chosen.roles
        said += chosen.said
    for sentence in said:
        progress.say(sentence)
    plan = read_clips(corpus, recipe, ids, cache, progress, device, require=False)
    bad = {skip.id for skip in plan.skipped}
    clips = Clips(
        [id for id in ids if id not in bad],
        plan.open(model.trained_encoders),
        labelled.codes,
    )
    if not len(clips):
        raise AffuseError(
            f"None of the {len(ids)} utterances can be used; the first cause: {plan.skipped[0].cause}"
        )
    table = predict_table(model, clips, "all", 0, model.recipe.training.batch_size, device)
    table["role"] = table["id"].map(roles)
    rows = labelled.table.set_index("id")
    metrics, recalls, groups, calibration = [], [], [], []
    for task, space in model.label_spaces.items():
        if task in unfit or not (table[task] != "").any():
            continue
        found = measure_table(table, task, space)
        confusions = speaker_confusions([table], task, space, rows["speaker"])
        for name in ("acc", "bacc", "macro_f1", "weighted_f1"):
            low, high = (
                speaker_interval(confusions, name)[1:] if name in ("acc", "bacc") else (np.nan, np.nan)
            )
            metrics.append(
                {
                    "task": task,
                    "metric": name,
                    "value": getattr(found, name),
                    "low": low,
                    "high": high,
                    "n": found.n,
                    "speakers": len(confusions),
                }
            )
        for i, label in enumerate(space):
            called = {f"called {name}": found.confusion[i, j] for j, name in enumerate(space)}
            counts = {"n": int(found.confusion[i].sum()), "recall": found.recall[label]}
            recalls.append({"task": task, "class": label} | counts | called)
        probabilities, labels = probabilities_of(table, task, space)
        calibration.append(
            {
                "task": task,
                "n": len(labels),
                "confidence": probabilities.max(axis=1).mean(),
                "acc": found.acc,
                "ece": expected_calibration_error(probabilities, labels),
                "nll": negative_log_likelihood(probabilities, labels),
            }
        )
        for column, title in GROUPINGS.items():
            if column in rows.columns and column != task:
                by = grouped([table], task, space, rows[column].dropna().astype(str), rows["speaker"])
                kept = by[by["metric"].isin(("acc", "bacc"))]
                groups.append(kept.assign(task=task, grouping=title)[["task", "grouping", *kept.columns]])
    return Evaluation(
        corpus,
        trained,
        table,
        pd.DataFrame(metrics),
        speakers_in_words(rows.loc[table["id"], "speaker"]),
        pd.DataFrame(recalls),
        pd.concat(groups, ignore_index=True) if groups else pd.DataFrame(),
        pd.DataFrame(calibration),
        plan.skipped,
        plan.partial,
    )


def as_trained(corpus: Corpus, choice: CorpusView, progress: Progress, split: Path | None) -> Corpus:
    """The corpus as a model's recipe looks at it, be it the run's own or another; what that changes is said.

    What another corpus cannot have is left as it is, and said. Raises AffuseError where a split of the run's own is
    asked for and the corpus cannot have all: the answers would not be the run's.
    """
    lacks = lacking(corpus, choice)
    for name, cause in lacks.items():
        if split is not None:
            raise AffuseError(
                f"The model's recipe has corpus.{name}, and {cause}; name the corpus that the run was trained on, or "
                "leave --split out."
            )
        progress.say(f"The model's recipe has corpus.{name}, which is not applied: {cause}.")
    possible = choice.model_copy(update={name: CorpusView.model_fields[name].default for name in lacks})
    viewed, notes = view(corpus, possible)
    for note in notes:
        progress.say(f"As the model's recipe has it: {note}")
    return viewed


def _given(recipe: Recipe, modalities: Sequence[str] | None) -> Recipe:
    """The recipe with only these modalities."""
    if modalities is None:
        return recipe
    for name in modalities:
        if name not in recipe.modalities:
            raise AffuseError(f"{unknown(name, list(recipe.modalities), 'modalities of this model')}.")
    if not modalities:
        raise AffuseError(f"Name at least one modality of {', '.join(recipe.modalities)}.")
    kept = {name: part for name, part in recipe.modalities.items() if name in modalities}
    return recipe.model_copy(update={"modalities": kept})


def of_role(ids: list[str], split: Path, role: str) -> list[str]:
    """Those ids that have this role in a run's split.csv; AffuseError where the file or the role is not there."""
    if not split.is_file():
        raise AffuseError(f"There is no split file {split}; a run folder holds {SPLIT}.")
    table = read_table(split).table
    if not {"id", "role"} <= set(table.columns):
        raise AffuseError(f"{split} is no split table: it needs the columns id, fold and role.")
    wanted = set(table[table["role"] == role]["id"])
    if not wanted:
        raise AffuseError(
            f"{split} has no utterance with the role {role!r}; it has {listed(sorted(set(table['role'].dropna())))}."
        )
    return [id for id in ids if id in wanted]
