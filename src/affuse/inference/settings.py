"""How a clip is predicted: what the options of ``affuse predict`` and ``Model.predict`` say."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from affuse.corpora.corpus import first_problem
from affuse.errors import AffuseError
from affuse.registry import unknown


class Settings(BaseModel):
    """Every field has a default; None leaves the choice to the model's training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window: float | None = Field(
        None, description="seconds; None: 95 % of the training clips are shorter; at most 6"
    )
    hop: float | None = Field(None, description="seconds from window to window; None: half a window")
    vad: bool | None = Field(
        None, description="emotion only where somebody speaks; None: unless the model reads faces alone"
    )
    unsure: float | None = Field(
        None, ge=0, le=1, description="confidence below which a label is unsure; None: from validation"
    )
    text: Path | None = Field(None, description="file of words: plain text, SRT, VTT or CSV")
    words: str | None = Field(None, description="the words themselves, instead of ``text``")
    asr: str | None = Field(None, description="transformers recogniser, Hub id or folder")
    side: Literal["left", "right"] | None = Field(None, description="half of the picture with the speaker")
    face: tuple[float, float] | None = Field(
        None, description="the face nearest this point (0 to 1 across, 0 to 1 down); None: the largest"
    )
    detector: Path | None = Field(None, description="YuNet's ONNX file")
    channel: int | None = Field(None, ge=0, description="audio channel; None: the mean of all")
    batch: int = Field(16, gt=0, description="windows that run through the network together")
    device: str = "cpu"

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Settings:
        """Raises AffuseError naming the setting that is unknown or wrong."""
        for name in values:
            if name not in cls.model_fields:
                raise AffuseError(f"{unknown(name, list(cls.model_fields), 'settings of predict')}.")
        try:
            return cls(**values)
        except ValidationError as error:
            raise AffuseError(f"predict: {first_problem(error)}.") from None
