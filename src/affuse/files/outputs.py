"""What a command may write: never over a file that it reads, and never over one that affuse did not write.

Affuse knows its own files by a record in the folder, ``.affuse-written``: a line per file with the digest of what was
written. A file that was edited since has another digest, and is its owner's.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import defaultdict
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from affuse.errors import AffuseError, argument
from affuse.files import file_digest, watching

RECORD = ".affuse-written"
_current: ContextVar[Outputs | None] = ContextVar("outputs", default=None)


class Outputs:
    """The files of one command below a folder.

    Args:
        folder: Where they are.
        by: What writes them, such as "predict": a file of another command is not replaced either.
        overwrite: Files that affuse did not write may be replaced; inputs still not.
        deep: Files of its subfolders are its files too, and not another command's.
    """

    def __init__(self, folder: str | Path, by: str, *, overwrite: bool = False, deep: bool = True) -> None:
        self.folder, self.deep = Path(folder), deep
        self.by = by
        self.overwrite = overwrite
        self._known = _read(self.folder / RECORD, by)
        self._adopted = list[str]()
        self._made = False

    @classmethod
    def current(cls, folder: str | Path, by: str, *, overwrite: bool = False, deep: bool = True) -> Outputs:
        """Find those whose ``writing`` is around the caller, if they are of this folder and command.

        Else new ones are made, which may overwrite where those around may.
        """
        around = _current.get()
        if around is None:
            return cls(folder, by, overwrite=overwrite, deep=deep)
        if around.by == by and around.same_folder(folder):
            return around
        return cls(folder, by, overwrite=overwrite or around.overwrite, deep=deep)

    def same_folder(self, folder: str | Path) -> bool:
        """Whether ``folder`` is theirs."""
        return os.path.abspath(self.folder) == os.path.abspath(folder)

    @property
    def recorded(self) -> bool:
        """Whether this command has written into the folder before."""
        return bool(self._known)

    def adopt(self, names: Iterable[str]) -> None:
        """Count what is there of these files as this command's: an affuse that kept no record wrote the folder."""
        for name in names:
            path = self.folder / name
            if path.is_file() and not path.is_symlink():
                mark = file_digest(path)
                self._known[name].add(mark)
                self._adopted.append(self._line(name, mark))

    def check(self, files: Iterable[Path], inputs: Iterable[Path] = ()) -> None:
        """Check, before any work, that files may be written.

        Args:
            files: What will be written.
            inputs: Files that the command reads; those that do not exist do not matter.

        Raises:
            AffuseError: One may not; the sentence names the first.
        """
        read = {mark for path in inputs if not path.is_dir() and (mark := _identity(path)) is not None}
        foreign = []
        for path in files:
            if read and (_identity(path) in read or _identity(path, follow=False) in read):
                raise AffuseError(
                    f"{path} is an input of this command, and its output would replace it; choose another place or "
                    "name for the output."
                )
            if path.is_dir() or not self._may_replace(path):
                foreign.append(path)
        if foreign:
            more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
            raise self._refusal(foreign[0], more)

    def make_folder(self) -> None:
        """Make the folder, before any work; AffuseError where it cannot be written."""
        self._made = not os.path.lexists(self.folder)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as error:
            raise unwritable(self.folder, error) from None

    @contextmanager
    def writing(self) -> Generator[Outputs]:
        """Record what ``files.replacing`` writes below the folder meanwhile, and refuse it as ``check`` does.

        A folder that was made for work that is then refused is taken away again.
        """
        if _current.get() is self:
            yield self
            return
        tokens = watching.set((*watching.get(), self._watch)), _current.set(self)
        try:
            yield self
        except AffuseError:
            if self._made and self.folder.is_dir() and not any(self.folder.iterdir()):
                self.folder.rmdir()
            raise
        finally:
            watching.reset(tokens[0])
            _current.reset(tokens[1])

    def _watch(self, temporary: Path, path: Path) -> None:
        name, inner = self._name(path), _current.get()
        if name is None or ("/" in name and not self.deep):
            return
        if inner is not None and inner is not self and inner.same_folder(self.folder):
            return  # a part of the command that writes into the same folder, and has its own files there
        if not self._may_replace(path):
            raise self._refusal(path)
        mark = file_digest(temporary)
        if mark in self._known[name]:
            return
        # before the file is in place: a command that is killed in between has left nothing unknown
        with open(self.folder / RECORD, "a", encoding="ascii") as record:
            record.write("".join([*self._adopted, self._line(name, mark)]))
        self._adopted.clear()
        self._known[name].add(mark)

    def _line(self, name: str, mark: str) -> str:
        return json.dumps({"file": name, "digest": mark, "by": self.by}) + "\n"

    def _may_replace(self, path: Path) -> bool:
        if self.overwrite or not os.path.lexists(path):
            return True
        if path.is_symlink() or not path.is_file():
            return False
        mark, name = file_digest(path), self._name(path) or ""
        if mark in self._known.get(name, ()):
            return True
        # the same command may run twice at once, or a subfolder have been the folder of a command of its own
        places = {(self.folder, name), (path.parent, path.name)}
        return any(mark in _read(folder / RECORD, self.by)[file] for folder, file in places)

    def _name(self, path: Path) -> str | None:
        """Below the folder, with slashes; None for a file elsewhere."""
        place, root = os.path.abspath(path), os.path.abspath(self.folder)
        return Path(place).relative_to(root).as_posix() if Path(place).is_relative_to(root) else None

    def _refusal(self, path: Path, more: str = "") -> AffuseError:
        if path.is_dir():
            return AffuseError(f"{path} is a folder where a file is to be written; choose another place.")
        edited = self._name(path) in self._known
        why = "was changed since affuse wrote it" if edited else "is not affuse's to replace"
        return AffuseError(
            f"{path}{more} is there already and {why}; move it, write elsewhere, or add "
            f"{argument('overwrite', True)} to replace it."
        )


def is_empty(folder: Path) -> bool:
    """Whether a folder holds nothing but what a killed affuse may have left: its record and temporary files."""
    return all(one.name.startswith(".affuse-") for one in folder.iterdir())


def unwritable(out: Path, error: OSError) -> AffuseError:
    """Make the error for a folder that cannot be written."""
    reason = (error.strerror or str(error)).lower()
    return AffuseError(f"{out} cannot be written ({reason}); choose another {argument('out')}.")


def _read(record: Path, by: str) -> defaultdict[str, set[str]]:
    """Digests of what was written, by file; a line that is damaged or another command's does not count."""
    known: defaultdict[str, set[str]] = defaultdict(set)
    try:
        lines = record.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return known
    for line in lines:
        try:
            entry = json.loads(line)
            if entry["by"] == by:
                known[str(entry["file"])].add(str(entry["digest"]))
        except (ValueError, KeyError, TypeError):
            continue
    return known


def _identity(path: Path, follow: bool = True) -> tuple[int, int] | None:
    """The same for all names of one file: links, other spellings of its path or its letters' case."""
    try:
        status = path.stat() if follow else path.lstat()
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
