"""A trained model on a corpus: which utterances may be measured, do the labels fit, and the numbers."""

from affuse.training.evaluate.evaluation import Evaluation, evaluate_model
from affuse.training.evaluate.files import TABLES, write_evaluation
from affuse.training.evaluate.labels import rename_labels

__all__ = ["TABLES", "Evaluation", "evaluate_model", "rename_labels", "write_evaluation"]
