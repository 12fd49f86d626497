"""A trained model on a corpus: which utterances may be measured, do the labels fit, and the numbers."""

from affuse.training.evaluate.evaluation import Evaluation, evaluate_model
from affuse.training.evaluate.labels import rename_labels

__all__ = ["Evaluation", "evaluate_model", "rename_labels"]
