"""What has come of a clip so far, of what decoders say of it: it is believed only if it can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from affuse.inference.clip_reader import ClipPlan
from affuse.inference.timeline import Picture
from affuse.inference.tracks import Tracks
from affuse.inference.windows import Window
from affuse.inference.words import Word


@dataclass
class Reading:
    """What has come of a clip so far; thrown away where it is read once more.

    Attributes:
        plan: What its scan has found.
        rows: Window -> task -> (classes,), of those that were answered.
        given: Window -> its modalities.
        causes: Why a modality could not be read, each cause once.
        ended: Whether every window was read.
        fault: What of the pictures could not be used, or "".
        pictures: Some faces.
    """

    plan: ClipPlan | None = None
    rows: dict[int, dict[str, np.ndarray]] = field(default_factory=dict[int, dict[str, np.ndarray]])
    given: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])
    causes: dict[str, None] = field(default_factory=dict[str, None])
    ended: bool = False
    fault: str = ""
    pictures: list[Picture] = field(default_factory=list[Picture])

    @property
    def complete(self) -> bool:
        """Whether every window was answered."""
        return self.ended and self.plan is not None and len(self.rows) == len(self.plan.windows)

    def end(self, told: Mapping[str, Any], faces: Mapping[str, Tensor]) -> None:
        """Every window was read, says a decoder.

        Raises:
            ValueError, TypeError, KeyError: That cannot be.
        """
        if self.plan is None or len(self.given) != len(self.plan.windows):
            raise ValueError("the end comes after the last window")
        self.ended, self.fault = True, str(told["fault"])
        self.pictures = [Picture(float(at), faces[str(i)].numpy()) for i, at in enumerate(told["times"])]


def plan_of(told: Mapping[str, Any], peaks: Tensor) -> ClipPlan:
    """The plan that a decoder has sent.

    Raises:
        ValueError, TypeError, KeyError: It cannot be one.
    """
    sound, pictures = told["tracks"]
    return ClipPlan(
        "The clip",
        float(told["start"]),
        float(told["seconds"]),
        [Window(float(start), float(end), int(span)) for start, end, span in told["windows"]],
        [Word(float(start), float(end), str(text)) for start, end, text in told["words"]],
        list(map(str, told["faults"])),
        list(map(str, told["strange"])),
        peaks.numpy(),
        Tracks(bool(sound), bool(pictures), None),
    )
