"""Uploads that are wrong, endless, slow or broken off: one sentence each, and no file is left."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from starlette.requests import Request
from starlette.types import Message

from affuse.serving.engine.fair import FairQueue
from affuse.serving.limits import Limits
from affuse.serving.space import Space
from affuse.serving.uploads import receive_upload
from serving.running_service import RunningService, check_problem, held_up, wait_until

BOUNDARY = b"bound-7d3"
HEAD = b'--bound-7d3\r\nContent-Disposition: form-data; name="clip"; filename="a.wav"\r\n\r\n'
END = b"\r\n--bound-7d3--\r\n"
KIND = "multipart/form-data; boundary=bound-7d3"


def form(*parts: tuple[str, str, bytes]) -> bytes:
    """(name, file name or "", content) each."""
    lines = b""
    for name, file, content in parts:
        named = f'; filename="{file}"' if file else ""
        lines += f'--bound-7d3\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'.encode()
        lines += content + b"\r\n"
    return lines + b"--bound-7d3--\r\n"


def post(service: RunningService, body: bytes | Iterator[bytes], kind: str = KIND) -> httpx2.Response:
    return service.http.post("/v1/predict", content=body, headers={"Content-Type": kind})


@contextmanager
def wire(service: RunningService, head: str, path: str = "predict") -> Generator[socket.socket]:
    """A connection on which a POST has begun."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as opened:
        opened.sendall(
            f"POST /v1/{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {KIND}\r\n{head}\r\n\r\n".encode()
        )
        yield opened


def answer_of(opened: socket.socket) -> bytes:
    told = b""
    while block := opened.recv(65536):
        told += block
    return told


@pytest.fixture(autouse=True)
def _nothing_is_left(service: RunningService) -> Iterator[None]:
    yield
    wait_until(lambda: not service.uploads and not service.engine.active)
    wait_until(lambda: service.inner.state.service.space.taken == 0)


