"""What ``set`` and ``over`` take from Python, as the texts that name a row and a folder: {"seed": [0, 1]}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from affuse.errors import AffuseError, argument
from affuse.files.yaml_text import flow_text, read_value
from affuse.recipe.overrides import SHORTHANDS, TEXTS, plain


def overrides_of(changes: Mapping[str, Any] | Sequence[str] | str | None) -> list[str]:
    """Write what ``set`` takes as 'key=value' texts; ``apply_override`` reads the same values from them.

    Examples:
        >>> overrides_of({"optimizer.lr": 3e-4, "training.patience": None, "name": "no"})
        ['optimizer.lr=0.0003', 'training.patience=null', "name='no'"]
    """
    if changes is None:
        return []
    if isinstance(changes, str):
        return [changes]
    if not isinstance(changes, Mapping):
        return list(changes)
    return [f"{key}={text_of(value, argument('set'))}" for key, value in changes.items()]


def axes_of(over: Mapping[str, Any] | Sequence[str] | str | None) -> dict[str, list[str]]:
    """Write what ``over`` takes as texts: axis -> its values.

    Args:
        over: Axis -> values of plain types; or texts, "axis=value,value", whose values stay as they are written.

    Raises:
        AffuseError: an axis without values, with one twice, or with a text in place of a list.

    Examples:
        >>> axes_of({"loss": ["cross_entropy", "center"], "seed": range(3)})
        {'loss': ['cross_entropy', 'center'], 'seed': ['0', '1', '2']}
    """
    if over is not None and not isinstance(over, Mapping):
        return _typed_axes([over] if isinstance(over, str) else over)
    axes: dict[str, list[str]] = {}
    for axis, values in (over or {}).items():
        if isinstance(values, str) or not isinstance(values, Iterable):
            raise AffuseError(
                f"{argument('over')}: {axis!r} takes a list of values, not {values!r}; for example "
                f"{argument('over', {'seed': [0, 1, 2]})}."
            )
        texts = [text_of(value, argument("over")) for value in values]
        if not texts:
            raise AffuseError(f"{argument('over')}: {axis!r} has no value; give some, or leave it out.")
        if len(set(texts)) < len(texts):
            raise AffuseError(f"{argument('over')}: {axis!r} has a value twice; give each once.")
        axes[axis] = texts
    return axes


def _typed_axes(over: Sequence[str]) -> dict[str, list[str]]:
    axes: dict[str, list[str]] = {}
    for item in over:
        if not isinstance(item, str):
            raise AffuseError(f"{argument('over')} takes texts like seed=0,1,2, or a mapping, not {item!r}.")
        name, equals, values = (part.strip() for part in item.partition("="))
        texts = [value.strip() for value in values.split(",")]
        if "" in texts and any(texts):
            raise AffuseError(f"{argument('over', item)}: a value is empty; write null for no value.")
        texts = [text for text in texts if text]
        if not equals or not name or not texts:
            example = argument("over", "seed=0,1,2")
            raise AffuseError(
                f"{argument('over')} takes axis=value,value, not {item!r}; for example {example}."
            )
        if name in axes:
            raise AffuseError(
                f"{argument('over')} names the axis {name!r} twice; give its values in one list."
            )
        # 1e-3 and 0.001 are one value: their rows would differ by nothing
        read = [repr(read_value(text, SHORTHANDS.get(name, name), TEXTS)) for text in texts]
        if len(set(read)) < len(read):
            raise AffuseError(f"{argument('over', item)}: a value stands twice.")
        axes[name] = texts
    return axes


def text_of(value: object, where: str) -> str:
    """The text that is read as ``value``; ``where`` begins the message of an AffuseError for what no recipe holds."""
    try:
        return flow_text(plain(value))
    except TypeError:
        raise AffuseError(
            f"{where}: {value!r} is not a plain value; give a text, a number, true or false, None, a list or a mapping "
            "of them."
        ) from None
