"""The labels that a task of several labels at once learns: a column of texts like ``anger;fear``, checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from affuse.corpora.vocabulary import same_label
from affuse.errors import AffuseError
from affuse.evaluation.label_sets import JOINT, joined, parted
from affuse.names import counted, listed, quote, tidy
from affuse.parts.registry import unknown

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.corpora.splits.split import Split
    from affuse.recipe import Task

_OTHER_JOINTS = re.compile(r"[,|/+]")  # what people write between labels in place of ";"


class LabelSets(NamedTuple):
    """The labels of a task.

    labels:  in order.
    texts:   one per row, "a;b"; ";" where none of the labels applies, null where nothing is known.
    rows:    (rows, labels) of 0 and 1, a row of NaN where nothing is known.
    foreign: label of the corpus that is not among ``labels`` -> utterances that have it.
    """

    labels: list[str]
    texts: pd.Series
    rows: np.ndarray
    foreign: dict[str, int]


def label_sets_of(
    corpus: Corpus, task: str, choice: Task, of_model: Sequence[str] | None = None
) -> LabelSets:
    """The labels of every utterance, the recipe's merges done.

    Labels that are not among the task's are left out; an utterance of which nothing remains counts as blank, as one of
    another class does where one class is told. A cell that is ``;`` alone says that no label applies.

    Args:
        corpus: Whose column of texts has the task's name.
        task: Its name.
        choice: Its classes and merges.
        of_model: The labels of a trained model: the corpus may then lack some of them, and have others.

    Raises:
        AffuseError: There is no such column, it holds numbers, a row has a label that the corpus's label space lacks,
            something else joins labels, or a label of the task is on no row; fewer than two labels are left.
    """
    table, name = corpus.table, corpus.info.name
    if task not in table.columns:
        if of_model is not None:
            return _blank(of_model, len(table))
        texts = [
            one
            for one in table.columns
            if not is_numeric_dtype(table[one]) and JOINT in "".join(_some(table[one]))
        ]
        raise AffuseError(
            f"{unknown(task, texts or ['none'], 'columns of labels')} of the corpus {name}; change the recipe's tasks, "
            "or prepare the corpus with that column."
        )
    column = table[task]
    if column.notna().any() and is_numeric_dtype(column):
        row = table[column.notna()].iloc[0]
        raise AffuseError(
            f"tasks.{task}: kind: multilabel needs a column of labels joined by {JOINT!r}, and utterance {row['id']} "
            f"of {name} has {quote(row[task])} there; write such a column, or take kind: regression."
        )
    sets = [None if pd.isna(cell) else [tidy(one) for one in parted(str(cell))] for cell in column]
    known = _known(corpus, task, sets)
    where = str(corpus.folder or name)
    for id, one in zip(table["id"], sets, strict=True):
        for label in one or ():
            if label not in known:
                raise AffuseError(
                    f"{where}: utterance {id} has {task} {label!r}, which is not in the label space "
                    f"[{listed(known)}]; correct the row or add the label ('affuse validate' lists all)."
                )
    if (
        of_model is None and task not in corpus.info.label_spaces
    ):  # nobody has said yet which labels there are
        unmerged = [label for label in known if label not in choice.merge]
        _refuse_other_joints(unmerged, task, name, alone=all(len(one or ()) < 2 for one in sets))
    merge = _merges(choice.merge, known, task, of_model is None)
    possible = list(dict.fromkeys(merge.get(label, label) for label in known))
    labels = list(of_model) if of_model is not None else _chosen(choice.classes, possible, task)
    meaning = {label: _meant(merge.get(label, label), labels, task, of_model is not None) for label in known}
    found = _rows(sets, meaning, labels)
    if of_model is None:
        _check(found, task, name)
    return found


def rarest(rows: np.ndarray, labels: Sequence[str]) -> list[str | None]:
    """The rarest label of each row, ";" where none applies, None of a blank: what a split balances.

    After Sechidis et al. 2011, "On the stratification of multi-label data", who share out the rarest label first.
    """
    order = np.argsort(np.nansum(rows, axis=0), kind="stable")
    found: list[str | None] = []
    for row in rows[:, order]:
        there = np.flatnonzero(row == 1)
        found.append(
            labels[int(order[int(there[0])])] if len(there) else None if np.isnan(row).any() else JOINT
        )
    return found


def check_trained(
    split: Split, labels: Mapping[str, Sequence[str]], rows: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Raise AffuseError where a fold has a label on no training row: it would learn never to tell it.

    Args:
        split: Of the experiment.
        labels: Task -> its labels.
        rows: Task -> id -> (labels,).
    """
    for task, names in labels.items():
        for fold in split.folds:
            own = [rows[task][id] for id in split.roles(fold)["train"]]
            there = np.nansum(own, axis=0) if own else np.zeros(len(names))
            missing = [name for name, n in zip(names, there, strict=True) if not n]
            if missing:
                raise AffuseError(
                    f"tasks.{task}: no training utterance of fold {fold} has {listed(missing)}; leave that out of "
                    "classes, or change the split."
                )


