from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.labels import map_labels, normalise_gender
from affuse.corpora.relabel import relabel
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError


def test_map_labels() -> None:
    labels = pd.Series(["ang", "exc", "xxx", None, "sad"], dtype="string")
    mapped = map_labels(labels, {"exc": "hap", "xxx": None})
    assert mapped.fillna("-").tolist() == ["ang", "hap", "-", "-", "sad"]
    assert map_labels(labels, {"ang": "anger", "*": None}).fillna("-").tolist() == ["anger"] + ["-"] * 4


def test_normalise_gender() -> None:
    spellings = pd.Series(["f", "F", " Female", "M", "male", "Male ", "x", None], dtype="string")
    assert normalise_gender(spellings).fillna("-").tolist() == [
        "female", "female", "female", "male", "male", "male", "x", "-",
    ]  # fmt: skip


def make() -> Corpus:
    table = pd.DataFrame({"id": list("abcd"), "text": "x", "emotion": ["ang", "hap", "exc", "xxx"]})
    info = CorpusInfo(name="small", label_spaces={"emotion": ["ang", "exc", "hap", "xxx"]})
    return Corpus(table, info, Path("here"))


def test_relabel_merges_and_drops() -> None:
    corpus = make()
    merged = relabel(corpus, {"emotion": {"exc": "hap", "xxx": None}})
    assert merged.table["emotion"].fillna("-").tolist() == ["ang", "hap", "hap", "-"]
    assert merged.info.label_spaces == {"emotion": ["ang", "hap"]}
    dropped = relabel(corpus, {"emotion": {"exc": "hap", "xxx": None}}, require=["emotion"])
    assert dropped.table["id"].tolist() == ["a", "b", "c"]
    assert corpus.info.label_spaces == {"emotion": ["ang", "exc", "hap", "xxx"]}  # the given one is as it was
    assert corpus.table["emotion"].tolist() == ["ang", "hap", "exc", "xxx"]


def test_relabel_errors() -> None:
    with pytest.raises(AffuseError, match="did you mean 'emotion'"):
        relabel(make(), {"emotoin": {}})
    with pytest.raises(AffuseError, match="no utterance is left"):
        relabel(make(), {"emotion": {"*": None}}, require=["emotion"])
