"""``utterances.csv`` of a comparison's folder: who speaks in which clip, so that its page needs no corpus."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from affuse.corpora.corpus import Corpus, Utterance
from affuse.files import read_csv, write_csv
from affuse.training.comparison_folder import UTTERANCES

COLUMNS = ("speaker", "gender", "scenario", "dialog", "session")


def write_utterances(corpus: Corpus, out: Path) -> None:
    """One line per utterance: id, the columns of COLUMNS that the corpus fills, and ``clip``, a link.

    The words are left out: reports are shared more freely than corpora. ``clip`` is relative to
    ``out`` and ends in ``#t=start,end`` (seconds) where the utterance is a part of its file.
    """
    kept = [name for name in COLUMNS if name in corpus.table.columns and corpus.table[name].notna().any()]
    table = corpus.table[["id", *kept]].copy()
    table["clip"] = [_clip_link(utterance, out) for utterance in corpus.utterances()]
    write_csv(out / UTTERANCES, table)


def read_utterances(folder: Path) -> pd.DataFrame:
    """Indexed by id, blanks as null; without lines, but with a speaker column, where there is no such file."""
    path = folder / UTTERANCES
    if not path.is_file():
        return pd.DataFrame(columns=["speaker"], index=pd.Index([], name="id"), dtype=object)
    table = read_csv(path).set_index("id")
    table = table.mask(table == "")
    return table if "speaker" in table.columns else table.assign(speaker=None)


def _clip_link(utterance: Utterance, out: Path) -> str:
    for kind, media in (("audio", utterance.audio), ("video", utterance.video)):
        if isinstance(media, Path):
            return _link(media, utterance.span(kind), out)
    return ""


def _link(media: Path, span: tuple[float | None, float | None], out: Path) -> str:
    try:
        path = Path(os.path.relpath(media, out)).as_posix()
    except ValueError:  # another drive
        return media.resolve().as_uri()
    start, end = span
    moment = (
        "" if start is None and end is None else f"#t={start or 0:g}" + ("" if end is None else f",{end:g}")
    )
    return quote(os.fsencode(path)) + moment
