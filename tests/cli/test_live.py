"""``affuse predict - --live`` and ``affuse listen`` as a user meets them."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import affuse as library
from affuse.cli.live import _until_ctrl_c
from affuse.inference.live.microphone import Microphone
from audio_files import write_sound
from command import affuse
from voices import RATE, recording

FAST = ["--window", "1.5", "--hop", "0.75"]


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    wave = recording(0.4, ("neu", 4.0), 0.9, ("ang", 3.0), 0.7, ("sad", 3.0), 0.8, seed=1)
    return write_sound(tmp_path_factory.mktemp("talk") / "talk.wav", wave, RATE)


def piping(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    class Input:
        closed = False
        buffer = io.BytesIO(data)

    monkeypatch.setattr(sys, "stdin", Input)


def rows(text: str) -> list[str]:
    """A table without the clip's name."""
    return [line.partition(",")[2] for line in text.splitlines()]


def test_lines_of_a_pipe_are_the_prediction_of_its_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, talk: Path
) -> None:
    whole = affuse(capsys, monkeypatch, "predict", talk, "--format", "csv", *FAST)
    told = json.loads(affuse(capsys, monkeypatch, "predict", talk, *FAST).out)["segments"]
    assert len(told) >= 3
    piping(monkeypatch, talk.read_bytes())
    ran = affuse(capsys, monkeypatch, "predict", "-", "--live", "--format", "csv", *FAST)
    assert ran.code == 0, ran.err
    assert rows(ran.out) == rows(whole.out)
    assert f"-: 12.8 s, {len(told)} segments." in ran.err
    piping(monkeypatch, talk.read_bytes())
    ran = affuse(capsys, monkeypatch, "predict", "-", "--live", "--format", "json", *FAST)
    assert [json.loads(line) for line in ran.out.splitlines()] == told
    piping(monkeypatch, talk.read_bytes())
    ran = affuse(capsys, monkeypatch, "predict", "-", "--live", *FAST)
    first = ran.out.splitlines()[0]
    assert first.startswith(
        f"0:00:0{told[0]['start']:.1f}-0:00:0{told[0]['end']:.1f}  {told[0]['emotion']['label']}"
    )
    assert "\x1b" not in ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["talk.wav", "--live"], "--live predicts sound while it goes on: give - in place of the clips"),
        (["-", "--live", "--out", "x"], "--out does not go with --live"),
        (["-", "--live", "--plot"], "--plot does not go with --live"),
        (["-", "--live", "--jobs", "2"], "--jobs does not go with --live"),
        (["-", "--live", "--format", "srt"], "--format of live segments is text, json or csv, not 'srt'"),
        (["-", "--live", "--side", "left"], "--side does not go with a stream of sound"),
        (["-", "--live", "--channel", "3"], "Standard input has only channel 0, not channel 3"),
    ],
)
def test_what_does_not_go_with_live(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    talk: Path,
    words: list[str],
    said: str,
) -> None:
    piping(monkeypatch, talk.read_bytes())
    ran = affuse(capsys, monkeypatch, "predict", *words)
    assert ran.code == 2
    assert said in ran.err
    assert ran.out == ""


