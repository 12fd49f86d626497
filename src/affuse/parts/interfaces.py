"""What affuse calls in a part, by family: checked once, when a part of someone else's is registered or first used."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

from affuse.errors import AffuseError
from affuse.names import listed

SINGULAR = {
    "corpora": "corpus reader",
    "encoders": "encoder",
    "fusions": "fusion",
    "losses": "loss",
    "weightings": "weighting",
}
# The parameters that affuse fills in itself; every other one is an option.
GIVEN = {
    "corpora": ("source", "out", "progress"),
    "encoders": (),
    "fusions": ("widths",),
    "losses": ("num_classes", "dim", "reduction"),
    "weightings": ("tasks",),
}
# family -> (the class to derive from, what it is called from outside)
_BASES = {
    "encoders": ("affuse.encoders.base:Encoder", "affuse.encoders.Encoder"),
    "fusions": ("affuse.fusion.base:Fusion", "affuse.fusion.Fusion"),
    "losses": ("affuse.losses.base:TaskLoss", "affuse.losses.TaskLoss"),
    "weightings": ("affuse.weighting.base:Weighting", "affuse.weighting.Weighting"),
}
_KINDS = ("audio", "text", "video", "features")


def check(family: str, name: str, part: Any) -> None:
    """AffuseError that says what a part lacks to be one of its family."""
    from affuse.parts.options import options_of  # pydantic comes with it, which names alone do not need

    what = f"The {SINGULAR[family]} {name!r}"
    if family == "corpora":
        _check_reader(what, part)
    else:
        _check_class(family, what, part)
    for option, field in options_of(part, GIVEN[family]).model_fields.items():
        # an encoder's may be needed: it is named for a modality, and then given its options
        if field.is_required() and family != "encoders":
            raise AffuseError(
                f"{what}: its option {option!r} needs a default, because a recipe may leave it out."
            )


def _check_reader(what: str, part: Any) -> None:
    if isinstance(part, type) or not callable(part):
        raise AffuseError(f"{what} must be a function prepare(source, out, *, ...) that returns a Corpus.")
    parameters = inspect.signature(part).parameters
    missing = [name for name in ("out",) if name not in parameters]
    if missing:
        raise AffuseError(f"{what} lacks the parameter {listed(missing)}: the corpus folder that it writes.")
    for name, parameter in parameters.items():
        if name not in GIVEN["corpora"] and parameter.kind is not parameter.KEYWORD_ONLY:
            raise AffuseError(
                f"{what}: its option {name!r} must come after a *, so that it is given by name."
            )


def _check_class(family: str, what: str, part: Any) -> None:
    path, public = _BASES[family]
    module, attribute = path.split(":")
    base = getattr(import_module(module), attribute)
    if not isinstance(part, type) or not issubclass(part, base):
        raise AffuseError(f"{what} must be a class derived from {public}, and {part!r} is not.")
    missing = sorted(getattr(part, "__abstractmethods__", ()))
    if missing:
        raise AffuseError(
            f"{what} lacks {listed(f'{name}()' for name in missing)}; {public} says what each must do."
        )
    if family == "encoders" and getattr(part, "kind", None) not in _KINDS:
        raise AffuseError(
            f"{what} lacks kind, the column of the corpus that it reads: one of {listed(_KINDS)}."
        )
    parameters = inspect.signature(part).parameters
    absent = [name for name in GIVEN[family] if name not in parameters]
    first = list(parameters)[: len(GIVEN[family])]
    if absent or first != list(GIVEN[family]):
        raise AffuseError(
            f"{what}: its constructor must begin with {', '.join(GIVEN[family])}, "
            f"not with {listed(first) or 'nothing'}."
        )
