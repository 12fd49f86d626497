"""Readers of corpora: a release on disk to a corpus folder, found by name."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from affuse.errors import AffuseError
from affuse.parts import registry
from affuse.parts.options import arguments, check

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.progress import Progress


class Reader(Protocol):
    """A function ``prepare(source, out, *, ...)`` that writes the corpus folder ``out`` and returns the corpus.

    Its options are keyword-only parameters with annotations, which are what values are checked against, and defaults.
    A parameter ``progress`` is given the ``Progress`` of the call; a reader without ``source`` makes its corpus itself.
    The first line of its docstring stands in ``affuse list corpora``.
    """

    def __call__(self, source: Path, out: Path, **options: Any) -> Corpus:
        """Read ``source`` into ``out``."""
        ...


def prepare(
    name: str,
    source: str | Path | None,
    out: str | Path,
    options: Mapping[str, Any] = MappingProxyType({}),
    *,
    progress: Progress | None = None,
) -> Corpus:
    """Call the reader of that name.

    Args:
        name: "emodb", "iemocap", ..., or one of an installed package; see ``affuse list corpora``.
        source: Where the release lies; None for a reader that needs none.
        out: The corpus folder to write.
        options: The reader's own, checked against its signature.
        progress: Where long work is reported, if the reader does.

    Raises:
        AffuseError: No such reader or option, a wrong value, or what the reader refuses.
    """
    reader = registry.get("corpora", name)
    checked = check(registry.options("corpora", name), options, name, f"prepare {name}")
    given: dict[str, Any] = {"out": Path(out)}
    parameters = inspect.signature(reader).parameters
    if "source" in parameters:
        if source is None:
            raise AffuseError(f"prepare {name}: name the source, the folder or file where the release lies.")
        given["source"] = Path(source)
    if "progress" in parameters and progress is not None:
        given["progress"] = progress
    return reader(**given, **arguments(reader, checked))
