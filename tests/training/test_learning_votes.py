"""Shares of raters' votes: learnt for real, measured by labels and by votes, refused where they do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse import Recipe
from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.evaluation.metrics import measure
from affuse.evaluation.soft import measure_soft
from affuse.parts import registry
from small_corpus import make_corpus

CLASSES = ["anger", "sadness", "neutral"]
VOTES: dict[str, Any] = {"tasks.emotion.target": "distribution", "tasks.emotion.loss": "soft_cross_entropy"}
SMALL: dict[str, Any] = {
    "modalities.audio.encoder": "precomputed",
    "modalities.audio.options": {"name": "face"},
    "modalities.audio.standardise": True,
    "head.hidden": 16,
    "lr": 1e-2,
    "epochs": 12,
    "protocol.validation": {"groups": 1},
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """72 utterances with four votes each, one in four wrong; every ninth has two pairs and no label."""
    found = make_corpus(tmp_path_factory.mktemp("voted"))
    table, random, rows = found.table, np.random.default_rng(0), []
    for i, (id, label) in enumerate(zip(table["id"], table["emotion"], strict=True)):
        other = random.choice([one for one in CLASSES if one != label])
        for rater in range(4):
            said = other if (rater < 2 and i % 9 == 8) or (rater == 0 and i % 9 < 8) else label
            rows.append({"id": id, "annotator": f"r{rater}", "task": "emotion", "label": said})
        if i % 9 == 8:
            table.loc[i, "emotion"] = None
        if i % 9 == 4:  # nobody voted
            rows = rows[:-4]
    return Corpus(table, found.info, annotations=pd.DataFrame(rows)).save(found.folder)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> affuse.Run:
    """With the utterances on which raters did not agree."""
    changes = {**VOTES, "tasks.emotion.without_agreement": True}
    return train(corpus, tmp_path_factory.mktemp("run") / "run", **changes)


def train(corpus: Corpus, out: Path, **changes: Any) -> affuse.Run:
    return affuse.train("voice-offline", corpus, out, set={**SMALL, **changes}, device="cpu", live=True)


def shares_in(table: pd.DataFrame) -> np.ndarray:
    return table[[f"emotion_votes_{label}" for label in CLASSES]].to_numpy(float)


def told_in(table: pd.DataFrame) -> np.ndarray:
    return table[[f"emotion_p_{label}" for label in CLASSES]].to_numpy(float)


def test_votes_are_learnt_and_measured(run: affuse.Run, corpus: Corpus) -> None:
    test = run.predictions[run.predictions["role"] == "test"]
    labels = corpus.table.set_index("id")["emotion"][test["id"]]
    assert (test["emotion"].to_numpy() == labels.fillna("").to_numpy()).all()
    assert (test["emotion"] == "").any()  # without agreement, and tested by votes all the same
    said = corpus.annotations
    assert said is not None
    counted = pd.crosstab(said["id"], said["label"])[CLASSES]
    expected = counted.reindex(test["id"]).to_numpy(float) / 4
    np.testing.assert_allclose(shares_in(test), expected)
    found, soft = run.metrics["emotion"], run.metrics["emotion"]["soft"]
    for name, value in measure_soft(expected, told_in(test))._asdict().items():
        assert soft[name] == pytest.approx(value)
    assert soft["n"] == (~np.isnan(expected).any(axis=1)).sum()
    assert soft["entropy"] < soft["soft_cross_entropy"] < np.log(3)
    known = (labels.notna()).to_numpy()
    codes = [CLASSES.index(one) for one in labels[known]]
    assert found["bacc"] == pytest.approx(measure(codes, told_in(test)[known].argmax(axis=1), CLASSES).bacc)
    assert found["n"] == known.sum()


def test_labels_choose_the_epoch_and_votes_are_the_loss(run: affuse.Run) -> None:
    history = run.history
    chosen = history["validation_bacc_emotion"]
    assert chosen[run.best_epoch - 1] == pytest.approx(chosen.max())
    validation = run.predictions[run.predictions["role"] == "validation"]
    shares, told = shares_in(validation), told_in(validation)
    there = ~np.isnan(shares).any(axis=1)
    loss = -(shares[there] * np.log(told[there])).sum(axis=1).mean()
    assert history["validation_loss_emotion"][run.best_epoch - 1] == pytest.approx(loss, rel=1e-4)


def test_a_run_and_its_card_say_that_votes_were_learnt(run: affuse.Run) -> None:
    soft = run.metrics["emotion"]["soft"]
    assert run.summary()["soft cross-entropy"].tolist() == [f"{soft['soft_cross_entropy']:.3f}"]
    rows = run.to_frame().set_index("metric")["value"]
    assert rows["jensen_shannon"] == soft["jensen_shannon"]
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert f"| emotion | soft cross-entropy | {soft['soft_cross_entropy']:.3f} |" in card
    assert f"the soft cross-entropy is {soft['entropy']:.3f} nats" in card
    assert list(run.model().label_spaces) == ["emotion"]


def test_without_agreement_is_a_choice(corpus: Corpus, run: affuse.Run, tmp_path: Path) -> None:
    agreed = train(corpus, tmp_path / "run", **{**VOTES, "tasks.emotion.loss": "kl"}, epochs=2)
    whole = sum(len(run.predictions[run.predictions["role"] == role]) for role in ("validation", "test"))
    assert len(agreed.predictions) < whole
    assert (agreed.predictions["emotion"] != "").all()
    assert (
        np.isnan(shares_in(agreed.predictions)).all(axis=1).any()
    )  # a label without votes is measured, not learnt


def test_a_model_of_votes_is_evaluated_where_nobody_voted(
    run: affuse.Run, corpus: Corpus, tmp_path: Path
) -> None:
    there = corpus.table["features_face"].map(lambda one: str((corpus.folder or tmp_path) / one))
    plain = Corpus(corpus.table.assign(features_face=there), corpus.info)
    assert plain.annotations is None
    found = affuse.evaluate(run.folder, plain, role="all", device="cpu")
    assert found.metrics["n"].iloc[0] == corpus.table["emotion"].notna().sum()


@pytest.mark.parametrize("weighting", registry.names("weightings"))
def test_every_weighting_weighs_votes_and_labels(weighting: str, corpus: Corpus, tmp_path: Path) -> None:
    changes = {**VOTES, "tasks.gender": {"loss": "cross_entropy"}, "weighting.name": weighting, "epochs": 1}
    assert set(train(corpus, tmp_path / "run", **changes).metrics) == {"emotion", "gender"}


def test_a_recipe_of_labels_is_the_experiment_that_it_was() -> None:
    assert "target" not in Recipe.load("voice-offline").identity()
    voted = Recipe.load("voice-offline", {**VOTES, "tasks.emotion.without_agreement": True})
    assert "without_agreement" in voted.identity()
    usual = Recipe.load("voice-offline", {"tasks": {"emotion": {"target": "distribution"}}})
    assert usual.tasks["emotion"].loss[0].name == "soft_cross_entropy"
    assert (
        Recipe.load("voice-offline", "tasks.emotion.loss=null").tasks["emotion"].loss[0].name
        == "cross_entropy"
    )


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"without_agreement": True}, "without_agreement needs target: distribution"),
        ({"target": "distribution", "classifier": "svm"}, "target: distribution is of kind: classes"),
        ({"target": "distribution", "kind": "multilabel"}, "target: distribution is of kind: classes"),
    ],
)
def test_fields_that_do_not_fit_are_refused(task: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        Recipe.load("voice-offline", {"tasks.emotion": task})


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"loss": "cross_entropy"},
            "cross_entropy is a loss of kind classes, and emotion is of target: distribution",
        ),
        ({"loss": "kl+center"}, "center is a loss of kind classes, .* take one of soft_cross_entropy, kl"),
        (
            {"tasks.emotion.target": "labels"},
            "soft_cross_entropy is a loss of target: distribution, and emotion is of",
        ),
        ({"tasks.gender": {"target": "distribution"}}, "keeps no votes of gender"),
    ],
)
def test_bad_input_is_one_sentence(
    changes: dict[str, Any], message: str, corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(AffuseError, match=message):
        train(corpus, tmp_path / "run", **{**VOTES, **changes})
    assert not (tmp_path / "run").exists()


def test_votes_for_other_classes_alone_are_refused(corpus: Corpus, tmp_path: Path) -> None:
    assert corpus.annotations is not None
    strange = Corpus(
        corpus.table, corpus.info, corpus.folder, annotations=corpus.annotations.assign(label="glee")
    )
    with pytest.raises(
        AffuseError, match="no utterance of small that could be trained on has a vote for any of anger"
    ):
        train(strange, tmp_path / "run", **VOTES)


def test_other_votes_are_another_run(corpus: Corpus, tmp_path: Path) -> None:
    train(corpus, tmp_path / "run", **VOTES, epochs=1)
    assert corpus.annotations is not None
    fewer = Corpus(corpus.table, corpus.info, corpus.folder, annotations=corpus.annotations[3:])
    with pytest.raises(AffuseError, match="finished run of another recipe, corpus, split or seed"):
        train(fewer, tmp_path / "run", **VOTES, epochs=1)
    assert train(corpus, tmp_path / "run", **VOTES, epochs=1).reused
