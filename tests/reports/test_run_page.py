"""The page of one run and of an evaluation: numbers derived again, what is left out, sentences for what is no run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, confusion_matrix

from affuse.errors import AffuseError
from affuse.evaluation.measurement import measure_predictions
from affuse.recipe import Recipe
from affuse.reports.pages.evaluation import write_evaluation_page
from affuse.reports.pages.run import write_run_page
from affuse.training.runfolder import RunFolder
from browser import CHROMIUM, look
from comparison_folder import CLASSES, make_comparison


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of a comparison made by hand, with what 'affuse train' writes besides its answers."""
    made = make_comparison(tmp_path_factory.mktemp("run") / "c", {"cross_entropy": 0.7}, folds=3, seeds=(0,))
    folder = made / "runs" / "loss=cross_entropy,seed=0" / "fold0"
    finish(folder)
    return folder


def finish(folder: Path, **changes: object) -> None:
    files = RunFolder(folder)
    files.write_recipe(Recipe.load("server", ["modalities.text=null", "epochs=3"]))
    environment = {
        "affuse": "0", "python": "3.11", "corpus": "Hand", "generated": False, "corpus_hash": "h", "split_hash": "s",
        "stamp": "", "view": ["2 utterances left out"], "transcript_overlap": 0.4, "fold": 0,
    }  # fmt: skip
    files.write_environment(environment | changes)
    recorded = {
        **files.recorded(),
        "fold": 0,
        "seed": 0,
        "best_epoch": 2,
        "epochs": 3,
        "parameters": 1234,
        "seconds": 90,
    }
    (folder / "results.json").write_text(json.dumps(recorded), "utf-8")


def verdict_of(page: Path) -> str:
    found = re.search(r'<p class="verdict">(.*?)</p>', page.read_text("utf-8"))
    assert found is not None
    return found[1]


def test_the_numbers_are_those_of_the_predictions(run: Path) -> None:
    page = write_run_page(run)
    test = RunFolder(run).predictions("test")
    bacc = balanced_accuracy_score(test["emotion"], test["emotion_predicted"])
    said = verdict_of(page)
    assert said.startswith(f"BACC (UA) {100 * bacc:.1f} % [")
    assert f"ACC (WA) {100 * (test['emotion'] == test['emotion_predicted']).mean():.1f} % [" in said
    assert "on 54 utterances of 3 speakers" in said
    assert "guessing gives a BACC of 33.3 %" in said
    text = (run / "report.md").read_text("utf-8")
    counts = confusion_matrix(test["emotion"], test["emotion_predicted"], labels=CLASSES)
    for i, name in enumerate(CLASSES):
        recall, precision = counts[i, i] / counts[i].sum(), counts[i, i] / counts[:, i].sum()
        assert f"| {name} | {counts[i].sum()} | {100 * recall:.1f} | {100 * precision:.1f} |" in text
    wrong = test[test["emotion"] != test["emotion_predicted"]]
    assert f"{len(wrong)} of 54 test utterances got a wrong answer." in text
    assert len(re.findall(r"\]\(\.\./\.\./\.\./\.\./corpus/s\d_\d+\.wav\)", text)) == min(15, len(wrong))


def test_the_page_says_what_one_run_cannot(run: Path) -> None:
    text = write_run_page(run).with_name("report.md").read_text("utf-8")
    top = text.split("## Results")[0]
    assert "One fold and one seed" in top
    assert "same words" not in top  # no text is read here
    assert "3 epochs; the weights of epoch 2 were kept, the best by BACC on the validation part." in text
    assert "The training passed the checks" in text
    assert "2 utterances left out" in text
    assert "By gender" in text
    assert "By dialog type" in text
    assert "| emotion |" in text.split("## Calibration")[1]


