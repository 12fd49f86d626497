"""Giving every utterance of a corpus table its role in every fold of a protocol."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

from affuse.corpora.splits.protocol import SplitProtocol
from affuse.corpora.splits.sampling import choose_groups, deal, deal_groups, sample, shuffled
from affuse.errors import AffuseError
from affuse.names import alike, quote, spellings

ROLE_SPELLINGS = {"train": "train", "validation": "validation", "valid": "validation", "val": "validation",
                  "dev": "validation", "test": "test"}  # fmt: skip


def assign(table: pd.DataFrame, protocol: SplitProtocol) -> list[np.ndarray]:
    """Give every row of ``table``, which has ``id`` (sorted) and ``label``, its role in every fold: arrays of (n,)."""
    return [
        _take_validation(table, roles, protocol, fold) for fold, roles in enumerate(_folds(table, protocol))
    ]


def overlapping_parts(table: pd.DataFrame, protocol: SplitProtocol) -> list[tuple[str, np.ndarray]]:
    """Take the parts of a ``reshuffled`` ratio: pairs of role and (n,) bool.

    The list is shuffled anew for each part and the part's slice taken, so a part's utterances say nothing about
    another part's: of the test part's, the share that also trains is about the training part's ratio.
    """
    ids = table["id"].tolist()
    train, validation, _ = protocol.ratios
    cuts = [0, int(len(ids) * train), int(len(ids) * (train + validation)), len(ids)]
    parts = []
    for role, start, stop in zip(("train", "validation", "test"), cuts, cuts[1:], strict=False):
        taken = np.zeros(len(ids), dtype=bool)
        taken[shuffled(ids, protocol.seed, f"reshuffled {role}")[start:stop]] = True
        if stop > start:
            parts.append((role, taken))
    return parts


def _folds(table: pd.DataFrame, protocol: SplitProtocol) -> list[np.ndarray]:
    """For every fold the role of every utterance, before a validation part is taken out."""
    labels = table["label"].tolist()
    ids = table["id"].tolist()
    seed = protocol.seed
    if protocol.kind == "column":
        return [_roles_of_column(table, protocol.by[0])]
    if protocol.kind == "ratio":
        _, validation, test = protocol.ratios
        tested = _part(table, labels, test, protocol, "test")
        roles = np.where(tested, "test", "train").astype(object)
        if validation:
            rest = table[~tested]
            share = validation / (1 - test)
            roles[
                np.flatnonzero(~tested)[_part(rest, rest["label"].tolist(), share, protocol, "validation")]
            ] = "validation"
        return [roles]
    if protocol.kind == "k_fold":
        if len(ids) < protocol.folds:
            raise AffuseError(f"{protocol.folds} folds need as many utterances; the corpus has {len(ids)}.")
        fold_of = deal(ids, labels, protocol.folds, seed)
        numbers = range(protocol.folds)
    else:
        groups = _groups(table, protocol.by)
        names = sorted(set(groups), key=_natural)
        if protocol.kind == "leave_one_group_out":
            number_of = {name: number for number, name in enumerate(names)}
            fold_of = np.array([number_of[group] for group in groups])
            numbers = range(len(names))
        else:
            if len(names) < protocol.folds:
                raise AffuseError(
                    f"{protocol.folds} folds by {_named(protocol.by)} need as many groups; the corpus has "
                    f"{len(names)}. Set protocol.folds to {len(names)} or less."
                )
            fold_of = deal_groups(groups, labels, protocol.folds, seed)
            numbers = range(protocol.folds)
    return [np.where(fold_of == number, "test", "train").astype(object) for number in numbers]


def _part(
    table: pd.DataFrame, labels: list[str], share: float, protocol: SplitProtocol, purpose: str
) -> np.ndarray:
    """(n,) bool: a share of the utterances, or of whole groups where the protocol groups."""
    if not protocol.by:
        return sample(table["id"].tolist(), labels, share, protocol.seed, purpose)
    groups = _groups(table, protocol.by)
    chosen = _choose(groups, labels, None, share, protocol.seed, purpose, protocol.by)
    return np.isin(groups, list(chosen))


def _roles_of_column(table: pd.DataFrame, column: str) -> np.ndarray:
    _refuse_blanks(table, (column,))
    values = table[column].astype(str).str.strip().str.lower()
    odd = values[~values.isin(list(ROLE_SPELLINGS))]
    if len(odd):
        raise AffuseError(
            f"Column {column!r} says {quote(odd.iloc[0])} (utterance {quote(table['id'][odd.index[0]])}) where train, "
            "validation or test is meant."
        )
    roles = values.map(ROLE_SPELLINGS).to_numpy(dtype=object)
    for role in ("train", "test"):
        if role not in roles:
            raise AffuseError(f"Column {column!r} gives no utterance the role {role!r}; a split needs some.")
    return roles


def _take_validation(
    table: pd.DataFrame, roles: np.ndarray, protocol: SplitProtocol, fold: int
) -> np.ndarray:
    """``roles`` with the protocol's validation part taken out of the training part."""
    wanted = protocol.validation
    if wanted is None:
        return roles
    if "validation" in roles:
        raise AffuseError(
            f"Column {protocol.by[0]!r} names a validation part already; leave out protocol.validation."
        )
    training = np.flatnonzero(roles == "train")
    rest = table.iloc[training]
    labels = rest["label"].tolist()
    purpose = f"validation of fold {fold}"
    if wanted.fraction is not None and not wanted.by:
        taken = sample(rest["id"].tolist(), labels, wanted.fraction, protocol.seed, purpose)
    else:
        by = wanted.by or protocol.by
        groups = _groups(rest, by, f"training utterances, of which some are taken for the {purpose},")
        chosen = _choose(groups, labels, wanted.groups, wanted.fraction, protocol.seed, purpose, by)
        taken = np.isin(groups, list(chosen))
    roles = roles.copy()
    roles[training[taken]] = "validation"
    if not taken.any():
        raise AffuseError(
            f"protocol.validation takes no utterance of {len(training)}: raise validation.fraction."
        )
    return roles


