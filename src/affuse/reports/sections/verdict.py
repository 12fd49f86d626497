"""The verdict: a few sentences per task, every comparison with its tests, a plot of the differences."""

from __future__ import annotations

import pandas as pd

from affuse.evaluation.measures import SHOWN, ClassMeasure, Measure, RatingMeasure
from affuse.names import counted
from affuse.reports.blocks import Block, Cell, Figure, Figures, Heading, Notes, Prose, Section, Table
from affuse.reports.figures.lanes import differences
from affuse.reports.numbers import difference_cell, number_cell, p_cell, signed
from affuse.reports.report import Report
from affuse.reports.tables.convergence import cures_of, trainings_in_words
from affuse.reports.tables.paired import BEST_SINGLE, UNJUDGED
from affuse.reports.tables.verdict import verdict
from affuse.training.comparison_folder import STATISTICS

HEADINGS = (
    "row", "compared with", "verdict", "BACC difference [95 %]", "utterances correct", "p, speakers", "p, trainings",
    "p, McNemar", "detectable",
)  # fmt: skip
_SAME = (
    "on the same test utterances, averaged over seeds. All p values are "
    "two-sided and corrected for the number of judged lines in this table (Holm)."
)
NOTE = f"Differences are in percentage points, {_SAME}"
READING = (
    'verdict: "higher" or "lower" where both p, speakers and p, trainings are below 0.05; "in these runs" where '
    'only p, speakers is: other seeds or folds may give another result; "not significant" does not mean that there is '
    "no difference",
    "utterances correct: how many more (+) or fewer (\u2212) than the row it is compared with, of all; the difference "
    f"in ACC is in {STATISTICS['paired_tests']}",
    "p, speakers: would the difference hold for other speakers? Paired bootstrap of the BACC difference that "
    "resamples speakers",
    "p, trainings: would it hold for other trainings? Corrected resampled t test over folds and seeds",
    "p, McNemar: assumes that utterances are independent, which they are not; it decides nothing",
    "detectable: the true difference in BACC, in points, that this pair of rows would show with a probability of 80 % "
    "at the 5 % level, before the correction",
)
RATED_NOTE = f"Differences are {_SAME} RMSE is in units of the ratings; less is better."


def _headings(kind: type[Measure]) -> tuple[str, ...]:
    """Of kinds without correct utterances: the metric that judges, and the one beside it."""
    both = (f"{SHOWN[name].name} difference [95 %]" for name in (kind.main, kind.second))
    return ("row", "compared with", "verdict", *both, "p, speakers", "p, trainings", "detectable")


def _reading(kind: type[Measure]) -> tuple[str, ...]:
    main, second = SHOWN[kind.main], SHOWN[kind.second]
    how = (
        "how much larger (+) or smaller (\u2212) the error is"
        if kind is RatingMeasure
        else "what it says beside"
    )
    points = ", in points," if main.unit else ""
    return (
        READING[0],
        f"{second.name} difference: {how}; it decides nothing. Its p value and the other metrics are in "
        f"{STATISTICS['paired_tests']}",
        READING[2].replace("BACC", main.name),
        READING[3],
        f"detectable: the true difference in {main.name}{points} that this pair of rows would show with a probability "
        "of 80 % at the 5 % level, before the correction",
    )


SINGLE = (
    "Rows of several modalities are also compared with the best single modality, chosen by its BACC on the validation "
    "part: that is what fusion adds"
)


def section(report: Report) -> Section | None:
    """A verdict per task that has results."""
    blocks: list[Block] = []
    for task in report.record["tasks"]:
        n = _tested(report, task)
        if not n:
            continue
        paired = report.of_task(report.statistics.paired_tests, task)
        names = [report.name_of(line) for line in paired.to_dict("records")]
        if len(report.record["tasks"]) > 1:
            blocks.append(Heading(task))
        kind = type(report.measures[task])
        found, could = verdict(paired, names, n, kind)
        blocks.append(Prose(found, "verdict"))
        blocks += _untrained(report, task)
        blocks.append(Prose(could))
        if len(paired):
            correct, shown = kind is ClassMeasure, SHOWN[kind.main]
            single = (
                [SINGLE.replace("BACC", shown.name)] if (paired["reference_is"] == BEST_SINGLE).any() else []
            )
            reading = [*(READING if correct else _reading(kind)), *single]
            table = _table(paired, names) if correct else _other_table(paired, names, kind)
            note = RATED_NOTE if kind is RatingMeasure else NOTE
            blocks += [*_figures(paired, names, task, kind.main), table, Prose(note, "soft")]
            blocks.append(Notes("How to read this table", reading))
    if report.failed_note:
        blocks.insert(0, Prose(f"{report.failed_note} The causes are at the end of the page.", "verdict"))
    if not blocks:
        return None
    if report.on_test:
        blocks.append(Prose(report.mark_note, "soft"))
    return Section("Verdict", blocks, paper=True)


