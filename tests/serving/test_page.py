"""The page of the service, as somebody uses it in Chromium."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import affuse
from affuse.media.jpeg import encode_jpeg
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.serving.about.about import About
from affuse.serving.engine import Draining
from affuse.serving.limits import Limits
from browser import CHROMIUM
from small_corpus import make_corpus
from talking_film import FACE, VOICE, make_model, portrait
from voices import RATE, recording

pytest.importorskip("playwright", reason="playwright drives the browser: pip install playwright")
if CHROMIUM is None:
    pytest.skip("Chromium is not installed: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import Browser, Page, Route, expect

from serving.running_service import RunningService, held_up, running_service, second_door
from serving.served_page import (
    Watched,
    check,
    chromium,
    media,
    predict,
    seconds,
    segments,
    share,
    show_model,
    until,
    watched_page,
)  # fmt: skip

TOKEN = "a-token-that-nobody-guesses"


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """talk.wav: three turns; face.mjpeg: a drawn head; hum.wav: nobody speaks; long.wav: forty minutes; broken.wav: no
    sound file at all.
    """
    folder = tmp_path_factory.mktemp("clips")
    talk = recording(("neu", 4.0), 1.2, ("ang", 4.0), 1.2, ("sad", 4.0), 0.8, seed=3)
    soundfile.write(folder / "talk.wav", talk, RATE)
    soundfile.write(folder / "long.wav", np.tile(talk[::2], 160), RATE // 2, "PCM_U8")
    soundfile.write(folder / "hum.wav", 0.1 * np.sin(np.arange(3 * RATE) / 25), RATE)
    write_camera(folder / "face.mjpeg")
    (folder / "broken.wav").write_bytes(b"this is a letter, not a recording" * 20)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Generator[RunningService]:
    folder = tmp_path_factory.mktemp("page")
    corpus = make_corpus(folder, speakers=6, each=2)
    affuse.train("voice-offline", corpus, folder / "run", set={"epochs": 4})
    both = {"voice": {"encoder": "logmel"}, "faces": {"encoder": "hog", "options": {"crop": "window"}}}
    film = Model(Recipe.parse({"name": "film", "modalities": both}), {"emotion": ["anger", "neutral"]})
    save_model(film.eval(), folder / "film")  # untrained
    save_model(make_model(VOICE | FACE), folder / "face")
    models = {
        "starter": About("starter"),
        "small": About(folder / "run", [corpus]),
        "film": About(folder / "film"),
        "face": About(folder / "face"),
    }
    with running_service(Limits(decoders=2, long_seconds=60, long_bytes=10**6), models) as found:
        yield found


@pytest.fixture(scope="module")
def browser(clips: Path) -> Generator[Browser]:
    with chromium(clips / "talk.wav", clips / "face.mjpeg") as found:
        yield found


@pytest.fixture
def watched(browser: Browser, served: RunningService) -> Generator[Watched]:
    with watched_page(browser, served.address) as found:
        expect(found.page.locator("html[data-ready]")).to_be_attached()
        yield found


@pytest.fixture
def page(watched: Watched) -> Page:
    return watched.page


def test_segments_and_curves_stand_where_the_answer_says(page: Page, clips: Path) -> None:
    page.locator("#gender").check()
    told = predict(page, clips / "talk.wav")
    lane = page.locator(".lane")
    length = told["seconds"]
    assert len(told["segments"]) == 3
    for task in ("emotion", "gender"):
        expect(segments(page, task)).to_have_count(len(told["segments"]))
        for one, shown in zip(told["segments"], segments(page, task).all(), strict=True):
            assert shown.inner_text() == one[task]["label"]
            assert share(shown, lane) == pytest.approx((one["start"] / length, one["end"] / length), abs=2e-3)
            assert ("unsure" in (shown.get_attribute("class") or "")) == one[task]["unsure"]
        rows = page.locator(".curves", has=page.get_by_text(told["labels"][task][0], exact=True)).locator(
            ".curve"
        )
        assert rows.locator("span").all_inner_texts() == told["labels"][task]
        for name, row in zip(told["labels"][task], rows.all(), strict=True):
            found = columns(row.locator("path:not(.rule)").get_attribute("d"))
            expected = [
                (1000 * one["start"] / length, 1000 * one["end"] / length, 100 - 100 * one[task][name])
                for one in told["moments"]
            ]
            assert np.array(found) == pytest.approx(np.array(expected), abs=0.006)
            assert share(row.locator("svg"), lane) == (0, 1)
    # the wave is silent where the clip is: in the pause after the first turn
    loudest = (int(np.argmax(told["peaks"]["values"])) + 0.5) * told["peaks"]["seconds"]
    pause = (told["segments"][0]["end"] + told["segments"][1]["start"]) / 2
    drawn = """(path, at) => {
      const { left, width, top, height } = path.ownerSVGElement.getBoundingClientRect();
      return document.elementFromPoint(left + at * width, top + 0.1 * height) === path;
    }"""
    page.locator(".wave").scroll_into_view_if_needed()
    assert page.locator(".wave path").evaluate(drawn, loudest / length)
    assert not page.locator(".wave path").evaluate(drawn, pause / length)


def columns(path: str | None) -> list[tuple[float, float, float]]:
    """Where each column begins and ends, and its upper edge."""
    found = re.findall(r"M(\S+) 100V(\S+)H(\S+)V100Z", path or "")
    return [(float(start), float(end), float(top)) for start, top, end in found]


def test_the_summary_the_table_and_what_is_missing_are_told(page: Page, clips: Path) -> None:
    told = predict(page, clips / "talk.wav")
    answer = told["summary"]["emotion"]
    result = page.locator("#result")
    expect(result).to_contain_text(f"{answer['label']} {round(100 * answer['confidence'])} %")
    for name, value in answer["probabilities"].items():
        expect(page.locator(".bars")).to_contain_text(f"{name}{round(100 * value)} %")
    expect(result).to_contain_text("No text: ")
    page.get_by_text("segments as a table").click()
    rows = page.get_by_role("table").locator("tbody tr")
    expect(rows).to_have_count(len(told["segments"]))
    expect(rows.first).to_contain_text(told["segments"][0]["emotion"]["label"])


def test_gender_is_told_when_it_is_asked_for(page: Page, clips: Path) -> None:
    expect(page.locator("#gender")).not_to_be_checked()
    assert list(predict(page, clips / "talk.wav")["summary"]) == ["emotion"]
    expect(page.locator("#result")).not_to_contain_text("male")
    page.locator("#gender").check()
    assert "gender" in predict(page)["summary"]
    expect(page.locator("#result")).to_contain_text("Gender as annotated in the training corpus")


def test_playing_is_followed_and_a_segment_plays_to_its_end(page: Page, clips: Path) -> None:
    told = predict(page, clips / "talk.wav")
    second = told["segments"][1]
    segments(page).nth(1).click()
    expect(segments(page).nth(1)).to_have_class(re.compile("playing"))
    expect(page.locator(".now")).to_contain_text(second["emotion"]["label"])
    head = share(page.locator(".head"), page.locator(".lane"))[0]
    assert head == pytest.approx(seconds(page) / told["seconds"], abs=0.05)
    # the rest of it need not be waited for
    media(page).evaluate("(media, at) => { media.currentTime = at }", second["end"] - 0.3)
    until(page, lambda: media(page).evaluate("media => media.paused"))
    assert seconds(page) == pytest.approx(second["end"], abs=0.15)
    pause = (second["end"] + told["segments"][2]["start"]) / 2
    media(page).evaluate("(media, at) => { media.currentTime = at }", pause)
    expect(page.locator(".now")).to_have_text("nobody speaks here")
    # three times as wide, and the place that plays in sight
    page.get_by_label("Zoom").fill("1")
    lane, view = page.locator(".lane").bounding_box(), page.locator(".scroll:has(.lane)").bounding_box()
    assert lane["width"] == pytest.approx(view["width"] * told["seconds"] / 5, rel=0.01)
    segments(page).nth(2).click()
    until(page, lambda: seconds(page) > told["segments"][2]["start"])
    head = page.locator(".head").bounding_box()
    assert view["x"] <= head["x"] <= view["x"] + view["width"]
    media(page).evaluate("media => media.pause()")
    page.get_by_label("Zoom").fill("0")
    # a place in the waveform is a place in the clip
    box = page.locator(".wave").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.25, box["y"] + 10)
    assert seconds(page) == pytest.approx(told["seconds"] * 0.25, abs=0.05)


def test_a_segment_and_a_word_are_played_by_keyboard(page: Page, clips: Path) -> None:
    page.get_by_label("What is said").fill("the train was late and nobody had told us why that was so")
    told = predict(page, clips / "talk.wav")
    segments(page).first.focus()
    page.keyboard.press("End")
    expect(segments(page).last).to_be_focused()
    page.keyboard.press("ArrowLeft")
    expect(segments(page).nth(len(told["segments"]) - 2)).to_be_focused()
    page.keyboard.press("Enter")
    expect(segments(page).nth(len(told["segments"]) - 2)).to_have_class(re.compile("playing"))
    assert media(page).evaluate("media => !media.paused")
    assert len(told["words"]) == 13
    words = page.get_by_role("toolbar", name="Words").get_by_role("button")
    assert words.all_inner_texts() == [one["text"] for one in told["words"]]
    words.nth(5).focus()
    page.keyboard.press("Space")
    expect(words.nth(5)).to_have_class(re.compile("said"))
    assert told["words"][5]["start"] <= seconds(page) < told["words"][5]["end"] + 0.5
    # one stop of Tab for all words, one for all segments
    assert page.locator(".words [tabindex='0'], .bands [tabindex='0']").count() == 2


def test_an_example_is_predicted_with_the_keyboard_alone(page: Page) -> None:
    for _ in range(60):
        page.keyboard.press("Tab")
        now = page.evaluate("document.activeElement.textContent.trim()")
        if now == "Skip to the content":
            page.keyboard.press("Enter")
        if now == "Synthetic complaint":
            page.keyboard.press("Enter")
            expect(page.locator("#chosen")).to_contain_text("complaint.ogg")
        if now == "Predict":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Timeline")).to_be_focused()
    expect(page.get_by_label("What is said")).to_have_value(re.compile("^I told you three times"))
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.bands') !== null"):
            break
    page.keyboard.press("Enter")
    until(page, lambda: media(page).evaluate("media => !media.paused"))
    # an example's words go with it
    page.get_by_role("button", name="Synthetic, two moods").click()
    expect(page.locator("#chosen")).to_contain_text("two-moods.ogg")
    expect(page.get_by_label("What is said")).to_have_value("")


def test_a_file_is_dropped_anywhere_on_the_page(page: Page, clips: Path) -> None:
    content = list((clips / "talk.wav").read_bytes()[: 44 + 2 * RATE])
    page.locator("header").evaluate(
        """(place, content) => {
          const held = new DataTransfer();
          held.items.add(new File([new Uint8Array(content)], "dropped.wav", { type: "audio/wav" }));
          for (const name of ["dragover", "drop"])
            place.dispatchEvent(new DragEvent(name, { dataTransfer: held, bubbles: true, cancelable: true }));
        }""",
        content,
    )
    expect(page.locator("#chosen")).to_have_text("dropped.wav (33 kB)")
    assert predict(page)["seconds"] == pytest.approx(1.0, abs=0.01)


def test_the_microphone_is_recorded(page: Page) -> None:
    button = page.get_by_role("button", name="Record the microphone")
    button.click()
    expect(page.locator("#chosen")).to_have_text("Recording the microphone …")
    expect(page.locator("#elapsed")).to_have_text("0:02")
    assert float(page.get_by_role("meter", name="Level of the microphone").get_attribute("value") or 0) >= 0
    page.get_by_role("button", name="Stop recording").click()
    expect(page.locator("#chosen")).to_contain_text("recording.wav")
    told = predict(page)
    assert 1.5 < told["seconds"] < 6
    assert told["segments"]
    assert max(told["peaks"]["values"]) > 0.02


def test_the_webcam_is_recorded_and_can_be_played_from_anywhere(page: Page) -> None:
    page.get_by_role("button", name="Record the webcam").click()
    expect(page.get_by_label("What the webcam sees")).to_be_visible()
    expect(page.locator("#elapsed")).to_have_text("0:02")
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_label("What the webcam sees")).to_be_hidden()
    told = predict(page)
    assert told["seconds"] > 1.5
    # such a film does not say how long it is; the page finds out
    until(page, lambda: media(page).evaluate("media => Number.isFinite(media.duration)"))
    assert media(page).evaluate("media => media.duration") == pytest.approx(told["seconds"], abs=0.3)
    until(page, lambda: seconds(page) == 0)


def test_two_models_answer_side_by_side(page: Page, clips: Path) -> None:
    page.get_by_label("Compare with").select_option("small")
    page.locator("summary", has_text="More choices").click()
    page.get_by_label("neutral").uncheck()
    predict(page, clips / "talk.wav")
    for name, classes in (("starter", ["anger", "happiness", "sadness"]), ("small", ["anger", "sadness"])):
        reading = page.get_by_role("article", name=f"Answers of the model {name}")
        expect(reading.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(reading.locator(".curve span")).to_have_text(classes)
    page.get_by_role("article").first.locator(".bands button").first.click()
    expect(page.locator(".now")).to_contain_text("starter: ")
    expect(page.locator(".now")).to_contain_text("small: ")
    boxes = [one.bounding_box() for one in page.locator("article .scroll:has(.lane)").all()]
    assert boxes[0]["y"] == boxes[1]["y"]
    assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]


def test_channel_track_and_face_are_chosen(
    page: Page, served: RunningService, clips: Path, tmp_path: Path
) -> None:
    voice, _ = soundfile.read(clips / "talk.wav")
    soundfile.write(tmp_path / "two.wav", np.stack([0 * voice, voice], axis=1), RATE)
    page.locator("summary", has_text="More choices").click()
    expect(page.get_by_label("Face (where a picture shows several)")).to_be_hidden()
    page.get_by_label("Channel of the sound").fill("0")
    assert predict(page, tmp_path / "two.wav")["segments"] == []
    page.get_by_label("Channel of the sound").fill("1")
    assert len(predict(page)["segments"]) == 3
    page.get_by_label("Track of the sound").fill("-1")
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("alert")).to_have_text(
        '"Track of the sound (from 0)" takes a number within its bounds.'
    )
    page.get_by_label("Track of the sound").fill("0")
    page.locator("#model").select_option("film")
    page.get_by_label("Face (where a picture shows several)").select_option("the one most to the right")
    predict(page)
    asked = list(served.engine.jobs.values())[-1].request.settings
    assert (asked.channel, asked.track, asked.face) == (1, 0, (1.0, 0.5))


def test_the_timeline_is_downloaded_in_every_format(page: Page, clips: Path) -> None:
    told = predict(page, clips / "talk.wav")
    files: dict[str, bytes] = {}
    for format in ("JSON", "CSV", "SRT", "VTT", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Download {format}").click()
        assert download.value.suggested_filename == f"talk.{format.lower()}"
        files[format] = download.value.path().read_bytes()
    count = len(told["segments"])
    assert json.loads(files["JSON"])["segments"] == told["segments"]
    assert len(list(csv.DictReader(io.StringIO(files["CSV"].decode())))) == count
    assert files["SRT"].decode().count("-->") == files["VTT"].decode().count("-->") == count
    assert files["VTT"].startswith(b"WEBVTT")
    assert files["PNG"].startswith(b"\x89PNG")


def test_a_bad_file_is_told_and_the_page_goes_on(watched: Watched, clips: Path) -> None:
    watched.refusals = True
    page = watched.page
    page.locator("#file").set_input_files(clips / "broken.wav")
    page.get_by_role("button", name="Predict").click()
    error = page.get_by_role("alert").filter(has_text="clip")
    expect(error).to_be_focused()
    assert str(clips) not in error.inner_text()
    predict(page, clips / "hum.wav")
    expect(error).to_be_hidden()
    expect(page.locator("#result")).to_contain_text("Nobody speaks in this clip.")
    page.locator("summary", has_text="More choices").click()
    page.get_by_label("Only where somebody speaks").uncheck()
    assert len(predict(page)["segments"]) == 1


def test_the_place_in_the_queue_is_told_and_cancelling_stops_the_work(
    watched: Watched, served: RunningService, clips: Path
) -> None:
    watched.refusals = True  # a job that is gone
    page = watched.page
    choose_long(page, clips)
    others = [served.submit(clips / "long.wav") for _ in range(2)]
    with page.expect_response(lambda answer: answer.status == 202) as answered:
        page.get_by_role("button", name="Predict").click()
    job = answered.value.json()["id"]
    stage = page.locator("#stage")
    expect(stage).to_have_text("Waiting, place 2 in the queue")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    for other in others:
        assert served.http.delete(f"/v1/jobs/{other}").status_code == 204
    expect(stage).to_have_text("Predicting")
    expect(page.locator("#count")).to_have_text(re.compile(r"^\d+ of \d+ windows$"))
    page.get_by_role("button", name="Cancel").click()
    expect(stage).to_have_text("Cancelled.")
    expect(page.get_by_role("button", name="Predict")).to_be_focused()
    until(page, lambda: served.http.get(f"/v1/jobs/{job}").status_code == 404)
    until(page, lambda: served.metric("affuse_running") == 0 and not served.uploads)


def test_a_cancel_between_the_upload_and_its_answer_stops_the_work(
    page: Page, served: RunningService, clips: Path
) -> None:
    page.locator("#file").set_input_files(clips / "talk.wav")
    known = set(served.engine.jobs)
    with held_up(served) as go_on:
        page.get_by_role("button", name="Predict").click()
        expect(page.locator("#count")).to_have_text("100 %")
        page.get_by_role("button", name="Cancel").click()
        expect(page.locator("#stage")).to_have_text("Cancelled.")
        with (
            page.expect_request(lambda request: request.method == "DELETE") as asked,
            page.expect_response(lambda answer: answer.status == 202) as answered,
        ):
            go_on()
    assert asked.value.url.endswith(f"/v1/jobs/{answered.value.json()['id']}")
    until(page, lambda: set(served.engine.jobs) <= known)


def test_a_job_is_followed_through_a_lost_connection(watched: Watched, clips: Path) -> None:
    watched.refusals = True  # Chromium logs what is lost
    lost: list[str] = []

    def lose_the_first(route: Route) -> None:
        lost.append(route.request.url)
        if len(lost) == 1:
            route.abort("connectionreset")
        else:
            route.continue_()

    watched.page.route("**/events", lose_the_first)
    assert predict(watched.page, clips / "talk.wav")["segments"]
    assert len(lost) == 2


def test_leaving_the_page_stops_the_work(page: Page, served: RunningService, clips: Path) -> None:
    choose_long(page, clips)
    with page.expect_response(lambda answer: answer.status == 202) as answered:
        page.get_by_role("button", name="Predict").click()
    job = answered.value.json()["id"]
    expect(page.locator("#stage")).to_have_text("Predicting")
    page.goto("about:blank")
    until(page, lambda: served.http.get(f"/v1/jobs/{job}").status_code == 404)


def choose_long(page: Page, clips: Path) -> None:
    """A clip that takes long to answer, and not long to read."""
    page.locator("#file").set_input_files(clips / "long.wav")
    page.locator("summary", has_text="More choices").click()
    page.get_by_label("Only where somebody speaks").uncheck()


def test_the_token_is_asked_for_and_sent_with_everything(
    browser: Browser, served: RunningService, clips: Path
) -> None:
    with second_door(served, token=TOKEN) as guarded, watched_page(browser, guarded.address) as watched:
        watched.refusals = True
        page = watched.page
        dialog = page.get_by_role("dialog", name="This service needs its token")
        dialog.get_by_label("Token").fill("another-token-altogether")
        dialog.get_by_role("button", name="Use it").click()
        expect(dialog).to_contain_text("That was not it.")
        dialog.get_by_label("Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(dialog).to_be_hidden()
        expect(page.locator("html[data-ready]")).to_be_attached()
        assert predict(page, clips / "talk.wav")["segments"]
        with page.expect_download():
            page.get_by_role("button", name="Download CSV").click()
        show_model(page, "small")
        page.get_by_role("tab", name="Live").click()
        page.get_by_role("button", name="Listen to the microphone").click()
        expect(page.locator("#live-state")).to_have_text("Listening.")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#live-state")).to_have_text("Not listening.")


def test_the_model_is_described_and_its_map_can_be_heard(page: Page) -> None:
    page.get_by_role("tab", name="Model").click()
    expect(page.get_by_role("heading", name="Licences").first).to_be_visible()
    expect(page.locator("#about")).to_contain_text("Commercial use: yes")
    expect(page.get_by_role("heading", name="Embedding map")).to_have_count(0)
    show_model(page, "small")
    marks = page.locator(".map").get_by_role("button")
    assert marks.count() > 3
    with page.expect_response(lambda answer: "/utterances/" in answer.url) as answered:
        marks.first.focus()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
    assert answered.value.headers["content-type"] == "audio/wav"
    expect(page.locator("#map-place [role=status]")).to_contain_text("model says")


def test_segments_appear_while_one_speaks(page: Page) -> None:
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Listen to the microphone").click()
    lines = page.get_by_role("list", name="Segments").get_by_role("listitem")
    expect(lines.first).to_be_visible()
    expect(page.locator("#live-state")).to_have_text("Listening.")
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-state")).to_have_text("Not listening.")
    expect(page.locator("#live-segments .partial")).to_have_count(0)
    assert re.search(r"(anger|happiness|sadness|neutral) \d+ %", lines.last.inner_text())
    assert lines.last.inner_text().startswith("0:0")


def write_camera(path: Path) -> None:
    """Two seconds of a drawn head that moves a little, as Chromium's fake camera takes it."""
    frames: list[bytes] = []
    for i in range(60):
        picture = np.full((480, 640, 3), 120, np.uint8)
        picture[100 : 100 + 256, 180 + i % 30 : 180 + i % 30 + 248] = portrait()
        frames.append(encode_jpeg(picture))
    path.write_bytes(b"".join(frames))


