"""What is printed takes any text, whatever the terminal, the pipe and the locale."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from affuse.cli.app import main
from affuse.corpora.corpus import Corpus
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from audio_files import write_sound
from voices import RATE, recording

WORDS = "grün 😀 你好 [/i] :cat:"


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


def run(
    monkeypatch: pytest.MonkeyPatch, kind: type[io.TextIOWrapper], encoding: str, *words: object
) -> tuple[int, bytes, bytes]:
    """Exit code and the bytes of both outputs, which are of that encoding."""
    written = {"stdout": io.BytesIO(), "stderr": io.BytesIO()}
    streams = {name: kind(buffer, encoding=encoding) for name, buffer in written.items()}
    for name, stream in streams.items():
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(sys, "argv", ["affuse", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    for stream in streams.values():
        stream.flush()
    return code, written["stdout"].getvalue(), written["stderr"].getvalue()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = Recipe.parse(
        {"name": "tried", "modalities": {"audio": {"encoder": "logmel", "options": {"bands": 16}}}}
    )
    folder = tmp_path_factory.mktemp("model")
    save_model(Model(recipe, {"emotion": ["anger", "neutral"]}).eval(), folder / "model")
    return folder / "model"


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "ascii"])
def test_words_and_names_go_to_a_pipe_as_utf_8_and_to_a_terminal_as_it_can(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path, encoding: str
) -> None:
    clip = write_sound(tmp_path / "grün 😀 [i].wav", recording(("neu", 1.5)), RATE)
    (tmp_path / "a.txt").write_text(WORDS, encoding="utf-8")
    command = ["predict", model, clip, "--text", tmp_path / "a.txt", "--no-vad"]
    code, out, err = run(monkeypatch, io.TextIOWrapper, encoding, *command)
    assert code == 0, err
    told = json.loads(out.decode("utf-8"))
    assert told["segments"][0]["text"] == WORDS
    assert f"{clip}: 1.5 s" in err.decode("utf-8")
    code, out, _ = run(monkeypatch, Terminal, encoding, *command)
    assert code == 0
    assert "\\U0001f600 \\u4f60\\u597d [/i] :cat:" in out.decode(encoding)


def test_other_verbs_print_names_as_they_stand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a [i] 😀 \udce9.csv").write_text("id,text,emotion\n[/i] 😀,a,anger\n", encoding="utf-8")
    source, out = tmp_path / "a [i] 😀 \udce9.csv", tmp_path / "out"
    code, _, err = run(monkeypatch, io.TextIOWrapper, "cp1252", "validate", source)
    assert code == 2
    assert "a [i] 😀 \\xe9.csv" in err.decode("utf-8")
    code, _, err = run(monkeypatch, Terminal, "cp1252", "validate", source)
    assert code == 2
    assert "a [i] \\U0001f600 \\xe9.csv" in err.decode("cp1252")
    source.rename(tmp_path / "b.csv")
    code, _, err = run(monkeypatch, Terminal, "cp1252", "prepare", "csv", tmp_path / "b.csv", out)
    assert code == 0, err
    assert list(Corpus.load(out).table["id"]) == ["[/i] 😀"]


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    """As `affuse list | head -1`: its pipe is closed before all is printed."""
    read, write = os.pipe()
    listing = subprocess.Popen([sys.executable, "-m", "affuse", "list"], stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    os.close(read)
    _, err = listing.communicate()
    assert (listing.returncode, err) == (0, b"")
