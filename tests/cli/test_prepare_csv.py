"""`affuse prepare csv` and a reader of one's own, through the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import pandas as pd
import pytest
from pydantic import Field

from affuse.cli.prepare import ABOUT
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.parts import registry
from command import affuse
from corpus_files import write_tone


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """The table of N13."""
    for name in "ab":
        write_tone(tmp_path / "clips" / f"{name}.wav")
    path = tmp_path / "mine.csv"
    path.write_text("Filename;Emotion;Sex;Speaker\na.wav;happy;F;7\nb.wav;sad;M;8\n")
    return path


def test_a_strangers_table_takes_one_try(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = affuse(capsys, monkeypatch, "prepare", "csv", table, "out", "--media-root", "clips")
    assert ran.code == 0
    assert "emotion: happy 1, sad 1" in ran.out
    assert "gender: female 1, male 1" in ran.out
    said = ran.err.splitlines()
    assert said == [
        "Columns were taken by their usual names: audio is 'Filename', speaker is 'Speaker', gender is 'Sex', emotion "
        "is 'Emotion'; to take another, say --audio COLUMN.",
        "There was no column of ids; they were made from the audio files' names.",
    ]


def test_a_table_in_another_language_is_answered_with_the_flags_to_type(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_text("Datei;Emotion;Sprecher\na.wav;froh;7\nb.wav;traurig;8\n")
    ran = affuse(
        capsys, monkeypatch, "prepare", "csv", table, tmp_path / "out", "--media-root", tmp_path / "clips"
    )
    assert ran.code == 2
    assert "it has Datei, Emotion, Sprecher. Say which column names the files: --audio COLUMN" in ran.err
    ran = affuse(
        capsys, monkeypatch, "prepare", "csv", table, tmp_path / "out", "--media-root", tmp_path / "clips", "--audio",
        "Datei",
    )  # fmt: skip
    assert ran.code == 0
    assert "No column was found for speaker; the table also has 'Sprecher'." in ran.err
    assert "say --speaker COLUMN" in ran.err
    assert "speakers: not named, so a model cannot be tested on new ones" in ran.out


def test_flags_name_columns_and_labels(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = affuse(
        capsys, monkeypatch, "prepare", "csv", table, tmp_path / "out", "--audio", "Filename", "--emotion", "Emotion",
        "--columns", "gender=Sex", "--speaker", "", "--media-root", tmp_path / "clips", "--name", "mine",
        "--labels", "emotion.happy=joy", "--labels", "emotion={sad: null}", "--option", "licence=own", "--id", "",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    corpus = Corpus.load(tmp_path / "out")
    assert (corpus.info.name, corpus.info.licence) == ("mine", "own")
    assert corpus.table["emotion"].fillna("-").tolist() == ["joy", "-"]
    assert corpus.table["gender"].tolist() == ["female", "male"]
    assert corpus.table["speaker"].isna().all()


def test_what_is_wrong_is_said_with_its_flag(
    table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table.write_text("Filename;Sex\na.wav;F\nb.wav;?\n")
    ran = affuse(
        capsys, monkeypatch, "prepare", "csv", table, tmp_path / "out", "--media-root", tmp_path / "clips"
    )
    assert ran.code == 2
    assert "mine.csv, row 3, gender: There is no '?' among the labels of 'gender'" in ran.err
    assert "map it: --labels 'gender.?=...'" in ran.err
    assert not (tmp_path / "out").exists()


def test_the_list_imports_no_reader() -> None:
    code = (
        "import sys; from affuse.cli.app import app\n"
        "try: app(['prepare', '--help'])\n"
        "except SystemExit: pass\n"
        "print(sorted(name for name in sys.modules if name in ('pandas', 'torch', 'av') or '.readers.' in name))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert all(name in run.stdout for name in ABOUT)


@pytest.mark.parametrize("name", list(registry.PARTS["corpora"]))
def test_the_list_says_what_the_readers_say(name: str) -> None:
    assert (registry.get("corpora", name).__doc__ or "").partition("\n")[0] == ABOUT[name]


def own_reader(
    source: Path,
    out: Path,
    *,
    copies: Annotated[int, Field(ge=1, description="how often each line is taken")] = 1,
) -> Corpus:
    """Lines of a text file."""
    rows = [{"text": line, "emotion": "x"} for line in source.read_text().splitlines() for _ in range(copies)]
    table = pd.DataFrame(rows).assign(id=[f"line{i}" for i in range(len(rows))])
    return Corpus(table, CorpusInfo(name="lines", label_spaces={"emotion": ["x"]})).save(out)


def test_a_reader_of_ones_own_has_a_sub_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    registry.register("corpora", "lines", own_reader)
    (tmp_path / "a.txt").write_text("one\ntwo\n")
    ran = affuse(
        capsys, monkeypatch, "prepare", "lines", tmp_path / "a.txt", tmp_path / "out", "--copies", "3"
    )
    assert ran.code == 0, ran.err
    assert "lines, 6 utterances" in ran.out
    ran = affuse(
        capsys, monkeypatch, "prepare", "lines", tmp_path / "a.txt", tmp_path / "out", "--copies", "0"
    )
    assert (ran.code, ran.err) == (2, "affuse: lines.copies is 0; it must be at least 1.\n")
    ran = affuse(capsys, monkeypatch, "prepare", "lines", "--help")
    assert "How often each line is taken. [default: 1]" in " ".join(ran.out.split())
    ran = affuse(capsys, monkeypatch, "prepare", "--help")
    assert "\n  lines " in ran.out
