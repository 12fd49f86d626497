"""A page in headless Chromium, without a driver: a script is put into the page and tells what it sees in the DOM."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
_FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic", "--virtual-time-budget=8000", "--dump-dom",
)  # fmt: skip

# errors before anything else runs; then, in a frame of the wanted width, what sticks out of it and what is hard to read
_FIRST = """<script>
window.faults = [];
addEventListener("error", event => faults.push(String(event.message)));
addEventListener("unhandledrejection", event => faults.push(String(event.reason)));
console.error = (...words) => faults.push(words.join(" "));
</script>"""
_LAST = """<script>
addEventListener("load", () => {
  const wide = innerWidth, out = [], dim = [];
  const parse = text => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  for (const element of document.querySelectorAll("main *")) {
    if (!element.closest(".scroll, .wide") && element.getBoundingClientRect().right > wide + 1)
      out.push(element.tagName + ": " + element.textContent.trim().slice(0, 40));
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (own && !element.closest("svg")) {
      const [a, b] = [light(parse(getComputedStyle(element).color)), light(ground(element))];
      if ((Math.max(a, b) + .05) / (Math.min(a, b) + .05) < 4.5) dim.push(element.textContent.trim().slice(0, 40));
    }
  }
  const unsorted = [];
  for (const table of document.querySelectorAll("table.sortable")) {
    [...table.querySelectorAll("th")].forEach((heading, column) => {
      for (const way of [1, -1]) {
        heading.querySelector("button").click();
        const key = row => {
          const cell = row.cells[column];
          return "sort" in cell.dataset ? Number(cell.dataset.sort) : cell.textContent;
        };
        const keys = [...table.tBodies[0].rows].map(key);
        const down = heading.getAttribute("aria-sort") === "descending" ? -1 : 1;
        const order = (a, b) => down * (typeof a === "number" ? a - b : a.localeCompare(b));
        if (keys.some((value, i) => i && order(keys[i - 1], value) > 0)) unsorted.push(heading.textContent);
      }
    });
  }
  const report = {
    wide, dark: matchMedia("(prefers-color-scheme: dark)").matches, faults, unsorted, dim,
    scrolls: document.documentElement.scrollWidth > wide, out, figures: document.querySelectorAll("svg").length,
  };
  parent.document.title = JSON.stringify(report);
});
</script>"""


def look(page: Path, width: int, dark: bool, folder: Path) -> dict:
    """What the page says of itself at a width in CSS pixels: see the keys of ``report`` above."""
    text = (
        page.read_text("utf-8")
        .replace("<head>", f"<head>{_FIRST}", 1)
        .replace("</body>", f"{_LAST}</body>", 1)
    )
    frame = f'<iframe width="{width}" height="900" style="border:0" srcdoc="{html.escape(text)}"></iframe>'
    wrapper = folder / f"wrapper-{width}-{dark}.html"
    wrapper.write_text(f"<!doctype html><title>nothing</title><body style='margin:0'>{frame}", "utf-8")
    words = [
        str(CHROMIUM), *_FLAGS, f"--user-data-dir={folder / 'profile'}", f"--window-size={width + 100},1000",
        f"--blink-settings=preferredColorScheme={0 if dark else 1}", wrapper.resolve().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(words, capture_output=True, text=True, timeout=180)
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    if title is None or not title[1].startswith("{"):
        raise AssertionError(f"the page did not finish in Chromium: {done.stderr[-500:]}")
    return json.loads(html.unescape(title[1]))
