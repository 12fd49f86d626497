"""`affuse prepare generated` and `affuse prepare iemocap`, through the command line."""

import re
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.generated.ceilings import all_ceilings
from command import affuse


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory):
    return generate_release(
        tmp_path_factory.mktemp("place") / "release", sessions=2, dialogs=2, turns=60, video=False, jobs=1
    )


def test_generated_writes_a_release_and_its_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "my corpus"
    ran = affuse(
        capsys, monkeypatch, "prepare", "generated", out,
        "--sessions", 1, "--dialogs", 2, "--turns", 10, "--seed", 3, "--no-video", "--jobs", 1,
    )  # fmt: skip
    assert ran.code == 0
    assert f"{out}: generated, 10 utterances" in ran.out
    assert len(Corpus.load(out)) == len(list(out.rglob("sentences/wav/Ses*/Ses*.wav"))) == 10
    assert not list(out.rglob("*.avi"))
    again = generate_release(tmp_path / "again", sessions=1, dialogs=2, turns=10, seed=3, video=False, jobs=1)
    assert (again / "displays.csv").read_bytes() == (out / "release" / "displays.csv").read_bytes()


def test_iemocap_prints_the_counts_and_writes_the_corpus(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = affuse(capsys, monkeypatch, "prepare", "iemocap", release, tmp_path / "corpus")
    assert ran.code == 0
    corpus = Corpus.load(tmp_path / "corpus")
    assert corpus.info.title == "generated"
    assert corpus.info.ceilings == all_ceilings()["4+exc"]
    assert "not compared with IEMOCAP's" in " ".join(ran.out.split())
    frustrated = int((corpus.table["emotion_raw"] == "fru").sum())
    assert re.search(rf"│ fru +│ +{frustrated} │", ran.out)
    counts = corpus.table["emotion"].value_counts()
    assert f"anger {counts['anger']}" in ran.out
    assert "60 of 60 turns have no usable picture: no avi (60)" in ran.err


def test_the_options_reach_the_label_protocol(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = affuse(
        capsys, monkeypatch, "prepare", "iemocap", release, tmp_path / "corpus",
        "--classes", "6", "--scenario", "improvised", "--ties", "majority", "--seed", 5, "--no-keep-unlabelled",
    )  # fmt: skip
    assert ran.code == 0
    corpus = Corpus.load(tmp_path / "corpus")
    assert len(corpus.info.label_spaces["emotion"]) == 6
    assert set(corpus.table["scenario"]) == {"improvised"}
    assert corpus.table["emotion"].notna().all()
    assert not corpus.info.ceilings  # with counted-again ties the best possible is not known
    assert "a draw (seed 5)" in ran.err


def test_a_copy_without_a_session_and_with_damage_is_read_and_says_so(
    release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(release, tmp_path / "copy")
    shutil.rmtree(copy / "Session2")
    evaluation = sorted((copy / "Session1/dialog/EmoEvaluation").glob("Ses*.txt"))[0]
    lines = evaluation.read_text("latin-1").split("\n")
    broken = next(i for i, line in enumerate(lines) if line.startswith("["))
    lines[broken] = lines[broken].replace("[", "[?", 1)
    evaluation.write_text("\n".join(lines), "latin-1")
    wavs = sorted(copy.glob("Session1/sentences/wav/Ses*/Ses*.wav"))
    wavs[-1].write_bytes(wavs[-1].read_bytes()[:4000])
    ran = affuse(capsys, monkeypatch, "prepare", "iemocap", copy, tmp_path / "corpus")
    assert ran.code == 0
    assert "This copy has 1 of the 2 sessions" in ran.err
    assert f"{evaluation}, line {broken + 1}:" in ran.err
    assert "the wav is truncated" in ran.err
    table = pd.read_parquet(tmp_path / "corpus" / "utterances.parquet")
    assert table.set_index("id").loc[wavs[-1].stem, "audio_note"].startswith("the wav is truncated")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["prepare", "iemocap", "{up}", "{out}"], "is one folder too high; give {release}."),
        (["prepare", "iemocap", "{release}/Session1/dialog", "{out}"], "give its root, {release}."),
        (["prepare", "iemocap", "{out}/nothing", "{out}"], "is not a folder"),
        (["prepare", "iemocap", "{release}", "{out}", "--classes", "5"], "'4+exc', '4' or '6'"),
        (["prepare", "iemocap", "{release}", "{release}/README.txt"], "README.txt: File exists"),
        (
            ["prepare", "generated", "{out}/new", "--turns", "0"],
            "generated.turns is 0; it must be at least 1",
        ),
        (["prepare", "iemocapp", "{release}", "{out}"], "did you mean 'iemocap'?"),
        (["prepare", "iemocap", "{release}", "{out}", "--option", "tie=drop"], "did you mean 'ties'?"),
        (
            ["prepare", "iemocap", "{release}", "{out}", "--option", "ties"],
            "--option: 'ties' is not like KEY=VALUE",
        ),
    ],
)
def test_bad_input_is_one_sentence_and_code_2(
    release: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    sentence: str,
) -> None:
    names: dict[str, Any] = {"release": release, "up": release.parent, "out": tmp_path}
    ran = affuse(capsys, monkeypatch, *(word.format(**names) for word in words))
    assert ran.code == 2
    assert ran.err.startswith("affuse: ")
    assert ran.err.count("\n") == 1
    assert sentence.format(**names) in ran.err
    assert not list(tmp_path.iterdir())