def test_an_empty_pipe_and_one_of_silence(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    piping(monkeypatch, b"")
    ran = affuse(capsys, monkeypatch, "predict", "-", "--live")
    assert (ran.code, ran.out) == (2, "")
    assert "Standard input is empty" in ran.err
    silence = write_sound(tmp_path / "silence.wav", np.zeros(RATE, np.float32), RATE)
    piping(monkeypatch, silence.read_bytes())
    ran = affuse(capsys, monkeypatch, "predict", "-", "--live")
    assert (ran.code, ran.out) == (0, "")
    assert "-: 1.0 s, 0 segments. Nobody speaks in it" in " ".join(ran.err.split())


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_a_line_comes_while_the_pipe_is_open_and_ctrl_c_tells_the_rest(talk: Path) -> None:
    words = ["predict", "-", "--live", "--format", "json", *FAST]
    code = f"import sys; sys.argv = {['affuse', *words]!r}; from affuse.cli.app import main; main()"
    ran = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(library.__file__).parents[1])},
    )
    assert ran.stdin is not None
    assert ran.stdout is not None
    data = talk.read_bytes()
    try:
        ran.stdin.write(data[: len(data) * 2 // 3])  # into the second utterance, and the pipe stays open
        ran.stdin.flush()
        first = json.loads(ran.stdout.readline())
        assert first["end"] < 5
        ran.send_signal(signal.SIGINT)
        rest, said = ran.communicate(timeout=60)
    finally:
        ran.kill()
        ran.wait()
    assert ran.returncode == 0, said
    assert json.loads(rest.splitlines()[-1])["end"] > 5
    assert b"segments." in said


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_ctrl_c_while_a_block_is_predicted_ends_the_sound_behind_it() -> None:
    before = signal.getsignal(signal.SIGINT)
    done: list[int] = []
    for block in _until_ctrl_c(np.full(1, i) for i in range(9)):
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        done.append(int(block[0]))
    assert done == [0, 1, 2]
    assert signal.getsignal(signal.SIGINT) is before
    again = _until_ctrl_c(np.zeros(1) for _ in range(9))
    next(again)
    os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        os.kill(os.getpid(), signal.SIGINT)
    again.close()
    assert signal.getsignal(signal.SIGINT) is before


class FakeDevice(ModuleType):
    """What sounddevice has of microphones: it plays a recording to whoever listens, in a thread, as PortAudio does."""

    def __init__(self, wave: np.ndarray) -> None:
        super().__init__("sounddevice")
        self.wave, self.asked, self.closed = wave, {}, False

    def InputStream(self, *, callback: Callable[..., None], blocksize: int, **asked: Any) -> FakeDevice:
        if asked["device"] not in (None, 0, "usb"):
            raise ValueError(f"No input device matching {asked['device']!r}")
        self.asked, self._callback, self._size = asked, callback, blocksize
        return self

    def start(self) -> None:
        def play() -> None:
            buffer = np.zeros((self._size, 1), np.float32)  # one memory for all blocks
            for at in range(0, len(self.wave) - self._size + 1, self._size):
                buffer[:, 0] = self.wave[at : at + self._size]
                self._callback(buffer, self._size, None, None)

        self._thread = threading.Thread(target=play)
        self._thread.start()

    def stop(self) -> None:
        self._thread.join()

    def close(self) -> None:
        self.closed = True


def test_listening_is_the_prediction_of_what_was_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, talk: Path
) -> None:
    import soundfile

    device = FakeDevice(soundfile.read(talk, dtype="float32")[0])
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    words = ["--format", "csv", "--seconds", "12.8", "--microphone", "usb", *FAST]
    ran = affuse(capsys, monkeypatch, "listen", *words)
    assert ran.code == 0, ran.err
    assert device.closed
    assert device.asked == {"samplerate": RATE, "device": "usb", "channels": 1, "dtype": "float32"}
    whole = affuse(capsys, monkeypatch, "predict", talk, "--format", "csv", *FAST)
    assert rows(ran.out) == rows(whole.out)
    assert ran.out.splitlines()[1].startswith("microphone,")
    ran = affuse(capsys, monkeypatch, "listen", "--microphone", "gone")
    assert ran.code == 2
    assert "The microphone cannot be opened (No input device matching 'gone')" in ran.err
    assert "--microphone and --rate" in ran.err


def test_listening_without_sounddevice_says_what_to_install(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    ran = affuse(capsys, monkeypatch, "listen")
    assert ran.code == 2
    assert "pip install 'affuse[listen]'" in ran.err
    assert "affuse predict - --live" in ran.err


def test_sound_that_nobody_takes_is_lost_and_what_follows_keeps_its_time() -> None:
    wave = np.arange(1, 3_005 * 20 + 1, dtype=np.float32)
    device = FakeDevice(wave)
    microphone = Microphone(1_000, device=device)
    with microphone:
        device._thread.join()  # 3005 blocks, of which 3000 wait
        assert microphone.lost == pytest.approx(0.1)
        blocks = iter(microphone)
        found = [next(blocks) for _ in range(3_000)]
        np.testing.assert_array_equal(np.concatenate(found), wave[:60_000])
        microphone._take(np.full((20, 1), 7, np.float32), 20, None, None)
        assert not next(blocks).any()
        np.testing.assert_array_equal(next(blocks), np.full(20, 7))
