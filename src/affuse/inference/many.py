"""Many clips, one outcome for each: what ``Model.predict_many`` and ``affuse predict`` run."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from affuse.devices import choose_device
from affuse.errors import AffuseError, argument
from affuse.inference.batch import Outcome
from affuse.inference.jobs import find_jobs
from affuse.inference.processes import predict_jobs
from affuse.inference.settings import Settings, SettingsArguments
from affuse.inference.standard_input import named, spooled
from affuse.inference.timeline_files import TimelineFiles, inputs_of, writers_of
from affuse.media.samples import Samples
from affuse.parts.registry import unknown
from affuse.progress import Progress, Quiet, uncounted
from affuse.workers import check_jobs

if TYPE_CHECKING:
    from affuse.models.network import Model

STANDARD_INPUT = "-"
_OWN = ("out", "formats", "plot", "overwrite", "jobs", "progress")  # arguments beside the settings


class Batch:
    """The outcomes of many clips, in their order, each as it is ready; iterate over it once.

    In a ``with`` block it is ended where the block is left early.

    Attributes:
        processes: How many predict side by side.
        notes: What should be known of the clips together, in sentences.
        skipped: The outcomes without a timeline, so far.
        files: What was written, so far.
    """

    def __init__(
        self,
        model: Model | str | Path,
        clips: Iterable[Any],
        settings: Settings,
        files: TimelineFiles | None,
        jobs: int | None,
        progress: Progress,
    ) -> None:
        self.notes: list[str] = []
        self.skipped: list[Outcome] = []
        self.files: list[Path] = []
        self._model, self._files, self._progress = model, files, progress
        self._stack = ExitStack()
        try:
            self._copy: Path | None = None
            sources = [self._source(clip) for clip in _listed(clips)]
            self._jobs = find_jobs(sources, settings, self.notes.append)
            if not self._jobs:
                raise AffuseError("There are no clips to predict: the list of clips is empty.")
            if files is not None:
                from affuse.models.finding import files_of

                own = files_of(model) if isinstance(model, str | Path) else []
                files.check(self._jobs, [*own, *inputs_of(sources, self._jobs)])
        except BaseException:
            self._stack.close()
            raise
        # a GPU holds one process's model and windows; as many as cores would fill its memory with contexts
        most = (
            1 if choose_device(settings.device) != "cpu" else (os.cpu_count() or 1 if jobs is None else jobs)
        )
        self.processes = min(most, len(self._jobs))
        self._outcomes = self._run()

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[Outcome]:
        return self

    def __next__(self) -> Outcome:
        return next(self._outcomes)

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it before its end: processes stop, the copy of standard input is removed."""
        self._outcomes.close()
        self._stack.close()

    def _source(self, clip: Any) -> str | Path | Samples:
        if isinstance(clip, str) and clip == STANDARD_INPUT:
            if self._copy is None:
                self._copy = self._stack.enter_context(spooled())
            return str(self._copy)
        return clip if isinstance(clip, str | Path | Samples) else Samples.of(clip)

    def _run(self) -> Generator[Outcome]:
        with self._stack:
            alone = len(self) == 1
            windows = self._progress.count("windows") if alone else uncounted
            clip_done = None if alone else self._progress.start("clips", len(self))
            try:
                for outcome in predict_jobs(self._model, self._jobs, self.processes, windows):
                    if clip_done is not None:
                        clip_done()
                    if outcome.timeline is not None and self._files is not None:
                        outcome = self._files.write(outcome)
                    if self._copy is not None and outcome.job.path == self._copy:
                        outcome = named(outcome, self._copy)
                    self.files += outcome.files
                    if outcome.timeline is None:
                        self.skipped.append(outcome)
                    yield outcome
            except AffuseError:
                if self._files is not None:
                    self._files.discard()
                raise
            if self._files is None or not self.skipped:
                return
            if len(self) == 1:  # a clip alone is bad input like any other, and no batch
                self._files.discard()
            else:
                self.files.append(self._files.write_skipped(self.skipped))


def predict_many(
    model: Model | str | Path,
    clips: Iterable[Any],
    *,
    out: str | Path | None = None,
    formats: Sequence[str] | None = None,
    plot: bool = False,
    overwrite: bool = False,
    jobs: int | None = 1,
    progress: Progress | None = None,
    **settings: Unpack[SettingsArguments],
) -> Batch:
    """Predict many clips; whatever goes wrong with one of them is its outcome, and the others go on.

    Args:
        model: A model, or a folder that holds one.
        clips: Files, folders, patterns such as ``"talks/*.mp4"``, tables with a column path, ``(samples, rate)``, and
            ``"-"`` for standard input.
        out: A folder for the files of every clip, or one file of one clip, such as ``"talk.srt"``. None writes nothing.
        formats: json, csv, curve, srt, vtt, audacity. None: json, or what the ending of ``out`` says.
        plot: With a folder: a picture of every timeline too.
        overwrite: Files that affuse did not write may be replaced; inputs still not.
        jobs: Processes. 1 is this one, None is one per core.
        progress: Is told of the clips that are done, or of the windows of a single one. None: nothing, for what is done
            with one outcome before the next is asked for may print.
        **settings: As of ``Model.predict``.

    Returns:
        An iterator over ``Outcome``: ``timeline``, or ``cause`` where the clip failed.

    Raises:
        AffuseError: Before any work: clips that are not there, settings that do not fit, files that may not be written.
    """
    for name in settings:
        if name not in Settings.model_fields:
            raise AffuseError(
                f"{unknown(name, [*_OWN, *Settings.model_fields], 'arguments of predict_many')}."
            )
    chosen = Settings.of(settings)
    check_jobs(jobs)
    if out is None:
        writers_of(formats or ())
        if plot:
            raise AffuseError(
                f"{argument('plot')} writes a picture beside the timelines; give a folder ({argument('out')})."
            )
    files = None if out is None else TimelineFiles(out, formats, plot, overwrite)
    return Batch(model, clips, chosen, files, jobs, progress or Quiet())


def _listed(clips: Iterable[Any]) -> list[Any]:
    """One clip is a list of one."""
    if isinstance(clips, str | Path | Samples):
        return [clips]
    items = list(clips)
    if (
        isinstance(clips, tuple)
        and len(items) == 2
        and not isinstance(items[1], str | Path | tuple | Samples)
    ):
        return [clips]
    return items
