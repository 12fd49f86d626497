"""The REST service behind a real server: every route, every format, every kind of error."""

from __future__ import annotations

import csv
import io
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import httpx2
import numpy as np
import pytest

from affuse.inference.timeline import Timeline
from affuse.inference.writers import AudacityWriter, CsvWriter, SrtWriter, VttWriter
from affuse.serving.formats import FORMATS
from serving.running_service import RunningService, check_problem, wait_until

TEXTS = {"vtt": VttWriter(), "srt": SrtWriter(), "csv": CsvWriter(), "txt": AudacityWriter()}

SLOW = {
    "window": "1",
    "hop": "0.05",
}  # so many windows that a clip takes longer than what a test does meanwhile


def close_to(value: Any) -> Any:
    """JSON whose numbers may differ in the last digit of probabilities."""
    if isinstance(value, dict):
        return {name: close_to(one) for name, one in value.items()}
    if isinstance(value, list):
        return [close_to(one) for one in value]
    return pytest.approx(value, abs=1.01e-4) if isinstance(value, float) else value


@pytest.fixture(scope="module")
def told(service: RunningService, talk: Path) -> dict[str, Any]:
    """All that there is to know of the recording."""
    answer = service.predict(talk, tasks="emotion,gender", detail="full")
    assert answer.status_code == 200
    return answer.json()


def test_json_is_what_the_command_writes(told: dict[str, Any], whole: Timeline) -> None:
    expected = whole.to_dict()
    del expected["clip"]
    more = {"moments", "words", "peaks", "faces"}
    assert set(told) == set(expected) | more
    assert {name: one for name, one in told.items() if name not in more} == close_to(expected)


def test_full_detail_is_what_the_library_has(told: dict[str, Any], whole: Timeline) -> None:
    assert len(told["moments"]) == len(whole.moments)
    for one, other in zip(told["moments"], whole.moments, strict=True):
        assert (one["start"], one["end"]) == pytest.approx((other.start, other.end), abs=6e-4)
        assert {task: one[task] for task in whole.spaces} == close_to(other.probabilities)
    np.testing.assert_allclose(told["peaks"]["values"], whole.peaks, atol=6e-4)
    assert told["peaks"]["seconds"] == 0.05
    assert told["faces"] == told["words"] == []


def test_the_segments_alone_are_told_unless_more_is_asked_for(service: RunningService, talk: Path) -> None:
    answer = service.predict(talk)
    assert answer.headers["content-type"] == "application/json"
    assert not {"moments", "peaks", "clip", "gender"} & set(answer.json())
    assert list(answer.json()["labels"]) == ["emotion"]


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_those_of_the_writers(
    service: RunningService, talk: Path, whole: Timeline, name: str
) -> None:
    kind = FORMATS[name].media_type
    answer = service.predict(talk, {"Accept": kind}, tasks="emotion,gender")
    assert answer.status_code == 200
    charset = "; charset=utf-8" if kind.startswith("text/") else ""
    assert answer.headers["content-type"] == kind + charset
    assert answer.headers["vary"] == "Accept"
    expected = TEXTS[name].text(whole)
    if name != "csv":
        assert answer.text == expected
        return
    mine, other = (list(csv.reader(io.StringIO(text))) for text in (answer.text, expected))
    assert mine[0] == other[0]
    for row, another in zip(mine[1:], other[1:], strict=True):
        for cell, expected_cell in zip(row, another, strict=True):
            if expected_cell == whole.clip:
                assert cell == "clip"  # what every client's clip is called
                continue
            try:
                assert float(cell) == pytest.approx(float(expected_cell), abs=1.01e-4)
            except ValueError:
                assert cell == expected_cell


def test_a_picture_is_drawn(service: RunningService, talk: Path) -> None:
    answer = service.predict(talk, {"Accept": "image/png"})
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert min(picture.shape[:2]) > 200
    assert picture.std() > 10  # not one colour


