"""Which format a file of words is in: by what it holds, and where that does not tell, by its name's ending."""

from __future__ import annotations

import re
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.words import line_formats, lrc, pysubs2_formats, subtitles, timestamped_text
from affuse.inference.words.recogniser_json import is_json

# the ending -> the format; in this order a clip's file of words is chosen where it has several
SUFFIXES = {
    ".srt": "subtitles", ".vtt": "subtitles", ".ass": "ass", ".ssa": "ass", ".sbv": "subtitles",
    ".textgrid": "textgrid", ".ctm": "ctm", ".json": "json", ".tsv": "table", ".csv": "table", ".lrc": "lyrics",
    ".sub": "microdvd", ".txt": "plain", ".text": "plain",
}  # fmt: skip
READS = "plain text (.txt), SRT, VTT, ASS, SSA, SBV, LRC, SUB, TextGrid, CTM, CSV, TSV and recognisers' JSON"
# endings of formats that hold words -> what they are
_OTHERS = {
    ".eaf": "ELAN", ".docx": "Word", ".doc": "Word", ".odt": "LibreOffice", ".pdf": "PDF", ".rtf": "RTF",
    ".html": "HTML", ".htm": "HTML", ".md": "Markdown", ".xml": "XML", ".ttml": "TTML", ".dfxp": "TTML", ".itt": "TTML",
    ".smi": "SAMI", ".sami": "SAMI", ".stl": "EBU or Spruce STL", ".scc": "Scenarist captions", ".cap": "captions",
    ".usf": "USF", ".trs": "Transcriber", ".cha": "CHAT", ".stm": "STM", ".mlf": "HTK's MLF", ".lab": "HTK's labels",
    ".rttm": "RTTM, which has no words", ".jsonl": "JSON lines", ".xlsx": "Excel", ".xls": "Excel",
    ".ods": "a spreadsheet", ".parquet": "parquet", ".yaml": "YAML", ".yml": "YAML", ".epub": "EPUB", ".tex": "LaTeX",
    ".idx": "VobSub, pictures",
    ".sup": "Blu-ray's pictures", ".srv1": "YouTube's XML", ".srv2": "YouTube's XML", ".srv3": "YouTube's XML",
    ".json3": "YouTube's JSON",
}  # fmt: skip
_MARKUP = re.compile(
    r"\s*(?:<(?:\?xml|!doctype|html|head|body|tt|sami|annotation_document|trans|timedtext)\b|\{\\rtf)", re.I
)
_PART = 100_000  # letters that are looked at


def find_kind(path: Path, text: str) -> str:
    """The name of the file's format.

    It is one of subtitles, printed, whisper, labels, table, lyrics, ctm, stamped, textgrid, json, ass, microdvd, mpl2,
    tmp and plain.

    Raises:
        AffuseError: Naming the formats that are read, for any other.
    """
    suffix = path.suffix.lower()
    check_suffix(path)
    if _MARKUP.match(text):
        what = "RTF" if text.lstrip().startswith("{") else "XML or HTML"
        raise AffuseError(f"{path} holds {what}, which is not read as words; {_cure()}")
    found = _by_content(text, suffix)
    if found is not None:
        return found
    if suffix not in SUFFIXES and suffix:
        raise AffuseError(
            f"{path} ends in {path.suffix}, which affuse does not know; if it is plain text, call it .txt. It reads "
            f"{READS}."
        )
    return SUFFIXES.get(suffix, "plain")


def check_suffix(path: Path) -> None:
    """Check that a file's ending is not that of a format that is not read.

    Raises:
        AffuseError: It is one.
    """
    what = _OTHERS.get(path.suffix.lower())
    if what is not None:
        raise AffuseError(f"{path} is {what}, which is not read as words; {_cure()}")


def _cure() -> str:
    return f"save them as SRT or plain text. affuse reads {READS}."


def _by_content(text: str, suffix: str) -> str | None:
    """The format that cannot be mistaken, or None."""
    part = text[:_PART]
    if suffix in (".csv", ".tsv", "", ".txt") and line_formats.WHISPER.match(text):
        return "whisper"
    if suffix in (".csv", ".tsv"):
        return "table"
    if part.startswith("WEBVTT") or subtitles.ARROW.search(part):
        return "subtitles"
    if "ooTextFile" in part[:200]:
        return "textgrid"
    if is_json(text):
        return "json"
    if line_formats.PRINTED.search(part):
        return "printed"
    if subtitles.SBV.search(part):
        return "subtitles"
    for kind, begins in pysubs2_formats.BEGINS.items():
        if begins.match(part):
            return kind
    lines = [line for line in part.split("\n") if line.strip()]
    if lines and 2 * len(lrc.LINE.findall(part)) >= len(lines):
        return "lyrics"
    if line_formats.are_labels(text):
        return "labels"
    if line_formats.is_ctm(text):
        return "ctm"
    if suffix in ("", ".txt", ".text") and timestamped_text.is_stamped(text):
        return "stamped"
    return "table" if suffix == ".txt" and _is_table(lines) else None


def _is_table(lines: list[str]) -> bool:
    """A header with text and times."""
    names = (
        [{name.strip().strip('"').lower() for name in lines[0].split(mark)} for mark in "\t,;"]
        if lines
        else []
    )
    return any({"start", "end", "text"} <= one for one in names)
