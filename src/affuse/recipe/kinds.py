"""The kinds of tasks that code does not know yet, refused in one sentence."""

from __future__ import annotations

from collections.abc import Collection

from affuse.errors import AffuseError
from affuse.names import listed


def refuse_kinds(done: str, *, regression: Collection[str] = (), multilabel: Collection[str] = ()) -> None:
    """Stop where code does not know tasks of a kind, before it leaves one out or gives a wrong number.

    Args:
        done: What cannot be done, such as "predicted with".
        regression: The tasks of this kind of what is to be done; left out where they are known.
        multilabel: Those of kind multilabel.

    Raises:
        AffuseError: There is one.

    Examples:
        >>> refuse_kinds("served", regression=["valence"])
        Traceback (most recent call last):
        ...
        affuse.errors.AffuseError: A recipe with a task of kind regression (valence) cannot be served yet; leave that \
task out. `affuse train` and `affuse evaluate` know such tasks.
    """
    for kind, tasks in {"regression": regression, "multilabel": multilabel}.items():
        if tasks:
            raise AffuseError(
                f"A recipe with a task of kind {kind} ({listed(tasks)}) cannot be {done} yet; leave that task out. "
                "`affuse train` and `affuse evaluate` know such tasks."
            )