def foreign_in_words(task: str, counts: Mapping[str, int], where: str) -> str:
    """What was left out of the labels of a task, in a sentence: a misspelt one should not go unseen."""
    told = listed(f"{label} {n}" for label, n in sorted(counts.items(), key=lambda one: (-one[1], one[0])))
    return f"Labels of {task} that are not among {where} are left out (utterances): {told}."


def _some(column: pd.Series) -> list[str]:
    return [str(cell) for cell in column.dropna().head(200)]


def _blank(labels: Sequence[str], n: int) -> LabelSets:
    rows = np.full((n, len(labels)), np.nan)
    return LabelSets(list(labels), pd.Series([None] * n, dtype=object), rows, {})


def _known(corpus: Corpus, task: str, sets: Iterable[Sequence[str] | None]) -> list[str]:
    """The corpus's labels: those of its label space, whose entries may be joined themselves; else those that it has."""
    space = corpus.info.label_spaces.get(task)
    if space is not None:
        return list(dict.fromkeys(label for one in space for label in parted(one)))
    return sorted({label for one in sets for label in one or ()})


def _refuse_other_joints(known: Sequence[str], task: str, name: str, alone: bool) -> None:
    """'anger, joy' beside 'anger' is two labels that something else than ';' joins, and would be learnt as a third.

    So it is where no utterance has two labels (``alone``): there ';' joins nothing.
    """
    parts = {label: [tidy(one) for one in _OTHER_JOINTS.split(label) if one.strip()] for label in known}
    for label, own in parts.items():
        others = {one for other, of in parts.items() if other != label for one in of}
        if len(own) > 1 and (alone or others.intersection(own)):
            raise AffuseError(
                f"tasks.{task}: {name} has the label {quote(label)}; several labels of an utterance are joined by "
                f"{JOINT!r}, so write {quote(JOINT.join(own))}, or name all labels in label_spaces of the corpus."
            )


def _merges(merge: Mapping[str, str], known: Sequence[str], task: str, training: bool) -> dict[str, str]:
    """The corpus's own name of each merged label -> what it becomes."""
    found: dict[str, str] = {}
    for old, new in merge.items():
        meant = same_label(old, known, task)
        if meant is not None:
            found[meant] = same_label(new, known, task) or new
        elif training:
            raise AffuseError(f"tasks.{task}.merge: {unknown(old, list(known), 'labels')}.")
    return found


def _chosen(classes: Sequence[str] | None, possible: list[str], task: str) -> list[str]:
    """The task's labels by the corpus's names for them."""
    if not classes:
        return possible
    found: list[str] = []
    for label in classes:
        meant = same_label(label, possible, task)
        if meant is None:
            raise AffuseError(f"tasks.{task}.classes: {unknown(label, possible, 'labels')}.")
        if meant in found:
            raise AffuseError(f"tasks.{task}.classes names {meant} twice, once as {quote(label)}; keep one.")
        found.append(meant)
    return found


def _meant(label: str, labels: Sequence[str], task: str, of_model: bool) -> str | None:
    """The task's label that a label is, None where it is none of them; a model's may be spelt otherwise."""
    if label in labels:
        return label
    return same_label(label, labels, task) if of_model else None


def _rows(
    sets: Sequence[Sequence[str] | None], meaning: Mapping[str, str | None], labels: Sequence[str]
) -> LabelSets:
    rows = np.full((len(sets), len(labels)), np.nan)
    place = {label: i for i, label in enumerate(labels)}
    texts: list[str | None] = []
    foreign: Counter[str] = Counter()
    for row, one in zip(rows, sets, strict=True):
        own = {meaning[label] for label in one or ()} - {None}
        foreign.update(label for label in one or () if meaning[label] is None)
        if one is None or (one and not own):
            texts.append(None)
            continue
        row[:] = 0.0
        row[[place[label] for label in own if label is not None]] = 1.0
        texts.append(joined(row == 1, labels))
    return LabelSets(list(labels), pd.Series(texts, dtype=object), rows, dict(foreign))


def _check(found: LabelSets, task: str, name: str) -> None:
    there = np.nansum(found.rows, axis=0)
    empty = [label for label, n in zip(found.labels, there, strict=True) if not n]
    if empty:
        raise AffuseError(f"tasks.{task}: no utterance is labelled {listed(empty)}; leave it out of classes.")
    if len(found.labels) < 2:
        only = f"{counted(len(found.labels), 'label')} only ({', '.join(found.labels) or 'none'})"
        raise AffuseError(f"tasks.{task}: {name} has {only}; kind: multilabel needs two at least.")
