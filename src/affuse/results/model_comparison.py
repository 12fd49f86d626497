"""What ``affuse.compare_models`` found: models that are trained already, on one corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.evaluation.dimensions import DIMENSION_METRICS
from affuse.evaluation.measures import SHOWN
from affuse.evaluation.side_by_side import SideBySide
from affuse.files import write_csv, write_text
from affuse.models.licences import Licences
from affuse.names import counted
from affuse.reports.blocks import Cell, Section, Table
from affuse.reports.render.html import to_html
from affuse.reports.render.markdown import to_markdown
from affuse.reports.sections.licences import licences_section
from affuse.results.display import as_html, decimals, shown
from affuse.training.comparison_folder import PAGE, RESULTS, RESULTS_TEXT, STATISTICS

if TYPE_CHECKING:
    import pandas as pd

PAIRED = STATISTICS["paired_tests"]
FILES = (RESULTS, RESULTS_TEXT, PAGE, PAIRED)


@dataclass(frozen=True)
class ModelComparison(SideBySide):
    """Models measured on the same utterances of a corpus, and every pair of them tested.

    Args:
        corpus: Its title.
        folder: Where the tables were written; None: nowhere.
        said: What was left out or changed before measuring, in sentences.
        licences: Model -> the licences of its parts.
    """

    corpus: str = ""
    folder: Path | None = None
    said: tuple[str, ...] = ()
    licences: Mapping[str, Licences] = field(default_factory=dict[str, Licences])

    def to_frame(self) -> pd.DataFrame:
        """The metrics: model, task, metric, value, low, high, n, speakers."""
        return self.metrics.copy()

    def summary(self) -> pd.DataFrame:
        """A line per task and model, for reading."""
        import pandas as pd

        lines: list[dict[str, Any]] = []
        for (task, model), group in self.metrics.groupby(["task", "model"], sort=False):  # type: ignore[misc]
            of = {row["metric"]: row for row in group.to_dict("records")}
            cells = {
                name: shown(str(name), row["value"], row["low"], row["high"]) for name, row in of.items()
            }
            if "ccc" in of:
                titles = {f"{title} [95 %]": cells[name] for name, title in DIMENSION_METRICS.items()}
                about = {"n": of["ccc"]["n"], "speakers": of["ccc"]["speakers"]}
                lines.append({"task": task, "model": model, **titles, **about})
                continue
            lines.append({
                "task": task, "model": model, "ACC (WA) [95 %]": cells["acc"], "BACC (UA) [95 %]": cells["bacc"],
                "macro F1": cells["macro_f1"], "ECE": decimals(of["ece"]["value"]), "n": of["acc"]["n"],
                "speakers": of["acc"]["speakers"],
            })  # fmt: skip
        table = pd.DataFrame(lines)
        return table.fillna("") if self.ranges else table

    def pairs(self) -> pd.DataFrame:
        """A line per task, metric and pair, for reading: the difference (of shares in points) and the p values."""
        import pandas as pd

        title = "difference [95 %]" if self.ranges else "points [95 %]"
        lines = [
            {
                "task": row["task"], "metric": SHOWN[str(row["metric"])].name,
                "pair": f"{row['model']} - {row['reference']}",
                title: shown(str(row["metric"]), row["difference"], row["low"], row["high"]),
                "p": _p(row["p"]), "p (Holm)": _p(row["p_holm"]),
            }
            for row in self.differences.to_dict("records")
        ]  # fmt: skip
        return pd.DataFrame(lines)

    @property
    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        """Titles and tables for reading."""
        told = "; ".join(
            [
                *(f"{task} among {', '.join(names)}" for task, names in self.classes.items()),
                *(f"{task} from {low:g} to {high:g}" for task, (low, high) in self.ranges.items()),
            ]
        )
        return [
            (f"{self.corpus}: {told}", self.summary()),
            ("Every pair on the same utterances, by bootstrap over speakers", self.pairs()),
        ]

    def __repr__(self) -> str:
        models = self.metrics["model"].nunique()
        return f"ModelComparison({self.corpus!r}, {counted(models, 'model')})"

    def _repr_html_(self) -> str:
        tables = [table for _, table in self.tables]
        return as_html(self.tables[0][0], tables, [*self.said, *self.notes])


def write_model_comparison(found: ModelComparison, folder: Path) -> None:
    """Write the tables as CSV, and what is printed as ``results.md`` and ``report.html``."""
    write_csv(folder / RESULTS, found.metrics)
    write_csv(folder / PAIRED, found.differences)
    sections = [
        Section(title, [Table(list(map(str, table.columns)), [_cells(row) for row in table.values.tolist()])])
        for title, table in found.tables
    ]
    if found.licences:
        sections.append(licences_section({name: of.parts for name, of in found.licences.items()}, "models"))
    title = f"Models compared on {found.corpus}"
    lead = (
        f"{counted(int(found.metrics['n'].max()), 'utterance')}, the same of every model."
        if len(found.metrics)
        else ""
    )
    notes = [*found.notes, *found.said]
    write_text(folder / RESULTS_TEXT, to_markdown(title, lead, notes, sections))
    write_text(folder / PAGE, to_html(title, lead, notes, sections))


def _cells(row: list[Any]) -> list[Cell]:
    return [Cell(str(value)) for value in row]


def _p(value: float) -> str:
    return "" if value != value else f"{value:.3f}"
