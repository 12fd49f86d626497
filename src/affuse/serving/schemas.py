"""The bodies of answers, as OpenAPI describes them."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from affuse.serving.engine import Job, ServedModel
from affuse.serving.formats import Detail, timeline_dict
from affuse.serving.problems import ProblemDetails, failure_problem


class AnswerView(BaseModel):
    """What the model says of one task."""

    label: str = Field(description="the most probable class")
    confidence: float = Field(ge=0, le=1, description="its probability, calibrated")
    unsure: bool = Field(description="whether that is below the threshold")
    probabilities: dict[str, float] = Field(description="class -> probability")


class ValueView(BaseModel):
    """What the model says of a rating."""

    mean: float = Field(description="on the corpus's scale")
    low: float | None = Field(description="where the band of its errors begins; null: the model has none")
    high: float | None = Field(description="where it ends")


class MomentView(ValueView):
    """A rating in a stretch that the same windows cover."""

    start: float = Field(description="seconds of the clip")
    end: float = Field(description="seconds of the clip")


class SegmentView(BaseModel):
    """Neighbouring moments with the same labels; an answer for each task by its name, or a rating with its band."""

    model_config = ConfigDict(extra="allow")

    start: float = Field(description="seconds of the clip")
    end: float = Field(description="seconds of the clip")
    modalities: list[str]
    text: str = Field(description="the words said in it")


class TimelineView(BaseModel):
    """A clip's timeline; with detail=full also moments, words, peaks and faces."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "start": 0.0, "seconds": 2.4, "window": 2.0, "hop": 1.0,
                "labels": {"emotion": ["anger", "happiness", "sadness", "neutral"]}, "left_out": {},
                "summary": {
                    "emotion": {
                        "label": "anger", "confidence": 0.71, "unsure": False,
                        "probabilities": {"anger": 0.71, "happiness": 0.2, "sadness": 0.03, "neutral": 0.06},
                    },
                    "valence": {"mean": 1.9, "low": 1.2, "high": 2.6},
                },
                "segments": [{
                    "start": 0.3, "end": 2.1, "modalities": ["audio"], "text": "",
                    "emotion": {
                        "label": "anger", "confidence": 0.71, "unsure": False,
                        "probabilities": {"anger": 0.71, "happiness": 0.2, "sadness": 0.03, "neutral": 0.06},
                    },
                    "valence": {"mean": 1.9, "low": 1.2, "high": 2.6},
                }],
                "ranges": {"valence": [1, 5]}, "coverage": {"valence": 0.8},
                "curves": {"valence": [{"start": 0.3, "end": 2.1, "mean": 1.9, "low": 1.2, "high": 2.6}]},
                "faults": [], "warning": "",
            }
        },
    )  # fmt: skip

    start: float = Field(description="seconds into the file where the range begins")
    seconds: float = Field(description="of the range")
    window: float = Field(description="seconds of a window")
    hop: float = Field(description="seconds from window to window")
    labels: dict[str, list[str]] = Field(description="task -> classes")
    left_out: dict[str, list[str]] = Field(description="task -> classes that were not asked for")
    summary: dict[str, AnswerView | ValueView] = Field(description="task -> answer of the whole clip")
    segments: list[SegmentView]
    ranges: dict[str, tuple[float, float]] = Field(
        default_factory=dict,
        description="regression -> lowest and highest rating; with it coverage and curves",
    )
    coverage: dict[str, float | None] = Field(
        default_factory=dict,
        description="regression -> share of ratings that its band holds; null: there is none",
    )
    curves: dict[str, list[MomentView]] = Field(
        default_factory=dict, description="regression -> its rating from moment to moment"
    )
    faults: list[str] = Field(description="what of the clip could not be used, and why")
    warning: str = Field(description="what should be known of the model")


class JobView(BaseModel):
    """A clip on its way."""

    id: str = Field(description="whoever has it may ask for the answer")
    model: str
    state: Literal["queued", "reading", "hearing", "predicting", "done", "failed", "cancelled"]
    position: int | None = Field(description="place in the queue, 1 is next")
    windows_done: int
    windows: int | None = Field(description="null: not known yet")
    problem: ProblemDetails | None = Field(description="why it failed")
    timeline: TimelineView | None = Field(default=None, description="when it is done")


class ModelView(BaseModel):
    """A model that is served."""

    name: str
    description: str
    tasks: dict[str, list[str]] = Field(description="task -> classes")
    ranges: dict[str, tuple[float, float]] = Field(description="regression -> lowest and highest rating")
    modalities: dict[str, str] = Field(description="modality -> audio, text or video")
    recogniser: bool = Field(description="whether the words of a clip can be recognised")
    pictures: float = Field(
        ge=0, description="pictures a second that its faces are read from; 0: a live stream can have none"
    )
    warning: str = Field(description="what should be known before its answers are believed")
    window: float = Field(description="seconds of a window")
    hop: float = Field(description="seconds from window to window")


class ModelsView(BaseModel):
    """All models; the first answers where none is named."""

    models: list[ModelView]


class FigureView(BaseModel):
    """A figure of the model's report."""

    title: str
    alt: str = Field(description="what it shows and how to read it")
    href: str = Field(description="of the SVG, relative to the service's root")


class ModelDetailView(ModelView):
    """A model with what there is to read about it."""

    card: str = Field(description="its model card, Markdown")
    licences: dict[str, Any] = Field(description="parts, verdict, commercial")
    trained_on: list[dict[str, str]] = Field(description="title and licence of each corpus")
    figures: list[FigureView]
    map: str | None = Field(description="where its embedding map is, relative to the service's root")


def job_dict(job: Job, detail: Detail | None = None) -> dict[str, Any]:
    """A job as JSON; ``detail``: with its timeline, in so much detail."""
    told: dict[str, Any] = {
        "id": job.id,
        "model": job.request.model,
        "state": job.state,
        "position": job.position,
        "windows_done": job.windows_done,
        "windows": job.windows,
        "problem": None if job.failure is None else failure_problem(job.failure).details,
    }
    if detail is not None:
        told["timeline"] = None if job.timeline is None else timeline_dict(job.timeline, detail)
    return told


def model_dict(model: ServedModel) -> dict[str, Any]:
    """A model as JSON."""
    return {
        "name": model.name,
        "description": " ".join(model.description.split()),
        "tasks": {task: list(space) for task, space in model.label_spaces.items()},
        "ranges": {task: list(scale) for task, scale in model.dimensions.items()},
        "modalities": model.modalities,
        "recogniser": model.recogniser,
        "pictures": max((options.frames_per_second for options, _ in model.faces.values()), default=0),
        "warning": model.warning,
        "window": model.window,
        "hop": model.hop,
    }
