"""Connections whose request does not come are closed; those on which something goes on are not."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Generator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from websockets.sync.client import connect

from affuse.serving.patience import PatientProtocol
from affuse.serving.server import open_socket, uvicorn_config
from serving.running_service import wait_until

PATIENCE = 0.5
HEAD = b"POST / HTTP/1.1\r\nHost: localhost\r\n"


class _Impatient(PatientProtocol):
    seconds = PATIENCE


async def _app(scope: Scope, receive: Receive, send: Send) -> None:
    """Says how long the body was, after a while; a WebSocket gets back what it sends."""
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": message["text"]})
        return
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(3 * PATIENCE)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture(scope="module")
def port() -> Generator[int]:
    config = uvicorn_config(_app, lifespan="off")
    config.http = _Impatient
    config.timeout_keep_alive = 60
    server, opened = uvicorn.Server(config), open_socket("127.0.0.1", 0)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[opened])), daemon=True)
    thread.start()
    wait_until(lambda: server.started)
    yield opened.getsockname()[1]
    server.should_exit = True
    thread.join(30)
    opened.close()


def read_to(connection: socket.socket, end: bytes) -> bytes:
    """An answer with this end of its body."""
    told = b""
    while not (b"\r\n\r\n" in told and told.endswith(end)):
        block = connection.recv(4096)
        assert block, told
        told += block
    return told


def is_closed(connection: socket.socket) -> bool:
    """Within a while, and without another byte."""
    connection.settimeout(20)
    return connection.recv(100) == b""


def test_a_connection_that_says_nothing_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        assert is_closed(connection)


def test_a_request_that_trickles_is_closed(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(HEAD)
        ended = threading.Event()

        def trickle() -> None:
            while not ended.wait(PATIENCE / 5):
                try:
                    connection.sendall(b"X-More: 1\r\n")
                except OSError:
                    return

        sending = threading.Thread(target=trickle)
        sending.start()
        connection.settimeout(20)
        try:
            assert connection.recv(100) == b""
        except ConnectionResetError:  # it was closed while a line was under way
            pass
        finally:
            ended.set()
            sending.join()


def test_the_next_request_is_waited_for_as_long(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\nab")
        assert read_to(connection, b"2").startswith(b"HTTP/1.1 200 ")
        connection.sendall(HEAD)
        assert is_closed(connection)


def test_what_goes_on_is_not_ended(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(HEAD + b"Content-Length: 4\r\n\r\n")
        for byte in b"slow":
            time.sleep(PATIENCE)
            connection.sendall(bytes([byte]))
        read_to(connection, b"4")  # and the answer took long too
    with connect(f"ws://127.0.0.1:{port}/", proxy=None) as stream:
        time.sleep(3 * PATIENCE)
        stream.send("still here")
        assert stream.recv() == "still here"


@pytest.mark.parametrize("nonsense", [b"\x16\x03\x01\x02\0\x01\0\r\n\r\n", HEAD + b"X: " + b"x" * 100_000])
def test_nonsense_is_a_problem(port: int, nonsense: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(nonsense)
        told = read_to(connection, b"}")
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["detail"].startswith("Invalid HTTP request received; ")
