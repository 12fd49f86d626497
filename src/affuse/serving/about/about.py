"""A served model described: its card, licences, training corpora, and, of a run, the main figures of its report."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.models.finding import find_folder
from affuse.models.index import CARD, PREDICTION, read_index, read_json
from affuse.models.licences import licences
from affuse.reports.blocks import Figure, Figures, Prose
from affuse.reports.run_report import RunReport
from affuse.reports.sections.measurement import calibration_section, results_sections
from affuse.reports.sections.one_run import training_section
from affuse.serving.about.embedding_map import EmbeddingMap, make_map
from affuse.serving.about.utterance_sound import utterance_wav
from affuse.training.runfolder import RunFolder


class NamedFigure(NamedTuple):
    """A figure of the report.

    Attributes:
        title: Of the section that it stands in.
        alt: What it shows and how to read it.
        svg: The file's content.
    """

    title: str
    alt: str
    svg: str


class About:
    """What can be told of one served model. Everything slow is made when it is first asked for; threads may ask.

    Args:
        source: What was served: a model folder, a starter's name, a Hub id, or a run folder, which knows more.
        corpora: Corpora at hand; that of a run is known by its hash, and its utterances can be heard.

    Raises:
        AffuseError: There is no such model.
    """

    def __init__(self, source: str | Path, corpora: Sequence[Corpus] = ()) -> None:
        self.folder = find_folder(source)
        run = RunFolder(self.folder.parent)
        self._run = run if run.finished and run.has_model and run.model.samefile(self.folder) else None
        self._lock = threading.Lock()
        trained_on = None if self._run is None else self._run.environment().get("corpus_hash")
        self._corpus = next((one for one in corpora if one.hash == trained_on), None)

    @cached_property
    def card(self) -> str:
        """The model card, Markdown without its front matter; "" where the folder has none."""
        path = self.folder / CARD
        if not path.is_file():
            return ""
        text = path.read_text(encoding="utf-8")
        if text.startswith("---\n"):
            text = text.partition("\n---\n")[2]
        return text.strip() + "\n"

    @cached_property
    def licences(self) -> dict[str, Any]:
        """``parts`` (part, what, licence, commercial), the verdict's sentence and ``commercial``."""
        found = licences(self.folder)
        return {
            "parts": [part._asdict() for part in found.parts],
            "verdict": found.verdict,
            "commercial": found.commercial,
        }

    @cached_property
    def trained_on(self) -> list[dict[str, str]]:
        """Title and licence of every training corpus that the model names."""
        if PREDICTION not in read_index(self.folder):
            return []
        return list(read_json(self.folder / PREDICTION).get("trained_on") or [])

    @property
    def figures(self) -> list[NamedFigure]:
        """The main figures of a run's report: confusions, reliability, training. None for other models."""
        with self._lock:
            return self._figures

    @cached_property
    def _figures(self) -> list[NamedFigure]:
        if self._run is None or not self._run.has_predictions:
            return []
        return list(_figures_of(RunReport.read(self._run.path)))

    @property
    def has_map(self) -> bool:
        """Whether the run kept its test part's embeddings, and has classes to tell its points apart by."""
        if self._run is None or not (self._run.has_embeddings and self._run.has_predictions):
            return False
        return bool(self._run.recipe().classified)

    def map(self) -> EmbeddingMap:
        """The test part's embeddings in two dimensions.

        Raises:
            AffuseError: None were kept.
        """
        with self._lock:
            return self._map

    @cached_property
    def _map(self) -> EmbeddingMap:
        if self._run is None or not self.has_map:
            raise AffuseError(
                "No embeddings were kept of this model; serve the folder of a run that has them."
            )
        return make_map(self._run, audible=self._corpus)

    def utterance(self, name: str) -> bytes:
        """The sound of one utterance of the map, as a WAV file.

        Raises:
            AffuseError: It is not on the map, or its corpus is not at hand.
            ClipError: Its file cannot be read.
        """
        points = self.map().points
        if self._corpus is None or not any(point.id == name and point.audible for point in points):
            raise AffuseError(
                "That utterance cannot be played: it is not on the map, or its corpus is not at hand."
            )
        return utterance_wav(self._corpus, name)


def _figures_of(report: RunReport) -> Iterator[NamedFigure]:
    sections = [
        *results_sections(report.measured, bool(report.environment.get("generated")), report.run.test),
        calibration_section(report.measured, report.run.test, report.spaces, report.calibration),
        training_section(report),
    ]
    for section in sections:
        if section is None:
            continue
        said = (
            section.title
        )  # the last paragraph before a figure tells how to read it where it has no caption
        for block in section.blocks:
            if isinstance(block, Prose):
                said = block.text
            drawn = (
                [block] if isinstance(block, Figure) else block.figures if isinstance(block, Figures) else ()
            )
            for figure in drawn:
                title = f"{section.title}: {figure.title}" if figure.title else section.title
                yield NamedFigure(title, figure.caption or said, figure.svg)
