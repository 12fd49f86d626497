"""A verdict looks at the trainings first: rows that did not train are not judged, wherever the comparison is told."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from affuse.evaluation.measures import ClassMeasure
from affuse.models.card import chosen_in_words
from affuse.recipe import Recipe
from affuse.reports.description import base_of, changed_fields, encoder_in_words
from affuse.reports.figures.training_curves import with_joint
from affuse.reports.pages.comparison import write_comparison_page
from affuse.reports.record import read_record
from affuse.reports.report import Report
from affuse.reports.sections.embeddings import claim_in_words
from affuse.reports.sections.training import kept_in_words
from affuse.reports.sections.verdict import verdict_sentences
from affuse.reports.tables.convergence import cures_of, training_table, trainings_in_words
from affuse.reports.tables.paired import BEST_SINGLE, LIKEST, references_of
from affuse.reports.tables.rows import best_single, read_rows
from comparison_folder import CLASSES, make_comparison

EMOTION = ClassMeasure("emotion", CLASSES)


def trained_so(
    runs: list[Path], train: np.ndarray, loss: np.ndarray, bacc: np.ndarray, kept: int, **training: str
):
    """Give runs a curve and the settings of their training."""
    assert runs
    for run in runs:
        epochs = np.arange(1, len(train) + 1)
        table = {"epoch": epochs, "train_loss_emotion": train, "validation_loss_emotion": loss}
        table |= {"validation_bacc_emotion": bacc, "train_joint": train, "weight_emotion": 1.0}
        pd.DataFrame(table).to_csv(run / "metrics.csv", index=False)
        result = json.loads((run / "results.json").read_text())
        (run / "results.json").write_text(json.dumps(result | {"best_epoch": kept, "epochs": len(train)}))
        (run / "recipe.yaml").write_text(yaml.safe_dump({"training": {"epochs": len(train), **training}}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """Three losses, of which one was cut off; its numbers are far below the others'. Every row is speaker-dependent."""
    losses = {"cross_entropy": 0.8, "contrastive_center": 0.78, "center": 0.5}
    made = make_comparison(tmp_path_factory.mktemp("trainings") / "c", losses, each=12, seeds=(0, 1))
    settled = 0.5 + np.exp(-np.arange(20) / 3)
    for loss in losses:
        runs = sorted(made.glob(f"runs/loss={loss},seed=*/fold*"))
        cut = loss == "center"
        curve = 100 * np.exp(-np.arange(20) / 6) if cut else settled
        trained_so(
            runs, curve, curve, np.linspace(0.3, 0.5, 20) if cut else np.full(20, 0.8), 20 if cut else 9
        )
    record = json.loads((made / "comparison.json").read_text())
    for row in record["rows"]:
        row["stamp"] = "speaker-dependent"
    (made / "comparison.json").write_text(json.dumps(record))
    write_comparison_page(made)
    return made


def test_a_row_that_was_cut_off_is_not_judged_and_its_numbers_stand(folder: Path) -> None:
    table = pd.read_csv(folder / "paired_tests.csv", keep_default_na=False).set_index("loss")
    assert table["verdict"].to_dict() == {"contrastive_center": "not significant", "center": "not judged"}
    assert table.loc["center", "trainings"] == "center: 8 of 8 runs were still improving at the end"
    assert table.loc["contrastive_center", "trainings"] == ""
    assert float(table.loc["center", "bacc_difference"]) < -0.2
    assert float(table.loc["center", "bacc_p"]) < 0.05
    assert table.loc["center", ["bacc_p_holm", "resampled_p_holm", "mcnemar_p_holm"]].tolist() == ["", "", ""]
    # one line is left, so there is nothing to correct for
    kept = table.loc["contrastive_center"]
    assert float(kept["bacc_p_holm"]) == pytest.approx(float(kept["bacc_p"]))
    trainings = pd.read_csv(folder / "trainings.csv", keep_default_na=False).set_index("loss")
    assert trainings["improving"].to_dict() == {"cross_entropy": 0, "contrastive_center": 0, "center": 8}
    assert trainings["trained"].to_dict() == {"cross_entropy": 8, "contrastive_center": 8, "center": 0}


def test_every_page_says_so_with_the_cure(folder: Path) -> None:
    said = "1 of 3 rows did not train well enough to be judged: center: 8 of 8 runs were still improving at the end. "
    said += "Try more training.epochs; then compare again."
    first = verdict_sentences(Report.read(folder))
    assert first[1] == said
    assert first[0].startswith("None of the 2 differences is statistically significant")
    assert first[0].endswith("Not judged: 1 because a network did not train well enough.")
    html, text = ((folder / name).read_text("utf-8") for name in ("report.html", "report.md"))
    cure = "1 of 3 rows did not train well enough to be judged. Try more training.epochs; then compare again."
    assert re.findall(r'<p class="verdict">(.*?)</p>', html)[1] == cure
    for shown in (html, text):
        assert cure in shown
        assert "center: 8 of 8 runs were still improving at the end" in shown
    assert "| center | 8 | 0 | 8 | 0 | 20 | 20 |" in text
    latex = " ".join((folder / "tables.tex").read_text().split())
    told = "Not trained well enough to be judged: center: 8 of 8 runs were still improving at the end."
    assert latex.count(told) == latex.count(r"\begin{table}") > 3


