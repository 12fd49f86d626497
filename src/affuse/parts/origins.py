"""Where a part's code comes from, and which code it is."""

from __future__ import annotations

import inspect
import secrets
import sys
from functools import cache
from importlib.metadata import Distribution, distribution, packages_distributions, version
from pathlib import Path
from typing import Any, NamedTuple

from affuse import __version__


class Origin(NamedTuple):
    """Where a part comes from: a package and its version ("" for a script's), and ``module:name``."""

    package: str
    version: str
    path: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}" if self.package else self.path


def path_of(part: Any) -> str:
    """``module:name`` of a class or function."""
    return f"{part.__module__}:{part.__qualname__}"


def origin_of(part: Any) -> Origin:
    """The installed package that a class or function is of; without one, of a script or notebook.

    Examples:
        >>> from affuse.losses import CenterLoss
        >>> origin_of(CenterLoss).package
        'affuse'
    """
    top = part.__module__.partition(".")[0]
    if top == "affuse":
        return Origin("affuse", __version__, path_of(part))
    package, its_version = ("", "") if top == "__main__" else _package_of(part.__module__, tuple(sys.path))
    return Origin(package, its_version, path_of(part))


@cache
def _package_of(module: str, path: tuple[str, ...]) -> tuple[str, str]:
    """Name and version of the package that brings a module, blank without one.

    Every saved run asks, and the answer takes a look at all files of all packages. What has been imported stays what it
    is while Python runs; ``path``, where Python looks for packages, may change.
    """
    top = module.partition(".")[0]
    file = getattr(sys.modules.get(module), "__file__", None)
    for package in packages_distributions().get(top, []):
        if file is None or _may_hold(distribution(package), top, Path(file).resolve()):
            return package, version(package)
    return "", ""


def _may_hold(package: Distribution, top: str, file: Path) -> bool:
    """False where a package has a folder or file ``top`` of its own: many bring a ``tests`` or ``examples`` by mistake.

    One that is installed in place has none where packages are.
    """
    own = [Path(str(package.locate_file(name))).resolve() for name in (top, f"{top}.py")]
    return not any(one.exists() for one in own) or any(file.is_relative_to(one) for one in own)


@cache
def code_of(part: Any) -> str:
    """A text that changes with the code of someone else's part; of ours the name alone.

    What was computed by a part, features and finished runs, must not outlive a change of it. The text holds the part's
    full name, the version of its package, and a digest of its source: of the whole module, or in a script or notebook
    of the class or function alone. Where there is no source, it is new in every process.
    """
    if part.__module__.partition(".")[0] == "affuse":
        return part.__qualname__
    from affuse.files import digest, file_digest  # pandas comes with it, which reading a recipe does not need

    try:
        path = inspect.getsourcefile(part)
        if part.__module__ != "__main__" and path is not None and Path(path).is_file():
            source = file_digest(Path(path))
        else:
            source = digest(inspect.getsource(part))
    except (OSError, TypeError):
        source = secrets.token_hex(16)
    return " ".join([*origin_of(part), source])
