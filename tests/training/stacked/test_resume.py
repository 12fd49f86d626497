"""A stack that was stopped or killed goes on where it was saved, and ends with the bytes of an undisturbed one."""

from __future__ import annotations

import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from affuse.training.experiment import Experiment
from affuse.training.run import Wanted
from affuse.training.runfolder import RunFolder, RunResult
from affuse.training.stacked.runs import StackCell, train_stacked
from affuse.training.stacked.training import Saving
from frozen_runs import BOTH_TASKS, FILES, Place, bytes_of, cell, compared, prepared, stack
from killed_comparison import CHANGES, OVER

TESTS = Path(__file__).parents[2]
SETTINGS = {
    "centers": ["loss=cross_entropy+center", "training.schedule={every: 2, factor: 0.5}"],
    "softmax": ["weighting.name=softmax", "weighting.lr=0.05"],
    "rlw": ["weighting.name=rlw", "optimizer.clip_norm=0.5"],
    "dwa": ["weighting.name=dwa", "training.patience=2", "modalities.audio.dropout=0.4"],
}


@pytest.fixture(scope="module")
def experiment(place: Place) -> Experiment:
    return prepared(place, BOTH_TASKS, "epochs=6", "training.batch_size=8")


@pytest.fixture(scope="module")
def undisturbed(
    experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, bytes]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    stack(cells_of(experiment, folder))
    return {name: bytes_of(folder / name) for name in SETTINGS}


def cells_of(experiment: Experiment, folder: Path) -> list[StackCell]:
    return [
        cell(experiment, folder / name, *changes, fold=i)
        for i, (name, changes) in enumerate(SETTINGS.items())
    ]


def run_until(cells: list[StackCell], stopped: Callable[[], bool]) -> None:
    """Saves each epoch, until it is told to stop."""
    with pytest.raises(KeyboardInterrupt):
        for _ in train_stacked(cells, Wanted(), stopped, Saving(every=0)):
            pass