def _choose(
    groups: list[str],
    labels: list[str],
    number: int | None,
    share: float | None,
    seed: int,
    purpose: str,
    by: tuple[str, ...],
) -> set[str]:
    there_are = len(set(groups))
    if number is None:
        assert share is not None
        number = min(max(1, round(share * there_are)), max(1, there_are - 1))
    if number >= there_are:
        raise AffuseError(
            f"{number} of {there_are} groups by {_named(by)} cannot be taken for the {purpose}: none would "
            "be left to train; take fewer, or groups of another column (by)."
        )
    return choose_groups(groups, labels, number, share or number / there_are, seed, purpose)


def _groups(table: pd.DataFrame, by: tuple[str, ...], what: str = "utterances to split") -> list[str]:
    """Every utterance's group, over one or more columns. Raises AffuseError for blanks and for one group."""
    _refuse_blanks(table, by)
    named = [_one_spelling(table[name]) for name in by]
    groups = [" / ".join(values) for values in zip(*named, strict=True)]
    if len(set(groups)) == 1:
        raise AffuseError(
            f"All {len(groups)} {what} have one {_named(by)}, {quote(groups[0])}, and a split by it "
            "needs two or more; split by another column (by), or use k_fold with allow_speaker_overlap: true."
        )
    return groups


def _one_spelling(names: pd.Series) -> list[str]:
    """Names that are alike (``Anna``, ``anna``) as the first of them in the alphabet: one group, on one side."""
    first = {alike(other): group[0] for group in spellings(map(str, names)) for other in group}
    return [first.get(alike(name), name) for name in map(str, names)] if first else list(map(str, names))


def _refuse_blanks(table: pd.DataFrame, by: tuple[str, ...]) -> None:
    for name in by:
        blank = int(table[name].isna().sum())
        if blank:
            raise AffuseError(
                f"{blank} of {len(table)} utterances have no {name}, and the split is by it; fill it in, "
                "leave those utterances out, or change the recipe's protocol: by=COLUMN splits by another column, and "
                "protocol={kind: k_fold, validation: {fraction: 0.15}, allow_speaker_overlap: true} needs none."
            )


def _named(by: tuple[str, ...]) -> str:
    return " and ".join(by)


def _natural(name: str) -> list[Any]:
    """Session 2 comes before session 10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)]
