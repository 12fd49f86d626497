"""Who may use the service, and what every answer says of itself and never says of the machine."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest
import soundfile
from starlette.types import Message, Receive, Scope, Send
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

import affuse
from affuse.errors import AffuseError
from affuse.serving.security import HEADERS, Guard
from affuse.serving.trace import content_kept_out
from serving.running_service import RunningService, check_problem, second_door, wait_until

TOKEN = "a-token-of-the-tests"


@pytest.fixture(scope="module")
def guarded(service: RunningService) -> Generator[RunningService]:
    """With a token, below a proxy's path, and reached by a name."""
    with second_door(service, token=TOKEN, root_path="/below", hosts=["speech.example"]) as one:
        yield one


def bearer(token: str = TOKEN) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_every_answer_has_the_headers(service: RunningService, guarded: RunningService, talk: Path) -> None:
    answers = [
        service.http.get("/healthz"), service.http.get("/openapi.json"), service.http.get("/nowhere"),
        service.http.post("/healthz"), service.predict(talk), service.predict(talk, window="no"),
        service.http.get("/healthz", headers={"Host": "evil.example"}), service.http.get("/"),
        service.http.post("/v1/jobs", headers={"Origin": "http://evil.example"}), guarded.http.get("/v1/models"),
        guarded.http.get("/", headers=bearer()), service.http.get("/page/nowhere.js"),
    ]  # fmt: skip
    assert {200, 401, 403, 404, 405, 421, 422} <= {one.status_code for one in answers}
    for answer in answers:
        for name, value in HEADERS.items():
            assert answer.headers[name] == value, (answer.request.url, name)
        assert answer.headers["cache-control"] in ("no-store", "no-cache")
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    assert "*" not in policy


def test_a_picture_has_a_policy_of_its_own(service: RunningService) -> None:
    for figure in service.http.get("/v1/models/starter").json()["figures"]:
        assert (
            service.http.get(f"/{figure['href']}")
            .headers["content-security-policy"]
            .startswith("default-src 'none'")
        )


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.7", "", "[::2]", "localhost.", "@"]
)
def test_another_name_of_the_machine_is_refused(service: RunningService, talk: Path, host: str) -> None:
    """DNS rebinding: a page whose name is made to lead here still sends that name."""
    check_problem(
        service.http.get("/v1/models", headers={"Host": host}), 421, "start it with --allow-host NAME"
    )
    check_problem(service.predict(talk, {"Host": host}), 421, "is not called")
    assert service.metric(r'affuse_requests_total\{method="GET",route="/v1/models",status="421"\}') == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8765", "localhost:80", "LOCALHOST", "[::1]:8765"])
def test_names_of_the_loopback_are_its_own(service: RunningService, host: str) -> None:
    assert service.http.get("/v1/models", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    ("server", "host", "status"),
    [
        ("192.0.2.2", "192.0.2.2:8765", 200),
        ("192.0.2.2", "192.0.2.2", 200),
        ("2001:db8::2", "[2001:db8:0::2]:8765", 200),
        ("192.0.2.2", "192.0.2.3:8765", 421),  # of another machine
        ("192.0.2.2", "evil.example:8765", 421),
        ("evil.example", "evil.example", 421),  # a name is none
        ("", "", 421),
    ],
)
def test_the_number_that_a_client_has_called_is_its_own(server: str, host: str, status: int) -> None:
    """``--host 0.0.0.0`` has as many addresses as the machine, which nobody lists."""
    told: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request"}

    scope = {"type": "http", "method": "GET", "path": "/", "server": (server, 8765) if server else None,
             "headers": [(b"host", host.encode())]}  # fmt: skip
    asyncio.run(Guard(app, ["0.0.0.0"])(scope, receive, send))
    assert told == [status]


