"""Sampling utterances and groups into parts: seeded by what is sampled, never by its order in a file.

A random order here is the order of hashes of (seed, purpose, name), so the same seed gives the same parts on
any machine, and one utterance more changes no other's place in that order.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from affuse.files import digest


def shuffled(names: Sequence[str], seed: int, purpose: str) -> list[int]:
    """Shuffle the positions of ``names`` (distinct): the order depends on the names, not on their own order."""
    return sorted(range(len(names)), key=lambda i: (digest(str(seed), purpose, names[i]), names[i]))


def deal(ids: Sequence[str], labels: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Deal each label's utterances round the folds like cards: (n,) fold of every utterance.

    The next label goes on where the last one stopped, so no two folds differ by more than one utterance, in
    all or in any label.
    """
    fold = np.empty(len(ids), dtype=int)
    by_label = sorted(shuffled(ids, seed, "deal"), key=lambda i: labels[i])  # a stable sort
    for turn, i in enumerate(by_label):
        fold[i] = turn % folds
    return fold


def deal_groups(groups: Sequence[str], labels: Sequence[str], folds: int, seed: int) -> np.ndarray:
    """Deal whole groups to folds, stratified by label as far as groups allow: (n,) fold of every utterance.

    scikit-learn's StratifiedGroupKFold; where that leaves a fold empty (it may, with few groups), GroupKFold.
    Needs at least ``folds`` groups.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold  # slow to import

    for splitter in (
        StratifiedGroupKFold(folds, shuffle=True, random_state=seed),
        GroupKFold(folds, shuffle=True, random_state=seed),
    ):
        fold = np.full(len(groups), -1)
        try:
            with warnings.catch_warnings():  # 'least populated class': stratified as far as possible is meant
                warnings.simplefilter("ignore", UserWarning)
                for number, (_, test) in enumerate(splitter.split(groups, labels, groups)):
                    fold[test] = number
        except ValueError:  # every label rarer than the number of folds
            continue
        if len(set(fold)) == folds:
            break
    return fold


def sample(ids: Sequence[str], labels: Sequence[str], fraction: float, seed: int, purpose: str) -> np.ndarray:
    """Take a share of the utterances, stratified: every label gives its share, rounded; (n,) bool.

    The total is round(fraction * n); labels are rounded down and the largest remainders up.
    """
    names, of_label = np.unique(np.asarray(labels), return_inverse=True)
    exact = fraction * np.bincount(of_label, minlength=len(names))
    quota = np.floor(exact + 1e-9).astype(int)
    remainder = np.round(exact - quota, 9)
    missing = round(fraction * len(ids)) - quota.sum()
    quota[np.argsort(-remainder, kind="stable")[: max(0, missing)]] += 1
    taken = np.zeros(len(ids), dtype=bool)
    for i in shuffled(ids, seed, purpose):
        if quota[of_label[i]] > 0:
            quota[of_label[i]] -= 1
            taken[i] = True
    return taken


def choose_groups(
    groups: Sequence[str], labels: Sequence[str], number: int, fraction: float, seed: int, purpose: str
) -> set[str]:
    """Choose the ``number`` whole groups that look most like the whole: see ``imbalance``.

    Begins with groups drawn at random and exchanges one for one, the best exchange first, until none helps;
    for one group that is the best there is. Needs ``number`` < the number of groups.
    """
    names, of_group = np.unique(np.asarray(groups), return_inverse=True)
    kinds, of_label = np.unique(np.asarray(labels), return_inverse=True)
    counts_gc = np.zeros((len(names), len(kinds)))
    np.add.at(counts_gc, (of_group, of_label), 1)
    total_c = counts_gc.sum(axis=0)
    order = shuffled(list(names), seed, purpose)
    inside, outside = order[:number], order[number:]
    part_c = counts_gc[inside].sum(axis=0)
    score = float(imbalance(part_c, total_c, fraction))
    while True:
        exchanged = (
            part_c - counts_gc[inside][:, None] + counts_gc[outside][None, :]
        )  # (inside, outside, class)
        scores = imbalance(exchanged, total_c, fraction)
        i, j = np.unravel_index(np.argmin(scores), scores.shape)
        if scores[i, j] >= score:
            return {str(names[g]) for g in inside}
        score, part_c = float(scores[i, j]), exchanged[i, j]
        inside[i], outside[j] = outside[j], inside[i]


def imbalance(part_c: np.ndarray, total_c: np.ndarray, fraction: float) -> np.ndarray:
    """Measure how unlike the whole a part is: (..., classes) counts -> (...).

    The distance between the class shares (0 to 2), plus how far the part's size is from the wanted fraction,
    plus 1 for each class the part lacks and 10 for each it leaves none of. Rounded, so that no last bit of
    a floating-point sum decides between two equals.
    """
    size = part_c.sum(axis=-1, keepdims=True)
    shares = np.abs(part_c / np.maximum(size, 1) - total_c / total_c.sum()).sum(axis=-1)
    distance = np.abs(size[..., 0] / total_c.sum() - fraction)
    lacking = (part_c == 0).sum(axis=-1)
    exhausted = (part_c == total_c).sum(axis=-1)
    return np.round(shares + distance + lacking + 10 * exhausted, 9)
