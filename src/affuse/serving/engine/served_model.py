"""What clients are told of a model, and what the front needs to judge its answers: everything but weights."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.clip_reader import lengths_of_windows
from affuse.inference.predict import usual_window
from affuse.inference.settings import Settings
from affuse.inference.timeline_maker import TimelineMaker
from affuse.models.defaults import PredictionDefaults


@dataclass(frozen=True)
class ServedModel:
    """One model of the service.

    Attributes:
        name: As clients call it.
        folder: Its model folder.
        description: What it is, in a sentence or two.
        label_spaces: Task -> classes.
        modalities: Name -> kind ("audio", "text", "video").
        defaults: What it knows of its training.
        asr: What ``Settings.asr`` takes to have the words recognised; None: there is no recogniser.
        wordless: Why the words cannot be read, or "".
    """

    name: str
    folder: Path
    description: str
    label_spaces: dict[str, list[str]]
    modalities: dict[str, str]
    defaults: PredictionDefaults = field(repr=False)
    asr: str | None = None
    wordless: str = ""

    @property
    def recogniser(self) -> bool:
        """Whether the words of a clip can be recognised."""
        return self.asr is not None

    @property
    def window(self) -> float:
        """Seconds of a window, where none are asked for."""
        return lengths_of_windows(usual_window(self.defaults), Settings())[0]

    @property
    def hop(self) -> float:
        """Seconds from window to window, where none are asked for."""
        return lengths_of_windows(usual_window(self.defaults), Settings())[1]

    @property
    def warning(self) -> str:
        """What should be known before its answers are believed, or ""."""
        return self.maker(Settings(), ()).warning

    def maker(self, settings: Settings, tasks: tuple[str, ...]) -> TimelineMaker:
        """What makes its timelines.

        Raises:
            AffuseError: Settings or tasks that do not fit the model.
        """
        window, hop = lengths_of_windows(usual_window(self.defaults), settings)
        if settings.asr not in (None, "none", self.asr):
            raise AffuseError("The recogniser is the service's choice; ask for recognised words or for none.")
        return TimelineMaker(
            self.label_spaces, self.modalities, self.defaults, settings, window, hop, tasks or None, self.wordless
        )  # fmt: skip