def test_every_table_is_stamped(folder: Path) -> None:
    names = [path.name for path in folder.glob("*.csv") if path.name != "utterances.csv"]
    assert {"paired_tests.csv", "groups.csv", "calibration.csv", "reliability.csv", "trainings.csv"} < set(
        names
    )
    stamped = {
        name: pd.read_csv(folder / name, keep_default_na=False) for name in names if name != "results.csv"
    }
    assert {name: set(table["stamp"]) for name, table in stamped.items()} == {
        name: {"speaker-dependent"} for name in stamped
    }
    latex = (folder / "tables.tex").read_text()
    told = "All rows are speaker-dependent: speakers of the test part are also in the training part."
    assert latex.count(told) == latex.count(r"\begin{table}")


def test_all_rows_that_did_not_train_leave_no_verdict(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.35, "center": 0.35}, each=6, seeds=(0,))
    flat = np.full(20, 1.1)
    trained_so(sorted(made.glob("runs/*/fold*")), flat, flat, np.full(20, 0.33), 1)
    report = Report.read(made)
    said = verdict_sentences(report)
    assert said[0] == "The only difference is not judged, because networks did not train well enough."
    assert said[1].startswith("2 of 2 rows did not train well enough to be judged: cross_entropy: BACC ")
    assert "is no better than chance (33.3; p = " in said[1]
    assert "4 of 4 runs never left the start" in said[1]
    assert "modalities.NAME.standardise=true" in said[1]
    (line,) = report.statistics.paired_tests.to_dict("records")
    assert (line["verdict"], line["bacc_p_holm"]) == ("not judged", pytest.approx(np.nan, nan_ok=True))


def test_few_runs_that_did_not_train_do_not_silence_a_row(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.8}, each=12, seeds=(0, 1), folds=5)
    runs = sorted(made.glob("runs/*/fold*"))
    settled, flat = 0.5 + np.exp(-np.arange(20) / 3), np.full(20, 1.1)
    trained_so(runs, settled, settled, np.full(20, 0.8), 9)
    found = {}
    for count in (2, 3):  # of ten: a fifth, and more
        trained_so(runs[:count], flat, flat, np.full(20, 0.33), 9)
        (row,) = read_rows(made, read_record(made))
        (line,) = training_table([row], EMOTION).to_dict("records")
        assert line["never_left"] == count
        found[count] = line["trainings"]
    assert found == {2: "", 3: "3 of 10 runs never left the start"}


def test_cures_are_those_of_the_causes() -> None:
    assert cures_of("2 of 3 runs diverged") == ["a lower optimizer.lr, optimizer.clip_norm"]
    assert (
        cures_of("8 of 9 runs were still improving at the end; 1 of 9 runs diverged")[0]
        == "more training.epochs"
    )
    assert "do not depend on the labels" in cures_of("BACC 25.0 is no better than chance (25.0; p = 0.5)")[0]
    assert trainings_in_words(pd.DataFrame({"trainings": ["", ""]}), ["a", "b"]) == ""


def test_the_best_single_modality_is_chosen_on_validation_never_on_test(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"a": 0.9, "b": 0.6, "cross_entropy": 0.8}, each=6, seeds=(0,))
    record = read_record(made)
    modalities = {"a": {"text": ""}, "b": {"face": ""}, "cross_entropy": {"text": "", "face": ""}}
    for row in record["rows"]:
        row["modalities"] = modalities[row["settings"]["loss"]]
    # text is best on test, face on validation
    for path in made.glob("runs/loss=a,*/fold*/predictions.csv"):
        table = pd.read_csv(path)
        table.loc[table["role"] == "validation", "emotion_predicted"] = "anger"
        table.to_csv(path, index=False)
    text, face, fused = read_rows(made, record)
    assert best_single([text, face, fused], fused.split_hash, EMOTION) is face
    assert references_of(fused, [text, face, fused], EMOTION) == [(face, BEST_SINGLE)]
    assert references_of(text, [text, face, fused], EMOTION) == [(fused, LIKEST)]
    assert best_single([text, fused], fused.split_hash, EMOTION) is None  # nothing to choose from
    assert best_single([text, face], "another split", EMOTION) is None


def test_the_epoch_that_was_kept_is_told_as_it_waschosen_in_words(folder: Path, tmp_path: Path) -> None:
    rows = read_rows(folder, read_record(folder))
    assert kept_in_words(rows) == "The kept epoch is the best by BACC on the validation part."
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.8, "center": 0.8}, each=6, seeds=(0,))
    values = np.linspace(1, 0.5, 4)
    trained_so(sorted(made.glob("runs/*center*/*")), values, values, values, 4, select="last")
    trained_so(sorted(made.glob("runs/*entropy*/*")), values, values, values, 4, criterion="loss")
    told = kept_in_words(read_rows(made, read_record(made)))
    assert told == (
        "The kept epoch is the best by loss on the validation part (cross_entropy); the kept epoch is the last one, as "
        "the recipe says (center)."
    )


