"""Where the timelines of a batch are written: one file, or a folder with files for each clip and ``skipped.csv``."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from affuse.errors import AffuseError, argument
from affuse.failures import SKIPPED, cause_of, trace_of
from affuse.files import write_csv, write_text
from affuse.files.names import written
from affuse.files.outputs import Outputs, unwritable
from affuse.inference.writers import PICTURES, WRITERS, Writer, format_of
from affuse.media.samples import Samples
from affuse.parts.registry import unknown

if TYPE_CHECKING:
    from affuse.inference.batch import Job, Outcome

# Of a folder, not of a clip: every file after this one would fail in the same way
_FOLDERS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
)  # fmt: skip


class TimelineFiles:
    """The files of a batch.

    Args:
        out: With an ending, such as ``talk.srt``, one file, whose ending chooses the format. Else, or where it is a
            folder already or ends in a slash, a folder: each clip's name with the ending of every format.
        formats: Names of writers; None is what the file's ending says, and json in a folder.
        plot: A picture of every timeline too.
        overwrite: Files that affuse did not write may be replaced; inputs still not.

    Raises:
        AffuseError: A format or an ending that is unknown, or formats that contradict the file's ending.
    """

    def __init__(
        self,
        out: str | Path,
        formats: Sequence[str] | None = None,
        plot: bool = False,
        overwrite: bool = False,
    ) -> None:
        self.file = Path(out) if _is_file(out) else None
        names = [*dict.fromkeys(formats or ())]
        if self.file is not None:
            names = [_checked_file(self.file, names, plot)]
        self._suffixes = {
            name: f".{name}" if name in PICTURES else writers_of([name])[0].suffix
            for name in [*(names or ["json"]), *(["png"] if plot and self.file is None else [])]
        }
        self.folder = Path(out) if self.file is None else self.file.parent
        self._made = not self.folder.exists()
        self._outputs = Outputs(self.folder, "predict", overwrite=overwrite)

    def check(self, jobs: Sequence[Job], inputs: Iterable[Path]) -> None:
        """Before any work: every file may be written, and the folder can be made.

        Raises:
            AffuseError: A file may not be written, or there are several clips for one file.
        """
        if self.file is not None and len(jobs) > 1:
            raise AffuseError(
                f"{self.file} is one file, and there are {len(jobs)} clips; give {argument('out')} a folder (a name "
                "without an ending)."
            )
        files = [path for job in jobs for path in self._paths(job).values()]
        clips = [job.path for job in jobs if isinstance(job.path, Path)]
        skipped = [] if self.file is not None else [self.folder / SKIPPED]
        self._outputs.check([*files, *skipped], [*clips, *inputs])
        self._outputs.make_folder()

    def write(self, outcome: Outcome) -> Outcome:
        """The outcome with its files, or with a cause where they could not be made.

        Raises:
            AffuseError: That is the folder's fault: it would be every clip's.
        """
        job, timeline = outcome.job, outcome.timeline
        assert timeline is not None
        paths = self._paths(job)
        what = "cannot be written"
        try:
            with self._outputs.writing():
                texts = {p: WRITERS[name]().text(timeline) for name, p in paths.items() if name in WRITERS}
                for name, path in paths.items():
                    if name in PICTURES:  # first, for it is what fails: a clip has all of its files or none
                        what = "cannot be drawn"
                        timeline.plot(path)
                        what = "cannot be written"
                for path, text in texts.items():
                    write_text(path, text)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FOLDERS:
                self.discard()
                raise unwritable(self.folder, error) from None
            cause = cause_of(error, job.path, what)
            return outcome._replace(timeline=None, cause=cause, trace=trace_of(error))
        return outcome._replace(files=tuple(paths.values()))

    def write_skipped(self, skipped: Sequence[Outcome]) -> Path:
        """``skipped.csv``: a row per clip that was left out."""
        rows = [(written(str(one.job.path)), one.cause) for one in skipped]
        with self._outputs.writing():
            write_csv(self.folder / SKIPPED, pd.DataFrame(rows, columns=["clip", "cause"]))
        return self.folder / SKIPPED

    def discard(self) -> None:
        """Nothing was written: a folder that was made for it is taken away again."""
        if self._made and self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _paths(self, job: Job) -> dict[str, Path]:
        """Format -> file."""
        if self.file is not None:
            return dict.fromkeys(self._suffixes, self.file)
        stem = self.folder / job.name
        return {name: stem.with_name(stem.name + suffix) for name, suffix in self._suffixes.items()}


def writers_of(formats: Sequence[str]) -> list[Writer]:
    """A writer for each name, once.

    Raises:
        AffuseError: There is no such format.
    """
    for name in formats:
        if name not in WRITERS:
            raise AffuseError(f"{argument('formats')}: {unknown(name, list(WRITERS), 'formats')}.")
    return [WRITERS[name]() for name in dict.fromkeys(formats)]


def inputs_of(sources: Iterable[str | Path | Samples], jobs: Iterable[Job]) -> list[Path]:
    """What is read besides the clips: none of it may become an output."""
    named = {one for job in jobs for one in (job.settings.text, job.settings.detector) if one is not None}
    return [*(Path(one) for one in sources if not isinstance(one, Samples)), *sorted(named)]


def _is_file(out: str | Path) -> bool:
    text = os.fspath(out)
    if text.endswith(("/", os.sep)) or Path(out).is_dir():
        return False
    return bool(Path(out).suffix)


def _checked_file(file: Path, names: Sequence[str], plot: bool) -> str:
    try:
        kind = format_of(file)
    except AffuseError as error:
        raise AffuseError(f"{str(error).rstrip('.')}; for a folder, write {file}/.") from None
    writers_of(names)
    if any(name != kind for name in names):
        raise AffuseError(
            f"{file} is {kind} by its ending, and {argument('formats')} says {', '.join(names)}; give one of the two, "
            f"or {argument('out')} a folder."
        )
    if plot and kind not in PICTURES:
        raise AffuseError(
            f"{file} is one file, and {argument('plot')} writes a picture beside it; give {argument('out')} a folder, "
            "or the picture's own name (.png, .svg, .pdf)."
        )
    return kind
