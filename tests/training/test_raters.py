"""What raters said: kept by a run, and shown beside the model by every report, each number a second way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import affuse
from affuse.corpora.annotations import annotation_table
from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import ANNOTATIONS
from affuse.errors import AffuseError
from affuse.evaluation.dimensions import measure_ratings
from affuse.training.raters import nothing_said, said_by_raters
from affuse.training.runfolder import RunFolder
from small_corpus import make_corpus

LABELS = ["anger", "sadness", "neutral", "odd"]  # odd is no class
SMALL: dict[str, Any] = {
    "modalities.audio.encoder": "precomputed",
    "modalities.audio.options": {"name": "face"},
    "modalities.audio.standardise": True,
    "head.hidden": 16,
    "lr": 1e-2,
    "epochs": 3,
}
RATED = {"tasks.valence": {"kind": "regression", "range": [1, 5]}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Three raters of emotion (one of every ninth utterance), who are right in two of three cases; two of valence."""
    found = make_corpus(tmp_path_factory.mktemp("raters"))
    draw, rows = np.random.default_rng(1), []
    for i, (id, emotion) in enumerate(zip(found.table["id"], found.table["emotion"], strict=True)):
        for rater in range(1 if i % 9 == 0 else 3):
            label = emotion if draw.random() < 2 / 3 else str(draw.choice(LABELS))
            rows.append({"id": id, "annotator": f"R{rater}", "task": "emotion", "label": label})
        for rater in range(2):
            value = float(np.clip(LABELS.index(emotion) + 2 + draw.integers(-1, 2), 1, 5))
            rows.append({"id": id, "annotator": f"R{rater}", "task": "valence", "value": value})
    said = annotation_table(rows)
    means = said[said["task"] == "valence"].groupby("id")["value"].mean()
    table = found.table.assign(valence=found.table["id"].map(means))
    return Corpus(table, found.info, annotations=said).save(found.folder)


