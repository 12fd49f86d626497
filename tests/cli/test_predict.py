"""``affuse predict`` as a user meets it: pipes, folders, failures, exit codes."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from affuse.files.outputs import RECORD
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from audio_files import write_sound
from command import affuse
from voices import RATE, recording

NAMES = ["plain.wav", "with space & 'quotes\" ünïcode 話.wav", "-dash.wav", "[magic]*.wav"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory):
    torch.manual_seed(0)
    voice = {"audio": {"encoder": "logmel", "options": {"bands": 16}}}
    made = Model(
        Recipe.parse({"name": "tried", "modalities": voice}), {"emotion": ["anger", "neutral"]}
    ).eval()
    made.defaults = PredictionDefaults(clip_seconds=ClipSeconds(median=1.0, low=0.5, high=2.0))
    folder = tmp_path_factory.mktemp("model")
    save_model(made, folder / "model")
    return folder


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("clips")
    for i, name in enumerate(NAMES):
        write_sound(folder / name, recording(0.5, ("neu", 2.5), 0.5, seed=i), RATE)
    (folder / "deeper").mkdir()
    write_sound(folder / "deeper" / "plain.flac", recording(0.5, ("sad", 2.5)), RATE)
    (folder / "notes.txt").write_text("no clip")
    return folder


def test_json_to_a_pipe_and_figures_to_the_other(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, clips: Path
) -> None:
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--device", "cpu")
    told = json.loads(ran.out)
    assert ran.code == 0
    assert told["clip"] == str(clips / "plain.wav")
    assert "real-time factor" in ran.err
    assert "peak memory" in ran.err


def test_a_log_hears_how_far_a_long_clip_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, clips: Path
) -> None:
    monkeypatch.setattr("affuse.progress.FIRST_LINE", 0.0)
    monkeypatch.setattr("affuse.progress.BETWEEN_LINES", 0.0)
    words = [
        "predict",
        model,
        clips / "plain.wav",
        "--no-vad",
        "--window",
        "0.2",
        "--hop",
        "0.05",
        "--device",
        "cpu",
    ]
    ran = affuse(capsys, monkeypatch, *words)
    assert ran.code == 0
    lines = re.findall(r"^windows: (\d+) of (\d+), 1 s", ran.err, re.MULTILINE)
    assert len(lines) > 1
    assert lines[-1][0] == lines[-1][1]
    assert json.loads(ran.out)["segments"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such terminals")
@pytest.mark.parametrize("where", ["a file", "the terminal"])
def test_a_bar_in_a_terminal_leaves_the_results_whole(
    model: Path, clips: Path, tmp_path: Path, where: str
) -> None:
    import pty

    ours, theirs = pty.openpty()
    file = tmp_path / "out.json"
    words = [sys.executable, "-m", "affuse", "predict", model, clips / "plain.wav", "--device", "cpu"]
    with open(file, "wb") as output:
        stdout = output if where == "a file" else theirs
        run = subprocess.Popen(
            list(map(str, words)), stdout=stdout, stderr=theirs, env={**os.environ, "TERM": "xterm"}
        )
    os.close(theirs)
    shown = b""
    while True:
        try:
            some = os.read(ours, 65536)
        except OSError:  # Linux says so where the other end is closed
            break
        if not some:
            break
        shown += some
    os.close(ours)
    assert run.wait() == 0, shown
    screen = shown.decode().replace("\r\n", "\n")
    assert re.search(r"windows .*\d+/\d+", screen)
    told = file.read_text() if where == "a file" else screen[screen.index("{\n") : screen.rindex("}\n") + 2]
    assert json.loads(told)["clip"] == str(clips / "plain.wav")


@pytest.mark.parametrize("name", NAMES)
def test_odd_names(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.chdir(clips)
    ran = affuse(capsys, monkeypatch, "predict", model, "--format", "srt,csv", "--out", tmp_path, "--", name)
    assert ran.code == 0, ran.err
    made = {path.name for path in tmp_path.iterdir()} - {RECORD}
    assert made == {name.replace(".wav", s) for s in (".srt", ".csv")}


def test_a_folder_on_two_processes_keeps_its_shape_and_equals_one(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    both = [
        affuse(capsys, monkeypatch, "predict", model, clips, "--out", tmp_path / f"{n}", "--jobs", n)
        for n in (1, 2)
    ]
    assert [ran.code for ran in both] == [0, 0]
    assert "5 of 5 clips" in both[1].err
    found = sorted(path.relative_to(tmp_path / "2") for path in (tmp_path / "2").rglob("*.json"))
    assert str(found[-1]) in ("with space & 'quotes\" ünïcode 話.json", "plain.json")
    assert (tmp_path / "2" / "deeper" / "plain.json").is_file()
    for path in found:
        assert (tmp_path / "1" / path).read_bytes() == (tmp_path / "2" / path).read_bytes()


def test_a_batch_goes_on_and_lists_its_failures(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"RIFF is not enough" * 50)
    (tmp_path / "empty.mp3").write_bytes(b"")
    sources = [tmp_path / "broken.wav", clips / "plain.wav", tmp_path / "empty.mp3", tmp_path / "gone.mp4"]
    ran = affuse(capsys, monkeypatch, "predict", model, *sources, "--out", tmp_path / "out", "--jobs", 1)
    assert ran.code == 1
    assert "Traceback" not in ran.err
    skipped = pd.read_csv(tmp_path / "out" / "skipped.csv")
    assert list(skipped["clip"]) == [str(sources[i]) for i in (0, 2, 3)]
    assert skipped["cause"].str.contains("not an audio or video|empty|does not exist").all()
    assert (tmp_path / "out" / "plain.json").is_file()


def test_csv_of_many_has_one_header_and_json_a_line_each(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, clips: Path
) -> None:
    pattern = str(clips / "*plain*")
    ran = affuse(
        capsys, monkeypatch, "predict", model, pattern, clips / "deeper", "--format", "csv", "--jobs", 1
    )
    table = pd.read_csv(io.StringIO(ran.out))
    assert set(table["clip"]) == {str(clips / "plain.wav"), str(clips / "deeper" / "plain.flac")}
    ran = affuse(capsys, monkeypatch, "predict", model, pattern, clips / "deeper", "--jobs", 1)
    assert [json.loads(line)["clip"] for line in ran.out.splitlines()] == list(dict.fromkeys(table["clip"]))


def test_a_table_names_clips_beside_it(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "list.csv").write_text(
        f"path,side,text\n{clips / 'plain.wav'},left,\n{clips / '-dash.wav'},,hello you\n"
    )
    ran = affuse(
        capsys, monkeypatch, "predict", model, tmp_path / "list.csv", "--out", tmp_path / "out", "--jobs", 1
    )
    assert ran.code == 0, ran.err
    said = json.loads((tmp_path / "out" / "-dash.json").read_text())
    assert " ".join(one["text"] for one in said["segments"]).split() == ["hello", "you"]


def test_a_folder_of_words_gives_each_clip_its_own(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "plain.txt").write_text("good day")
    (tmp_path / "words" / "-dash.txt").write_bytes("grün".encode("latin-1"))
    ran = affuse(
        capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", tmp_path / "out", "--jobs", 1,
        "--text", tmp_path / "words", "--", clips / "-dash.wav", clips / "[magic]*.wav",
    )  # fmt: skip
    assert ran.code == 1
    assert "-dash.txt is not UTF-8 text" in ran.err
    said = json.loads((tmp_path / "out" / "plain.json").read_text())
    assert " ".join(one["text"] for one in said["segments"]) == "good day"
    assert (tmp_path / "out" / "[magic]*.json").is_file()


def test_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, clips: Path
) -> None:
    class Input:
        closed = False
        buffer = io.BytesIO((clips / "plain.wav").read_bytes())

    monkeypatch.setattr(sys, "stdin", Input)
    ran = affuse(capsys, monkeypatch, "predict", model, "-")
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["clip"] == "-"
    for data, said in (
        (b"", "Standard input is empty (0 bytes); pipe an audio or video file to it."),
        (b"no clip", "Standard input is not an audio or video file that can be read"),
    ):
        Input.buffer = io.BytesIO(data)
        ran = affuse(capsys, monkeypatch, "predict", model, "-")
        assert ran.code == 2
        assert ran.err.startswith(f"affuse: {said}")
        assert "affuse-stdin" not in ran.err
        assert "row" not in ran.err
    monkeypatch.setattr(sys, "stdin", None)
    ran = affuse(capsys, monkeypatch, "predict", model, "-")
    assert ran.code == 2
    assert "Standard input is closed" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--format", "xml"], "There is no 'xml' among the formats"),
        (["--format", "json,csv"], "Standard output takes one format, not 2; give --out a folder."),
        (["--plot"], "give a folder (--out)."),
        (["--face", "left"], "--face takes two numbers from 0 to 1"),
        (["--side", "middle"], "affuse: --side takes left or right, not 'middle'."),
        (["--unsure", "2"], "affuse: --unsure takes a number from 0 to 1, not 2.0."),
        (["--unsure", "nan"], "--unsure takes a number from 0 to 1, not nan."),
        (["--window", "inf"], "--window takes seconds above 0, not inf."),
        (["--window", "nan"], "--window takes seconds above 0, not nan."),
        (["--hop", "-inf"], "--hop takes seconds above 0, not -inf."),
        (["--face", "nan,0.5"], "--face takes two numbers from 0 to 1"),
        (["--channel", "-1"], "--channel takes a whole number from 0, not -1."),
        (["--window", "0.1"], "--window takes at least"),
        (["--text", "gone.txt"], "There is no text file gone.txt"),
        (["--channel", "3"], "has only channel 0, not channel 3"),
    ],
)
def test_options_that_do_not_fit(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    words: list[str],
    said: str,
) -> None:
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", *words)
    assert ran.code == 2
    assert ran.out == ""
    assert said in ran.err
    assert ran.err.count("\n") == 1


def test_a_single_clip_that_cannot_be_used_is_bad_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    ran = affuse(capsys, monkeypatch, "predict", model, tmp_path / "gone.wav", "--out", tmp_path / "out")
    assert ran.code == 2
    assert ran.err == f"affuse: {tmp_path / 'gone.wav'} does not exist; correct the path.\n"
    (tmp_path / "none.wav").write_bytes(b"")
    ran = affuse(capsys, monkeypatch, "predict", model, tmp_path / "none.wav")
    assert ran.err == f"affuse: {tmp_path / 'none.wav'} is empty (0 bytes); fetch it again.\n"


def test_a_model_with_an_altered_or_missing_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    import shutil

    for name, change in (("altered", lambda p: p.write_text("{}")), ("missing", lambda p: p.unlink())):
        folder = tmp_path / name
        shutil.copytree(model / "model", folder)
        change(folder / "prediction.json")
        ran = affuse(capsys, monkeypatch, "predict", folder, clips / "plain.wav")
        assert ran.code == 2
        assert f"prediction.json {'was altered' if name == 'altered' else 'is missing'}" in ran.err


@pytest.mark.skipif(getattr(os, "geteuid", int)() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Any,
    clips: Any,
    tmp_path: Path,
) -> None:
    tmp_path.chmod(0o500)
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "cannot be written (permission denied)" in ran.err


def test_an_output_that_is_a_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "out").write_text("")
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", tmp_path / "out")
    assert ran.code == 2
    assert "cannot be written (file exists); choose another --out" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_a_disk_without_room_ends_the_batch_in_one_sentence(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    import resource

    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a module compiled meanwhile would be kept in part
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))  # what a full disk does, by a limit of this process
    try:
        sources = [clips / "plain.wav", clips / "-dash.wav"]
        ran = affuse(capsys, monkeypatch, "predict", model, *sources, "--out", tmp_path, "--jobs", 1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 2
    assert f"{tmp_path} cannot be written (file too large); choose another --out." in ran.err
    assert not list(tmp_path.glob("*.json"))


def test_silence_is_no_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    write_sound(tmp_path / "a.wav", np.zeros(2 * RATE, np.float32), RATE)
    ran = affuse(capsys, monkeypatch, "predict", model, tmp_path / "a.wav", "--format", "srt")
    assert (ran.code, ran.out) == (0, "")
    assert "nobody speaks" in ran.err


def test_a_picture_of_every_timeline(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", tmp_path, "--plot")
    assert ran.code == 0, ran.err
    assert (tmp_path / "plain.png").read_bytes().startswith(b"\x89PNG")


def test_a_text_file_is_not_media(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("hello there\nno clip at all\n" * 20)
    ran = affuse(capsys, monkeypatch, "predict", model, tmp_path / "notes.txt")
    assert ran.code == 2
    assert "notes.txt is not an audio or video file that can be read (it is text)" in ran.err
    (tmp_path / "words.srt").write_text("1\n00:00:01,000 --> 00:00:02,000\nhello\n")
    ran = affuse(capsys, monkeypatch, "predict", model, tmp_path / "words.srt")
    assert ran.code == 2
    assert "words.srt has neither sound nor pictures, and this model reads" in ran.err


def test_where_the_system_does_not_know_the_memory_it_is_not_printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, model: Path, clips: Path
) -> None:
    from affuse.inference.memory import peak_memory

    assert (peak_memory() or 0) > 1e6
    monkeypatch.setattr(sys, "platform", "win32")
    assert peak_memory() is None
    monkeypatch.undo()
    monkeypatch.setattr("affuse.inference.batch.peak_memory", lambda: None)
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav")
    assert "peak memory" not in ran.err
    assert "segment" in ran.err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_ends_in_one_sentence(model: Path, tmp_path: Path) -> None:
    (tmp_path / "clips").mkdir()
    for i in range(40):
        write_sound(tmp_path / "clips" / f"{i}.wav", recording(0.5, ("neu", 6.0), seed=i), RATE)
    command = [sys.executable, "-m", "affuse", "predict", str(model), str(tmp_path / "clips"), "--jobs", "2"]
    process = subprocess.Popen(
        [*command, "--out", str(tmp_path / "out")], stderr=subprocess.PIPE, text=True, start_new_session=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1"},
        # tests that run in a shell's background inherit an ignored Ctrl-C, and would hand it on
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("out/*.json")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert "Interrupted; what was written is whole, and the same command starts from the beginning." in errors
    assert "Exception" not in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", ["talk.srt", "Talk.JSON", "talk.csv", "talk.vtt", "talk.txt", "talk.png"])
def test_a_name_with_an_ending_is_a_file(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", f"deep/{name}")
    assert ran.code == 0, ran.err
    assert (ran.out, f"Wrote deep/{name}." in ran.err) == ("", True)
    made = (tmp_path / "deep" / name).read_bytes()
    assert made.startswith(
        {"talk.srt": b"1\n00:", "Talk.JSON": b'{\n  "clip"', "talk.csv": b"clip,start", "talk.vtt": b"WEBVTT",
         "talk.txt": b"0.", "talk.png": b"\x89PNG"}[name]
    )  # fmt: skip
    assert {path.name for path in (tmp_path / "deep").iterdir()} == {name, RECORD}


def test_what_was_written_is_said(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", "one")
    assert "Wrote one/plain.json." in ran.err
    ran = affuse(
        capsys, monkeypatch, "predict", model, clips / "deeper", clips / "plain.wav", "gone.wav", "--out", "v.2/",
        "--format", "srt,csv", "--jobs", 1,
    )  # fmt: skip
    assert ran.code == 1
    assert "Wrote 5 files to v.2/." in ran.err  # skipped.csv among them
    assert "Skipped: gone.wav does not exist; correct the path." in ran.err
    assert (tmp_path / "v.2" / "skipped.csv").is_file()
    ran = affuse(
        capsys, monkeypatch, "predict", model, clips / "-dash.wav", "--out", "v.2"
    )  # a folder by now
    assert "Wrote v.2/-dash.json." in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--out", "a.srt", "--format", "json"], "a.srt is srt by its ending, and --format says json; give one of the"),
        (["--out", "a.srt", "--plot"], "a.srt is one file, and --plot writes a picture beside it; give --out a folder"),
        (["--out", "a.xyz"], "a.xyz ends in .xyz, so its format is not known; a timeline is written as .json, .csv,"),
        (["--out", "a.xyz"], "; for a folder, write a.xyz/."),
        (["--out", "a.srt", "gone.wav"], "a.srt is one file, and there are 2 clips; give --out a folder"),
    ],
)  # fmt: skip
def test_outputs_that_contradict_each_other(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", *words)
    assert ran.code == 2
    assert said in ran.err
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_affuses_stays(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    model: Path,
    clips: Path,
    tmp_path: Path,
) -> None:
    (tmp_path / "talk.srt").write_text("mine")
    ran = affuse(capsys, monkeypatch, "predict", model, clips / "plain.wav", "--out", tmp_path / "talk.srt")
    assert ran.code == 2
    assert "is there already and is not affuse's to replace" in ran.err
    assert (tmp_path / "talk.srt").read_text() == "mine"
