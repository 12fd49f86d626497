"""Trained models measured on one corpus, their classes brought under common names, and compared."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from affuse.corpora.vocabulary import canonical
from affuse.evaluation.side_by_side import SideBySide, side_by_side
from affuse.progress import Heard
from affuse.recipe.kinds import refuse_kinds
from affuse.training.evaluate.evaluation import evaluate_model

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.training.cache import FeatureCache


def compare_trained(
    models: Mapping[str, tuple[Model, Path | None]],
    corpus: Corpus,
    cache: FeatureCache,
    progress: Progress,
    device: str = "cpu",
) -> tuple[SideBySide, list[str]]:
    """Measure each model, and compare them on the utterances that none of them was trained on.

    Args:
        models: Name -> (the model, its folder where it has one).
        corpus: Whose labels say what is right.
        cache: Of features.
        progress: Reports features.
        device: cpu or cuda.

    Returns:
        What was found, and what was left out or changed for each model, in sentences.

    Raises:
        AffuseError: As ``evaluate_model``.
    """
    tables: dict[str, pd.DataFrame] = {}
    spaces: dict[str, dict[str, list[str]]] = {}
    said: list[str] = []
    for model, _ in models.values():
        refuse_kinds("compared side by side", multilabel=model.label_sets)
    ranges: dict[str, dict[str, tuple[float, float]]] = {}
    for name, (model, folder) in models.items():
        heard = Heard(progress)
        found = evaluate_model(model, corpus, cache, heard, device, run=folder)
        said += [f"{name}: {sentence}" for sentence in heard.sentences]
        tables[name] = found.predictions.copy()
        measured = set(found.metrics["task"])
        spaces[name] = {}
        ranges[name] = {
            task: (low, high) for task, (low, high) in model.dimensions.items() if task in measured
        }
        for task, space in model.label_spaces.items():
            if task in measured:
                names = {label: canonical(label, task) or label for label in space}
                if len(set(names.values())) < len(space):  # two that mean one: they stay as they are
                    names = {label: label for label in space}
                spaces[name][task] = list(names.values())
                tables[name] = tables[name].rename(
                    columns={f"{task}_p_{a}": f"{task}_p_{b}" for a, b in names.items()}
                )
                for column in (task, f"{task}_predicted"):
                    tables[name][column] = tables[name][column].replace(names)
    people = corpus.table.set_index("id")
    if "speaker" not in people.columns:
        people = people.assign(speaker=None)
    return side_by_side(tables, spaces, people, ranges), said
