"""Labels as numbers, clips as batches, batches of like lengths."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from affuse.corpora.corpus import Corpus
from affuse.corpora.vocabulary import same_label
from affuse.errors import AffuseError
from affuse.names import quote
from affuse.parts.registry import unknown
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad
from affuse.training.features import Source
from affuse.training.label_sets import LabelSets, label_sets_of
from affuse.training.ratings import ratings_of
from affuse.training.votes import shares_of

LABEL_COLUMNS = ("emotion", "gender")  # that every reader gives classes, where its corpus has any
BLANK = -1  # code of a label that is not known
Target = float | np.ndarray  # of one utterance: a class index, a rating, or a row


class LabelledTable(NamedTuple):
    """Rows with at least one label, with the recipe's merges done.

    Attributes:
        table: The corpus's columns; task columns hold merged labels, blank where out of classes.
        spaces: Task -> classes, in order.
        codes: Task -> id -> class index or BLANK.
        left_out: Rows without a label for any task.
        ratings: Regression -> id -> rating in units of half its range, NaN where blank.
        label_sets: Task of several labels -> labels, in order.
        sets: Task of several labels -> id -> (labels,) of 0 and 1, NaN where blank.
        foreign: Task of several labels -> label that is left out -> utterances that have it.
        shares: Task that learns votes -> id -> (classes,) their shares, NaN where blank.
    """

    table: pd.DataFrame
    spaces: dict[str, list[str]]
    codes: dict[str, dict[str, int]]
    left_out: int
    ratings: dict[str, dict[str, float]]
    label_sets: dict[str, list[str]]
    sets: dict[str, dict[str, np.ndarray]]
    foreign: dict[str, dict[str, int]]
    shares: dict[str, dict[str, np.ndarray]]

    @property
    def names(self) -> dict[str, list[str]]:
        """Task -> classes or labels, as ``Model`` takes them."""
        return {**self.spaces, **self.label_sets}

    @property
    def targets(self) -> dict[str, Mapping[str, Target]]:
        """What ``Clips`` takes: codes, ratings and rows of all tasks."""
        return {**self.codes, **self.ratings, **self.sets}

    @property
    def outputs(self) -> dict[str, int]:
        """Task -> how many numbers the network gives for it: one per class or label, or a rating."""
        return {task: len(names) for task, names in self.names.items()} | dict.fromkeys(self.ratings, 1)


def label_table(
    corpus: Corpus, recipe: Recipe, spaces_of_model: Mapping[str, list[str]] | None = None
) -> LabelledTable:
    """Select and encode the labels that the recipe's tasks ask for.

    ``spaces_of_model`` are the classes (and labels, where there are several at once) of a trained model: the corpus may
    then lack some of them.

    Raises AffuseError naming the task, label or row: unknown column or class, a label that is not in the
    corpus's label space, a single class.
    """
    table = corpus.table.copy()
    spaces: dict[str, list[str]] = {}
    for task, dimension in recipe.dimensions.items():
        if spaces_of_model is not None and task not in table.columns:
            table[task] = np.nan  # nothing to measure in this task
        table[task] = ratings_of(table, task, dimension, corpus.info.name, spaces_of_model is None)
    several: dict[str, LabelSets] = {}
    for task in recipe.label_sets:
        own = None if spaces_of_model is None else spaces_of_model[task]
        several[task] = label_sets_of(corpus, task, recipe.tasks[task], own)
        table[task] = several[task].texts.to_numpy()
    for task in recipe.classified:
        choice = recipe.tasks[task]
        known = corpus.info.label_spaces.get(task)
        if spaces_of_model is not None and (known is None or task not in table.columns):
            table[task], spaces[task] = None, spaces_of_model[task]  # nothing to measure in this task
            continue
        if known is None or task not in table.columns:
            raise AffuseError(_without_space(corpus, task))
        column = table[task].astype("string")
        foreign = column.notna() & ~column.isin(known)
        if foreign.any():
            row = table[foreign].iloc[0]
            raise AffuseError(
                f"{corpus.folder or corpus.info.name}: utterance {row['id']} has {task} {row[task]!r}, which is "
                f"not in the label space {known}; correct the row or add the label ('affuse validate' lists all)."
            )
        merge = dict(choice.merge)  # of a trained model: its corpus's names are told by the vocabulary before
        if spaces_of_model is None:
            names = _in_corpus(choice.merge, known, f"tasks.{task}.merge", task)
            merge = {
                old: same_label(new, known, task) or new
                for old, new in zip(names, merge.values(), strict=True)
            }
        for old, new in merge.items():
            column = column.replace(old, new)
        possible = list(dict.fromkeys(merge.get(label, label) for label in known))
        if spaces_of_model is not None:
            classes = spaces_of_model[task]
            table[task] = column.where(column.isin(classes))
            spaces[task] = classes
            continue
        classes = _in_corpus(choice.classes or [], possible, f"tasks.{task}.classes", task)
        classes = classes or [label for label in possible if (column == label).any()]
        table[task] = column.where(column.isin(classes))
        counts = table[task].value_counts()
        empty = [label for label in classes if label not in counts.index]
        if empty:
            raise AffuseError(
                f"tasks.{task}: no utterance is labelled {', '.join(empty)}; leave it out of classes."
            )
        if len(classes) < 2:
            raise AffuseError(
                f"{corpus.info.name} has one class only for {task} ({', '.join(classes) or 'none'}); "
                "a classifier needs at least two."
            )
        spaces[task] = classes
    learnt = {
        task: shares_of(corpus, task, recipe.tasks[task], spaces[task], table[task], spaces_of_model is None)
        for task in recipe.voted
    }
    labelled = table[list(recipe.tasks)].notna().any(axis=1)
    for rows in learnt.values():
        labelled |= pd.Series(np.asarray(~np.isnan(rows).any(axis=1)), table.index)
    kept = table[labelled].reset_index(drop=True)
    codes = {
        task: {
            id: BLANK if pd.isna(label) else space.index(label)
            for id, label in zip(kept["id"], kept[task], strict=True)
        }
        for task, space in spaces.items()
    }
    ratings = {
        task: dict(zip(kept["id"], dimension.to_unit(kept[task].to_numpy(float)).tolist(), strict=True))
        for task, dimension in recipe.dimensions.items()
    }
    sets = {
        task: dict(zip(kept["id"], one.rows[labelled.to_numpy()], strict=True))
        for task, one in several.items()
    }
    label_sets = {task: one.labels for task, one in several.items()}
    foreign = {task: one.foreign for task, one in several.items() if one.foreign}
    shares = {
        task: dict(zip(kept["id"], rows[labelled.to_numpy()], strict=True)) for task, rows in learnt.items()
    }
    left_out = int((~labelled).sum())
    return LabelledTable(kept, spaces, codes, left_out, ratings, label_sets, sets, foreign, shares)


def _without_space(corpus: Corpus, task: str) -> str:
    """Why a task has no classes in the corpus, and what to do."""
    spaces, name = list(corpus.info.label_spaces), corpus.info.name
    if not spaces and task in LABEL_COLUMNS:
        return (
            f"The corpus {name} has no labels: no column emotion or gender. Prepare it again, and name the column that "
            "holds them."
        )
    if task in corpus.table.columns and corpus.table[task].notna().any():
        return (
            f"tasks.{task}: nothing says that {task} of the corpus {name} has classes; take kind: regression with a "
            "range for numbers, kind: multilabel for labels joined by ';', or prepare the corpus with label_spaces for "
            "one label."
        )
    return (
        f"{unknown(task, spaces or ['none'], 'labels')} of the corpus {name}; change the recipe's tasks, or prepare "
        "the corpus with that column."
    )


def _in_corpus(labels: Iterable[str], known: list[str], field: str, task: str) -> list[str]:
    """The corpus's names for a recipe's labels, which may be in another spelling."""
    found: list[str] = []
    for label in labels:
        meant = same_label(label, known, task)
        if meant is None:
            raise AffuseError(f"{field}: {unknown(label, known, 'labels')}.")
        if meant in found:
            raise AffuseError(f"{field} names {meant} twice, once as {quote(label)}; keep one.")
        found.append(meant)
    return found


class Batch(NamedTuple):
    """clips: modality -> padded sequence; labels: task -> (batch, ...); index: (batch,) into the dataset's ids.

    codes: task that learns votes -> (batch,) class indices of the utterances' labels, below 0 where blank
    """

    clips: dict[str, FeatureSequence]
    labels: dict[str, Tensor]
    index: Tensor  # type: ignore[override]
    codes: dict[str, Tensor]


def _in_order(targets: Mapping[str, Any], ids: Sequence[str]) -> Tensor:
    """Targets of the utterances; of none of them, too, a tensor of the kind that others have."""
    there = [targets[id] for id in ids] or [next(iter(targets.values()), BLANK)]
    return torch.as_tensor(np.array(there))[: len(ids)]


class Clips(Dataset[tuple[int, dict[str, Tensor | None]]]):
    """The utterances of one role. Items are (index, modality -> tensor or None)."""

    def __init__(
        self,
        ids: Sequence[str],
        sources: Mapping[str, Source],
        targets: Mapping[str, Mapping[str, Target]],
        shares: Mapping[str, Mapping[str, np.ndarray]] | None = None,
    ) -> None:
        self.ids = list(ids)
        self.sources = dict(sources)
        # ratings are kept in double precision, so that tables have them as the corpus does; batches are in single
        self.labels = {task: _in_order(of, self.ids) for task, of in targets.items()}
        # what is learnt in place of labels; they remain what answers are measured by
        self.shares = {task: _in_order(of, self.ids) for task, of in (shares or {}).items()}

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> tuple[int, dict[str, Tensor | None]]:
        return index, {name: source.load(self.ids[index]) for name, source in self.sources.items()}

    def lengths(self) -> np.ndarray:
        """(utterances,) steps of all modalities together: what a batch pads."""
        return np.array(
            [sum(0 if clip is None else len(clip) for clip in self[i][1].values()) for i in range(len(self))]
        )

    def collate(self, items: Sequence[tuple[int, dict[str, Tensor | None]]]) -> Batch:
        """A modality that the whole batch lacks is left out: the network knows what that means."""
        index = torch.tensor([i for i, _ in items])
        clips = {}
        for name in self.sources:
            of_batch = [clip[name] for _, clip in items]
            if any(clip is not None for clip in of_batch):
                clips[name] = pad(of_batch)
        labels = {task: self.labels_of(task)[index] for task in self.labels}
        return Batch(clips, labels, index, {task: self.labels[task][index] for task in self.shares})

    def labels_of(self, task: str) -> Tensor:
        """The labels of all utterances as batches have them; votes' shares where they are learnt."""
        labels = self.shares.get(task, self.labels[task])
        return labels.float() if labels.is_floating_point() else labels


