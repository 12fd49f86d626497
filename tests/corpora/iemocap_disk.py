"""Write a few dialogs in the release's layout by hand, independent of the generated corpus."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"


def block(turn: str, label: str, start: float, *lines: str, seconds: float = 0.5) -> str:
    """One block of an EmoEvaluation file, without the blank line after it."""
    head = f"[{start:.4f} - {start + seconds:.4f}]\t{turn}\t{label}\t[2.5000, 3.0000, 3.5000]\n"
    return head + "".join(f"{line}\n" for line in lines)


def votes(*names: str) -> list[str]:
    """Lines of external annotators E2, E3, ... with these categories ("Anger; Frustration" for two)."""
    return [f"C-E{number}:\t{name};\t()" for number, name in enumerate(names, start=2)]


def write_dialog(
    root: Path,
    dialog: str,
    evaluation: str,
    transcript: str | bytes = "",
    turns: tuple[str, ...] = (),
    seconds: float = 0.5,
) -> None:
    """The dialog's evaluation, transcription and the wavs of ``turns``."""
    session = root / f"Session{int(dialog[3:5])}"
    for folder, text in (("EmoEvaluation", evaluation), ("transcriptions", transcript)):
        path = session / "dialog" / folder / f"{dialog}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("latin-1"))
    wavs = session / "sentences" / "wav" / dialog
    wavs.mkdir(parents=True, exist_ok=True)
    for turn in turns:
        tone = 0.1 * np.sin(np.arange(round(seconds * RATE)) / 10)
        soundfile.write(wavs / f"{turn}.wav", tone, RATE, subtype="PCM_16")


def write_small(root: Path) -> Path:
    """One dialog of two turns; returns ``root``."""
    first, second = "Ses01F_impro01_F000", "Ses01F_impro01_M000"
    write_dialog(
        root,
        "Ses01F_impro01",
        HEADER
        + block(first, "neu", 0.5, *votes("Neutral", "Neutral", "Anger"))
        + "\n"
        + block(second, "ang", 1.2, *votes("Anger", "Anger", "Anger"))
        + "\n",
        f"{first} [000.5000-001.0000]: Excuse me.\n{second} [001.2000-001.7000]: No!\n",
        (first, second),
    )
    return root
