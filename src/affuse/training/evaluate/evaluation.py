"""A trained model measured on a corpus: predictions, metrics with intervals, recall, gaps, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from affuse.errors import AffuseError
from affuse.evaluation.human_ceiling import measure_model, measure_raters, rater_line
from affuse.evaluation.intervals import MEASURES
from affuse.evaluation.measurement import measure_predictions
from affuse.evaluation.measures import ClassMeasure, Measure, measures_of
from affuse.parts.registry import unknown
from affuse.progress import Heard
from affuse.training.evaluate.selection import open_selection, select_utterances
from affuse.training.prediction import predict_table
from affuse.training.raters import said_by_raters

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.label_map import NamedMap
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.recipe import Recipe
    from affuse.training.cache import FeatureCache
    from affuse.training.features import Skipped


@dataclass
class Evaluation:
    """What ``evaluate_model`` found; shares are 0 to 1.

    Args:
        corpus: As it was looked at.
        trained: Whether some of the utterances trained the model or chose its epoch.
        predictions: The prediction table; its column role is the utterance's in the model's training, or all.
        metrics: Task, metric, value, low, high, n, speakers; a regression's metrics are ccc, pearson, rmse and mae,
            those of several labels macro_f1, micro_f1, map and ``f1 <label>``.
        notes: What the intervals cannot know of the speakers, in sentences.
        recalls: Task, class, n, recall, ``called <class>`` ...
        groups: Task, grouping (gender, dialog type), group, metric, value, low, high, n, speakers, p.
        calibration: Task, n, confidence, acc, ece, nll.
        skipped: Clips that could not be used.
        partial: Clips that were used as far as they could be decoded.
        raters: A line per task whose raters' votes the corpus keeps: their agreement, one rater against the others, and
            the model on the same utterances; see ``human_ceiling.rater_line``.
    """

    corpus: Corpus
    trained: bool
    predictions: pd.DataFrame
    metrics: pd.DataFrame
    notes: list[str]
    recalls: pd.DataFrame
    groups: pd.DataFrame
    calibration: pd.DataFrame
    skipped: list[Skipped]
    partial: list[Skipped]
    raters: pd.DataFrame = field(default_factory=pd.DataFrame)


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
    labels: NamedMap | None = None,
) -> Evaluation:
    """Predict the labelled utterances that had no part in training the model, and measure.

    Args:
        model: In evaluation mode afterwards.
        corpus: Looked at as the model's recipe looks at its own; labels outside the model's classes count as blank.
        cache: Of features.
        progress: Reports features, and what was left out.
        device: cpu or cuda.
        split: A run's ``split.csv``: by this table one role is measured, test where none is named.
        role: Only the utterances of one role (train, validation, test) in the model's training, or all.
        modalities: Those that the model is given; None: all of its own. The others are neither read nor encoded, but
            masked.
        run: The model's folder, for models that do not keep what they have seen.
        labels: The corpus's labels -> the model's; those that are not named are told by the vocabulary.

    Raises:
        AffuseError: For a modality that the model does not have, for labels that are not the model's, and if nothing
            is left.
    """
    recipe = _given(model.recipe, modalities)
    chosen = select_utterances(model, corpus, progress, split=split, role=role, run=run, labels=labels)
    # how fast clips were encoded is nothing that results keep: they would differ from run to run
    reporting = progress.unheard if isinstance(progress, Heard) else progress
    clips, plan = open_selection(model, recipe, chosen, cache, reporting, device)
    table = predict_table(model, clips, "all", 0, model.recipe.training.batch_size, device)
    table["role"] = table["id"].map(chosen.roles)
    spaces = {task: space for task, space in model.label_spaces.items() if task not in chosen.unfit}
    dimensions = list(model.dimensions)
    utterances = chosen.labelled.table.set_index("id")
    found = measure_predictions(table, spaces, utterances, dimensions, model.label_sets)
    return Evaluation(
        corpus=chosen.corpus,
        trained=chosen.trained,
        predictions=table,
        metrics=found.metrics,
        notes=[*found.notes, *_of_groups(found.groups)],
        recalls=found.recalls,
        groups=found.groups,
        calibration=found.calibration,
        skipped=plan.skipped,
        partial=plan.partial,
        raters=_raters(chosen.corpus, recipe, table, measures_of(spaces, dimensions)),
    )


def _of_groups(groups: pd.DataFrame) -> list[str]:
    """Why lines of some groups have no interval; of a corpus of one speaker that is said already."""
    parts = groups[groups["metric"].isin(list(MEASURES))] if len(groups) else groups
    if not len(parts) or parts["speakers"].max() < 2 or (parts["speakers"] > 1).all():
        return []
    return ["A group of one speaker has no interval, nor has a gap to it."]


def _raters(
    corpus: Corpus, recipe: Recipe, table: pd.DataFrame, measures: Mapping[str, Measure]
) -> pd.DataFrame:
    spaces = {task: one.space for task, one in measures.items() if isinstance(one, ClassMeasure)}
    said = said_by_raters(corpus, recipe, spaces)
    speakers = corpus.table.set_index("id")["speaker"]
    lines: list[dict[str, object]] = []
    for task, measure in measures.items():
        raters = measure_raters(said, measure, table, speakers)
        if raters is not None:
            lines.append(
                {"task": task, **rater_line(raters, measure_model(raters, measure, [table], speakers))}
            )
    return pd.DataFrame(lines)


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
