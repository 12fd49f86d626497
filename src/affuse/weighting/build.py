"""From a recipe's ``weighting: {name, options}`` to the weighting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from affuse import registry
from affuse.errors import AffuseError
from affuse.weighting.base import Weighting


def build(name: str, tasks: Sequence[str], options: Mapping[str, Any] | None = None) -> Weighting:
    """The weighting called ``name``, its options checked against its constructor's names and types.

    Raises AffuseError for an unknown name or option, for a value of the wrong type, and whatever the
    weighting itself refuses.
    """
    kind: type[Weighting] = registry.get("weightings", name)
    hints = get_type_hints(kind.__init__)
    known = [option for option in hints if option not in ("tasks", "return")]
    checked = {}
    for option, value in (options or {}).items():
        if option not in known:
            what = f"options of the weighting {name!r}"
            message = (
                registry.unknown(option, known, what) if known else f"The weighting {name!r} has no options"
            )
            raise AffuseError(f"{message}.")
        try:
            checked[option] = TypeAdapter(hints[option]).validate_python(value)
        except ValidationError as error:
            reason = error.errors()[0]["msg"]
            raise AffuseError(f"weighting.options.{option} of {name!r} is {value!r}: {reason}.") from error
    return kind(tasks, **checked)
