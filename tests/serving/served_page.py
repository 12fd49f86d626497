"""The service with its page in this process, and Chromium before it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from affuse.serving.about.about import About
from affuse.serving.app import create_app
from affuse.serving.engine import Engine
from affuse.serving.limits import Limits
from affuse.serving.security import Guard
from browser import CHROMIUM

TOKEN = "a-token-that-nobody-guesses"
_FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


@dataclass(frozen=True)
class Served:
    """Where the service is: open, and behind a token."""

    open: str
    guarded: str


@contextmanager
def served_page(models: Mapping[str, About], limits: Limits) -> Generator[Served]:
    """Two ports of one service; the second wants ``TOKEN``."""
    engine = Engine({name: about.folder for name, about in models.items()}, limits)
    app = create_app(engine, models)
    guarded = Guard(app, token=TOKEN, open_prefixes=("/page/",))
    servers = [
        uvicorn.Server(uvicorn.Config(one, port=0, log_level="error", access_log=False, lifespan=lifespan))
        for one, lifespan in ((app, "on"), (guarded, "off"))
    ]
    ready = threading.Event()

    async def serve() -> None:
        tasks = [asyncio.create_task(one.serve()) for one in servers]
        while not all(one.started for one in servers) and not any(one.done() for one in tasks):
            await asyncio.sleep(0.02)
        ready.set()
        await asyncio.gather(*tasks)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        assert ready.wait(60), "the service did not start"
        addresses = [f"http://127.0.0.1:{one.servers[0].sockets[0].getsockname()[1]}" for one in servers]
        yield Served(*addresses)
    finally:
        for one in servers:
            one.should_exit = True
        thread.join(30)


@contextmanager
def chromium(voice: Path) -> Generator[Browser]:
    """The system's Chromium, whose microphone hears a WAV file once."""
    with sync_playwright() as driver:
        flags = [*_FLAGS, f"--use-file-for-fake-audio-capture={voice}%noloop"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@dataclass
class Watched:
    """A page, and what it must not do: complain, or ask another host."""

    page: Page
    faults: list[str] = field(default_factory=list[str])
    refusals: bool = False  # whether the test asks for what the service refuses, which Chromium logs

    def heard(self, message: ConsoleMessage) -> None:
        expected = self.refusals and message.text.startswith("Failed to load resource")
        if message.type in ("error", "warning") and not expected:
            self.faults.append(message.text)

    def asked(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "ws://127.0.0.1:", "blob:", "data:")):
            self.faults.append(f"asked {url}")


@contextmanager
def watched_page(browser: Browser, address: str, **options: Any) -> Generator[Watched]:
    """The page, when it is ready."""
    context: BrowserContext = browser.new_context(**options)
    context.set_default_timeout(20_000)
    page = context.new_page()
    watched = Watched(page)
    page.on("console", watched.heard)
    page.on("pageerror", lambda error: watched.faults.append(str(error)))
    page.on("request", lambda request: watched.asked(request.url))
    page.on("websocket", lambda socket: watched.asked(socket.url))
    try:
        page.goto(address)
        yield watched
        assert watched.faults == [], watched.faults
    finally:
        context.close()
