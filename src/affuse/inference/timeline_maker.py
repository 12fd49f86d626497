"""The last stage of a prediction: what the network said of the windows -> what is said of the clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from affuse.errors import AffuseError, ClipError, argument
from affuse.inference.chosen_classes import choose_classes
from affuse.inference.clip_reader import WHAT, ClipPlan, causes_of_nothing
from affuse.inference.judge import Judge
from affuse.inference.scale import Scale
from affuse.inference.settings import Settings
from affuse.inference.timeline import Picture, Timeline
from affuse.inference.window_answers import WindowAnswers
from affuse.inference.windows import smooth
from affuse.models.defaults import PredictionDefaults
from affuse.names import listed
from affuse.parts.registry import unknown
from affuse.recipe.dimension import Dimension

_MUCH = 0.25  # share of a training clip that is silence, from which windows of speech differ from it


class TimelineMaker:
    """Makes the timelines of one model under some settings. No weight is needed for it.

    Args:
        spaces: Task -> the model's classes.
        kinds: Modality -> kind.
        defaults: What the model knows of its training.
        settings: How answers are judged.
        window: Seconds of a window.
        hop: Seconds from window to window.
        tasks: Those that are told, in this order; None: all. Where segments end depends on these alone.
        wordless: Why the model's own recogniser is not used, or "".
        dimensions: Regression -> its scale.

    Raises:
        AffuseError: A task or class that the model does not have, or settings of classes or ratings where the tasks are
            without.
    """

    def __init__(
        self,
        spaces: Mapping[str, Sequence[str]],
        kinds: Mapping[str, str],
        defaults: PredictionDefaults,
        settings: Settings,
        window: float,
        hop: float,
        tasks: Sequence[str] | None = None,
        wordless: str = "",
        dimensions: Mapping[str, Dimension] = MappingProxyType({}),
    ) -> None:
        known = [*spaces, *dimensions]
        for task in tasks or ():
            if task not in known:
                raise AffuseError(f"{argument('tasks')}: {unknown(task, known, 'tasks of this model')}.")
        if tasks is not None and not tasks:
            raise AffuseError(f"{argument('tasks')} names none of the model's tasks ({', '.join(known)}).")
        self.tasks = known if tasks is None else list(dict.fromkeys(tasks))
        spaces = {task: list(spaces[task]) for task in self.tasks if task in spaces}
        self.dimensions = {task: dimensions[task] for task in self.tasks if task in dimensions}
        _check_kinds(settings, spaces, self.dimensions)
        self.settings, self.window, self.hop = settings, window, hop
        self._kinds, self._defaults, self._wordless = kinds, defaults, wordless
        self._chosen = choose_classes(spaces, settings.classes)
        threshold = settings.unsure
        fitted = {task: defaults.of_task(task).unsure_below for task in spaces}
        self.judge = Judge(
            spaces,
            {task: one if threshold is None else threshold for task, one in fitted.items()},
            self._chosen.kept,
            among_all=threshold is None,
            scales={
                task: Scale(dimension, defaults.band_of(task).half)
                for task, dimension in self.dimensions.items()
            },
        )

    def make(
        self,
        plan: ClipPlan,
        answers: WindowAnswers,
        fault: str = "",
        pictures: Sequence[Picture] = (),
    ) -> Timeline:
        """The timeline of a clip.

        Args:
            plan: What the clip's scan has found.
            answers: What the network said of every window.
            fault: What of the pictures could not be used, or "".
            pictures: Some faces, for the plot.

        Raises:
            ClipError: No window could be answered.
        """
        causes = [*answers.causes, fault]
        faults = [*plan.faults, *(one for one in dict.fromkeys(causes) if one and one not in plan.faults)]
        told = {task: answers.outputs[task] for task in self.tasks}
        moments = smooth(plan.windows, told)
        if plan.windows and not moments:
            raise ClipError(causes_of_nothing(plan, causes))
        return Timeline(
            clip=plan.clip,
            seconds=plan.seconds - plan.start,
            start=plan.start,
            segments=self.judge.segments(moments, answers.given, plan.words),
            summary=self.judge.summary(moments),
            spaces=self.judge.spaces,
            left_out={task: list(names) for task, names in self._chosen.left_out.items()},
            window=self.window,
            hop=self.hop,
            words=plan.words,
            faults=faults,
            warning=" ".join(filter(None, (self.warning, *self._never_given(answers)))),
            peaks=plan.peaks,
            pictures=list(pictures),
            moments=self.judge.curve(moments),
            values=self.judge.whole_values(moments),
            ranges=self.dimensions,
            coverage=self.coverage,
            cue_values=bool(self.settings.values) or not self.judge.spaces,
        )

    @property
    def coverage(self) -> dict[str, float]:
        """Regression -> the share of ratings that its band holds; none of those without a band."""
        bands = {task: self._defaults.band_of(task) for task in self.dimensions}
        return {task: band.coverage for task, band in bands.items() if band.half is not None}

    @property
    def warning(self) -> str:
        """What should be known before the answers are believed, or ""."""
        restricted = self._chosen.sentence(by_fit=self.settings.unsure is None)
        notes = self._defaults.notes(self.judge.spaces, self.dimensions)
        return " ".join(filter(None, (restricted, self._wordless, self._silence(), *notes)))

    def _silence(self) -> str:
        """That training clips have silence, which windows of speech have not."""
        lengths = self._defaults.clip_seconds
        if lengths is None or not lengths.silence or lengths.silence < _MUCH * lengths.median:
            return ""
        if "audio" not in self._kinds.values() or self.settings.vad is False:
            return ""
        return (
            f"The training clips are silent for {lengths.silence:.1f} s of {lengths.median:.1f} s (medians), "
            "but prediction windows hold speech alone: train on a corpus that 'affuse prepare trim' made, or expect "
            "worse answers."
        )

    def _never_given(self, answers: WindowAnswers) -> list[str]:
        """What is to be said of modalities that no clip can give."""
        given = {name for names in answers.given for name in names}
        return [
            f"The modality {name!r} is {WHAT[kind]}, which cannot be taken from a clip: every answer is without it."
            for name, kind in self._kinds.items()
            if kind == "features" and answers.given and name not in given
        ]


def _check_kinds(
    settings: Settings, spaces: Mapping[str, Sequence[str]], dimensions: Mapping[str, Dimension]
) -> None:
    """Check that settings of classes have classes before them, and those of ratings ratings.

    Raises:
        AffuseError: One would be without effect.
    """
    for name in ("classes", "unsure"):
        if getattr(settings, name) is not None and not spaces:
            raise AffuseError(
                f"{argument(name)} is for tasks with classes, and {listed(dimensions)} "
                f"{'is a rating' if len(dimensions) == 1 else 'are ratings'}; leave it out."
            )
    if settings.values and not dimensions:
        raise AffuseError(
            f"{argument('values')} is for tasks of kind regression, and {listed(spaces)} "
            f"{'has' if len(spaces) == 1 else 'have'} classes; leave it out."
        )
