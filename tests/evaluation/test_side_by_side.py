"""Models side by side: common classes and utterances, numbers by plain loops, every pair tested."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from affuse.evaluation.p_values import holm
from affuse.evaluation.predictions import prediction_table
from affuse.evaluation.side_by_side import side_by_side

SPACES = {
    "wide": {"emotion": ["anger", "fear", "joy"]},
    "narrow": {"emotion": ["joy", "anger"]},
    "third": {"emotion": ["anger", "joy"]},
}
SPEAKERS = 8


def tables(seed: int = 0) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    random = np.random.default_rng(seed)
    truth = random.choice(["anger", "fear", "joy"], 160)
    ids = [f"u{i}" for i in range(160)]
    found = {}
    for k, (name, spaces) in enumerate(SPACES.items()):
        space = spaces["emotion"]
        labels = np.array([space.index(t) if t in space else -1 for t in truth])
        scores = random.normal(0, 1, (160, len(space)))
        scores[np.arange(160), np.maximum(labels, 0)] += k
        p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        table = prediction_table(ids, "all", 0, {"emotion": p}, {"emotion": labels}, spaces)
        found[name] = table[k * 5 :]  # each lacks other clips
    people = pd.DataFrame({"speaker": [f"s{i % SPEAKERS}" for i in range(160)]}, index=ids)
    return found, people


def test_every_number_by_plain_loops() -> None:
    given, people = tables()
    found = side_by_side(given, SPACES, people)
    assert found.classes == {"emotion": ["anger", "joy"]}
    truth = given["wide"].set_index("id")["emotion"]
    ids = [id for id in given["third"]["id"] if truth[id] in ("anger", "joy")]
    right: dict[str, dict[str, bool]] = {}
    for name, table in given.items():
        rows = table.set_index("id")
        right[name] = {}
        for id in ids:
            anger, joy = rows.loc[id, "emotion_p_anger"], rows.loc[id, "emotion_p_joy"]
            right[name][id] = ("anger" if anger > joy else "joy") == truth[id]
        acc = sum(right[name].values()) / len(ids)
        recalls = [np.mean([right[name][id] for id in ids if truth[id] == one]) for one in ("anger", "joy")]
        of = found.metrics[found.metrics["model"] == name].set_index("metric")["value"]
        assert of["acc"] == pytest.approx(acc)
        assert of["bacc"] == pytest.approx(np.mean(recalls))
    assert set(found.metrics["n"]) == {len(ids)}
    pairs = found.differences[found.differences["metric"] == "acc"]
    assert list(zip(pairs["reference"], pairs["model"], strict=True)) == [
        ("wide", "narrow"), ("wide", "third"), ("narrow", "third")
    ]  # fmt: skip
    for row in pairs.to_dict("records"):
        expected = np.mean([right[row["model"]][id] - right[row["reference"]][id] for id in ids])
        assert row["difference"] == pytest.approx(expected)
        assert row["low"] <= row["difference"] <= row["high"]
    np.testing.assert_allclose(pairs["p_holm"], holm(pairs["p"].to_numpy()))


def test_equal_models_do_not_differ() -> None:
    given, people = tables()
    found = side_by_side(
        {"a": given["wide"], "b": given["wide"]}, {"a": SPACES["wide"], "b": SPACES["wide"]}, people
    )
    assert (found.differences["difference"] == 0).all()
    assert (found.differences["p"] == 1).all()


def test_what_cannot_be_compared_is_said() -> None:
    given, people = tables()
    other = given["wide"].rename(columns=lambda name: str(name).replace("emotion", "mood"))
    found = side_by_side(
        {"a": given["wide"], "b": other}, {"a": SPACES["wide"], "b": {"mood": ["x", "y"]}}, people
    )
    assert found.classes == {}
    assert found.notes == [
        "emotion is not compared: b cannot be measured in it (no such classes, or no labelled utterance left).",
        "mood is not compared: a cannot be measured in it (no such classes, or no labelled utterance left).",
    ]  # fmt: skip
    alone = {"a": {"emotion": ["anger", "fear", "joy"]}, "b": {"emotion": ["joy", "calm"]}}
    calm = given["narrow"].rename(columns={"emotion_p_anger": "emotion_p_calm"})
    found = side_by_side({"a": given["wide"], "b": calm}, alone, people)
    assert "the models have 1 class and" in found.notes[0]


@pytest.mark.parametrize(
    ("labels", "answers", "notes"),
    [
        # each class is of one speaker, and of two speakers one is drawn
        ("aabb", "aabb", ["BACC of t has no interval and no p value for two - one: in every resample of the 2 "
                          "speakers a class is missing."]),
        # either speaker loses one answer of two: whoever is drawn, the difference is the same
        ("abab", "bbbb", [f"{metric} of t has no interval and no p value for two - one: the difference is the same in "
                          "every resample of the 2 speakers." for metric in ("ACC", "BACC")]),
        ("abab", "bbab", []),
    ],
)  # fmt: skip
def test_why_a_difference_has_no_interval(labels: str, answers: str, notes: list[str]) -> None:
    ids, truth = list("wxyz"), np.array([ord(one) - ord("a") for one in labels])
    given = {
        name: prediction_table(ids, "all", 0, {"t": np.eye(2)[[ord(one) - ord("a") for one in said]]}, {"t": truth},
                               {"t": ["a", "b"]})
        for name, said in (("one", labels), ("two", answers))
    }  # fmt: skip
    people = pd.DataFrame({"speaker": list("ppqq")}, index=ids)
    found = side_by_side(given, {name: {"t": ["a", "b"]} for name in given}, people)
    assert [one for one in found.notes if "no interval" in one] == notes
    assert found.differences["p"].isna().sum() == len(notes)
