"""Draw docs/figures/generated.png: what the generated corpus looks and sounds like.

Run from the repository root: python docs/figures/generated.py
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import av
import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import pandas as pd
import soundfile

from affuse.corpora.generated import generate_release
from affuse.corpora.readers.iemocap import prepare

SHOWN = {
    "neu": "neutral",
    "hap": "happy",
    "exc": "excited",
    "ang": "angry",
    "sad": "sad",
    "fru": "frustrated",
}


def main() -> None:
    with TemporaryDirectory() as folder:
        root = generate_release(Path(folder) / "release", sessions=2, dialogs=4, turns=160, seed=2)
        corpus = prepare(root, Path(folder) / "corpus")
        shown = pd.read_csv(root / "displays.csv").set_index("id")
        table = corpus.table.set_index("id").join(shown.add_prefix("shown_"))
        figure = plt.figure(figsize=(12, 7.6))
        grid = figure.add_gridspec(3, 6, height_ratios=(1.5, 1.0, 0.95))
        for column, session in enumerate(("Ses01", "Ses02")):
            row = table[(table["session"] == session) & (table["shown_video"].isin(["exc", "ang"]))].iloc[0]
            axes = figure.add_subplot(grid[0, 3 * column : 3 * column + 3])
            axes.imshow(frame(root / row["video"], row))
            axes.set_title(
                f"{row.name}: the {row['side']} face shows {SHOWN[row['shown_video']]}", fontsize=9
            )
            axes.axis("off")
        for column, (display, name) in enumerate(SHOWN.items()):
            speaker = ("Ses01_F", "Ses02_M", "Ses01_M", "Ses02_F", "Ses02_M", "Ses01_M")[column]
            faces = table[(table["shown_video"] == display) & (table["speaker"] == speaker)]
            row = faces.iloc[0]
            axes = figure.add_subplot(grid[1, column])
            left = 87 if row["side"] == "left" else 447
            axes.imshow(frame(root / row["video"], row)[128:352, left : left + 224])
            axes.set_title(f"face: {name}", fontsize=9)
            axes.axis("off")
            voices = table[(table["shown_audio"] == display) & (table["speaker"] == "Ses01_F")]
            sound, rate = soundfile.read(root / voices.iloc[0]["audio"])
            axes = figure.add_subplot(grid[2, column])
            axes.specgram(sound, NFFT=512, noverlap=400, Fs=rate, vmin=-130, vmax=-40)
            axes.set(ylim=(0, 5000), xlim=(0, 2.2), xlabel="s")
            axes.set_title(f"voice: {name}", fontsize=9)
            axes.tick_params(labelsize=7)
            if column:
                axes.set_yticklabels([])
            else:
                axes.set_ylabel("Hz")
        figure.suptitle("The generated corpus: no actor, no recording", fontsize=11)
        figure.tight_layout()
        figure.savefig(Path(__file__).with_name("generated.png"), dpi=80)


def frame(path: Path, row: pd.Series):
    """The picture halfway through the turn: (480, 720, 3) RGB."""
    time = (row["video_start"] + row["video_end"]) / 2
    with av.open(str(path)) as container:
        for picture in container.decode(video=0):
            if picture.time is not None and picture.time >= time:
                return picture.to_ndarray(format="rgb24")
    raise ValueError(f"{path} ends before {time} s")


if __name__ == "__main__":
    main()
