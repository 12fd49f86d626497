"""docs/robustness.md is true of the service: every line of its second table is sent to one."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import connect

from robustness.situations import Line, read_service_lines
from serving.running_service import RunningService, check_problem, wait_until

LINES = read_service_lines()
Answer = tuple[int, str]
Send = Callable[[RunningService, Path], Answer]


def _post(
    service: RunningService,
    files: dict[str, tuple[str, bytes]] | list[tuple[str, tuple[str, bytes]]],
    headers: dict[str, str] | None = None,
    **fields: str,
) -> Answer:
    answer = service.http.post("/v1/predict", data=fields, files=files, headers=headers)
    return _checked(answer)


def _checked(answer: Any) -> Answer:
    check_problem(answer, answer.status_code, "")
    return answer.status_code, answer.json()["detail"]


def _bytes(data: bytes, name: str = "talk.wav", field: str = "clip") -> Send:
    return lambda service, talk: _post(service, {field: (name, data)})


def _talk(headers: dict[str, str] | None = None, field: str = "clip", **fields: str) -> Send:
    return lambda service, talk: _post(service, {field: ("talk.wav", talk.read_bytes())}, headers, **fields)


def _words(**fields: str) -> Send:
    def send(service: RunningService, talk: Path) -> Answer:
        sound = ("talk.wav", talk.read_bytes())
        words = ("talk.txt", b"hello") if fields else sound
        return _post(service, {"clip": sound, "words": words}, **fields)

    return send


def _twice(service: RunningService, talk: Path) -> Answer:
    return _post(service, [("clip", ("a.wav", b"x")), ("clip", ("b.wav", b"y"))])


def _no_form(service: RunningService, talk: Path) -> Answer:
    return _checked(service.http.post("/v1/predict", content=talk.read_bytes()))


def _job_of_none(service: RunningService, talk: Path) -> Answer:
    return _checked(service.http.get("/v1/jobs/none"))


def _format(service: RunningService, talk: Path) -> Answer:
    job = service.submit(talk)
    try:
        return _checked(service.http.get(f"/v1/jobs/{job}/timeline?format=gif"))
    finally:
        service.http.delete(f"/v1/jobs/{job}")


def _stream(query: str, *messages: str | bytes) -> Send:
    def send(service: RunningService, talk: Path) -> Answer:
        url = f"ws{service.address.removeprefix('http')}/v1/stream{query}"
        with connect(url, proxy=None) as opened:
            for message in messages:
                opened.send(message)
            try:
                while (told := json.loads(opened.recv(60)))["type"] != "problem":
                    continue
            except ConnectionClosedError as error:
                return (0 if error.rcvd is None else error.rcvd.code), str(error)
        return told["status"], told["detail"]

    return send


SENT: dict[str, Send] = {
    "clip-text": _bytes(b"dear diary", "talk.txt"),
    "clip-empty": _bytes(b""),
    "clip-noise": _bytes(np.random.default_rng(0).bytes(3000)),
    "clip-playlist": _bytes(b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1/a.wav\n", "talk.m3u8"),
    "clip-elsewhere": _talk(field="file"),
    "clip-misspelt": _talk(field="clipp"),
    "clip-twice": _twice,
    "clip-no-form": _no_form,
    "words-sound": _words(),
    "words-two": _words(text="hello"),
    "model-misspelt": _talk(model="startr"),
    "task-misspelt": _talk(tasks="emotoin"),
    "window-nan": _talk(window="nan"),
    "window-huge": _talk(window="100000"),
    "hop-tiny": _talk(hop="0.000001"),
    "start-behind-the-end": _talk(start="100"),
    "recogniser-none": _talk(asr="true"),
    "accept-gif": _talk({"Accept": "image/gif"}),
    "host-of-others": _talk({"Host": "speech.example"}),
    "origin-of-others": _talk({"Origin": "http://speech.example"}),
    "job-unknown": _job_of_none,
    "format-unknown": _format,
    "stream-rate": _stream("?rate=7"),
    "stream-text": _stream("", "hello"),
    "stream-pictures-of-a-voice": _stream("?pictures=true"),
    "stream-picture-not-asked-for": _stream("", '{"type": "picture", "seconds": 1}'),
    "stream-no-container": _stream("?format=webm", b"dear diary " * 100, '{"type": "end"}'),
    "stream-huge": _stream("", bytes((1 << 20) + 2)),
}


def test_every_line_is_tried_and_every_trial_has_a_line() -> None:
    assert [line.name for line in LINES] == list(SENT)


@pytest.mark.parametrize("line", LINES, ids=[line.name for line in LINES])
def test_the_line_is_true(service: RunningService, talk: Path, line: Line) -> None:
    status, told = SENT[line.name](service, talk)
    assert status == int(line.outcome), told
    assert line.said, "the line quotes nothing of what the service says"
    for words in line.said:
        assert words in told
    wait_until(lambda: not service.uploads)
