"""Comparisons: axes, cells that are not run twice, workers, failures, and the numbers of the table."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.evaluation.intervals import speaker_confusions, speaker_interval
from affuse.recipe.axes import axes_of
from affuse.reports.tables.results import collect_results, markdown_table, paper_table
from affuse.training.cache import FeatureCache
from affuse.training.compare import compare
from affuse.training.experiment import Experiment
from affuse.training.runfolder import RunFolder
from affuse.training.variants import equal_rows, make_variants
from quiet import Quiet
from small_corpus import make_corpus


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("place")
    return make_corpus(folder, speakers=6, each=2), FeatureCache(folder / "cache")


SMALL = [
    "modalities.text=null",
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.bands=16",
    "modalities.audio.standardise=true",
    "protocol.kind=group_k_fold",
    "protocol.folds=3",
    "protocol.validation.fraction=0.2",
    "epochs=2",
    "lr=1e-2",
]
OVER = ["loss=cross_entropy,cross_entropy+center", "seed=0,1"]


def run(
    place: tuple[Corpus, FeatureCache],
    out: Path,
    over: list[str] = OVER,
    changes: list[str] | tuple[()] = (),
    jobs: int = 1,
    **options: bool | list[int] | list[Experiment],
):
    corpus, cache = place
    progress = Quiet()
    variants = make_variants("server", axes_of(over), [*SMALL, *changes])
    return compare(variants, corpus, out, cache, progress, jobs=jobs, **options), progress


def test_axes_and_their_mistakes() -> None:
    assert axes_of(["loss=a, b", "seed=0,1"]) == {"loss": ["a", "b"], "seed": ["0", "1"]}
    for bad, message in [
        (["loss"], "axis=value"), (["=a"], "axis=value"), (["seed="], "axis=value"),
        (["seed=0,0"], "stands twice"), (["seed=0", "seed=1"], "names the axis 'seed' twice"),
    ]:  # fmt: skip
        with pytest.raises(AffuseError, match=message):
            axes_of(bad)


def test_an_empty_value_is_no_axis_of_one() -> None:
    with pytest.raises(AffuseError, match="a value is empty; write null for no value"):
        axes_of(["training.patience=,2"])


def test_variants_are_the_product_and_recipe_is_an_axis() -> None:
    variants = make_variants("server", axes_of(["recipe=server,3m-ser", "loss=center,cross_entropy"]), [])
    assert [(v.recipe.name, v.recipe.tasks["emotion"].loss[0].name) for v in variants] == [
        ("server", "center"), ("server", "cross_entropy"), ("3m-ser", "center"), ("3m-ser", "cross_entropy"),
    ]  # fmt: skip


def test_options_of_a_modality_reach_the_recipes_that_have_it() -> None:
    axes = {"recipe": ["um-dynamic-a", "mm-static"]}
    audio, both = make_variants("mm-static", axes, ["modalities.video.options.size=64", "epochs=1"])
    assert list(audio.recipe.modalities) == ["audio"]
    assert both.recipe.modalities["video"].options == {"crop": "window", "size": 64}
    assert audio.recipe.training.epochs == both.recipe.training.epochs == 1
    with pytest.raises(AffuseError, match="vidio"):  # no recipe has it: a slip
        make_variants("mm-static", axes, ["modalities.vidio.options.size=64"])


def test_every_utterance_is_tested_once_per_seed_and_the_table_says_what_sklearn_says(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    comparison, _ = run(place, tmp_path)
    assert len(comparison.results) == 2 * 2 * 3
    results = collect_results(comparison)
    corpus, _ = place
    for loss in ("cross_entropy", "cross_entropy+center"):
        by_seed = []
        for seed in (0, 1):
            folders = [tmp_path / "runs" / f"loss={loss},seed={seed}" / f"fold{k}" for k in range(3)]
            table = pd.concat([RunFolder(folder).predictions("test") for folder in folders])
            assert sorted(table["id"]) == sorted(corpus.table["id"])
            by_seed.append(table)
        for name, function in [("acc", accuracy_score), ("bacc", balanced_accuracy_score)]:
            values = [function(t["emotion"], t["emotion_predicted"]) for t in by_seed]
            row = results[(results["loss"] == loss) & (results["metric"] == name)].iloc[0]
            assert row["value"] == pytest.approx(np.mean(values))
            assert row["sd_seeds"] == pytest.approx(np.std(values, ddof=1))
            folds = [
                np.mean(
                    [
                        function(p["emotion"], p["emotion_predicted"])
                        for p in (t[t["fold"] == k] for t in by_seed)
                    ]
                )
                for k in range(3)
            ]
            assert row["sd_folds"] == pytest.approx(np.std(folds, ddof=1))
            assert row["low"] <= row["value"] <= row["high"]
            assert row["n"] == 36
    table = paper_table(results, "emotion")
    assert list(table["loss"]) == ["cross_entropy", "cross_entropy+center"]
    assert "ACC (WA)" in table.columns
    assert markdown_table(table).count("\n") == 3


def test_finished_cells_are_never_run_again_and_unfinished_ones_are(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    run(place, tmp_path, ["loss=cross_entropy", "seed=0"])
    times = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("predictions.csv")}
    assert len(times) == 3
    first = sorted(times)[0]
    (first.parent / "results.json").unlink()  # as an interrupted cell is
    _, progress = run(place, tmp_path, ["loss=cross_entropy", "seed=0,1"])
    assert progress.counts["epochs of 4 runs"][-1] == (8, 8)
    assert "2 of 6 runs were finished earlier." in progress.said
    for path, time in times.items():
        assert (path.stat().st_mtime_ns == time) == (path != first)


@pytest.mark.parametrize(
    ("option", "what"), [("subsets", "leave out subsets"), ("keep_models", "model folder")]
)
def test_what_an_svm_cannot_do_is_told_before_anything_is_done(
    place: tuple[Corpus, FeatureCache], tmp_path: Path, option: str, what: str
) -> None:
    with pytest.raises(AffuseError, match=what):
        run(place, tmp_path / "out", ["seed=0"], ["tasks.emotion.classifier=svm"], **{option: True})
    assert not (tmp_path / "out").exists()


def test_other_settings_in_the_same_folder_are_refused(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    run(place, tmp_path, ["seed=0"])
    with pytest.raises(AffuseError, match="another recipe, corpus, split or seed; choose another out"):
        run(place, tmp_path, ["seed=0"], ["lr=1e-5"])


def test_another_corpus_in_the_same_folder_is_refused(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    """Its rows may have other names, so that no run of the two is the same."""
    corpus, cache = place
    run(place, tmp_path / "out", ["seed=0"], folds=[0])
    record = tmp_path / "out" / "comparison.json"  # as the tables' writer leaves it
    record.write_text(json.dumps({"corpus": {"title": "small"}}))
    other = Corpus(corpus.table.iloc[1:], corpus.info.model_copy(update={"name": "other"}), corpus.folder)
    with pytest.raises(
        AffuseError, match=r"holds a comparison on small, not on other \(generated\); choose another out"
    ):
        run((other, cache), tmp_path / "out", ["seed=1"], folds=[0])
    assert not list((tmp_path / "out").rglob("*seed=1*"))


def test_processes_give_the_tables_of_one_process(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    run(place, tmp_path / "one", ["seed=0,1"], jobs=1, folds=[0])
    _, progress = run(place, tmp_path / "two", ["seed=0,1"], jobs=2, folds=[0])
    assert progress.counts["epochs of 2 runs"][-1] == (4, 4)
    for seed in (0, 1):
        one, two = (
            (tmp_path / n / "runs" / f"seed={seed}" / "fold0" / "predictions.csv").read_text()
            for n in ("one", "two")
        )
        assert one == two


def test_a_cell_that_fails_is_reported_and_the_others_go_on(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    comparison, _ = run(place, tmp_path, ["loss=cross_entropy,center", "optimizer.lr=1e-2,1e38"], folds=[0])
    failed = pd.read_csv(tmp_path / "failed.csv")
    assert len(comparison.results) + len(comparison.failed) == 4
    assert len(comparison.results) >= 2
    assert failed["run"].str.contains("1e38").all()
    assert failed["cause"].str.contains("The loss became").all()
    results = collect_results(comparison)
    assert set(results["optimizer.lr"]) <= {"1e-2", "1e38"}


def test_bad_clips_are_left_out_and_listed(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=2)
    (corpus.media_root / "s0_anger_0.wav").write_bytes(b"")
    comparison, _ = run((corpus, FeatureCache(tmp_path / "cache")), tmp_path / "out", ["seed=0"])
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert skipped["id"].tolist() == ["s0_anger_0"]
    assert "s0_anger_0.wav" in skipped["cause"][0]
    tested = pd.concat([RunFolder(folder).predictions("test") for folder in comparison.results])
    assert "s0_anger_0" not in set(tested["id"])
    assert len(tested) == 35


def test_numbers_that_look_like_ids_stay_text(tmp_path: Path) -> None:
    (tmp_path / "predictions.csv").write_text(
        "id,role,fold,emotion,emotion_predicted,emotion_p_NA,emotion_p_1\n007,test,0,NA,1,0.25,0.75\n"
    )
    row = RunFolder(tmp_path).predictions("test").iloc[0]
    assert (row["id"], row["emotion"], row["emotion_predicted"], row["emotion_p_1"]) == (
        "007",
        "NA",
        "1",
        0.75,
    )


def test_no_results_json_is_ever_half_written(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    comparison, _ = run(place, tmp_path, ["seed=0"], folds=[0])
    for folder in comparison.results:
        json.loads((folder / "results.json").read_text())
    assert not list(tmp_path.rglob("*.tmp*"))


def synthetic(random: np.random.Generator, speakers: int, each: int, spread: float):
    """Predictions whose accuracy differs by speaker: p ~ N(0.7, spread)."""
    rows = []
    for s in range(speakers):
        right = np.clip(random.normal(0.7, spread), 0.02, 0.98)
        for k in range(each):
            label = "ab"[k % 2]
            called = label if random.random() < right else "ba"[k % 2]
            rows.append({"id": f"{s}_{k}", "emotion": label, "emotion_predicted": called, "speaker": f"s{s}"})
    return pd.DataFrame(rows)


def test_the_interval_covers_the_truth_and_one_that_ignores_speakers_does_not() -> None:
    """Ten speakers, as in IEMOCAP: 95 of 100."""
    random = np.random.default_rng(0)
    clustered = alone = 0
    for _ in range(200):
        table = synthetic(random, 10, 30, 0.12)
        for by_speaker in (True, False):
            clusters = table.set_index("id")["speaker"] if by_speaker else pd.Series(dtype=object)
            counts = speaker_confusions([table], "emotion", ["a", "b"], clusters)
            _, low, high = speaker_interval(counts, "acc")
            covers = low <= 0.7 <= high
            clustered += covers and by_speaker
            alone += covers and not by_speaker
    assert 0.92 <= clustered / 200 <= 0.98
    assert alone / 200 < clustered / 200 - 0.1


def test_one_speaker_gives_no_interval() -> None:
    table = synthetic(np.random.default_rng(0), 1, 10, 0.1)
    counts = speaker_confusions([table], "emotion", ["a", "b"], table.set_index("id")["speaker"])
    value, low, high = speaker_interval(counts, "bacc")
    assert value == pytest.approx(balanced_accuracy_score(table["emotion"], table["emotion_predicted"]))
    assert np.isnan(low)
    assert np.isnan(high)


def test_two_points_that_are_one_row_are_refused_before_training(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    with pytest.raises(AffuseError, match="same row of the table"):
        run(place, tmp_path, ["loss=center,1*center"])
    assert not (tmp_path / "runs").exists()


def test_rows_that_only_weigh_one_task_otherwise_are_named_before_training(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    over = ["weighting=static,dwa,softmax"]
    found, progress = run(place, tmp_path / "one", over, folds=[0])
    assert progress.said[0] == (
        "server has one task, emotion, and so nothing to weigh: rows that differ in the weighting alone train the "
        "same, but for a scale of the loss."
    )
    first, *others = [result.metrics for result in found.results.values()]
    assert others == [first, first]
    both = axes_of(["weighting=static,dwa"])
    assert equal_rows(make_variants("server", both, ["tasks.gender.loss=cross_entropy"])) == []
    assert equal_rows(make_variants("server", axes_of(OVER))) == []


@pytest.mark.parametrize(
    ("over", "message"),
    [(["fusion.options.widht=8,16"], "did you mean 'width'"), (["weighting.name=softmax"], None)],
)
def test_a_misspelt_option_is_told_before_anything_is_encoded(
    place: tuple[Corpus, FeatureCache], tmp_path: Path, over: list[str], message: str | None
) -> None:
    if message is None:
        comparison, _ = run(place, tmp_path, over, folds=[0])
        assert comparison.results
        return
    with pytest.raises(AffuseError, match=message):
        run(place, tmp_path, over)
    assert not (tmp_path / "runs").exists()


def test_a_fold_that_does_not_exist_is_refused(place: tuple[Corpus, FeatureCache], tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="no fold 99; this split has folds 0 to 2"):
        run(place, tmp_path, ["seed=0"], folds=[99])
    assert not (tmp_path / "runs").exists()


def test_changed_media_is_another_experiment(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=2)
    cache = FeatureCache(tmp_path / "cache")
    run((corpus, cache), tmp_path / "out", ["seed=0"], folds=[0])
    path = corpus.media_root / "s0_anger_0.wav"
    data = bytearray(path.read_bytes())
    data[-2] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(AffuseError, match="another recipe, corpus, split or seed"):
        run((corpus, cache), tmp_path / "out", ["seed=0"], folds=[0])


def test_a_test_part_without_a_modality_is_predicted(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=2)
    table = corpus.table.copy()
    table.loc[table["speaker"].isin(["s0", "s1"]), "features_face"] = None
    partly = Corpus(table, corpus.info, corpus.folder)
    changes = [
        "modalities.face.encoder=precomputed",
        "modalities.face.options.name=face",
        "protocol.by=speaker",
    ]
    comparison, _ = run((partly, FeatureCache(tmp_path / "cache")), tmp_path / "out", ["seed=0"], changes)
    assert not comparison.failed
    assert len(comparison.results) == 3


def test_models_are_made_up_for_when_they_are_asked_for_later(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    run(place, tmp_path, ["seed=0"], folds=[0])
    assert not list(tmp_path.rglob("index.json"))
    run(place, tmp_path, ["seed=0"], folds=[0], keep_models=True)
    assert len(list(tmp_path.rglob("index.json"))) == 1


def test_the_experiments_of_an_earlier_comparison_are_used_where_they_fit(
    place: tuple[Corpus, FeatureCache], tmp_path: Path
) -> None:
    first, read = run(place, tmp_path / "first", ["seed=0"])
    more, nothing = run(place, tmp_path / "more", ["seed=0,1"], ready=first.experiments)
    fresh, _ = run(place, tmp_path / "fresh", ["seed=0,1"])
    assert more.experiments == first.experiments
    assert collect_results(more).equals(collect_results(fresh))
    assert "audio (logmel)" in read.totals
    assert "audio (logmel)" not in nothing.totals
    other, again = run(
        place, tmp_path / "other", ["seed=0"], ["protocol.validation.fraction=0.4"], ready=first.experiments
    )
    assert other.experiments[0].split.hash != first.experiments[0].split.hash
    assert "audio (logmel)" in again.totals
