"""`affuse compare` adds a classical baseline: its numbers by scikit-learn, and what was run told by the page."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.preprocessing import StandardScaler

from affuse.corpora.corpus import Corpus
from affuse.recipe import Recipe
from affuse.training.baseline_fits import GRID, pool, prepare
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.runfolder import RunFolder
from command import affuse
from quiet import Quiet
from small_corpus import make_corpus

CHANGES = [
    "modalities.text=null", "modalities.audio.encoder=logmel", "modalities.audio.options.bands=8",
    "modalities.audio.standardise=true", "epochs=2", "training.batch_size=10", "protocol.by=session",
    "protocol.validation={groups: 1}",
]  # fmt: skip


class _NoCapture:
    """capsys for a fixture that lasts longer than one test."""

    def readouterr(self):
        return "", ""


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("baseline")
    make_corpus(place, speakers=6, each=4)
    words = [
        "compare",
        "3m-ser",
        place / "corpus",
        "--out",
        place / "out",
        "--cache",
        place / "cache",
        "--jobs",
        "1",
    ]
    words += [part for change in CHANGES for part in ("--set", change)]
    words += ["--over", "loss=cross_entropy,center", "--over", "seed=0,1"]
    with pytest.MonkeyPatch().context() as monkeypatch:
        assert affuse(_NoCapture(), monkeypatch, *words).code == 0
    return place, words


def test_the_baseline_by_scikit_learn_alone(ran: tuple[Path, list[Path | str]]) -> None:
    place, _ = ran
    experiment = set_up(
        Corpus.load(place / "corpus"), Recipe.load("3m-ser", CHANGES), FeatureCache(place / "cache"), Quiet()
    )
    clips = experiment.clips.open()["audio"]
    speakers = experiment.labelled.table.set_index("id")["speaker"]
    for fold in (0, 1, 2):
        (folder,) = (place / "out" / "runs").glob(f"baseline=logistic_regression*/fold{fold}")
        roles = experiment.roles(fold)
        steps = {id: clips.load(id).double().numpy() for ids in roles.values() for id in ids}
        x = {id: np.concatenate([of.mean(0), of.std(0)]) for id, of in steps.items()}
        train = np.stack([x[id] for id in roles["train"]])
        labels = np.array([experiment.labelled.codes["emotion"][id] for id in roles["train"]])
        scaler = StandardScaler().fit(train)
        search = GridSearchCV(
            LogisticRegression(class_weight="balanced", max_iter=5000, tol=1e-8), {"C": list(GRID)},
            scoring="balanced_accuracy", cv=GroupKFold(min(5, speakers[roles["train"]].nunique())),
        )  # fmt: skip
        search.fit(scaler.transform(train), labels, groups=speakers[roles["train"]])
        result = json.loads((folder / "results.json").read_text())
        assert result["c"]["emotion"] == search.best_params_["C"]
        test = RunFolder(folder).predictions("test")
        assert test["id"].tolist() == roles["test"]
        expected = search.predict_proba(scaler.transform(np.stack([x[id] for id in roles["test"]])))
        columns = [f"emotion_p_{name}" for name in experiment.labelled.spaces["emotion"]]
        np.testing.assert_allclose(test[columns].to_numpy(float), expected, atol=2e-3)


def test_turning_more_features_than_utterances_changes_no_prediction() -> None:
    random = np.random.default_rng(0)
    rows = {"train": random.normal(size=(30, 90)), "test": random.normal(size=(8, 90))}
    rows["train"][:, 3] = 7.0  # of no spread
    rows["train"][4, 10:20] = np.nan  # a modality is missing
    labels = np.arange(30) % 3
    turned = prepare(rows)
    assert turned["train"].shape[1] == 30
    plain = rows["train"].copy()
    plain[4, 10:20] = np.nanmean(rows["train"], axis=0)[10:20]
    mean, deviation = np.nanmean(rows["train"], axis=0), np.nanstd(rows["train"], axis=0)
    deviation[3] = np.inf
    found = []
    for x in (turned, {"train": (plain - mean) / deviation, "test": (rows["test"] - mean) / deviation}):
        model = LogisticRegression(C=0.1, max_iter=5000, tol=1e-10).fit(x["train"], labels)
        found.append(model.predict_proba(x["test"]))
    np.testing.assert_allclose(*found, atol=1e-5)


def test_it_is_a_row_among_rows(
    ran: tuple[Path, list[Path | str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    place, words = ran
    out = place / "out"
    results = pd.read_csv(out / "results.csv").query("metric == 'bacc'").set_index("loss")
    assert results["recipe"].to_dict() == {
        "cross_entropy": "3m-ser", "center": "3m-ser", "logistic regression": "baseline",
    }  # fmt: skip
    assert set(results["n"]) == {72}
    paired = pd.read_csv(out / "paired_tests.csv").set_index("loss")
    assert paired.loc["logistic regression", "reference"] == "3m-ser, cross_entropy"
    assert paired.loc["logistic regression", "seeds"] == 2
    copy = shutil.copytree(out, tmp_path / "out")
    again = affuse(capsys, monkeypatch, *[copy if word == out else word for word in words], "--no-baseline")
    assert again.code == 0
    assert "baseline" not in again.out
    assert set(pd.read_csv(copy / "results.csv")["recipe"]) == {"3m-ser"}


def test_the_page_tells_what_was_run(ran: tuple[Path, list[Path | str]]) -> None:
    out = ran[0] / "out"
    record = json.loads((out / "comparison.json").read_text())
    text = (out / "report.md").read_text("utf-8")
    assert record["command"].startswith("affuse compare 3m-ser")
    assert record["command"] in text
    for wrong in ("BERT", "VGGish", "2,552,644"):
        assert wrong not in text
    assert [row["description"] for row in record["rows"][:2]] == ["", ""]
    assert "modalities.text none (was bert bert-base-uncased, output tokens, frozen)" in text
    assert "audio: logmel, bands 8, frozen, standardised" in text
    runs = [json.loads(path.read_text()) for path in sorted(out.glob("runs/loss=center,*/*/results.json"))]
    assert len({run["parameters"] for run in runs}) == 1
    minutes = sum(run["seconds"] for run in runs) / 60
    row = (
        f"| 3m-ser, center | {runs[0]['parameters']:,} | 2 of 2 | 6 | {minutes:.1f} | {runs[0]['finished']} |"
    )
    assert row in text
    assert record["environment"]["threads"].startswith("1 per run, ")


def test_the_joint_loss_is_averaged_over_utterances(ran: tuple[Path, list[Path | str]]) -> None:
    """Of one task with weight 1 it is that task's loss, however uneven the batches."""
    tables = [pd.read_csv(path) for path in (ran[0] / "out").glob("runs/loss=*/*/metrics.csv")]
    assert len(tables) == 12
    for table in tables:
        np.testing.assert_allclose(table["train_joint"], table["train_loss_emotion"], rtol=1e-6)


def test_a_missing_modality_is_blank_in_the_pool(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=3, each=1)
    table = corpus.table.copy()
    table.loc[0, "audio"] = None
    lacking = Corpus(table, corpus.info, corpus.folder)
    recipe = Recipe.load("server", ["modalities.text=null", "modalities.audio.encoder=logmel",
                                    "modalities.face={encoder: precomputed, options: {name: face}}"])  # fmt: skip
    experiment = set_up(lacking, recipe, FeatureCache(tmp_path / "cache"), Quiet())
    pooled = pool(experiment.clips.open(), ["audio", "face"], list(table["id"]))
    first, second = (pooled[id] for id in table["id"][:2])
    width = len(first) - 6  # three numbers of the face, their mean and deviation
    assert np.isnan(first[:width]).all()
    assert not np.isnan(first[width:]).any()
    assert not np.isnan(second).any()
