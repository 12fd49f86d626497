"""`affuse reproduce` for real on a small corpus: table, files, marks, resume, switches; bad input in one sentence."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, special
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from affuse.corpora.corpus import Corpus
from affuse.evaluation.over_runs import over_runs
from affuse.reproduction import switches as switching
from affuse.reproduction.definition import Switch, Switches, published
from affuse.reproduction.report.page import write_reproduction_page
from affuse.reproduction.report.table import numbers_table
from affuse.reproduction.report.values import COLUMNS
from affuse.reproduction.utterances import OTHERS
from affuse.training.runfolder import RunFolder
from browser import CHROMIUM, look
from command import Ran, affuse
from small_corpus import make_corpus
from tiny_models import tiny_bert


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("place")
    make_corpus(folder, speakers=6, each=2)
    bert = tiny_bert(folder / "bert")
    words = [
        folder / "corpus", "--quick", "--jobs", "1", "--cache", folder / "cache", "--set", "epochs=1",
        "--set", f"modalities.text.options.model={bert}",
        "--set", "modalities.audio.options.bands=16", "--set", "modalities.audio.options.seconds=0.5",
    ]  # fmt: skip
    return folder, words


SHORT = ["--set", "corpus.min_seconds=0.5"]  # all clips here are below the code's 1.935 s


@pytest.fixture(scope="module")
def ran(place: tuple[Path, list[Path | str]], tmp_path_factory: pytest.TempPathFactory):
    """All three protocols, one honest seed."""
    out = tmp_path_factory.mktemp("out") / "R"
    patch = pytest.MonkeyPatch()
    with patch.context() as monkeypatch:
        result = affuse(
            _NoCapture(),
            monkeypatch,
            "reproduce",
            "multi-loss",
            *place[1],
            "--out",
            out,
            "--seeds",
            "0",
            *SHORT,
        )
    return out, result


class _NoCapture:
    """capsys for a fixture that lasts longer than one test."""

    def readouterr(self):
        return "", ""


@pytest.fixture(scope="module")
def frame(ran: tuple[Path, Ran]):
    out, result = ran
    assert result.code == 0
    return pd.read_csv(out / "reproduction.csv", keep_default_na=False).replace({"published": {"": np.nan}})


def test_one_row_per_protocol_published_row_and_metric(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == COLUMNS
    assert len(frame) == 3 * len(published("multi-loss-ser"))
    for _, line in published("multi-loss-ser").iterrows():
        rows = frame[(frame["row"] == line["row"]) & (frame["metric"] == line["metric"])]
        assert sorted(rows["protocol"]) == ["coded", "honest", "written"]
        assert set(rows["published"].astype(float)) == {line["value"]}
        assert set(rows["table"]) == {line["table"]}
    swapped = frame[(frame["row"] == "SERVER / center") & (frame["metric"] == "bacc")]
    assert swapped["note"].str.startswith("columns swapped").all()  # 'see acc' is followed


def test_values_are_those_of_the_runs_predictions(frame: pd.DataFrame, ran: tuple[Path, Ran]) -> None:
    out = ran[0]
    for protocol, folds in (("written", 1), ("honest", 3)):
        folders = sorted((out / protocol / "runs").glob("row=SERVER___cross_entropy,seed=0/fold*"))
        assert len(folders) == folds
        table = pd.concat([RunFolder(folder).predictions("test") for folder in folders])
        for metric, function in (("acc", accuracy_score), ("bacc", balanced_accuracy_score)):
            row = frame.query(
                f"protocol == '{protocol}' and row == 'SERVER / cross_entropy' and metric == '{metric}'"
            )
            expected = 100 * function(table["emotion"], table["emotion_predicted"])
            assert float(row["value"].iloc[0]) == pytest.approx(expected)
            assert row["n"].iloc[0] == len(table)


def test_the_best_lambda_on_test_is_reported_and_marked(frame: pd.DataFrame, ran: tuple[Path, Ran]) -> None:
    out = ran[0]
    found = {}
    for folder in (out / "coded" / "runs").glob("row=3M-SER___contrastive_center,_lambda_*"):
        table = RunFolder(folder / "fold0").predictions("test")
        found[folder.name.split("lambda_")[1].split(",")[0]] = accuracy_score(
            table["emotion"], table["emotion_predicted"]
        )
    assert sorted(found) == ["0.5", "1", "1.5", "2"]
    rows = frame.query("protocol == 'coded' and row == '3M-SER / contrastive_center'")
    assert set(rows["on_test"]) == {"lambda chosen on the test part"}
    best = rows[rows["metric"] == "acc"].iloc[0]
    assert float(best["value"]) == pytest.approx(100 * max(found.values()))
    assert found[f"{float(best['lambda']):g}"] == max(found.values())


def test_whatever_was_chosen_on_test_is_marked_in_every_file(
    frame: pd.DataFrame, ran: tuple[Path, Ran]
) -> None:
    out = ran[0]
    marked = frame[frame["on_test"] != ""]
    assert set(marked["protocol"]) == {"coded"}
    epoch = marked["on_test"].str.contains("epoch chosen on the test part")
    assert set(marked[epoch]["row"]) == {row for row in frame["row"] if "/ cross_entropy" in row}
    results = pd.read_csv(out / "coded" / "results.csv", keep_default_na=False)
    assert set(results.loc[results["loss"] == "cross_entropy", "on_test"]) == {
        "epoch chosen on the test part"
    }
    runs = [json.loads(path.read_text()) for path in (out / "coded").rglob("results.json")]
    assert {run["on_test"] for run in runs} == {"", "epoch chosen on the test part"}
    page, text = (out / "report.html").read_text(), (out / "report.md").read_text()
    for shown in (page, text):
        assert "† epoch chosen on the test part." in shown
        assert "‡ lambda chosen on the test part." in shown
        assert "†‡" in shown


def test_no_published_number_is_inside_the_interval_of_another_corpus(
    frame: pd.DataFrame, ran: tuple[Path, Ran]
) -> None:
    assert frame[frame["protocol"] == "honest"]["low"].astype(float).notna().all()
    assert set(frame["inside"]) == {""}
    assert "in honest interval" not in (ran[0] / "report.md").read_text()


def test_every_page_says_that_it_is_quick_small_and_generated(ran: tuple[Path, Ran]) -> None:
    out = ran[0]
    for name in ("report.html", "report.md"):
        text = (out / name).read_text()
        assert "Quick: fewer epochs, seeds or folds than in full; see each protocol" in text
        assert "small (generated)" in text
        assert "MiniLM" in text
        assert "1 seed: an honest table takes three or more." in text
        assert "The published numbers are of iemocap, these of small (generated)" in text
    assert (out / "honest" / "report.html").is_file()


def test_the_page_has_the_verdict_the_claims_and_what_the_small_form_changes(ran: tuple[Path, Ran]) -> None:
    out = ran[0]
    claims = pd.read_csv(out / "claims.csv")
    assert len(claims) == 3 * 9
    assert set(claims.query("protocol == 'coded' and row.str.contains('cross_entropy')")["verdict"]) == {
        "not judged"
    }
    line = claims.query("protocol == 'honest'").iloc[0]
    scores = []
    for row in (line["over"], line["row"]):
        folders = (out / "honest" / "runs").glob(f"row={re.sub(r'[^a-zA-Z0-9_.+-]', '_', row)},seed=0/fold*")
        table = pd.concat([RunFolder(folder).predictions("test") for folder in folders])
        scores.append(100 * balanced_accuracy_score(table["emotion"], table["emotion_predicted"]))
    assert line["difference"] == pytest.approx(scores[1] - scores[0])
    page, text, latex = (
        (out / name).read_text("utf-8") for name in ("report.html", "report.md", "tables.tex")
    )
    for shown in (page, text):
        assert "of the paper" in shown
        assert "Compared with the honest protocol on the same rows and corpus, emotion BACC is" in shown
        assert "Besides the encoders, these settings differ from the full form: " in shown
        assert "training.batch_size 32 (in full 1)" in shown  # as coded
        assert "training.epochs 1 (in full 101 or 250 or 200)" in shown
    assert latex.count(r"\begin{table}") == 2
    assert latex.count(r"\textdagger{} epoch chosen on the test part.") == 2  # under both tables
    assert "coded/report.html" in page


def test_other_utterances_than_the_papers_are_in_the_verdict(ran: tuple[Path, Ran], tmp_path: Path) -> None:
    for name in ("reproduction.json", "reproduction.csv", "claims.csv"):
        (tmp_path / name).write_text((ran[0] / name).read_text("utf-8"), "utf-8")
    record = json.loads((tmp_path / "reproduction.json").read_text("utf-8"))
    assert record["same_corpus"] is False
    sentence = f"{OTHERS}: iemocap has 2,280 here, the protocol 5,531 (anger 289 for 1,103)."
    (tmp_path / "reproduction.json").write_text(json.dumps(record | {"notes": [sentence]}), "utf-8")
    words = write_reproduction_page(tmp_path).with_name("report.md").read_text("utf-8")
    verdict = words.split("## Verdict")[1].split("## ")[0]
    assert sentence in words.split("## Verdict")[0]  # a warning at the top
    assert sentence in verdict
    assert (
        "The protocol's utterances of iemocap: 4,661 (anger 963" in words.split("The protocol: as coded")[1]
    )


def test_a_damaged_folder_is_one_sentence(
    ran: tuple[Path, Ran], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("reproduction.json", "reproduction.csv", "claims.csv")
    whole = {name: (ran[0] / name).read_text("utf-8") for name in names}
    damages = {
        "reproduction.json": ["[]", "{", '{"format": 3}', '{"format": 2}'],
        "reproduction.csv": ["", whole["reproduction.csv"].splitlines()[0], "a,b\n1,2\n"],
        "claims.csv": [
            whole["claims.csv"].splitlines()[0],
            whole["claims.csv"].replace("verdict", "word", 1),
        ],
    }
    for name, texts in damages.items():
        for text in texts:
            for file, content in (whole | {name: text}).items():
                (tmp_path / file).write_text(content, "utf-8")
            result = affuse(capsys, monkeypatch, "report", tmp_path)
            assert result.code == 2, (name, text)
            assert "run the same reproduction again" in result.err.replace("\n", " ")
            assert not (tmp_path / "report.html").exists()


def test_rows_whose_cells_fail_are_told_and_nothing_of_an_earlier_run_is(
    place: tuple[Path, list[Path | str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """First a run that works, then one in the same folder whose losses diverge."""
    words = ["reproduce", "multi-loss", *place[1], "--out", tmp_path / "R", "--protocol", "written", *SHORT]
    assert affuse(capsys, monkeypatch, *words, "--seeds", "0").code == 0
    assert pd.read_csv(tmp_path / "R" / "claims.csv")["difference"].notna().all()
    failing = affuse(capsys, monkeypatch, *words, "--seeds", "1", "--set", "lr=1e30", "--set", "epochs=6")
    assert failing.code == 1
    frame = pd.read_csv(tmp_path / "R" / "reproduction.csv", keep_default_na=False)
    assert set(frame["failed"]) == {"yes"}
    claims = pd.read_csv(tmp_path / "R" / "claims.csv")
    assert claims["difference"].isna().all()
    assert set(claims["verdict"]) == {"not tested"}
    assert "could be tested" in failing.err.replace("\n", " ")
    inner = (tmp_path / "R" / "written" / "report.html").read_text("utf-8")
    assert "Failed runs: 10" in inner
    assert "No row has all its runs finished." in inner


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_page_in_a_browser(ran: tuple[Path, Ran], tmp_path: Path, width: int, dark: bool) -> None:
    seen = look(ran[0] / "report.html", width, dark, tmp_path)
    assert (seen["wide"], seen["dark"], seen["figures"]) == (width, dark, 2)  # for a desk and for a telephone
    for fault in ("faults", "out", "dim", "unsorted"):
        assert seen[fault] == [], fault
    assert not seen["scrolls"]


def test_a_second_run_trains_nothing_and_report_makes_the_page_again(
    place: tuple[Path, list[Path | str]],
    ran: tuple[Path, Ran],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = ran[0]
    times = {path: path.stat().st_mtime_ns for path in out.rglob("predictions.csv")}
    page = (out / "report.html").read_text()
    words = ["reproduce", "multi-loss", *place[1], "--out", out, "--seeds", "0", *SHORT]
    first = next(iter(times)).parent
    (first / "results.json").unlink()  # as an interrupted cell is
    again = affuse(capsys, monkeypatch, *words)
    assert again.code == 0
    assert {path for path, time in times.items() if path.stat().st_mtime_ns != time} == {
        first / "predictions.csv"
    }
    assert "as written" in again.out
    (out / "report.html").unlink()
    assert affuse(capsys, monkeypatch, "report", out).code == 0
    assert (out / "report.html").read_text() == page


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["multi-los", "C"], "no 'multi-los' among the papers (did you mean 'multi-loss'?)"),
        (
            ["multi-loss", "C", "--protocol", "honest,writen"],
            "no 'writen' among the protocols (did you mean 'written'?)",
        ),
        (["multi-loss", "C", "--protocol", ","], "--protocol names none"),
        (["multi-loss", "C", "--seeds", "0,x"], "--seeds takes different whole numbers"),
        (["multi-loss", "C", "--encoders", "tiny"], "--encoders takes paper or small"),
        (["dynamic-loss", "C"], "has no pictures (column 'video' is blank"),
        (["multi-loss", "C", "--quick"], "are shorter than 1.935 s; lower it"),
        (
            ["multi-loss", "C", "--quick", "--set", "tasks.emotion.classes=anger,joy"],
            "no 'joy' among the labels",
        ),
    ],
)
def test_bad_input_is_one_sentence(
    place: tuple[Path, list[Path | str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    filled = [str(place[0] / "corpus") if word == "C" else word for word in words]
    protocol = [] if "--protocol" in words else ["--protocol", "written,coded"]
    result = affuse(capsys, monkeypatch, "reproduce", *filled, *protocol, "--out", tmp_path / "R")
    assert result.code == 2
    assert message in result.err.replace("\n", " ")
    assert "Traceback" not in result.err
    assert not (tmp_path / "R").exists()  # the written grid would have run, and has not begun


def test_a_corpus_too_small_is_told(
    place: tuple[Path, list[Path | str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    corpus = Corpus.load(place[0] / "corpus")
    few = Corpus(corpus.table.iloc[:2], corpus.info.model_copy(update={"name": "few"}), corpus.folder)
    few.save(tmp_path / "few")
    result = affuse(
        capsys, monkeypatch, "reproduce", "multi-loss", tmp_path / "few", "--quick", "--out", tmp_path / "R"
    )
    assert result.code == 2
    assert result.err.count("affuse: ") == 1


# ---- numbers


def test_the_interval_over_runs_is_students_t() -> None:
    """The quantile by integrating the density of t with 4 degrees of freedom, not by scipy's own table."""
    values = np.array([0.31, 0.36, 0.33, 0.40, 0.35])
    mean, low, high = over_runs(values)
    error = values.std(ddof=1) / np.sqrt(5)
    reach = (high - mean) / error
    assert mean - low == pytest.approx(high - mean)

    def density(x: Any, v: Any = 4):
        return (
            special.gamma((v + 1) / 2)
            / (np.sqrt(v * np.pi) * special.gamma(v / 2))
            * (1 + x * x / v) ** (-(v + 1) / 2)
        )

    assert integrate.quad(density, -reach, reach)[0] == pytest.approx(0.95, abs=1e-6)
    assert over_runs(np.array([0.5, 0.5]), fixed=True) == (0.5, 0.5, 0.5)
    assert np.isnan(over_runs(np.array([0.0, 0.0, 0.0]))[1:]).all()  # a switch that three seeds do not feel
    assert np.isnan(over_runs(np.array([0.5]))[1:]).all()


