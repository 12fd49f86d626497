"""Under which licences the parts of the models stand, and whether that leaves commercial use free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from affuse.models.defaults import PredictionDefaults, TrainedOn
from affuse.models.index import PREDICTION, read_index, read_json
from affuse.models.licences import PartLicence, in_order, licences_of_model, verdict
from affuse.reports.blocks import Block, Cell, Prose, Section, Table
from affuse.reports.report import Report
from affuse.reports.run_report import RunReport
from affuse.training.runfolder import RunFolder

TITLE = "Licences"
_NAMED = 4  # models that a cell or sentence names; of more it says how many
_ADVICE = "What the parts' own cards and the corpora state, read by a machine; no legal advice."


def section(report: Report) -> Section | None:
    """Of a comparison's rows; None of a folder of an older affuse, which did not keep them."""
    entries = {}
    for entry in report.record["rows"]:
        if "licences" in entry:
            entries[tuple(entry["settings"].values())] = [PartLicence(*part) for part in entry["licences"]]
    names = {tuple(row.settings.values()): row.name_among(report.rows) for row in report.rows}
    found = {names[key]: parts for key, parts in entries.items() if key in names}
    return licences_section(found, "rows") if found else None


def run_section(report: RunReport) -> Section:
    """Of one run: of its model where that was kept, else of its recipe and corpus."""
    folder = RunFolder(report.folder)
    defaults = None
    if folder.has_model and PREDICTION in read_index(folder.model):
        defaults = PredictionDefaults.model_validate(read_json(folder.model / PREDICTION))
    if defaults is None or not defaults.trained_on:
        title, licence = report.environment.get("corpus"), report.environment.get("corpus_licence")
        trained = [] if title is None else [TrainedOn(title=title, licence=licence or "")]
        defaults = (defaults or PredictionDefaults()).model_copy(update={"trained_on": trained})
    return licences_section({"run": licences_of_model(report.recipe, defaults)}, "runs")


def licences_section(found: Mapping[str, Sequence[PartLicence]], noun: str) -> Section:
    """A line for each part, the models that have it, and what follows for each of them.

    Args:
        found: Model -> its parts.
        noun: What the models are called: "rows", "models".

    Examples:
        >>> free = PartLicence("encoder of text", "bert", "Apache-2.0", "yes")
        >>> section = licences_section({"a": [free], "b": [free]}, "models")
        >>> section.blocks[0].text
        'Commercial use: yes, as far as the licences below tell.'
    """
    lines: dict[PartLicence, list[str]] = {}
    said: dict[str, list[str]] = {}
    for name, parts in found.items():
        for part in dict.fromkeys(parts):
            lines.setdefault(part, []).append(name)
        sentence = verdict(parts).replace("licences above", "licences below")
        said.setdefault(sentence, []).append(name)
    told: list[Block] = [
        Prose(text if len(said) == 1 else f"{_which(of, found, noun)}: {text[0].lower()}{text[1:]}")
        for text, of in said.items()
    ]
    differ = any(len(of) < len(found) for of in lines.values())
    headings = ["part", "what", "licence", "commercial use", *([noun] if differ else [])]
    table = [
        [Cell(text) for text in (*part, *([_which(lines[part], found, noun)] if differ else []))]
        for part in in_order(lines)
    ]
    return Section(TITLE, [*told, Table(headings, table, prose=True), Prose(_ADVICE, "soft")])


def _which(names: Sequence[str], found: Mapping[str, Any], noun: str) -> str:
    if len(names) == len(found) > 1:
        return f"all {noun}"
    return "; ".join(names) if len(names) <= _NAMED else f"{len(names)} of {len(found)} {noun}"
