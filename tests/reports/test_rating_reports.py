"""Comparisons, run pages, evaluation pages and compared models with a rating beside classes, trained for real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

import affuse
from affuse.corpora.corpus import Corpus
from affuse.evaluation.differences import paired_difference
from affuse.evaluation.dimensions import measure_dimension, measure_ratings
from affuse.evaluation.measures import RatingMeasure
from affuse.evaluation.p_values import holm
from affuse.evaluation.rating_range import rating_range
from affuse.evaluation.rating_sums import RATING_MEASURES
from affuse.evaluation.resampled_t import corrected_resampled_t
from affuse.evaluation.side_by_side import side_by_side
from affuse.reports.figures.scatter import DOTS, scatter
from affuse.reports.numbers import MINUS
from affuse.reports.record import BINS, count_ratings
from affuse.reports.sections.groups import small_groups
from affuse.reports.tables.verdict import verdict
from affuse.results.grid import Grid
from affuse.training.baseline_fits import fit_ratings
from affuse.training.runfolder import RunFolder
from small_corpus import make_corpus

RATED = {"anger": 1.6, "sadness": 2.4, "neutral": 3.4}
DIMENSION = {"kind": "regression", "range": [1, 5]}
SMALL: dict[str, Any] = {
    "modalities.audio.encoder": "precomputed",
    "modalities.audio.options": {"name": "face"},
    "modalities.audio.standardise": True,
    "head.hidden": 16,
    "lr": 2e-2,
    "epochs": 10,
    "training.patience": 3,
}
LOSSES = ("ccc", "mse")
FOLDS = (0, 1, 2)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """72 utterances of 6 speakers; every sixth has no rating."""
    found = make_corpus(tmp_path_factory.mktemp("rated"))
    table, random = found.table, np.random.default_rng(0)
    table["valence"] = table["emotion"].map(RATED).astype(float) + random.normal(0, 0.3, len(table))
    table["valence"] = table["valence"].clip(1, 5).round(2)
    table.loc[table.index % 6 == 5, "valence"] = np.nan
    return Corpus(table, found.info).save(found.folder)


@pytest.fixture(scope="module")
def grid(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Grid:
    folder = tmp_path_factory.mktemp("grid")
    return affuse.compare(
        "voice-offline", corpus, folder / "grid", over={"tasks.valence.loss": LOSSES}, folds=FOLDS,
        set={**SMALL, "tasks.valence": DIMENSION}, device="cpu", cache=folder / "cache", jobs=1, keep_models=True,
        subsets=True,
    )  # fmt: skip


def part_of(grid: Grid, loss: str) -> pd.DataFrame:
    """The test part of all folds of a row."""
    runs = [run for run in grid.runs if f"loss={loss}" in str(run.folder)]
    return pd.concat([RunFolder(run.folder).predictions("test") for run in runs], ignore_index=True)


def speakers_of(corpus: Corpus) -> pd.Series:
    return corpus.table.set_index("id")["speaker"]


def test_results_are_those_of_the_predictions(grid: Grid, corpus: Corpus) -> None:
    lines = grid.to_frame().query("task == 'valence'").set_index(["tasks.valence.loss", "metric"])
    assert list(lines.loc["ccc"].index) == ["ccc", "pearson", "rmse", "mae"]
    for loss in LOSSES:
        table = part_of(grid, loss)
        found = measure_dimension(table, "valence")
        sums = RatingMeasure("valence").speaker_sums([table], speakers_of(corpus))
        for name in RATING_MEASURES:
            line = lines.loc[(loss, name)]
            assert line["value"] == pytest.approx(getattr(found, name))
            low, high = RatingMeasure("valence").interval(sums, name)[1:]
            assert (line["low"], line["high"]) == (pytest.approx(low), pytest.approx(high))
            assert (line["n"], line["speakers"]) == (found.n, 3)
        folds = [measure_dimension(part, "valence").ccc for _, part in table.groupby("fold")]
        assert lines.loc[(loss, "ccc")]["sd_folds"] == pytest.approx(np.std(folds, ddof=1))
    assert set(grid.to_frame()["task"]) == {"emotion", "valence"}


def test_two_losses_are_compared_by_ccc(grid: Grid, corpus: Corpus) -> None:
    table = pd.read_csv(grid.folder / "paired_tests.csv")
    lines = table[table["task"] == "valence"].reset_index(drop=True)
    (line,) = lines[lines["tasks.valence.loss"] == "mse"].to_dict("records")
    ccc, mse = (part_of(grid, loss) for loss in LOSSES)
    rated = ccc["valence"] != ""
    sums = [RatingMeasure("valence").speaker_sums([one], speakers_of(corpus)) for one in (ccc, mse)]
    for metric in ("ccc", "rmse"):
        found = paired_difference(sums[0], sums[1], RATING_MEASURES[metric])
        assert line[f"{metric}_difference"] == pytest.approx(found.value)
        assert (line[f"{metric}_low"], line[f"{metric}_p"]) == (
            pytest.approx(found.low),
            pytest.approx(found.p),
        )
    assert line["n"] == int(rated.sum())
    by_fold = [
        measure_dimension(mse[mse["fold"] == fold], "valence").ccc
        - measure_dimension(ccc[ccc["fold"] == fold], "valence").ccc
        for fold in FOLDS
    ]
    sizes = [run.recorded()["utterances"] for run in (RunFolder(one.folder) for one in grid.runs[:3])]
    share = float(np.mean([of["test"] / of["train"] for of in sizes]))
    assert line["resampled_p"] == pytest.approx(corrected_resampled_t(by_fold, share).p)
    assert lines["ccc_p_holm"].to_numpy() == pytest.approx(holm(lines["ccc_p"]), nan_ok=True)
    assert pd.isna(line["mcnemar_p"])
    assert pd.isna(line["bacc_difference"])
    assert any(text.startswith("valence: ") for text in grid.verdict)
    assert any("in CCC is found with a probability of 80 %" in text for text in grid.verdict)


def test_the_page_shows_both_kinds(grid: Grid) -> None:
    page = (grid.folder / "report.html").read_text(encoding="utf-8")
    for text in (
        "Results: emotion", "Results: valence", "A number from 1 to 5.", "Answers by rating", "Over the range",
        "Distribution of the ratings", "CCC difference [95 %]", "RMSE difference [95 %]", "Confusions",
        "Always answering the mean rating gives a CCC of 0", "CCC, female", "of ratings CCC",
        "Missing modalities: valence",
    ):  # fmt: skip
        assert text in page, text
    assert "nan" not in page.replace("nance", "").lower().split("<main")[1].replace("dominant", "")
    tex = (grid.folder / "tables.tex").read_text(encoding="utf-8")
    assert "RMSE" in tex
    text = (grid.folder / "results.md").read_text(encoding="utf-8")
    assert "Of valence not in percent" in text
    assert Grid.load(grid.folder).verdict == grid.verdict


def test_joint_losses_leave_ratings_out_of_the_likelihood(grid: Grid) -> None:
    table = pd.read_csv(grid.folder / "joint_losses.csv")
    quantities = set(table["quantity"])
    assert {"weight_valence", "test_ccc_valence", "test_rmse_valence", "test_nll_mean_emotion"} <= quantities
    assert not any(name.endswith("nll_mean_valence") for name in quantities)
    of = table[table["tasks.valence.loss"] == "mse"].set_index("quantity")["value"]
    assert of["test_nll_mean"] == of["test_nll_mean_emotion"]


def test_the_range_is_that_of_the_predictions(grid: Grid) -> None:
    lines = pd.read_csv(grid.folder / "ratings.csv").set_index("tasks.valence.loss")
    for loss in LOSSES:
        table = part_of(grid, loss)
        rated = table[table["valence"] != ""]
        found = rating_range(rated["valence"].to_numpy(float), rated["valence_predicted"].to_numpy(float))
        assert lines["slope"][loss] == pytest.approx(found.slope)
        assert lines["low"][loss] == pytest.approx(found.low)
        assert lines["n"][loss] == found.n


def test_subsets_of_modalities_answer_ratings(grid: Grid) -> None:
    lines = pd.read_csv(grid.folder / "subsets.csv").query("task == 'valence' and metric == 'ccc'")
    values = lines.set_index("tasks.valence.loss")["value"]
    assert values["ccc"] == pytest.approx(measure_dimension(part_of(grid, "ccc"), "valence").ccc)


def test_the_baseline_is_a_ridge_regression_on_the_same_features(grid: Grid, corpus: Corpus) -> None:
    (folder,) = grid.folder.glob("runs/baseline*/fold0")
    run = RunFolder(folder)
    split, table = run.split().set_index("id")["role"], corpus.table.set_index("id")
    clips = np.load(corpus.folder / "features" / "face.npy")  # one step each: no deviation over time
    rows = {
        role: [
            i for i, id in enumerate(table.index) if split.get(id) == role and table["valence"].notna()[id]
        ]
        for role in ("train", "test")
    }
    scale = StandardScaler().fit(clips[[i for i, id in enumerate(table.index) if split.get(id) == "train"]])
    ratings = table["valence"].to_numpy()
    alpha = run.recorded()["c"]["valence"]
    fitted = Ridge(alpha=alpha).fit(scale.transform(clips[rows["train"]]), ratings[rows["train"]])
    expected = fitted.predict(scale.transform(clips[rows["test"]])).clip(1, 5)
    found = run.predictions("test").set_index("id").loc[table.index[rows["test"]], "valence_predicted"]
    assert found.to_numpy(float) == pytest.approx(expected, abs=1e-3)
    assert "ridge regression" in (folder / "baseline.txt").read_text(encoding="utf-8")
    assert "logistic, ridge regression" in set(grid.to_frame()["loss"])


def test_ridge_takes_the_alpha_with_the_best_ccc_over_left_out_speakers() -> None:
    random = np.random.default_rng(0)
    x = random.normal(0, 1, (60, 30))
    y = 0.5 * x[:, 0] + random.normal(0, 0.5, 60)
    groups = np.repeat(list("abcde"), 12)
    alpha, _ = fit_ratings(x, y, groups)
    scores = {}
    for one in (1.0, 10.0, 100.0, 1e3, 1e4):
        answers = np.zeros(60)
        for name in "abcde":
            inside = groups != name
            answers[~inside] = Ridge(alpha=one).fit(x[inside], y[inside]).predict(x[~inside])
        scores[one] = measure_ratings(y, answers).ccc
    assert scores[alpha] == max(scores.values())
    assert fit_ratings(x[:12], y[:12], groups[:12])[0] == 100.0  # one speaker: nothing to choose by


def test_pages_of_a_run_and_of_an_evaluation(grid: Grid, corpus: Corpus, tmp_path: Path) -> None:
    run = next(run for run in grid.runs if "loss=ccc" in str(run.folder))
    page = run.report().read_text(encoding="utf-8")
    assert "Results: valence" in page
    assert "(of ratings CCC)" in page
    found = affuse.evaluate(run.folder / "model", corpus, role="all", device="cpu")
    text = found.report(tmp_path / "page.html").read_text(encoding="utf-8")
    for part in ("Answers by rating", "CCC of female minus male: ", "RMSE", "Results: emotion"):
        assert part in text
    groups = found.groups[(found.groups["task"] == "valence") & (found.groups["metric"] == "ccc")]
    assert groups["group"].tolist() == ["female", "male", "female - male"]
    shown = found.group_table().query("task == 'valence' and metric == 'CCC'")["value [95 %]"].iloc[0]
    assert shown.startswith(f"{groups['value'].iloc[0]:.3f} [")


def test_trained_models_are_compared_by_their_ratings(grid: Grid, corpus: Corpus, tmp_path: Path) -> None:
    models = {
        loss: next(run.folder for run in grid.runs if f"loss={loss}" in str(run.folder)) for loss in LOSSES
    }
    found = affuse.compare_models(models, corpus, tmp_path / "out", device="cpu")
    assert found.ranges == {"valence": (1, 5)}
    lines = found.differences.query("task == 'valence'").set_index("metric")
    assert lines.index.tolist() == ["ccc", "rmse"]
    of = found.metrics.query("task == 'valence' and metric == 'ccc'").set_index("model")["value"]
    assert lines["difference"]["ccc"] == pytest.approx(of["mse"] - of["ccc"])
    assert "CCC [95 %]" in found.summary().columns
    assert "valence from 1 to 5" in found.tables[0][0]
    assert (tmp_path / "out" / "report.html").is_file()


def test_models_of_other_ranges_or_without_the_rating_are_not_compared() -> None:
    table = pd.DataFrame({"id": ["a", "b"], "v": [1.0, 2.0], "v_predicted": [1.0, 1.5]})
    people = pd.DataFrame({"speaker": ["p", "q"]}, index=["a", "b"])
    for ranges, why in (
        (
            {"one": {"v": (1, 5)}, "two": {"v": (1, 7)}},
            "its range differs (one 1 to 5, two 1 to 7)",
        ),
        ({"one": {"v": (1, 5)}, "two": {}}, "two cannot be measured in it"),
    ):
        found = side_by_side({"one": table, "two": table}, {"one": {}, "two": {}}, people, ranges)
        assert found.notes == [f"v is not compared: {why}."]
        assert not found.ranges


def test_ratings_alone_are_compared(corpus: Corpus, tmp_path: Path) -> None:
    """Without classes; and two losses need no column of their own beside the loss."""
    found = affuse.compare(
        "voice-offline", corpus, tmp_path / "grid", over={"tasks.valence.loss": ["ccc", "huber"]}, folds=[0, 1],
        set={**SMALL, "tasks": {"valence": DIMENSION}, "epochs": 1}, device="cpu", cache=tmp_path / "cache", jobs=1,
    )  # fmt: skip
    frame = found.to_frame()
    assert set(frame["loss"]) == {"ccc", "huber", "ridge regression"}
    assert "tasks.valence.loss" not in frame.columns
    record = json.loads((tmp_path / "grid" / "comparison.json").read_text(encoding="utf-8"))
    assert record["tasks"]["valence"]["range"] == [1, 5]
    assert sum(record["tasks"]["valence"]["counts"].values()) == corpus.table["valence"].notna().sum()


def test_a_test_part_of_one_rating_is_told_in_a_sentence(corpus: Corpus, tmp_path: Path) -> None:
    alike = corpus.table.assign(valence=corpus.table["valence"].where(corpus.table["speaker"] != "s0", 3.0))
    run = affuse.train(
        "voice-offline", Corpus(alike, corpus.info, corpus.folder), tmp_path / "run",
        set={**SMALL, "tasks.valence": DIMENSION, "epochs": 1}, device="cpu", live=True,
    )  # fmt: skip
    assert any("have 3, so CCC and correlation say nothing" in text for text in run.sentences)
    assert "so CCC and correlation say nothing" in run.report().read_text(encoding="utf-8")


def rated_line(**changes: Any) -> pd.DataFrame:
    line = {
        "reference": "mse", "task": "v", "on_test": "", "trainings": "", "n": 120, "speakers": 6,
        "ccc_difference": 0.0213,
        "ccc_low": -0.01, "ccc_high": 0.05, "ccc_p_holm": 0.2, "resampled_p_holm": 0.4, "ccc_detectable": 0.0523,
        "verdict": "not significant",
    } | changes  # fmt: skip
    return pd.DataFrame([line])


def test_the_verdict_speaks_of_ccc() -> None:
    found, could = verdict(rated_line(), ["ccc"], 120, RatingMeasure)
    span = f"95 % interval of the difference {MINUS}0.010 to 0.050; p"
    assert f"CCC of ccc is 0.021 higher than that of mse ({span}" in found
    assert "utterances correct" not in found
    assert "a true difference of 0.052 in CCC is found with a probability of 80 %" in could
    sure = verdict(
        rated_line(verdict="lower", ccc_difference=-0.1, ccc_p_holm=0.01, resampled_p_holm=0.02),
        ["x"],
        9,
        RatingMeasure,
    )[0]
    assert "CCC of x is 0.100 lower than that of mse" in sure
    assert "it takes a second row" in verdict(pd.DataFrame(), [], 9, RatingMeasure)[1]
    assert "equal to" in verdict(rated_line(ccc_difference=0.0001), ["x"], 9, RatingMeasure)[0]


def test_many_answers_are_counted_in_cells_and_few_are_dots() -> None:
    random = np.random.default_rng(0)
    few, many = (random.uniform(1, 5, (2, n)) for n in (DOTS, DOTS + 1))
    dots = scatter({"": (few[0], few[1])}, (1, 5), "v").wide
    cells = scatter({"": (many[0], many[1])}, (1, 5), "v").wide
    assert "<image" not in dots
    assert dots.count("<use") > DOTS
    assert "<image" in cells
    assert len(cells) < len(dots)
    both = scatter({"a": (few[0], few[1]), "b": (many[0], many[1])}, (1, 5), "v")
    assert both.narrow
    assert "mean answer" in both.wide


def test_ratings_are_counted_one_by_one_while_they_are_few() -> None:
    """Votes' means lie on steps; parts of the range that do not fit them would show holes."""
    steps = np.repeat(np.arange(1, 5.5, 0.5), 3)
    assert count_ratings(steps, 1, 5) == {f"{value:g}": 3 for value in np.arange(1, 5.5, 0.5)}
    many = np.random.default_rng(0).uniform(1, 5, 100)
    found = count_ratings(many, 1, 5)
    assert len(found) == BINS
    assert found["1 to 1.33"] == int(((many >= 1) & (many < 4 / 3)).sum())
    assert sum(found.values()) == 100


def test_small_groups_are_named() -> None:
    lines = [{"group": "female", "n": 3}, {"group": "male", "n": 30}, {"group": "female - male", "n": 3}]
    assert small_groups(lines) == " Too few utterances to say much: female (3)."
    assert small_groups(lines[1:2]) == ""
