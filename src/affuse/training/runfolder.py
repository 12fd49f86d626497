"""A run folder: what its files are called, and the one place where they are written and read.

====================== =================================================================================
environment.json       what the numbers depend on besides the recipe; written first, it marks the folder
recipe.yaml            the recipe with every field, as it was run
split.csv              id, fold and role of the run's fold
skipped.csv            clips that were not used, or only in part, with their causes
metrics.csv            a row per epoch
votes.csv              what raters said of the test part, where the corpus keeps it
predictions.csv        validation and test part: label, answer and probabilities of every task
subset_predictions.csv the test part from every subset of the modalities, where it was asked for
embeddings.npz         the test part's embeddings
model/                 the model folder (``models.index``), where it was kept
state/last.ckpt        what a training by Lightning goes on from where it was interrupted; removed at the end
state/last.safetensors the same of a run of a stack
results.json           the result; written last, so a folder that has it is finished
====================== =================================================================================
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError, argument
from affuse.failures import SKIPPED
from affuse.files import read_csv, write_csv, write_json, write_text
from affuse.files.outputs import is_empty
from affuse.files.yaml_text import read_yaml_file
from affuse.models.index import IN_RUN, INDEX
from affuse.recipe.overrides import TEXTS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from affuse.recipe import Recipe

ENVIRONMENT = "environment.json"
RECIPE = "recipe.yaml"
SPLIT = "split.csv"
METRICS = "metrics.csv"
PREDICTIONS = "predictions.csv"
VOTES = "votes.csv"
SUBSET_PREDICTIONS = "subset_predictions.csv"
EMBEDDINGS = "embeddings.npz"
STATE = "state/last.ckpt"
STACKED_STATE = "state/last.safetensors"
RESULTS = "results.json"
BASELINE = "baseline.txt"  # of a baseline's run, which has no recipe: what it is, in words


@dataclass(frozen=True)
class RunResult:
    """What a finished run folder says in ``results.json``.

    Args:
        folder: the run folder.
        fold: the fold that was trained and tested.
        seed: the recipe's seed.
        best_epoch: the epoch whose weights were kept, from 1; 0 of a baseline, which has no epochs.
        epochs: how many were trained.
        metrics: task -> acc, bacc, macro_f1, weighted_f1 (0 to 1), recall, confusion and n on the test part.
        key: digest of all that the result depends on (``Experiment.key``).
        utterances: role -> how many.
        parameters: how many were trained; None where an older affuse did not say.
        seconds: since the training was last begun or resumed.
        finished: the day, as 2026-01-31.
        stamp: "speaker-dependent" where speakers of the test part are heard in training, else "".
        on_test: what was chosen or trained on the test part, "" where it was left alone.
        training: why the numbers say little of the method, in a sentence; "" where the network trained.
        last_epoch: the last row of ``metrics.csv``.
        c: task -> the chosen penalty of a baseline.
    """

    folder: Path
    fold: int
    seed: int
    best_epoch: int
    epochs: int
    metrics: dict[str, dict[str, Any]]
    key: str = ""
    utterances: dict[str, int] = field(default_factory=dict[str, int])
    parameters: int | None = None
    seconds: float | None = None
    finished: str = ""
    stamp: str = ""
    on_test: str = ""
    training: str = ""
    last_epoch: dict[str, float] = field(default_factory=dict[str, float])
    c: dict[str, float] = field(default_factory=dict[str, float])

    @classmethod
    def of(cls, folder: Path, recorded: Mapping[str, Any]) -> RunResult:
        """From the content of ``results.json``; what a later affuse added to it is passed over."""
        known = {one.name for one in fields(cls)} - {"folder"}
        return cls(folder, **{name: value for name, value in recorded.items() if name in known})

    def recorded(self) -> dict[str, Any]:
        """The content of ``results.json``."""
        values = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "folder"}
        return {name: value for name, value in values.items() if name != "c" or value}


class RunFolder:
    """One run folder, whether it exists or not. Files are written atomically, and read again each time.

    Args:
        path: the folder.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __repr__(self) -> str:
        return f"RunFolder({str(self.path)!r})"

    # what is there

    @property
    def begun(self) -> bool:
        """Whether it is a run's folder at all, finished or not."""
        return (self.path / ENVIRONMENT).is_file()

    @property
    def finished(self) -> bool:
        """Whether the run has its result."""
        return (self.path / RESULTS).is_file()

    @property
    def model(self) -> Path:
        """Its model folder, which need not be there (``has_model``)."""
        return self.path / IN_RUN

    @property
    def has_model(self) -> bool:
        """Whether the model was kept."""
        return (self.model / INDEX).is_file()

    @property
    def has_predictions(self) -> bool:
        """Whether validation and test part were predicted."""
        return (self.path / PREDICTIONS).is_file()

    @property
    def has_embeddings(self) -> bool:
        """Whether the test part's embeddings were kept."""
        return (self.path / EMBEDDINGS).is_file()

    @property
    def has_subsets(self) -> bool:
        """Whether the test part was predicted from every subset of the modalities."""
        return (self.path / SUBSET_PREDICTIONS).is_file()

    @property
    def state(self) -> Path:
        """The file that an interrupted training by Lightning goes on from."""
        return self.path / STATE

    @property
    def stacked_state(self) -> Path:
        """The file that an interrupted run of a stack goes on from."""
        return self.path / STACKED_STATE

    @property
    def has_state(self) -> bool:
        """Whether a training was interrupted here and goes on."""
        return self.state.is_file() or self.stacked_state.is_file()

    @property
    def skipped_file(self) -> Path:
        """``skipped.csv``, for messages that name it."""
        return self.path / SKIPPED

    @property
    def split_file(self) -> Path:
        """``split.csv``, for what takes a split as a file."""
        return self.path / SPLIT

    def check_writable(self) -> None:
        """Raise AffuseError if this cannot be a run folder: it holds something else, or is below a file."""
        out = self.path
        place = next(folder for folder in (out, *out.absolute().parents) if folder.exists())
        if not place.is_dir():
            raise AffuseError(
                f"{out} cannot be written: {place} is a file; choose another {argument('out')}."
            )
        if place == out and not is_empty(out) and not self.begun:
            raise AffuseError(
                f"{out} holds something other than a run; choose a new folder for {argument('out')}."
            )

    # reading

    def result(self, key: str | None = None) -> RunResult | None:
        """The result of a finished run; None if it is not finished.

        Args:
            key: what the run's key must be (``Experiment.key``); None: any.

        Raises:
            AffuseError: if the folder holds another run, finished or not.
        """
        if self.finished:
            recorded = self.recorded()
            if key is not None and recorded["key"] != key:
                raise AffuseError(
                    f"{self.path} holds a finished run of another recipe, corpus, split or seed; choose another "
                    f"{argument('out')}."
                )
            return RunResult.of(self.path, recorded)
        if key is not None and self.begun and self.environment()["key"] != key:
            raise AffuseError(
                f"{self.path} holds an unfinished run of another recipe, corpus, split or seed; remove it or choose "
                f"another {argument('out')}."
            )
        return None

    def recorded(self) -> dict[str, Any]:
        """``results.json`` as it is, of whatever age; empty where the run is not finished."""
        return self._json(RESULTS)

    def environment(self) -> dict[str, Any]:
        """What the numbers depend on besides the recipe; empty where the run was not begun."""
        return self._json(ENVIRONMENT)

    def recipe(self) -> Recipe:
        """The recipe as it was run. Raises AffuseError where there is none, or it is not this affuse's."""
        from affuse.recipe import Recipe

        return Recipe.load(self.path / RECIPE)

    def recipe_fields(self) -> dict[str, Any]:
        """``recipe.yaml`` by sections, unchecked, so that older runs can be read; empty where there is none."""
        path = self.path / RECIPE
        return (read_yaml_file(path, TEXTS) or {}) if path.is_file() else {}

    def split(self) -> pd.DataFrame:
        """Columns id, fold and role, and the speaker where the corpus has speakers; empty where there is no file."""
        return self._table(SPLIT)

    def metrics(self) -> pd.DataFrame:
        """A row per epoch; empty where the run has none (a baseline)."""
        return self._table(METRICS, numbers=True)

    def skipped(self) -> pd.DataFrame:
        """Columns id, modality, cause and used (no, in part)."""
        return self._table(SKIPPED)

    def predictions(self, role: str | None = None) -> pd.DataFrame:
        """The prediction table (``evaluation.predictions``), of one role or of all."""
        return self._predictions(PREDICTIONS, role)

    def subset_predictions(self, role: str | None = "test") -> pd.DataFrame:
        """As ``predictions``; the column ``modalities`` ("audio+text") names the subset."""
        return self._predictions(SUBSET_PREDICTIONS, role)

    def embeddings(self) -> tuple[list[str], np.ndarray] | None:
        """Ids and (n, width) float32 of the test part; None where they were not kept."""
        from affuse.training.embeddings import read_embeddings

        path = self.path / EMBEDDINGS
        return read_embeddings(path) if path.is_file() else None

    def votes(self) -> pd.DataFrame:
        """Columns id, task, answer (a label, or a rating as text) and count; empty where there is no file."""
        found = self._table(VOTES)
        return found.astype({"count": int}) if len(found) else found

    # writing

    def write_environment(self, environment: Mapping[str, Any]) -> None:
        """The first file of a run: it makes the folder, and marks it as a run's."""
        write_json(self.path / ENVIRONMENT, dict(environment))

    def write_recipe(self, recipe: Recipe) -> None:
        """Every field, defaults included."""
        write_text(self.path / RECIPE, recipe.to_yaml())

    def write_baseline(self, description: str) -> None:
        """What stands in the recipe's place where no network was trained."""
        write_text(self.path / BASELINE, description + "\n")

    def write_split(self, table: pd.DataFrame) -> None:
        """The rows of the run's fold."""
        write_csv(self.path / SPLIT, table)

    def write_skipped(self, table: pd.DataFrame) -> None:
        """See ``experiment.skipped_table``."""
        write_csv(self.path / SKIPPED, table)

    def write_metrics(self, history: Sequence[Mapping[str, float]]) -> None:
        """A row per epoch."""
        import pandas as pd

        write_csv(self.path / METRICS, pd.DataFrame(list(history)))

    def write_predictions(self, table: pd.DataFrame) -> None:
        """Validation and test part, one after another."""
        write_csv(self.path / PREDICTIONS, table)

    def write_votes(self, table: pd.DataFrame) -> None:
        """See ``votes``; where nobody voted there is no file, nor that of an earlier training."""
        if len(table):
            write_csv(self.path / VOTES, table)
        else:
            (self.path / VOTES).unlink(missing_ok=True)

    def write_subset_predictions(self, table: pd.DataFrame) -> None:
        """The test part of every subset, one after another."""
        write_csv(self.path / SUBSET_PREDICTIONS, table)

    def write_embeddings(self, ids: Sequence[str], embedding: np.ndarray) -> None:
        """Ids (n,) and embedding (n, width) of the test part."""
        from affuse.training.embeddings import write_embeddings

        write_embeddings(self.path / EMBEDDINGS, ids, embedding)

    def write_result(self, result: RunResult) -> None:
        """The last file of a run: with it the folder is finished, and what it would go on from is taken away.

        In this order: on a full disk the training is not lost.
        """
        write_json(self.path / RESULTS, result.recorded())
        self.state.unlink(missing_ok=True)
        self.stacked_state.unlink(missing_ok=True)

    def _json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}

    def _table(self, name: str, numbers: bool = False) -> pd.DataFrame:
        import pandas as pd

        path = self.path / name
        return read_csv(path, lambda _: numbers) if path.is_file() else pd.DataFrame()

    def _predictions(self, name: str, role: str | None) -> pd.DataFrame:
        """Raises OSError where there is no such file. Text stays text: an id may look like a number."""
        import pandas as pd

        table = read_csv(self.path / name)
        for column in table.columns:
            if column == "fold":
                table[column] = table[column].astype(int)
            elif any(f"{task}_predicted" in table.columns for task in _tasks_of(column)):
                table[column] = pd.to_numeric(table[column]).astype(float)  # votes may be blank
        return table if role is None else table[table["role"] == role]


def _tasks_of(column: str) -> list[str]:
    """The tasks of which ``column`` may be a class's probability or its votes: <task>_p_<class>."""
    found: list[str] = []
    for between in ("_p_", "_votes_"):
        parts = column.split(between)
        found += [between.join(parts[:i]) for i in range(1, len(parts))]
    return found