class After:
    """True from the n-th time on that it is asked."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.mark.parametrize("steps", [0, 2, 9, 14])
def test_stopped_before_any_step(
    experiment: Experiment, undisturbed: dict[str, dict[str, bytes]], tmp_path: Path, steps: int
) -> None:
    """In the first epoch nothing is saved yet, later it is in the middle of an epoch, or at its end."""
    cells = cells_of(experiment, tmp_path)
    run_until(cells, After(steps))
    longest = max(-(-len(experiment.roles(fold)["train"]) // 8) for fold in range(4))
    assert all(RunFolder(one.folder).has_state == (steps > longest) for one in cells)
    assert not any(RunFolder(one.folder).finished for one in cells)
    stack(cells)
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed
    assert not any(RunFolder(one.folder).has_state for one in cells)


def test_runs_at_other_epochs_go_on_in_one_stack(
    experiment: Experiment, undisturbed: dict[str, dict[str, bytes]], tmp_path: Path
) -> None:
    """Each run was saved in a stack of its own, after another number of epochs; one was not begun."""
    cells = cells_of(experiment, tmp_path)
    for number, one in enumerate(cells[1:], start=1):
        epochs: list[int] = []
        one.report = lambda epoch, row, epochs=epochs: epochs.append(epoch)
        run_until([one], lambda epochs=epochs, number=number: len(epochs) > number)
        one.report = None
    stack(cells[::-1])
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed


@pytest.mark.parametrize("damage", ["half", "bit", "empty", "foreign"])
def test_a_damaged_state_starts_its_run_anew(
    experiment: Experiment, undisturbed: dict[str, dict[str, bytes]], tmp_path: Path, damage: str
) -> None:
    cells = cells_of(experiment, tmp_path)
    run_until(cells, After(9))
    state = RunFolder(cells[0].folder).stacked_state
    content = state.read_bytes()
    state.write_bytes(
        {
            "half": content[: len(content) // 2],
            "bit": content[:-5] + bytes([content[-5] ^ 16]) + content[-4:],
            "empty": b"",
            "foreign": b"something else\n" * 20,
        }[damage]
    )
    told: list[int] = []
    cells[0].report = lambda epoch, row: told.append(epoch)
    stack(cells)
    assert told == [1, 2, 3, 4, 5, 6]
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed


@pytest.mark.parametrize(
    ("before", "after"),
    [(b'\\"epoch\\": ', b'\\"epoch\\":9'), (b"train_joint", b"train_jolnt"), (b'"sum"', b'"sun"')],
)
def test_a_letter_of_the_state_is_wrong(
    experiment: Experiment,
    undisturbed: dict[str, dict[str, bytes]],
    tmp_path: Path,
    before: bytes,
    after: bytes,
) -> None:
    """Epoch and history are believed no more than the weights are."""
    cells = cells_of(experiment, tmp_path)
    run_until(cells, After(9))
    state = RunFolder(cells[0].folder).stacked_state
    content = state.read_bytes()
    assert before in content
    state.write_bytes(content.replace(before, after, 1))
    stack(cells)
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (["head.hidden=8"], "heads.emotion.1.bias"),  # of other shapes
        (["loss=contrastive_center"], "best heads.emotion.1.bias"),  # with fewer weights
        (["weighting.name=uncertainty"], "mean weighting.log_variances"),  # with more
    ],
)
def test_a_state_of_another_network_starts_its_run_anew(
    experiment: Experiment,
    undisturbed: dict[str, dict[str, bytes]],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    other: list[str],
    told: str,
) -> None:
    caplog.set_level(logging.INFO, logger="affuse.training")
    cells = cells_of(experiment, tmp_path)
    wrong = cell(experiment, tmp_path / "other", *SETTINGS["centers"], *other)
    run_until([wrong], After(9))
    state = RunFolder(cells[0].folder).stacked_state
    run_until([cells[0]], After(9))
    shutil.copy(RunFolder(wrong.folder).stacked_state, state)
    stack(cells)
    (sentence,) = [one for one in caplog.messages if "is not gone on from" in one]
    assert told in sentence
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed


def test_every_zero_saves_after_each_epoch(experiment: Experiment, tmp_path: Path) -> None:
    one = cell(experiment, tmp_path / "run")
    state = RunFolder(one.folder).stacked_state
    there: list[tuple[int, int | None]] = []

    def note(epoch: int, row: dict[str, float]) -> None:
        there.append((epoch, state.stat().st_mtime_ns if state.is_file() else None))

    one.report = note
    stack([one], saving=Saving(every=0))
    times = [time for _, time in there]
    assert times[0] is None  # an epoch is told before it is saved
    assert len(set(times)) == 6
    assert not state.exists()


@pytest.fixture(scope="module")
def whole(place: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    out = tmp_path_factory.mktemp("whole") / "out"
    compared(place, out, OVER, *CHANGES, jobs=2)
    return tables(out)


def tables(out: Path) -> dict[str, dict[str, bytes]]:
    folders = [one.parent for one in sorted(out.rglob("results.json"))]
    return {str(folder.relative_to(out)): bytes_of(folder) for folder in folders}


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("pattern", "count", "jobs"),
    [("last.safetensors", 1, 1), ("last.safetensors", 14, 2), ("results.json", 2, 2)],
)
def test_killed_while_a_file_is_written(
    place: Place, whole: dict[str, dict[str, bytes]], tmp_path: Path, pattern: str, count: int, jobs: int
) -> None:
    """``kill -9`` of a comparison in its first save, in a later one, as a run ends; another number of jobs goes on."""
    out = tmp_path / "out"
    source = TESTS.parent / "src"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(source), str(TESTS)])}
    killed = subprocess.run(
        [sys.executable, TESTS / "killed_comparison.py", place.folder, out, pattern, str(count)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(tables(out)) < len(whole)
    assert any(out.rglob(".affuse-*.tmp*"))  # half of a file is there
    found = compared(place, out, OVER, *CHANGES, jobs=jobs)
    assert not found.failed
    assert len(found.results) == len(whole) == 8
    assert tables(out) == whole
    assert all(set(files) == set(FILES) for files in whole.values())
    assert not any(out.rglob("last.safetensors"))


def test_a_full_disk_while_saving(experiment: Experiment, undisturbed, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """The operating system refuses a write; the file is named, the earlier state stays, and a rerun goes on."""
    resource = pytest.importorskip("resource", reason="Windows has no bounds of a process")
    cells = cells_of(experiment, tmp_path)
    run_until(cells, After(9))
    states = {one.folder: RunFolder(one.folder).stacked_state.read_bytes() for one in cells}
    smallest = min(map(len, states.values()))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handled = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (smallest // 2, hard))
    try:
        with pytest.raises(OSError, match=r"last\.safetensors") as caught:
            for _ in train_stacked(cells, Wanted(), saving=Saving(every=0)):
                pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handled)
    assert Path(caught.value.filename) in [RunFolder(one.folder).stacked_state for one in cells]
    for folder, content in states.items():
        assert RunFolder(folder).stacked_state.read_bytes() == content
        assert [one.name for one in (folder / "state").iterdir()] == ["last.safetensors"]
    found = stack(cells)
    assert all(isinstance(one, RunResult) for one in found.values())
    assert {one.folder.name: bytes_of(one.folder) for one in cells} == undisturbed
