"""Where the timelines of ``affuse predict`` go: standard output, or files in a folder."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from affuse.failures import SKIPPED, cause_of, trace_of
from affuse.files.names import written
from affuse.files.outputs import Outputs, unwritable

if TYPE_CHECKING:
    from affuse.inference.batch import Job, Outcome
    from affuse.inference.timeline import Timeline
    from affuse.inference.writers import Writer

PICTURE = ".png"
# Of a folder, not of a clip: every file after this one would fail in the same way
_FOLDERS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR,
)  # fmt: skip


class TimelineFiles:
    """A folder of timelines: each clip's name with the suffix of every writer, its picture, and ``skipped.csv``."""

    def __init__(self, folder: Path, writers: Sequence[Writer], plot: bool, overwrite: bool) -> None:
        self.folder, self.writers, self.plot = folder, writers, plot
        self.outputs = Outputs(folder, "predict", overwrite=overwrite)

    def check(self, jobs: Sequence[Job], inputs: Iterable[Path]) -> None:
        """Before any work: every file may be written, and the folder can be made. Raises AffuseError."""
        suffixes = [*(writer.suffix for writer in self.writers), *([PICTURE] if self.plot else [])]
        files = [self._path(job, suffix) for job in jobs for suffix in suffixes]
        self.outputs.check([*files, self.folder / SKIPPED], [*(job.path for job in jobs), *inputs])
        self.outputs.make_folder()

    def write(self, outcome: Outcome) -> Outcome:
        """The outcome, with a cause where its files could not be made. Raises AffuseError where that is the folder's
        fault: it would be every clip's."""
        job, timeline = outcome.job, outcome.timeline
        assert timeline is not None
        from affuse.files import write_text

        what = "cannot be written"
        try:
            texts = [(self._path(job, writer.suffix), writer.text(timeline)) for writer in self.writers]
            if self.plot:  # first, for it is what fails: a clip has all of its files or none
                what = "cannot be drawn"
                timeline.plot(self._path(job, PICTURE))
                what = "cannot be written"
            for path, text in texts:
                write_text(path, text)
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _FOLDERS:
                raise unwritable(self.folder, error) from None
            cause = cause_of(error, job.path, what)
            return outcome._replace(timeline=None, cause=cause, trace=trace_of(error))
        return outcome

    def write_skipped(self, skipped: Sequence[Outcome]) -> None:
        """``skipped.csv``: a row per clip that was left out."""
        import pandas as pd

        from affuse.files import write_csv

        rows = [(written(str(one.job.path)), one.cause) for one in skipped]
        write_csv(self.folder / SKIPPED, pd.DataFrame(rows, columns=["clip", "cause"]))

    def _path(self, job: Job, suffix: str) -> Path:
        stem = self.folder / job.name
        return stem.with_name(stem.name + suffix)


def print_timeline(timeline: Timeline, writer: Writer, *, first: bool, alone: bool) -> None:
    """To standard output: one header for all tables, one line for each of many JSONs."""
    from affuse.inference.writers import CsvWriter, JsonWriter

    if isinstance(writer, CsvWriter):
        text = writer.text(timeline, header=first)
    elif isinstance(writer, JsonWriter) and not alone:
        text = writer.line(timeline)
    else:
        text = writer.text(timeline)
    sys.stdout.write(text)
    sys.stdout.flush()
