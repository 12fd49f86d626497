"""Which utterances a model has seen, so that any corpus can be asked for them: digests in ``prediction.json``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from affuse.corpora.corpus import Corpus, Utterance
from affuse.files import digest, file_digest
from affuse.models.defaults import DIGITS, Seen


class Known(NamedTuple):
    """What ``recognise`` found of one utterance: its role in the training, and whether the clip itself is the same."""

    role: str  # train, validation or test
    same_clip: bool  # False: only id and speaker are


def remember(corpus: Corpus, roles: Mapping[str, Sequence[str]], marks: Marks | None = None) -> Seen:
    """Digests of the utterances of each role, and of the speakers heard in training or validation.

    ``marks``: of earlier runs on the corpus, which have read its files.
    """
    marks = marks or Marks()
    speakers = corpus.table.set_index("id")["speaker"]
    found = {one.id: marks.of(one, speakers[one.id]) for one in corpus.utterances()}
    heard = speakers.reindex([id for role in ("train", "validation") for id in roles.get(role, ())])
    return Seen(
        corpus=corpus.info.title,
        utterances={role: [found[id].entry + found[id].content for id in ids] for role, ids in roles.items()},
        speakers=sorted({speaker_digest(name) for name in heard.dropna()}),
    )


def recognise(seen: Seen, corpus: Corpus, ids: Sequence[str]) -> dict[str, Known]:
    """Id -> what is known of it; utterances that are no part of the training's corpus are left out.

    An utterance that was tested and trained on (``protocol.reshuffled``) counts as tested.
    """
    by_entry: dict[str, str] = {}
    by_content: dict[str, str] = {}
    for role in ("train", "validation", "test"):
        for entry in seen.utterances.get(role, ()):
            by_entry[entry[:DIGITS]] = role
            by_content[entry[DIGITS:]] = role
    marks = Marks()
    speakers = corpus.table.set_index("id")["speaker"]
    wanted, known = set(ids), {}
    for one in corpus.utterances():
        if one.id not in wanted:
            continue
        mark = marks.of(one, speakers[one.id])
        if mark.content in by_content:
            known[one.id] = Known(by_content[mark.content], True)
        elif mark.entry in by_entry:
            known[one.id] = Known(by_entry[mark.entry], False)
    return known


def speaker_digest(name: object) -> str:
    """A speaker's name as ``Seen`` keeps it."""
    return digest("speaker", str(name))[:DIGITS]


class Mark(NamedTuple):
    """Of one utterance: ``entry`` is a digest of id and speaker, ``content`` of the clip's bytes and place."""

    entry: str
    content: str


class Marks:
    """Digests of utterances; a file that many of them share is read once."""

    def __init__(self) -> None:
        self._files: dict[Path, str] = {}

    def of(self, utterance: Utterance, speaker: Any) -> Mark:
        """Without a file, what identifies an utterance is its id, its speaker and its words."""
        entry = digest("utterance", utterance.id, "" if pd.isna(speaker) else str(speaker))[:DIGITS]
        return Mark(entry, self._content(utterance) or digest(entry, utterance.text or "")[:DIGITS])

    def _content(self, utterance: Utterance) -> str:
        """Of the sound, else of the pictures, else of the first of the features; "" where no file can be read."""
        media = [("audio", utterance.audio), ("video", utterance.video)]
        for kind, path in media:
            if isinstance(path, Path) and (found := self._file(path)):
                place = (*utterance.span(kind), utterance.channel if kind == "audio" else utterance.side)
                return digest(kind, found, repr(place))[:DIGITS]
        for name, reference in sorted(utterance.features.items()):
            path, *inside = reference.split("#")
            if found := self._file(Path(path)):
                return digest("features", name, found, *inside)[:DIGITS]
        return ""

    def _file(self, path: Path) -> str:
        if path not in self._files:
            try:
                self._files[path] = file_digest(path)
            except OSError:  # it is listed in skipped.csv, with its cause
                self._files[path] = ""
        return self._files[path]
