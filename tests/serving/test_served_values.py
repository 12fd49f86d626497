"""Ratings in the service: REST, client, stream and page tell what the library tells."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import affuse
from affuse.inference.timeline import Segment, Timeline
from affuse.models.saving import save_model
from affuse.serving.about.about import About
from affuse.serving.client.client import Client
from affuse.serving.limits import Limits
from browser import CHROMIUM
from rated_models import AROUSAL, BOTH, VALENCE, rated_model
from serving.running_service import RunningService, check_problem, running_service
from voices import RATE

WINDOWS = {"window": 2.0, "hop": 1.0}
FORM = {name: str(value) for name, value in WINDOWS.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``rated``: emotion and valence; ``alone``: two ratings, the second without a band."""
    folder = tmp_path_factory.mktemp("models")
    alone = rated_model({"valence": VALENCE, "arousal": AROUSAL})
    bands = {"valence": alone.defaults.band_of("valence")}
    alone.defaults = alone.defaults.model_copy(update={"bands": bands})
    for name, model in {"rated": rated_model(), "alone": alone}.items():
        with torch.no_grad():  # so that a curve moves
            for task in model.dimensions:
                for parameter in model.heads[task].parameters():
                    parameter.mul_(12)
        save_model(model, folder / name)
    return folder


@pytest.fixture(scope="module")
def rated(folder: Path) -> Generator[RunningService]:
    names = ("rated", "alone")
    with running_service(Limits(decoders=2), {name: About(folder / name) for name in names}) as found:
        yield found


@pytest.fixture(scope="module")
def client(rated: RunningService) -> Generator[Client]:
    with affuse.Client(rated.address) as found:
        yield found


@pytest.fixture(scope="module")
def expected(folder: Path, talk: Path) -> dict[str, Timeline]:
    return {name: affuse.load(folder / name).predict(talk, **WINDOWS) for name in ("rated", "alone")}


def check_values(found: list[Segment], expected: list[Segment]) -> None:
    assert len(found) == len(expected) > 1
    for mine, theirs in zip(found, expected, strict=True):
        assert (mine.start, mine.end) == pytest.approx((theirs.start, theirs.end), abs=6e-4)
        assert mine.answers.keys() == theirs.answers.keys()
        assert mine.values.keys() == theirs.values.keys() != set()
        for task, value in theirs.values.items():
            assert mine.values[task] == pytest.approx(value, abs=1.01e-4)


@pytest.mark.parametrize("name", ["rated", "alone"])
def test_a_client_has_the_ratings_of_the_library(
    client: Client, expected: dict[str, Timeline], talk: Path, name: str, tmp_path: Path
) -> None:
    whole = expected[name]
    found = client.predict(talk, model=name, values=True, **WINDOWS)
    check_values(found.segments, whole.segments)
    assert (found.tasks, found.ranges, found.coverage) == (whole.tasks, whole.ranges, whole.coverage)
    for task, value in whole.values.items():
        assert found.values[task] == pytest.approx(value, abs=1.01e-4)
    mine, theirs = found.curve().drop(columns=["start", "end"]), whole.curve().drop(columns=["start", "end"])
    assert list(mine) == list(theirs)
    np.testing.assert_allclose(mine.astype(float), theirs.astype(float), atol=1.01e-4)
    assert ", valence" in found.save(tmp_path / "x.srt").read_text() or name == "alone"
    assert found.warning == whole.warning
    told = {one.name: (one.tasks, one.ranges) for one in client.models()}
    assert told["rated"] == ({"emotion": BOTH["emotion"]["classes"]}, {"valence": (1, 5)})
    assert told["alone"] == ({}, {"valence": (1, 5), "arousal": (-1, 1)})


def test_json_is_what_the_command_writes(
    rated: RunningService, expected: dict[str, Timeline], talk: Path
) -> None:
    told = rated.predict(talk, model="alone", **FORM).json()
    whole = expected["alone"].to_dict()
    assert set(told) == set(whole) - {"clip"}
    assert (told["ranges"], told["coverage"]) == (whole["ranges"], {"valence": 0.8, "arousal": None})
    assert [set(one) for one in told["curves"]["arousal"]] == [set(one) for one in whole["curves"]["arousal"]]
    assert told["summary"]["arousal"]["low"] is None
    some = rated.predict(talk, model="alone", tasks="arousal", **FORM).json()
    assert list(some["ranges"]) == list(some["curves"]) == list(some["summary"]) == ["arousal"]


def test_files_have_ratings(rated: RunningService, expected: dict[str, Timeline], talk: Path) -> None:
    job = rated.submit(talk, model="rated", values="true", **FORM)
    with rated.http.stream("GET", f"/v1/jobs/{job}/events") as events:
        for _ in events.iter_lines():
            pass
    text = {
        name: rated.http.get(f"/v1/jobs/{job}/timeline?format={name}").text
        for name in ("srt", "curve", "csv")
    }
    assert text["srt"].count(", valence ") == len(expected["rated"].segments)
    rows = list(csv.DictReader(io.StringIO(text["curve"])))
    assert [float(row["valence"]) for row in rows] == pytest.approx(
        [one.values["valence"].mean for one in expected["rated"].moments], abs=1.01e-4
    )
    assert "valence,valence_low,valence_high" in text["csv"].splitlines()[0]
    assert "valence" not in rated.predict(talk, {"Accept": "text/vtt"}, model="rated").text