def test_a_network_that_did_not_train_is_named_first(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.7}, folds=2, seeds=(0,), each=6)
    folder = made / "runs" / "loss=cross_entropy,seed=0" / "fold0"
    finish(folder, generated=True, stamp="speaker-dependent")
    curve = {"epoch": range(1, 6), "train_loss_emotion": 1.1, "validation_loss_emotion": 1.1}
    pd.DataFrame(curve).to_csv(folder / "metrics.csv", index=False)
    (made / "utterances.csv").unlink()
    text = write_run_page(folder).with_name("report.md").read_text("utf-8")
    warned = text.split("## Results")[0]
    assert "Not trained well enough: the network never left the start. These numbers say nothing" in warned
    assert "Try standardised features" in warned
    assert "Speaker-dependent: speakers of the test part are also in the training part" in warned
    assert "This corpus is generated" in warned
    assert "By gender" not in text
    result = json.loads((folder / "results.json").read_text("utf-8"))
    (folder / "results.json").write_text(json.dumps(result | {"training": "As the run has it."}), "utf-8")
    said = write_run_page(folder).with_name("report.md").read_text("utf-8")
    assert "As the run has it." in said.split("## Results")[0]
    assert "Not trained well enough" not in said


def test_what_is_no_finished_run_is_one_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="is not the folder of a run"):
        write_run_page(tmp_path)
    (tmp_path / "environment.json").write_text("{}", "utf-8")
    with pytest.raises(AffuseError, match="is not finished"):
        write_run_page(tmp_path)
    (tmp_path / "results.json").write_text("{", "utf-8")
    with pytest.raises(AffuseError, match="is damaged"):
        write_run_page(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_page_that_was_edited_is_kept(run: Path) -> None:
    page = write_run_page(run)
    page.write_text("mine", "utf-8")
    with pytest.raises(AffuseError, match=r"report\.html"):
        write_run_page(run)
    assert page.read_text("utf-8") == "mine"
    page.unlink()
    write_run_page(run)


def test_the_page_of_an_evaluation(run: Path, tmp_path: Path) -> None:
    test = RunFolder(run).predictions("test")
    people = pd.read_csv(run.parents[2] / "utterances.csv").set_index("id")
    found = measure_predictions(test, {"emotion": CLASSES}, people)
    skip = SimpleNamespace(id="s0_0", modality="audio", cause="It is too short.")
    info = SimpleNamespace(title="Other", generated=False)
    evaluation = SimpleNamespace(
        corpus=SimpleNamespace(info=info), trained=True, predictions=test, skipped=[skip], partial=[],
        raters=pd.DataFrame(),
        **{name: getattr(found, name) for name in ("metrics", "recalls", "groups", "calibration", "notes")},
    )  # fmt: skip
    page = write_evaluation_page(evaluation, tmp_path / "found.html", "m")
    html = page.read_text("utf-8")
    assert "<h1>m, tested on Other</h1>" in html
    assert "Some of these utterances trained the model" in html
    assert "1 utterance could not be used" in html
    assert "It is too short." in html
    assert verdict_of(page).startswith("BACC (UA) ")
    gap = found.groups.query("grouping == 'dialog type' and metric == 'bacc' and p.notna()").iloc[0]
    assert "BACC of improvised minus scripted: " in html
    assert f" p =\u00a0{gap['p']:.2f}." in html or gap["p"] < 0.1


def test_of_many_tasks_each_is_measured_and_unknown_labels_are_none() -> None:
    table = pd.DataFrame({
        "id": ["a", "b"], "t": ["x", "y"], "t_predicted": ["x", "x"], "t_p_x": [0.9, 0.8], "t_p_y": [0.1, 0.2],
        "u": ["", ""], "u_predicted": ["x", "x"], "u_p_x": 1.0, "u_p_y": 0.0,
    })  # fmt: skip
    found = measure_predictions(
        table, {"t": ["x", "y"], "u": ["x", "y"]}, pd.DataFrame({"speaker": ["p", None]}, index=["a", "b"])
    )
    assert set(found.metrics["task"]) == {"t"}
    values = found.metrics.set_index("metric")["value"]
    assert (values["acc"], values["bacc"]) == (0.5, 0.5)
    assert found.recalls.set_index("class")["called x"].to_dict() == {"x": 1, "y": 1}
    assert found.calibration["nll"].item() == pytest.approx(-(np.log(0.9) + np.log(0.2)) / 2)
    assert len(found.notes) == 2  # few speakers, and one that is not known


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_runs_page_in_a_browser(run: Path, tmp_path: Path) -> None:
    page = write_run_page(run)
    for width in (390, 1280):
        seen = look(page, width, False, tmp_path)
        assert seen["figures"] == 3
        for fault in ("faults", "out", "dim", "unsorted"):
            assert seen[fault] == [], (width, fault)
        assert not seen["scrolls"]
