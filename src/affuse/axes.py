"""What ``set`` and ``over`` take from Python, as the texts that name a row and a folder: {"seed": [0, 1]}."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from affuse.errors import AffuseError, argument
from affuse.files.yaml_text import flow_text


def overrides_of(changes: Mapping[str, Any] | Sequence[str] | None) -> list[str]:
    """Write what ``set`` takes as 'key=value' texts; ``apply_override`` reads the same values from them.

    Example:
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


def axes_of(over: Mapping[str, Iterable[Any]] | None) -> dict[str, list[str]]:
    """Write what ``over`` takes as texts: axis -> its values.

    Raises:
        AffuseError: an axis without values, with one twice, or with a text in place of a list.

    Example:
        >>> axes_of({"loss": ["cross_entropy", "center"], "seed": range(3)})
        {'loss': ['cross_entropy', 'center'], 'seed': ['0', '1', '2']}
    """
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


def text_of(value: object, where: str) -> str:
    """The text that is read as ``value``; ``where`` begins the message of an AffuseError for what no recipe holds."""
    if hasattr(value, "__fspath__"):
        value = str(value)
    elif hasattr(value, "item") and not isinstance(value, str):  # a scalar of NumPy's
        value = value.item()  # type: ignore[union-attr]
    try:
        return flow_text(value)
    except TypeError:
        raise AffuseError(
            f"{where}: {value!r} is no plain value; give a text, a number, true or false, None, a list or a mapping of "
            "them."
        ) from None