def test_settings_of_classes_do_not_fit_ratings(rated: RunningService, talk: Path) -> None:
    check_problem(rated.predict(talk, model="alone", unsure="0.5"), 422, "unsure is for tasks with classes")
    check_problem(
        rated.predict(talk, model="rated", tasks="emotion", values="true"), 422, "emotion has classes"
    )
    check_problem(rated.predict(talk, model="rated", tasks="valenc"), 422, "did you mean 'valence'")


@pytest.mark.parametrize("name", ["rated", "alone"])
def test_a_stream_tells_ratings(client: Client, expected: dict[str, Timeline], talk: Path, name: str) -> None:
    samples, _ = soundfile.read(talk, dtype="float32")
    with client.stream(RATE, model=name, **WINDOWS) as stream:
        told = [one for at in range(0, len(samples), RATE) for one in stream.push(samples[at : at + RATE])]
        told += stream.close()
    check_values([one.segment for one in told if one.final], expected[name].segments)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")
def test_the_page_shows_curves_with_their_bands(
    rated: RunningService, expected: dict[str, Timeline], talk: Path
) -> None:
    pytest.importorskip("playwright", reason="playwright drives the browser: pip install playwright")
    from playwright.sync_api import expect

    from serving.served_page import check, chromium, predict, watched_page

    with chromium(talk) as browser, watched_page(browser, rated.address) as watched:
        page = watched.page
        page.locator("#model").select_option("rated")
        page.get_by_text("More choices").click()
        page.locator("#window").fill("2")
        page.get_by_label("Name ratings in subtitles").check()
        told = predict(page, talk)
        lane = page.locator(".values")
        expect(lane).to_have_count(1)
        expect(lane).to_have_attribute(
            "aria-label", "valence over time, from 1 to 5; the table of moments below has it in numbers"
        )
        stretches = len(expected["rated"].segments) - sum(
            abs(one.end - two.start) < 1e-6
            for one, two in zip(expected["rated"].segments, expected["rated"].segments[1:], strict=False)
        )
        expect(lane.locator(".line")).to_have_count(stretches)
        expect(lane.locator(".band")).to_have_count(stretches)
        # under the pointer: the moment there, with its band
        moment = told["curves"]["valence"][2]
        middle = (moment["start"] + moment["end"]) / 2
        lane.scroll_into_view_if_needed()
        box = lane.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * middle / told["seconds"], box["y"] + box["height"] / 2)
        mean, low, high = (f"{moment[name]:.1f}" for name in ("mean", "low", "high"))
        expect(lane.locator(".tip")).to_contain_text(f": valence {mean} ({low} to {high})")
        # the table says the same without a picture
        page.get_by_text("Ratings of all").click()
        cells = page.get_by_role("group", name="Table of moments").locator("tbody tr").nth(2).locator("td")
        expect(cells.nth(2)).to_have_text(f"{mean} ({low} to {high})")
        expect(page.get_by_text("Whole clip, valence:")).to_contain_text(
            f"{told['summary']['valence']['mean']:.1f}"
        )
        page.evaluate(f"document.querySelector('#result audio').currentTime = {middle}")
        expect(lane.locator(".told")).to_have_text(f"valence {mean}")
        check(page)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download moments").click()
        assert download.value.suggested_filename == "talk.curve.csv"
        with page.expect_download() as download:
            page.get_by_role("button", name="Download SRT").click()
        assert ", valence " in download.value.path().read_text()
        # ratings alone: nothing of classes is asked or shown
        page.locator("#model").select_option("alone")
        expect(page.locator("#classes-field")).to_be_hidden()
        expect(page.get_by_label("Unsure below")).to_be_hidden()
        told = predict(page)
        expect(page.locator(".values")).to_have_count(2)
        expect(page.locator(".values").nth(1).locator(".band")).to_have_count(0)
        strip = page.get_by_role("toolbar", name="Stretches of speech").get_by_role("button")
        expect(strip).to_have_count(len(told["segments"]))
        expect(strip.first).to_have_text(f"{told['segments'][0]['valence']['mean']:.1f}")
        check(page)
        page.get_by_role("tab", name="Live").click()
        page.locator("#live-model").select_option("alone")
        page.locator("#live-go").click()
        line = page.locator("#live-segments li").last
        expect(line).to_contain_text(re.compile(r"valence [1-5]\.\d, arousal -?[01]\.\d\d"))
        page.locator("#live-go").click()
        expect(page.locator("#live-state")).to_have_text("Not listening.")
        page.get_by_role("tab", name="Model").click()
        page.locator("#shown-model").select_option("alone")
        expect(page.get_by_text("valence: a number from 1 to 5")).to_be_visible()
