"""Make docs/figures/timeline.png and docs/figures/report.png, the pictures of the README and the start page.

Both come from affuse's commands on the generated corpus. Needs Chromium for the report, and about a quarter of an hour.

Run from the repository root: python docs/figures/first_screen.py WORK_FOLDER
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

import affuse
from affuse.corpora.corpus import Corpus

FIGURES = Path(__file__).parent
DIALOG = "Ses01F_impro01"  # of a session that the model below was not trained on
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def run(*words: object) -> None:
    subprocess.run([sys.executable, "-m", "affuse", *map(str, words)], check=True)


def subtitles(corpus: Corpus, path: Path) -> None:
    """The words of the dialog, as the corpus has them, as an SRT file."""
    turns = corpus.table[corpus.table["dialog"] == DIALOG].sort_values("video_start")
    clock = "{:02.0f}:{:02.0f}:{:06.3f}".format
    cues = []
    for number, turn in enumerate(turns.itertuples(), 1):
        times = [clock(0, at // 60, at % 60).replace(".", ",") for at in (turn.video_start, turn.video_end)]
        cues.append(f"{number}\n{times[0]} --> {times[1]}\n{turn.text}\n")
    path.write_text("\n".join(cues), encoding="utf-8")


def shrink(picture: Path, width: int) -> None:
    """The picture in at most ``width`` pixels across."""
    image = Image.open(picture).convert("RGB")
    image.thumbnail((width, image.height), Image.Resampling.LANCZOS)
    image.save(picture, optimize=True)  # fewer colours would give two labels of the legend the same one


def main(work: Path) -> None:
    corpus, runs = work / "corpus", work / "runs"
    if not corpus.exists():
        run("prepare", "generated", corpus, "--turns", 400)
    run(
        "train",
        "demo-server-face",
        corpus,
        "--out",
        runs / "one",
        "--fold",
        0,
        "--set",
        "tasks.gender.loss=cross_entropy",
    )
    subtitles(affuse.Corpus.load(corpus), work / f"{DIALOG}.srt")
    film = corpus / "release/Session1/dialog/avi/DivX" / f"{DIALOG}.avi"
    timelines = work / "timelines"
    run("predict", runs / "one", film, "--out", timelines, "--plot", "--side", "left", "--window", 2,
        "--text", work / f"{DIALOG}.srt", "--overwrite")  # fmt: skip
    shutil.copy(timelines / f"{DIALOG}.png", FIGURES / "timeline.png")
    shrink(FIGURES / "timeline.png", 1200)

    if not (runs / "losses" / "report.html").exists():
        losses = "loss=cross_entropy,center,cross_entropy+center"
        run(
            "compare",
            "demo-3m-ser",
            corpus,
            "--out",
            runs / "losses",
            "--over",
            losses,
            "--over",
            "seed=0,1,2",
        )
    run("report", runs / "losses")
    if CHROMIUM is None:
        sys.exit("The picture of the report needs Chromium.")
    page = (runs / "losses" / "report.html").resolve()
    subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--hide-scrollbars", "--force-device-scale-factor=1.25",
         "--window-size=1100,900", "--virtual-time-budget=8000",
         f"--screenshot={FIGURES / 'report.png'}", page.as_uri()],
        check=True,
    )  # fmt: skip
    shrink(FIGURES / "report.png", 1000)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
