"""How often each modality shows what: the stated probabilities all ceilings follow from.

An utterance has a label. Each modality on its own draws a *display*, what it shows, given that label; voice,
words and face are then made from their display alone. Given the label the three are independent, and nothing
else (length, side, dialog, order) depends on it, so an ideal observer is computed exactly (``ceilings.py``).
"""

from __future__ import annotations

import numpy as np

MODALITIES = ("audio", "text", "video")
DISPLAYS = ("neu", "hap", "exc", "ang", "sad", "fru")

# Turns per consensus label in the real release; the generated one keeps these proportions.
LABEL_MIX = {
    "xxx": 2507, "fru": 1849, "neu": 1708, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595, "sur": 107,
    "fea": 40, "oth": 3, "dis": 2,
}  # fmt: skip
MAIN = ("neu", "hap", "exc", "ang", "sad")

# P(shown | meant) over (neutral, joy, anger, sadness). Voice shows arousal well and valence less (joy and
# anger mix, neutral and sadness mix); face and words show valence well, and words miss much.
_SHOWN = {
    "audio": {
        "neu": (0.70, 0.05, 0.05, 0.20),
        "joy": (0.06, 0.68, 0.23, 0.03),
        "ang": (0.05, 0.22, 0.70, 0.03),
        "sad": (0.23, 0.03, 0.04, 0.70),
    },
    "text": {
        "neu": (0.70, 0.10, 0.10, 0.10),
        "joy": (0.23, 0.69, 0.04, 0.04),
        "ang": (0.20, 0.04, 0.68, 0.08),
        "sad": (0.22, 0.04, 0.08, 0.66),
    },
    "video": {
        "neu": (0.70, 0.08, 0.11, 0.11),
        "joy": (0.14, 0.78, 0.04, 0.04),
        "ang": (0.10, 0.04, 0.68, 0.18),
        "sad": (0.10, 0.04, 0.20, 0.66),
    },
}  # fmt: skip
# What joy looks like: happiness or excitement, for a happy, an excited and any other utterance.
_JOY = {"hap": (0.75, 0.25), "exc": (0.25, 0.75), None: (0.6, 0.4)}
# The rest of the labels carry less; every modality shows them alike.
_OTHERS = {
    "fru": {"fru": 0.45, "neu": 0.20, "ang": 0.20, "sad": 0.13, "hap": 0.02},
    "sur": {"exc": 0.45, "hap": 0.20, "neu": 0.35},
    "fea": {"sad": 0.60, "ang": 0.20, "neu": 0.20},
    "dis": {"ang": 0.60, "fru": 0.40},
    "oth": {"neu": 1.0},
}  # fmt: skip


def shown_given(modality: str, label: str) -> np.ndarray:
    """P(display | label) in one modality: (len(DISPLAYS),), sums to 1. "xxx" averages its hidden meanings."""
    if label == "xxx":
        shares = hidden_shares()
        return np.average(
            [shown_given(modality, hidden) for hidden in shares], axis=0, weights=list(shares.values())
        )
    if label in _OTHERS:
        return np.array([_OTHERS[label].get(display, 0.0) for display in DISPLAYS])
    neutral, joy, anger, sadness = _SHOWN[modality]["joy" if label in ("hap", "exc") else label]
    happy, excited = _JOY[label if label in ("hap", "exc") else None]
    return np.array([neutral, joy * happy, joy * excited, anger, sadness, 0.0])


def hidden_shares() -> dict[str, float]:
    """What a turn without consensus was meant as: one of MAIN, by their own proportions."""
    total = sum(LABEL_MIX[label] for label in MAIN)
    return {label: LABEL_MIX[label] / total for label in MAIN}
