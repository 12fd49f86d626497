"""Licences in reports: of a run, of a comparison's rows, and of models compared."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest

import affuse
from affuse.models.defaults import PredictionDefaults, TrainedOn
from affuse.models.licences import Licences, PartLicence, licences_of_model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.reports.blocks import Prose, Section, Table
from affuse.reports.pages.comparison import write_comparison_page
from affuse.reports.pages.run import write_run_page
from affuse.reports.sections.licences import licences_section
from affuse.training.runfolder import RunFolder
from comparison_folder import make_comparison
from joined_members import voice_model
from small_corpus import make_corpus

FREE = PartLicence("encoder of text", "bert", "Apache-2.0", "yes")
BOUND = PartLicence("training corpus", "R", "CC BY-NC", "no")


def parts_of(section: Section) -> tuple[list[str], list[list[str]]]:
    """Its sentences before the table, and the table as text, headings first."""
    said = [block.text for block in section.blocks if isinstance(block, Prose) and block.tone == "plain"]
    (table,) = [block for block in section.blocks if isinstance(block, Table)]
    return said, [list(table.headings), *[[cell.text for cell in line] for line in table.lines]]


def test_models_that_differ_are_named() -> None:
    said, table = parts_of(licences_section({"a": [FREE], "b": [FREE, BOUND]}, "models"))
    assert said == [
        "a: commercial use: yes, as far as the licences below tell.",
        "b: commercial use: no, because of the training corpus (R: CC BY-NC).",
    ]
    assert table == [
        ["part", "what", "licence", "commercial use", "models"],
        [*FREE, "all models"],
        [*BOUND, "b"],
    ]
    many = {str(n): [FREE] if n else [BOUND] for n in range(7)}
    assert [line[-1] for line in parts_of(licences_section(many, "rows"))[1][1:]] == ["6 of 7 rows", "0"]


def test_parts_of_one_kind_stand_together() -> None:
    head = PartLicence("head and affuse", "h", "Apache-2.0", "yes")
    _, table = parts_of(licences_section({"a, b": [head, BOUND], "c, d": [FREE, head]}, "rows"))
    assert [line[0] for line in table[1:]] == [FREE.part, head.part, BOUND.part]
    assert [line[-1] for line in table[1:]] == ["c, d", "all rows", "a, b"]
    assert [part.part for part in affuse.licences("starter").parts][-2:] == ["training corpus"] * 2


def test_a_comparison_says_what_its_record_kept(tmp_path: Path) -> None:
    folder = make_comparison(tmp_path / "c", {"cross_entropy": 0.7, "center": 0.8})
    page = write_comparison_page(folder)
    assert "Licences" not in page.with_name("report.md").read_text("utf-8")  # an older affuse kept none
    record = json.loads((folder / "comparison.json").read_text("utf-8"))
    for row, parts in zip(record["rows"], ([FREE], [FREE, BOUND]), strict=True):
        row["licences"] = [list(part) for part in parts]
    (folder / "comparison.json").write_text(json.dumps(record), "utf-8")
    text = write_comparison_page(folder).with_name("report.md").read_text("utf-8")
    assert "center: commercial use: no, because of the training corpus (R: CC BY-NC)." in text
    assert "| encoder of text | bert | Apache-2.0 | yes | all rows |" in text
    assert "CC BY-NC" not in (folder / "tables.tex").read_text("utf-8")


def test_a_run_says_them_with_and_without_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    corpus = make_corpus(tmp_path / "corpus")
    run = affuse.train(
        Recipe.load("voice-offline", {"training.epochs": 1}), corpus, tmp_path / "run", progress=None
    )
    text = write_run_page(run.folder).with_name("report.md").read_text("utf-8")
    found = affuse.licences(run.folder)
    assert [part.what for part in found.parts][-1] == corpus.info.title

    def told(of: str) -> list[list[str]]:
        chapter = of.split("## Licences", 1)[1].split("\n## ", 1)[0]
        lines = re.findall(r"^\| (.*) \|$", chapter, re.MULTILINE)[2:]  # headings, rule
        return [line.split(" | ") for line in lines]

    assert told(text) == [list(part) for part in found.parts]
    shutil.rmtree(RunFolder(run.folder).model)
    again = write_run_page(run.folder).with_name("report.md").read_text("utf-8")
    assert told(again) == told(text)


def test_a_model_that_stands_for_an_encoder_brings_its_corpora_and_may_be_gone(tmp_path: Path) -> None:
    folder = voice_model(tmp_path / "voice")
    model = affuse.load(folder)
    trained = [TrainedOn(title="R", licence="CC BY-NC")]
    model.defaults = model.defaults.model_copy(update={"trained_on": trained})
    save_model(model, folder)
    recipe = Recipe.load("voice-offline", {
        "modalities.audio": {"encoder": "audio_model", "options": {"model": str(folder)}},
    })  # fmt: skip
    assert BOUND in licences_of_model(recipe, PredictionDefaults())
    shutil.rmtree(folder)
    found = Licences(tuple(licences_of_model(recipe, PredictionDefaults())))
    assert found.commercial == "unknown"
    assert "not here any more" in found.verdict
