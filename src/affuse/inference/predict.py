"""One clip -> speech -> windows -> probabilities -> timeline. Memory does not depend on a file's length.

Three stages, which a service runs in different processes: ``ClipReader`` reads the windows, ``WindowNetwork`` answers
them, ``TimelineMaker`` says what that means for the clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from affuse.devices import choose_device
from affuse.encoders.base import Encoder
from affuse.errors import AffuseError
from affuse.inference.clip_reader import ClipReader, lengths_of_windows
from affuse.inference.clip_words import ClipWords
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline
from affuse.inference.timeline_maker import TimelineMaker
from affuse.inference.window_answers import WindowNetwork
from affuse.inference.windows import check_lengths
from affuse.media.samples import Samples
from affuse.models.defaults import PredictionDefaults
from affuse.models.network import Model
from affuse.progress import Advance, uncounted
from affuse.recipe.kinds import refuse_kinds

NO_RECOGNISER = "none"  # as ``asr``
USUAL_WINDOW = 3.0  # seconds, where the model does not know how long its training clips were
# of a window that is not asked for: a usual utterance is one window, but feelings change within ten seconds
_SHORTEST, _LONGEST = 0.5, 6.0


class Predictor:
    """A model made ready to predict clips: its frozen encoders are loaded once.

    Args:
        model: Trained; it is put into evaluation mode.
        settings: How clips are read and windows laid; None takes every default.
        like: A predictor of the same model, whose encoders and recogniser are used again.
        tasks: Those that are answered; None: all of the model's.

    Raises:
        AffuseError: Settings that do not fit the model, or a model that reads nothing that a clip can give.
    """

    def __init__(
        self,
        model: Model,
        settings: Settings | None = None,
        like: Predictor | None = None,
        tasks: Sequence[str] | None = None,
    ) -> None:
        refuse_kinds("predicted with", multilabel=model.recipe.label_sets)
        self.model = model.eval()
        settings = settings or Settings()
        self.settings = settings.model_copy(update={"device": choose_device(settings.device)})
        self.window, self.hop = lengths_of_windows(usual_window(model.defaults), self.settings)
        check_lengths(self.window, self.hop)
        self.kinds = {name: encoder.kind for name, encoder in model.resolved.items()}
        loaded = {} if like is None else dict(like.encoders)
        self._wordless = ""  # why the model's own recogniser is not used
        # settings that do not fit the model are told before its encoders are loaded
        self._make_maker(tasks)
        self.settings = self.settings.model_copy(update={"asr": self._recogniser(loaded)})
        # a large network for words that nobody gives need not be here, nor take its time
        wordless = [name for name, kind in self.kinds.items() if kind == "text" and not self.settings.worded]
        self.network = WindowNetwork(model, self.settings.device, self.settings.batch, wordless, loaded)
        self.encoders = self.network.encoders
        if set(self.kinds.values()) == {"features"}:
            raise AffuseError(
                "This model reads pre-extracted features alone, which cannot be taken from a clip; evaluate it on a "
                "corpus that has them (affuse.evaluate, affuse evaluate)."
            )
        self.words = ClipWords(self.settings, None if like is None else like.words)
        self.reader = ClipReader(self.encoders, self.kinds, self.settings, self.window, self.hop, self.words)
        self.maker = self._make_maker(tasks)

    def _make_maker(self, tasks: Sequence[str] | None) -> TimelineMaker:
        return TimelineMaker(
            self.model.label_spaces, self.kinds, self.model.defaults, self.settings, self.window, self.hop, tasks,
            self._wordless, self.model.dimensions,
        )  # fmt: skip

    def _recogniser(self, loaded: dict[str, Encoder]) -> str | None:
        """The recogniser that is asked for; where no words are given, the model's own if its words can be read."""
        asked, own = self.settings.asr, self.model.defaults.recogniser
        if asked == NO_RECOGNISER:
            return None
        if own is None or self.settings.worded:
            return asked
        for name, kind in self.kinds.items():
            if kind == "text" and name not in loaded:
                try:
                    loaded[name] = self.model.resolved[name].make().eval().to(self.settings.device)
                except AffuseError as error:  # an extra that is not installed
                    self._wordless = f"The words are not recognised: {error}"
                    return None
        return own

    def predict(self, clip: str | Path | Samples, advance: Advance = uncounted) -> Timeline:
        """The timeline of one file, or of sound in memory.

        Args:
            clip: A path, or samples with their rate.
            advance: Called with (windows done, all windows).

        Raises:
            ClipError: Not media, nothing to decode, none of the model's modalities in it.
        """
        path = clip if isinstance(clip, Samples) else Path(clip)
        plan = self.reader.plan(path)
        windows = self.reader.read(path, plan)
        answers = self.network.answer(windows, len(plan.windows), advance)
        return self.maker.make(plan, answers, windows.fault, windows.pictures)

    @property
    def warning(self) -> str:
        """What should be known before the answers are believed, or ""."""
        return self.maker.warning


def usual_window(defaults: PredictionDefaults) -> float:
    """Seconds of a window that is not asked for: 95 % of the training clips are shorter, within bounds."""
    lengths = defaults.clip_seconds
    return USUAL_WINDOW if lengths is None else round(min(_LONGEST, max(_SHORTEST, lengths.high)), 2)
