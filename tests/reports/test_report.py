"""Reports of comparisons made by hand: tables derived again from the predictions, sentences, marks, bad folders."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import balanced_accuracy_score, recall_score

from affuse.errors import AffuseError
from affuse.evaluation.calibration import fit_temperature, probabilities_of
from affuse.evaluation.measures import ClassMeasure
from affuse.reports.figures.drawing import legend, new_grid
from affuse.reports.figures.embedding_maps import tsne
from affuse.reports.numbers import p_value, plain, points, signed
from affuse.reports.pages.comparison import warnings, write_comparison_page
from affuse.reports.record import read_record
from affuse.reports.render.latex import escape
from affuse.reports.report import Report
from affuse.reports.sections.embeddings import claim_in_words
from affuse.reports.sections.results import confusions
from affuse.reports.tables.paired import paired_tests
from affuse.reports.tables.rows import MARK, Row, comparable, on_split, read_rows, reference_of
from affuse.reports.tables.verdict import verdict
from affuse.training.runfolder import RunFolder
from comparison_folder import CLASSES, make_comparison

LOSSES = {"cross_entropy": 0.8, "center": 0.77, "contrastive_center": 0.55, "cross_entropy+center": 0.5}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    """Four losses: one as good as cross-entropy, two far worse, one of these chosen on the test part."""
    made = make_comparison(
        tmp_path_factory.mktemp("report") / "c",
        LOSSES,
        tight={"cross_entropy": 2.0, "center": 2.0, "contrastive_center": 2.0, "cross_entropy+center": 8.0},
        on_test={"cross_entropy+center": "epoch chosen on the test part"},
    )
    write_comparison_page(made)
    return made


def predicted_by(folder: Path, loss: str):
    """Seed -> fold -> the test predictions, straight from the files."""
    return {
        seed: [
            RunFolder(folder / "runs" / f"loss={loss},seed={seed}" / f"fold{k}").predictions("test")
            for k in range(4)
        ]
        for seed in (0, 1)
    }


def test_the_paired_tests_derived_again(folder: Path) -> None:
    table = pd.read_csv(folder / "paired_tests.csv").set_index("loss")
    assert list(table.index) == ["center", "contrastive_center", "cross_entropy+center"]
    plain_loss = predicted_by(folder, "cross_entropy")
    for loss, line in table.iterrows():
        mine = predicted_by(folder, loss)
        bacc, utterances, ps, folds = [], [], [], []
        for seed in (0, 1):
            first, second = pd.concat(plain_loss[seed]), pd.concat(mine[seed])
            scores = [balanced_accuracy_score(t["emotion"], t["emotion_predicted"]) for t in (first, second)]
            bacc.append(scores[1] - scores[0])
            right = [(t["emotion"] == t["emotion_predicted"]).to_numpy() for t in (first, second)]
            utterances.append(right[1].sum() - right[0].sum())
            gained, lost = int((right[1] & ~right[0]).sum()), int((right[0] & ~right[1]).sum())
            ps.append(stats.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0)
            for a, b in zip(plain_loss[seed], mine[seed], strict=True):
                folds.append(
                    recall_score(b["emotion"], b["emotion_predicted"], average="macro")
                    - recall_score(a["emotion"], a["emotion_predicted"], average="macro")
                )
        assert line["bacc_difference"] == pytest.approx(np.mean(bacc))
        assert line["utterances"] == pytest.approx(np.mean(utterances))
        assert line["mcnemar_p"] == pytest.approx(min(1, 2 * np.median(ps)))
        t = np.mean(folds) / np.sqrt((1 / 8 + 36 / 72) * np.var(folds, ddof=1))
        assert (line["resampled_t"], line["resampled_df"]) == (pytest.approx(t), 7)
        assert (line["n"], line["speakers"], line["seeds"]) == (144, 8, 2)
        assert line["bacc_low"] < line["bacc_difference"] < line["bacc_high"]
    # the third row was chosen on the test part: no p value judges it, and it does not count among those that are
    order = table["bacc_p"].drop("cross_entropy+center").sort_values()
    expected, largest = {"cross_entropy+center": np.nan}, 0.0
    for rank, (loss, p) in enumerate(order.items()):
        largest = max(largest, min(1.0, (2 - rank) * p))
        expected[loss] = largest
    assert table["bacc_p_holm"].to_dict() == pytest.approx(expected, nan_ok=True)
    assert table["resampled_p_holm"].isna().tolist() == [False, False, True]
    assert list(table["verdict"]) == ["not significant", "lower", "not judged"]


def test_transcripts_are_warned_of_only_where_text_is_read(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.7}, each=6, seeds=(0,))
    record = json.loads((made / "comparison.json").read_text())
    found = {}
    for name, reads in (("audio", None), ("text", None), ("features", True), ("text", False)):
        row = record["rows"][0] | {"transcript_overlap": 0.189, "modalities": {name: "x"}}
        row |= {} if reads is None else {"reads_text": reads}
        found[name, reads] = any(
            "18.9 %" in text for text in warnings(record | {"rows": [row]}, Report.read(made))
        )
    assert found == {
        ("audio", None): False,
        ("text", None): True,
        ("features", True): True,
        ("text", False): False,
    }


def test_the_contents_lead_to_every_section(folder: Path) -> None:
    html = (folder / "report.html").read_text("utf-8")
    links = re.findall(r'<a href="#(section-\d+)">(.*?)</a>', html)
    assert links == re.findall(r'<h2 id="(section-\d+)">(.*?)</h2>', html)
    assert len(links) > 6


def test_a_legend_takes_as_many_lines_as_its_words_need() -> None:
    """Drawn, and measured: no word of it is cut at the figure's edge."""
    for names in (
        ["anger", "happiness", "neutral", "sadness"],
        ["a rather long name of a class"] * 6,
        ["a"] * 8,
    ):
        figure, (axes,) = new_grid(1, 1, 3.0, 2.4)
        handles = [axes.plot([0, 1], [i, i], "o")[0] for i in range(len(names))]
        legend(figure, handles, names, columns=4)
        figure.draw_without_rendering()
        shown = figure.legends[0].get_window_extent()
        assert shown.x0 >= figure.bbox.x0, names
        assert shown.x1 <= figure.bbox.x1, names