def watch(page: Page) -> None:
    page.get_by_role("tab", name="Live").click()
    page.locator("#live-model").select_option("face")
    page.get_by_label("Use the camera").check()
    page.get_by_role("button", name="Listen and watch").click()


def test_the_camera_is_watched_while_one_speaks(page: Page) -> None:
    watch(page)
    expect(page.locator("#live-state")).to_have_text("Listening and watching.")
    expect(page.get_by_label("What the camera sees")).to_be_visible()
    expect(page.get_by_label("Use the camera")).to_be_disabled()
    expect(page.locator("#live-face")).to_have_text("The model reads the face in the square.")
    left, right = share(page.locator("#live-square"), page.locator("#live-preview"))
    assert 0.2 < left < (180 + 124) / 640 < right < 0.8, "the head is in it"
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-state")).to_have_text("Not listening.")
    expect(page.get_by_label("What the camera sees")).to_be_hidden()
    expect(page.get_by_label("Use the camera")).to_be_enabled()
    assert page.get_by_role("list", name="Segments").get_by_role("listitem").count() > 0


def test_a_camera_that_goes_is_told_and_the_sound_goes_on(page: Page) -> None:
    watch(page)
    expect(page.locator("#live-state")).to_have_text("Listening and watching.")
    page.locator("#live-preview").evaluate(
        "film => film.srcObject.getVideoTracks()[0].dispatchEvent(new Event('ended'))"
    )
    expect(page.locator("#live-face")).to_have_text("The camera is gone; the answers go on without it.")
    expect(page.get_by_label("What the camera sees")).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-state")).to_have_text("Not listening.")
    expect(page.locator("#live-error")).to_be_hidden()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "NotAllowedError",
            "The browser was not allowed to use the camera; allow it in its settings for this page, or leave it out "
            "here.",
        ),
        ("NotFoundError", "The browser has found no camera; connect one, or leave it out here."),
        ("NotReadableError", "The camera cannot be opened (another program has it)."),
    ],
)
def test_a_camera_that_cannot_be_used_is_told(page: Page, name: str, said: str) -> None:
    page.evaluate(
        """name => {
          const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          navigator.mediaDevices.getUserMedia = async asked => {
            if (asked.video) throw new DOMException("another program has it", name);
            return real(asked);
          };
        }""",
        name,
    )
    watch(page)
    expect(page.get_by_role("alert")).to_have_text(said)
    expect(page.get_by_role("alert")).to_be_focused()
    page.get_by_label("Use the camera").uncheck()
    page.get_by_role("button", name="Listen to the microphone").click()
    expect(page.locator("#live-state")).to_have_text("Listening.")
    expect(page.get_by_role("alert")).to_be_hidden()
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-state")).to_have_text("Not listening.")


