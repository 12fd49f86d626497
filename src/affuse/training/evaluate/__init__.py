"""A trained model on a corpus: which utterances may be measured, do the labels fit, and the numbers."""

from affuse.training.evaluate.evaluation import Evaluation, evaluate_model
from affuse.training.evaluate.files import TABLES, write_evaluation
from affuse.training.evaluate.labels import check_renamed, rename_labels

__all__ = ["TABLES", "Evaluation", "check_renamed", "evaluate_model", "rename_labels", "write_evaluation"]