class BucketBatches(Sampler[list[int]]):
    """Shuffled batches of like lengths, so that little of a batch is padding.

    Utterances are shuffled, cut into stretches of ``stretch`` batches, sorted by length inside each, and the
    batches are shuffled again. The order is a function of (seed, epoch) alone, so a resumed run repeats it.
    """

    def __init__(self, lengths: np.ndarray, batch_size: int, seed: int, stretch: int = 8) -> None:
        self.lengths = lengths
        self.batch_size = batch_size
        self.seed = seed
        self.stretch = stretch
        self.epoch = 0

    @property
    def sampler(self) -> BucketBatches:
        """Where Lightning looks for ``set_epoch`` in a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.lengths) // self.batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        order = random.permutation(len(self.lengths))
        span = self.batch_size * self.stretch
        batches: list[list[int]] = []
        for start in range(0, len(order), span):
            part = order[start : start + span]
            part = part[np.argsort(self.lengths[part], kind="stable")]
            batches += [
                part[at : at + self.batch_size].tolist() for at in range(0, len(part), self.batch_size)
            ]
        yield from (batches[i] for i in random.permutation(len(batches)))


def in_length_order(lengths: np.ndarray, batch_size: int) -> list[list[int]]:
    """Fixed batches for evaluation."""
    order = np.argsort(lengths, kind="stable")
    return [order[at : at + batch_size].tolist() for at in range(0, len(order), batch_size)]


def batches(clips: Clips, batch_size: int) -> DataLoader[Any]:
    """Every utterance once, in batches of like lengths."""
    return DataLoader(
        clips,
        batch_sampler=in_length_order(clips.lengths(), batch_size),
        collate_fn=clips.collate,
        generator=torch.Generator(),  # a seed for workers, which there are none of, is no draw of the caller's
    )
