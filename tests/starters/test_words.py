"""The words of the starter: their classes have the vocabulary's names."""

from __future__ import annotations

from pathlib import Path

from starter_scripts import script


def test_the_labels_of_the_release_get_canonical_names(tmp_path: Path) -> None:
    """The seven of GoEmotions' Ekman labels; the packaged weights were trained on exactly these names."""
    (tmp_path / "labels.txt").write_text("anger\ndisgust\nfear\njoy\nneutral\nsadness\nsurprise\n")
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.tsv").write_text("so glad\t3\tx1\nno\t0,4\tx2\n")
    corpus = script("words").corpus(tmp_path)
    assert corpus.info.label_spaces == {
        "emotion": ["anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    }
    assert set(corpus.table["emotion"]) == {"happiness", "anger", "neutral"}
