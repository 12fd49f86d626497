"""How far a comparison is, counted in epochs over all of its runs, here and in worker processes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import affuse
from affuse.training.epoch_count import EpochCount
from small_corpus import make_corpus


class Counted:
    """Keeps what is told of every stage."""

    def __init__(self) -> None:
        self.told: dict[str, list[tuple[int, int]]] = {}

    def start(self, task: str, total: int, done: int = 0) -> Callable[[], None]:
        return lambda: None

    def count(self, task: str) -> Callable[[int, int], None]:
        of_task = self.told.setdefault(task, [])
        return lambda done, total: of_task.append((done, total))

    def say(self, message: str) -> None:
        pass


def test_a_run_counts_by_its_epochs_and_as_whole_once_it_has_ended() -> None:
    progress = Counted()
    count = EpochCount([10, 20], progress)
    count.reporting(0)(1, {})
    count.reporting(1)(6, {})  # goes on after its fifth
    count.end(0)  # stopped early
    count.end(1)
    assert progress.told == {"epochs of 2 runs": [(1, 30), (7, 30), (16, 30), (30, 30)]}


def test_nothing_to_run_is_no_stage() -> None:
    progress = Counted()
    EpochCount([], progress).show()
    assert progress.told == {}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_comparison_tells_epochs_before_its_first_run_has_ended(tmp_path: Path, jobs: int) -> None:
    corpus, progress = make_corpus(tmp_path, speakers=3, each=1), Counted()
    small = {
        "modalities.text": None, "modalities.audio.encoder": "precomputed", "modalities.audio.options.name": "face",
        "epochs": 4 if jobs == 1 else 150, "protocol.by": "session", "protocol.validation.by": "session",
    }  # fmt: skip
    grid = affuse.compare(
        "server", corpus, tmp_path / "grid", over={"seed": range(2)}, folds=[0], set=small, jobs=jobs,
        cache=tmp_path / "cache", progress=progress, baseline=False,
    )  # fmt: skip
    (told,) = progress.told.values()
    assert all(run.epochs == small["epochs"] for run in grid.runs)
    assert told[-1] == (2 * small["epochs"], 2 * small["epochs"])
    done = [now for now, _ in told]
    assert done == sorted(done)
    assert any(0 < now < small["epochs"] for now in done)
