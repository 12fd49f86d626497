"""Tasks of kind regression: trained for real beside classes, measured, kept, and refused where they are not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

import affuse
from affuse import Recipe
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.evaluation.dimensions import measure_dimension, measure_ratings
from affuse.models.parts import resolve_encoder
from affuse.parts import registry
from affuse.recipe import Modality
from affuse.recipe.dimension import Dimension
from affuse.sequence import FeatureSequence
from affuse.serving.about.about import About
from affuse.training.ratings import ratings_of
from small_corpus import make_corpus

RATED = {
    "anger": 1.6,
    "sadness": 2.4,
    "neutral": 3.4,
}  # what a rating of pleasure would be, on a scale from 1 to 5
DIMENSION = {"kind": "regression", "range": [1, 5]}
SMALL: dict[str, Any] = {
    "modalities.audio.encoder": "precomputed",
    "modalities.audio.options": {"name": "face"},
    "modalities.audio.standardise": True,
    "head.hidden": 16,
    "lr": 1e-2,
    "epochs": 12,
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """72 utterances with a rating that their features tell, but for every sixth, which nobody rated."""
    found = make_corpus(tmp_path_factory.mktemp("rated"))
    table, random = found.table, np.random.default_rng(0)
    table["valence"] = table["emotion"].map(RATED).astype(float) + random.normal(0, 0.2, len(table)).round(2)
    table.loc[table.index % 6 == 5, "valence"] = np.nan
    return Corpus(table, found.info).save(found.folder)


def train(corpus: Corpus, out: Path, **changes: Any) -> affuse.Run:
    return affuse.train("voice-offline", corpus, out, set={**SMALL, **changes}, device="cpu", live=True)


def both(**changes: Any) -> dict[str, Any]:
    return {"tasks.valence": {**DIMENSION, **changes}}


def test_a_rating_is_learnt_beside_classes(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both())
    assert run.recipe.tasks["valence"].loss[0].name == "ccc"
    found = run.metrics["valence"]
    assert found["ccc"] > 0.8
    assert run.metrics["emotion"]["bacc"] > 0.8
    test = run.predictions[run.predictions["role"] == "test"]
    truth = corpus.table.set_index("id")["valence"][test["id"]].to_numpy(float)
    rated = ~np.isnan(truth)
    answers = pd.to_numeric(test["valence_predicted"]).to_numpy(float)
    assert found == pytest.approx(measure_ratings(truth[rated], answers[rated])._asdict())
    assert 0 < rated.sum() < len(test)
    assert measure_dimension(run.predictions, "valence", "test").n == found["n"] == rated.sum()
    assert answers.min() >= 1
    assert answers.max() <= 5
    history = run.history
    assert {"train_loss_valence", "validation_loss_valence", "validation_ccc_valence"} <= set(history)
    chosen = history["validation_ccc_valence"] + history["validation_bacc_emotion"]
    assert chosen[run.best_epoch - 1] == pytest.approx(chosen.max())


def test_ratings_of_a_wide_scale_are_written_as_they_are(corpus: Corpus, tmp_path: Path) -> None:
    """In single precision 33.3333 of a scale to 1000 would come back as 33.333313."""
    wide = corpus.table.assign(valence=(corpus.table["valence"] * 100 / 3).round(4))
    changed = Corpus(wide, corpus.info, corpus.folder)
    run = train(changed, tmp_path / "run", **both(range=[0, 1000]), epochs=1)
    rated = pd.to_numeric(run.predictions.set_index("id")["valence"]).dropna()
    assert rated.tolist() == wide.set_index("id")["valence"][rated.index].tolist()


def test_a_corpus_of_another_scale_is_not_the_models(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both(), epochs=1)
    wide = corpus.table.assign(valence=corpus.table["valence"] * 20)
    other = Corpus(wide, CorpusInfo(name="wide", label_spaces=corpus.info.label_spaces), corpus.folder)
    with pytest.raises(AffuseError, match="correct the row, or bring the column to the scale of the model"):
        affuse.evaluate(run.folder, other, role="all", device="cpu")


def test_the_model_is_kept_with_its_scale_and_answers_again(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both(loss="mse+0.5*ccc"), epochs=2)
    model = run.model()
    assert model.dimensions == {"valence": (1, 5)}
    assert list(model.label_spaces) == ["emotion"]
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "**valence**: a number from 1 to 5; loss mse+0.5*ccc" in card
    assert f"| valence | CCC | {run.metrics['valence']['ccc']:.3f} |" in card
    assert "valence CCC" in repr(run)
    assert set(run.summary()["task"]) == {"emotion", "valence"}
    rows = run.to_frame().query("task == 'valence'").set_index("metric")["value"]
    assert rows["rmse"] == run.metrics["valence"]["rmse"]


@pytest.mark.parametrize("weighting", registry.names("weightings"))
def test_every_weighting_weighs_a_rating_and_classes(weighting: str, corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both(), **{"weighting.name": weighting, "epochs": 1})
    assert np.isfinite(run.metrics["valence"]["rmse"])


def test_ratings_alone_are_learnt_and_choose_the_epoch(corpus: Corpus, tmp_path: Path) -> None:
    changes = {"tasks": {"valence": DIMENSION}, "training.criterion": "ccc", "fusion.name": "late"}
    run = train(corpus, tmp_path / "run", **changes)
    assert list(run.metrics) == ["valence"]
    assert run.metrics["valence"]["ccc"] > 0.8
    assert run.best_epoch == 1 + int(run.history["validation_ccc_valence"].argmax())


def test_a_model_of_ratings_is_evaluated_on_any_corpus(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both(), epochs=3)
    found = affuse.evaluate(run.folder, corpus, split=run.folder / "split.csv", device="cpu")
    lines = found.metrics[found.metrics["task"] == "valence"].set_index("metric")
    for metric in ("ccc", "pearson", "rmse", "mae"):
        assert lines["value"][metric] == pytest.approx(run.metrics["valence"][metric], abs=1e-5)
    assert lines["n"].unique().tolist() == [run.metrics["valence"]["n"]]
    assert "valence CCC" in repr(found)
    assert "Results: valence" in found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    whole = affuse.evaluate(run.folder, corpus, role="all", device="cpu")
    ccc = whole.metrics[whole.metrics["metric"] == "ccc"].iloc[0]
    assert ccc["low"] < ccc["value"] < ccc["high"]  # of six speakers; a test part has one
    assert f"[{ccc['low']:.3f}, {ccc['high']:.3f}]" in whole.summary()["CCC [95 %]"].iloc[1]
    only = Corpus(corpus.table.drop(columns="emotion"), CorpusInfo(name="rated"), corpus.folder)
    rated = affuse.evaluate(run.folder, only, role="all", device="cpu")
    assert rated.metrics["task"].unique().tolist() == ["valence"]
    assert rated.metrics["n"].iloc[0] == corpus.table["valence"].notna().sum()


def test_a_model_of_ratings_is_exported(corpus: Corpus, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    run = train(corpus, tmp_path / "run", **both(), epochs=2)
    session = onnxruntime.InferenceSession(affuse.export(run.folder, tmp_path / "model.onnx"))
    assert [one.name for one in session.get_outputs()] == ["logits_emotion", "value_valence", "embedding"]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["ranges"]) == {"valence": [1.0, 5.0]}
    band = json.loads(told["prediction"])["bands"]["valence"]
    assert 0 < band["half"] == run.model().defaults.band_of("valence").half
    features = np.random.default_rng(0).normal(300, 3000, (5, 4, 3)).astype(np.float32)
    mask = np.ones((5, 4), bool)
    (found,) = session.run(["value_valence"], {"audio": features, "audio_mask": mask})
    with torch.inference_mode():
        output = run.model()({"audio": FeatureSequence(torch.from_numpy(features), torch.from_numpy(mask))})
    expected = np.clip(3 + 2 * output.values["valence"].numpy(), 1, 5)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert {1.0, 5.0} & set(found.tolist())  # some are clipped


def test_what_does_not_know_ratings_says_so(corpus: Corpus, tmp_path: Path) -> None:
    run = train(corpus, tmp_path / "run", **both(), epochs=1)
    inner = {"model": str(run.folder)}
    for done, call in {
        "measured as ONNX": lambda: affuse.measure_export(run.folder, corpus),
        "used in an encoder's place": lambda: (
            resolve_encoder(Modality(encoder="audio_model", options=inner), "audio").width
        ),
    }.items():
        with pytest.raises(AffuseError, match=rf"kind regression \(valence\) cannot be {done} yet"):
            call()


def test_a_run_of_ratings_is_described_in_the_service(corpus: Corpus, tmp_path: Path) -> None:
    about = About(train(corpus, tmp_path / "both", **both(), epochs=1).folder)
    assert about.figures
    assert about.has_map
    assert {task for point in about.map().points for task in point.answers} == {"emotion"}
    alone = About(train(corpus, tmp_path / "alone", tasks={"valence": DIMENSION}, epochs=1).folder)
    assert not alone.has_map
    assert [one.title for one in alone.figures if "valence" not in one.title]


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"kind": "regression"}, r"tasks.valence: kind: regression needs the lowest and highest value"),
        ({"kind": "regression", "range": [5, 1]}, "from a lower to a higher number, not from 5 to 1"),
        ({"range": [1, 5]}, "range is of kind: regression"),
        ({**DIMENSION, "classes": ["low", "high"]}, "a regression has no classes"),
    ],
)
def test_fields_of_the_other_kind_are_refused(task: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        Recipe.load("voice-offline", {"tasks.valence": task})


def test_criterion_ccc_needs_a_rating() -> None:
    with pytest.raises(AffuseError, match="criterion ccc needs a task of kind regression"):
        Recipe.load("voice-offline", {"training.criterion": "ccc"})


def test_a_recipe_without_ratings_is_the_experiment_that_it_was() -> None:
    assert "range" not in Recipe.load("voice-offline").identity()
    assert "regression" in Recipe.load("voice-offline", both()).identity()


@pytest.mark.parametrize(
    ("task", "field", "message"),
    [
        (
            "valence",
            {"loss": "cross_entropy"},
            "cross_entropy is a loss of kind classes, and valence is of kind",
        ),
        ("valence", {"loss": "ccc+center"}, "take one of ccc, mse, mae, huber"),
        (
            "valence",
            {"range": [1, 3]},
            r"utterance s\d_neutral_\d of small has valence 3\.\d+, which is outside",
        ),
        (
            "emotion",
            {},
            "kind: regression needs a column of numbers, and utterance s0_anger_0 of small has 'anger'",
        ),
        ("arousal", {}, "tasks.arousal: none is rated in small"),
        (
            "valence",
            {"range": "1,5"},
            r"tasks.valence.range: should be a list in brackets, such as \[1, 5\], not",
        ),
        ("valence", {"range": "1-5"}, r"should be a list in brackets, such as \[1, 5\], not '1-5'\.$"),
        ("valence", {"kind": "classes", "range": None}, "take kind: regression with a range for numbers"),
        ("pleasure", {}, "There is no 'pleasure' among the columns of numbers"),
    ],
)
def test_bad_input_is_one_sentence(
    task: str, field: dict[str, Any], message: str, corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(AffuseError, match=message):
        train(corpus, tmp_path / "run", tasks={task: {**DIMENSION, **field}})
    assert not (tmp_path / "run").exists()


def test_a_loss_of_ratings_does_not_train_classes(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="mse is a loss of kind regression, and emotion is of kind classes"):
        train(corpus, tmp_path / "run", loss="mse")


def test_ratings_that_are_all_alike_are_refused(corpus: Corpus) -> None:
    alike = corpus.table.assign(valence=3.0)
    with pytest.raises(AffuseError, match="all rated utterances have 3 in small"):
        ratings_of(alike, "valence", Dimension(1, 5), "small")
    assert ratings_of(alike, "valence", Dimension(1, 5), "small", training=False).tolist() == [3.0] * len(
        alike
    )


def test_a_column_of_a_users_table_is_texts_and_learnt_as_numbers(corpus: Corpus, tmp_path: Path) -> None:
    """A table of one's own keeps cells as they are written; "any column of numbers" is meant of them too."""
    typed = corpus.table.assign(text="so", mood=[f" {one}" for one in corpus.table["valence"].fillna(2)])
    typed.loc[typed.index % 6 == 5, "mood"] = None
    typed[["id", "text", "speaker", "mood"]].to_csv(tmp_path / "mine.csv", index=False)
    read = affuse.prepare("csv", tmp_path / "mine.csv", tmp_path / "c").table
    assert not pd.api.types.is_numeric_dtype(read["mood"])
    learnt = ratings_of(read, "mood", Dimension(1, 5), "mine")
    np.testing.assert_array_equal(learnt, corpus.table["valence"].astype(float))


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2.5", "n/a", "3"], "utterance b of mine has 'n/a' there; correct the cell; it stays blank"),
        (["2.5", "nan", "3"], "utterance b of mine has 'nan' there; correct the cell"),
        (["2,5", "3,5", None], "utterance a of mine has '2,5' there; write the decimals with a point"),
        (["2", "3,5", None], "utterance b of mine has '3,5' there; write the decimals with a point"),
        (["2", "inf", None], "utterance b of mine has mood inf, which is outside"),
        ([True, False, True], "utterance a of mine has True there"),
    ],
)
def test_texts_that_are_no_ratings_are_named(cells: list[Any], message: str) -> None:
    table = pd.DataFrame({"id": ["a", "b", "c"], "mood": cells})
    with pytest.raises(AffuseError, match=message):
        ratings_of(table, "mood", Dimension(1, 5), "mine")
