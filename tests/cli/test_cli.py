"""The command line as a user meets it: exit codes, one sentence per mistake.

Each command starts once as a process of its own; what it does beyond that is asked in this process, which has torch.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
import soundfile

import command
from small_corpus import make_corpus

Here = Callable[..., command.Ran]
SMALL = [
    "--set", "modalities.text=null", "--set", "modalities.audio.encoder=logmel",
    "--set", "modalities.audio.options.bands=16", "--set", "modalities.audio.standardise=true",
    "--set", "epochs=3", "--set", "lr=1e-2", "--set", "protocol.by=session", "--set", "protocol.validation.by=session",
]  # fmt: skip


def affuse(*arguments: Path | str, cache: Path | None = None, code: int = 0):
    """Run the command; assert its exit code and that no traceback is shown."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "COLUMNS": "160"}
    if cache is not None:
        environment["AFFUSE_CACHE"] = str(cache)
    done = subprocess.run(
        [sys.executable, "-m", "affuse", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert "Traceback" not in done.stderr, done.stderr
    assert done.returncode == code, done.stderr + done.stdout
    return done


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Like ``affuse``, in this process."""

    def run(*arguments: Path | str, cache: Path | None = None, code: int = 0) -> command.Ran:
        monkeypatch.setenv("COLUMNS", "160")
        monkeypatch.setenv("AFFUSE_CACHE", str(cache or place / "cache"))
        ran = command.affuse(capsys, monkeypatch, *arguments)
        assert "Traceback" not in ran.err, ran.err
        assert ran.code == code, ran.err + ran.out
        return ran

    return run


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("cli")
    make_corpus(folder, speakers=6, each=2)
    return folder


@pytest.fixture(scope="module")
def run_folder(place: Path):
    affuse("train", "server", place / "corpus", "--out", place / "run", *SMALL, cache=place / "cache")
    return place / "run"


def test_help_names_every_verb_and_imports_nothing_heavy() -> None:
    text = affuse("--help").stdout
    for verb in ("prepare", "validate", "train", "compare", "evaluate", "list"):
        assert verb in text
    code = "import affuse.cli.app, sys; print(sorted({'torch', 'pandas', 'lightning', 'numpy'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_list_has_every_family(here: Here) -> None:
    text = affuse("list").stdout
    for name in ("emodb", "ravdess", "bert", "vggish", "concat", "contrastive_center", "softmax", "3m-ser"):
        assert re.search(rf"^  {re.escape(name)}\s+\S", text, re.M), name
    assert "did you mean 'losses'" in here("list", "loses", code=2).err


def test_a_table_of_ones_own_is_prepared_and_validated(place: Path, tmp_path: Path, here: Here) -> None:
    table = pd.DataFrame({
        "audio": [f"s0_{label}_0.wav" for label in ("anger", "sadness", "neutral")],
        "who": ["s0"] * 3,
        "mood": ["ang", "sad", "xxx"],
    })  # fmt: skip
    for name in table["audio"]:
        (tmp_path / name).write_bytes((place / "media" / name).read_bytes())
    table.to_csv(tmp_path / "mine.csv", index=False)
    (tmp_path / "options.yaml").write_text(
        "columns: {speaker: who, emotion: mood}\nlabels: {emotion: {ang: anger, sad: sadness, xxx: null}}\n"
    )
    done = affuse(
        "prepare", "csv", tmp_path / "mine.csv", tmp_path / "out", "--options", tmp_path / "options.yaml"
    )
    assert "3 utterances" in done.stdout
    assert "anger 1, sadness 1, blank 1" in done.stdout
    assert "0 errors" in affuse("validate", tmp_path / "out").stdout
    (tmp_path / "s0_anger_0.wav").unlink()
    broken = here("validate", tmp_path / "out", code=2).out
    assert re.search(r"error: row 1 .*audio: .*s0_anger_0\.wav", broken)


def test_train_prints_the_test_result_and_says_the_corpus_is_generated(
    run_folder: Path, place: Path, here: Here
) -> None:
    done = here("train", "server", place / "corpus", "--out", run_folder, *SMALL)
    assert "Test part of fold 0 (generated corpus)" in done.out
    told = json.loads((run_folder / "results.json").read_text())["metrics"]["emotion"]
    assert f"{100 * told['acc']:.1f}" in done.out.splitlines()[-2]  # percent, one decimal, as everywhere
    assert "was finished earlier; nothing was run." in done.err
    assert (run_folder / "results.json").is_file()


def test_evaluate_gives_the_runs_own_numbers_on_its_test_part(
    run_folder: Path, place: Path, tmp_path: Path
) -> None:
    done = affuse(
        "evaluate", run_folder, place / "corpus", "--split", run_folder / "split.csv", "--out", tmp_path / "e",
        cache=place / "cache",
    )  # fmt: skip
    assert "generated" in done.stdout
    found = pd.read_csv(tmp_path / "e" / "predictions.csv").set_index("id")["emotion_predicted"]
    of_run = (
        pd.read_csv(run_folder / "predictions.csv")
        .query("role == 'test'")
        .set_index("id")["emotion_predicted"]
    )
    assert found.sort_index().equals(of_run.sort_index())
    groups = pd.read_csv(tmp_path / "e" / "groups.csv")
    assert {"female", "male", "female - male"} <= set(groups["group"])


def test_evaluate_with_a_split_of_another_corpus_says_so(
    run_folder: Path,
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "split.csv").write_text("id,fold,role,speaker\nx1,0,test,s\n")
    arguments = ["evaluate", run_folder, place / "corpus", "--split", tmp_path / "split.csv"]
    for more, message in (([], "another corpus's split"), (["--role", "tst"], "it has test")):
        ran = command.affuse(capsys, monkeypatch, *arguments, *more)
        assert ran.code == 2
        assert message in ran.err


def test_compare_prints_the_papers_table_and_goes_on_where_it_was(
    place: Path, tmp_path: Path, here: Here
) -> None:
    arguments = ["compare", "server", place / "corpus", "--out", tmp_path / "c", *SMALL,
                 "--over", "loss=cross_entropy,contrastive_center", "--over", "seed=0"]  # fmt: skip
    done = affuse(*arguments, cache=place / "cache")
    assert "contrastive_center" in done.stdout
    assert "generated" in done.stdout
    again = here(*arguments)
    assert "All 6 runs were finished earlier; nothing was run." in again.err
    assert again.out == done.stdout
    assert len(pd.read_csv(tmp_path / "c" / "results.csv")) == 3 * 4  # with the baseline


def test_ctrl_c_stops_at_once_and_the_rerun_finishes(place: Path, tmp_path: Path, here: Here) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "AFFUSE_CACHE": str(place / "cache"),
    }  # fmt: skip
    arguments = ["compare", "server", str(place / "corpus"), "--out", str(tmp_path / "c"), *SMALL,
                 "--set", "epochs=25", "--over", "seed=0,1", "--jobs", "1",
                 "--set", "training.engine=lightning"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "affuse", *arguments], env=environment, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        # tests that run in a shell's background inherit an ignored Ctrl-C, and would hand it on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("results.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    done = len(list(tmp_path.rglob("results.json")))
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert 0 < done < 6
    again = here(*arguments)
    assert f"{done} of 6 runs were finished earlier." in again.err
    assert len(list(tmp_path.rglob("results.json"))) == 6 + 3  # with the baseline


def test_ctrl_c_stops_runs_that_train_side_by_side(place: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "AFFUSE_CACHE": str(place / "cache"),
    }  # fmt: skip
    arguments = ["compare", "server", str(place / "corpus"), "--out", str(tmp_path / "c"), *SMALL,
                 "--set", "epochs=100000", "--over", "seed=0,1", "--jobs", "2"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "affuse", *arguments], env=environment, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.rglob("recipe.yaml")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "run the same command again" in errors
    assert "Traceback" not in errors
    assert not list(tmp_path.rglob("results.json"))


def test_workers_end_when_their_parent_is_killed(place: Path, tmp_path: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"), "AFFUSE_CACHE": str(place / "cache"),
    }  # fmt: skip
    arguments = ["compare", "server", str(place / "corpus"), "--out", str(tmp_path / "c"), *SMALL,
                 "--set", "epochs=100000", "--over", "seed=0,1", "--jobs", "2",
                 "--set", "training.engine=lightning"]  # fmt: skip
    process = subprocess.Popen(
        [sys.executable, "-m", "affuse", *arguments],
        env=environment,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def members() -> list[int]:
        """Processes of the session that have not ended."""
        found = subprocess.run(
            ["ps", "-o", "pid=,stat=", "-s", str(process.pid)], capture_output=True, text=True
        )
        return [int(line.split()[0]) for line in found.stdout.splitlines() if "Z" not in line.split()[1]]

    deadline = time.monotonic() + 120
    while (
        len(list(tmp_path.rglob("recipe.yaml"))) < 2
        and process.poll() is None
        and time.monotonic() < deadline
    ):
        time.sleep(0.05)
    assert len(members()) >= 3
    process.kill()
    process.wait()
    while members() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members() == []


def test_one_bad_clip_is_skipped_and_the_exit_code_tells(tmp_path: Path, here: Here) -> None:
    corpus = make_corpus(tmp_path, speakers=6, each=2)
    soundfile.write(corpus.media_root / "s1_anger_1.wav", [0.0] * 8000, 16_000)
    done = here("train", "server", tmp_path / "corpus", "--out", tmp_path / "run", *SMALL,
                cache=tmp_path / "cache", code=1)  # fmt: skip
    assert "1 utterance skipped" in done.err
    skipped = pd.read_csv(tmp_path / "run" / "skipped.csv")
    assert skipped["id"].tolist() == ["s1_anger_1"]
    assert "silent" in skipped["cause"][0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "serverr", "CORPUS", "--out", "OUT"], "did you mean 'server'"),
        (["train", "server", "nowhere", "--out", "OUT"], "nowhere is not a corpus folder"),
        (["train", "server", "CORPUS", "--out", "OUT", "--set", "optimizer.lrr=1"], "did you mean 'lr'"),
        (["train", "server", "CORPUS", "--out", "OUT", "--fold", "9", *SMALL], "no fold 9; this split has folds 0"),
        (["train", "server", "CORPUS", "--out", "OUT", *SMALL, "--set", "classes=anger,joy"], "no 'joy' among"),
        (["train", "server", "CORPUS", "--out", "OUT", *SMALL, "--set", "classes=anger"], "one class only"),
        (["train", "server", "CORPUS", "--out", "OUT", *SMALL, "--set", "protocol.by=dialog",
          "--set", "protocol.validation.by=dialog"], "dialog"),
        (["train", "server", "CORPUS", "--out", "OUT", "--set", "modalities.text=null",
          "--set", "modalities.audio.options.weights=gone.pth"], "gone.pth"),
        (["train", "server", "CORPUS", "--out", "OUT", "--set", "modalities.audio.encoder=precomputed",
          "--set", "modalities.audio.options.name=fase"], "did you mean 'face'"),
        (["compare", "server", "CORPUS", "--out", "OUT", "--over", "loss"], "--over takes axis=value"),
        (["compare", "server", "CORPUS", "--out", "OUT", "--over", "fold=x"], "whole numbers"),
        (["compare", "server", "CORPUS", "--out", "OUT", "--fold", "x"], "--fold 0,1"),
        (["compare", "server", "CORPUS", "--out", "OUT", "--fold", "0", "--over", "fold=1"], "twice"),
        (["evaluate", "nowhere", "CORPUS"], "no model folder nowhere"),
        (["prepare", "emodb", "nowhere", "OUT"], "nowhere"),
        (["train", "server", "CORPUS", "--out", "OUT", "--device", "cuda"], "no GPU was found"),
        (["validate", "nowhere"], "nowhere is not a corpus folder"),
    ],
)  # fmt: skip
def test_bad_input_is_one_sentence_and_leaves_nothing(
    place: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    """In this process, which has torch; the next test takes one of them to a process of its own."""
    monkeypatch.setenv("AFFUSE_CACHE", str(place / "cache"))
    filled = [{"CORPUS": str(place / "corpus"), "OUT": str(tmp_path / "out")}.get(a, a) for a in arguments]
    ran = command.affuse(capsys, monkeypatch, *filled)
    assert ran.code == 2
    assert "Traceback" not in ran.err
    last = ran.err.strip().splitlines()[-1]
    assert last.startswith("affuse: ")
    assert message in last
    assert not (tmp_path / "out").exists()


def test_bad_input_of_a_corpus_is_the_last_line_of_a_process(place: Path, tmp_path: Path) -> None:
    errors = affuse(
        "train", "server", place / "corpus", "--out", tmp_path / "out", *SMALL, "--set", "classes=anger,joy",
        cache=place / "cache", code=2,
    ).stderr  # fmt: skip
    last = errors.strip().splitlines()[-1]
    assert last.startswith("affuse: ")
    assert "no 'joy' among" in last
    assert not (tmp_path / "out").exists()


def test_one_speaker_under_a_speaker_split(tmp_path: Path, here: Here) -> None:
    make_corpus(tmp_path, speakers=1, each=4)
    options = ["--set", "modalities.text=null", "--set", "modalities.audio.encoder=logmel"]
    errors = here("train", "server", tmp_path / "corpus", "--out", tmp_path / "run", *options, code=2).err
    assert "speaker" in errors
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_outputs_are_written_nowhere(closed: str) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = f"{sys.executable} -m affuse list losses {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert bool(done.stdout) == (closed == "2>&-")


def test_bad_input_with_standard_error_closed_is_still_exit_code_2() -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    command = f"{sys.executable} -m affuse list cheese 2>&-"
    assert subprocess.run(["sh", "-c", command], env=environment).returncode == 2