def test_a_row_is_compared_with_the_most_like_row_under_cross_entropy(tmp_path: Path) -> None:
    made = make_comparison(tmp_path, {"cross_entropy": 0.7, "center": 0.7}, each=6, seeds=(0,))
    record = read_record(made)
    for entry in list(record["rows"]):
        record["rows"].append(entry | {"settings": entry["settings"] | {"recipe": "3m-ser"}})
    rows = read_rows(made, record)
    names = [None if (r := reference_of(row, rows)) is None else tuple(r.settings.values()) for row in rows]
    assert names == [
        None,
        ("server", "cross_entropy"),
        ("server", "cross_entropy"),
        ("3m-ser", "cross_entropy"),
    ]
    assert [row.name_among(rows) for row in rows[:2]] == ["server, cross_entropy", "server, center"]
    # a baseline stands for several values of an axis: it was called 'baseline, logistic regression, -'
    of_several = replace(rows[0], settings={**rows[0].settings, "recipe": "baseline", "loss": "-"})
    assert of_several.name_among([*rows, of_several]) == "baseline"
    rows[3].settings["loss"] = "other"
    assert [reference_of(row, rows[1:2] + rows[3:]) for row in rows[1:2] + rows[3:]] == [None, rows[1]]
    record["rows"][1]["split_hash"] = "another"
    apart = read_rows(made, record)
    assert on_split(apart[1], apart) == [apart[1]]
    assert reference_of(apart[1], on_split(apart[1], apart)) is None


def test_rows_on_splits_of_their_own_are_compared_where_they_test_the_same_utterances(tmp_path: Path) -> None:
    """A row that learns ratings too trains on utterances without a class, so its split is another one."""
    made = make_comparison(tmp_path, {"cross_entropy": 0.7, "center": 0.5}, each=6, seeds=(0, 1))
    record = read_record(made)
    record["rows"][1]["split_hash"] = "another"
    emotion = ClassMeasure("emotion", CLASSES)
    rows = read_rows(made, record)
    assert [comparable(row, rows, emotion) for row in rows] == [rows, rows]
    speakers = pd.Series({id: id.split("_")[0] for _, id in rows[0].tested(emotion)})
    line = paired_tests(rows, emotion, speakers).iloc[0]
    first, second = (balanced_accuracy(row) for row in rows)
    assert (line["reference"], line["n"]) == ("cross_entropy", len(rows[0].tests[0]))
    assert line["bacc_difference"] == pytest.approx(second - first)
    assert comparable(rows[0], rows, ClassMeasure("gender_of_others", ["a"])) == [
        rows[0]
    ]  # a task that none tells
    # without one utterance they do not test the same ones, and with another row on its split a row has no need of it
    rows[1].tests[0].loc[0, "emotion"] = None
    assert [comparable(row, rows, emotion) for row in rows] == [[row] for row in rows]
    third = replace(rows[0], settings={"recipe": "server", "loss": "other"})
    assert comparable(rows[0], [*rows, third], emotion) == [rows[0], third]


