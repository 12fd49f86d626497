"""A file of words, whatever its format."""

from __future__ import annotations

from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.inference.words.cues import Cue, Transcript
from affuse.inference.words.decode_text import read_text
from affuse.inference.words.formats import check_suffix, find_kind
from affuse.inference.words.line_formats import read_ctm, read_labels, read_printed, read_whisper_rows
from affuse.inference.words.lrc import read_lyrics
from affuse.inference.words.pysubs2_formats import read_styled
from affuse.inference.words.recogniser_json import read_recognised
from affuse.inference.words.subtitles import parse_cues
from affuse.inference.words.table import read_table_words
from affuse.inference.words.textgrid import read_textgrid
from affuse.inference.words.timestamped_text import read_stamped

_BARE = ("whisper", "json", "ctm", "labels", "textgrid")  # kinds whose times are plain numbers


def read_transcript(path: str | Path) -> Transcript:
    """The cues of a file: subtitles, a recogniser's output, an alignment, a table or plain text (see ``formats``).

    Raises:
        AffuseError: For a file that is missing, is not UTF-8 (or UTF-16 with its mark), is of a format that is not
            read, or has no words or no cue where its kind promises some.
    """
    path = Path(path)
    if path.is_file():
        check_suffix(path)
    text = read_text(path)
    kind = find_kind(path, text)
    if kind == "table":
        return read_table_words(path)
    cues = [cue for cue in _cues(kind, path, text) if cue.text]
    if not cues:
        what = "no words"
        if kind not in ("plain", "json"):
            what = f"no {path.suffix[1:].upper()} cue" if path.suffix else "no cue"
        raise AffuseError(f"{path} has {what} in it; give another {argument('text')} or leave it out.")
    return Transcript(cues, path, whole=kind == "whisper", bare=kind in _BARE)


def _cues(kind: str, path: Path, text: str) -> list[Cue]:
    readers = {
        "subtitles": lambda: parse_cues(text, path),
        "whisper": lambda: read_whisper_rows(path, text),
        "printed": lambda: read_printed(path, text),
        "labels": lambda: read_labels(path, text),
        "lyrics": lambda: read_lyrics(path, text),
        "ctm": lambda: read_ctm(path, text),
        "stamped": lambda: read_stamped(text),
        "textgrid": lambda: read_textgrid(path, text),
        "json": lambda: read_recognised(path, text),
        "plain": lambda: [Cue(None, None, " ".join(text.split()))],
    }
    return readers[kind]() if kind in readers else read_styled(path, text, kind)