def test_the_table_by_hand() -> None:
    rows = [
        ("written", 70.0, np.nan, np.nan, "", "", ""),
        (
            "coded",
            82.0,
            np.nan,
            np.nan,
            "",
            "epoch chosen on the test part; lambda chosen on the test part",
            "0.5",
        ),
        ("honest", 66.04, 61.0, 70.96, "no", "", ""),
    ]
    frame = pd.DataFrame(
        [
            dict(
                zip(
                    COLUMNS,
                    (
                        "p",
                        "II",
                        "R",
                        "acc",
                        80.27,
                        "odd",
                        name,
                        v,
                        low,
                        high,
                        1,
                        9,
                        inside,
                        "",
                        on,
                        "",
                        lam,
                        "",
                    ),
                    strict=True,
                )
            )
            for name, v, low, high, inside, on, lam in rows
        ]
    )
    found = numbers_table(frame)
    assert found.to_frame().to_dict("records") == [
        {
            "row": "R", "metric": "ACC (WA)", "published": "80.27 (a)", "as written": "70.0 (\u221210.3)",
            "as coded": "82.0†‡ (+1.7) lambda 0.5", "honest": "66.0 [61.0, 71.0] (\u221214.2)",
            "published number in honest interval": "no",
        }
    ]  # fmt: skip
    assert found.notes == [
        "(a) published: odd.",
        "† epoch chosen on the test part.",
        "‡ lambda chosen on the test part.",
    ]


