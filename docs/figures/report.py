r"""Make docs/figures/report.png, the report on the README's first screen, from a comparison's folder by Chromium.

The folder in the picture is made by these commands (eight minutes on two cores); then run from the repository root:

    affuse prepare generated corpora/generated --no-video
    affuse compare demo-3m-ser corpora/generated --out runs/losses --over seed=0,1,2 \
        --over loss=cross_entropy,center,cross_entropy+center
    python docs/figures/report.py runs/losses
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from PIL import Image

PICTURE = Path(__file__).with_suffix(".png")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def main(folder: Path) -> None:
    if CHROMIUM is None:
        sys.exit("The picture needs Chromium; install it.")
    subprocess.run([sys.executable, "-m", "affuse", "report", folder], check=True)
    subprocess.run(
        [CHROMIUM, "--headless", "--no-sandbox", "--hide-scrollbars", "--window-size=1100,860",
         "--virtual-time-budget=8000", f"--screenshot={PICTURE}", (folder / "report.html").resolve().as_uri()],
        check=True,
    )  # fmt: skip
    Image.open(PICTURE).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
