"""The vocabulary: no spelling means two things, every code is canonical, and the docs show what is in the table."""

from pathlib import Path

import pytest

import affuse
from affuse.corpora import vocabulary
from affuse.corpora.readers.meld import EMOTIONS as MELD
from affuse.corpora.vocabulary import (
    canonical,
    canonical_names,
    code,
    codes,
    folded,
    means_none,
    spellings,
    translation,
)
from affuse.errors import AffuseError

PAGE = Path(affuse.__file__).parents[2] / "docs" / "vocabulary.md"
SCHEMES = ("emodb", "ravdess", "cremad", "iemocap", "savee")


def test_no_spelling_means_two_emotions() -> None:
    meanings: dict[str, str] = {}
    for name, words in spellings().items():
        assert folded(name) == name
        for word in (name, *words):
            assert meanings.setdefault(folded(word), name) == name, word
            assert canonical(word) == name
            assert not means_none(word)
    assert len(meanings) == sum(len(words) + 1 for words in spellings().values())  # none is there twice


def test_letters_and_numbers_are_codes_of_a_corpus_alone() -> None:
    for scheme in SCHEMES:
        assert set(codes(scheme).values()) <= set(spellings())
        for value in codes(scheme):
            if len(value) < 3:
                assert canonical(value) is None
    assert (
        code("emodb", "W")
        == code("ravdess", "05")
        == code("cremad", "ANG")
        == code("iemocap", "ang")
        == "anger"
    )
    assert code("emodb", "S") is None
    with pytest.raises(AffuseError, match="did you mean 'ravdess'"):
        code("ravdes", "05")
    assert set(MELD) <= set(spellings())


@pytest.mark.parametrize(
    ("label", "name"),
    [("Joy", "happiness"), ("FREUDE", "happiness"), ("fröhlich", "happiness"), ("pleasant_surprise", "surprise"),
     ("Pleasant  Surprise", "surprise"), ("colère", "anger"), ("Wu\u0308tend".replace("u\u0308", "ü"), "anger"),
     ("wu\u0308tend", "anger"), ("W", None), ("", None), ("xxx", None), ("boredom?", None)],
)  # fmt: skip
def test_spellings(label: str, name: str | None) -> None:
    assert canonical(label) == name


def test_genders_and_other_tasks() -> None:
    assert [canonical(one, "gender") for one in ("F", "Frau", "weiblich", "M", "männlich", "x")] == [
        "female", "female", "female", "male", "male", None,
    ]  # fmt: skip
    assert canonical("happy", "mood") is None
    assert means_none("XXX")
    assert means_none("no_agreement")


def test_a_label_that_two_classes_may_mean_is_left_alone() -> None:
    assert translation(["joy"], ["happy", "happiness"]) == {}
    assert translation(["joy", "hap"], ["happy", "sad"]) == {"joy": "happy", "hap": "happy"}
    assert translation(["f"], ["male", "female"], "gender") == {"f": "female"}


def test_names_of_a_column() -> None:
    import pandas as pd

    labels = pd.Series(["joy", None, "bliss", "ANG"])
    assert canonical_names(labels).fillna("-").tolist() == ["happiness", "-", "bliss", "anger"]


def test_the_page_shows_the_table() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name, words in spellings().items():
        assert f"| {name} | {', '.join(words)} |" in page
    for scheme in SCHEMES:
        told = ", ".join(f"`{value}` {name}" for value, name in codes(scheme).items())
        assert f"| {scheme} | {told} |" in page
    assert vocabulary.FILE in page
