"""What may be written: affuse's own files as it left them, and no others."""

import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.errors import AffuseError
from affuse.files import replacing, write_csv, write_json, write_text
from affuse.files.names import LONGEST, find, shortened, shown
from affuse.files.outputs import RECORD, Outputs
from affuse.training.cache import FeatureCache, default_folder
from affuse.training.runfolder import RunFolder
from command import affuse


def write(folder: Path, text: str, name: str = "a.txt", by: str = "predict", overwrite: bool = False) -> None:
    outputs = Outputs(folder, by, overwrite=overwrite)
    outputs.check([folder / name])
    with outputs.writing():
        write_text(folder / name, text)


def test_own_files_are_replaced_and_edited_ones_are_their_owners(tmp_path: Path) -> None:
    write(tmp_path, "one")
    write(tmp_path, "two")
    write(tmp_path, "one")
    assert len((tmp_path / RECORD).read_text().splitlines()) == 2
    (tmp_path / "a.txt").write_text("mine")
    with pytest.raises(AffuseError, match=r"a.txt is there already and was changed since .*overwrite=True"):
        write(tmp_path, "three")
    assert (tmp_path / "a.txt").read_text() == "mine"
    write(tmp_path, "three", overwrite=True)
    assert (tmp_path / "a.txt").read_text() == "three"
    write(tmp_path, "four")


def test_two_commands_at_once_replace_each_others_files(tmp_path: Path) -> None:
    first, second = Outputs(tmp_path, "predict"), Outputs(tmp_path, "predict")
    for outputs, text in ((first, "one"), (second, "two"), (first, "three")):
        outputs.check([tmp_path / "skipped.csv"])
        with outputs.writing():
            write_text(tmp_path / "skipped.csv", text)
    assert (tmp_path / "skipped.csv").read_text() == "three"


def test_files_of_an_affuse_that_kept_no_record_stay_its_own(tmp_path: Path) -> None:
    for name in ("a.txt", "b.txt", "mine.txt"):
        (tmp_path / name).write_text("old")
    outputs = Outputs(tmp_path, "predict")
    outputs.adopt(["a.txt", "b.txt", "c.txt"])
    with outputs.writing():
        write_text(tmp_path / "a.txt", "new")
    write(tmp_path, "new", name="b.txt")
    with pytest.raises(AffuseError, match=r"mine.txt is there already"):
        write(tmp_path, "new", name="mine.txt")


def test_another_commands_file_and_a_link_are_not_replaced(tmp_path: Path) -> None:
    write(tmp_path, "one")
    with pytest.raises(AffuseError, match="is not affuse's to replace"):
        write(tmp_path, "two", by="evaluate")
    (tmp_path / "link.txt").symlink_to("a.txt")
    with pytest.raises(AffuseError, match=r"link.txt is there already"):
        write(tmp_path, "two", name="link.txt")
    (tmp_path / "gone.txt").symlink_to("nowhere.txt")
    with pytest.raises(AffuseError, match=r"gone.txt is there already"):
        write(tmp_path, "two", name="gone.txt")


@pytest.mark.parametrize("name", ["input.txt", "hard.txt", "soft.txt"])
def test_an_input_is_never_an_output_by_whatever_name(tmp_path: Path, name: str) -> None:
    (tmp_path / "input.txt").write_text("read")
    os.link(tmp_path / "input.txt", tmp_path / "hard.txt")
    (tmp_path / "soft.txt").symlink_to("input.txt")
    outputs = Outputs(tmp_path, "predict", overwrite=True)
    with pytest.raises(AffuseError, match=f"{name} is an input of this command"):
        outputs.check([tmp_path / name], [tmp_path / "input.txt"])


def test_a_file_that_came_up_meanwhile_is_kept(tmp_path: Path) -> None:
    outputs = Outputs(tmp_path, "predict")
    outputs.check([tmp_path / "a.txt"])
    (tmp_path / "a.txt").write_text("mine")
    with outputs.writing(), pytest.raises(AffuseError, match=r"a.txt is there already"):
        write_text(tmp_path / "a.txt", "ours")
    assert (tmp_path / "a.txt").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_damaged_record_forgets_and_does_not_fail(tmp_path: Path) -> None:
    write(tmp_path, "one")
    (tmp_path / RECORD).write_bytes(b'{"file": 1}\n\xff\xfe\n[]\n')
    with pytest.raises(AffuseError, match="is there already"):
        write(tmp_path, "two")


def test_a_generated_release_with_something_of_the_users_in_it_is_kept(tmp_path: Path) -> None:
    release = generate_release(tmp_path / "release", sessions=1, dialogs=1, turns=2, video=False)
    generate_release(release, sessions=1, dialogs=1, turns=2, video=False)
    (release / "notes.txt").write_text("mine")
    with pytest.raises(
        AffuseError, match=r"notes.txt does not belong to the generated release and would be lost"
    ):
        generate_release(release, sessions=1, dialogs=1, turns=2, video=False)
    (release / "notes.txt").unlink()
    readme = next(release.glob("README.txt"))
    readme.write_text("mine")
    with pytest.raises(AffuseError, match=r"README.txt was changed and would be lost"):
        generate_release(release, sessions=1, dialogs=1, turns=2, video=False)
    assert readme.read_text() == "mine"


