"""Making a split of a corpus by a protocol."""

from __future__ import annotations

import pandas as pd

from affuse.corpora.splits.folds import assign, overlapping_parts
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.corpora.splits.split import Split, speakers_of
from affuse.errors import AffuseError
from affuse.names import counted
from affuse.parts.registry import unknown


def make_split(corpus_table: pd.DataFrame, protocol: SplitProtocol, label_column: str) -> Split:
    """Split the utterances of a corpus by a protocol.

    The result depends on the ids, labels, groups and seed, not on the order of rows.

    Args:
        corpus_table: ``Corpus.table``.
        protocol: How.
        label_column: The task whose classes are balanced; utterances without a label count as one more class.

    Raises:
        AffuseError: There is one class or one group only, there are fewer groups than folds, blank groups, duplicate
            ids, a class that some fold cannot train or no fold tests, or overlapping speakers; the sentence says what
            to do.
    """
    validation_by = protocol.validation.by if protocol.validation else ()
    for column in dict.fromkeys([label_column, *protocol.by, *validation_by]):
        if column not in corpus_table.columns:
            raise AffuseError(f"{unknown(column, list(corpus_table.columns), 'columns of the corpus')}.")
    if corpus_table["id"].hasnans or not corpus_table["id"].is_unique:
        raise AffuseError("The corpus has blank or duplicate ids; 'affuse validate' names the rows.")
    if any(character < " " for one in corpus_table["id"] for character in str(one)):
        raise AffuseError(
            "The corpus has ids with line breaks or the like; 'affuse validate' names the rows."
        )
    table = corpus_table.sort_values("id", key=lambda ids: ids.astype(object)).reset_index(drop=True)
    table["id"] = table["id"].astype(object)
    labels = table[label_column].astype(object).where(table[label_column].notna(), "")
    classes = sorted(set(labels) - {""})
    if len(classes) < 2:
        only = f"only {classes[0]!r}" if classes else "none"
        raise AffuseError(
            f"The corpus has {only} as {label_column}; telling classes apart needs at least two. Check the "
            "label map, or what was left out."
        )
    table["label"] = labels
    table["speaker"] = speakers_of(table).to_numpy()
    if protocol.reshuffled:
        parts = [
            table.loc[taken, ["id", "speaker"]].assign(fold=0, role=role)
            for role, taken in overlapping_parts(table, protocol)
        ]
    else:
        parts = [
            table[["id", "speaker"]].assign(fold=fold, role=roles)
            for fold, roles in enumerate(assign(table, protocol))
        ]
    split = Split(pd.concat(parts), protocol)
    _check_classes(split, table.set_index("id")["label"], classes, label_column)
    return split


def _check_classes(split: Split, label_of: pd.Series, classes: list[str], column: str) -> None:
    """Every class must be trained in every fold and tested in one."""

    def described(label: str) -> str:
        return f"{column} {label!r} ({counted(int((label_of == label).sum()), 'utterance')} in the corpus)"

    tested: set[str] = set()
    for fold in split.folds:
        roles = split.roles(fold)
        for label in sorted(set(classes) - set(label_of[roles["train"]])):
            raise AffuseError(
                f"Fold {fold} has nothing to train {described(label)} on; leave that class out, or change the "
                "split: fewer folds, or groups over which the class is spread."
            )
        tested |= set(label_of[roles["test"]])
    for label in sorted(set(classes) - tested):
        raise AffuseError(f"No fold tests {described(label)}; leave that class out, or use another split.")
