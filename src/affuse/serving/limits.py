"""What one client, one clip and the service as a whole may take at most."""

from __future__ import annotations

import os
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
MB = 10**6


def _cores() -> int:
    return os.cpu_count() or 1


class Limits(BaseModel):
    """Limits of the service.

    Examples:
        >>> Limits(seconds=60).seconds
        60.0
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(default=500 * MB, gt=0, description="bytes of a clip")
    seconds: _Seconds = Field(default=3600.0, description="seconds of a clip that are predicted")
    pixels: int = Field(default=4096 * 2304, gt=0, description="pixels of one picture of a film")
    tracks: int = Field(default=32, gt=0, description="tracks of a film, of whatever kind")
    queue: int = Field(default=64, gt=0, description="clips that wait, of all clients together")
    long_bytes: int = Field(default=50 * MB, gt=0, description="a clip of more bytes is long")
    long_seconds: _Seconds = Field(default=120.0, description="a clip of more seconds is long")
    decoders: int = Field(
        default_factory=lambda: max(2, _cores()), ge=2, description="processes that read clips"
    )
    decode_seconds: _Seconds = Field(
        default=60.0,
        description="seconds of processor time that reading a clip may take, beside as many as the clip lasts",
    )
    silent_seconds: _Seconds = Field(
        default=60.0, description="seconds after which a clip whose reading makes no progress is given up"
    )
    decoder_memory: int = Field(
        default=1000 * MB,
        gt=0,
        description="bytes that reading a clip may take, beside what a decoder has before it",
    )
    hop: _Seconds = Field(
        default=0.05, description="seconds from window to window that a client may ask for, at least"
    )
    window: _Seconds = Field(
        default=60.0, description="seconds of a window that a client may ask for, at most"
    )
    batch: int = Field(default=16, gt=0, description="windows that run through a network together")
    ahead: int = Field(
        default=32, gt=0, description="windows of a clip that are read before they are answered"
    )
    streams: int = Field(default=16, gt=0, description="live streams at once")
    stream_seconds: _Seconds = Field(default=4 * 3600.0, description="seconds of one live stream")
    idle_seconds: _Seconds = Field(
        default=120.0, description="seconds without a message after which a live stream is ended"
    )
    upload_seconds: _Seconds = Field(default=300.0, description="seconds that an upload may take to arrive")
    upload_bytes: int = Field(
        default=4000 * MB,
        gt=0,
        description="bytes that all uploads together may take on the disk, though one alone always fits",
    )
    keep_seconds: _Seconds = Field(default=600.0, description="seconds that a finished job is kept")
    kept_jobs: int = Field(default=256, gt=0, description="finished jobs that are kept at once")
