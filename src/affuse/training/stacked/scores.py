"""How well the runs of a stack answer on their watched parts, by kind of task.

Shapes: s runs, n utterances (padded with blanks), c outputs: classes or labels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from affuse.evaluation.label_sets import counts_of, fit_thresholds, macro_f1, told
from affuse.evaluation.many_runs import score_ratings, score_runs
from affuse.losses.base import known
from affuse.recipe import Task


def answers_of(task: Task, told: Tensor) -> Tensor:
    """What is kept of what the networks tell of a batch.

    Args:
        task: As the recipe has it.
        told: Logits (s, b, c), or values of a regression (s, b) in units of half the range.

    Returns:
        (s, b) class indices, (s, b) values within the range, or (s, b, c) probabilities of labels, float64.
    """
    if task.kind == "regression":
        return told.clamp(-1, 1)
    return told.double().sigmoid() if task.kind == "multilabel" else told.argmax(-1)


def scores_of(task: Task, answers: Tensor, labels: Tensor, outputs: int) -> dict[str, Tensor]:
    """The scores of every run, by their names in ``metrics.csv``.

    Args:
        task: As the recipe has it.
        answers: (s, n), or (s, n, c), see ``answers_of``.
        labels: (s, n), or (s, n, c), see ``losses.base.known``.
        outputs: How many numbers the network gives for the task.

    Returns:
        Score -> (s,) float64; NaN where a run has no label.
    """
    if task.kind == "regression":  # the same on the range's scale as in units of half of it
        return {"ccc": score_ratings(answers, labels)}
    if task.kind == "multilabel":
        runs = zip(answers.cpu(), labels.cpu(), strict=True)
        return {"macro_f1": torch.tensor([_macro_f1(*run) for run in runs], dtype=torch.float64)}
    return score_runs(answers, labels, outputs)._asdict()


def _macro_f1(probabilities: Tensor, labels: Tensor) -> float:
    """Of one run, (n, c) twice, with thresholds fitted on it."""
    there = known(labels, 1)
    truth, p = labels[there].numpy(), probabilities[there].numpy()
    if not len(truth):
        return float("nan")
    return float(macro_f1(counts_of(truth.astype(bool), told(p, fit_thresholds(truth, p)))))