def test_a_row_that_does_not_tell_a_task_has_no_confusions_of_it(tmp_path: Path) -> None:
    """It had a matrix of zeros."""
    made = make_comparison(
        tmp_path, {"cross_entropy": 0.7, "center": 0.5}, each=6, seeds=(0,), tasks=("emotion", "stress")
    )
    record = read_record(made)
    record["rows"][1]["settings"]["recipe"] = "calm"
    for cell in record["rows"][1]["cells"]:
        place = made / cell["folder"] / "predictions.csv"
        table = pd.read_csv(place)
        table.drop(columns=[name for name in table.columns if name.startswith("emotion")]).to_csv(
            place, index=False
        )
    (made / "comparison.json").write_text(json.dumps(record))
    report = Report.read(made)
    titles = {
        task: [figure.title for figure in confusions(report, ClassMeasure(task, CLASSES)).figures]
        for task in ("emotion", "stress")
    }
    assert titles == {
        "emotion": ["server, cross_entropy"],
        "stress": ["server, cross_entropy", "calm, center"],
    }


def balanced_accuracy(row: Row) -> float:
    return float(
        np.mean(
            [recall_score(t["emotion"], t["emotion_predicted"], average="macro") for t in row.tests.values()]
        )
    )


def test_under_one_loss_a_row_is_compared_with_the_one_that_has_its_modalities(tmp_path: Path) -> None:
    made = make_comparison(tmp_path, {"cross_entropy": 0.7}, each=6, seeds=(0,))
    record = read_record(made)
    (entry,) = record["rows"]
    record["rows"] = [
        entry | {"settings": {"recipe": name, "loss": "cross_entropy"}, "modalities": dict.fromkeys(has, "")}
        for name, has in (("a", "a"), ("v", "v"), ("static", "av"), ("dynamic", "av"))
    ]
    rows = read_rows(made, record)
    found = [reference_of(row, on_split(row, rows)) for row in rows]
    assert [None if row is None else row.settings["recipe"] for row in found] == [None, "a", "a", "static"]


def test_the_verdict_is_in_plain_sentences(folder: Path) -> None:
    html = (folder / "report.html").read_text("utf-8")
    said = re.findall(r'<p class="verdict">(.*?)</p>', html)
    assert len(said) == 1
    assert said[0].startswith(
        "1 of the 3 differences is statistically significant (p &lt; 0.05 over speakers and over"
    )
    assert said[0].endswith("Not judged: 1 because the test part was used to make one of the two rows.")
    line = pd.read_csv(folder / "paired_tests.csv").iloc[1]
    assert (
        f"BACC of contrastive_center is {abs(100 * line['bacc_difference']):.1f} points lower than that of "
        f"cross_entropy (95 % interval of the difference {plain(100 * line['bacc_low'])} to "
        f"{plain(100 * line['bacc_high'])}; " in said[0]
    )
    assert f"{-line['utterances']:.0f} fewer of 144 utterances correct; p" in said[0]
    assert "<p>With 144 test utterances of 8 speakers, a true difference of " in html


def one_line(**changes: float | str):
    line = {
        "reference": "cross_entropy", "n": 933, "speakers": 10, "bacc_difference": 0.004, "bacc_low": -0.009,
        "bacc_high": 0.017, "bacc_p_holm": 0.52, "utterances": 3.2, "bacc_detectable": 0.021,
        "verdict": "not significant", "resampled_p_holm": 0.61,
    } | changes  # fmt: skip
    return pd.DataFrame([line])


