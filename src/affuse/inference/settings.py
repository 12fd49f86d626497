"""How a clip is predicted: the keyword arguments of ``Model.predict``, which are the options of ``affuse predict``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affuse.errors import AffuseError, argument
from affuse.names import quote
from affuse.parts.registry import unknown

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

# setting -> what it takes, in the words of a complaint; another one takes text
_TAKES = {
    "window": "seconds above 0", "hop": "seconds above 0", "vad": "true or false", "unsure": "a number from 0 to 1",
    "text": "the path of a file", "side": "left or right", "face": "two numbers from 0 to 1",
    "detector": "the path of a file", "channel": "a whole number from 0", "track": "a whole number from 0",
    "classes": "a list of the model's classes", "start": "seconds", "end": "seconds", "batch": "a whole number above 0",
    "values": "true or false",
}  # fmt: skip


class SettingsArguments(TypedDict, total=False):
    """The fields of ``Settings`` as keyword arguments, for editors and type checkers; paths may be text there."""

    window: float | None
    hop: float | None
    vad: bool | None
    unsure: float | None
    classes: Sequence[str] | None
    values: bool | None
    text: str | Path | None
    words: str | None
    asr: str | None
    side: Literal["left", "right"] | None
    face: tuple[float, float] | None
    detector: str | Path | None
    channel: int | None
    track: int | None
    start: float | None
    end: float | None
    batch: int
    device: str


class Settings(BaseModel):
    """How a clip is read and judged. None leaves a choice to the model's training.

    Examples:
        >>> Settings(window=2.0, side="left").hop is None
        True
        >>> Settings.of({"windw": 2})
        Traceback (most recent call last):
        affuse.errors.AffuseError: There is no 'windw' among the settings of predict (did you mean 'window'?).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds; None: 95 % of the training clips are shorter; at most 6",
    )
    hop: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds from window to window; None: half a window",
    )
    vad: bool | None = Field(
        default=None,
        description="emotion only where somebody speaks; None: unless the model reads faces alone",
    )
    unsure: float | None = Field(
        default=None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="confidence below which a label is unsure; None: from validation",
    )
    classes: tuple[str, ...] | None = Field(
        default=None,
        description="only these classes, of one of the model's tasks, are answered; None: all",
    )
    values: bool | None = Field(
        default=None,
        description="subtitles name ratings too, as in valence 3.4; None: where there are no classes",
    )
    text: Path | None = Field(
        default=None, description="file of words (see words.formats), or a folder of them"
    )
    words: str | None = Field(default=None, description="the words themselves, instead of ``text``")
    asr: str | None = Field(
        default=None, description="transformers recogniser, Hub id or folder; none: not even the model's own"
    )
    side: Literal["left", "right"] | None = Field(
        default=None, description="half of the picture with the speaker"
    )
    face: tuple[_Share, _Share] | None = Field(
        default=None,
        description="the face nearest this point (0 to 1 across, 0 to 1 down); None: the largest",
    )
    detector: Path | None = Field(
        default=None, description="YuNet ONNX file to look for faces with; None: as the model's recipe says"
    )
    channel: int | None = Field(default=None, ge=0, description="audio channel, from 0; None: the mix of all")
    track: int | None = Field(default=None, ge=0, description="audio track, from 0; None: the first")
    # what of the file is predicted; a range that is not in the file is that clip's fault, found when it is read
    start: float | None = Field(
        default=None, allow_inf_nan=False, description="seconds into the file; None: from its beginning"
    )
    end: float | None = Field(
        default=None, allow_inf_nan=False, description="seconds into the file; None: to its end"
    )
    batch: int = Field(default=16, gt=0, description="windows that run through the network together")
    device: str = Field(default="auto", description="auto, cpu or cuda")

    @property
    def worded(self) -> bool:
        """Whether a clip may have words: a text, a file or folder of them, or a recogniser is given."""
        return self.text is not None or self.words is not None or self.asr is not None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Settings of keyword arguments.

        Raises:
            AffuseError: A setting that is unknown, with the nearest name, or whose value is wrong.
        """
        for name in values:
            if name not in cls.model_fields:
                raise AffuseError(f"{unknown(name, list(cls.model_fields), 'settings of predict')}.")
        for name, value in values.items():
            if isinstance(value, bool) and name not in ("vad", "values"):  # Python would count it as a number
                raise _refused(name, value)
        try:
            return cls(**values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            raise _refused(name, values[name]) from None


def _refused(name: str, value: object) -> AffuseError:
    return AffuseError(f"{argument(name)} takes {_TAKES.get(name, 'text')}, not {quote(value)}.")