def test_a_name_that_was_allowed_is_its_own(guarded: RunningService, service: RunningService) -> None:
    headers = {"Host": "speech.example"}
    assert guarded.http.get("/healthz", headers=headers).status_code == 200
    check_problem(service.http.get("/healthz", headers=headers), 421, "not called speech.example")


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Origin": "http://localhost"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
        {"Origin": "file://"}, {"Origin": "http://127.0.0.1:8765@evil.example"},
        {"Origin": "http://["}, {"Origin": "http://[::1"},
    ],
)  # fmt: skip
def test_a_page_of_another_site_changes_nothing(
    service: RunningService, talk: Path, headers: dict[str, str]
) -> None:
    id = service.submit(talk)
    check_problem(service.predict(talk, headers), 403, "A page of another site may not use this service.")
    check_problem(service.http.post("/v1/jobs", headers=headers), 403, "another site")
    check_problem(service.http.delete(f"/v1/jobs/{id}", headers=headers), 403, "another site")
    assert id in service.engine.jobs
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"ws{service.address.removeprefix('http')}/v1/stream", additional_headers=headers, proxy=None
        ),
    ):
        pass
    assert refused.value.response.status_code == 403
    assert service.http.delete(f"/v1/jobs/{id}").status_code == 204


def test_its_own_page_may(service: RunningService, talk: Path) -> None:
    for headers in (
        {"Origin": service.address},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert service.predict(talk, headers).status_code == 200
    assert service.http.options("/v1/predict", headers={"Origin": "http://evil.example"}).status_code == 405


def test_without_the_token_there_is_nothing(guarded: RunningService, talk: Path) -> None:
    wrong = [
        {}, bearer(TOKEN[:-1]), bearer(TOKEN + "x"), bearer("x"), {"Authorization": TOKEN},
        {"Authorization": f"Basic {TOKEN}"}, {"Authorization": "Bearer"}, {"Cookie": f"token={TOKEN}"},
        {"X-Token": TOKEN}, {"Authorization": b"Bearer \xff\xfe"},
    ]  # fmt: skip
    for headers in wrong:
        for path in (
            "/v1/models",
            "/v1/models/starter",
            "/metrics",
            "/openapi.json",
            "/v1/jobs/a",
            "/nowhere",
        ):
            answer = guarded.http.get(path, headers=headers)
            check_problem(answer, 401, "This service needs its token")
            assert answer.headers["www-authenticate"] == "Bearer"
            assert TOKEN not in answer.text
        check_problem(guarded.predict(talk, headers), 401, "needs its token")
    assert guarded.http.get("/v1/models", params={"token": TOKEN}).status_code == 401
    assert not guarded.uploads


def test_with_the_token_there_is_all(guarded: RunningService, talk: Path) -> None:
    for path in ("/v1/models", "/metrics", "/openapi.json"):
        assert guarded.http.get(path, headers=bearer()).status_code == 200
    assert guarded.predict(talk, {"Authorization": f"bearer {TOKEN}"}).status_code == 200
    for path in ("/healthz", "/readyz"):  # nothing of a model or clip is in them
        assert guarded.http.get(path).status_code == 200
    assert guarded.http.get("/openapi.json", headers=bearer()).json()["security"] == [{"token": []}]
    with affuse.Client(guarded.address, TOKEN) as client:
        assert client.predict(talk).segments
        with client.stream(16_000) as stream:
            assert stream.close() == []
    with affuse.Client(guarded.address) as client:
        with pytest.raises(AffuseError, match="needs its token"):
            client.models()
        with pytest.raises(AffuseError, match="This service needs its token; send it"):
            client.stream(16_000)
    lost = affuse.Client(f"{guarded.address}/nowhere", TOKEN)
    with lost, pytest.raises(AffuseError, match="look at its address and token"):
        lost.stream(16_000)


def test_a_browser_sends_the_token_of_a_stream_as_a_subprotocol(
    guarded: RunningService, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"ws{guarded.address.removeprefix('http')}/v1/stream"
    with connect(url, subprotocols=["affuse", f"bearer.{TOKEN}"], proxy=None) as socket:
        assert socket.subprotocol == "affuse"
        assert json.loads(socket.recv())["type"] == "ready"
    for wrong in (["affuse"], ["affuse", "bearer.x"]):
        with pytest.raises(InvalidStatus) as refused, connect(url, subprotocols=wrong, proxy=None):  # type: ignore[arg-type]
            pass
        assert refused.value.response.status_code == 401
        assert json.loads(refused.value.response.body)["detail"].startswith("This service needs its token")
        assert refused.value.response.headers["X-Content-Type-Options"] == "nosniff"
    guarded.http.get("/healthz")
    assert [one for one in caplog.records if one.name.startswith("uvicorn")] == []  # nobody fills the log


@pytest.mark.parametrize("prefix", ["", "/below"])
def test_it_works_below_a_proxys_path(guarded: RunningService, talk: Path, prefix: str) -> None:
    """Some proxies take their path off before they pass a request on, others do not."""
    assert guarded.http.get(f"{prefix}/healthz").status_code == 200
    assert guarded.http.get(f"{prefix}/v1/models", headers=bearer()).status_code == 200
    assert guarded.http.get(f"{prefix}/v1/models").status_code == 401
    with talk.open("rb") as file:
        made = guarded.http.post(f"{prefix}/v1/jobs", files={"clip": file}, headers=bearer())
    assert made.headers["location"] == f"/below/v1/jobs/{made.json()['id']}"
    with affuse.Client(guarded.address + prefix, TOKEN) as client:
        assert client.submit(talk).wait().segments
        with client.stream(16_000) as stream:
            assert stream.close() == []
    origin = {"Origin": "https://speech.example", "Host": "127.0.0.1", **bearer()}
    assert (
        guarded.http.delete(made.headers["location"].removeprefix("/below"), headers=origin).status_code
        == 204
    )


def test_no_answer_tells_a_path_of_the_machine(service: RunningService, talk: Path, tmp_path: Path) -> None:
    bad: dict[str, bytes] = {
        "text": b"no sound " * 50, "wav": talk.read_bytes()[:30], "zeros": bytes(5000),
        "mp4": b"\0\0\0\x18ftypmp42" + bytes(200), "jpg": b"\xff\xd8\xff\xe0" + bytes(300),
        "m3u8": b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nfile:///etc/passwd\n",
        "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
        "sdp": b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
    }  # fmt: skip
    bodies: list[str] = []
    for name, content in bad.items():
        for field in ("clip", "words"):
            files = {"clip": talk.read_bytes(), field: (f"{name}.{name}", content)}
            answer = service.http.post("/v1/predict", files=files)
            if field == "clip":
                check_problem(answer, 422, "The clip")
            bodies.append(answer.text)
    silent = tmp_path / "silent.wav"
    soundfile.write(silent, [0.0] * 16000, 16000)
    for fields in (
        {},
        {"start": "3"},
        {"track": "2"},
        {"channel": "9"},
        {"vad": "false"},
        {"detail": "full"},
    ):
        bodies.append(service.predict(silent, **fields).text)
        bodies.append(service.predict(talk, {"Accept": "text/csv"}, **fields).text)
    for path in ("/openapi.json", "/v1/models", "/v1/models/starter", "/metrics", "/nowhere", "/page/../../app.py",
                 "/page/%2e%2e/%2e%2e/app.py", "/page/..%2fapp.py"):  # fmt: skip
        bodies.append(service.http.get(path).text)
    secret = service.inner.state.service.folder
    for told in bodies:
        for path in (tempfile.gettempdir(), str(Path.home()) + "/", str(secret), str(Path(affuse.__file__).parent),
                     "root:", "Traceback", "site-packages"):  # fmt: skip
            assert path not in told, told[:2000]


def test_nothing_of_a_clip_is_logged(
    service: RunningService, talk: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    service.predict(talk, text="a very private sentence")
    service.http.post(
        "/v1/predict", files={"clip": ("private-name.wav", b"nothing")}, data={"text": "private"}
    )
    out, err = capfd.readouterr()
    mine = [one.getMessage() for one in caplog.records if not one.name.startswith(("httpx", "httpcore"))]
    assert "private" not in out + err + " ".join(mine)
    assert not any("/tmp" in one for one in mine)


def test_a_fault_of_ours_is_told_without_its_inside(
    service: RunningService, talk: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError(f"something at {talk}")

    monkeypatch.setattr(service.engine, "submit", fail)
    with content_kept_out():
        answer = service.predict(talk)
        wait_until(
            lambda: any(one.name == "uvicorn.error" for one in caplog.records)
        )  # the answer comes first
    (logged,) = [one for one in caplog.records if one.name == "uvicorn.error"]
    assert logged.getMessage().startswith("RuntimeError in ")
    assert " fail" in logged.getMessage()
    assert str(talk) not in caplog.text
    check_problem(answer, 500, "The service failed (RuntimeError)")
    assert str(talk) not in answer.text
    assert not service.uploads
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