def test_verdicts_of_one_comparison_in_words() -> None:
    found, could = verdict(one_line(), ["contrastive_center"], 933)
    assert found.replace("\u00a0", " ") == (
        "The difference is not statistically significant: BACC of contrastive_center is 0.4 points higher than that of "
        "cross_entropy (95 % interval of the difference \u22120.9 to 1.7; 3 more of 933 utterances correct; p = 0.52 "
        "over speakers, p = 0.61 over trainings). This does not show that there is no difference."
    )
    equal = verdict(one_line(bacc_difference=-0.0001), ["a, b"], 933)[0]
    assert "BACC of \u201ca, b\u201d is equal to that of cross_entropy (95 %" in equal.replace("\u00a0", " ")
    assert "a true difference of 2.1 BACC points is found with a probability of 80 %" in could
    shown = verdict(one_line(verdict="higher", bacc_p_holm=0.0002, resampled_p_holm=0.01), ["x"], 933)[0]
    assert shown.startswith("The difference is statistically significant")
    assert "p <\u00a00.001 over speakers, p =\u00a00.010 over trainings" in shown
    lower = verdict(one_line(verdict="lower in these runs", utterances=-1.0), ["x"], 933)[0]
    assert "significant over speakers but not over trainings" in lower
    assert "1 fewer of 933 utterances correct" in lower
    assert "as many of 1 utterance correct" in verdict(one_line(utterances=0.0, n=1), ["x"], 1)[0]
    nothing = dict.fromkeys(("bacc_low", "bacc_high", "bacc_p_holm", "bacc_detectable"), np.nan)
    untested = verdict(one_line(**nothing, verdict="not tested"), ["x"], 933)
    assert untested[0].startswith(
        "The difference cannot be tested, because that takes test utterances of at least two"
    )
    assert untested[0].endswith("(3 more of 933 utterances correct; not tested).")
    assert "it is not known how large a difference would have to be" in untested[1]


def test_verdicts_of_none_and_of_many() -> None:
    alone = verdict(pd.DataFrame(), [], 933)
    assert "only one row" in alone[0]
    assert "933 test utterances" in alone[1]
    two = pd.concat([one_line(), one_line(bacc_p_holm=0.2)])
    assert verdict(two, ["a", "b"], 933)[0].startswith(
        "None of the 2 differences is statistically significant; the one with the smallest p value: BACC of b is "
        "0.4 points higher"
    )
    five = pd.concat([one_line(verdict="higher", bacc_p_holm=0.01)] * 5)
    assert "and 2 more in the table." in verdict(five, list("abcde"), 933)[0]
    judged = verdict(one_line(verdict="not judged"), ["x"], 933)[0]
    assert judged == "The only difference is not judged, because the test part was used to make the rows."
    partly = pd.concat([one_line(), one_line(verdict="higher in these runs")])
    assert verdict(partly, ["a", "b"], 933)[0].startswith(
        "None of the 2 differences is statistically significant. 1 is significant over speakers but not over trainings"
    )


def test_whatever_the_test_part_was_used_for_is_marked(folder: Path) -> None:
    html = (folder / "report.html").read_text("utf-8")
    marked, bare = f"cross_entropy+center {MARK}", re.compile(rf"cross_entropy\+center(?! {MARK})[^+\w]")
    for section in re.findall(r"<section>(.*?)</section>", html, re.DOTALL):
        title = re.search("<h2 id=.*?>(.*?)</h2>", section)[1]
        if title.startswith(("Mistakes", "What was run", "Corpus", "Skipped")):
            continue
        text = re.sub(r"<(?!/?text).*?>", " ", section)
        assert MARK in text, title
        rows = [line for line in text.splitlines() if "cross_entropy+center" in line]
        assert rows, title
        assert not [line for line in rows if bare.search(line + " ")], title
        assert f"{MARK} The test part was used to make this row (epoch chosen on the test part)" in text, (
            title
        )
    assert "The test part was used to make 1 of 4 rows" in re.findall("<li>(.*?)</li>", html)[0]
    assert marked in (folder / "report.md").read_text("utf-8")
    assert r"cross\_entropy+center \textdaggerdbl{}" in (folder / "tables.tex").read_text("utf-8")
    for name in ("paired_tests", "calibration", "reliability", "groups", "embeddings"):
        table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)
        assert set(table.loc[table["loss"] == "cross_entropy+center", "on_test"]) == {
            "epoch chosen on the test part"
        }
        assert set(table.loc[table["loss"] == "center", "on_test"]) == {""}


def test_the_temperature_comes_from_the_validation_part_alone(folder: Path, tmp_path: Path) -> None:
    table = pd.read_csv(folder / "calibration.csv").set_index("loss")
    runs = sorted((folder / "runs").glob("loss=center,seed=*/fold*"))
    fitted = [
        fit_temperature(*probabilities_of(RunFolder(run).predictions("validation"), "emotion", CLASSES)).value
        for run in runs
    ]
    assert table.loc["center", "temperature"] == pytest.approx(np.mean(fitted))
    copy = shutil.copytree(folder, tmp_path / "copy")
    for run in (copy / "runs").glob("*/*"):
        predictions = pd.read_csv(run / "predictions.csv")
        predictions.loc[predictions["role"] == "test", "emotion"] = "anger"
        predictions.to_csv(run / "predictions.csv", index=False)
    write_comparison_page(copy)
    after = pd.read_csv(copy / "calibration.csv").set_index("loss")
    assert after.loc["center", "temperature"] == pytest.approx(np.mean(fitted))
    assert after.loc["center", "ece"] != pytest.approx(table.loc["center", "ece"])


