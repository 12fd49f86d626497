"""What copies of the release carry besides the release: planted on purpose, so that readers are tested on it."""

from __future__ import annotations

from pathlib import Path

APPLE_DOUBLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X        \x00\x02\x00\x00\x00\x09"


def plant_quirks(root: Path) -> None:
    """AppleDouble files, .DS_Store, Thumbs.db and stray folders in every session below ``root``."""
    for session in sorted(root.glob("Session*")):
        (session / ".DS_Store").write_bytes(b"\x00\x00\x00\x01Bud1")
        for folder, ending in (
            ("dialog/EmoEvaluation", ".txt"),
            ("dialog/transcriptions", ".txt"),
            ("dialog/wav", ".wav"),
            ("dialog/avi/DivX", ".avi"),
        ):
            if not (session / folder).is_dir():
                continue
            for file in sorted((session / folder).glob(f"Ses*{ending}")):
                file.with_name(f"._{file.name}").write_bytes(APPLE_DOUBLE)
            (session / folder / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0")
        sentences = session / "sentences" / "wav"
        for folder in sorted(sentences.iterdir()):
            if first := sorted(folder.glob("*.wav"))[:1]:
                first[0].with_name(f"._{first[0].name}").write_bytes(APPLE_DOUBLE)
        stray = next(iter(sorted((session / "dialog" / "EmoEvaluation").glob("Ses*.txt"))))
        temporary = session / "dialog" / "EmoEvaluation" / "temp"
        temporary.mkdir()
        (temporary / stray.name).write_bytes(stray.read_bytes())
        (sentences / "temp").mkdir()
