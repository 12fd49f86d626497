"""Several labels at once: trained for real, measured, kept with thresholds, refused where they are not known."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import f1_score

import affuse
from affuse import Recipe
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.evaluation.label_sets import fit_thresholds, measure_label_sets, members
from affuse.fusion.base import Opinions
from affuse.models.parts import resolve_encoder
from affuse.parts import registry
from affuse.progress import Quiet
from affuse.recipe import Modality
from affuse.sequence import FeatureSequence
from affuse.serving.engine.side import Side
from affuse.training.label_sets import rarest
from small_corpus import make_corpus

MOODS = {"anger": "angry;tense", "sadness": "sad", "neutral": ";"}  # nothing of all that: no label
LABELS = ["angry", "sad", "tense"]
SEVERAL = {"kind": "multilabel"}
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
    """72 utterances with moods that their features tell, but for every sixth, of which nobody knows."""
    found = make_corpus(tmp_path_factory.mktemp("moods"))
    table = found.table
    table["moods"] = table["emotion"].map(MOODS)
    table.loc[table.index % 6 == 5, "moods"] = None
    return Corpus(table, found.info).save(found.folder)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> affuse.Run:
    """Beside classes."""
    return train(corpus, tmp_path_factory.mktemp("run") / "run", **{"tasks.moods": SEVERAL})


def train(corpus: Corpus, out: Path, **changes: Any) -> affuse.Run:
    return affuse.train("voice-offline", corpus, out, set={**SMALL, **changes}, device="cpu", live=True)


def test_several_labels_are_learnt_beside_classes(run: affuse.Run, corpus: Corpus) -> None:
    assert run.recipe.tasks["moods"].loss[0].name == "binary_cross_entropy"
    found = run.metrics["moods"]
    assert found["macro_f1"] > 0.8
    assert found["map"] > 0.8
    assert run.metrics["emotion"]["bacc"] > 0.8
    test = run.predictions[run.predictions["role"] == "test"]
    texts = corpus.table.set_index("id")["moods"][test["id"]]
    rated = texts.notna().to_numpy()
    assert (test["moods"].to_numpy() == texts.fillna("").to_numpy()).all()
    truth = members(texts[rated], LABELS)
    called = members(test["moods_predicted"][rated], LABELS)
    assert found["macro_f1"] == pytest.approx(f1_score(truth, called, average="macro"))
    assert 0 < rated.sum() == found["n"] < len(test)
    history = run.history
    assert {"train_loss_moods", "validation_loss_moods", "validation_macro_f1_moods"} <= set(history)
    chosen = history["validation_macro_f1_moods"] + history["validation_bacc_emotion"]
    assert chosen[run.best_epoch - 1] == pytest.approx(chosen.max())


def test_thresholds_are_of_validation_and_kept(run: affuse.Run) -> None:
    model, tables = run.model(), run.predictions
    assert model.label_sets == {"moods": LABELS}
    assert list(model.label_spaces) == ["emotion"]
    there = tables[(tables["role"] == "validation") & (tables["moods"] != "")]
    p = there[[f"moods_p_{label}" for label in LABELS]].to_numpy(float)
    fitted = fit_thresholds(members(there["moods"], LABELS), p)
    assert model.defaults.thresholds_of("moods", LABELS) == pytest.approx(fitted, abs=1e-6)
    for label, threshold in zip(LABELS, fitted, strict=True):
        told = pd.to_numeric(tables[f"moods_p_{label}"]) >= threshold
        assert (members(tables["moods_predicted"], LABELS)[:, LABELS.index(label)] == told.to_numpy()).all()
    card = (run.folder / "model" / "README.md").read_text(encoding="utf-8")
    assert "**moods**: any of angry, sad, tense; loss binary_cross_entropy" in card
    assert f"| moods | macro F1 | {100 * run.metrics['moods']['macro_f1']:.1f} |" in card
    assert f"told from a probability of its own (fitted on validation): angry {fitted[0]:.2f}" in card


def test_a_run_shows_itself(run: affuse.Run) -> None:
    assert "moods macro F1" in repr(run)
    assert set(run.summary()["task"]) == {"emotion", "moods"}
    rows = run.to_frame().query("task == 'moods'").set_index("metric")["value"]
    assert rows["map"] == run.metrics["moods"]["map"]
    assert rows["f1 sad"] == run.metrics["moods"]["f1"]["sad"]


@pytest.mark.parametrize("weighting", registry.names("weightings"))
def test_every_weighting_weighs_labels_and_classes(weighting: str, corpus: Corpus, tmp_path: Path) -> None:
    changes = {"tasks.moods": SEVERAL, "weighting.name": weighting, "epochs": 1}
    assert np.isfinite(train(corpus, tmp_path / "run", **changes).metrics["moods"]["micro_f1"])


def test_labels_alone_are_learnt_and_choose_the_epoch(corpus: Corpus, tmp_path: Path) -> None:
    changes = {"tasks": {"moods": SEVERAL}, "training.criterion": "macro_f1", "fusion.name": "late"}
    run = train(corpus, tmp_path / "run", **changes)
    assert list(run.metrics) == ["moods"]
    assert run.metrics["moods"]["macro_f1"] > 0.8
    chosen = run.history["validation_macro_f1_moods"]
    assert chosen[run.best_epoch - 1] == chosen.max()


def test_labels_are_merged_and_left_out(corpus: Corpus, tmp_path: Path) -> None:
    merged = {**SEVERAL, "merge": {"tense": "angry"}, "classes": ["sad", "angry"]}
    run = train(corpus, tmp_path / "merged", tasks={"moods": merged}, epochs=1)
    assert run.model().label_sets == {"moods": ["sad", "angry"]}
    assert set(run.predictions["moods"]) == {";", "sad", "angry"}
    without = train(
        corpus, tmp_path / "without", tasks={"moods": {**SEVERAL, "classes": ["tense", "sad"]}}, epochs=1
    )
    assert set(without.predictions["moods"]) == {";", "tense", "sad"}  # angry;tense is tense


def test_an_utterance_of_other_labels_alone_is_blank_and_said(corpus: Corpus, tmp_path: Path) -> None:
    said: list[str] = []

    class Said(Quiet):
        def say(self, message: str) -> None:
            said.append(message)

    chosen = {**SMALL, "tasks": {"moods": {**SEVERAL, "classes": ["angry", "tense"]}}, "epochs": 1}
    run = affuse.train(
        "voice-offline", corpus, tmp_path / "run", set=chosen, device="cpu", live=True, progress=Said()
    )
    assert set(run.predictions["moods"]) == {";", "angry;tense"}
    assert "Labels of moods that are not among tasks.moods.classes are left out (utterances): sad 18." in said
    assert "30 of 72 utterances have none of the recipe's labels: left out." in said


def test_a_model_of_labels_is_evaluated_on_any_corpus(
    run: affuse.Run, corpus: Corpus, tmp_path: Path
) -> None:
    found = affuse.evaluate(run.folder, corpus, split=run.folder / "split.csv", device="cpu")
    lines = found.metrics[found.metrics["task"] == "moods"].set_index("metric")
    for metric in ("macro_f1", "micro_f1", "map"):
        assert lines["value"][metric] == pytest.approx(run.metrics["moods"][metric], abs=1e-5)
    assert lines["value"]["f1 sad"] == pytest.approx(run.metrics["moods"]["f1"]["sad"])
    assert lines["n"]["f1 sad"] == run.metrics["moods"]["support"]["sad"]
    assert "moods macro F1" in repr(found)
    assert "emotion macro F1" not in repr(found)
    assert set(found.group_table().query("task == 'moods'")["metric"]) == {"macro F1", "micro F1"}
    page = found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Results: moods" in page
    assert "Every label" in page
    strange = corpus.table.assign(moods=corpus.table["moods"].str.replace("tense", "nervous"))
    other = Corpus(strange.drop(columns="emotion"), CorpusInfo(name="other"), corpus.folder)
    whole = affuse.evaluate(run.folder, other, role="all", device="cpu")
    assert whole.metrics["task"].unique().tolist() == ["moods"]
    assert (
        "Labels of moods that are not among the model's are left out (utterances): nervous 24." in whole.said
    )
    macro = whole.metrics.iloc[0]
    assert macro["n"] == corpus.table["moods"].notna().sum()
    assert macro["low"] <= macro["value"] <= macro["high"] or np.isnan(macro["low"])


def test_a_model_of_labels_is_exported(run: affuse.Run, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(affuse.export(run.folder, tmp_path / "model.onnx"))
    assert [one.name for one in session.get_outputs()] == ["logits_emotion", "labels_moods", "embedding"]
    told = session.get_modelmeta().custom_metadata_map
    assert json.loads(told["label_sets"]) == {"moods": LABELS}
    assert json.loads(told["prediction"])["thresholds"] == run.model().defaults.thresholds
    features = np.random.default_rng(0).normal(300, 30, (5, 4, 3)).astype(np.float32)
    mask = np.ones((5, 4), bool)
    (found,) = session.run(["labels_moods"], {"audio": features, "audio_mask": mask})
    with torch.inference_mode():
        output = run.model()({"audio": FeatureSequence(torch.from_numpy(features), torch.from_numpy(mask))})
    np.testing.assert_allclose(found, output.label_logits["moods"].sigmoid().numpy(), atol=1e-4)


def test_opinions_on_labels_are_averaged_as_probabilities() -> None:
    random = torch.Generator().manual_seed(0)
    embeddings = [torch.randn(4, 3, generator=random) for _ in range(2)]
    weights = torch.randn(4, 2, generator=random).softmax(dim=-1)
    head = torch.nn.Linear(3, 5)
    found = Opinions(embeddings, weights.log()).label_logits(head).sigmoid()
    expected = sum(weights[:, i, None] * head(one).sigmoid() for i, one in enumerate(embeddings))
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(Opinions(embeddings[:1]).label_logits(head), head(embeddings[0]))


def test_what_does_not_know_labels_says_so(run: affuse.Run, corpus: Corpus) -> None:
    model, inner = run.model(), {"model": str(run.folder)}
    silence = (np.zeros(16_000, np.float32), 16_000)
    for done, call in {
        "predicted with": lambda: model.predict(silence),
        "measured as ONNX": lambda: affuse.measure_export(run.folder, corpus),
        "served": lambda: Side(run.folder),
        "used in an encoder's place": lambda: (
            resolve_encoder(Modality(encoder="audio_model", options=inner), "audio").width
        ),
    }.items():
        with pytest.raises(AffuseError, match=rf"kind multilabel \(moods\) cannot be {done} yet"):
            call()


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({**SEVERAL, "range": [1, 5]}, "range is of kind: regression"),
        ({**SEVERAL, "classifier": "svm"}, "classifier: svm tells one class, and kind: multilabel several"),
    ],
)
def test_fields_of_the_other_kind_are_refused(task: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        Recipe.load("voice-offline", {"tasks.moods": task})


def test_criterion_macro_f1_needs_several_labels() -> None:
    with pytest.raises(AffuseError, match="criterion macro_f1 needs a task of kind multilabel"):
        Recipe.load("voice-offline", {"training.criterion": "macro_f1"})


@pytest.mark.parametrize(
    ("task", "field", "message"),
    [
        (
            "moods",
            {"loss": "cross_entropy"},
            "cross_entropy is a loss of kind classes, and moods is of kind multilabel",
        ),
        ("moods", {"loss": "binary_cross_entropy+center"}, "take one of binary_cross_entropy"),
        ("moods", {"classes": ["sad", "glad"]}, "tasks.moods.classes: There is no 'glad' among the labels"),
        ("moods", {"merge": {"glad": "sad"}}, "tasks.moods.merge: There is no 'glad' among the labels"),
        (
            "moods",
            {"classes": ["sad"]},
            r"tasks.moods: small has 1 label only \(sad\); kind: multilabel needs two",
        ),
        ("feelings", {}, "There is no 'feelings' among the columns of labels"),
        ("valence", {}, "tasks.valence: small has 0 labels only"),
    ],
)
def test_bad_input_is_one_sentence(
    task: str, field: dict[str, Any], message: str, corpus: Corpus, tmp_path: Path
) -> None:
    with pytest.raises(AffuseError, match=message):
        train(corpus, tmp_path / "run", tasks={task: {**SEVERAL, **field}})
    assert not (tmp_path / "run").exists()


def test_numbers_labels_of_no_space_and_labels_without_training_are_refused(
    corpus: Corpus, tmp_path: Path
) -> None:
    several = {"tasks": {"moods": SEVERAL}}
    numbers = Corpus(corpus.table.assign(moods=1.5), corpus.info, corpus.folder)
    with pytest.raises(
        AffuseError,
        match=r"multilabel needs a column of labels joined by ';', and utterance s0_anger_0 of small has 1\.5 there",
    ):
        train(numbers, tmp_path / "run", **several)
    spaces = {**corpus.info.label_spaces, "moods": ["angry", "tense"]}
    misspelt = Corpus(corpus.table, corpus.info.model_copy(update={"label_spaces": spaces}), corpus.folder)
    with pytest.raises(
        AffuseError, match=r"utterance s0_sadness_\d has moods 'sad', which is not in the label space"
    ):
        train(misspelt, tmp_path / "run", **several)
    alone = corpus.table["moods"].where(corpus.table["speaker"] != "s5", corpus.table["moods"] + ";odd")
    rare = Corpus(corpus.table.assign(moods=alone), corpus.info, corpus.folder)
    with pytest.raises(
        AffuseError, match=r"no training utterance of fold \d has odd; leave that out of classes"
    ):
        train(rare, tmp_path / "run", **{"tasks.moods": SEVERAL})


@pytest.mark.parametrize("joint", [", ", "|", "/"])
@pytest.mark.parametrize("sad", ["sad", "sad;tense"])
def test_labels_that_something_else_joins_are_no_labels_of_their_own(
    joint: str, sad: str, corpus: Corpus, tmp_path: Path
) -> None:
    cells = {"angry;tense": f"angry{joint}tense", "sad": sad}
    other = Corpus(
        corpus.table.assign(moods=corpus.table["moods"].replace(cells)), corpus.info, corpus.folder
    )
    with pytest.raises(
        AffuseError, match=r"labels of an utterance are joined by ';', so write 'angry;tense'"
    ):
        train(other, tmp_path / "run", **{"tasks.moods": SEVERAL})


def test_a_split_balances_the_rarest_label() -> None:
    rows = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 0, 0], [np.nan] * 3])
    assert rarest(rows, ["a", "b", "c"]) == ["a", "b", "c", "b", ";", None]


def test_measures_take_the_rows_of_a_part(run: affuse.Run) -> None:
    both = run.predictions
    parts = [measure_label_sets(both, "moods", LABELS, role).n for role in ("validation", "test")]
    assert measure_label_sets(both, "moods", LABELS).n == sum(parts)


def test_a_run_of_labels_has_a_page(run: affuse.Run) -> None:
    page = run.report().read_text(encoding="utf-8")
    assert "Results: moods" in page
    assert f"macro F1 {100 * run.metrics['moods']['macro_f1']:.1f} %" in page
    assert "mean average precision" in page


def test_rows_of_labels_are_compared(corpus: Corpus, tmp_path: Path) -> None:
    """Beside the baseline, with their verdict; macro-F1 of the table is that of the prediction tables."""
    grid = affuse.compare(
        "voice-offline", corpus, tmp_path / "grid", over={"lr": [1e-2, 1e-5]}, folds=[0, 1, 2],
        set={**SMALL, "tasks": {"moods": SEVERAL}, "epochs": 6}, cache=tmp_path / "cache", device="cpu",
    )  # fmt: skip
    results = grid.to_frame().query("task == 'moods'")
    assert set(results["metric"]) == {"macro_f1", "micro_f1", "map"}
    assert len(results) == 9  # two rows and the baseline
    tables = [
        pd.concat(
            [affuse.Run.load(one).predictions.query("role == 'test'") for one in sorted(row.glob("fold*"))]
        )
        for row in sorted((tmp_path / "grid" / "runs").iterdir())
    ]
    expected = sorted(measure_label_sets(one, "moods", LABELS).macro_f1 for one in tables)
    found = results.loc[results["metric"] == "macro_f1", "value"]
    assert sorted(found) == pytest.approx(expected)
    report = grid.report().read_text(encoding="utf-8")
    for words in ("macro F1 difference [95 %]", "F1 of every label", "Distribution of the labels", "points"):
        assert words in report
    assert "macro F1" in " ".join(grid.verdict)
    assert "Difference: macro F1 of female minus male" in report
    assert "Difference: BACC" not in report
    tests = pd.read_csv(tmp_path / "grid" / "paired_tests.csv")
    assert {"macro_f1_difference", "macro_f1_p_holm", "micro_f1_difference"} <= set(tests)
