"""Whether the labels of a corpus are those of a model: what can be compared, what is left out, and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.relabel import relabel
from affuse.corpora.vocabulary import translation
from affuse.errors import AffuseError, argument
from affuse.parts.registry import unknown
from affuse.recipe import Task


def rename_labels(corpus: Corpus, renamed: Mapping[str, str]) -> Corpus:
    """The corpus with labels called otherwise: old name -> new name, in every label space that has the old one.

    Raises AffuseError for an old name that no label space has.
    """
    spaces = corpus.info.label_spaces
    for old in renamed:
        if not any(old in space for space in spaces.values()):
            known = [label for space in spaces.values() for label in space]
            raise AffuseError(
                f"{argument('rename')} {old}: {unknown(old, known, f'labels of {corpus.info.name}')}."
            )
    maps = {
        task: {old: new for old, new in renamed.items() if old in space} for task, space in spaces.items()
    }
    return relabel(corpus, {task: mapping for task, mapping in maps.items() if mapping})


def by_vocabulary(
    corpus: Corpus, spaces: Mapping[str, Sequence[str]], tasks: Mapping[str, Task]
) -> tuple[Corpus, list[str]]:
    """(the corpus with the model's names for its labels, sentences to be said): "happy" is "happiness" to the model.

    Labels that the model has, or that the vocabulary does not know, keep their names.
    """
    maps, said = {}, []
    for task, space in spaces.items():
        labels = list(_counts(corpus.table, task, tasks[task].merge))
        if found := translation(labels, space, task):
            maps[task] = found
            pairs = ", ".join(f"{label} is {name}" for label, name in found.items())
            said.append(f"To the model, of the {task} labels of {corpus.info.name}: {pairs}.")
    return (relabel(corpus, maps) if maps else corpus), said


def check_labels(
    corpus: Corpus, ids: Sequence[str], spaces: Mapping[str, Sequence[str]], tasks: Mapping[str, Task]
) -> tuple[list[str], list[str]]:
    """(tasks that cannot be measured on the utterances ``ids``, sentences to be said), for a model of these classes.

    A task cannot be measured where the corpus has labels that the model does not know and fewer than two that it does:
    accuracy among one class says nothing. Raises AffuseError where that is so of every task that has labels.
    """
    table = corpus.table[corpus.table["id"].isin(set(ids))]
    unfit, said, faults = [], [], []
    for task, space in spaces.items():
        counts = _counts(table, task, tasks[task].merge)
        known = [label for label in space if label in counts]
        foreign = {label: n for label, n in counts.items() if label not in space}
        if not counts:
            unfit.append(task)
            if len(spaces) > 1:
                said.append(f"{corpus.info.name} has no labels of {task}: it is not measured.")
        elif foreign and len(known) < 2:
            unfit.append(task)
            faults.append(_misfit(corpus, task, counts, space, known))
        else:
            said += _partial(corpus, task, counts, space, known, foreign)
    if len(unfit) == len(spaces):
        raise AffuseError(
            faults[0]
            if faults
            else f"{corpus.info.name} has no label of {' or '.join(spaces)}: nothing can be measured."
        )
    return unfit, [*(f"{task_fault} It is not measured." for task_fault in faults), *said]


def _counts(table: pd.DataFrame, task: str, merge: Mapping[str, str]) -> dict[str, int]:
    """Label -> utterances, the commonest first."""
    if task not in table.columns:
        return {}
    found = table[task].dropna().replace(dict(merge)).value_counts()
    counts = {str(label): int(n) for label, n in found.items()}
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _misfit(
    corpus: Corpus, task: str, counts: Mapping[str, int], space: Sequence[str], known: Sequence[str]
) -> str:
    shared = f"only {known[0]} is among both" if known else "none is among both"
    return (
        f"The {task} labels of {corpus.info.name} ({_counts_in_words(counts)}) are not those of the model "
        f"({', '.join(space)}): {shared}. Say which are meant by {_example(counts, space)}, with a pair for each label."
    )


def _partial(
    corpus: Corpus,
    task: str,
    counts: Mapping[str, int],
    space: Sequence[str],
    known: Sequence[str],
    foreign: Mapping[str, int],
) -> list[str]:
    said = []
    if foreign:
        total = sum(counts.values())
        said.append(
            f"{sum(foreign.values())} of {total} {task} labels of {corpus.info.name} are not among the model's: "
            f"{_counts_in_words(foreign)}, left out ({_example(foreign, space)} renames one). "
            f"Compared are {', '.join(known)}."
        )
    if len(known) == 1:
        said.append(
            f"Every {task} label is {known[0]}: ACC and BACC are the recall of that class alone, and say nothing "
            "of how often other clips are called so."
        )
    elif absent := [label for label in space if label not in known]:
        said.append(
            f"No utterance is labelled {', '.join(absent)} ({task}): BACC is the mean over the other "
            f"{len(known)} classes, and an answer {absent[0]} is always wrong."
        )
    return said


def _example(labels: Iterable[str], space: Sequence[str]) -> str:
    """What to pass as ``rename``, for the first label that is nearly one of the model's; else a form: no guess."""
    for label in labels:
        if label not in space and (close := get_close_matches(label.lower(), space, n=1, cutoff=0.6)):
            return argument("rename", {label: close[0]})
    return argument("rename", {"THEIRS": "OURS"})


def _counts_in_words(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{label} {n}" for label, n in counts.items())
