"""From probabilities and ratings over time to answers: which label, how sure, and where one segment ends."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from affuse.inference.scale import Scale
from affuse.inference.timeline import Answer, CurvePoint, Segment, Value
from affuse.inference.windows import Moment
from affuse.inference.words import Word, text_between


class Group:
    """Neighbouring moments of one span with the same label in every task; only sums of them are kept.

    Of a model that tells ratings alone these are all neighbouring moments: a stretch of speech.

    Args:
        moment: The first of them.
        labels: What ``Judge.labels`` says of it.
        names: The modalities of its windows.

    Attributes:
        start: Seconds of the clip.
        end: Seconds of the clip.
        names: The modalities that some window had.
    """

    def __init__(self, moment: Moment, labels: tuple[int, ...], names: Iterable[str] = ()) -> None:
        self.start, self._span, self._labels = moment.start, moment.span, labels
        self.names: set[str] = set()
        self._seconds = 0.0
        self._sums: dict[str, np.ndarray] = {}
        self.add(moment, names)

    def has_room_for(self, moment: Moment, labels: tuple[int, ...]) -> bool:
        """Whether the moment is one of them: it follows at once, and says the same."""
        return moment.span == self._span and abs(self.end - moment.start) < 1e-6 and labels == self._labels

    def add(self, moment: Moment, names: Iterable[str] = ()) -> None:
        """The next moment."""
        seconds = moment.end - moment.start
        self.end = moment.end
        self._seconds += seconds
        for task, row in moment.outputs.items():
            self._sums[task] = self._sums.get(task, 0.0) + row * seconds
        self.names.update(names)

    @property
    def outputs(self) -> dict[str, np.ndarray]:
        """Task -> (columns,), each moment counting by its seconds."""
        return {task: total / self._seconds for task, total in self._sums.items()}


class Judge:
    """From what a network gives to answers: the label spaces, the confidences that are too low to tell, the scales.

    Args:
        spaces: Task -> the model's classes.
        unsure_below: Task -> threshold.
        kept: Task -> the classes that may be answered; all of them where a task is not named.
        among_all: Whether the threshold is of a label's probability among all classes, as it was fitted, and not among
            those that may be answered, as it is shown.
        scales: Regression -> how it is told.
    """

    def __init__(
        self,
        spaces: Mapping[str, Sequence[str]],
        unsure_below: Mapping[str, float],
        kept: Mapping[str, Sequence[str]] = MappingProxyType({}),
        among_all: bool = True,
        scales: Mapping[str, Scale] = MappingProxyType({}),
    ) -> None:
        self.spaces = {task: list(kept.get(task, space)) for task, space in spaces.items()}
        self.unsure_below = dict(unsure_below)
        self._places = {task: [list(spaces[task]).index(name) for name in kept[task]] for task in kept}
        self._among_all = among_all
        self.scales = dict(scales)

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
        """What is told over time: probabilities of the classes that may be answered, and ratings."""
        return [
            CurvePoint(
                start,
                end,
                {task: answer.probabilities for task, answer in self.answers(found).items()},
                self.values(found),
            )
            for start, end, _, _, found in moments
        ]

    def answers(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Answer]:
        """Task -> the answer, of those with classes; outputs: of ``Moment`` or ``Group``."""
        return {task: self.answer(task, outputs[task]) for task in self.spaces if task in outputs}

    def values(self, outputs: Mapping[str, np.ndarray]) -> dict[str, Value]:
        """Task -> the rating with its band, of regressions; outputs: of ``Moment`` or ``Group``."""
        return {
            task: scale.value(float(outputs[task][0]))
            for task, scale in self.scales.items()
            if task in outputs
        }

    def _given(self, task: str, probabilities: np.ndarray) -> np.ndarray:
        """What the network gave the classes that may be answered."""
        return probabilities[self._places[task]] if task in self._places else probabilities

    def segments(
        self, moments: Sequence[Moment], given: Sequence[tuple[str, ...]], words: Sequence[Word]
    ) -> list[Segment]:
        """Neighbouring moments of one span with the same label in every task become one segment.

        given: the modalities of each window. A segment's probabilities and ratings are the mean over its seconds.
        """
        groups: list[Group] = []
        for moment in moments:
            labels = self.labels(moment)
            names = [name for i in moment.windows for name in given[i]]
            if groups and groups[-1].has_room_for(moment, labels):
                groups[-1].add(moment, names)
            else:
                groups.append(Group(moment, labels, names))
        order = dict.fromkeys(name for names in given for name in names)
        return [self.segment(group, order, words) for group in groups]

    def labels(self, moment: Moment) -> tuple[int, ...]:
        """The place of the best class of every task, among those that may be answered."""
        return tuple(
            int(self._given(task, moment.outputs[task]).argmax())
            for task in self.spaces
            if task in moment.outputs
        )

    def segment(self, group: Group, order: Iterable[str], words: Sequence[Word]) -> Segment:
        """What is said of a group; ``order`` is that of the modalities."""
        outputs = group.outputs
        modalities = tuple(name for name in order if name in group.names)
        text = text_between(words, group.start, group.end)
        return Segment(group.start, group.end, self.answers(outputs), modalities, text, self.values(outputs))

    def summary(self, moments: Sequence[Moment]) -> dict[str, Answer]:
        """Task -> the answer of the whole clip, each moment counting by its seconds; empty without moments."""
        return self.answers(_mean(moments))

    def whole_values(self, moments: Sequence[Moment]) -> dict[str, Value]:
        """Task -> the rating of the whole clip, each moment counting by its seconds; empty without moments."""
        return self.values(_mean(moments))


def _mean(moments: Sequence[Moment]) -> dict[str, np.ndarray]:
    """Task -> (columns,), each moment counting by its seconds."""
    if not moments:
        return {}
    whole = Group(moments[0], ())
    for moment in moments[1:]:
        whole.add(moment)
    return whole.outputs


def _renormalised(given: np.ndarray) -> np.ndarray:
    """Sums to 1; classes that the network gives nothing at all, to the last digit, are told by none of it."""
    total = float(given.sum())
    return given / total if total > 0 else np.full(len(given), 1 / len(given))
