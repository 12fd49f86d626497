"""A paper's claims against runs made by hand: differences derived again, Holm's correction, verdicts, sentences."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score, log_loss

from affuse.evaluation.measures import ClassMeasure
from affuse.reports.record import read_record
from affuse.reports.tables.convergence import training_table
from affuse.reports.tables.paired_nll import compare_nll
from affuse.reports.tables.rows import read_rows
from affuse.reports.tables.utterances import read_utterances
from affuse.reproduction.definition import Claim, Paper, papers, published, read_definition, read_paper
from affuse.reproduction.report.claims import COLUMNS, HOLDS, ONLY_RUNS, OPPOSITE, OPPOSITE_RUNS, claims_table
from affuse.reproduction.report.verdict import (
    chance_in_words,
    claims_in_words,
    protocols_in_words,
    published_in_words,
)
from affuse.training.runfolder import RunFolder
from comparison_folder import CLASSES, make_comparison

SKILLS = {"cross_entropy": 0.75, "center": 0.48, "contrastive_center": 0.98, "cross_entropy+center": 0.73}


def claim(row: str, over: str, better: str):
    return Claim(says=f"{row} is {better} than {over}.", source="Table I", row=row, over=over, better=better)


@pytest.fixture(scope="module")
def paper():
    plain = "SERVER / cross_entropy"
    claims = [
        claim("SERVER / center", plain, "lower"),
        claim("SERVER / contrastive_center", plain, "lower"),
        claim("SERVER / cross_entropy + center", plain, "higher"),
        claim("3M-SER / center", plain, "higher"),
        claim(plain, plain, "higher"),
    ]
    return read_paper("multi-loss").model_copy(update={"claims": claims})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    made = make_comparison(
        tmp_path_factory.mktemp("claims") / "honest", SKILLS, published="SERVER", each=30, seeds=(0, 1)
    )
    record = (
        (made / "comparison.json").read_text().replace('cross_entropy+center"}', 'cross_entropy + center"}')
    )
    (made / "comparison.json").write_text(record)
    return made


def numbers(protocol: str, names: list[str], on_test: str = "", weight: str = ""):
    return pd.DataFrame(
        [{"row": name, "protocol": protocol, "on_test": on_test, "lambda": weight} for name in names]
    )


NAMES = [f"SERVER / {loss.replace('+', ' + ')}" for loss in SKILLS]


@pytest.fixture(scope="module")
def table(paper: Paper, folder: Path):
    return claims_table(paper, numbers("honest", NAMES), {"honest": folder}).set_index("row")


def test_differences_are_those_of_the_predictions(table: pd.DataFrame, folder: Path) -> None:
    for loss in ("center", "contrastive_center", "cross_entropy+center"):
        differences = []
        for seed in (0, 1):
            scores = []
            for name in ("cross_entropy", loss):
                parts = [
                    RunFolder(p).predictions("test")
                    for p in (folder / "runs" / f"loss={name},seed={seed}").iterdir()
                ]
                of = pd.concat(parts)
                scores.append(balanced_accuracy_score(of["emotion"], of["emotion_predicted"]))
            differences.append(100 * (scores[1] - scores[0]))
        line = table.loc[f"SERVER / {loss.replace('+', ' + ')}"]
        assert line["difference"] == pytest.approx(np.mean(differences))
        assert line["low"] < line["difference"] < line["high"]
        assert (line["n"], line["speakers"]) == (240, 8)
    printed = published("multi-loss-ser").set_index(["row", "metric"])["value"]
    assert table.loc["SERVER / center", "published"] == pytest.approx(
        printed["SERVER / center", "bacc"] - printed["SERVER / cross_entropy", "bacc"]
    )


def test_a_verdict_takes_direction_speakers_and_trainings(table: pd.DataFrame) -> None:
    assert table.loc["SERVER / center", "verdict"] == HOLDS
    assert table.loc["SERVER / contrastive_center", "verdict"] == OPPOSITE
    assert table.loc["SERVER / cross_entropy + center", "verdict"] == OPPOSITE_RUNS
    assert table.loc["SERVER / cross_entropy", "verdict"] == "not significant"  # against itself
    assert table.loc["3M-SER / center", "verdict"] == "not tested"  # no such row here
    assert np.isnan(table.loc["3M-SER / center", "difference"])


def test_holms_correction_is_over_the_claims_that_could_be_tested(table: pd.DataFrame) -> None:
    for test in ("p", "resampled_p"):
        p = table[test].dropna().sort_values()
        stepped = np.minimum(1, np.maximum.accumulate(p.to_numpy() * (len(p) - np.arange(len(p)))))
        assert table.loc[p.index, f"{test}_holm"].to_numpy() == pytest.approx(stepped)


def test_what_the_test_part_was_used_for_is_not_judged(paper: Paper, folder: Path) -> None:
    frame = numbers("coded", NAMES, on_test="epoch chosen on the test part")
    found = claims_table(paper, frame, {"coded": folder})
    assert list(found.columns) == COLUMNS
    assert set(found["verdict"][:3]) == {"not judged"}
    assert set(found["on_test"][:3]) == {"epoch chosen on the test part"}
    assert found[["p_holm", "resampled_p_holm"]].isna().all(axis=None)
    assert claims_in_words(found) == ["No claim is judged, because the test part was used to make every row."]


def test_a_row_of_several_lambdas_is_the_chosen_one(paper: Paper, folder: Path, tmp_path: Path) -> None:
    """Two lambdas of one row with different predictions: the claim's difference is the chosen one's."""
    copy = tmp_path / "coded"
    shutil.copytree(folder, copy)
    record = (copy / "comparison.json").read_text()
    for loss, name in (("contrastive_center", "center, lambda 2"), ("center", "center, lambda 0.5")):
        record = record.replace(f'"SERVER / {loss}"', f'"SERVER / {name}"')
    (copy / "comparison.json").write_text(record)
    found = {}
    for weight in ("0.5", "2"):
        frame = numbers("coded", NAMES)
        frame.loc[frame["row"] == "SERVER / center", "lambda"] = weight
        found[weight] = claims_table(paper, frame, {"coded": copy}).set_index("row").loc["SERVER / center"]
    assert (found["0.5"]["verdict"], found["2"]["verdict"]) == (HOLDS, OPPOSITE)
    assert found["0.5"]["difference"] < -20 < 20 < found["2"]["difference"]


def test_the_packaged_claims_are_of_published_rows_in_their_published_direction() -> None:
    for name in papers():
        paper = read_paper(name)
        metric = "bacc" if paper.kind == "classification" else "nll_validation"
        printed = published(paper.published)
        printed = printed[printed["metric"] == metric].set_index("row")["value"]
        rows = {cell.row for cell in read_definition(name, "honest").cells}
        for one in paper.claims:
            assert {one.row, one.over} <= rows
            assert one.better == ("higher" if printed[one.row] > printed[one.over] else "lower")


def test_nll_of_two_tasks_derived_with_scikit_learn(tmp_path: Path) -> None:
    tasks = ("emotion", "gender")
    made = make_comparison(
        tmp_path / "c", {"cross_entropy": 0.5, "center": 0.8}, tasks=tasks, seeds=(0, 1), each=12
    )
    # a few utterances lose their gender in both rows
    for path in made.glob("runs/*/*/predictions.csv"):
        of = pd.read_csv(path, keep_default_na=False)
        of.loc[of["id"].str.endswith("_1"), "gender"] = ""
        of.to_csv(path, index=False)
    first, second = read_rows(made, read_record(made))
    speakers = read_utterances(made)["speaker"]
    found = compare_nll(first, second, dict.fromkeys(tasks, CLASSES), speakers)

    def nll(row: Any, seed: Any):
        of = pd.concat(
            RunFolder(p).predictions("test") for p in (made / "runs" / f"loss={row},seed={seed}").iterdir()
        )
        total = 0.0
        for task in tasks:
            known = of[of[task] != ""]
            shares = known[[f"{task}_p_{c}" for c in CLASSES]].to_numpy(float)  # six decimals each
            total += log_loss(known[task], shares / shares.sum(axis=1, keepdims=True), labels=CLASSES)
        return total

    expected = np.mean([nll("center", seed) - nll("cross_entropy", seed) for seed in (0, 1)])
    assert found["difference"] == pytest.approx(expected, abs=1e-5)
    assert found["low"] < expected < found["high"] < 0
    assert (found["n"], found["speakers"]) == (96, 8)
    assert found["p"] < 0.05
    assert found["resampled_p"] < 0.05
    back = compare_nll(second, first, dict.fromkeys(tasks, CLASSES), speakers)
    assert back["difference"] == pytest.approx(-found["difference"])
    assert back["p"] == pytest.approx(found["p"])


# ---- sentences


def test_sentences_of_claims(table: pd.DataFrame) -> None:
    told = claims_in_words(table.reset_index())
    assert told[0].startswith(
        "Under the honest protocol, of the paper's 5 claims: 1 confirmed, 1 contradicted, 1 contradicted over speakers "
        "but not over trainings, 1 neither, 1 not tested. "
    )
    assert "claimed: lower; p <\u00a00.001 over speakers, p =\u00a00.009 over trainings)" in told[0]
    assert told[1].startswith("With 240 test utterances of 8 speakers, a true difference of ")
    alone = claims_in_words(table.reset_index().query("row == 'SERVER / cross_entropy'"))
    assert alone[0].startswith(
        "Under the honest protocol, none of the paper's claims is confirmed or contradicted: no difference is "
        "significant."
    )


def lines_of(**changed: float | str):
    line = {
        "protocol": "honest", "row": "A", "over": "B", "better": "higher", "metric": "bacc", "difference": 4.0,
        "low": 1.0, "high": 7.0, "p_holm": 0.01, "resampled_p": 0.3, "resampled_p_holm": 0.3, "n": 100,
        "speakers": 4.0, "detectable": 5.0, "verdict": ONLY_RUNS,
    }  # fmt: skip
    return pd.DataFrame([line | changed])


def test_sentences_say_what_was_not_tested() -> None:
    told = claims_in_words(lines_of())[0]
    assert told == (
        "Under the honest protocol, none of the paper's claims is confirmed. 1 is significant over speakers but not "
        "over trainings, so other seeds or folds may give another result: A against B: +4.0 BACC points (95 % interval "
        "1.0 to 7.0; claimed: higher; p =\u00a00.010 over speakers, p =\u00a00.30 over trainings)."
    )
    one = claims_in_words(lines_of(resampled_p=np.nan, resampled_p_holm=np.nan, protocol="written"))[0]
    assert one.startswith(
        "As written, on a random split, none of the paper's claims could be tested over trainings, because each row "
        "has only one. Over speakers alone, 1 is significant: A against B"
    )
    untested = claims_in_words(lines_of(verdict="not tested", p_holm=np.nan))
    assert untested == ["Under the honest protocol, none of the paper's claims could be tested."]


def test_a_comparison_too_small_to_show_anything_says_so() -> None:
    assert claims_in_words(lines_of(detectable=138.6))[1] == (
        "With 100 test utterances of 4 speakers, no difference can be found: it would have to be larger than any can "
        "be."
    )
    assert "138.600 nats" in claims_in_words(lines_of(detectable=138.6, metric="nll"))[1]


def test_networks_at_chance_are_told() -> None:
    frame = pd.DataFrame(
        [
            ("A", "emotion_bacc", "honest", 25.0, 25.0), ("B", "emotion_bacc", "honest", 40.0, 24.0),
            ("C", "emotion_bacc", "honest", 60.0, 50.0), ("A", "emotion_bacc", "written", 20.0, 10.0),
            ("A", "gender_bacc", "honest", 90.0, 80.0),
        ],
        columns=["row", "metric", "protocol", "value", "low"],
    )  # fmt: skip
    assert chance_in_words(frame, {"emotion": 4, "gender": 2}) == [
        "In 2 of 3 rows (honest), the interval of emotion BACC contains chance (25.0 %): it is not shown that these "
        "networks have learnt anything, so no difference between them can be shown."
    ]
    one_run = frame.assign(low=np.nan)
    assert len(chance_in_words(one_run, {"emotion": 4, "gender": 2})) == 1  # the value itself
    assert chance_in_words(frame.iloc[2:3], {"emotion": 4}) == []


def test_sentences_of_protocols_and_published_numbers() -> None:
    frame = pd.DataFrame(
        [
            ("A", "bacc", "written", 63.0, "", ""),
            ("A", "bacc", "coded", 70.0, "", "epoch chosen on the test part"),
            ("A", "bacc", "honest", 60.0, "yes", ""),
            ("B", "bacc", "written", 58.0, "", ""),
            ("B", "bacc", "coded", 61.0, "", ""),
            ("B", "bacc", "honest", 59.0, "no", ""),
            ("B", "acc", "honest", 10.0, "no", ""),
        ],
        columns=["row", "metric", "protocol", "value", "inside", "on_test"],
    ).assign(trainings="")
    assert protocols_in_words(frame) == (
        "Compared with the honest protocol on the same rows and corpus, emotion BACC is +1.0 points as written (from "
        "\u22121.0 to +3.0 by row) and +6.0 points as coded (from +2.0 to +10.0 by row; the test part was used to make "
        "1 of the 2 rows)."
    )
    assert protocols_in_words(frame[frame["protocol"] != "honest"]) == ""
    assert (
        published_in_words(frame)
        == "1 of the 3 published numbers lies inside the interval of the honest protocol."
    )
    # a row that did not train says nothing of a protocol, nor of the paper
    told = {"A": "3 of 3 runs never left the start", "B": ""}
    untrained = frame.assign(trainings=frame["row"].map(told))
    assert protocols_in_words(untrained).startswith(
        "Compared with the honest protocol on the same rows and corpus, emotion BACC is \u22121.0 points as written"
    )
    assert published_in_words(untrained).startswith("0 of the 2 published numbers lie inside the interval")


def test_trainings_that_were_computed_are_taken_for_every_protocol(paper: Paper, folder: Path) -> None:
    """The last claim's row did not train, so a second protocol comes after a sentence about the first."""
    rows = read_rows(folder, read_record(folder))
    computed = training_table(rows, ClassMeasure("emotion", CLASSES))
    names = ("written", "honest")
    frame = pd.concat([numbers(name, NAMES) for name in names], ignore_index=True)
    folders = dict.fromkeys(names, folder)
    last = paper.model_copy(update={"claims": paper.claims[:2]})
    plain = claims_table(last, frame, folders)
    pd.testing.assert_frame_equal(claims_table(last, frame, folders, dict.fromkeys(names, computed)), plain)
    why = computed["row"].map({"SERVER / contrastive_center": "it was told so"}).fillna("")
    told = claims_table(last, frame, folders, dict.fromkeys(names, computed.assign(trainings=why)))
    assert list(told["trainings"]) == ["", "SERVER / contrastive_center: it was told so"] * 2
    assert list(told["verdict"].eq("not judged")) == [False, True] * 2


