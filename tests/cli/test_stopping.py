"""Training that is stopped from outside: SIGTERM, Ctrl-C in the middle of an epoch, a disk without room."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import pytest

import command
from affuse.cli.stopping import Terminated, ended_by_sigterm
from affuse.training.stacked import training
from affuse.training.stacked.training import Saving
from small_corpus import make_corpus

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals and limits")
SMALL = [
    "--set", "modalities.text=null", "--set", "modalities.audio.encoder=logmel",
    "--set", "modalities.audio.options.bands=16", "--set", "modalities.audio.standardise=true",
    "--set", "lr=1e-2", "--set", "protocol.by=session", "--set", "protocol.validation.by=session",
]  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped")
    make_corpus(folder, speakers=6, each=2)
    return folder


def stopped(place: Path, number: signal.Signals, folders: int, *words: str) -> tuple[int, str]:
    """Exit code and messages of a command whose whole process group gets a signal once so many runs have begun."""
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "AFFUSE_CACHE": str(place / "cache"),
    }  # fmt: skip
    out = Path(words[words.index("--out") + 1])
    process = subprocess.Popen(
        [sys.executable, "-m", "affuse", *words], env=environment, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # tests that run in a shell's background inherit an ignored Ctrl-C, and would hand it on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 240
    while (
        len(list(out.rglob("skipped.csv"))) < folders + 1  # the comparison has one, too
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    time.sleep(0.5)  # into the epochs
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=60)
    return process.returncode, errors


@pytest.mark.parametrize("engine", ["auto", "lightning"])
def test_sigterm_ends_a_comparison_and_the_rerun_goes_on(place: Path, tmp_path: Path, engine: str) -> None:
    words = ["compare", "server", str(place / "corpus"), "--out", str(tmp_path / "c"), *SMALL, "--jobs", "2",
             "--set", "epochs=100000", "--over", "seed=0,1", "--set", f"training.engine={engine}"]  # fmt: skip
    code, errors = stopped(place, signal.SIGTERM, 6 if engine == "auto" else 2, *words)
    assert code == 143, errors
    assert errors.rstrip().endswith("Ended by SIGTERM; run the same command again to go on where it was.")
    assert "Traceback" not in errors
    assert not list(tmp_path.rglob("results.json"))
    assert not list(tmp_path.rglob(".affuse-*.tmp*"))
    # the folders are those of unfinished runs of this very recipe: it goes on
    for path in tmp_path.rglob("skipped.csv"):  # written again when a run begins
        path.unlink()
    code, errors = stopped(place, signal.SIGINT, 2, *words)
    assert code == 130, errors
    assert errors.rstrip().endswith("Interrupted; run the same command again to go on where it was.")
    assert "Traceback" not in errors


def test_sigterm_is_the_systems_for_other_commands() -> None:
    before = signal.getsignal(signal.SIGTERM)
    for verb, handled in (("train", True), ("predict", False)):
        with ended_by_sigterm(verb):
            assert (signal.getsignal(signal.SIGTERM) != before) == handled
        assert signal.getsignal(signal.SIGTERM) == before


def test_whatever_sigterm_leads_to_it_is_the_cause() -> None:
    def work() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(10)
        except KeyboardInterrupt:
            raise OSError("a worker died") from None

    with pytest.raises(Terminated), ended_by_sigterm("compare"):
        work()
    with pytest.raises(OSError, match="died"), ended_by_sigterm("compare"):
        raise OSError("a worker died")


def test_a_thread_may_not_listen_to_signals() -> None:
    seen: list[object] = []

    def listen() -> None:
        with ended_by_sigterm("train"):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize("verb", ["train", "compare"])
def test_a_disk_without_room_for_a_state_is_one_sentence_and_the_rerun_goes_on(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    place: Path,
    tmp_path: Path,
    verb: str,
) -> None:
    import resource

    monkeypatch.setenv("AFFUSE_CACHE", str(place / "cache"))
    monkeypatch.setattr(training, "Saving", partial(Saving, every=0.0))  # after each epoch

    def words(out: str) -> list[str]:
        more = ["--fold", "0", "--no-baseline", "--jobs", "1"] if verb == "compare" else []
        return [verb, "server", str(place / "corpus"), "--out", str(tmp_path / out), *SMALL, "--set", "epochs=3",
                *more]  # fmt: skip

    assert command.affuse(capsys, monkeypatch, *words("whole")).code == 0
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a module compiled meanwhile would be kept in part
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (8000, hard)
    )  # what a full disk does, by a limit of this process
    try:
        ran = command.affuse(capsys, monkeypatch, *words("cut"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 2
    assert "last.safetensors" in ran.err
    assert "Traceback" not in ran.err
    assert len(ran.err.strip().splitlines()) == 1
    assert not list((tmp_path / "cut").rglob("last.safetensors"))
    assert not list((tmp_path / "cut").rglob(".affuse-*.tmp*"))
    assert command.affuse(capsys, monkeypatch, *words("cut")).code == 0
    for path in (tmp_path / "whole").rglob("predictions.csv"):
        assert (tmp_path / "cut" / path.relative_to(tmp_path / "whole")).read_bytes() == path.read_bytes()
