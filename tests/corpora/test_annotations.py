"""What raters said: read, checked, carried along, and counted, each count a second way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.annotations import ANNOTATIONS, annotation_table
from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.label_protocol import LabelProtocol
from affuse.corpora.readers.iemocap import prepare
from affuse.corpora.readers.iemocap.evaluation import read_evaluation
from affuse.corpora.readers.iemocap.relabel import has_votes, relabel_votes
from affuse.corpora.relabel import relabel
from affuse.corpora.votes import outside, rated_tasks, rating_counts, shares, voted_tasks, votes
from affuse.errors import AffuseError

EMOTIONS = ["anger", "happiness", "sadness", "neutral"]
CODES = {"ang": "anger", "hap": "happiness", "exc": "happiness", "sad": "sadness", "neu": "neutral"}


def small(rows: list[dict[str, Any]], **info: Any) -> Corpus:
    """Three utterances with these annotations of their emotion."""
    frame = pd.DataFrame(
        {"id": ["a", "b", "c"], "text": ["one two", "three", "four"], "emotion": ["joy", "fear", "no"]}
    )
    made = Corpus.from_frame(frame)
    said = annotation_table({"task": "emotion"} | row for row in rows)
    return Corpus(made.table, made.info.model_copy(update=info), annotations=said)


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("generated") / "release"
    return generate_release(out, sessions=1, dialogs=4, turns=60, video=False, jobs=1)


@pytest.fixture(scope="module")
def corpus(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return prepare(release, tmp_path_factory.mktemp("corpus") / "c")


def _said(release: Path) -> dict[str, list[set[str]]]:
    """Id -> the labels of each external annotator, as the release's files have them."""
    found = {}
    for path in sorted(release.glob("Session*/dialog/EmoEvaluation/*.txt")):
        for turn in read_evaluation(path, path.stem)[0]:
            found[turn.id] = [set(vote.labels) for vote in turn.votes if vote.annotator[0] == "E"]
    return found


def test_votes_are_those_of_the_external_annotators_as_classes(release: Path, corpus: Corpus) -> None:
    counted = votes(corpus, "emotion", EMOTIONS)
    assert list(counted.index) == list(corpus.table["id"])
    beyond: Counter[str] = Counter()
    for id, of_turn in _said(release).items():
        expected = Counter(name for labels in of_turn for name in {CODES.get(one, "") for one in labels})
        assert counted.loc[id].to_dict() == {name: expected[name] for name in EMOTIONS}
        beyond.update(one for labels in of_turn for one in labels if one not in CODES)
    assert outside(corpus, "emotion", EMOTIONS) == beyond
    assert beyond["fru"] > 0


def test_ratings_are_counted_by_value(corpus: Corpus) -> None:
    counts = rating_counts(corpus, "valence")
    assert list(counts.index) == list(corpus.table["id"])
    means = (counts.to_numpy() * counts.columns.to_numpy(float)).sum(axis=1) / counts.sum(axis=1)
    assert means.to_numpy() == pytest.approx(corpus.table["valence"].to_numpy(), abs=1e-4)
    assert voted_tasks(corpus) == ["emotion"]
    assert rated_tasks(corpus) == ["valence", "arousal", "dominance"]


def test_annotations_read_back_and_go_where_the_corpus_goes(corpus: Corpus, tmp_path: Path) -> None:
    again = Corpus.load(corpus.folder or "")
    assert again.annotations is not None
    pd.testing.assert_frame_equal(again.annotations, corpus.annotations)
    assert again.info.vote_labels == {"emotion": CODES}
    moved = Corpus.load(Corpus(again.table, again.info, annotations=again.annotations).save(tmp_path).folder)
    pd.testing.assert_frame_equal(moved.annotations, corpus.annotations)
    part = again.altered(again.table.head(3))
    assert set(part.annotations["id"]) == set(part.table["id"])
    assert len(votes(part, "emotion", EMOTIONS)) == 3


def test_a_corpus_without_annotations_leaves_none_behind(corpus: Corpus, tmp_path: Path) -> None:
    Corpus(corpus.table, corpus.info, annotations=corpus.annotations).save(tmp_path)
    assert (tmp_path / ANNOTATIONS).is_file()
    Corpus(corpus.table, corpus.info).save(tmp_path)
    assert not (tmp_path / ANNOTATIONS).exists()
    assert Corpus.load(tmp_path).annotations is None


@pytest.mark.parametrize("classes", ["4+exc", "4", "6"])
def test_votes_under_another_label_rule_are_those_of_preparing_with_it(
    release: Path, corpus: Corpus, tmp_path: Path, classes: Any
) -> None:
    rule = LabelProtocol(classes=classes)
    anew = prepare(release, tmp_path / "c", classes=classes)
    again = relabel_votes(Corpus.load(corpus.folder or ""), rule)
    expected = votes(anew, "emotion", rule.label_space)
    pd.testing.assert_frame_equal(votes(again, "emotion", rule.label_space), expected)


