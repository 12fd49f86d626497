"""Support vector machines on a trained network's embeddings: ``classifier: svm``.

The first paper's code classifies its center-only rows so (``sklearn.svm.SVC()``: RBF, C = 1, gamma "scale"),
which the paper does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.training.data import Clips
from affuse.training.embeddings import embed

if TYPE_CHECKING:
    from affuse.models.network import Model


def fit_machines(model: Model, train: Clips, batch_size: int, device: str = "cpu") -> dict[str, Any]:
    """task -> SVC fitted on the training part's embeddings, for the tasks whose ``classifier`` is svm.

    Embeddings are taken in evaluation mode; utterances without the task's label are left out.
    """
    tasks = [task for task, choice in model.recipe.tasks.items() if choice.classifier == "svm"]
    if not tasks:
        return {}
    from sklearn.svm import SVC

    embedding_nd = embed(model, train, batch_size, device)
    machines = {}
    for task in tasks:
        labels = train.labels[task].numpy()
        machines[task] = SVC().fit(embedding_nd[labels >= 0], labels[labels >= 0])
    return machines


def check_subsets(recipe: Recipe) -> None:
    """Raises AffuseError if a task is classified by a machine, fitted on embeddings of all modalities together."""
    for task, choice in recipe.tasks.items():
        if choice.classifier == "svm":
            raise AffuseError(
                f"tasks.{task}.classifier: an svm is fitted on embeddings of all modalities; leave out --subsets, or "
                "set classifier: auto."
            )


def check_keepable(recipe: Recipe) -> None:
    """Raises AffuseError if a task is classified by a machine, which no model folder holds."""
    for task, choice in recipe.tasks.items():
        if choice.classifier == "svm":
            raise AffuseError(
                f"tasks.{task}.classifier: an svm is fitted after training and is no part of a model folder; run "
                "'affuse compare' without --keep-models, which keeps its predictions, or set classifier: auto."
            )