def test_claims_of_rows_that_did_not_train_are_not_judged(paper: Paper, folder: Path, tmp_path: Path) -> None:
    """The curves of one row are flat: its claims have numbers, and no verdict; the other claim is corrected alone."""
    copy = tmp_path / "honest"
    shutil.copytree(folder, copy)
    flat = {"epoch": range(1, 6), "train_loss_emotion": 1.1, "validation_loss_emotion": 1.1}
    for run in (copy / "runs").glob("loss=contrastive_center,*/*"):
        pd.DataFrame(flat).to_csv(run / "metrics.csv", index=False)
    found = claims_table(paper, numbers("honest", NAMES), {"honest": copy}).set_index("row")
    line = found.loc["SERVER / contrastive_center"]
    assert line["verdict"] == "not judged"
    assert line["trainings"] == "SERVER / contrastive_center: 8 of 8 runs never left the start"
    assert line["difference"] > 10
    assert np.isnan(line["p_holm"])
    assert np.isnan(line["resampled_p_holm"])
    assert found.loc["SERVER / center", "p_holm"] == pytest.approx(3 * found.loc["SERVER / center", "p"])
    told = claims_in_words(found.reset_index())
    assert told[0].endswith(
        " 1 claim is not judged, because networks did not train well enough (see Trainings)."
    )
    assert told[1].startswith("Try standardised features")
    alone = claims_in_words(found.loc[["SERVER / contrastive_center"]].reset_index())
    assert alone[0] == (
        "Under the honest protocol, none of the paper's claims is judged, because networks did not train well enough."
    )
