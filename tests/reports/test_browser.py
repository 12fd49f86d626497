"""The report in headless Chromium: no error, nothing sticks out, all of it legible, every heading sorts."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.reports.pages.comparison import write_comparison_page
from browser import CHROMIUM, look
from comparison_folder import make_comparison

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory):
    losses = {"cross_entropy": 0.75, "center": 0.7, "cross_entropy+0.5*contrastive_center": 0.5}
    folder = make_comparison(
        tmp_path_factory.mktemp("browser") / "c", losses, tight=dict.fromkeys(losses, 2.0),
        on_test={"center": "epoch chosen on the test part"}, tasks=("emotion", "gender"),
    )  # fmt: skip
    return write_comparison_page(folder)


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_report_in_a_browser(page: Path, tmp_path: Path, width: int, dark: bool) -> None:
    seen = look(page, width, dark, tmp_path)
    assert (seen["wide"], seen["dark"]) == (width, dark)
    assert seen["faults"] == []
    assert seen["out"] == []
    assert not seen["scrolls"]
    assert seen["dim"] == []
    assert seen["unsorted"] == []
    assert seen["figures"] > 6


def test_the_check_can_fail(page: Path, tmp_path: Path) -> None:
    """It finds a wide element, a pale word and a script's error where they are put in."""
    text = page.read_text("utf-8").replace(
        "<main>", '<main><p style="width:2000px;max-width:none">wide</p><p style="color:#eee">pale</p>'
        "<script>console.error('broken'); lost();</script>",
    )  # fmt: skip
    bad = tmp_path / "bad.html"
    bad.write_text(text, "utf-8")
    seen = look(bad, 1280, False, tmp_path)
    assert "P: wide" in seen["out"]
    assert "pale" in seen["dim"]
    assert [fault.partition(":")[0] for fault in seen["faults"]] == ["broken", "Uncaught ReferenceError"]