def test_gaps_are_differences_of_the_groups(folder: Path) -> None:
    table = pd.read_csv(folder / "groups.csv")
    for grouping, (a, b) in {"gender": ("female", "male"), "dialog type": ("improvised", "scripted")}.items():
        lines = table[
            (table["loss"] == "center") & (table["grouping"] == grouping) & (table["metric"] == "bacc")
        ]
        value = lines.set_index("group")["value"]
        assert value[f"{a} - {b}"] == pytest.approx(value[a] - value[b])
        assert lines.set_index("group").loc[f"{a} - {b}", ["n", "speakers"]].tolist() == [144, 8]
    assert (table["grouping"] == "speaker").sum() == 4 * 8 * 5  # rows x speakers x (ACC, BACC, three recalls)


def test_the_claim_about_clusters_is_judged_by_numbers(folder: Path) -> None:
    table = pd.read_csv(folder / "embeddings.csv", keep_default_na=False)
    numbers = ["silhouette", "silhouette_p", "silhouette_difference", "ratio_p", "ratio_difference"]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    assert table["silhouette"].iloc[3] > 0.7 > 0.4 > table["silhouette"].iloc[1]
    assert "holds here for 1 of 3 rows" in claim_in_words(table)
    assert "holds here. Of 1 row with a center loss" in claim_in_words(table.iloc[[0, 3]])
    worse = table.iloc[[0, 3]].assign(silhouette_difference=-0.5, ratio_difference=0.5)
    assert "is not supported here" in claim_in_words(worse)
    assert "2 of the 2 numbers are worse" in claim_in_words(worse)
    assert claim_in_words(table.iloc[[0]]) == ""


def test_maps_are_repeatable_and_keep_neighbours() -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], 30)
    embedding = random.normal(size=(60, 8)) + 12 * labels[:, None]
    places = tsne(embedding)
    assert (places == tsne(embedding)).all()
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1) + 1e9 * np.eye(60)
    assert (labels[apart.argmin(axis=1)] == labels).all()
    assert (tsne(np.ones((20, 3))) == 0).all()


def test_mistakes_lead_to_their_clips(folder: Path) -> None:
    table = pd.read_csv(folder / "mistakes.csv")
    tables = [t for loss in list(LOSSES)[:3] for of in predicted_by(folder, loss).values() for t in of]
    every = pd.concat(tables)  # the marked row does not count
    share = (every["emotion"] != every["emotion_predicted"]).groupby(every["id"]).mean()
    assert dict(zip(table["id"], table["wrong"], strict=True)) == pytest.approx(share[share > 0].to_dict())
    assert (table["wrong"].diff().dropna() <= 0).all()
    links = re.findall(r'<a href="([^#]*?)">(.*?)</a>', (folder / "report.html").read_text("utf-8"))
    assert len(links) == min(15, len(table))  # one table of them
    assert all(href == f"../corpus/{id}.wav" for href, id in links)


def test_two_tasks_have_their_own_lines(tmp_path: Path) -> None:
    losses = {"cross_entropy": 0.8, "center": 0.6}
    made = make_comparison(tmp_path / "c", losses, each=9, seeds=(0,), tasks=("emotion", "mood"))
    write_comparison_page(made)
    assert list(pd.read_csv(made / "paired_tests.csv")["task"]) == ["emotion", "mood"]
    html = (made / "report.html").read_text("utf-8")
    assert len(re.findall('<p class="verdict">', html)) == 2
    ids = re.findall(r'\bid="(.*?)"', html)
    assert len(ids) == len(set(ids))
    assert "Results: mood" in html
    assert "embeddings.csv" not in {path.name for path in made.iterdir()}  # none were kept


