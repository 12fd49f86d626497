"""A timeline in the format that a client asks for."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np

from affuse.inference.sound_scan import PEAK_SECONDS
from affuse.inference.timeline import Timeline
from affuse.inference.writers import AudacityWriter, CsvWriter, CurveWriter, SrtWriter, VttWriter
from affuse.serving.problems import ProblemError

Detail = Literal["segments", "full"]
_PEAKS = 4000  # values of the waveform: more than any screen has columns


class Format(NamedTuple):
    """A format of answers: how it is called, its media type, and what makes it."""

    name: str
    media_type: str
    suffix: str
    render: Callable[[Timeline, Detail], bytes]


def timeline_dict(timeline: Timeline, detail: Detail = "segments") -> dict[str, Any]:
    """What the JSON answer holds: as ``affuse predict`` writes it, without the clip's name, which clients know.

    ``full``: also ``moments`` (probabilities over time; ratings are in ``curves``), ``words``, ``peaks`` (the loudest
    sample of every ``seconds``) and ``faces`` (PNG).
    """
    told = timeline.to_dict()
    del told["clip"]
    if detail == "segments":
        return told
    step = max(1, -(-len(timeline.peaks) // _PEAKS))
    padded = np.pad(timeline.peaks, (0, -len(timeline.peaks) % step))
    peaks = padded.reshape(-1, step).max(axis=1)
    return told | {
        "moments": [
            {"start": round(one.start, 3), "end": round(one.end, 3), **one.probabilities}
            for one in timeline.moments
        ],
        "words": [
            {"start": round(word.start, 3), "end": round(word.end, 3), "text": word.text}
            for word in timeline.words
        ],
        "peaks": {"seconds": step * PEAK_SECONDS, "values": [round(float(value), 3) for value in peaks]},
        "faces": [{"time": round(one.time, 3), "image": _data_url(one.pixels)} for one in timeline.pictures],
    }


def _data_url(pixels: np.ndarray) -> str:
    """(size, size, 3) uint8 RGB as a PNG."""
    import cv2

    _, encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[:, :, ::-1]))
    return "data:image/png;base64," + base64.b64encode(encoded.tobytes()).decode()


def _json(timeline: Timeline, detail: Detail) -> bytes:
    return (json.dumps(timeline_dict(timeline, detail), ensure_ascii=False) + "\n").encode()


def _png(timeline: Timeline, detail: Detail) -> bytes:
    held = io.BytesIO()
    timeline.plot().savefig(held, format="png", dpi=120)
    return held.getvalue()


FORMATS = {
    "json": Format("json", "application/json", ".json", _json),
    "vtt": Format("vtt", "text/vtt", ".vtt", lambda one, detail: VttWriter().text(one).encode()),
    "srt": Format("srt", "application/x-subrip", ".srt", lambda one, detail: SrtWriter().text(one).encode()),
    "csv": Format("csv", "text/csv", ".csv", lambda one, detail: CsvWriter().text(one).encode()),
    "curve": Format("curve", "text/csv", ".curve.csv", lambda one, detail: CurveWriter().text(one).encode()),
    "txt": Format(
        "txt", "text/plain", ".labels.txt", lambda one, detail: AudacityWriter().text(one).encode()
    ),
    "png": Format("png", "image/png", ".png", _png),
}


def format_named(name: str) -> Format:
    """The format of a name.

    Raises:
        ProblemError: There is no such format.
    """
    if name not in FORMATS:
        raise ProblemError(422, f"format takes {', '.join(FORMATS)}, not {name!r}.")
    return FORMATS[name]


def accepted_format(accept: str | None) -> Format:
    """What the header Accept likes best (RFC 9110, 12.5.1); JSON where it does not care.

    Raises:
        ProblemError: None of ours is accepted.

    Examples:
        >>> accepted_format("text/vtt, application/json;q=0.5").name
        'vtt'
        >>> accepted_format("*/*").name
        'json'
    """
    if not accept or not accept.strip():
        return FORMATS["json"]
    wanted: list[tuple[str, float]] = []
    for part in accept.split(","):
        kind, *parameters = (one.strip() for one in part.split(";"))
        quality = next((p.partition("=")[2] for p in parameters if p.replace(" ", "").startswith("q=")), "1")
        try:
            wanted.append((kind.lower(), float(quality)))
        except ValueError:
            continue
    best: tuple[float, int, Format] | None = None
    for place, one in enumerate(FORMATS.values()):
        family = one.media_type.partition("/")[0]
        for pattern in (one.media_type, f"{family}/*", "*/*"):  # the most exact of the patterns counts
            quality = next((q for kind, q in wanted if kind == pattern), None)
            if quality is not None:
                if quality > 0 and (best is None or (-quality, place) < best[:2]):
                    best = (-quality, place, one)
                break
    if best is None:
        kinds = ", ".join(one.media_type for one in FORMATS.values())
        raise ProblemError(406, f"The service answers in {kinds}; Accept names none of them.")
    return best[2]
