"""Overlapping parts, as the second paper's code makes them: only when asked for, measured, stamped."""

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from affuse.corpora.splits.making import make_split
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.corpora.splits.split import Split
from affuse.errors import AffuseError

WANTED: dict[str, Any] = {
    "kind": "ratio",
    "ratios": (0.6, 0.2, 0.2),
    "reshuffled": True,
    "allow_speaker_overlap": True,
}


def table(n: int = 500):
    return pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(n)],
            "speaker": [f"s{i % 10}" for i in range(n)],
            "emotion": [f"e{i % 4}" for i in range(n)],
        }
    )


def authors(n: int, seed: int = 123):
    """Bug 1 as it is: one list, shuffled in place for each of three data sets, each slicing its own part."""
    random.seed(seed)
    ids, cuts = [f"u{i}" for i in range(n)], (int(0.6 * n), int(0.8 * n))
    parts = {}
    for role, part in (
        ("train", slice(0, cuts[0])),
        ("validation", slice(*cuts)),
        ("test", slice(cuts[1], n)),
    ):
        random.shuffle(ids)
        parts[role] = set(ids[part])
    return parts


def shares(parts: dict[str, set[str]], n: int):
    seen = len(parts["test"] & parts["train"]) / len(parts["test"])
    return seen, len(set().union(*parts.values())) / n


def test_the_shares_are_those_of_the_authors_loop() -> None:
    """60 % of the test part trains; 1 - 0.4 * 0.8 * 0.8 of the utterances are in some part."""
    n = 500
    mine = make_split(table(n), SplitProtocol(**WANTED), "emotion").roles(0)
    for parts in ({role: set(ids) for role, ids in mine.items()}, authors(n)):
        seen, used = shares(parts, n)
        assert seen == pytest.approx(0.6, abs=0.1)
        assert used == pytest.approx(1 - 0.4 * 0.8 * 0.8, abs=0.05)
    assert {role: len(ids) for role, ids in mine.items()} == {"train": 300, "validation": 100, "test": 100}


def test_it_is_stamped_saved_and_read_back(tmp_path: Path) -> None:
    split = make_split(table(), SplitProtocol(**WANTED), "emotion")
    roles = split.roles(0)
    seen = {*roles["train"], *roles["validation"]}
    share = sum(id in seen for id in roles["test"]) / len(roles["test"])
    assert split.utterance_overlap == share
    assert (
        split.stamp == f"speaker-dependent, {100 * share:.0f} % of the test utterances train or validate too"
    )
    split.save(tmp_path / "split.csv")
    again = Split.load(tmp_path / "split.csv")
    assert (again.hash, again.stamp) == (split.hash, split.stamp)


def test_rows_order_does_not_matter_and_the_seed_does() -> None:
    first = make_split(table(), SplitProtocol(**WANTED), "emotion")
    assert (
        make_split(table().sample(frac=1, random_state=1), SplitProtocol(**WANTED), "emotion").hash
        == first.hash
    )
    assert make_split(table(), SplitProtocol(**WANTED, seed=1), "emotion").hash != first.hash


def test_the_same_table_is_refused_without_the_option() -> None:
    overlapping = make_split(table(), SplitProtocol(**WANTED), "emotion").table
    with pytest.raises(AffuseError, match="is twice in fold 0; parts are disjoint"):
        Split(overlapping, SplitProtocol(**{**WANTED, "reshuffled": False}))


def test_an_ordinary_split_overlaps_nowhere() -> None:
    split = make_split(table(), SplitProtocol(**{**WANTED, "reshuffled": False}), "emotion")
    assert split.utterance_overlap == 0
    assert split.stamp == "speaker-dependent"


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "k_fold"},
        {"by": "speaker"},
        {"ratios": (0.8, 0, 0.2), "validation": {"fraction": 0.1}},
    ],
)
def test_only_a_plain_ratio_can_be_reshuffled(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="reshuffled parts are those of kind 'ratio'"):
        SplitProtocol(**{**WANTED, **change})


def test_speakers_still_have_to_be_allowed_to_overlap() -> None:
    with pytest.raises(AffuseError, match="Speakers overlap"):
        make_split(table(), SplitProtocol(**{**WANTED, "allow_speaker_overlap": False}), "emotion")
