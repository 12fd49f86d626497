"""How far a comparison is, counted in epochs over all of its runs, here and in worker processes."""

from __future__ import annotations

from pathlib import Path

import affuse
from affuse.training.epoch_count import EpochCount
from quiet import Quiet
from small_corpus import make_corpus


def test_a_run_counts_by_its_epochs_and_as_whole_once_it_has_ended() -> None:
    progress = Quiet()
    count = EpochCount([10, 20], progress)
    count.reporting(0)(1, {})
    count.reporting(1)(6, {})  # goes on after its fifth
    count.end(0)  # stopped early
    count.end(1)
    assert progress.counts == {"epochs of 2 runs": [(1, 30), (7, 30), (16, 30), (30, 30)]}


def test_what_follows_the_last_epoch_is_a_stage_of_its_own() -> None:
    progress = Quiet()
    count = EpochCount([2, 2], progress)
    for run in (0, 1):
        count.reporting(run)(2, {})
    count.end(1)
    count.end(0)
    assert progress.counts["epochs of 2 runs"][1] == (4, 4)
    assert progress.counts["runs predicted and written"] == [(0, 2), (1, 2), (2, 2)]


def test_nothing_to_run_is_no_stage() -> None:
    progress = Quiet()
    EpochCount([], progress).show()
    assert progress.counts == {}


def test_a_comparison_tells_epochs_before_its_first_run_has_ended(tmp_path: Path) -> None:
    corpus, progress = make_corpus(tmp_path, speakers=3, each=1), Quiet()
    small = {
        "modalities.text": None, "modalities.audio.encoder": "precomputed", "modalities.audio.options.name": "face",
        "epochs": 3, "protocol.by": "session", "protocol.validation.by": "session",
    }  # fmt: skip
    affuse.compare(
        "server", corpus, tmp_path / "grid", over={"seed": range(2)}, folds=[0], set=small, jobs=1,
        cache=tmp_path / "cache", progress=progress, baseline=False,
    )  # fmt: skip
    assert progress.totals["tables and report"] == 1
    # each epoch of both, side by side, and the end of each run; test_compare has the same of worker processes
    assert progress.counts["epochs of 2 runs"] == [(n, 6) for n in (1, 2, 3, 4, 5, 6, 6, 6)]
