"""From probabilities over time to answers: which label, how sure, and where one segment ends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from affuse.inference.timeline import Answer, CurvePoint, Segment
from affuse.inference.windows import Moment
from affuse.inference.words import Word, text_between


class Judge:
    """From probabilities to answers: the label spaces and the confidences that are too low to tell.

    Args:
        spaces: Task -> the model's classes.
        unsure_below: Task -> threshold.
        kept: Task -> the classes that may be answered; all of them where a task is not named.
        among_all: Whether the threshold is of a label's probability among all classes, as it was fitted, and not among
            those that may be answered, as it is shown.
    """

    def __init__(
        self,
        spaces: Mapping[str, Sequence[str]],
        unsure_below: Mapping[str, float],
        kept: Mapping[str, Sequence[str]] = MappingProxyType({}),
        among_all: bool = True,
    ) -> None:
        self.spaces = {task: list(kept.get(task, space)) for task, space in spaces.items()}
        self.unsure_below = dict(unsure_below)
        self._places = {task: [list(spaces[task]).index(name) for name in kept[task]] for task in kept}
        self._among_all = among_all

    def answer(self, task: str, probabilities: np.ndarray) -> Answer:
        """The answer of one task; probabilities: (classes,) of all of the model's classes."""
        given = self._given(task, probabilities)
        best = int(given.argmax())
        shares = _renormalised(given) if task in self._places else given
        confidence = round(float(shares[best]), 4)
        judged = round(float(given[best]), 4) if self._among_all else confidence
        space = self.spaces[task]
        named = {name: round(float(p), 4) for name, p in zip(space, shares, strict=True)}
        return Answer(space[best], confidence, judged < self.unsure_below[task], named)

    def curve(self, moments: Sequence[Moment]) -> list[CurvePoint]:
        """The probabilities over time, of the classes that may be answered."""
        return [
            CurvePoint(start, end, {task: self.answer(task, p).probabilities for task, p in found.items()})
            for start, end, _, _, found in moments
        ]

    def _given(self, task: str, probabilities: np.ndarray) -> np.ndarray:
        """What the network gave the classes that may be answered."""
        return probabilities[self._places[task]] if task in self._places else probabilities

    def segments(
        self, moments: Sequence[Moment], given: Sequence[tuple[str, ...]], words: Sequence[Word]
    ) -> list[Segment]:
        """Neighbouring moments of one span with the same label in every task become one segment.

        given: the modalities of each window. A segment's probabilities are the mean over its seconds.
        """
        groups: list[list[Moment]] = []
        for moment in moments:
            last = groups[-1][-1] if groups else None
            same = (
                last is not None
                and last.span == moment.span
                and abs(last.end - moment.start) < 1e-6
                and all(
                    self._given(t, last.probabilities[t]).argmax() == self._given(t, p).argmax()
                    for t, p in moment.probabilities.items()
                )
            )
            if same:
                groups[-1].append(moment)
            else:
                groups.append([moment])
        segments = []
        for group in groups:
            start, end = group[0].start, group[-1].end
            answers = {task: self.answer(task, p) for task, p in _mean(group).items()}
            used = {name for moment in group for i in moment.windows for name in given[i]}
            order = dict.fromkeys(name for names in given for name in names)
            modalities = tuple(name for name in order if name in used)
            segments.append(Segment(start, end, answers, modalities, text_between(words, start, end)))
        return segments

    def summary(self, moments: Sequence[Moment]) -> dict[str, Answer]:
        """Task -> the answer of the whole clip, each moment counting by its seconds; empty without moments."""
        return {task: self.answer(task, p) for task, p in _mean(moments).items()} if moments else {}


def _renormalised(given: np.ndarray) -> np.ndarray:
    """Sums to 1; classes that the network gives nothing at all, to the last digit, are told by none of it."""
    total = float(given.sum())
    return given / total if total > 0 else np.full(len(given), 1 / len(given))


def _mean(moments: Sequence[Moment]) -> dict[str, np.ndarray]:
    """Task -> (classes,), each moment counting by its seconds."""
    weights = [moment.end - moment.start for moment in moments]
    return {
        task: np.average([moment.probabilities[task] for moment in moments], axis=0, weights=weights)
        for task in moments[0].probabilities
    }
