"""Which format the name of a timeline's file asks for."""

from __future__ import annotations

from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.writers.audacity import AudacityWriter
from affuse.inference.writers.base import Writer
from affuse.inference.writers.json import JsonWriter
from affuse.inference.writers.subtitles import SrtWriter, VttWriter
from affuse.inference.writers.table import CsvWriter, CurveWriter

WRITERS: dict[str, type[Writer]] = {
    writer.name: writer
    for writer in (JsonWriter, CsvWriter, CurveWriter, SrtWriter, VttWriter, AudacityWriter)
}
PICTURES = ("png", "svg", "pdf")
_CURVE = CurveWriter.suffix  # of two parts, the last of which is another format's
_OF_SUFFIX = {f".{name}": name for name in ("json", "csv", "srt", "vtt", *PICTURES)} | {".txt": "audacity"}


def format_of(path: str | Path) -> str:
    """The writer's name, or one of ``PICTURES``.

    Raises:
        AffuseError: The ending is none of theirs.

    Examples:
        >>> format_of("talk.srt"), format_of("talk.labels.txt"), format_of("TALK.PNG")
        ('srt', 'audacity', 'png')
        >>> format_of("talk.csv"), format_of("talk.curve.csv")
        ('csv', 'curve')
    """
    if Path(path).name.lower().endswith(_CURVE):
        return CurveWriter.name
    suffix = Path(path).suffix
    if suffix.lower() not in _OF_SUFFIX:
        has = f"ends in {suffix}" if suffix else "has no ending"
        raise AffuseError(
            f"{path} {has}, so its format is not known; a timeline is written as .json, .csv, .curve.csv, .srt, .vtt, "
            ".txt (Audacity's labels), or as a picture: .png, .svg, .pdf."
        )
    return _OF_SUFFIX[suffix.lower()]
