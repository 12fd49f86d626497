"""The raters' agreement of a corpus: numbers of evaluation.raters over its votes, and what validate says of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from affuse.corpora.annotations import annotation_table
from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import ANNOTATIONS
from affuse.corpora.generated.annotators import NAMES, RATINGS, evaluate
from affuse.corpora.generated.script import plan_release
from affuse.corpora.validation import validate
from affuse.evaluation.raters import krippendorff_alpha, leave_one_rater_out, rating_ceiling
from command import affuse

FRAME = pd.DataFrame(
    {
        "id": list("abcd"), "text": ["one two", "three", "four", "five"], "emotion": ["joy", "fear", "joy", "fear"],
        "speaker": list("xyxy"), "votes_joy": [3, 0, 2, 1], "votes_fear": [0, 3, 1, 0], "votes_odd": [0, 1, 0, 0],
    }
)  # fmt: skip


def test_alpha_counts_labels_outside_of_the_classes_and_says_how_many() -> None:
    found = Corpus.from_frame(FRAME, labels={"emotion": ["joy", "fear"]}).raters()
    (line,) = found.to_dict("records")
    assert (line["task"], line["metric"], line["votes"], line["outside"], line["utterances"]) == (
        "emotion", "acc", 11, 1, 3,
    )  # fmt: skip
    assert line["alpha"] == pytest.approx(krippendorff_alpha(np.array([[3, 0, 0], [0, 3, 1], [2, 1, 0]])))
    # all of a's raters, three of b's four; of c's two the others tie, which counts half, and the third is alone
    assert line["rater"] == pytest.approx(np.mean([1, 3 / 4, (0.5 + 0.5 + 0) / 3]))


def test_ratings_have_an_interval_alpha_and_a_ccc() -> None:
    made = Corpus.from_frame(FRAME.assign(valence=[1.5, 4.0, 2.0, 5.0]))
    ratings = {"a": (1, 2), "b": (4, 4), "c": (2, 2), "d": (5, 5)}
    said = annotation_table(
        {"id": id, "task": "valence", "value": value} for id, of in ratings.items() for value in of
    )
    (line,) = Corpus(made.table, made.info, annotations=said).raters().to_dict("records")
    assert (line["metric"], line["votes"]) == ("ccc", 8)
    counts = np.array([[1, 1, 0, 0], [0, 0, 2, 0], [0, 2, 0, 0], [0, 0, 0, 2]])
    assert line["alpha"] == pytest.approx(krippendorff_alpha(counts, np.array([1.0, 2.0, 4.0, 5.0])))


def test_a_corpus_without_raters_has_no_lines() -> None:
    bare = FRAME[["id", "text", "emotion"]]
    assert Corpus.from_frame(bare).raters().empty


def test_validate_tells_damage_and_votes_that_count_for_nothing(tmp_path: Path) -> None:
    corpus = Corpus.from_frame(FRAME).save(tmp_path)
    assert [one for one in validate(corpus) if one.field in ("annotations", "emotion")] == []
    strange = annotation_table(
        {"id": id, "task": "emotion", "label": label} for id, label in (("a", "x1"), ("b", "x2"))
    )
    found = validate(Corpus(corpus.table, corpus.info, annotations=strange))
    assert (
        "warning: corpus, emotion: no vote is for a label of 'emotion': raters gave 'x1', 'x2'; map them."
        in map(str, found)
    )
    said = pd.read_parquet(tmp_path / ANNOTATIONS)
    said.assign(id=said["id"].replace("b", "gone")).to_parquet(tmp_path / ANNOTATIONS)
    (finding,) = [one for one in validate(Corpus.load(tmp_path)) if one.field == "annotations"]
    assert finding.severity == "error"
    assert "row 2 (gone): the id is no utterance of the corpus" in str(finding)


def test_prepare_and_validate_print_alpha(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    FRAME.to_csv(tmp_path / "mine.csv", index=False)
    alpha = Corpus.from_frame(FRAME).raters()["alpha"].item()
    for arguments in (
        ("prepare", "csv", tmp_path / "mine.csv", tmp_path / "c"),
        ("validate", tmp_path / "c"),
    ):
        result = affuse(capsys, monkeypatch, *arguments)
        assert f"{alpha:.3f}" in result.out
        assert "Krippendorff" in result.out
    (tmp_path / "c" / ANNOTATIONS).write_bytes(b"PAR1")
    result = affuse(capsys, monkeypatch, "validate", tmp_path / "c")
    assert result.code == 2
    assert "annotations.parquet cannot be read" in result.out


def test_the_generated_raters_agree_as_often_as_they_were_made_to() -> None:
    """Of a consensus on m: (m, m, m) in half, (m, m, f) in 0.3, (m), (m, f), (s) in 0.2; without one nobody agrees.

    A rating is a rounded normal around what its turn's label has, twice; so the CCC of two raters is the part of the
    variance that labels make.
    """
    said = [one for dialog in plan_release(5, 4, 2000, seed=3) for one in evaluate(dialog, 0)]
    votes = np.zeros((2000, len(NAMES)))
    counts = np.zeros((2000, 5))
    for i, one in enumerate(said):
        for vote in one.votes:
            if vote.annotator[0] == "E":
                votes[i, [list(NAMES).index(label) for label in vote.labels]] += 1
        for rating in one.ratings:
            if rating.annotator[0] == "E":
                counts[i, rating.valence - 1] += 1
    agreed = np.mean([one.turn.label != "xxx" for one in said])
    expected = agreed * (0.5 * 1 + 0.3 * (1 / 2 + 1 / 2) / 3 + 0.2 * (1 / 3 + 1 / 3) / 4)
    assert np.trace(leave_one_rater_out(votes), axis1=1, axis2=2).mean() == pytest.approx(expected, abs=0.025)
    values = np.arange(1.0, 6.0)
    edges = np.array([-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf])
    means, variances = [], []
    for one in said:
        p = np.diff(norm.cdf(edges, RATINGS[one.turn.meant][0], 0.6))
        means.append(p @ values)
        variances.append(p @ values**2 - means[-1] ** 2)
    share = np.var(means) / (np.var(means) + np.mean(variances))
    assert rating_ceiling(counts, values, ["s"] * 2000).value == pytest.approx(share, abs=0.025)
