"""A paper's grid under its protocols: run, written into a folder, and read from there again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError, argument
from affuse.names import counted
from affuse.parts.registry import unknown
from affuse.progress import Progress, Quiet
from affuse.reproduction.definition import PROTOCOLS, Definition, Paper, read_definition, read_paper
from affuse.reproduction.form import Form, form_notes
from affuse.reproduction.grid import Grid, make_grid
from affuse.reproduction.report.page import verdict_sentences, write_reproduction_page
from affuse.reproduction.report.record import read_record, reproduction_outputs, skipped_ids, write_record
from affuse.reproduction.report.table import LEGEND, numbers_table
from affuse.reproduction.report.values import ProtocolRun
from affuse.reproduction.running import check_grid, run_grid
from affuse.reproduction.utterances import utterances_in_words
from affuse.training.cache import FeatureCache


@dataclass(frozen=True)
class ProtocolNumbers:
    """A reproduction's folder, read: the paper's numbers beside those found under each protocol.

    Args:
        folder: With ``reproduction.csv``, ``claims.csv``, ``report.html`` and a comparison's folder per protocol.
        record: The content of ``reproduction.json``.
        numbers: The rows of ``reproduction.csv``: see ``report.values.reproduction_rows``.
        claims: The rows of ``claims.csv``: see ``report.claims.claims_table``.
        skipped: Ids of utterances that could not be read, each once.
    """

    folder: Path
    record: dict[str, Any]
    numbers: pd.DataFrame
    claims: pd.DataFrame
    skipped: list[str]

    @classmethod
    def read(cls, folder: str | Path) -> ProtocolNumbers:
        """From the folder alone. Raises AffuseError where its files are missing, damaged or of another format."""
        folder = Path(folder)
        record, numbers, claims = read_record(folder)
        return cls(folder, record, numbers, claims, skipped_ids(folder, record))

    @property
    def title(self) -> str:
        """Which paper, on which corpus."""
        return self.record["title"]

    @property
    def table(self) -> pd.DataFrame:
        """For a terminal: a line per published row and metric, published and found under each protocol, as text."""
        return numbers_table(self.numbers).to_frame()

    @property
    def notes(self) -> list[str]:
        """What must be read with the table: its legend and footnotes, and what differs from the paper."""
        footnotes = numbers_table(self.numbers).notes
        return [LEGEND, *footnotes, *self.record["notes"], *self.record["caveats"]]

    @property
    def verdict(self) -> list[str]:
        """Which of the paper's claims hold here, in sentences."""
        return verdict_sentences(self.record, self.numbers, self.claims)

    @property
    def failed(self) -> list[str]:
        """Runs that failed: their folder and why."""
        return [failure for about in self.record["protocols"] for failure in about["failed"]]

    def report(self, *, overwrite: bool = False) -> Path:
        """Write ``report.html``, ``report.md`` and ``tables.tex`` again; give the page's path.

        Args:
            overwrite: Replace files that were edited since affuse wrote them.
        """
        with reproduction_outputs(self.folder, overwrite).writing():
            return write_reproduction_page(self.folder)


def run_protocols(
    paper: str,
    corpus: Corpus,
    out: str | Path,
    *,
    protocols: Sequence[str] = tuple(PROTOCOLS),
    form: Form | None = None,
    cache: FeatureCache,
    jobs: int | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    command: str = "",
    progress: Progress | None = None,
) -> ProtocolNumbers:
    """Train a paper's grid under each protocol, and write tables and reports into ``out``.

    All grids are made and checked before any is run. Finished runs are never run again.

    Args:
        paper: A name of ``definition.papers``.
        corpus: The corpus to train and test on.
        out: Folder of the tables, the report and a comparison's folder per protocol.
        protocols: Any of "written", "coded" and "honest".
        form: Small or quick networks, seeds, changed settings; default: the paper's networks.
        cache: Of features.
        jobs: How many stacks (threads) or single runs (processes) train at a time; default: one per core.
        device: "cpu" or "cuda".
        overwrite: Whether files that affuse did not write may be replaced.
        command: What was typed, if it was a command; the reports show it.
        progress: What it reports to; default: nothing.

    Raises:
        AffuseError: An unknown name, a corpus that lacks what the paper needs, or ``out`` holds something else.
    """
    out, form, progress = Path(out), form or Form(), progress or Quiet()
    names = in_order(protocols)
    about = read_paper(paper)
    with reproduction_outputs(out, overwrite).writing():
        grids: dict[str, tuple[Definition, Grid]] = {}
        for name in names:
            definition = read_definition(paper, name)
            grids[name] = definition, make_grid(about, name, definition, corpus, form)
            check_grid(grids[name][1], about, definition, corpus)
        runs: list[ProtocolRun] = []
        for name, (definition, grid) in grids.items():
            _announce(name, about, definition, grid, progress)
            done = run_grid(grid, corpus, out / name, cache, progress, jobs, device, command)
            runs.append(ProtocolRun(name, definition, grid, *done))
        progress.say("Comparing the protocols and writing the report.")
        write_record(out, about, runs, form_notes(about, form), command)
        write_reproduction_page(out, {run.name: run.trainings for run in runs})
        return ProtocolNumbers.read(out)


def in_order(protocols: Sequence[str]) -> list[str]:
    """The protocols each once, in the order of the tables. Raises AffuseError for unknown names and for none."""
    wanted = [protocols] if isinstance(protocols, str) else list(protocols)
    if not wanted:
        raise AffuseError(f"{argument('protocols')} names none; give some of written, coded and honest.")
    for name in wanted:
        if name not in PROTOCOLS:
            raise AffuseError(f"{argument('protocols')}: {unknown(name, list(PROTOCOLS), 'protocols')}.")
    return [name for name in PROTOCOLS if name in wanted]


def _announce(name: str, paper: Paper, definition: Definition, grid: Grid, progress: Progress) -> None:
    seeds = len({variant.recipe.seed for variant in grid.variants})
    rows = len(grid.variants) // seeds
    description = " ".join(definition.description.split())
    progress.say(
        f"{PROTOCOLS[name]}: {counted(rows, 'row')}, {counted(seeds, 'seed')} each. {description} "
        f"{utterances_in_words(paper, definition)}"
    )
    for note in (*grid.notes, *grid.other_utterances):
        progress.say(note)
