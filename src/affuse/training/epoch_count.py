"""How far the runs of a comparison are, in epochs: the time left is known after the first epochs, not the first run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from affuse.names import counted
from affuse.workers import WorkerContext

if TYPE_CHECKING:
    from affuse.progress import Advance, Progress


class EpochCount:
    """Epochs done by every run, in whatever process it is trained, as one stage of a progress; then those that ended.

    Args:
        epochs: How many each run may train. One that ends early counts as whole from then on.
        progress: What it reports to.
    """

    def __init__(self, epochs: Sequence[int], progress: Progress) -> None:
        self._epochs = list(epochs)
        # shared with worker processes: every run has a place, which only its own process writes
        self.done: Any = WorkerContext().RawArray("L", max(1, len(self._epochs)))
        self._progress, self._ended = progress, 0
        self._hear_ends: Advance | None = None
        self._hear = (
            progress.count(f"epochs of {counted(len(self._epochs), 'run')}") if self._epochs else None
        )

    def show(self) -> None:
        """Tell how far all runs are."""
        if self._hear is None:
            return
        done, total = sum(self.done[: len(self._epochs)]), sum(self._epochs)
        self._hear(done, total)
        if done < total:
            return
        # what follows the last epoch takes a while where many runs end at once
        if self._hear_ends is None and self._ended < len(self._epochs):
            self._hear_ends = self._progress.count("runs predicted and written")
        if self._hear_ends is not None:
            self._hear_ends(self._ended, len(self._epochs))

    def reporting(self, run: int) -> Callable[[int, dict[str, float]], None]:
        """What ``train_fold`` of a run in this process calls after each epoch."""

        def report(epoch: int, row: dict[str, float]) -> None:
            self.done[run] = epoch  # of a run that goes on, counted from its beginning
            self.show()

        return report

    def end(self, run: int) -> None:
        """The run has ended: whole, early or failed."""
        self.done[run] = self._epochs[run]
        self._ended += 1
        self.show()