def verdict_sentences(report: Report) -> list[str]:
    """The verdict for a terminal: what was found, which rows did not train, and what could have been found, by task."""
    sentences = [report.failed_note] if report.failed_note else []
    for task in report.record["tasks"]:
        n = _tested(report, task)
        if n:
            paired = report.of_task(report.statistics.paired_tests, task)
            names = [report.name_of(line) for line in paired.to_dict("records")]
            found, could = verdict(paired, names, n, type(report.measures[task]))
            parts = [text for text in (found, untrained_in_words(report, task), could) if text]
            several = len(report.record["tasks"]) > 1
            sentences += [f"{task}: {text}" if several and not i else text for i, text in enumerate(parts)]
    return sentences


def _tested(report: Report, task: str) -> int:
    """Labelled test utterances of the first seed, of the row that has most."""
    measure = report.measures[task]
    known = (int(measure.known(table).sum()) for row in report.rows for table in row.tables(measure)[:1])
    return max(known, default=0)


def untrained_in_words(report: Report, task: str) -> str:
    """Which rows did not train, why, and what to try; '' where all of them did."""
    table = report.of_task(report.statistics.trainings, task)
    return trainings_in_words(table, [report.name_of(line) for line in table.to_dict("records")])


def _untrained(report: Report, task: str) -> list[Block]:
    """The same for the page: what to try in a sentence, the rows in a list."""
    table = report.of_task(report.statistics.trainings, task)
    lines = [line for line in table.to_dict("records") if line["trainings"]]
    if not lines:
        return []
    rows = f"{len(lines)} of {counted(len(table), 'row')} did" if len(table) > 1 else "This row did"
    cures = "; ".join(cures_of("; ".join(str(line["trainings"]) for line in lines)))
    return [
        Prose(f"{rows} not train well enough to be judged. Try {cures}; then compare again.", "verdict"),
        Notes(
            "Why they are not judged",
            [f"{report.name_of(line)}: {line['trainings']}" for line in lines],
            open=True,
        ),
    ]


def _figures(paired: pd.DataFrame, names: list[str], task: str, metric: str) -> list[Block]:
    """A figure for each kind of reference, in which every row stands once."""
    shown = SHOWN[metric]
    caption = (
        f"Difference in {shown.name} of each row from the row it is compared with (dot), with its 95 % interval over "
        "speakers (line). A line that does not cross 0 is significant over speakers before the correction for the "
        "number of comparisons; a diamond is significant over speakers and over trainings after it."
    )
    if (paired["verdict"] == UNJUDGED).any():
        caption += " Differences that are not judged are drawn, but not tested."
    kinds = list(dict.fromkeys(paired["reference_is"]))
    drawn: list[Figure] = []
    for i, kind in enumerate(kinds):
        of_kind = (paired["reference_is"] == kind).to_numpy()
        part = paired[of_kind]
        rows = pd.DataFrame(
            {
                "label": [name for name, kept in zip(names, of_kind, strict=True) if kept],
                "value": part[f"{metric}_difference"].to_numpy(float),
                "low": part[f"{metric}_low"].to_numpy(float),
                "high": part[f"{metric}_high"].to_numpy(float),
                "shown": part["verdict"].isin(("higher", "lower")).to_numpy(),
            }
        )
        title = f"Compared with {kind}" if len(kinds) > 1 else ""
        one = differences(rows, f"{task}-{i}", shown)
        drawn.append(Figure(one.wide, "", title, narrow=one.narrow))
    return [Figures(drawn), Prose(caption, "soft")]


def _table(paired: pd.DataFrame, names: list[str]) -> Table:
    lines = []
    for name, line in zip(names, paired.to_dict("records"), strict=True):
        lines.append(
            [
                Cell(name),
                Cell(line["reference"]),
                Cell(line["verdict"]),
                difference_cell(line["bacc_difference"], line["bacc_low"], line["bacc_high"]),
                Cell(f"{signed(line['utterances'], 0)} of {line['n']}", float(line["utterances"])),
                p_cell(line["bacc_p_holm"]),
                p_cell(line["resampled_p_holm"]),
                p_cell(line["mcnemar_p_holm"]),
                number_cell(100 * line["bacc_detectable"], 1),
            ]
        )
    return Table(HEADINGS, lines, page_only=("p, McNemar", "detectable"))


def _other_table(paired: pd.DataFrame, names: list[str], kind: type[Measure]) -> Table:
    shown = SHOWN[kind.main]
    lines = [
        [
            Cell(name),
            Cell(line["reference"]),
            Cell(line["verdict"]),
            *(
                difference_cell(
                    line[f"{metric}_difference"], line[f"{metric}_low"], line[f"{metric}_high"], SHOWN[metric]
                )
                for metric in (kind.main, kind.second)
            ),
            p_cell(line[f"{kind.main}_p_holm"]),
            p_cell(line["resampled_p_holm"]),
            number_cell(shown.factor * line[f"{kind.main}_detectable"], shown.digits),
        ]
        for name, line in zip(names, paired.to_dict("records"), strict=True)
    ]
    return Table(_headings(kind), lines, page_only=("detectable",))
