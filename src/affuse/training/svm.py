"""Support vector machines on a trained network's embeddings: ``classifier: svm``.

The first paper's code classifies its center-only rows so (``sklearn.svm.SVC()``: RBF, C = 1, gamma "scale"),
which the paper does not say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.errors import AffuseError, argument
from affuse.recipe import Recipe
from affuse.training.data import Clips
from affuse.training.prediction import Classifier, answer

if TYPE_CHECKING:
    from affuse.models.network import Model


def fit_svms(model: Model, train: Clips, batch_size: int, device: str = "cpu") -> dict[str, Classifier]:
    """Task -> SVC fitted on the training part's embeddings, for the tasks whose ``classifier`` is svm.

    Embeddings are taken in evaluation mode; utterances without the task's label are left out.
    """
    tasks = svm_tasks(model.recipe)
    if not tasks:
        return {}
    from sklearn.svm import SVC

    embedding_nd = answer(model, train, batch_size, device).embedding
    svms: dict[str, Classifier] = {}
    for task in tasks:
        labels = train.labels[task].numpy()
        svms[task] = SVC().fit(embedding_nd[labels >= 0], labels[labels >= 0])
    return svms


def svm_tasks(recipe: Recipe) -> list[str]:
    """The tasks that a support vector machine classifies."""
    return [task for task, choice in recipe.tasks.items() if choice.classifier == "svm"]


def check_subsets(recipe: Recipe) -> None:
    """Raise AffuseError if a task is classified by an SVM, which is fitted on embeddings of all modalities together."""
    for task in svm_tasks(recipe):
        raise AffuseError(
            f"tasks.{task}.classifier: an SVM is fitted on embeddings of all modalities; leave out "
            f"{argument('subsets')}, or set classifier: auto."
        )


def check_keepable(recipe: Recipe) -> None:
    """Raise AffuseError if a task is classified by an SVM, which no model folder holds."""
    for task in svm_tasks(recipe):
        raise AffuseError(
            f"tasks.{task}.classifier: an SVM is fitted after training and is not part of a model folder; compare "
            f"without {argument('keep_models')}, which keeps its predictions, or set classifier: auto."
        )
