"""The tables of finished runs while one report is made: each file is read when it is first asked for, and once."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.training.runfolder import RunFolder


class RunTables:
    """What a finished run's folder holds. Nobody changes the tables: they are shared.

    Args:
        folder: The run's folder.
    """

    def __init__(self, folder: Path) -> None:
        self._files = RunFolder(folder)

    @cached_property
    def predictions(self) -> pd.DataFrame:
        """Validation and test part."""
        return self._files.predictions()

    @cached_property
    def test(self) -> pd.DataFrame:
        """Its test predictions."""
        return self._of("test")

    @cached_property
    def validation(self) -> pd.DataFrame:
        """Its validation predictions; no rows where the protocol has none."""
        return self._of("validation")

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """``metrics.csv``, a row per epoch; empty where the run is of an older kind."""
        return self._files.metrics()

    @cached_property
    def split(self) -> pd.DataFrame:
        """``split.csv``; empty where there is no such file."""
        return self._files.split()

    @cached_property
    def votes(self) -> pd.DataFrame:
        """What raters said of the test part; empty where the corpus kept no votes, or the run is of before."""
        return self._files.votes()

    @cached_property
    def recipe_fields(self) -> dict[str, Any]:
        """``recipe.yaml`` by sections; empty where there is none."""
        return self._files.recipe_fields()

    @cached_property
    def embeddings(self) -> tuple[list[str], Any] | None:
        """Ids and (n, width) of the test part; None where the run is from before they were kept."""
        return self._files.embeddings()

    def _of(self, role: str) -> pd.DataFrame:
        return self.predictions[self.predictions["role"] == role]


class ReadRuns:
    """The runs of one report by folder, so that its parts share what one of them has read.

    Made when a report begins and dropped when it is written: a later report reads the files again.

    Examples:
        >>> runs = ReadRuns()
        >>> runs.of(Path("runs/one")) is runs.of(Path("runs/one"))
        True
    """

    def __init__(self) -> None:
        self._found: dict[Path, RunTables] = {}

    def of(self, folder: Path) -> RunTables:
        """The run in a folder; nothing is read yet."""
        if folder not in self._found:
            self._found[folder] = RunTables(folder)
        return self._found[folder]
