"""What each rater said of each utterance: ``annotations.parquet`` in a corpus folder.

The only home of the file; ``corpora.votes`` counts what is in it. A row is one label or one rating that a rater gave;
who gave it may be unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.corpus_files import ANNOTATIONS, TABLE
from affuse.corpora.labels import LabelMap, map_labels
from affuse.errors import AffuseError
from affuse.files import replacing
from affuse.names import listed, quote
from affuse.parts.registry import unknown

COLUMN_TYPES = {
    "id": "string",  # of the utterance
    "annotator": "string",  # blank: nobody knows who
    "task": "string",  # the column of the corpus that was judged: emotion, valence, ...
    "label": "string",  # as the rater gave it, blank in a row of a rating; a rater of two labels has two rows
    "value": "float64",  # the rating, NaN in a row of a label
    "count": "int64",  # how many raters said so: more than 1 where they are not told apart
    "self": "bool",  # the speaker's own judgement, which no vote counts
    "comment": "string",
}
_DEFAULTS = {"annotator": None, "label": None, "value": np.nan, "count": 1, "self": False, "comment": None}
_OLD_RATINGS = {"valence": "valence", "activation": "arousal", "dominance": "dominance"}


def annotation_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Make the table of rows that have ``id``, ``task`` and ``label`` or ``value``; what they lack has its default."""
    table = pd.DataFrame([_DEFAULTS | dict(row) for row in rows], columns=list(COLUMN_TYPES))
    return table.astype(COLUMN_TYPES)


def check_annotations(
    table: pd.DataFrame, utterances: pd.DataFrame, where: str = "annotations"
) -> pd.DataFrame:
    """Check annotations against the utterances that they are of.

    Args:
        table: With the columns of ``COLUMN_TYPES``, or some of them.
        utterances: The table of the corpus.
        where: What errors call the annotations.

    Returns:
        The table with all columns and their types.

    Raises:
        AffuseError: A column is missing or unknown, or a row is of no utterance or no column of the corpus, or says
            nothing; the first such row is named.
    """
    for name in table.columns:
        if name not in COLUMN_TYPES:
            raise AffuseError(f"{where}: {unknown(str(name), list(COLUMN_TYPES), 'columns of annotations')}.")
    if missing := [name for name in ("id", "task") if name not in table.columns]:
        raise AffuseError(f"{where} has no column {missing[0]!r}; it has {listed(map(str, table.columns))}.")
    table = table.copy()
    for name, value in _DEFAULTS.items():
        if name not in table.columns:
            table[name] = value
    count = pd.to_numeric(table["count"], errors="coerce")
    value = pd.to_numeric(table["value"], errors="coerce")
    label = table["label"].astype("string").str.strip().fillna("") != ""
    faults = (
        (~table["id"].isin(utterances["id"]), "id", "is no utterance of the corpus"),
        (~table["task"].isin(utterances.columns), "task", "is no column of the corpus"),
        (table["value"].notna() & ~np.isfinite(value), "value", "is no number"),
        (label & value.notna(), "label", "stands beside a rating; give each a row of its own"),
        (~label & value.isna(), "label", "is blank, and there is no rating either"),
        (~(count >= 1) | (count % 1 != 0), "count", "is not a whole number of raters from 1"),
        (table["annotator"].notna() & (count > 1), "count", "is more than the one rater who is named"),
    )
    for wrong, column, what in faults:
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            said = table[column].iloc[row]
            about = (
                ""
                if pd.isna(said) or column == "id"
                else f" {quote(said) if isinstance(said, str) else said}"
            )
            raise AffuseError(
                f"{where}, row {row + 1} ({table['id'].iloc[row]}): the {column}{about} {what}; correct the row, or "
                "prepare the corpus again."
            )
    return table[list(COLUMN_TYPES)].astype(COLUMN_TYPES).reset_index(drop=True)


def read_annotations(folder: Path) -> pd.DataFrame | None:
    """Read a corpus folder's annotations; None where it keeps none.

    The form that affuse wrote before there were raters of other corpora than IEMOCAP's is read too.

    Raises:
        AffuseError: The file is damaged or does not fit the corpus.
    """
    path = folder / ANNOTATIONS
    if not path.is_file():
        return None
    try:
        table = pd.read_parquet(path)
        utterances = pd.read_parquet(folder / TABLE)
    except Exception as error:  # pyarrow raises several kinds for a damaged file
        raise AffuseError(
            f"{path} cannot be read ({' '.join(str(error).split())}); prepare the corpus again."
        ) from None
    if "kind" in table.columns:
        table = _from_old(table)
    return check_annotations(table, utterances, str(path))


def write_annotations(folder: Path, table: pd.DataFrame | None) -> None:
    """Write ``annotations.parquet``, or take away what another corpus left where there are none."""
    path = folder / ANNOTATIONS
    if table is None or table.empty:
        path.unlink(missing_ok=True)
        return
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False)


def renamed_votes(
    annotations: pd.DataFrame | None,
    vote_labels: Mapping[str, Mapping[str, str | None]],
    maps: Mapping[str, LabelMap],
) -> dict[str, dict[str, str | None]]:
    """Carry maps of a corpus's labels on to its votes: the new ``CorpusInfo.vote_labels``.

    Args:
        annotations: What raters said; None: nothing, and nothing changes.
        vote_labels: What the votes' labels were called before.
        maps: Task -> its map of labels, as ``labels.map_labels`` takes it.
    """
    found = {task: dict(names) for task, names in vote_labels.items()}
    if annotations is None:
        return found
    for task, mapping in maps.items():
        labels = annotations.loc[(annotations["task"] == task) & annotations["label"].notna(), "label"]
        before = [found.get(task, {}).get(label, label) for label in labels.unique()]
        after = map_labels(pd.Series(before, dtype="string"), mapping)
        names = {
            str(label): None if pd.isna(name) else str(name)
            for label, name in zip(labels.unique(), after, strict=True)
        }
        if names:
            found[task] = names
    return found


def _from_old(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of kind categorical have a label, rows of kind attribute three ratings."""
    labels = table[table["kind"] == "categorical"].assign(task="emotion", value=np.nan)
    ratings = [
        table[table[old].notna()].assign(task=task, label=None, value=table[old])
        for old, task in _OLD_RATINGS.items()
    ]
    rows = pd.concat([labels, *ratings]).sort_index(kind="stable")
    return rows.assign(count=1)[list(COLUMN_TYPES)].reset_index(drop=True)