@pytest.mark.parametrize(
    ("kind", "body", "status", "said"),
    [
        ("application/json", b"{}", 415, "Send the clip as multipart/form-data"),
        ("multipart/form-data", b"", 415, "Send the clip as multipart/form-data"),
        ("multipart/form-data; boundary=", b"", 415, "Send the clip as multipart/form-data"),
        ("", b"abc", 415, "Send the clip as multipart/form-data"),
        (KIND, b"", 400, "ends in the middle"),
        (KIND, b"no form at all", 400, "not the multipart form"),
        (KIND, HEAD + b"RIFF", 400, "ends in the middle"),
        (KIND, form(), 422, "There is no clip"),
        (KIND, form(("text", "", b"hello")), 422, "There is no clip"),
        (KIND, form(("clip", "a.wav", b"")), 422, "The clip is empty (0 bytes)"),
        (KIND, form(("clip", "a.wav", b"x"), ("clip", "b.wav", b"y")), 422, "The field 'clip' is there twice"),
        (KIND, form(("clip", "a.wav", b"x"), ("text", "", b"a"), ("text", "", b"b")), 422, "is there twice"),
        (KIND, form(("clip", "a.wav", b"x"), ("text", "", b"\xff\xfe")), 422, "is not UTF-8 text"),
        (KIND, form(("clip", "a.wav", b"x"), ("text", "", b"a" * 100_001)), 413, "more than 100,000 bytes"),
        (KIND, form(*((f"f{i}", "", b"") for i in range(50))), 422, "There is no 'f0' among the fields"),
        (KIND, form(("clipp", "a.wav", b"\xff\xfe")), 422, "fields of the form (did you mean 'clip'?)"),
        (KIND, form(("file", "a.wav", b"a" * 100_001)), 422, "There is no 'file' among the fields of the form"),
        (KIND, form(("", "", b"a"), ("clip", "a.wav", b"x")), 422, "''"),
        (KIND, form(("clip", "a.wav", b"no sound at all, but text")), 422, "The clip "),
        (KIND, form(("clip", "a.wav", b"RIFF\xff\xff\xff\xffWAVEfmt ")), 422, "The clip "),
        (KIND, form(("clip", "", b"http://127.0.0.1/a.wav")), 422, "The clip "),
        (KIND, form(("clip", "a.m3u8", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n")), 422, "The clip "),
    ],
)  # fmt: skip
def test_a_form_that_is_wrong_is_told_so(
    service: RunningService, kind: str, body: bytes, status: int, said: str
) -> None:
    answer = post(service, body, kind)
    check_problem(answer, status, said)
    if status == 415:
        assert answer.headers["accept-post"] == "multipart/form-data"


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a\\..\\b.wav", "n\0ul.wav", "a" * 3000, "лекция.wav", ".."]
)
def test_the_clients_name_is_never_used(service: RunningService, talk: Path, name: str) -> None:
    (folder,) = {service.inner.state.service.folder}
    around = set(folder.parent.rglob("*"))
    seen: set[str] = set()

    def body() -> Iterator[bytes]:
        whole = form(("words", name, b"Here we are."), ("clip", name, talk.read_bytes()))
        yield whole[:-100]
        wait_until(lambda: len(service.uploads) == 2)
        seen.update(one.name for one in service.uploads)
        yield whole[-100:]

    answer = post(service, body())
    assert answer.status_code == 200, answer.text
    assert len(seen) == 2
    assert all(set(one) <= set("0123456789abcdef") and len(one) == 32 for one in seen)
    wait_until(lambda: not service.uploads)
    assert set(folder.parent.rglob("*")) == around
    assert folder.parent.stat().st_mode & 0o077 == 0


def test_a_clip_that_is_too_large_is_refused_before_it_is_sent(service: RunningService) -> None:
    with wire(service, "Content-Length: 900000000") as opened:  # not a byte of it follows
        told = answer_of(opened)
    assert told.startswith(b"HTTP/1.1 413 ")
    assert b"larger than the 8,000,000 bytes" in told
    assert b'"kind":"limit"' in told


def test_nobody_sends_a_clip_for_which_there_is_no_room(
    service: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service.engine, "draining", True)
    with wire(service, "Content-Length: 7000000") as opened:  # and not a byte of it
        assert opened.recv(100).startswith(b"HTTP/1.1 503 ")
    monkeypatch.undo()
    crowded = FairQueue[object]()
    for _ in range(service.engine.limits.queue):
        crowded.put("127.0.0.1", object())
    monkeypatch.setattr(service.engine, "_waiting", crowded)
    with wire(service, "Content-Length: 7000000") as opened:
        assert opened.recv(100).startswith(b"HTTP/1.1 429 ")


def test_uploads_together_take_no_more_of_the_disk_than_they_may(
    service: RunningService, talk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = Space(2_000_000)
    monkeypatch.setattr(service.inner.state.service, "space", space)
    with wire(service, "Content-Length: 7000000"):  # alone: it fits, though it is larger
        wait_until(lambda: space.taken == 7_000_000)
    wait_until(lambda: space.taken == 0)
    with wire(service, "Content-Length: 1500000") as first:
        first.sendall(HEAD)  # what it may take counts, not what has come
        wait_until(lambda: space.taken == 1_500_000)
        for head in ("Content-Length: 600000", "Transfer-Encoding: chunked"):  # and not a byte of them
            with wire(service, head) as second:
                told = b""
                while not told.endswith(b"}"):
                    told += second.recv(4096)
            assert told.startswith(b"HTTP/1.1 503 ")
            assert b"retry-after: 10\r\n" in told.lower()
            assert b"The service has no room for the upload beside those" in told
        assert service.predict(talk).status_code == 200
        assert space.taken == 1_500_000
    wait_until(lambda: space.taken == 0)
    chunks = iter([form(("clip", "a.wav", talk.read_bytes()))])  # of a size that nobody says
    assert post(service, chunks).status_code == 200
    wait_until(lambda: space.taken == 0)


def test_an_upload_that_is_there_takes_what_its_files_have(tmp_path: Path) -> None:
    body = form(("words", "a.srt", b"Here we are."), ("clip", "a.wav", b"x" * 1000), ("text", "", b"hello"))
    chunks = iter([body[:500], body[500:], b""])

    async def receive() -> Message:
        data = next(chunks)
        return {"type": "http.request", "body": data, "more_body": bool(data)}

    headers = [
        (b"content-type", KIND.encode()),
        (b"transfer-encoding", b"chunked"),
        (b"content-length", b"5"),
    ]
    request = Request({"type": "http", "method": "POST", "headers": headers}, receive)
    space, limits = Space(10_000_000), Limits(bytes=1_000_000)
    known = ("clip", "words", "text")
    upload = asyncio.run(receive_upload(request, tmp_path, limits, space, known))
    assert space.taken == 1012
    upload.remove()
    upload.remove()
    assert space.taken == 0


def test_a_part_whose_head_does_not_end_is_refused(service: RunningService) -> None:
    """Heads of parts are held in memory."""
    check_problem(
        post(service, HEAD[:-4] + b"; x=" + b"y" * 100_000 + b"\r\n\r\na" + END), 400, "multipart form"
    )


def test_an_endless_upload_ends(service: RunningService) -> None:
    with wire(service, "Transfer-Encoding: chunked") as opened:
        sent, block = 0, b"\0" * 65536
        opened.sendall(b"%x\r\n%s\r\n" % (len(HEAD), HEAD))
        try:
            while sent < 200_000_000:
                opened.sendall(b"%x\r\n%s\r\n" % (len(block), block))
                sent += len(block)
        except (BrokenPipeError, ConnectionResetError):
            pass
    assert 8_000_000 <= sent < 40_000_000  # some of it was in the system's buffers


def test_an_endless_upload_is_told_why(service: RunningService) -> None:
    def body() -> Iterator[bytes]:
        yield HEAD
        for _ in range(140):
            yield b"\0" * 65536

    check_problem(post(service, body()), 413, "larger than the 8,000,000 bytes")


def test_a_slow_upload_ends(service: RunningService) -> None:
    with wire(service, "Content-Length: 1000000") as opened:
        opened.sendall(HEAD)
        began = time.monotonic()
        told = answer_of(opened)
    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"longer than 5 seconds" in told
    assert time.monotonic() - began >= 4


def test_an_upload_that_breaks_off_leaves_nothing(service: RunningService) -> None:
    with wire(service, "Content-Length: 1000000") as opened:
        opened.sendall(HEAD + b"\0" * 300_000)
        wait_until(lambda: bool(service.uploads))
    wait_until(lambda: not service.uploads)
    assert not service.engine.active


def test_a_job_whose_client_goes_before_its_answer_is_forgotten(service: RunningService, talk: Path) -> None:
    """Nobody has its id: nobody could stop it."""
    answered = r'affuse_requests_total\{method="POST",route="/v1/jobs",status="202"\}'
    count, known = service.metric(answered), set(service.engine.jobs)
    body = form(("clip", "a.wav", talk.read_bytes()))
    with held_up(service), wire(service, f"Content-Length: {len(body)}", "jobs") as opened:
        opened.sendall(body)
        opened.close()
    wait_until(lambda: service.metric(answered) == count + 1)
    assert service.engine.jobs.keys() <= known


def test_a_full_disk_is_told(service: RunningService, talk: Path) -> None:
    folder = service.inner.state.service.folder
    moved = folder.rename(folder.with_name("elsewhere"))
    try:
        check_problem(service.predict(talk), 507, "no room for the upload now")
    finally:
        moved.rename(folder)


def test_a_jobs_form_is_checked_in_the_same_way(service: RunningService) -> None:
    headers = {"Content-Type": KIND}
    for body, status, said in ((form(), 422, "There is no clip"), (b"", 400, "ends in the middle")):
        check_problem(service.http.post("/v1/jobs", content=body, headers=headers), status, said)
    body = form(("clip", "a.wav", b"no sound at all"))
    id = service.http.post("/v1/jobs", content=body, headers=headers).json()["id"]
    wait_until(lambda: service.http.get(f"/v1/jobs/{id}").json()["state"] == "failed")
    problem = service.http.get(f"/v1/jobs/{id}").json()["problem"]
    assert (problem["status"], problem["kind"]) == (422, "clip")
    assert problem["detail"].startswith("The clip ")
    check_problem(service.http.get(f"/v1/jobs/{id}/timeline"), 422, problem["detail"])
