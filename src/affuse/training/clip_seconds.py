"""How long the training clips are, and how much of them is silence: prediction lays its windows accordingly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from affuse.corpora.corpus import Utterance
from affuse.corpora.durations import seconds_of
from affuse.corpora.trim import speech_of
from affuse.errors import AffuseError, ClipError
from affuse.models.defaults import ClipSeconds

_T = TypeVar("_T")

# clips, evenly over the training part: opening every file of a large corpus takes minutes
_MEASURED = 500
_LISTENED = 50


def clip_seconds(clips: Sequence[Utterance]) -> ClipSeconds | None:
    """Measure some of the clips; None where none has a length (text alone, features)."""
    some = _evenly(clips, _MEASURED)
    known = {one.id: seconds for one in some if (seconds := _seconds(one)) is not None}
    if not known:
        return None
    low, median, high = (round(float(v), 3) for v in np.percentile(list(known.values()), [5, 50, 95]))
    silence = _silence(_evenly(some, _LISTENED), known)
    return ClipSeconds(median=median, low=low, high=high, silence=silence)


def _silence(clips: Sequence[Utterance], seconds: Mapping[str, float]) -> float | None:
    """Median seconds of a clip that lie before its first speech or after its last."""
    found: list[float] = []
    for one in clips:
        try:
            span = speech_of(one) if one.id in seconds else None
        except ClipError:  # silent, say: it has no speech to be before or after
            continue
        except AffuseError:  # no detector is installed; training does not depend on it
            return None
        if span is not None:
            found.append(max(0.0, seconds[one.id] - (span.end - span.start)))
    return round(float(np.median(found)), 3) if found else None


def _seconds(utterance: Utterance) -> float | None:
    """Of its sound, else of its video; None where neither has a length."""
    lengths = (seconds_of(utterance, "audio"), seconds_of(utterance, "video"))
    return next((seconds for seconds in lengths if seconds is not None and seconds > 0), None)


def _evenly(items: Sequence[_T], count: int) -> list[_T]:
    return list(items)[:: max(1, -(-len(items) // count))]