@pytest.fixture(scope="module")
def run(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> affuse.Run:
    out = tmp_path_factory.mktemp("run") / "r"
    return affuse.train("voice-offline", corpus, out, set={**SMALL, **RATED}, device="cpu", live=True)


def given(corpus: Corpus, task: str, id: str) -> list[Any]:
    said = corpus.annotations
    assert said is not None
    mine = said[(said["id"] == id) & (said["task"] == task)]
    return mine["label" if task == "emotion" else "value"].tolist()


def one_rater(corpus: Corpus, ids: list[str]) -> float:
    """How often one rater says what most of the others say, utterance by utterance."""
    shares = []
    for id in ids:
        labels, right = given(corpus, "emotion", id), 0.0
        for i, label in enumerate(labels):
            others = Counter(labels[:i] + labels[i + 1 :])
            best = [name for name, n in others.items() if n == max(others.values())]
            right += (label in best) / len(best)
        shares.append(right / len(labels))
    return float(np.mean(shares))


def test_a_run_keeps_the_votes_of_its_test_part(corpus: Corpus, run: affuse.Run) -> None:
    kept = RunFolder(run.folder).votes()
    tested = RunFolder(run.folder).predictions("test")["id"].tolist()
    assert set(kept["id"]) == set(tested)
    for task in ("emotion", "valence"):
        for id in tested:
            mine = kept[(kept["id"] == id) & (kept["task"] == task)]
            found = dict(zip(mine["answer"], mine["count"], strict=True))
            expected = Counter(one if task == "emotion" else f"{one:g}" for one in given(corpus, task, id))
            assert found == expected


def test_the_runs_page_shows_raters_beside_the_model(corpus: Corpus, run: affuse.Run) -> None:
    text = run.report().with_name("report.md").read_text("utf-8")
    test = RunFolder(run.folder).predictions("test")
    several = [len(given(corpus, "emotion", id)) > 1 for id in test["id"]]
    part = test[several]
    acc = (part["emotion"] == part["emotion_predicted"]).mean()
    human = one_rater(corpus, part["id"].tolist())
    chapter = text.split("## Raters and model")[1].split("\n## ")[0]
    assert f"On {len(part)} utterances with two votes or more (3.0 each)" in chapter
    assert f"one rater against the majority of the others reaches ACC {100 * human:.1f} %" in chapter
    assert f"The model reaches {100 * acc:.1f} %" in chapter
    ratings = [given(corpus, "valence", id) for id in test["id"]]
    ccc = measure_ratings(
        [b for a, b in ratings for a, b in ((a, b), (b, a))], [a for a, b in ratings for a in (a, b)]
    )
    assert f"one rater against the mean of the others reaches CCC {ccc.ccc:.3f}" in chapter
    bands = Counter(max(Counter(given(corpus, "emotion", id)).values()) for id in part["id"])
    for most, name in ((3, "all agree"), (2, "most agree"), (1, "half or fewer agree")):
        assert (f"ACC where {name} (n = {bands[most]})" in chapter) == (bands[most] > 0)


def test_an_evaluation_measures_raters_on_its_utterances(
    corpus: Corpus, run: affuse.Run, tmp_path: Path
) -> None:
    found = affuse.evaluate(run.folder, corpus, role="test", device="cpu", out=tmp_path / "e")
    lines = pd.read_csv(tmp_path / "e" / "raters.csv").set_index("task")
    page = RunFolder(run.folder).predictions("test")
    assert lines.loc["emotion", "utterances"] == sum(
        len(given(corpus, "emotion", id)) > 1 for id in page["id"]
    )
    assert lines.loc["valence", "metric"] == "ccc"
    shown = dict(found.tables)["Raters and model, on utterances with two votes or more"]
    assert shown["task"].tolist() == ["emotion", "valence"]
    assert "Raters and model" in found.report(tmp_path / "e.html").read_text("utf-8")


def test_a_comparison_has_one_rater_above_its_rows(corpus: Corpus, tmp_path: Path) -> None:
    """Stacked runs and the baseline keep votes too."""
    grid = affuse.compare(
        "voice-offline", corpus, tmp_path / "c", over={"loss": ["cross_entropy", "center"]}, set=SMALL,
        folds=[0], device="cpu", cache=tmp_path / "cache", jobs=1, baseline=True,
    )  # fmt: skip
    lines = pd.read_csv(grid.folder / "raters.csv")
    assert len(lines) == 3
    assert len(set(lines["rater"])) == 1
    text = (grid.folder / "report.md").read_text("utf-8").split("## Raters and model")[1].split("\n## ")[0]
    assert text.count("| one rater |") == 1
    assert f"| one rater | {100 * lines['rater'][0]:.1f} |" in text
    assert all(f"| {100 * value:.1f} |" in text for value in lines["value"])


def without_votes(corpus: Corpus) -> Corpus:
    """In memory, with its features where they are."""
    table = corpus.table.copy()
    table["features_face"] = [str(corpus.folder / one) for one in table["features_face"]]
    return Corpus(table, corpus.info)


def test_without_votes_nothing_is_kept_or_shown(corpus: Corpus, tmp_path: Path) -> None:
    run = affuse.train(
        "voice-offline", without_votes(corpus), tmp_path / "r", set=SMALL, device="cpu", live=True
    )
    assert RunFolder(run.folder).votes().empty
    assert "Raters" not in run.report().with_name("report.md").read_text("utf-8")


def test_votes_of_an_earlier_training_do_not_stay(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_votes(pd.DataFrame({"id": ["a"], "task": "emotion", "answer": "joy", "count": 2}))
    assert len(folder.votes()) == 1
    folder.write_votes(nothing_said())
    assert folder.votes().empty


def test_ratings_are_kept_to_their_last_digit() -> None:
    frame = pd.DataFrame({"id": ["a"], "text": ["yes"], "valence": [1234567.5]})
    given = [1234567.25, 1234567.75, 1234567.75]
    said = annotation_table([{"id": "a", "task": "valence", "value": value} for value in given])
    corpus = Corpus(frame, Corpus.from_frame(frame).info, annotations=said)
    recipe = affuse.Recipe.load("voice-offline").changed(
        ["tasks.valence={kind: regression, range: [0, 2000000]}"]
    )
    found = said_by_raters(corpus, recipe, {})
    assert dict(zip(found["answer"].astype(float), found["count"], strict=True)) == {
        1234567.25: 1,
        1234567.75: 2,
    }


def test_a_damaged_file_of_votes_is_told_before_the_training(corpus: Corpus, tmp_path: Path) -> None:
    without_votes(corpus).save(tmp_path / "c")
    (tmp_path / "c" / ANNOTATIONS).write_bytes(b"PAR1")
    with pytest.raises(AffuseError, match=r"annotations\.parquet cannot be read"):
        affuse.train("voice-offline", tmp_path / "c", tmp_path / "r", set=SMALL, device="cpu", live=True)
    assert not (tmp_path / "r").exists() or not list((tmp_path / "r").iterdir())
