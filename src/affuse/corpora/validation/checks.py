"""What is wrong with a corpus, row by row, before anything is trained on it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.doubtful_names import alike_notes, blank_word_notes
from affuse.corpora.schema import FEATURE_PREFIX, GENDERS, SIDES
from affuse.corpora.validation.feature_arrays import FeatureArrays
from affuse.corpora.validation.media import Severity, Span, check_file
from affuse.corpora.votes import outside, voted_tasks, votes
from affuse.errors import AffuseError
from affuse.names import counted, quote
from affuse.parts.registry import unknown

_COUNTED = ("channel", "track")  # columns of whole numbers from 0
Progress = Callable[[int, int], None]  # files checked so far, files in all


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or looks so.

    Args:
        row: Counts utterances from 1; None: it is about the whole corpus.
        id: Of the utterance; "" for the whole corpus.
        field: The column.
        message: What is wrong, without a full stop.
        severity: An error makes the row, or the corpus, unusable as it stands; a warning is for the user to judge.
    """

    row: int | None
    id: str
    field: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = (
            "corpus" if self.row is None else f"row {self.row} ({self.id})" if self.id else f"row {self.row}"
        )
        return f"{self.severity}: {where}, {self.field}: {self.message}."


def validate(corpus: Corpus, progress: Progress | None = None, decode: bool = True) -> list[Finding]:
    """Check a corpus.

    Args:
        corpus: Saved or not.
        progress: Is called with (files checked, files in all) as the media are read, on 2 to 4 threads.
        decode: Read every clip's samples and a video frame (finds damage, NaN, silence); False: headers only.

    Returns:
        The findings about the whole corpus first, then by row; an empty list where nothing is wrong.

    Examples:
        >>> import affuse, pandas as pd
        >>> corpus = affuse.Corpus.from_frame(pd.DataFrame({"text": ["a b", "c d"], "emotion": ["joy", "joy"]}))
        >>> [str(finding) for finding in validate(corpus)]
        ["error: corpus, emotion: every labelled utterance is 'joy': there is only one class."]
    """
    table = corpus.table
    ids = ["" if pd.isna(value) else str(value) for value in table["id"]]
    findings = [
        *_check_labels(corpus, ids),
        *_check_annotations(corpus),
        *_check_ids(ids),
        *_check_names(corpus),
        *_check_genders(table, ids, "gender" in corpus.info.label_spaces),
        *_check_rows(corpus, ids),
        *_check_repeats(table, ids),
        *_check_features(corpus, ids),
        *_check_media(corpus, ids, progress, decode),
    ]
    return sorted(findings, key=lambda finding: (finding.row or 0, finding.severity))


def _check_labels(corpus: Corpus, ids: list[str]) -> Iterator[Finding]:
    usable = 0
    one_class = []
    for task, space in corpus.info.label_spaces.items():
        if task not in corpus.table.columns:
            yield Finding(None, "", task, f"label space {task!r} is of no column of the table")
            continue
        labels = corpus.table[task]
        for row, label in enumerate(labels):
            if not pd.isna(label) and label not in space:
                yield Finding(row + 1, ids[row], task, unknown(str(label), space, f"labels of {task!r}"))
        used = set(labels.dropna())
        usable += len(used & set(space)) > 1
        if len(used) == 1:
            one_class.append((task, used.pop()))
        elif used and (empty := [label for label in space if label not in used]):
            what = f"no utterance has the label {', '.join(map(repr, empty))} of the label space"
            yield Finding(None, "", task, what, "warning")
    if not any(corpus.table[task].notna().any() for task in corpus.info.label_spaces if task in corpus.table):
        yield Finding(
            None, "", "labels", "no utterance has a label, and nothing can be trained on it", "warning"
        )
    for task, label in one_class:
        what = f"every labelled utterance is {label!r}: there is only one class"
        yield Finding(None, "", task, what, "warning" if usable else "error")


def _check_annotations(corpus: Corpus) -> Iterator[Finding]:
    """Whether what raters said fits the corpus, and whether any of it counts for its labels."""
    try:
        tasks = voted_tasks(corpus)
    except AffuseError as error:
        yield Finding(None, "", "annotations", str(error).rstrip("."))
        return
    for task in tasks:
        space = corpus.info.label_spaces.get(task, [])
        if space and not votes(corpus, task, space).to_numpy().any():
            labels = ", ".join(map(quote, list(outside(corpus, task, space))[:5]))
            yield Finding(
                None,
                "",
                task,
                f"no vote is for a label of {task!r}: raters gave {labels}; map them",
                "warning",
            )


def _check_ids(ids: list[str]) -> Iterator[Finding]:
    first: dict[str, int] = {}
    for row, value in enumerate(ids):
        if not value:
            yield Finding(row + 1, "", "id", "it is blank; every utterance needs its own")
        elif any(character < " " for character in value):
            yield Finding(
                row + 1, value, "id", f"{quote(value)} has a line break or the like, which no table keeps"
            )
        elif value in first:
            yield Finding(row + 1, value, "id", f"it is also the id of row {first[value]}")
        else:
            first[value] = row + 1


def _check_names(corpus: Corpus) -> Iterator[Finding]:
    tasks = list(corpus.info.label_spaces)
    for note in (*alike_notes(corpus.table, tasks), *blank_word_notes(corpus.table, tasks)):
        column, _, what = note.partition(": ")
        yield Finding(None, "", column, what, "warning")


