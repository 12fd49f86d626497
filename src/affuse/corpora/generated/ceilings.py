"""The best possible accuracy on the generated corpus, exactly, for every subset of modalities.

An ideal observer sees what each modality of the subset shows, d = (d_1, ..., d_k), knows the class shares and
the display probabilities, and answers the likeliest class: ACC* = sum_d max_c P(c) P(d | c). For mean recall
(BACC) the shares are replaced by equal ones, since the rule that maximises mean recall is the likeliest class
under equal shares. Gender is fully visible in voice and face and absent from the words.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from affuse.corpora.generated.displays import DISPLAYS, LABEL_MIX, MODALITIES, shown_given

# class set -> consensus label -> class
CLASS_SETS: dict[str, dict[str, str]] = {
    "4+exc": {"ang": "ang", "hap": "hap", "exc": "hap", "neu": "neu", "sad": "sad"},
    "4": {label: label for label in ("ang", "hap", "neu", "sad")},
    "6": {label: label for label in ("ang", "exc", "fru", "hap", "neu", "sad")},
}


def subsets() -> list[tuple[str, ...]]:
    """Every non-empty subset of MODALITIES, small ones first."""
    return [s for size in range(1, len(MODALITIES) + 1) for s in combinations(MODALITIES, size)]


def joint(classes: Mapping[str, str], modalities: tuple[str, ...]) -> tuple[list[str], np.ndarray]:
    """The class names and P(class, shown displays): (classes, DISPLAYS ** len(modalities)), sums to 1."""
    names = sorted(set(classes.values()))
    total = sum(LABEL_MIX[label] for label in classes)
    table = np.zeros((len(names), len(DISPLAYS) ** len(modalities)))
    for label, name in classes.items():
        shown = np.ones(1)
        for modality in modalities:
            shown = np.outer(shown, shown_given(modality, label)).ravel()
        table[names.index(name)] += LABEL_MIX[label] / total * shown
    return names, table


def ceiling(classes: Mapping[str, str], modalities: tuple[str, ...]) -> dict[str, float]:
    """Best possible values: ``emotion`` and ``gender`` are ACC, ``emotion_bacc`` is mean per-class recall."""
    _, table = joint(classes, modalities)
    recall = table / table.sum(axis=1, keepdims=True)
    return {
        "emotion": float(table.max(axis=0).sum()),
        "gender": 1.0 if {"audio", "video"} & set(modalities) else 0.5,
        "emotion_bacc": float(recall.max(axis=0).sum() / len(table)),
    }


def all_ceilings() -> dict[str, dict[str, dict[str, float]]]:
    """Class set -> subset ("audio+text") -> best possible values."""
    return {
        name: {"+".join(subset): ceiling(classes, subset) for subset in subsets()}
        for name, classes in CLASS_SETS.items()
    }


def best_answer(classes: Mapping[str, str], shown: Mapping[str, str]) -> str:
    """What the ideal observer answers on seeing ``shown`` (modality -> display)."""
    modalities = tuple(m for m in MODALITIES if m in shown)
    names, table = joint(classes, modalities)
    index = 0
    for modality in modalities:
        index = index * len(DISPLAYS) + DISPLAYS.index(shown[modality])
    return names[int(table[:, index].argmax())]
