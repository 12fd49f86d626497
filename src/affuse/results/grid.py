"""A comparison: recipes, losses, seeds and folds beside each other."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from affuse.arguments import checked
from affuse.failures import SKIPPED
from affuse.names import counted
from affuse.results.display import as_html
from affuse.results.grid_tables import note, other_tables, result_tables
from affuse.results.run import Run

if TYPE_CHECKING:
    import pandas as pd

    from affuse.reports.report import Report


class Failure(NamedTuple):
    """A run that failed: its folder, and why."""

    run: Path
    cause: str


class Grid:
    """A comparison's folder; ``affuse.compare`` gives one, and ``Grid.load`` opens one again.

    Args:
        folder: The comparison's folder.
        report: Its content, where it has been read already.

    Examples:
        >>> import affuse
        >>> grid = affuse.Grid.load("runs/grid")  # doctest: +SKIP
        >>> grid.to_frame().query("metric == 'bacc'")[["loss", "value", "low", "high"]]  # doctest: +SKIP
    """

    def __init__(self, folder: str | Path, report: Report | None = None) -> None:
        from affuse.reports.record import read_record

        self.folder = Path(folder)
        self._record = report.record if report else read_record(self.folder)
        if report is not None:
            self._report = report

    @classmethod
    @checked
    def load(cls, folder: str | Path) -> Grid:
        """Open the folder of a comparison that has ended. Raises AffuseError where it is none."""
        return cls(folder)

    @cached_property
    def _report(self) -> Report:
        from affuse.reports.report import Report

        return Report.read(self.folder)

    @property
    def title(self) -> str:
        """Which corpus was compared on."""
        return f"{self._record['corpus']['title']}: comparison"

    def to_frame(self) -> pd.DataFrame:
        """``results.csv``: a row per row of the comparison, task and metric; shares 0 to 1, ratings as they are."""
        from affuse.reports.report import read_results

        return read_results(self.folder)

    @cached_property
    def verdict(self) -> list[str]:
        """What was found, what could have been, and what is not judged, in sentences by task."""
        from affuse.reports.sections.verdict import verdict_sentences

        return verdict_sentences(self._report)

    @property
    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        """Titles and tables for reading, numbers in percent as in a paper."""
        return [*result_tables(self._report), *other_tables(self._report)]

    @property
    def naming(self) -> list[str]:
        """The columns of the tables that name a row: recipe, loss, what was varied, modalities."""
        settings = dict.fromkeys(name for row in self._record["rows"] for name in row["settings"])
        return [*settings, "modalities"]

    @property
    def note(self) -> str:
        """What the numbers of the tables are."""
        return note(self._report)

    @property
    def notes(self) -> list[str]:
        """What was left out of the recipes or changed in the corpus before training, in sentences."""
        return list(dict.fromkeys(text for row in self._record["rows"] for text in row.get("view") or ()))

    @property
    def runs(self) -> list[Run]:
        """Every finished run of a network, in the order of the rows."""
        cells = (
            cell
            for row in self._record["rows"]
            if not row.get("baseline")
            for cell in row["cells"]
            if cell["finished"]
        )
        return [Run.load(self.folder / folder) for folder in dict.fromkeys(cell["folder"] for cell in cells)]

    @property
    def failed(self) -> list[Failure]:
        """Runs that failed, with the cause; rows that need them are left out of the tables."""
        return [Failure(self.folder / one["run"], one["cause"]) for one in self._record["failed"]]

    @property
    def skipped(self) -> pd.DataFrame:
        """``skipped.csv``: id, modality, cause, and whether the clip was not used or used in part."""
        from affuse.files import read_csv

        return read_csv(self.folder / SKIPPED)

    @checked
    def report(self, *, overwrite: bool = False) -> Path:
        """Write ``report.html``, ``report.md`` and ``tables.tex`` from what lies in the folder; give the page.

        Args:
            overwrite: Replace files that were edited since affuse wrote them.
        """
        from affuse.reports.pages.comparison import write_comparison_page
        from affuse.training.comparison_folder import comparison_outputs

        with comparison_outputs(self.folder, overwrite).writing():
            return write_comparison_page(self.folder, self._report)

    def __repr__(self) -> str:
        rows = counted(len(self._record["rows"]), "row")
        runs = {cell["folder"] for row in self._record["rows"] for cell in row["cells"]}
        failed = f", {len(self.failed)} failed" if self.failed else ""
        return f"Grid({str(self.folder)!r}, {rows}, {counted(len(runs), 'run')}{failed})"

    def _repr_html_(self) -> str:
        return as_html(
            self.title, [table for _, table in self.tables], [*self.verdict, *self.notes, self.note]
        )
