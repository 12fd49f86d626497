"""How well the runs of a stack answer on their watched parts, by kind of task.

Shapes: s runs, n utterances (padded with blanks), c classes.
"""

from __future__ import annotations

from torch import Tensor

from affuse.evaluation.many_runs import score_ratings, score_runs
from affuse.recipe import Task


def answers_of(task: Task, told: Tensor) -> Tensor:
    """What is kept of what the networks tell of a batch.

    Args:
        task: As the recipe has it.
        told: Logits (s, b, c), or values of a regression (s, b) in units of half the range.

    Returns:
        (s, b): class indices, or values within the range.
    """
    return told.clamp(-1, 1) if task.kind == "regression" else told.argmax(-1)


def scores_of(task: Task, answers: Tensor, labels: Tensor, outputs: int) -> dict[str, Tensor]:
    """The scores of every run, by their names in ``metrics.csv``.

    Args:
        task: As the recipe has it.
        answers: (s, n), see ``answers_of``.
        labels: (s, n), see ``losses.base.known``.
        outputs: How many numbers the network gives for the task.

    Returns:
        Score -> (s,) float64; NaN where a run has no label.
    """
    if task.kind == "regression":  # the same on the range's scale as in units of half of it
        return {"ccc": score_ratings(answers, labels)}
    return score_runs(answers, labels, outputs)._asdict()
