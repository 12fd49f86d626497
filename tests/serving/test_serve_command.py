"""``affuse serve`` as a process of its own: how it begins, drains, ends, and what is left when it is killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx2
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

import affuse as package
from affuse.errors import AffuseError
from affuse.serving.server import open_socket
from command import affuse
from serving.running_service import check_problem, wait_until

TOKEN = "a-token-of-the-tests"


class Served:
    """The process, and where it listens."""

    def __init__(
        self, process: subprocess.Popen[bytes], address: str, http: httpx2.Client, temporary: Path
    ) -> None:
        self.process, self.address, self.http, self.temporary = process, address, http, temporary

    @property
    def said(self) -> str:
        return (self.temporary / "log").read_text()

    @property
    def folders(self) -> list[Path]:
        """The private ones."""
        return list(self.temporary.glob("affuse-serve-*"))

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def served(temporary: Path, *words: str, **environment: str) -> Generator[Served]:
    source = str(Path(package.__file__).parents[1])
    log = temporary / "log"
    with log.open("w") as written:
        process = subprocess.Popen(
            [sys.executable, "-m", "affuse", "serve", "--port", "0", "--limit", "decoders=2", *words],
            stdout=written, stderr=written,
            env=os.environ | {"PYTHONPATH": source, "TMPDIR": str(temporary), **environment},
        )  # fmt: skip
    try:
        wait_until(lambda: "Serving" in log.read_text() or process.poll() is not None, 300)
        found = re.search(r"http://\S+", log.read_text())
        assert found is not None, log.read_text()
        with httpx2.Client(base_url=found[0], timeout=60.0, trust_env=False) as http:
            yield Served(process, found[0], http, temporary)
    finally:
        process.kill()
        process.wait()


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory, long_talk: Path) -> Path:
    """The temporary folder of a service that was killed while it read a clip."""
    temporary = tmp_path_factory.mktemp("temporary")
    with served(temporary) as one:
        children = one.children()
        assert len(alive(children)) >= 3  # two decoders, and one with the weights
        assert one.http.post("v1/jobs", files={"clip": long_talk.read_bytes()}).status_code == 202
        one.process.kill()
        one.process.wait()
        wait_until(lambda: not alive(children))
        (folder,) = one.folders
        assert list((folder / "uploads").iterdir())  # nobody was there to delete it
    return temporary


def test_it_begins_drains_and_ends(left: Path, long_talk: Path) -> None:
    (old,) = left.glob("affuse-serve-*")
    with served(left, "--root-path", "/below", AFFUSE_TOKEN=TOKEN) as one, ExitStack() as opened:
        assert not old.exists()  # what the killed one had left
        assert one.said.startswith("Serving starter on http://127.0.0.1:")
        assert one.address.endswith("/below/")
        one.http.headers["Authorization"] = f"Bearer {TOKEN}"
        assert one.http.get("readyz").status_code == 200
        assert one.http.get("v1/models", headers={"Authorization": ""}).status_code == 401
        assert len(one.folders) == 1
        children = one.children()
        answers: list[httpx2.Response] = []
        clip = long_talk.read_bytes()

        def predict() -> None:
            many = {"window": "1", "hop": "0.1"}
            answers.append(one.http.post("v1/predict", files={"clip": clip}, data=many))

        url = f"ws{one.address.removeprefix('http')}v1/stream"
        token = {"Authorization": f"Bearer {TOKEN}"}
        live = opened.enter_context(connect(url, additional_headers=token, proxy=None))
        assert json.loads(live.recv())["type"] == "ready"
        asking = threading.Thread(target=predict)
        asking.start()
        wait_until(lambda: "affuse_running 1.0" in one.http.get("metrics").text)
        one.process.send_signal(signal.SIGTERM)
        assert json.loads(live.recv(30))["detail"].startswith("The service is about to end")
        with pytest.raises(ConnectionClosed) as ended:
            live.recv(30)
        assert ended.value.rcvd is not None
        assert ended.value.rcvd.code == 1012
        wait_until(lambda: one.http.get("readyz").status_code == 503)
        refused = one.http.post("v1/jobs", files={"clip": b"RIFF"})
        check_problem(refused, 503, "about to end and takes no new clips")
        assert int(refused.headers["retry-after"]) > 0
        assert one.http.get("healthz").status_code == 200
        asking.join(60)
        assert answers[0].status_code == 200
        assert answers[0].json()["segments"]
        assert one.process.wait(30) == 0
        wait_until(lambda: not alive(children))
        assert one.folders == []
        assert one.said.count("\n") == 1  # nothing was logged
    with pytest.raises(httpx2.TransportError):
        httpx2.get(one.address, trust_env=False)


def test_a_second_signal_ends_it_at_once(tmp_path: Path, long_talk: Path) -> None:
    with served(tmp_path) as one:
        children = one.children()
        many = {"window": "1", "hop": "0.05", "vad": "false"}
        job = one.http.post("v1/jobs", files={"clip": long_talk.read_bytes()}, data=many).json()["id"]
        with one.http.stream("GET", f"v1/jobs/{job}/events") as events:  # somebody who listens to the end
            assert next(events.iter_lines()).startswith("event: ")
            one.process.send_signal(signal.SIGINT)
            wait_until(lambda: httpx2.get(f"{one.address}readyz", trust_env=False).status_code == 503)
            one.process.send_signal(signal.SIGINT)
            assert one.process.wait(30) == 130
        wait_until(lambda: not alive(children))
        assert one.folders == []
        assert "Traceback" not in one.said


def test_an_end_before_it_listens_is_told_in_a_word(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "affuse", "serve", "--port", "0"],
        stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(package.__file__).parents[1]), "TMPDIR": str(tmp_path)},
        # tests that run in a shell's background inherit an ignored Ctrl-C, and would hand it on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        wait_until(lambda: bool(psutil.Process(process.pid).children()), 120)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.strip() == "Interrupted."


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0 opens the service to other machines; give it a --token"),
        (["--host", "192.168.1.7"], "say --no-token if everybody"),
        (["--token", "short"], "--token takes at least 16 letters"),
        (["--token", "with spaces in between it"], "--token takes at least 16 letters"),
        (["--limit", "seconds"], "--limit takes NAME=NUMBER"),
        (["--limit", "secnds=5"], "did you mean 'seconds'"),
        (["--limit", "seconds=-5"], "--limit seconds=-5: "),
        (["--limit", "decoders=1"], "--limit decoders=1: "),
        (["nowhere/model"], "nowhere/model"),
        (["--asr", "nowhere/asr"], "The recogniser 'nowhere/asr' is not on this machine, and the Hub cannot be"),
        (["--asr", "./nowhere"], "There is no transformers model in nowhere"),
        (["--corpus", "nowhere"], "nowhere"),
        (["--port", "99999"], "port"),
        (["--workers", "0"], "workers"),
        (["--device", "abacus"], "abacus"),
        (["--root-path", "below"], "--root-path"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_sentence(
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AFFUSE_TOKEN", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    port = [] if "--port" in words else ["--port", "0"]
    ran = affuse(capsys, monkeypatch, "serve", *port, *words)
    assert ran.code == 2, ran
    assert said in " ".join(ran.err.split())
    assert "Traceback" not in ran.err
    assert ran.out == ""
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = affuse(capsys, monkeypatch, "serve", "--port", port)
    assert ran.code == 2
    assert (
        f"127.0.0.1:{port} cannot be listened on (address already in use); choose another --port" in ran.err
    )


def test_a_port_is_taken_while_the_models_are_loaded() -> None:
    """Two services that are begun together: one of them fails at once, not when its models are there."""
    with open_socket("127.0.0.1", 0) as first, pytest.raises(AffuseError, match="address already in use"):
        open_socket("127.0.0.1", first.getsockname()[1])


def test_its_help_names_every_option(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    told = affuse(capsys, monkeypatch, "serve", "--help").out
    for option in ("--host", "--port", "--token", "--no-token", "--allow-host", "--root-path", "--proxy", "--workers",
                   "--asr", "--corpus", "--limit", "--device"):  # fmt: skip
        assert option in told
