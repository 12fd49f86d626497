"""What clients are told of a model, and what the front needs to judge its answers: everything but weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from affuse.encoders.face_clips import PictureOptions
from affuse.errors import AffuseError
from affuse.inference.clip_reader import lengths_of_windows
from affuse.inference.face_encoders import face_options
from affuse.inference.faces import FaceOptions
from affuse.inference.live.checks import check_faces
from affuse.inference.predict import NO_RECOGNISER, usual_window
from affuse.inference.settings import Settings
from affuse.inference.timeline_maker import TimelineMaker
from affuse.inference.windows import check_lengths
from affuse.models.defaults import PredictionDefaults
from affuse.models.index import PREDICTION, read_index, read_json
from affuse.recipe.dimension import Dimension

_WORDLESS = "The words are not used: what reads them could not be loaded here."


def recogniser_of(folder: Path, asr: str | None) -> str | None:
    """What hears the words for a model: the operator's choice, else the model's own; None: nothing.

    Args:
        folder: Of the model.
        asr: An id or a folder; None: there is no choice; "none": no words are recognised.
    """
    if asr is not None:
        return None if asr == NO_RECOGNISER else asr
    if PREDICTION not in read_index(folder):
        return None
    return PredictionDefaults.model_validate(read_json(folder / PREDICTION)).recogniser


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
        wordless: Why the words cannot be read, or ""; for whoever runs the service, since it may name a path.
        batch: Windows that run through its network together.
        dimensions: Regression -> its scale.
        faces: Of each modality that can be shown pictures while they are made: what is asked of them, and how large a
            face is.
    """

    name: str
    folder: Path
    description: str
    label_spaces: dict[str, list[str]]
    modalities: dict[str, str]
    defaults: PredictionDefaults = field(repr=False)
    asr: str | None = None
    wordless: str = ""
    batch: int = 16
    dimensions: dict[str, Dimension] = field(default_factory=dict[str, Dimension])
    faces: dict[str, tuple[PictureOptions, int]] = field(
        default_factory=dict[str, tuple[PictureOptions, int]], repr=False
    )

    @classmethod
    def of(cls, name: str, folder: Path, facts: Mapping[str, Any], asr: str | None) -> ServedModel:
        """A model by what a process with its weights tells of it (``networks.facts_of``); ``asr``: its recogniser."""
        defaults = PredictionDefaults.model_validate(facts["defaults"])
        told = {key: value for key, value in facts.items() if key not in ("defaults", "ranges", "faces")}
        dimensions = {task: Dimension(*scale) for task, scale in facts["ranges"].items()}
        faces = {
            name: (PictureOptions.model_validate(one["options"]), int(one["size"]))
            for name, one in facts["faces"].items()
        }
        if facts["wordless"] and asr == defaults.recogniser:  # nothing reads what it would hear
            asr = None
        return cls(name, folder, defaults=defaults, asr=asr, dimensions=dimensions, faces=faces, **told)

    @property
    def tasks(self) -> list[str]:
        """All that it tells."""
        return [*self.label_spaces, *self.dimensions]

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

    def sees(self, settings: Settings) -> dict[str, FaceOptions]:
        """Modality -> what is asked of the pictures of a live stream.

        Raises:
            AffuseError: It takes none.
        """
        check_faces(self.modalities, self.faces)
        return {name: face_options(options, size, settings) for name, (options, size) in self.faces.items()}

    def hears(self, settings: Settings) -> bool:
        """Whether the words of a clip are recognised under some settings.

        Raises:
            AffuseError: They cannot be, or there are words already.
        """
        if settings.asr == NO_RECOGNISER:
            return False
        if settings.asr is None:
            return self.defaults.recogniser is not None and self.asr is not None and not settings.worded
        if settings.asr != self.asr:
            raise AffuseError(f"The model {self.name!r} has no recogniser here; send the words themselves.")
        if settings.text is not None or settings.words is not None:
            raise AffuseError("The words are given already; send them or have them recognised, not both.")
        return True

    def maker(self, settings: Settings, tasks: Sequence[str]) -> TimelineMaker:
        """What makes its timelines; no task: all of them.

        Raises:
            AffuseError: Settings or tasks that do not fit the model.
        """
        window, hop = lengths_of_windows(usual_window(self.defaults), settings)
        check_lengths(window, hop)
        if self.wordless and settings.asr != NO_RECOGNISER and settings.worded:
            raise AffuseError(f"{_WORDLESS} Send the clip without them, or tell whoever runs the service.")
        wordless = _WORDLESS if self.wordless and self.defaults.recogniser and settings.asr is None else ""
        return TimelineMaker(
            self.label_spaces, self.modalities, self.defaults, settings, window, hop, tasks or None, wordless,
            self.dimensions,
        )  # fmt: skip
