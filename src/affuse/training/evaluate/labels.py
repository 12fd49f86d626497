"""Whether the labels of a corpus are those of a model: what can be compared, what is left out, and the cure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.label_map import NamedMap
from affuse.corpora.labels import OTHERWISE
from affuse.corpora.relabel import relabel
from affuse.corpora.vocabulary import canonical, same_label, translation
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


def check_renamed(
    corpus: Corpus, renamed: Mapping[str, str], spaces: Mapping[str, Sequence[str]], tasks: Mapping[str, Task]
) -> None:
    """Raise AffuseError for a new name of ``rename_labels`` that is no label of the model, in any spelling.

    Args:
        corpus: With its new names.
        renamed: Old name -> new name.
        spaces: Task -> the model's classes.
        tasks: Of the model's recipe: labels that become classes by ``merge`` are its own too.
    """
    theirs = {task: _labels_of(corpus, task) for task in spaces}
    own = {task: [*space, *tasks[task].merge] for task, space in spaces.items()}
    for old, new in renamed.items():
        if not any(new in theirs[task] and same_label(new, own[task], task) for task in spaces):
            known = list(dict.fromkeys(name for task in spaces if new in theirs[task] for name in own[task]))
            known = known or [name for names in own.values() for name in names]
            raise AffuseError(
                f"{argument('rename')} {old}={new}: {unknown(new, known, 'labels of the model')}."
            )


def by_map(corpus: Corpus, chosen: NamedMap, spaces: Mapping[str, Sequence[str]]) -> tuple[Corpus, list[str]]:
    """(the corpus with its labels mapped to the model's, sentences to be said); several may become one, or None.

    A label belongs to every task of the model in which the corpus has it. Labels on either side may be in another
    spelling. ``"*"`` is every label of these tasks that the map does not name.

    Args:
        corpus: Stays as it is.
        chosen: The map.
        spaces: Task -> the model's classes.

    Raises:
        AffuseError: A label that the corpus does not have, one that the model does not have for it, or two spellings of
            one label with different answers.
    """
    maps: dict[str, dict[str, str | None]] = {task: {} for task in spaces}
    theirs = {task: _labels_of(corpus, task) for task in spaces}
    for label, other in chosen.pairs.items():
        if label == OTHERWISE:
            continue
        found = {task: name for task in spaces if (name := same_label(label, theirs[task], task))}
        if not found:
            known = list(dict.fromkeys(name for names in theirs.values() for name in names))
            raise AffuseError(f"{chosen.where}: {unknown(label, known, f'labels of {corpus.info.name}')}.")
        for task, name in _targets(other, list(found), spaces, f"{chosen.where}, {label}").items():
            said_of = maps[task].setdefault(found[task], name)
            if said_of != name:
                raise AffuseError(
                    f"{chosen.where}, {label}: it means {found[task]} in {corpus.info.name}, which is to be "
                    f"{said_of or 'left out'} already; keep one."
                )
    if OTHERWISE in chosen.pairs:
        touched = [task for task in spaces if maps[task]] or list(spaces)[:1]
        where = f"{chosen.where}, {OTHERWISE}"
        for task, name in _targets(chosen.pairs[OTHERWISE], touched, spaces, where).items():
            maps[task][OTHERWISE] = name
    maps = {task: mapping for task, mapping in maps.items() if mapping}
    said = []
    for task, mapping in maps.items():
        pairs = ", ".join(
            f"{'every other' if label == OTHERWISE else label} is {'left out' if name is None else name}"
            for label, name in mapping.items()
        )
        said.append(f"By {chosen.where}, of the {task} labels of {corpus.info.name}: {pairs}.")
    mapped = relabel(corpus, maps)
    had, left = (any(_counts(one.table, task, {}) for task in spaces) for one in (corpus, mapped))
    if had and not left:
        raise AffuseError(
            f"{chosen.where} leaves out every label of {corpus.info.name}; keep those that the model is measured on."
        )
    return mapped, said


def _targets(
    other: str | None, tasks: Sequence[str], spaces: Mapping[str, Sequence[str]], where: str
) -> dict[str, str | None]:
    """Task -> the model's label that ``other`` means there, of those of ``tasks`` that have it; None stays None."""
    if other is None:
        return dict.fromkeys(tasks)
    meant: dict[str, str | None] = {
        task: name for task in tasks if (name := same_label(other, spaces[task], task))
    }
    if not meant:
        known = list(dict.fromkeys(name for task in tasks for name in spaces[task]))
        raise AffuseError(
            f"{where}: {unknown(other, known, 'labels of the model')}, or null to leave it out."
        )
    return meant


def _labels_of(corpus: Corpus, task: str) -> list[str]:
    """In the corpus's table and label space."""
    used = corpus.table[task].dropna().unique() if task in corpus.table.columns else []
    return list(dict.fromkeys([*corpus.info.label_spaces.get(task, []), *sorted(map(str, used))]))


def by_vocabulary(
    corpus: Corpus, spaces: Mapping[str, Sequence[str]], tasks: Mapping[str, Task]
) -> tuple[Corpus, list[str]]:
    """(the corpus with the model's names for its labels, sentences to be said): "happy" is "happiness" to the model.

    Labels that the model has, or that the vocabulary does not know, keep their names.
    """
    maps, said = {}, []
    for task, space in spaces.items():
        merge = tasks[task].merge
        meant = {canonical(name, task) for name in space}
        merged = [
            label for label in merge if canonical(label, task) not in meant
        ]  # become classes afterwards
        labels = list(_counts(corpus.table, task, merge))
        if found := translation(labels, [*space, *merged], task):
            maps[task] = found
            pairs = ", ".join(f"{label} is {name}" for label, name in found.items())
            said.append(f"To the model, of the {task} labels of {corpus.info.name}: {pairs}.")
    return (relabel(corpus, maps) if maps else corpus), said


def check_labels(
    corpus: Corpus,
    ids: Sequence[str],
    spaces: Mapping[str, Sequence[str]],
    tasks: Mapping[str, Task],
    cure: str = "",
    rated: Sequence[str] = (),
) -> tuple[list[str], list[str]]:
    """(tasks that cannot be measured on the utterances ``ids``, sentences to be said), for a model of these classes.

    A task cannot be measured where the corpus has labels that the model does not know and fewer than two that it does:
    accuracy among one class says nothing. ``cure`` says what to do where the caller has no ``rename``; ``rated`` are
    the regressions, and the tasks of several labels, that can be measured.

    Raises:
        AffuseError: That is so of every task that has labels, and nothing is rated.
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
            faults.append(_misfit(corpus, task, counts, space, known, cure))
        else:
            said += _partial(corpus, task, counts, space, known, foreign, cure)
    if len(unfit) == len(spaces) and not rated:
        raise AffuseError(
            faults[0]
            if faults
            else f"{corpus.info.name} has no label of {' or '.join(tasks)}: nothing can be measured."
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
    corpus: Corpus,
    task: str,
    counts: Mapping[str, int],
    space: Sequence[str],
    known: Sequence[str],
    cure: str,
) -> str:
    meant = cure or f"say which are meant by {_example(counts, space)}, with a pair for each label"
    shared = f"only {known[0]} is among both" if known else "none is among both"
    return (
        f"The {task} labels of {corpus.info.name} ({_counts_in_words(counts)}) are not those of the model "
        f"({', '.join(space)}): {shared}. {meant[0].upper()}{meant[1:]}."
    )


def _partial(
    corpus: Corpus,
    task: str,
    counts: Mapping[str, int],
    space: Sequence[str],
    known: Sequence[str],
    foreign: Mapping[str, int],
    cure: str,
) -> list[str]:
    said = []
    if foreign:
        total = sum(counts.values())
        said.append(
            f"{sum(foreign.values())} of {total} {task} labels of {corpus.info.name} are not among the model's: "
            f"{_counts_in_words(foreign)}, left out ({cure or f'{_example(foreign, space)} renames one'}). "
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