@pytest.mark.parametrize(
    ("accept", "name"),
    [
        ("*/*", "json"), ("application/*", "json"), ("text/*", "vtt"), ("text/csv, text/vtt;q=0.9", "csv"),
        ("text/html, application/json;q=0.1", "json"), ("image/*;q=0.2, text/plain", "txt"), ("", "json"),
    ],
)  # fmt: skip
def test_accept_chooses(service: RunningService, talk: Path, accept: str, name: str) -> None:
    id = done_job(service, talk)
    answer = service.http.get(f"/v1/jobs/{id}/timeline", headers={"Accept": accept})
    assert answer.headers["content-type"].partition(";")[0] == FORMATS[name].media_type


def done_job(service: RunningService, clip: Path, **fields: str) -> str:
    id = service.submit(clip, **fields)
    wait_until(lambda: service.http.get(f"/v1/jobs/{id}").json()["state"] == "done")
    return id


def events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))
        else:
            assert line == "" or line.startswith(":"), line


def test_a_job_tells_of_itself_in_order(service: RunningService, long_talk: Path, talk: Path) -> None:
    with long_talk.open("rb") as file:
        made = service.http.post("/v1/jobs", files={"clip": file})
    assert made.status_code == 202
    id = made.json()["id"]
    assert made.headers["location"] == f"/v1/jobs/{id}"
    assert len(id) >= 20
    assert "timeline" not in made.json()
    with service.http.stream("GET", f"/v1/jobs/{id}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        assert stream.headers["cache-control"] == "no-store"
        told = list(events(stream.iter_lines()))
    assert [name for name, _ in told] == ["state"] * (len(told) - 1) + ["done"]
    order = ["queued", "reading", "hearing", "predicting", "done"]
    places = [order.index(one["state"]) for _, one in told]
    assert places == sorted(places)
    done = [one["windows_done"] for _, one in told]
    assert done == sorted(done)
    assert len(set(done)) > 2  # of some forty windows
    assert told[-1][1]["windows"] == done[-1]
    assert all(one["id"] == id and "timeline" not in one for _, one in told)
    with service.http.stream("GET", f"/v1/jobs/{id}/events") as stream:  # again: the end is still known
        assert [name for name, _ in events(stream.iter_lines())] == ["done"]


def test_a_jobs_timeline_is_a_file_in_every_format(
    service: RunningService, talk: Path, told: dict[str, Any], whole: Timeline
) -> None:
    id = done_job(service, talk, tasks="emotion,gender")
    state = service.http.get(f"/v1/jobs/{id}", params={"detail": "full"}).json()
    assert state["timeline"] == close_to(told)
    assert (state["state"], state["model"], state["position"], state["problem"]) == (
        "done",
        "starter",
        None,
        None,
    )
    for name, one in FORMATS.items():
        answer = service.http.get(f"/v1/jobs/{id}/timeline", params={"format": name})
        assert answer.headers["content-type"].partition(";")[0] == one.media_type
        assert answer.headers["content-disposition"] == f'attachment; filename="timeline{one.suffix}"'
        if name in ("vtt", "srt", "txt"):
            assert answer.text == TEXTS[name].text(whole)
    assert service.http.delete(f"/v1/jobs/{id}").status_code == 204
    for path in ("", "/timeline", "/events"):
        check_problem(service.http.get(f"/v1/jobs/{id}{path}"), 404, "There is no such job")
    check_problem(service.http.delete(f"/v1/jobs/{id}"), 404, "There is no such job")


def test_delete_stops_the_work_and_removes_the_clip(service: RunningService, long_talk: Path) -> None:
    before = service.metric(r'affuse_clips_total\{model="starter",state="cancelled"\}')
    id = service.submit(long_talk, **SLOW)
    job = service.engine.jobs[id]
    check_problem(service.http.get(f"/v1/jobs/{id}/timeline"), 409, "not finished")
    assert service.uploads
    assert service.http.delete(f"/v1/jobs/{id}").status_code == 204
    assert job.state == "cancelled"
    assert not service.engine.active
    wait_until(lambda: not service.uploads)
    answered = job.windows_done
    time.sleep(0.3)
    assert job.windows_done == answered
    assert service.metric(r'affuse_clips_total\{model="starter",state="cancelled"\}') == before + 1


def test_a_client_that_goes_away_ends_its_work(service: RunningService, long_talk: Path) -> None:
    request = httpx2.Request(
        "POST", f"{service.address}/v1/predict", files={"clip": long_talk.read_bytes()}, data=SLOW
    )
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    with socket.create_connection(("127.0.0.1", service.port)) as wire:
        wire.sendall(f"POST /v1/predict HTTP/1.1\r\n{head}\r\n".encode() + request.read())
        wait_until(lambda: bool(service.engine.active))
        (job,) = service.engine.active
    wait_until(lambda: job.final)
    assert job.state == "cancelled"
    wait_until(lambda: not service.uploads)


def test_beyond_the_queue_there_is_no_room(service: RunningService, long_talk: Path) -> None:
    ids: list[str] = []
    try:
        answers: list[httpx2.Response] = []
        while not answers or (answers[-1].status_code == 202 and len(answers) < 30):
            with long_talk.open("rb") as file:
                answers.append(service.http.post("/v1/jobs", files={"clip": file}, data=SLOW))
        ids = [one.json()["id"] for one in answers if one.status_code == 202]
        refused = [one for one in answers if one.status_code != 202]
        assert refused
        check_problem(refused[-1], 429, "Too many clips wait already; try again in ")
        assert 1 <= int(refused[-1].headers["retry-after"]) <= 60
        places = [service.http.get(f"/v1/jobs/{id}").json()["position"] for id in ids]
        waiting = [place for place in places if place is not None]
        assert waiting == sorted(waiting)
        assert waiting[:1] in ([], [1])
        assert service.metric("affuse_queued") == len(service.engine._waiting) <= 4
    finally:
        for id in ids:
            service.http.delete(f"/v1/jobs/{id}")
    wait_until(lambda: not service.uploads)


def test_models_tell_what_they_are(service: RunningService) -> None:
    (model,) = service.http.get("/v1/models").json()["models"]
    assert model["name"] == "starter"
    assert list(model["tasks"]) == ["emotion", "gender"]
    one = service.http.get("/v1/models/starter").json()
    assert {name: one[name] for name in model} == model
    assert one["card"].lstrip().startswith(("---", "#"))
    assert one["licences"]["verdict"]
    assert one["trained_on"]
    for figure in one["figures"]:
        answer = service.http.get(f"/{figure['href']}")
        assert answer.headers["content-type"] == "image/svg+xml"
        assert figure["title"]
        assert figure["alt"]
    for path in ("v1/models/nobody", "v1/models/starter/figures/99.svg", "v1/models/starter/map",
                 "v1/models/starter/utterances/a"):  # fmt: skip
        answer = service.http.get(f"/{path}")
        check_problem(answer, 404, answer.json()["detail"])


def test_it_can_be_watched(service: RunningService, talk: Path) -> None:
    assert service.http.get("/healthz").json() == {"status": "ok"}
    assert service.http.get("/readyz").json() == {"status": "ready"}
    labels = r'affuse_requests_total\{method="POST",route="/v1/predict",status="200"\}'
    clips = r'affuse_clips_total\{model="starter",state="done"\}'
    seconds = r'affuse_media_seconds_total\{model="starter"\}'
    before = [service.metric(one) for one in (labels, clips, seconds)]
    assert service.predict(talk).status_code == 200
    wait_until(lambda: service.metric(clips) == before[1] + 1)
    assert service.metric(labels) == before[0] + 1
    assert service.metric(seconds) == pytest.approx(before[2] + 11.8)
    assert service.metric("affuse_running") == service.metric("affuse_queued") == 0
    service.http.get("/v1/jobs/a-secret-of-somebody")
    told = service.http.get("/metrics").text
    assert "a-secret-of-somebody" not in told
    assert 'route="/v1/jobs/{id}",status="404"' in told
    for method in ("MADE", "UP"):  # by somebody who wants a counter for each
        assert service.http.request(method, "/v1/models").status_code == 405
    told = service.http.get("/metrics").text
    assert "MADE" not in told
    assert 'method="other",route="/v1/models",status="405"} 2.0' in told


def test_what_is_not_there_is_a_problem(service: RunningService, talk: Path) -> None:
    check_problem(service.http.get("/v2/predict"), 404, "There is nothing at /v2/predict")
    refused = service.http.get("/v1/predict")
    check_problem(refused, 405, "does not take GET")
    assert refused.headers["allow"] == "POST"
    check_problem(service.predict(talk, {"Accept": "text/html"}), 406, "Accept names none of them")
    id = done_job(service, talk)
    check_problem(
        service.http.get(f"/v1/jobs/{id}/timeline", params={"format": "mp4"}), 422, "format takes json"
    )
    check_problem(
        service.http.get(f"/v1/jobs/{id}", params={"detail": "all"}), 422, "detail takes segments or full"
    )


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"model": "nobody"}, "There is no 'nobody' among the models of this service"),
        ({"windw": "2"}, "did you mean 'window'"),
        ({"tasks": "mood"}, "There is no 'mood' among the tasks"),
        ({"tasks": ","}, "tasks names none of the model's tasks"),
        ({"window": "two"}, "window takes a number"),
        ({"window": "-1"}, "window takes seconds above 0"),
        ({"window": "nan"}, "window takes seconds above 0"),
        ({"channel": "1.5"}, "channel takes a whole number"),
        ({"vad": "perhaps"}, "vad takes true or false"),
        ({"unsure": "7"}, "unsure takes a number from 0 to 1"),
        ({"side": "middle"}, "side takes left or right"),
        ({"face": "0.5"}, "face takes two numbers"),
        ({"face": "2,0.5"}, "face takes two numbers"),
        ({"classes": "hunger,anger"}, "hunger"),
        ({"asr": "true"}, "has no recogniser here"),
        ({"asr": "openai/whisper-large"}, "asr takes true or false"),
        ({"device": "cuda"}, "There is no 'device' among the fields of the form"),
        ({"detector": "/etc/passwd"}, "There is no 'detector' among the fields of the form"),
        ({"detail": "all"}, "detail takes segments or full"),
        ({"start": "20"}, "20"),
        ({"start": "5", "end": "2"}, "2"),
        ({"hop": "0.001", "window": "1"}, "begin every 0.001 s, and the service takes 0.05 s at least"),
        ({"window": "1e9"}, "A window would last 1e+09 s, and the service takes 60 s at most"),
        ({"window": "0.01"}, "begin every 0.005 s"),
        ({"channel": "7"}, "channel"),
        ({"track": "3"}, "track"),
    ],
)  # fmt: skip
def test_wrong_fields_are_told_and_leave_nothing(
    service: RunningService, talk: Path, fields: dict[str, str], said: str
) -> None:
    answer = service.predict(talk, **fields)
    check_problem(answer, 422, said)
    wait_until(lambda: not service.uploads)


