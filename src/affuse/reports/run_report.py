"""What the page of one run is made from, read once from its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.errors import AffuseError
from affuse.evaluation.measurement import Measurement, measure_predictions
from affuse.evaluation.measures import Measure, measures_of
from affuse.recipe import Recipe
from affuse.reports.tables.calibration import calibration_tables
from affuse.reports.tables.mistakes import mistakes
from affuse.reports.tables.raters import rater_table
from affuse.reports.tables.rows import Row, Run
from affuse.reports.tables.utterances import read_utterances
from affuse.training.comparison_folder import UTTERANCES, is_comparison
from affuse.training.convergence import training_in_words
from affuse.training.inputs import reads_text
from affuse.training.runfolder import RunFolder


@dataclass(frozen=True)
class RunReport:
    """A finished run's folder, read. Nothing is written.

    Args:
        folder: The run's folder.
        recipe: As it was run.
        environment: ``environment.json``: versions, corpus, split and what the recipe's view of the corpus changed.
        row: The run as a table's only row.
        spaces: Task -> its classes, of the tasks that the run was trained for.
        utterances: Indexed by id: speaker and, where known, gender, scenario, clip.
        measured: Its answers on the test part.
        calibration: ``tables.calibration.calibration_tables`` of all tasks.
        training: Why the numbers say little of the method, and what to try; "" where the network trained, and of a run
            without epochs.
        mistakes: ``tables.mistakes.mistakes`` of all tasks.
        raters: ``tables.raters.rater_table`` of all tasks.
        skipped: Utterances that could not be read: id, modality, cause.
    """

    folder: Path
    recipe: Recipe
    environment: dict[str, Any]
    row: Row
    spaces: dict[str, list[str]]
    utterances: pd.DataFrame
    measured: Measurement
    calibration: tuple[pd.DataFrame, pd.DataFrame]
    training: str
    mistakes: pd.DataFrame
    raters: pd.DataFrame
    skipped: pd.DataFrame

    @property
    def run(self) -> Run:
        """The run itself."""
        return self.row.runs[0]

    @property
    def reads_text(self) -> bool:
        """Whether the model reads words."""
        return reads_text(self.recipe)

    @classmethod
    def read(cls, folder: str | Path) -> RunReport:
        """From a run's folder alone. Raises AffuseError where it is no run, or is not finished."""
        files = RunFolder(folder)
        recorded, environment = _finished(files), files.environment()
        recipe = files.recipe()
        run = Run(files.path, int(recorded["fold"]), int(recorded["seed"]), recorded)
        settings = {"recipe": recipe.name, "loss": "this run"}
        on_test = str(recorded.get("on_test") or "")
        stamp = str(environment.get("stamp") or "")
        modalities = tuple(recipe.modalities)
        row = Row(settings, modalities, str(environment.get("split_hash") or ""), on_test, [run], stamp)
        spaces = {task: classes for task in recipe.classified if (classes := _classes(run.test, task))}
        utterances = _utterances(files)
        label_sets = {
            task: labels
            for task in recipe.label_sets
            if (labels := _names(run.test, task)) and task in run.test
        }
        measures = measures_of(spaces, list(recipe.dimensions), label_sets)
        calibrated = [calibration_tables([row], task, space) for task, space in spaces.items()]
        return cls(
            files.path,
            recipe,
            environment,
            row,
            spaces,
            utterances,
            measure_predictions(run.test, spaces, utterances, list(recipe.dimensions), label_sets),
            (_joined([one for one, _ in calibrated]), _joined([curve for _, curve in calibrated])),
            _training(files, recorded, recipe, measures),
            _joined([mistakes([row], task, space, utterances) for task, space in spaces.items()]),
            _joined([rater_table([row], one, utterances["speaker"]) for one in measures.values()]),
            files.skipped(),
        )


def _finished(files: RunFolder) -> dict[str, Any]:
    """The result. Raises AffuseError where there is none, or it is damaged."""
    if not files.begun:
        raise AffuseError(
            f"{files.path} is not the folder of a run; name one that a training was written into."
        )
    if not files.finished:
        raise AffuseError(
            f"The run in {files.path} is not finished; train it again: it goes on where it was."
        )
    recorded: dict[str, Any] = {}
    try:
        recorded = files.recorded()
        whole = {"fold", "seed"} <= set(recorded)
    except (ValueError, TypeError):
        whole = False
    if not whole:
        raise AffuseError(f"The result in {files.path} is damaged; train the run again in a new folder.")
    return recorded


def _training(
    files: RunFolder, recorded: Mapping[str, Any], recipe: Recipe, measures: Mapping[str, Measure]
) -> str:
    """As the run has it; a run of an affuse that did not look is looked at now."""
    history = files.metrics()
    if "training" in recorded or not len(history):
        return str(recorded.get("training") or "")
    return training_in_words(
        history, int(recorded["best_epoch"]), recipe.training, files.predictions(), measures.values()
    )


def _classes(predictions: pd.DataFrame, task: str) -> list[str]:
    """In the order of the label space; none where no test utterance has a label of the task."""
    classes = _names(predictions, task)
    return classes if classes and predictions[task].isin(classes).any() else []


def _names(predictions: pd.DataFrame, task: str) -> list[str]:
    """The classes or labels that a prediction table has probabilities of."""
    prefix = f"{task}_p_"
    return [name.removeprefix(prefix) for name in predictions.columns if name.startswith(prefix)]


def _utterances(files: RunFolder) -> pd.DataFrame:
    """Of the run's own utterances.csv, its comparison's, or its split, which knows the speakers alone."""
    above = files.path.absolute().parents
    places = [files.path, *(above[2:3] if len(above) > 2 and is_comparison(above[2]) else ())]
    for place in places:
        if (place / UTTERANCES).is_file():
            found = read_utterances(place)
            return found if place == files.path or "clip" not in found.columns else _links_from(found, 3)
    split = files.split()
    if "speaker" not in split.columns:
        return read_utterances(files.path)
    found = split.drop_duplicates("id").set_index("id")[["speaker"]]
    return found.mask(found == "")


def _links_from(utterances: pd.DataFrame, below: int) -> pd.DataFrame:
    """The clips' links as seen from a folder so many levels below."""
    up = "../" * below
    return utterances.assign(
        clip=[
            link if not isinstance(link, str) or ":" in link.partition("#")[0] else up + link
            for link in utterances["clip"]
        ]
    )


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame()
