"""Formats that pysubs2 reads: ASS and SSA, MicroDVD, MPL2 and TMP."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.words.cues import Cue, Times, timed
from affuse.inference.words.spoken import said_in_line, said_text

# how the first line of a file of each begins; pysubs2's names
BEGINS = {
    "ass": re.compile(r"\s*\[Script Info\]|(?:.*\n)*\[Events\]\s*\n(?:.*\n)*?Dialogue:", re.I),
    "microdvd": re.compile(r"\s*\{\d+\}\{\d*\}"),
    "mpl2": re.compile(r"\s*\[\d+\]\[\d*\]"),
    "tmp": re.compile(r"\s*\d{1,2}:\d\d:\d\d:\D"),
}


def read_styled(path: Path, text: str, kind: str) -> list[Cue]:
    """Cues of ``kind``, one of ``BEGINS``: comments, drawings and styling are left out.

    Raises:
        AffuseError: For a time that cannot be read, and for MicroDVD that does not tell its pictures a second.
    """
    import pysubs2
    from pysubs2.exceptions import Pysubs2Error, UnknownFPSError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles
            events = pysubs2.SSAFile.from_string(text, format_=kind).get_text_events()
    except UnknownFPSError:
        raise AffuseError(
            f"{path} counts pictures and does not say how many there are per second ({{1}}{{1}}25 in its first line); "
            "save it as SRT."
        ) from None
    except (Pysubs2Error, ValueError, TypeError, KeyError) as error:
        raise AffuseError(
            f"{path} cannot be read ({' '.join(str(error).split())}); save it as SRT."
        ) from None
    cues = []
    for i, event in enumerate(events, start=1):
        start, end = Times.of(f"{path}, cue {i}", event.start, event.end, 1000)
        cues.append(Cue(start, end, said_text(" ".join(map(said_in_line, event.plaintext.split("\n"))))))
    return timed(cues)
