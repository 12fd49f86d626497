"""Which classes of a model are asked for: those that a user names, of one of its tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from affuse.corpora.vocabulary import same_label
from affuse.errors import AffuseError, argument
from affuse.names import listed
from affuse.parts.registry import unknown


class ChosenClasses(NamedTuple):
    """kept: task -> the classes that are answered; left_out: task -> its other ones. Empty: all of every task."""

    kept: Mapping[str, Sequence[str]]
    left_out: Mapping[str, Sequence[str]]

    def sentence(self, by_fit: bool) -> str:
        """What was restricted, or ""; ``by_fit``: thresholds of unsure answers are those that were fitted."""
        told = [
            f"Of the model's {task} classes only {listed(self.kept[task])} are answered, not {listed(others)}; their "
            "probabilities are renormalised to sum to 1"
            for task, others in self.left_out.items()
        ]
        if not told:
            return ""
        judged = ", and an answer is unsure by its probability among all classes" if by_fit else ""
        return f"{'; '.join(told)}{judged}."


def choose_classes(spaces: Mapping[str, Sequence[str]], names: Sequence[str] | None) -> ChosenClasses:
    """Find the task that has classes of these names, in any spelling: the first one that has all of them.

    Args:
        spaces: Task -> the model's classes.
        names: Of the classes that are asked for; None: all.

    Raises:
        AffuseError: A name that the model does not have, or fewer than two classes.

    Examples:
        >>> chosen = choose_classes({"emotion": ["anger", "fear", "neutral"]}, ["neutral", "angry"])
        >>> chosen.kept, chosen.left_out
        ({'emotion': ['anger', 'neutral']}, {'emotion': ['fear']})
    """
    if names is None:
        return ChosenClasses({}, {})
    found = {task: [same_label(name, space, task) for name in names] for task, space in spaces.items()}
    # where none has all, the one that has most says which is missing
    task = max(found, key=lambda one: sum(name is not None for name in found[one]))
    for name, meant in zip(names, found[task], strict=True):
        if meant is None:
            classes = list(spaces[task])
            raise AffuseError(
                f"{argument('classes')}: {unknown(name, classes, f'{task} classes of this model')}."
            )
    kept = [label for label in spaces[task] if label in found[task]]
    if len(kept) < 2:
        raise AffuseError(
            f"{argument('classes')} takes two or more of the model's classes ({', '.join(spaces[task])}): among one "
            "there is nothing to tell."
        )
    left_out = [label for label in spaces[task] if label not in kept]
    return ChosenClasses({task: kept}, {task: left_out}) if left_out else ChosenClasses({}, {})
