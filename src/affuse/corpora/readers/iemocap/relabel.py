"""Another label rule for a prepared corpus, from the votes that were kept beside it."""

from __future__ import annotations

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import ANNOTATIONS
from affuse.corpora.label_protocol import LabelProtocol
from affuse.corpora.readers.iemocap.evaluation import Vote
from affuse.corpora.readers.iemocap.labels import label_turn, takes
from affuse.corpora.readers.iemocap.names import parse_turn
from affuse.errors import AffuseError


def has_votes(corpus: Corpus) -> bool:
    """Whether the corpus folder keeps what ``relabel_votes`` needs."""
    return (
        corpus.folder is not None
        and (corpus.folder / ANNOTATIONS).is_file()
        and "emotion_raw" in corpus.table.columns
        and any(parse_turn(id) for id in corpus.table["id"])  # another release's codes are not these
    )


def relabel_votes(corpus: Corpus, rule: LabelProtocol) -> Corpus:
    """Give a corpus the emotions (and the turns) that ``prepare`` would have given it under ``rule``.

    Turns that were left out when it was prepared stay out. Ceilings hold for one rule only and go, unless this one
    gives the same labels.

    Args:
        corpus: Must have votes; stays as it is.
        rule: The label protocol.

    Raises:
        AffuseError: Nothing is left.
    """
    votes = _read_votes(corpus)
    table = corpus.table.copy()
    taken, emotions, sources = [], [], []
    for id, consensus in zip(table["id"], table["emotion_raw"], strict=True):
        turn = parse_turn(id)
        label = source = None
        if turn is not None:
            label, source = label_turn(rule, turn, consensus, votes.get(id, []))
        taken.append(turn is not None and takes(rule, turn))
        emotions.append(label)
        sources.append(source)
    table["emotion"] = pd.array(emotions, dtype="string")
    table["label_source"] = pd.array(sources, dtype="string")
    table = table[taken]
    if not rule.keep_unlabelled:
        table = table[table["emotion"].notna()]
    if table.empty:
        raise AffuseError(
            f"{corpus.info.name}: no turn is left under this protocol ({rule.describe()}); widen it."
        )
    spaces = corpus.info.label_spaces | {"emotion": rule.label_space}
    same = spaces == corpus.info.label_spaces and _labels(table) == _labels(corpus.table)
    ceilings = corpus.info.ceilings if same else {}
    votes = corpus.info.vote_labels | {"emotion": dict[str, str | None](rule.codes)}
    changes = {
        "label_spaces": spaces,
        "vote_labels": votes,
        "ceilings": ceilings,
        # ratings do not depend on the rule, but all turns must be there
        "rating_ceilings": corpus.info.rating_ceilings if rule.keep_unlabelled else {},
    }
    return corpus.altered(table, corpus.info.model_copy(update=changes))


def _labels(table: pd.DataFrame) -> dict[str, str]:
    """The emotion of each id that has one."""
    return dict(table.dropna(subset=["emotion"])[["id", "emotion"]].itertuples(index=False))


def _read_votes(corpus: Corpus) -> dict[str, list[Vote]]:
    """Every annotator's votes by id, in the order of the release."""
    rows = corpus.annotations
    assert rows is not None
    rows = rows[(rows["task"] == "emotion") & rows["label"].notna()]
    labels: dict[str, dict[str, list[str]]] = {}
    for id, annotator, label in zip(rows["id"], rows["annotator"], rows["label"], strict=True):
        labels.setdefault(id, {}).setdefault(annotator, []).append(label)
    return {
        id: [Vote(annotator, tuple(names), "") for annotator, names in of_turn.items()]
        for id, of_turn in labels.items()
    }