def _check_genders(table: pd.DataFrame, ids: list[str], is_task: bool) -> Iterator[Finding]:
    genders = table["gender"].astype(object).where(table["gender"].notna(), None)
    if not is_task:  # as a task it has a label space
        for row, gender in enumerate(genders):
            if gender is not None and gender not in GENDERS:
                yield Finding(
                    row + 1, ids[row], "gender", f"{quote(gender)} is neither female nor male nor blank"
                )
    for speaker, rows in genders.dropna().groupby(table["speaker"]):
        counts = rows.value_counts()
        if len(counts) < 2:
            continue
        found = " and ".join(
            f"{gender} in {counted(count, 'row')}" for gender, count in counts.sort_index().items()
        )
        # the rows against the majority are the ones to look at; without a majority, all of them
        tie = counts.iloc[0] == counts.iloc[1]
        for row, gender in rows.items():
            if tie or gender != counts.index[0]:
                assert isinstance(row, int)
                yield Finding(row + 1, ids[row], "gender", f"speaker {quote(speaker)} is {found}")


def _check_rows(corpus: Corpus, ids: list[str]) -> Iterator[Finding]:
    modalities = ["audio", "video", "text", *(FEATURE_PREFIX + name for name in corpus.feature_names)]
    for row, values in enumerate(_records(corpus.table)):

        def finding(field: str, message: str, severity: Severity = "error", row: int = row) -> Finding:
            return Finding(row + 1, ids[row], field, message, severity)

        present = [name for name in modalities if values[name] is not None]
        if not present:
            what = "it is empty and the row has no other modality: no audio, video or features"
            yield finding("text", what)
        elif present == ["text"] and not any(c.isalnum() for c in values["text"]):
            yield finding("text", f"{quote(values['text'])} has no words, and is all the row has", "warning")
        yield from (finding(field, message) for field, message in _bad_ranges(values))
        side = values["side"]
        for name in _COUNTED:
            if _miscounted(values[name]):
                yield finding(name, f"{values[name]:g} is not a whole number from 0")
        if side is not None and side not in SIDES:
            yield finding("side", f"{quote(side)} is neither left nor right nor blank")
        elif side is not None and values["video"] is None:
            yield finding("side", "it is given, but the row has no video", "warning")


def _bad_ranges(values: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for prefix in ("", "video_"):
        start, end = values.get(f"{prefix}start"), values.get(f"{prefix}end")
        if start is not None and start < 0:
            yield f"{prefix}start", f"{start:g} s is before the beginning"
        if end is not None and end <= (start or 0):
            yield f"{prefix}end", f"{end:g} s is not after the start, {start or 0:g} s"


def _check_repeats(table: pd.DataFrame, ids: list[str]) -> Iterator[Finding]:
    """The same piece of the same file under two ids would leak from training into test."""
    clip = [name for name in ("audio", "video", "start", "end", "video_start", "video_end", "channel", "track",
                            "side")
            if name in table.columns]  # fmt: skip
    with_media = table[table["audio"].notna() | table["video"].notna()]
    for _, rows in with_media.groupby(clip, dropna=False, sort=False):
        first, *others = rows.index.tolist()
        field = "audio" if pd.notna(table["audio"][first]) else "video"
        for row in others:
            yield Finding(row + 1, ids[row], field, f"it is the same clip as row {first + 1}'s", "warning")


def _check_features(corpus: Corpus, ids: list[str]) -> Iterator[Finding]:
    arrays = FeatureArrays()
    base = corpus.folder or Path()
    for name in corpus.feature_names:
        column = FEATURE_PREFIX + name
        for row, reference in enumerate(corpus.table[column]):
            if not pd.isna(reference) and (fault := arrays.fault(name, str(base / reference))):
                yield Finding(row + 1, ids[row], column, fault)


def _check_media(
    corpus: Corpus, ids: list[str], progress: Progress | None, decode: bool
) -> Iterator[Finding]:
    spans: dict[tuple[str, Path], list[Span]] = defaultdict(list)
    for row, values in enumerate(_records(corpus.table)):
        if any(_bad_ranges(values)) or any(_miscounted(values[name]) for name in _COUNTED):
            continue  # found already; the file itself would only say so again
        own_clock = values.get("video_start") is not None or values.get("video_end") is not None
        for kind in ("audio", "video"):
            if values[kind] is None:
                continue
            prefix = "video_" if kind == "video" and own_clock else ""
            start, end = values.get(f"{prefix}start"), values.get(f"{prefix}end")
            spans[kind, corpus.media(values[kind])].append(
                Span(row, start, end, _whole(values["channel"]), prefix, _whole(values["track"]))
            )
    with ThreadPoolExecutor(min(4, max(2, os.cpu_count() or 2))) as pool:
        jobs = [pool.submit(check_file, kind, path, rows, decode) for (kind, path), rows in spans.items()]
        for done, job in enumerate(as_completed(jobs), start=1):
            for fault in job.result():
                yield Finding(fault.row + 1, ids[fault.row], fault.field, fault.message, fault.severity)
            if progress is not None:
                progress(done, len(jobs))


def _miscounted(number: float | None) -> bool:
    return number is not None and (number < 0 or bool(number % 1))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)


def _records(table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows as dicts; blanks are None."""
    for values in table.to_dict("records"):
        yield {str(name): None if pd.isna(value) else value for name, value in values.items()}
