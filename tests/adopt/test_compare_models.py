"""affuse compare CORPUS --over model=a,b: public models in one table, nothing trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import affuse
from affuse.corpora.relabel import relabel
from affuse.errors import AffuseError
from command import affuse as run
from small_corpus import make_corpus
from tiny_classifiers import tiny_audio, tiny_text


def test_public_models_in_one_table(tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = make_corpus(tmp_path / "c")
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    voice = affuse.adopt(tiny_audio(tmp_path / "voice"), tmp_path / "m" / "voice")
    words = affuse.adopt(tiny_text(tmp_path / "words", labels=("sadness", "anger", "boredom", "neutral")),
                         tmp_path / "m" / "words", fit=corpus)  # fmt: skip
    out = tmp_path / "out"
    told = run(
        capsys, monkeypatch, "compare", corpus.folder, "--over", f"model={voice},{words}", "--out", out
    )
    assert told.code == 0, told.err
    results, pairs = pd.read_csv(out / "results.csv"), pd.read_csv(out / "paired_tests.csv")
    assert list(dict.fromkeys(results["model"])) == ["voice", "words"]
    assert set(results["n"]) == {24}  # those that neither was fitted on
    assert "left out" in (out / "results.md").read_text(encoding="utf-8")
    assert "clips encoded in" in told.err  # seconds, which would make a difference between equal comparisons
    assert "clips encoded in" not in (out / "results.md").read_text(encoding="utf-8")
    assert "words" in (out / "report.html").read_text(encoding="utf-8")
    found = affuse.compare_models({"voice": affuse.load(voice), "words": words}, corpus)
    assert found.classes == {"emotion": ["anger", "neutral", "sadness"]}
    pd.testing.assert_frame_equal(found.metrics, results, check_dtype=False, atol=1e-9)
    pd.testing.assert_frame_equal(found.differences, pairs, check_dtype=False, atol=1e-9)
    bacc = found.metrics[found.metrics["metric"] == "bacc"].set_index("model")["value"]
    (difference,) = found.differences[found.differences["metric"] == "bacc"]["difference"]
    assert difference == pytest.approx(bacc["words"] - bacc["voice"])
    for given, sentence in (
        (["server", corpus.folder, "--over", f"model={voice},{words}"], "takes no recipe; leave server out"),
        (
            [corpus.folder, "--over", f"model={voice},{words}", "--over", "seed=0,1"],
            "goes with no other --over",
        ),
        ([corpus.folder, "--over", f"model={voice}"], "needs two models or more"),
        ([corpus.folder, "--over", f"model={voice},{tmp_path / 'gone'}"], "There is no model folder"),
        ([corpus.folder], "Name a recipe and a corpus"),
    ):
        told = run(capsys, monkeypatch, "compare", *given, "--out", tmp_path / "other")
        assert told.code == 2
        assert sentence in told.err
        assert not (tmp_path / "other").exists()
    with pytest.raises(AffuseError, match="names a model twice"):
        affuse.compare_models([voice, voice], corpus)


def test_labels_of_another_name_are_renamed_as_the_sentence_says(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = relabel(make_corpus(tmp_path / "c", each=2), {"emotion": {"anger": "angerx"}})
    corpus = named.save(tmp_path / "named")
    monkeypatch.setenv("AFFUSE_CACHE", str(tmp_path / "cache"))
    labels = ("sadness", "anger", "boredom", "neutral")
    voice = affuse.adopt(tiny_audio(tmp_path / "voice", labels=labels), tmp_path / "m" / "voice")
    words = affuse.adopt(tiny_text(tmp_path / "words", labels=labels), tmp_path / "m" / "words")
    over = ("compare", corpus.folder, "--over", f"model={voice},{words}", "--out", tmp_path / "out")
    told = run(capsys, monkeypatch, *over)
    assert told.code == 0, told.err
    assert "--map angerx=anger renames one" in " ".join(told.err.split())
    told = run(capsys, monkeypatch, *over, "--map", "angerx=anger")
    assert told.code == 0, told.err
    assert "renames one" not in told.err
    found = affuse.compare_models([voice, words], corpus.folder, rename={"angerx": "anger"})
    assert found.classes == {"emotion": list(labels)}
    assert set(found.metrics["n"]) == {36}
    told = run(capsys, monkeypatch, *over, "--map", "rage=anger")
    assert (told.code, "--map rage" in told.err) == (2, True)
    told = run(
        capsys, monkeypatch, "compare", "server", corpus.folder, "--out", tmp_path / "o", "--map", "a=b"
    )
    assert (told.code, "--map goes with --over model=A,B alone" in " ".join(told.err.split())) == (2, True)
