"""A corpus under other names of its labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from affuse.corpora.annotations import renamed_votes
from affuse.corpora.corpus import Corpus
from affuse.corpora.labels import LabelMap, map_labels, with_labels
from affuse.errors import AffuseError
from affuse.parts.registry import unknown


def relabel(corpus: Corpus, maps: Mapping[str, LabelMap], require: Sequence[str] = ()) -> Corpus:
    """Apply label maps, task by task, to a corpus's table and its label spaces.

    Args:
        corpus: Stays as it is.
        maps: Task (a column) -> its map; see ``map_labels``.
        require: Tasks whose label every utterance must have: an utterance left blank in one of them is left out.
            Without it such utterances stay, since other tasks may still learn from them.

    Raises:
        AffuseError: A task is no column of the table, or nothing is left.
    """
    table = corpus.table.copy()
    spaces = dict(corpus.info.label_spaces)
    for task in (*maps, *require):
        if task not in table.columns:
            raise AffuseError(f"{unknown(task, list(table.columns), 'columns of ' + corpus.info.name)}.")
    for task, mapping in maps.items():
        table[task] = map_labels(table[task], mapping)
        if task in spaces:
            renamed = map_labels(pd.Series(spaces[task], dtype="string"), mapping)
            spaces[task] = list(dict.fromkeys(renamed.dropna()))
    table = table[with_labels(table, require)]
    if table.empty:
        raise AffuseError(
            f"{corpus.info.name}: no utterance is left after the label maps for {', '.join(maps)}; "
            "compare them with the labels in the table."
        )
    votes = renamed_votes(corpus.annotations, corpus.info.vote_labels, maps)
    return corpus.altered(
        table, corpus.info.model_copy(update={"label_spaces": spaces, "vote_labels": votes})
    )
