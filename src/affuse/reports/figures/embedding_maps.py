"""Embedding maps by loss, side by side (the first paper's Figs. 2 to 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from affuse.reports.figures.drawing import COLOURS, MARKERS, as_svg, columns_for, legend, new_grid, set_title

POINTS = 300  # of a map: more hide each other
_LEAST = 10


def tsne(embedding: np.ndarray, seed: int = 0) -> np.ndarray:
    """(n, 2): t-SNE (van der Maaten and Hinton 2008) of (n, width), centred; repeatable."""
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    perplexity = min(30.0, (len(embedding) - 1) / 3)
    spread = embedding.std()
    scaled = (embedding - embedding.mean(axis=0)) / (spread if spread > 0 else 1)
    if not spread > 0:
        return np.zeros((len(embedding), 2))
    # its threads wait for each other thousands of times: two of them on a busy machine took 17 times as long as one
    with threadpool_limits(1):
        places = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(
            scaled.astype(np.float32)
        )
    return places - places.mean(axis=0)


def thin_out(embedding: np.ndarray, labels: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """At most POINTS utterances, drawn at random."""
    if len(labels) <= POINTS:
        return embedding, labels
    kept = np.sort(np.random.default_rng(seed).choice(len(labels), POINTS, replace=False))
    return embedding[kept], labels[kept]


def embedding_maps(
    maps: dict[str, tuple[np.ndarray, np.ndarray]], classes: Sequence[str], name: str
) -> str | None:
    """maps: title -> (n, width) embeddings and (n,) labels. One scale for all panels; None with too few points."""
    places = {}
    for title, (embedding, labels) in maps.items():
        if len(labels) >= _LEAST:
            kept, of = thin_out(embedding, labels)
            places[title] = tsne(kept), of
    if not places:
        return None
    reach = 1.05 * max(np.abs(xy).max() for xy, _ in places.values()) or 1.0
    columns = columns_for(len(places))
    rows = math.ceil(len(places) / columns)
    figure, grid = new_grid(rows, columns, 0.4 + 2.5 * rows, 2.0 * columns)
    drawn = {}
    for axes, (title, (xy, labels)) in zip(grid, places.items(), strict=False):
        for i, label in enumerate(classes):
            of = xy[labels == label]
            if len(of):
                drawn[label] = axes.plot(
                    of[:, 0], of[:, 1], MARKERS[i % len(MARKERS)], color=COLOURS[i % len(COLOURS)], ms=3.2, mew=0,
                    alpha=0.8, ls="",
                )[0]  # fmt: skip
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), xticks=[], yticks=[])
        set_title(axes, title)
        axes.set_aspect("equal")
        for spine in axes.spines.values():
            spine.set_visible(True)
            spine.set_alpha(0.3)
    for axes in grid[len(places) :]:
        axes.set_visible(False)
    shown = [label for label in classes if label in drawn]
    legend(figure, [drawn[label] for label in shown], shown, columns=2 * columns)
    return as_svg(figure, f"embeddings-{name}")
