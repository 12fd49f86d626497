"""The files of a corpus folder, and what may not be replaced to write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from typing import ParamSpec, TypeVar

from affuse.errors import AffuseError
from affuse.files.outputs import Outputs

TABLE = "utterances.parquet"
INFO = "corpus.yaml"
ANNOTATIONS = "annotations.parquet"  # what raters said, where a corpus keeps it
COUNTS = "counts.csv"  # what a reader counted in the release against the published numbers, if it did
BY = "prepare"
_P = ParamSpec("_P")
_R = TypeVar("_R")


def check_corpus_folder(folder: str | Path) -> None:
    """Refuse what is no corpus folder, without reading it: a wrong name is answered before pandas is imported.

    Raises:
        AffuseError: The folder lacks one of the two files.
    """
    for name in (INFO, TABLE):
        if not (Path(folder) / name).is_file():
            raise AffuseError(
                f"{folder} is not a corpus folder: it has no {name}; make one with 'affuse prepare'."
            )


def corpus_inputs(folder: str | Path) -> list[Path]:
    """The files that a command reads with a corpus, and that no output of it may replace."""
    return [Path(folder) / name for name in (INFO, TABLE)]


def writes_corpus(*beside: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Decorate a reader: nothing is read before it is known that the corpus may be written to ``out``.

    The reader has the arguments ``source`` and ``out``; it raises AffuseError where one of its files is there and is
    not affuse's, was edited, or is what it reads (``source``, ``options``).

    Args:
        *beside: Files that it writes besides those of every corpus folder.
    """

    def decorate(reader: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(reader)
        def checked(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            given = inspect.signature(reader).bind(*args, **kwargs).arguments
            inputs = [
                Path(one) for name in ("source", "options") if isinstance(one := given.get(name), (str, Path))
            ]
            with corpus_outputs(given["out"], inputs, beside).writing():
                return reader(*args, **kwargs)

        return checked

    return decorate


def corpus_outputs(
    folder: str | Path, inputs: Sequence[Path] = (), beside: Sequence[str] = (), overwrite: bool = False
) -> Outputs:
    """The outputs of a corpus folder, checked: AffuseError where one may not be written."""
    folder = Path(folder)
    outputs = Outputs.current(folder, BY, overwrite=overwrite)
    outputs.check([folder / name for name in (TABLE, INFO, ANNOTATIONS, *beside)], inputs)
    return outputs
