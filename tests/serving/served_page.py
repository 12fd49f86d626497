"""The service's page in Chromium, watched; and the steps that its tests have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from browser import CHROMIUM

_FLAGS = (
    "--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-quic",
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
)  # fmt: skip


@contextmanager
def chromium(voice: Path, face: Path | None = None) -> Generator[Browser]:
    """The system's Chromium, whose microphone hears a WAV file once and whose camera sees a film (mjpeg) for ever."""
    expect.set_options(timeout=20_000)  # milliseconds: other tests run beside these
    with sync_playwright() as driver:
        flags = [
            *_FLAGS,
            f"--use-file-for-fake-audio-capture={voice}%noloop",
            *([] if face is None else [f"--use-file-for-fake-video-capture={face}"]),
        ]
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
    context = browser.new_context(**options)
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


def predict(page: Page, clip: Path | None = None) -> dict[str, Any]:
    """Choose a clip, press the button; what the service answered."""
    if clip is not None:
        page.locator("#file").set_input_files(clip)
    with page.expect_response(lambda answer: "detail=full" in answer.url) as answered:
        page.get_by_role("button", name="Predict").click()
    expect(page.get_by_role("region", name="Timeline")).to_be_focused()
    return answered.value.json()["timeline"]


def segments(page: Page, task: str = "emotion") -> Locator:
    return page.get_by_role("toolbar", name=f"Segments: {task}").get_by_role("button")


def media(page: Page) -> Locator:
    return page.locator("#result :is(audio, video)")


def seconds(page: Page) -> float:
    return media(page).evaluate("media => media.currentTime")


def until(page: Page, true: Callable[[], object], patience: float = 20.0) -> None:
    """Playwright's own waiting for a function is forbidden by the page's content policy."""
    end = time.monotonic() + patience
    while not true():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(30)


def share(inner: Locator, outer: Locator) -> tuple[float, float]:
    """From where to where, as shares of the outer one's width."""
    at, whole = inner.bounding_box(), outer.bounding_box()
    left = (at["x"] - whole["x"]) / whole["width"]
    return left, left + at["width"] / whole["width"]


def show_model(page: Page, name: str) -> None:
    """The second tab with a run's figures and map."""
    page.get_by_role("tab", name="Model").click()
    page.locator("#shown-model").select_option(name)
    expect(page.get_by_role("heading", name="Embedding map")).to_be_visible()
    expect(page.locator(".map")).to_be_visible()
    pictures = page.locator(".figures img")
    until(
        page, lambda: pictures.evaluate_all("all => all.length > 1 && all.every(one => one.naturalWidth > 0)")
    )


def check(page: Page) -> None:
    found = Axe().run(page)
    assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
