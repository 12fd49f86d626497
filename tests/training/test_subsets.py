"""Every subset of the modalities: one pass gives what each subset alone would, and the tables say it."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.models.building import build
from affuse.models.loading import load_model
from affuse.recipe import Recipe
from affuse.reports.pages.comparison import write_comparison_page
from affuse.reports.record import write_record
from affuse.reports.tables.results import collect_results
from affuse.reports.tables.subsets import SUBSETS, collect_subsets, subset_table
from affuse.sequence import pad
from affuse.training.cache import FeatureCache
from affuse.training.compare import Comparison, compare
from affuse.training.evaluate import evaluate_model
from affuse.training.runfolder import SUBSET_PREDICTIONS, RunFolder
from affuse.training.subsets import subsets_of
from affuse.training.variants import Variant
from command import affuse
from quiet import Quiet
from small_corpus import make_corpus

RECIPE = Recipe.parse({
    "name": "small",
    "modalities": {
        "audio": {"encoder": "logmel", "standardise": True, "dropout": 0.3, "options": {"bands": 16}},
        "face": {
            "encoder": "precomputed", "standardise": True, "dropout": 0.3, "options": {"name": "face", "width": 3},
        },
    },
    "fusion": {"name": "late", "options": {"width": 8}},
    "optimizer": {"lr": 1e-2},
    "training": {"epochs": 3, "batch_size": 16},
    "protocol": {"kind": "leave_one_group_out", "by": "session", "validation": {"fraction": 0.2}},
})  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    """A corpus in which six utterances have no face, one of them in each session and class at least."""
    folder = tmp_path_factory.mktemp("subsets")
    corpus = make_corpus(folder, each=2)
    table = corpus.table.copy()
    table.loc[table["id"].str.endswith("anger_0"), "features_face"] = None
    return Corpus(table, corpus.info).save(corpus.folder), FeatureCache(folder / "cache")


def run(place: tuple[Corpus, FeatureCache], out: Path, **options: bool | list[int]):
    corpus, cache = place
    progress = Quiet()
    variants = [Variant({"seed": str(s)}, RECIPE.changed([f"seed={s}"])) for s in (0, 1)]
    return compare(variants, corpus, out, cache, progress, jobs=1, **options), progress


@pytest.fixture(scope="module")
def compared(place: tuple[Corpus, FeatureCache], tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("compared")
    comparison, _ = run(place, out, subsets=True, keep_models=True)
    return comparison, out


def test_subsets_in_order() -> None:
    assert subsets_of(["text", "audio", "face"]) == [
        ("text",), ("audio",), ("face",), ("text", "audio"), ("text", "face"), ("audio", "face"),
        ("text", "audio", "face"),
    ]  # fmt: skip


def test_the_full_set_is_the_runs_own_prediction(compared: tuple[Comparison, Path]) -> None:
    comparison, _ = compared
    for folder in comparison.results:
        table = RunFolder(folder).subset_predictions("test")
        full = table[table["modalities"] == "audio+face"].drop(columns="modalities")
        pd.testing.assert_frame_equal(
            full.reset_index(drop=True), RunFolder(folder).predictions("test").reset_index(drop=True)
        )


@pytest.mark.parametrize("modality", ["audio", "face"])
def test_a_subset_is_what_evaluate_gives_from_those_modalities(
    place: tuple[Corpus, FeatureCache], compared: tuple[Comparison, Path], modality: str
) -> None:
    corpus, cache = place
    comparison, _ = compared
    folder = next(iter(comparison.results))
    alone = evaluate_model(
        load_model(folder), corpus, cache, Quiet(), split=folder / "split.csv", modalities=[modality]
    )
    table = RunFolder(folder).subset_predictions("test")
    table = table[table["modalities"] == modality]
    assert sorted(alone.predictions["id"]) == sorted(table["id"])
    columns = [name for name in table.columns if "_p_" in name]
    found, expected = (t.set_index("id")[columns].sort_index() for t in (table, alone.predictions))
    np.testing.assert_allclose(found, expected, atol=2e-6)
    without = {id for id in corpus.table["id"] if id.endswith("anger_0")}
    assert (not without & set(table["id"])) == (modality == "face")
    assert {skip.id for skip in alone.skipped} <= without


def test_the_table_is_scikit_learns(
    place: tuple[Corpus, FeatureCache], compared: tuple[Comparison, Path]
) -> None:
    comparison, out = compared
    results = collect_subsets(comparison)
    assert set(results["modalities"]) == {"audio", "face", "audio+face"}
    for name in ("audio", "face"):
        values = {"acc": [], "bacc": []}
        for seed in (0, 1):
            folders = [out / "runs" / f"seed={seed}" / f"fold{k}" for k in range(3)]
            table = pd.concat([RunFolder(folder).subset_predictions("test") for folder in folders])
            table = table[table["modalities"] == name]
            values["acc"].append(accuracy_score(table["emotion"], table["emotion_predicted"]))
            values["bacc"].append(balanced_accuracy_score(table["emotion"], table["emotion_predicted"]))
        for metric, found in values.items():
            row = results[(results["modalities"] == name) & (results["metric"] == metric)].iloc[0]
            assert row["value"] == pytest.approx(np.mean(found))
            assert row["sd_seeds"] == pytest.approx(np.std(found, ddof=1))
            assert row["low"] <= row["value"] <= row["high"]
            assert row["n"] == {"audio": 36, "face": 30}[name]
    full = results[(results["modalities"] == "audio+face") & (results["metric"] == "acc")].iloc[0]
    whole = collect_results(comparison).query("metric == 'acc'").iloc[0]
    assert (full["value"], full["low"], full["n"]) == (whole["value"], whole["low"], whole["n"])
    assert list(subset_table(results, "emotion")["modalities"]) == ["audio", "face", "audio+face"]


def test_a_subsets_ceiling_is_its_own(
    place: tuple[Corpus, FeatureCache], compared: tuple[Comparison, Path]
) -> None:
    comparison, _ = compared
    info = comparison.experiments[0].corpus.info
    object.__setattr__(info, "ceilings", {"audio": {"emotion": 0.7, "emotion_bacc": 0.6}})
    try:
        results = collect_subsets(comparison)
    finally:
        object.__setattr__(info, "ceilings", {})
    known = results[results["ceiling"].notna()]
    assert dict(zip(known["metric"], known["ceiling"], strict=True)) == {"acc": 0.7, "bacc": 0.6}
    assert set(known["modalities"]) == {"audio"}  # pre-extracted features have none
    table = subset_table(results, "emotion")
    assert table["BACC / ceiling"].str.contains("/ 60.0").tolist() == [True, False, False]


def test_finished_cells_get_their_subsets_from_the_model_or_from_training_again(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    run(place, tmp_path, folds=[0], keep_models=True)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("metrics.csv")}
    comparison, progress = run(place, tmp_path, folds=[0], subsets=True)
    assert "epochs of 2 runs" in progress.counts
    assert {path: path.stat().st_mtime_ns for path in before} == before  # not trained again
    tables = [(folder / SUBSET_PREDICTIONS).read_text() for folder in comparison.results]
    _, progress = run(place, tmp_path, folds=[0], subsets=True)
    assert not any("runs" in task for task in progress.counts)

    run(place, tmp_path / "bare", folds=[0])
    comparison, _ = run(place, tmp_path / "bare", folds=[0], subsets=True)
    assert [(folder / SUBSET_PREDICTIONS).read_text() for folder in comparison.results] == tables
    assert not list((tmp_path / "bare").rglob("index.json"))


def test_the_page_shows_them(compared: tuple[Comparison, Path]) -> None:
    comparison, out = compared
    collect_results(comparison).to_csv(out / "results.csv", index=False)
    write_record(comparison, out)
    assert "Missing modalities" not in write_comparison_page(out).read_text()
    collect_subsets(comparison).to_csv(out / SUBSETS, index=False)
    page = write_comparison_page(out).read_text()
    assert "Missing modalities: emotion (generated corpus)" in page
    assert page.count('<td class="key short">audio+face</td>') == 1


def test_a_comparison_without_them_has_no_table(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    comparison, _ = run(place, tmp_path, folds=[0])
    assert collect_subsets(comparison).empty


def test_a_model_accepts_any_subset() -> None:
    torch.manual_seed(0)
    model = build(RECIPE).eval()
    audio, face = pad([torch.randn(1, 86), torch.randn(1, 86)]), pad([torch.randn(4, 3), torch.randn(2, 3)])
    nobody = torch.zeros(2, dtype=torch.bool)
    masked = model({"audio": audio, "face": face.keep(nobody)}).logits["emotion"]
    torch.testing.assert_close(model({"audio": audio}).logits["emotion"], masked)
    assert not torch.allclose(model({"face": face}).logits["emotion"], masked)
    with pytest.raises(AffuseError, match=r"no 'faces' among the modalities of this model .*'face'"):
        model({"faces": face})
    with pytest.raises(AffuseError, match="given no modality; it reads audio, face"):
        model({})


def test_evaluate_refuses_modalities_that_the_model_does_not_have(
    place: tuple[Corpus, FeatureCache], compared: tuple[Comparison, Path]
) -> None:
    corpus, cache = place
    model = load_model(next(iter(compared[0].results)))
    with pytest.raises(AffuseError, match="no 'text' among the modalities of this model"):
        evaluate_model(model, corpus, cache, Quiet(), modalities=["text"])
    with pytest.raises(AffuseError, match="at least one modality of audio, face"):
        evaluate_model(model, corpus, cache, Quiet(), modalities=[])


def test_modality_dropout_needs_no_second_encoding(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    corpus, cache = place
    variants = [Variant({"d": d}, RECIPE.changed([f"modalities.*.dropout={d}"])) for d in ("0", "0.3")]
    comparison = compare(variants, corpus, tmp_path, cache, Quiet(), folds=[0], jobs=1)
    assert len(comparison.experiments) == 1
    keys = {json.loads((folder / "results.json").read_text())["key"] for folder in comparison.results}
    assert len(keys) == 2


def test_the_command_line(
    place: tuple[Corpus, FeatureCache],
    compared: tuple[Comparison, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus, cache = place
    (tmp_path / "small.yaml").write_text(RECIPE.to_yaml())
    monkeypatch.setenv("AFFUSE_CACHE", str(cache.folder))
    out = tmp_path / "out"
    ran = affuse(
        capsys, monkeypatch, "compare", tmp_path / "small.yaml", corpus.folder, "--out", out, "--subsets",
        "--keep-models", "--over", "fold=0", "--jobs", "1", "--set", "epochs=1",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert "each model with only these modalities" in " ".join(ran.out.split())
    assert list(dict.fromkeys(pd.read_csv(out / SUBSETS)["modalities"])) == ["audio", "face", "audio+face"]
    assert "Missing modalities: emotion" in (out / "report.html").read_text()
    assert "only these modalities" in (out / "results.md").read_text()

    folder = next(out.rglob("split.csv")).parent
    evaluate = ["evaluate", folder, corpus.folder, "--split", folder / "split.csv", "--modalities"]
    ran = affuse(capsys, monkeypatch, *evaluate, "audio")
    assert (ran.code, "from audio alone" in ran.out) == (0, True)
    ran = affuse(capsys, monkeypatch, *evaluate, "face")
    assert ran.code == 1  # six utterances have no face
    assert "none of the modalities asked for (face)" in " ".join(ran.err.split())
    ran = affuse(capsys, monkeypatch, *evaluate, "fase")
    assert (ran.code, ran.out) == (2, "")
    assert "did you mean 'face'" in " ".join(ran.err.split())
