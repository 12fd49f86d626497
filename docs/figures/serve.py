r"""Make docs/figures/serve-wide.png and serve-phone.png, the service's page with a film's timeline, by Chromium.

The people in the film are drawn and their voices made by a program (a minute on two cores); the starter hears the
voices and reads the words that it is given. Run from the repository root:

    affuse prepare generated corpora/generated --turns 480 --sessions 4 --dialogs 6
    python docs/figures/serve.py corpora/generated
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import av
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from affuse.corpora.corpus import Corpus

PICTURES = Path(__file__).parent
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync")
DIALOG, SECONDS = "Ses01F_impro01", 30.0
SIZES = {"wide": (1280, 1290), "phone": (390, 1240)}


def main(corpus: Path) -> None:
    if CHROMIUM is None:
        sys.exit("The pictures need Chromium; install it.")
    turns = [one for one in Corpus.load(corpus).utterances() if one.id.startswith(DIALOG)]
    turns = sorted((one for one in turns if one.video_end < SECONDS), key=lambda one: one.video_start)
    words = " ".join(str(one.text) for one in turns)
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "two-people.mp4"
        cut(Path(str(turns[0].video)), film)
        command = [sys.executable, "-m", "affuse", "serve", "--port", "0"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as service:
            try:
                address = next(found[0] for line in service.stderr if (found := re.search(r"http\S+", line)))
                with sync_playwright() as driver:
                    browser = driver.chromium.launch(executable_path=CHROMIUM, args=list(FLAGS))
                    for name in SIZES:
                        shoot(browser, address, film, words, name)
            finally:
                service.terminate()


def cut(source: Path, target: Path) -> None:
    """The first seconds, in what every browser plays."""
    with av.open(str(source)) as film, av.open(str(target), "w") as copy:
        pictures, sound = film.streams.video[0], film.streams.audio[0]
        video = copy.add_stream("libx264", rate=pictures.average_rate, options={"crf": "20"})
        video.width, video.height, video.pix_fmt = pictures.width, pictures.height, "yuv420p"
        audio = copy.add_stream("aac", rate=sound.rate)
        for frame in film.decode(pictures, sound):
            if frame.time >= SECONDS:
                continue
            if isinstance(frame, av.VideoFrame):
                frame.pict_type = 0
                copy.mux(video.encode(frame))
            else:
                copy.mux(audio.encode(frame))
        copy.mux(video.encode(None))
        copy.mux(audio.encode(None))


def shoot(browser: Browser, address: str, film: Path, words: str, name: str) -> None:
    width, height = SIZES[name]
    page = browser.new_context(viewport={"width": width, "height": height}, color_scheme="light").new_page()
    page.goto(address)
    page.locator("html[data-ready]").wait_for(state="attached")
    page.locator("#file").set_input_files(film)
    page.get_by_label("What is said").fill(words)
    page.get_by_role("button", name="Predict").click()
    page.get_by_role("region", name="Timeline").wait_for(timeout=120_000)
    page.locator("#result video").evaluate("film => { film.currentTime = 11 }")
    page.wait_for_timeout(1500)
    page.locator("#result").evaluate("one => one.scrollIntoView()")
    path = PICTURES / f"serve-{name}.png"
    page.screenshot(path=path)
    Image.open(path).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(path, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
