"""What prediction wants to know of the training: how long its clips were, and what the confidences are worth."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from affuse.evaluation.confidence import Confidence


class ClipSeconds(BaseModel):
    """Of the training part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    median: float = Field(gt=0)
    low: float = Field(gt=0, description="5th percentile")
    high: float = Field(gt=0, description="95th percentile")
    silence: float | None = Field(
        None,
        ge=0,
        description="median seconds before a clip's first speech and after its last; None: not measured",
    )


class PredictionDefaults(BaseModel):
    """``prediction.json`` of a model folder. An untrained model, or one of an older folder, has the defaults."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clip_seconds: ClipSeconds | None = None  # None: the clips have no length (text alone, features)
    confidence: dict[str, Confidence] = Field(default_factory=dict)  # task -> fitted on validation

    def of_task(self, task: str) -> Confidence:
        return self.confidence.get(task, Confidence())