# ---- one switch at a time


def test_a_switchs_effect_is_switched_minus_base_over_seeds(
    place: tuple[Path, list[Path | str]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plan = Switches(
        description="", protocol="honest", seeds=[0, 1],
        switches=[
            Switch(name="peek", does="looks", source="section 3", rows=["SERVER / cross_entropy"],
                   set={"training.select": "test", "training.criterion": "acc"}),
            Switch(name="last", does="waits", source="section 2", rows=["SERVER / cross_entropy"],
                   set={"training.select": "last"}),
            Switch(name="face", does="turns", source="section 0", rows=["SERVER / cross_entropy"], where="sides",
                   set={"corpus.side": "gender"}),
        ],
    )  # fmt: skip
    monkeypatch.setattr(switching, "read_switches", lambda name: plan)
    result = affuse(
        capsys, monkeypatch, "reproduce", "multi-loss", *place[1], "--out", tmp_path, "--switches"
    )
    assert result.code == 0
    effects = pd.read_csv(tmp_path / "switches.csv", keep_default_na=False)
    assert list(effects["switch"]) == ["peek", "peek", "last", "last"]
    runs = tmp_path / "runs"

    def acc(name: Any, seed: Any):
        folders = (runs / f"row=SERVER___cross_entropy__{name},seed={seed}").glob("fold*")
        table = pd.concat([RunFolder(folder).predictions("test") for folder in folders])
        assert len(table) == 36
        return 100 * accuracy_score(table["emotion"], table["emotion_predicted"])

    for name in ("peek", "last"):
        row = effects[(effects["switch"] == name) & (effects["metric"] == "emotion_acc")].iloc[0]
        differences = [acc(name, seed) - acc("base", seed) for seed in (0, 1)]
        assert row["effect"] == pytest.approx(np.mean(differences))
        assert row["switched"] - row["base"] == pytest.approx(row["effect"])
        assert row["seeds"] == 2
    assert set(effects["trainings"]) == {""}
    assert set(effects[effects["switch"] == "peek"]["on_test"]) == {"epoch chosen on the test part"}
    assert "peek†" in (tmp_path / "switches.md").read_text()
    assert "face: not measured" in (tmp_path / "switches.md").read_text()
    # base and switch of one seed share their split
    splits = {
        name: (runs / f"row=SERVER___cross_entropy__{name},seed=1/fold0/split.csv").read_text()
        for name in ("base", "last")
    }
    assert splits["base"] == splits["last"]