def test_live_says_what_it_uses(page: Page) -> None:
    page.get_by_role("tab", name="Live").click()
    told, model = page.locator("#live-reads"), page.locator("#live-model")
    expect(told).to_have_text("Live uses sound alone, no camera.")
    expect(page.get_by_label("Use the camera")).to_be_hidden()
    model.select_option("film")
    expect(told).to_have_text("film reads the face too, where the camera is used.")
    expect(page.get_by_label("Use the camera")).not_to_be_checked()
    page.get_by_role("button", name="Listen to the microphone").click()
    expect(page.locator("#live-warning")).to_contain_text(
        "which a stream of sound has not: every answer is without it."
    )
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#live-state")).to_have_text("Not listening.")
    model.select_option("small")
    expect(told).to_have_text("Live uses sound alone, no camera.")
    expect(page.locator("#live-warning")).to_have_text("")


def test_live_tells_why_the_service_ends_it(page: Page, served: RunningService) -> None:
    page.get_by_role("tab", name="Live").click()
    page.get_by_role("button", name="Listen to the microphone").click()
    expect(page.locator("#live-state")).to_have_text("Listening.")
    until(page, lambda: served.engine.counts.streams == 1)
    leaving = served.engine.streams.leaving
    served.loop.call_soon_threadsafe(leaving.set)
    try:
        expect(page.get_by_role("alert")).to_have_text(str(Draining()))
        expect(page.locator("#live-state")).to_have_text("Not listening.")
        until(page, lambda: served.engine.counts.streams == 0)
    finally:
        served.loop.call_soon_threadsafe(leaving.clear)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_every_tab_can_be_used_by_all(
    browser: Browser, served: RunningService, clips: Path, scheme: str, width: int
) -> None:
    """axe-core's rules, and nothing beside the window at 390 pixels."""
    options = {
        "color_scheme": scheme,
        "viewport": {"width": width, "height": 844},
        "reduced_motion": "reduce",
    }
    with watched_page(browser, served.address, **options) as watched:
        page = watched.page
        expect(page.locator("html[data-ready]")).to_be_attached()
        check(page)
        page.locator("#gender").check()
        page.locator("summary", has_text="More choices").click()
        page.get_by_label("What is said").fill("the train was late")
        page.get_by_label("Compare with").select_option("small")
        predict(page, clips / "talk.wav")
        page.get_by_text("segments as a table").first.click()
        check(page)
        show_model(page, "small")
        check(page)
        watch(page)
        expect(page.locator("#live-square")).to_be_visible()
        check(page)
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#live-state")).to_have_text("Not listening.")
        small = page.locator("button, a, select, input, summary").evaluate_all(
            "all => all.filter(one => !one.closest('.bands, .hidden-input') && one.offsetParent && "
            "Math.min(one.offsetWidth, one.offsetHeight) < 24 && one.type !== 'checkbox').map(one => one.outerHTML)"
        )
        assert small == []
