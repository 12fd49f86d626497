"""How a clip is predicted: what the options of ``affuse predict`` and ``Model.predict`` say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affuse.errors import AffuseError
from affuse.registry import unknown

_Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]

# setting -> what it takes, in the words of a complaint; another one takes text
_TAKES = {
    "window": "seconds above 0", "hop": "seconds above 0", "vad": "true or false", "unsure": "a number from 0 to 1",
    "text": "the path of a file", "side": "left or right", "face": "two numbers from 0 to 1",
    "detector": "the path of a file", "channel": "a whole number from 0", "track": "a whole number from 0",
    "start": "seconds", "end": "seconds", "batch": "a whole number above 0",
}  # fmt: skip


class Settings(BaseModel):
    """Every field has a default; None leaves the choice to the model's training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="seconds; None: 95 % of the training clips are shorter; at most 6",
    )
    hop: float | None = Field(
        None, gt=0, allow_inf_nan=False, description="seconds from window to window; None: half a window"
    )
    vad: bool | None = Field(
        None, description="emotion only where somebody speaks; None: unless the model reads faces alone"
    )
    unsure: float | None = Field(
        None,
        ge=0,
        le=1,
        allow_inf_nan=False,
        description="confidence below which a label is unsure; None: from validation",
    )
    text: Path | None = Field(None, description="file of words (see words.kinds), or a folder of them")
    words: str | None = Field(None, description="the words themselves, instead of ``text``")
    asr: str | None = Field(None, description="transformers recogniser, Hub id or folder")
    side: Literal["left", "right"] | None = Field(None, description="half of the picture with the speaker")
    face: tuple[_Share, _Share] | None = Field(
        None, description="the face nearest this point (0 to 1 across, 0 to 1 down); None: the largest"
    )
    detector: Path | None = Field(None, description="YuNet's ONNX file")
    channel: int | None = Field(None, ge=0, description="audio channel, from 0; None: the mix of all")
    track: int | None = Field(None, ge=0, description="audio track, from 0; None: the first")
    # what of the file is predicted; a range that is not in the file is that clip's fault, found when it is read
    start: float | None = Field(
        None, allow_inf_nan=False, description="seconds into the file; None: from its beginning"
    )
    end: float | None = Field(
        None, allow_inf_nan=False, description="seconds into the file; None: to its end"
    )
    batch: int = Field(16, gt=0, description="windows that run through the network together")
    device: str = "cpu"

    @classmethod
    def of(cls, values: Mapping[str, Any], mark: str = "") -> Settings:
        """Raises AffuseError naming the setting that is unknown or wrong, as it was written: ``mark`` is before it."""
        for name in values:
            if name not in cls.model_fields:
                raise AffuseError(f"{unknown(name, list(cls.model_fields), 'settings of predict')}.")
        try:
            return cls(**values)
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            raise AffuseError(
                f"{mark}{name} takes {_TAKES.get(name, 'text')}, not {values[name]!r}."
            ) from None
