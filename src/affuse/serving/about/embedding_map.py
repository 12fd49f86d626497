"""The embedding map of a run: its test utterances in two dimensions, with labels and answers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.reports.figures.embedding_maps import tsne
from affuse.training.runfolder import RunFolder

POINTS = 600  # of a map: more hide each other, and t-SNE of more takes longer than a reader waits


class Point(NamedTuple):
    """One test utterance.

    Attributes:
        id: Of the utterance.
        x: From -1 to 1.
        y: From -1 to 1.
        labels: Task -> what the corpus says, of tasks that it has a label of.
        answers: Task -> what the model says.
        audible: Whether its sound can be asked for.
    """

    id: str
    x: float
    y: float
    labels: dict[str, str]
    answers: dict[str, str]
    audible: bool


class EmbeddingMap(NamedTuple):
    """All points, and how many test utterances they were drawn from."""

    points: list[Point]
    utterances: int

    def to_dict(self) -> dict[str, Any]:
        """As JSON has it."""
        return {"utterances": self.utterances, "points": [point._asdict() for point in self.points]}


def make_map(run: RunFolder, audible: Corpus | None = None) -> EmbeddingMap:
    """t-SNE (van der Maaten and Hinton 2008) of the test part's embeddings, at most ``POINTS`` of them; repeatable.

    Args:
        run: A finished run.
        audible: The corpus it was trained on, where its sound is at hand.

    Raises:
        AffuseError: The run kept no embeddings.
    """
    kept = run.embeddings()
    if kept is None or not len(kept[0]):
        raise AffuseError("This run kept no embeddings.")
    ids, embedding = kept
    chosen = _chosen(len(ids))
    places = tsne(embedding[chosen])
    reach = float(np.abs(places).max()) or 1.0
    table = run.predictions("test").drop_duplicates("id").set_index("id")
    predicted = [name.removesuffix("_predicted") for name in table.columns if name.endswith("_predicted")]
    # a rating has no class that a mark could have the look of
    tasks = [task for task in predicted if any(name.startswith(f"{task}_p_") for name in table.columns)]
    heard = set() if audible is None else {one.id for one in audible.utterances() if one.audio is not None}
    points: list[Point] = []
    for place, i in zip(places / reach, chosen, strict=True):
        row: dict[Any, Any] = table.loc[ids[i]].to_dict() if ids[i] in table.index else {}
        labels = {task: str(row[task]) for task in tasks if isinstance(row.get(task), str) and row[task]}
        answers = {task: str(row[f"{task}_predicted"]) for task in tasks if row}
        x, y = (round(float(value), 4) for value in place)
        points.append(Point(ids[i], x, y, labels, answers, ids[i] in heard))
    return EmbeddingMap(points, len(ids))


def _chosen(count: int) -> np.ndarray:
    """Which of ``count`` are shown, in order, drawn at random where there are too many."""
    if count <= POINTS:
        return np.arange(count)
    return np.sort(np.random.default_rng(0).choice(count, POINTS, replace=False))
