"""What ``affuse.evaluate`` found: a trained model on a corpus."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from affuse.arguments import checked
from affuse.evaluation.dimensions import DIMENSION_METRICS
from affuse.evaluation.label_sets import LABEL_SET_METRICS
from affuse.evaluation.measures import SHOWN
from affuse.names import counted
from affuse.results.display import as_html, decimals, percent, shown
from affuse.training.comparison_folder import PAGE
from affuse.training.evaluate import TABLES, write_evaluation
from affuse.training.evaluate import Evaluation as Tables
from affuse.training.experiment import skipped_table

if TYPE_CHECKING:
    import pandas as pd

FEW = 10  # utterances below which a class, a group or a bin of confidence holds too few to be looked at


@dataclass
class Evaluation(Tables):
    """A trained model measured on a corpus.

    Args:
        folder: Where its tables were written; None: nowhere.
        modalities: Those that the model was given; None: all of its own.
        model: What the model is called.
        said: What was left out or changed before measuring, in sentences.

    Its tables hold shares from 0 to 1: ``predictions``, ``metrics`` (task, metric, value, low, high, n, speakers),
    ``recalls`` by class, ``groups`` (by gender and dialog type, and the gaps) and ``calibration``; ``skipped`` and
    ``partial`` are clips that were not used, or only in part.
    """

    folder: Path | None = None
    modalities: tuple[str, ...] | None = None
    model: str = ""
    said: list[str] = field(default_factory=list[str])

    @property
    def title(self) -> str:
        """Which corpus was measured, from which modalities, and whether the model knew some of it."""
        only = "" if self.modalities is None else f" from {', '.join(self.modalities)} alone"
        return f"{self.corpus.info.title}{only}{', training utterances included' if self.trained else ''}"

    def to_frame(self) -> pd.DataFrame:
        """The metrics with their 95 % intervals over speakers: task, metric, value, low, high, n, speakers."""
        return self.metrics.copy()

    def summary(self) -> pd.DataFrame:
        """A line per task, for reading: ACC, BACC and F1 in percent with intervals, ECE and NLL, and n."""
        import pandas as pd

        lines: list[dict[str, Any]] = []
        for task, group in self.metrics.groupby("task", sort=False) if len(self.metrics) else ():
            of = {row["metric"]: row for row in group.to_dict("records")}
            if "ccc" in of:
                lines.append({"task": task, **_of_ratings(of)})
                continue
            if "map" in of:
                lines.append({"task": task, **_of_sets(of)})
                continue
            cells = {name: percent(row["value"], row["low"], row["high"]) for name, row in of.items()}
            line = {"task": task, "ACC (WA) [95 %]": cells["acc"], "BACC (UA) [95 %]": cells["bacc"]}
            line |= {"macro F1": cells["macro_f1"], "weighted F1": cells["weighted_f1"]}
            if not self.small:
                calibration = self.calibration[self.calibration["task"] == task].iloc[0]
                line |= {"ECE": decimals(calibration["ece"]), "NLL": decimals(calibration["nll"])}
            lines.append(line | {"n": of["acc"]["n"], "speakers": of["acc"]["speakers"]})
        table = pd.DataFrame(lines)
        return table.astype({"n": int, "speakers": int}).fillna("") if len(table) else table

    def recall_table(self) -> pd.DataFrame:
        """For reading: a line per class, its recall in percent and what its utterances were called."""
        table = self.recalls.copy()
        if len(table):
            table["recall"] = [percent(value) for value in table["recall"]]
            called = [name for name in table.columns if str(name).startswith("called ")]
            table[called] = table[called].apply(lambda column: ["" if x != x else f"{x:g}" for x in column])
        return table

    def group_table(self) -> pd.DataFrame:
        """For reading: each task's main metrics by group, shares in percent, and the gaps between groups."""
        import pandas as pd

        lines: list[dict[str, Any]] = []
        for row in self.groups.to_dict("records"):
            line: dict[str, Any] = {name: row[name] for name in ("task", "grouping", "group", "metric")}
            line["metric"] = SHOWN[str(line["metric"])].name
            line["value [95 %]"] = shown(str(row["metric"]), row["value"], row["low"], row["high"])
            p = row.get("p", float("nan"))
            lines.append(
                line | {"n": row["n"], "speakers": row["speakers"], "p": "" if p != p else f"{p:.3f}"}
            )
        return pd.DataFrame(lines)

    @property
    def small(self) -> bool:
        """Whether so few utterances were measured that classes, groups and calibration say nothing."""
        return len(self.predictions) < FEW

    @property
    def tables(self) -> list[tuple[str, pd.DataFrame]]:
        """Titles and tables for reading: those that this many utterances fill."""
        found = [(f"{self.title}: {counted(len(self.predictions), 'utterance')}", self.summary())]
        if not self.small:
            found.append(("Recall per class (rows: true class; columns: answers)", self.recall_table()))
            if len(self.groups):
                title = "By the corpus's annotation of gender and by dialog type, with the gaps"
                found.append((title, self.group_table()))
        if len(self.raters):
            from affuse.reports.sections.raters import to_lines

            found.append(("Raters and model, on utterances with two votes or more", to_lines(self.raters)))
        return found

    @property
    def sentences(self) -> list[str]:
        """What must be read with the numbers."""
        few = f"Only {counted(len(self.predictions), 'utterance')}: too few for recall per class, gaps and calibration."
        return [*self.notes, *([few] if self.small else [])]

    @checked
    def save(self, folder: str | Path, *, overwrite: bool = False) -> Path:
        """Write its tables as CSV files; give the folder.

        Raises:
            AffuseError: a file of one of these names is there that affuse did not write.
        """
        from affuse.files.outputs import Outputs

        folder = Path(folder)
        outputs = Outputs.current(folder, "evaluate", overwrite=overwrite, deep=False)
        outputs.check([folder / file for file in TABLES.values()])
        with outputs.writing():
            write_evaluation(self, folder)
        self.folder = folder
        return folder

    @checked
    def report(self, path: str | Path | None = None, *, overwrite: bool = False) -> Path:
        """Write the evaluation's page and give its path.

        Args:
            path: The file; default: ``report.html`` in the folder of the tables, or in the working folder.
            overwrite: Replace a file that affuse did not write, or that was edited since.
        """
        from affuse.files.outputs import Outputs
        from affuse.reports.pages.evaluation import write_evaluation_page

        page = Path(path or (self.folder or Path()) / PAGE)
        outputs = Outputs.current(page.parent, "report", overwrite=overwrite, deep=False)
        outputs.check([page])
        with outputs.writing():
            return write_evaluation_page(self, page, self.model)

    def skipped_table(self) -> pd.DataFrame:
        """``skipped.csv``: id, modality, cause, and whether the clip was not used or used in part."""
        return skipped_table(self.skipped, self.partial)

    def __repr__(self) -> str:
        scores = [
            f"{row['task']} BACC {percent(row['value'])}"
            for row in self.metrics.to_dict("records")
            if row["metric"] == "bacc"
        ]
        scores += [
            f"{row['task']} CCC {decimals(row['value'])}"
            for row in self.metrics.to_dict("records")
            if row["metric"] == "ccc"
        ]
        scores += [
            f"{row['task']} macro F1 {percent(row['value'])}"
            for row in self.metrics.to_dict("records")
            if row["metric"] == "macro_f1" and f"{row['task']} BACC" not in " ".join(scores)
        ]
        return (
            f"Evaluation({self.title!r}, {counted(len(self.predictions), 'utterance')}: {', '.join(scores)})"
        )

    def _repr_html_(self) -> str:
        tables = [table for _, table in self.tables]
        return as_html(self.tables[0][0], tables, [*self.said, *self.sentences])


def _of_ratings(of: Mapping[Any, Mapping[Any, Any]]) -> dict[str, Any]:
    """A regression for reading: CCC with its interval, Pearson's correlation, and errors in units of the ratings."""
    cells = {
        f"{title} [95 %]": shown(name, of[name]["value"], of[name]["low"], of[name]["high"])
        for name, title in DIMENSION_METRICS.items()
    }
    return {**cells, "n": of["ccc"]["n"], "speakers": of["ccc"]["speakers"]}


def _of_sets(of: Mapping[Any, Mapping[Any, Any]]) -> dict[str, Any]:
    """Several labels at once for reading, in percent: macro-F1 and micro-F1 with intervals, mAP, F1 of each label."""
    cells = {
        f"{name} [95 %]" if key != "map" else name: percent(of[key]["value"], of[key]["low"], of[key]["high"])
        for key, name in LABEL_SET_METRICS.items()
    }
    f1 = [
        f"{str(name).removeprefix('f1 ')} {percent(one['value'])}"
        for name, one in of.items()
        if " " in str(name)
    ]
    return {**cells, "n": of["map"]["n"], "speakers": of["map"]["speakers"], "F1": ", ".join(f1)}