def test_what_a_killed_run_left_before_its_first_file_is_no_strangers(tmp_path: Path) -> None:
    (tmp_path / ".affuse-abc.tmp.json").write_text("")
    RunFolder(tmp_path).check_writable()
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(AffuseError, match="holds something other than a run"):
        RunFolder(tmp_path).check_writable()


def test_names_of_the_longest_kind_are_written(tmp_path: Path) -> None:
    for name in ("a" * LONGEST, "a" * (LONGEST - 5) + ".json", "x." + "s" * (LONGEST - 2)):
        write_json(tmp_path / name, {"a": 1})
        assert json.loads((tmp_path / name).read_text()) == {"a": 1}
        with pytest.raises(ZeroDivisionError), replacing(tmp_path / name):
            raise ZeroDivisionError
    assert len(list(tmp_path.iterdir())) == 3


def test_long_names_are_shortened_the_same_way_each_time() -> None:
    name = "é" * 200
    short = shortened(name, 240)
    assert short == shortened(name, 240)
    assert len(short.encode()) <= 240
    assert short != shortened(name + "e", 240)
    assert shortened("talk", 240) == "talk"


def test_a_name_that_is_no_text_is_shown_written_and_found_again(tmp_path: Path) -> None:
    clip = tmp_path / os.fsdecode(b"caf\xe9\n.wav")
    clip.write_bytes(b"")
    told = shown(clip.name)
    assert told == r"caf\xe9\x0a.wav"
    assert find(tmp_path / told) == clip
    literal = tmp_path / r"caf\xe9.wav"
    assert find(literal) == literal
    write_json(tmp_path / "names.json", {"clip": clip.name})
    assert json.loads((tmp_path / "names.json").read_text(encoding="utf-8"))["clip"] == "caf\\xe9\n.wav"


@pytest.mark.parametrize("blank", ["", "relative"])
def test_the_cache_is_never_in_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, blank: str
) -> None:
    monkeypatch.delenv("AFFUSE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", blank)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_folder() == tmp_path / ".cache" / "affuse" / "features"
    monkeypatch.setenv("HOME", "relative")
    with pytest.raises(AffuseError, match=r"There is no home folder .* as cache"):
        default_folder()


def test_a_cache_that_cannot_be_written_names_the_cure(tmp_path: Path) -> None:
    import torch

    with pytest.raises(AffuseError, match=r"whose name is no UTF-8; .* for cache"):
        FeatureCache(tmp_path / os.fsdecode(b"\xe9"))
    (tmp_path / "file").write_text("")
    with pytest.raises(AffuseError, match=r"cannot be written .* for cache"):
        FeatureCache(tmp_path / "file").put("ab", torch.zeros(1))


def test_standard_input_without_room_for_its_copy(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import io
    import tempfile

    class Input:
        closed = False
        buffer = io.BytesIO(b"x" * 100_000)

    monkeypatch.setattr(sys, "stdin", Input)
    model, room = tmp_path / "model", tmp_path / "room"
    model.mkdir()
    room.mkdir()
    (model / "index.json").write_text("{}")  # of a model; it is not read before standard input
    monkeypatch.setattr(tempfile, "tempdir", str(room))
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a module compiled meanwhile would be kept in part
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (1000, hard)
    )  # what a full disk does, by a limit of this process
    try:
        ran = affuse(capsys, monkeypatch, "predict", model, "-")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert ran.code == 2
    assert f"Standard input cannot be copied to the temporary folder {room} (file too large)" in ran.err
    assert "set TMPDIR to a folder" in ran.err
    assert not list(room.iterdir())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    ran = affuse(capsys, monkeypatch, "predict", model, "-")
    assert ran.code == 2
    assert (
        f"Standard input cannot be copied to the temporary folder {tmp_path / 'gone'} (no such file"
        in ran.err
    )


def test_a_subfolder_may_have_been_written_on_its_own(tmp_path: Path) -> None:
    (tmp_path / "day").mkdir()
    write(tmp_path / "day", "one")
    write(tmp_path, "two", name="day/a.txt")
    assert (tmp_path / "day" / "a.txt").read_text() == "two"


def test_files_and_hashes_are_the_same_on_every_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Windows ends lines with two characters, unless it is told not to."""
    corpus = Corpus.from_frame(pd.DataFrame({"text": ["a b", "c d"], "emotion": ["x", "y"]}))
    before = corpus.hash
    monkeypatch.setattr(os, "linesep", "\r\n")  # which pandas takes
    assert corpus.hash == before
    write_csv(tmp_path / "t.csv", corpus.table[["id", "emotion"]])
    write_text(tmp_path / "t.txt", "a\nb\n")
    assert (tmp_path / "t.csv").read_bytes() == b"id,emotion\nutterance1,x\nutterance2,y\n"
    assert (tmp_path / "t.txt").read_bytes() == b"a\nb\n"