def test_one_row_without_validation_seeds_or_people(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"center": 0.7}, each=6, seeds=(0,))
    (made / "utterances.csv").unlink()
    for path in made.rglob("predictions.csv"):
        table = pd.read_csv(path)
        table[table["role"] == "test"].to_csv(path, index=False)
    (made / "paired_tests.csv").write_text("of other rows")
    write_comparison_page(made)
    html = (made / "report.html").read_text("utf-8")
    for sentence in ("only one row", "no validation part", "no utterances.csv", "There is one seed"):
        assert sentence in html
    assert not (made / "paired_tests.csv").exists()
    assert pd.read_csv(made / "calibration.csv")["ece_scaled"].isna().all()


def test_classes_called_without_probabilities_are_not_calibrated(tmp_path: Path) -> None:
    made = make_comparison(tmp_path / "c", {"cross_entropy": 0.7, "center": 0.7}, each=6, seeds=(0,))
    for path in (made / "runs" / "loss=center,seed=0").rglob("predictions.csv"):
        table = pd.read_csv(path)
        for name in CLASSES:
            table[f"emotion_p_{name}"] = (table["emotion_predicted"] == name).astype(float)
        table.to_csv(path, index=False)
    write_comparison_page(made)
    assert list(pd.read_csv(made / "calibration.csv")["loss"]) == ["cross_entropy"]


def test_runs_of_no_row_and_interrupted_comparisons_are_told(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    shutil.copytree(copy / "runs" / "loss=center,seed=0", copy / "runs" / "loss=center,seed=7")
    write_comparison_page(copy)
    assert "4 runs in this folder belong to no row of this report" in (copy / "report.html").read_text(
        "utf-8"
    )
    (copy / "comparison.json").unlink()
    next(copy.rglob("results.json")).unlink()
    with pytest.raises(
        AffuseError, match="was interrupted or still runs: 35 of the 36 runs begun are finished"
    ):
        write_comparison_page(copy)
    with pytest.raises(AffuseError, match="not a comparison's folder"):
        write_comparison_page(tmp_path)


def test_the_same_folder_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    names = ["report.html", "report.md", "tables.tex", *(path.name for path in folder.glob("*.csv"))]
    write_comparison_page(copy)
    for name in names:
        assert (copy / name).read_bytes() == (folder / name).read_bytes(), name


def test_markdown_and_latex_hold_the_tables(folder: Path) -> None:
    text = (folder / "report.md").read_text("utf-8")
    assert text.startswith("# hand: comparison\n")
    widths = [line.count("|") for line in text.splitlines() if line.startswith("| ---")]
    assert len(widths) >= 6
    latex = (folder / "tables.tex").read_text("utf-8")
    assert latex.count(r"\begin{table}") == latex.count(r"\bottomrule") == 6
    for block in re.findall(r"\\midrule\n(.*?)\\bottomrule", latex, re.DOTALL):
        columns = {line.count(" & ") for line in block.strip().splitlines()}
        assert len(columns) == 1
    tables = latex.split("\n\n", 1)[1].replace("{!}{%", "")  # the one comment, at the end of a line
    assert not re.search(r"(?<!\\)[%_#]", tables)
    assert latex.isascii()


def test_numbers_as_they_are_printed() -> None:
    assert [signed(0.44), signed(-1.25, 2), signed(-0.04), signed(3, 0)] == [
        "+0.4",
        "\u22121.25",
        "0.0",
        "+3",
    ]
    assert [plain(0.44), plain(-2.0)] == ["0.4", "\u22122.0"]
    assert [p_value(p) for p in (0.0004, 0.0123, 0.52, float("nan"))] == ["< 0.001", "0.012", "0.52", "-"]
    assert points(-0.009, 0.017) == "[\u22120.9, 1.7]"
    assert escape("50 % of a_b & {x} \u2212 1 \u2021") == r"50 \% of a\_b \& \{x\} $-$ 1 \textdaggerdbl{}"


def test_a_report_names_what_is_missing(folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(folder, tmp_path / "copy")
    run = Path(read_record(copy)["rows"][0]["cells"][0]["folder"])
    (copy / run / "embeddings.npz").write_bytes(b"not an archive")
    with pytest.raises(AffuseError, match=r"embeddings\.npz cannot be read"):
        Report.read(copy)
    (copy / run / "predictions.csv").unlink()
    with pytest.raises(AffuseError, match="has no predictions"):
        Report.read(copy)
    record = json.loads((copy / "comparison.json").read_text())
    record["rows"] = record["rows"][1:]
    (copy / "comparison.json").write_text(json.dumps(record))
    with pytest.raises(
        AffuseError, match=r"results\.csv and comparison\.json are not of the same comparison"
    ):
        write_comparison_page(copy)
