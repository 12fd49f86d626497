"""The fields of a form as a request to the engine. A client can set how a clip is read, never what is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from affuse.errors import AffuseError
from affuse.inference.clip_reader import lengths_of_windows
from affuse.inference.settings import Settings
from affuse.parts.registry import unknown
from affuse.serving.engine import Engine, Request
from affuse.serving.problems import ProblemError
from affuse.serving.uploads import Upload

_NUMBERS = {
    "window": float,
    "hop": float,
    "unsure": float,
    "start": float,
    "end": float,
    "channel": int,
    "track": int,
}
_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")
# every field of the form: (JSON schema, what it means)
FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "clip": ({"type": "string", "format": "binary"}, "the audio or video file; exactly one"),
    "text": ({"type": "string"}, "the words that are said, where they are known"),
    "words": ({"type": "string", "format": "binary"}, "the words as a file: srt, vtt, a recogniser's json and others"),
    "asr": ({"type": "boolean"}, "recognise the words; default: where the model has a recogniser and none are given"),
    "model": ({"type": "string"}, "name of the model; default: the first"),
    "tasks": ({"type": "string"}, "names of tasks between commas; default: all but gender"),
    "classes": ({"type": "string"}, "only these classes, between commas, of one of the tasks"),
    "values": ({"type": "boolean"}, "subtitles name ratings too; default: where there are no classes"),
    "window": ({"type": "number", "exclusiveMinimum": 0}, "seconds of a window"),
    "hop": ({"type": "number", "exclusiveMinimum": 0}, "seconds from window to window"),
    "vad": ({"type": "boolean"}, "look for speech first; false: the whole clip is answered"),
    "unsure": ({"type": "number", "minimum": 0, "maximum": 1}, "confidence below which an answer is unsure"),
    "side": ({"type": "string", "enum": ["left", "right"]}, "half of the picture with the speaker"),
    "face": ({"type": "string"}, "x,y from 0 to 1: the face nearest this point; default: the largest"),
    "channel": ({"type": "integer", "minimum": 0}, "audio channel, from 0; default: the mix"),
    "track": ({"type": "integer", "minimum": 0}, "audio track, from 0"),
    "start": ({"type": "number", "minimum": 0}, "seconds into the clip"),
    "end": ({"type": "number", "minimum": 0}, "seconds into the clip"),
    "detail": ({"type": "string", "enum": ["segments", "full"]}, "full: also curves, words, waveform and faces"),
}  # fmt: skip


def make_request(upload: Upload, engine: Engine, client: str) -> Request:
    """What a form asks for.

    Raises:
        ProblemError: A field that has a wrong value, or a model that is not served.
    """
    fields = upload.fields
    model = chosen_model(fields.get("model"), engine)
    tasks = chosen_tasks(fields.get("tasks"), engine, model)
    values = settings_values(fields, engine, model)
    if "words" in upload.files:
        values["text"] = upload.files["words"]
        if "text" in fields:
            raise ProblemError(
                422, "Words come from one place: the field text or the file words; send one of them."
            )
    if fields.get("text", "").strip():
        values["words"] = fields["text"]
    try:
        settings = checked_settings(values, engine, model)
    except AffuseError as error:
        raise ProblemError(422, str(error)) from None
    return Request(model, upload.files["clip"], settings, tasks, client)


def checked_settings(values: Mapping[str, Any], engine: Engine, model: str) -> Settings:
    """Settings that a client may ask for.

    Raises:
        AffuseError: A wrong value.
        ProblemError: So many windows that one clip would keep the service busy, or one so long that a network would
            need all memory for it.
    """
    settings = Settings.of(values)
    served, least = engine.models[model], engine.limits.hop
    window, hop = lengths_of_windows(served.window, settings)
    if window > (most := max(engine.limits.window, served.window)):
        raise ProblemError(
            422,
            f"A window would last {window:g} s, and the service takes {most:g} s at most; ask for a shorter one.",
        )
    if hop < least:
        raise ProblemError(
            422,
            f"Windows would begin every {hop:g} s, and the service takes {least:g} s at least; ask for a larger hop.",
        )
    return settings


def chosen_model(name: str | None, engine: Engine) -> str:
    """The model that is named, or the first."""
    if not name:
        return next(iter(engine.models))
    if name not in engine.models:
        raise ProblemError(422, f"{unknown(name, list(engine.models), 'models of this service')}.")
    return name


def chosen_tasks(names: str | None, engine: Engine, model: str) -> tuple[str, ...]:
    """The tasks that are named; else all but gender, which is told where somebody asks for it."""
    known = engine.models[model].tasks
    if not names:
        return tuple(task for task in known if task != "gender") or tuple(known)
    tasks = tuple(name.strip() for name in names.split(",") if name.strip())
    for task in tasks:
        if task not in known:
            raise ProblemError(422, f"{unknown(task, known, f'tasks of the model {model!r}')}.")
    if not tasks:
        raise ProblemError(422, f"tasks names none of the model's tasks ({', '.join(known)}).")
    return tasks


def settings_values(fields: Mapping[str, str], engine: Engine, model: str) -> dict[str, Any]:
    """The fields that are settings of a prediction, but for the words."""
    values: dict[str, Any] = {}
    for name, kind in _NUMBERS.items():
        if fields.get(name, "").strip():
            try:
                values[name] = kind(fields[name])
            except ValueError:
                what = "a whole number" if kind is int else "a number"
                raise ProblemError(422, f"{name} takes {what}, not {fields[name][:40]!r}.") from None
    for name in ("vad", "values"):
        if fields.get(name, "").strip():
            values[name] = boolean(name, fields[name])
    if fields.get("side", "").strip():
        values["side"] = fields["side"].strip()
    if fields.get("classes", "").strip():
        values["classes"] = [name.strip() for name in fields["classes"].split(",") if name.strip()]
    if fields.get("face", "").strip():
        values["face"] = _point(fields["face"])
    if fields.get("asr", "").strip():
        values["asr"] = chosen_recogniser(boolean("asr", fields["asr"]), engine, model)
    return values


def chosen_recogniser(wanted: bool, engine: Engine, model: str) -> str:
    """The service's recogniser of a model, which no client can name; "none" where none is wanted."""
    if not wanted:
        return "none"
    found = engine.models[model].asr
    if found is None:
        raise ProblemError(422, f"The model {model!r} has no recogniser here; send the words themselves.")
    return found


def boolean(name: str, text: str) -> bool:
    """True or false, in the usual spellings."""
    if text.strip().lower() in _TRUE:
        return True
    if text.strip().lower() in _FALSE:
        return False
    raise ProblemError(422, f"{name} takes true or false, not {text[:40]!r}.")


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise ProblemError(
            422, f"face takes two numbers from 0 to 1, as in 0.25,0.5, not {text[:40]!r}."
        ) from None
    return x, y
