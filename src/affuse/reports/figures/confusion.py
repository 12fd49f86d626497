"""Confusion matrices."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from affuse.reports.figures.drawing import as_svg, new_figure


def confusion(matrix: np.ndarray, classes: Sequence[str], name: str) -> str:
    """Row-normalised confusion matrix in percent: (true class, predicted class); ``name`` keeps its ids apart."""
    figure, axes = new_figure(0.8 + 0.62 * len(classes), width=0.9 + 0.8 * len(classes))
    support = matrix.sum(axis=1, keepdims=True)
    share = np.divide(matrix, support, out=np.zeros(matrix.shape), where=support > 0)
    axes.pcolormesh(share, cmap="Blues", vmin=0, vmax=1, edgecolors="white", linewidth=1)
    for i in range(len(classes)):
        for j in range(len(classes)):
            ink = "#ffffff" if share[i, j] > 0.5 else "#12202e"
            axes.text(j + 0.5, i + 0.5, f"{100 * share[i, j]:.1f}", ha="center", va="center", color=ink)
    axes.set_xticks(np.arange(len(classes)) + 0.5, classes)
    axes.set_yticks(np.arange(len(classes)) + 0.5, classes)
    axes.tick_params(length=0)
    axes.invert_yaxis()
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    for spine in axes.spines.values():
        spine.set_visible(False)
    return as_svg(figure, f"confusion-{name}")