def test_words_are_sent_as_text_or_as_a_file(service: RunningService, talk: Path) -> None:
    told = service.predict(talk, text="What a wonderful day.", detail="full").json()
    assert [one["text"] for one in told["words"]] == ["What", "a", "wonderful", "day."]
    for name, words in {
        "a.srt": "1\n00:00:00,100 --> 00:00:02,000\nI am here\n",
        "b.JSON": '{"segments": [{"start": 0.1, "end": 2.0, "text": " I am here"}]}',
        "c.csv": "start,end,text\n0.1,2.0,I am here\n",
        "no-ending": "I am here",
    }.items():
        files = {"clip": talk.read_bytes(), "words": (name, words.encode())}
        answer = service.http.post("/v1/predict", data={"detail": "full"}, files=files)
        assert answer.status_code == 200, answer.text
        assert [one["text"] for one in answer.json()["words"]] == ["I", "am", "here"], name
    files = {"clip": talk.read_bytes(), "words": ("a.srt", b"1\n00:00:00,100 --> 00:00:02,000\n\n")}
    refused = service.http.post("/v1/predict", files=files)
    check_problem(refused, 422, "The file of words has no ")
    both = service.http.post("/v1/predict", data={"text": "Here."}, files=files)
    check_problem(both, 422, "send one of them")
    wait_until(lambda: not service.uploads)