def test_a_folder_of_an_older_affuse_is_read(corpus: Corpus, tmp_path: Path) -> None:
    """It had a row of three ratings, and ``corpus.yaml`` did not say what the votes' codes mean."""
    new = corpus.annotations
    assert new is not None
    info = corpus.info.model_copy(update={"vote_labels": {}})
    Corpus(corpus.table, info).save(tmp_path)
    wide = new[new["value"].notna()].pivot_table(
        index=["id", "annotator", "self"], columns="task", values="value"
    )
    wide = wide.reset_index().rename(columns={"arousal": "activation"}).assign(kind="attribute")
    old = pd.concat([new[new["label"].notna()].assign(kind="categorical"), wide], ignore_index=True)
    columns = ["id", "annotator", "kind", "self", "label", "valence", "activation", "dominance", "comment"]
    old[columns].to_parquet(tmp_path / ANNOTATIONS)
    again = Corpus.load(tmp_path)
    assert has_votes(again)
    pd.testing.assert_frame_equal(votes(again, "emotion", EMOTIONS), votes(corpus, "emotion", EMOTIONS))
    for task in ("valence", "arousal", "dominance"):
        pd.testing.assert_frame_equal(rating_counts(again, task), rating_counts(corpus, task))


def test_labels_are_classes_by_map_by_merge_and_by_meaning() -> None:
    rows = [
        {"id": "a", "label": "happy"}, {"id": "a", "label": "joy", "count": 3}, {"id": "a", "label": "odd"},
        {"id": "b", "label": "happy", "annotator": "R1"}, {"id": "b", "label": "joy", "annotator": "R1"},
        {"id": "b", "label": "Excited", "annotator": "R2"}, {"id": "b", "label": "fear", "annotator": "R2"},
        {"id": "a", "label": "fear", "self": True},
    ]  # fmt: skip
    corpus = small(rows, vote_labels={"emotion": {"odd": None}})
    classes = ["happiness", "fear"]
    assert votes(corpus, "emotion", classes).to_numpy().tolist() == [[4, 0], [1, 1], [0, 0]]
    assert outside(corpus, "emotion", classes) == {"Excited": 1, "odd": 1}
    merged = votes(corpus, "emotion", classes, {"excitement": "joy"})
    assert merged.to_numpy().tolist() == [[4, 0], [2, 1], [0, 0]]
    renamed = relabel(corpus, {"emotion": {"joy": "bliss", "happy": None}})
    assert renamed.info.vote_labels["emotion"]["odd"] is None
    assert votes(renamed, "emotion", ["bliss", "fear"]).to_numpy().tolist() == [[3, 0], [1, 1], [0, 0]]


def test_shares_are_blank_where_nobody_voted() -> None:
    corpus = small([{"id": "a", "label": "joy", "count": 3}, {"id": "a", "label": "fear"}])
    found = shares(votes(corpus, "emotion", ["joy", "fear"])).to_numpy()
    np.testing.assert_array_equal(found, [[0.75, 0.25], [np.nan, np.nan], [np.nan, np.nan]])


def test_a_task_without_votes_is_bad_input() -> None:
    with pytest.raises(
        AffuseError, match=r"keeps no votes of gender \(it has votes of emotion\); choose another"
    ):
        votes(small([{"id": "a", "label": "joy"}]), "gender", ["female", "male"])
    with pytest.raises(AffuseError, match="corpus keeps no votes of emotion; choose another task"):
        votes(small([]), "emotion", ["joy", "fear"])
    with pytest.raises(AffuseError, match="keeps no ratings of emotion"):
        rating_counts(small([{"id": "a", "label": "joy"}]), "emotion")


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"id": "z", "label": "joy"}, r"annotations, row 2 \(z\): the id is no utterance of the corpus; correct"),
        ({"id": "b", "task": "mood", "label": "joy"}, r"row 2 \(b\): the task 'mood' is no column of the corpus"),
        ({"id": "b", "label": " "}, r"row 2 \(b\): the label ' ' is blank, and there is no rating either"),
        ({"id": "b"}, r"row 2 \(b\): the label is blank, and there is no rating"),
        ({"id": "b", "label": "joy", "value": 2.0}, "the label 'joy' stands beside a rating"),
        ({"id": "b", "label": "joy", "count": 0}, "the count 0 is not a whole number of raters from 1"),
        ({"id": "b", "label": "joy", "count": 2, "annotator": "R1"}, "the count 2 is more than the one rater"),
        ({"id": "b", "value": np.inf}, "the value inf is no number"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(row: dict[str, Any], told: str) -> None:
    with pytest.raises(AffuseError, match=told):
        small([{"id": "a", "label": "joy"}, row])


def test_a_file_that_does_not_fit_is_told_when_it_is_read(corpus: Corpus, tmp_path: Path) -> None:
    Corpus(corpus.table, corpus.info, annotations=corpus.annotations).save(tmp_path)
    path = tmp_path / ANNOTATIONS
    table = pd.read_parquet(path)
    table.assign(mark=1).to_parquet(path)
    with pytest.raises(AffuseError, match=r"annotations\.parquet: There is no 'mark' among the columns"):
        _ = Corpus.load(tmp_path).annotations
    table.drop(columns="id").to_parquet(path)
    with pytest.raises(AffuseError, match=r"annotations\.parquet has no column 'id'; it has annotator"):
        _ = Corpus.load(tmp_path).annotations
    path.write_bytes(b"PAR1 no more")
    with pytest.raises(AffuseError, match=r"annotations\.parquet cannot be read"):
        _ = Corpus.load(tmp_path).annotations