@pytest.mark.parametrize(
    ("criterion", "kinds", "by"),
    [
        ("macro_f1", ["classes", "multilabel"], "macro F1"),
        ("bacc", ["classes", "multilabel"], "BACC (of several labels at once macro F1)"),
        ("bacc", ["classes", "regression", "multilabel"], "BACC (of ratings CCC, of several labels at once macro F1)"),
        ("bacc", ["regression"], "CCC"),
        ("acc", ["multilabel"], "macro F1"),
        ("bacc", ["multilabel", "regression"], "CCC and macro F1"),
    ],
)  # fmt: skip
def test_every_criterion_has_its_words(tmp_path: Path, criterion: str, kinds: list[str], by: str) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.8}, each=6, seeds=(0,))
    values, runs = np.linspace(1, 0.5, 4), sorted(made.glob("runs/*/*"))
    trained_so(runs, values, values, values, 4, criterion=criterion)
    for run in runs:
        recipe = yaml.safe_load((run / "recipe.yaml").read_text())
        tasks = {f"task{i}": {"kind": kind} for i, kind in enumerate(kinds)}
        (run / "recipe.yaml").write_text(yaml.safe_dump(recipe | {"tasks": tasks}))
    told = kept_in_words(read_rows(made, read_record(made)))
    assert told == f"The kept epoch is the best by {by} on the validation part."


def test_the_model_card_says_how_the_epoch_was_chosen() -> None:
    recipe = Recipe.load("server")
    assert chosen_in_words(recipe, True).startswith("The epoch was chosen on validation")
    last = chosen_in_words(recipe.changed(["training.select=last"]), True)
    assert last.startswith("The last epoch counts, as the recipe has it; the validation part chose none")
    assert "better than they should be" in chosen_in_words(recipe.changed(["training.select=test"]), True)


def test_a_changed_recipe_is_told_by_its_fields() -> None:
    base = Recipe.load("3m-ser")
    assert base_of(base) == base
    voice = ["modalities.text=null", "modalities.audio.encoder=logmel", "epochs=20", "loss=center", "seed=3"]
    told = changed_fields(base.changed(voice), base, ["loss", "seed"])
    assert "modalities.text none (was bert bert-base-uncased, output tokens, frozen)" in told
    assert (
        "modalities.audio logmel, frozen, standardised (was vggish download, pca yes, quantise yes, frozen)"
        in told
    )
    assert "training.epochs 20 (was 250)" in told
    assert not [line for line in told if "loss" in line or "seed" in line]
    assert changed_fields(base, base) == []
    assert "tasks.emotion.loss center (was cross_entropy)" in changed_fields(
        base.changed(["loss=center"]), base
    )
    trained = {
        "encoder": "resnet50",
        "frozen": False,
        "options": {"network": "resnet10", "size": 64},
        "dropout": 0.3,
    }
    assert encoder_in_words(trained | {"standardise": True}) == (
        "resnet50 resnet10, size 64, trained, standardised, taken from 30 % of the training clips"
    )


def test_the_joint_validation_loss_by_hand() -> None:
    metrics = pd.DataFrame({
        "epoch": [1, 2], "train_joint": [1.0, 0.8], "train_loss_a": [1, 1], "train_loss_b": [1, 1],
        "validation_loss_a": [2.0, 1.0], "validation_loss_b": [4.0, 3.0], "weight_a": [0.5, 0.25],
        "weight_b": [0.5, 0.75],
    })  # fmt: skip
    assert with_joint(metrics)["validation_joint"].tolist() == [3.0, 2.5]
    assert "validation_joint" not in with_joint(metrics.drop(columns="weight_b"))


def test_rows_with_failed_runs_are_named_and_the_claim_on_clusters_is_of_trained_rows(
    folder: Path, tmp_path: Path
) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    record = json.loads((copy / "comparison.json").read_text())
    record["rows"][1]["cells"][0]["finished"] = False
    (copy / "comparison.json").write_text(json.dumps(record))
    said = verdict_sentences(Report.read(copy))
    assert said[0].startswith("Left out, because runs failed: contrastive_center (1 of 8 runs).")
    assert said[1].startswith("The only difference is not judged")
    table = pd.DataFrame({
        "loss": ["center", "cross_entropy+center"], "reference": "cross_entropy", "silhouette_p": 0.001,
        "ratio_p": 0.001, "silhouette_difference": 0.2, "ratio_difference": -0.2,
        "trainings": ["", "4 of 4 runs never left the start"],
    })  # fmt: skip
    assert "holds here. Of 1 row with a center loss" in claim_in_words(table)
    assert claim_in_words(table.iloc[1:]) == ""
