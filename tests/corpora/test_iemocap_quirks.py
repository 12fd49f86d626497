"""Every quirk that copies of the release are known for, one test each."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.iemocap import parse_turn, prepare, side_of
from affuse.corpora.readers.iemocap.evaluation import read_evaluation
from affuse.corpora.readers.iemocap.release import find_sessions
from affuse.corpora.readers.iemocap.transcripts import read_transcript
from affuse.errors import AffuseError
from corpora.iemocap_disk import HEADER, block, votes, write_dialog, write_small


@pytest.fixture
def release(tmp_path: Path):
    return write_small(tmp_path / "IEMOCAP_full_release")


def ids(corpus: Corpus) -> list[str]:
    return list(corpus.table["id"])


def notes(corpus: Corpus) -> str:
    return "\n".join(corpus.info.notes)


SMALL = ["Ses01F_impro01_F000", "Ses01F_impro01_M000"]


@pytest.mark.parametrize(
    ("dialog", "letter", "side"),
    [
        ("Ses01F_impro01", "F", "left"),
        ("Ses01F_impro01", "M", "right"),
        ("Ses01M_impro01", "M", "left"),
        ("Ses01M_impro01", "F", "right"),
    ],
)
def test_the_marker_actor_sits_left(tmp_path: Path, dialog: str, letter: str, side: str) -> None:
    assert side_of(dialog, letter) == side
    turn = f"{dialog}_{letter}000"
    write_dialog(tmp_path / "r", dialog, HEADER + block(turn, "neu", 0.5), turns=(turn,))
    row = prepare(tmp_path / "r", tmp_path / "c").table.iloc[0]
    assert (row["side"], row["marker"], row["speaker"]) == (side, dialog[5], f"Ses01_{letter}")
    assert row["gender"] == {"F": "female", "M": "male"}[letter]


@pytest.mark.parametrize(
    ("name", "dialog", "scenario", "speaker"),
    [
        ("Ses01F_impro01_F000", "Ses01F_impro01", "improvised", "Ses01_F"),
        ("Ses03M_impro05a_F012", "Ses03M_impro05a", "improvised", "Ses03_F"),
        ("Ses05M_script01_1_M001", "Ses05M_script01_1", "scripted", "Ses05_M"),
        ("Ses05M_script01_1b_M001", "Ses05M_script01_1b", "scripted", "Ses05_M"),
        ("Ses02F_script03_2_M045", "Ses02F_script03_2", "scripted", "Ses02_M"),
    ],
)
def test_names_are_taken_apart_by_fields_not_by_columns(
    name: str, dialog: str, scenario: str, speaker: str
) -> None:
    turn = parse_turn(name)
    assert turn is not None
    assert (turn.dialog, turn.scenario, turn.speaker) == (dialog, scenario, speaker)


@pytest.mark.parametrize(
    "name", ["M", "Ses01F_impro01_MXX0", "Ses01F_impro01", "Ses01F_impro01_FXX1", "_F000", ""]
)
def test_what_is_no_turn_is_not_taken_for_one(name: str) -> None:
    assert parse_turn(name) is None


def test_apple_double_and_system_files_are_passed_over(release: Path, tmp_path: Path) -> None:
    session = release / "Session1"
    for path in [
        session / "dialog/EmoEvaluation/._Ses01F_impro01.txt",
        session / "dialog/transcriptions/._Ses01F_impro01.txt",
        session / "sentences/wav/Ses01F_impro01/._Ses01F_impro01_F000.wav",
        session / "dialog/EmoEvaluation/.DS_Store",
        session / "dialog/EmoEvaluation/Thumbs.db",
        release / "._Session1",
    ]:
        path.write_bytes(b"\x00\x05\x16\x07 not text")
    corpus = prepare(release, tmp_path / "c")
    assert ids(corpus) == SMALL
    assert corpus.table["audio"].str.contains(r"\._").sum() == 0


def test_extra_folders_are_passed_over(release: Path, tmp_path: Path) -> None:
    evaluation = release / "Session1/dialog/EmoEvaluation"
    for name in ("Attribute", "Categorical", "Self-evaluation", "temp"):
        (evaluation / name).mkdir()
        shutil.copy(evaluation / "Ses01F_impro01.txt", evaluation / name / "Ses01F_impro02.txt")
    (evaluation / "Ses01F_impro03.txt").mkdir()  # a folder called like a file
    (release / "Session1/sentences/wav/temp").mkdir()
    (release / "SessionNotes").mkdir()
    with pytest.raises(AffuseError, match=r"Ses01F_impro03\.txt cannot be read"):
        prepare(release, tmp_path / "c")
    (evaluation / "Ses01F_impro03.txt").rmdir()
    assert ids(prepare(release, tmp_path / "c")) == SMALL


def test_latin_1_and_utf_8_are_both_read(tmp_path: Path) -> None:
    line = "Ses01F_impro01_F000 [000.5000-001.0000]: At the café.\n"
    for encoding in ("latin-1", "utf-8", "utf-8-sig"):
        path = tmp_path / f"{encoding}.txt"
        path.write_bytes(line.encode(encoding))
        assert read_transcript(path) == {"Ses01F_impro01_F000": "At the café."}
    path.write_bytes(
        (HEADER + block("Ses01F_impro01_F000", "neu", 0.5, "C-E2:\tNeutral;\t(na\x85ïve)")).encode("latin-1")
    )
    (turn,), findings = read_evaluation(path, "Ses01F_impro01")
    assert turn.votes[0].comment == "na\x85ïve"  # in latin-1 this is no line break
    assert not findings


def test_odd_transcript_lines_are_passed_over_and_colons_kept(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text(
        "Ses01F_impro01_M000 [002.0000-003.0000]: Later: at ten: maybe. [LAUGHTER]\n"
        "M: sorry\n"
        "F: Ses01F_impro01_F009\n"
        "Ses01F_impro01_MXX0 [003.0000-003.5000]: [BREATHING]\n"
        "\n"
        "Ses01F_impro01_F000 [000.5000-001.0000]:No space\r\n"
        "Ses01F_impro01_F001 [003.5000-004.0000]: \n",
        newline="",
    )
    assert read_transcript(path) == {
        "Ses01F_impro01_M000": "Later: at ten: maybe. [LAUGHTER]",
        "Ses01F_impro01_F000": "No space",
        "Ses01F_impro01_F001": "",
    }


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\n\n\n", "\r\n"])
def test_the_last_block_counts_with_and_without_a_blank_line(tmp_path: Path, end: str) -> None:
    path = tmp_path / "e.txt"
    text = (
        HEADER
        + block("Ses01F_impro01_F000", "neu", 0.5)
        + "\n"
        + block("Ses01F_impro01_M000", "ang", 1.5, *votes("Anger"))
    )
    path.write_text(text.rstrip("\n") + end, newline="")
    turns, findings = read_evaluation(path, "Ses01F_impro01")
    assert [turn.id for turn in turns] == SMALL
    assert len(turns[1].votes) == 1
    assert not findings


def test_one_and_one_b_are_kept_apart(tmp_path: Path) -> None:
    root = tmp_path / "r"
    for dialog, words, seconds in (
        ("Ses05M_script01_1", "first", 0.5),
        ("Ses05M_script01_1b", "second", 0.7),
    ):
        turn = f"{dialog}_F000"
        write_dialog(
            root,
            dialog,
            HEADER + block(turn, "neu", 0.5, seconds=seconds),
            f"{turn} [000.5000-001.0000]: {words}\n",
            (turn,),
            seconds,
        )
    table = prepare(root, tmp_path / "c").table.set_index("id")
    for dialog, words in (("Ses05M_script01_1", "first"), ("Ses05M_script01_1b", "second")):
        row = table.loc[f"{dialog}_F000"]
        assert (row["dialog"], row["text"]) == (dialog, words)
        assert row["audio"] == f"Session5/sentences/wav/{dialog}/{dialog}_F000.wav"
        assert row["scenario"] == "scripted"


def test_a_turn_of_another_dialog_is_a_broken_line(tmp_path: Path) -> None:
    path = tmp_path / "e.txt"
    path.write_text(HEADER + block("Ses05M_script01_1b_F000", "neu", 0.5))
    turns, findings = read_evaluation(path, "Ses05M_script01_1")
    assert not turns
    assert "line 3" in findings[0]


def test_a_root_path_that_contains_session(tmp_path: Path) -> None:
    root = write_small(tmp_path / "Session1 of my Sessions" / "Session2")
    corpus = prepare(root, tmp_path / "c")
    assert ids(corpus) == SMALL
    assert set(corpus.table["session"]) == {"Ses01"}
    assert all(u.audio is not None and u.audio.is_file() for u in corpus.utterances())


def test_one_folder_too_high_or_too_low_says_which_is_meant(release: Path) -> None:
    with pytest.raises(AffuseError, match=f"one folder too high; give {release}") as error:
        find_sessions(release.parent)
    assert str(release) in str(error.value)
    for below in ("Session1", "Session1/dialog", "Session1/dialog/EmoEvaluation"):
        with pytest.raises(AffuseError, match=f"inside the release; give its root, {release}"):
            find_sessions(release / below)


def test_what_is_no_release_at_all(tmp_path: Path, release: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(AffuseError, match="is not the IEMOCAP release"):
        find_sessions(tmp_path / "empty" / ".." / "empty")
    with pytest.raises(AffuseError, match="is not a folder"):
        find_sessions(tmp_path / "nowhere")
    (tmp_path / "half" / "Session1" / "sentences").mkdir(parents=True)
    with pytest.raises(AffuseError, match="dialog/EmoEvaluation"):
        find_sessions(tmp_path / "half")
    (release / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt").unlink()
    with pytest.raises(AffuseError, match="no labelled turn"):
        prepare(release, tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_a_broken_line_is_told_with_file_and_number_and_the_rest_is_read(tmp_path: Path) -> None:
    path = tmp_path / "Ses01F_impro01.txt"
    path.write_text(
        HEADER  # lines 1 and 2
        + block("Ses01F_impro01_F000", "neu", 0.5, *votes("Neutral"))  # 3, 4
        + "\n[1.0 - oops]\tSes01F_impro01_F001\tneu\t[2.5, 2.5, 2.5]\n"  # 6
        + "C-E2:\tAnger;\t()\n\n"  # 7: belongs to the broken turn and is nobody's
        + block(
            "Ses01F_impro01_M000",
            "ang",
            1.5,
            "C-E2:\tAnger;\t()",
            "gibberish",
            "A-E3:\tval 2; act 4; dom  4;\t()",
        )
    )
    turns, findings = read_evaluation(path, "Ses01F_impro01")
    assert [turn.id for turn in turns] == SMALL
    assert [vote.labels for vote in turns[0].votes] == [("neu",)]
    assert [vote.labels for vote in turns[1].votes] == [("ang",)]
    assert len(turns[1].ratings) == 1
    assert len(findings) == 2
    assert f"{path}, line 6:" in findings[0]
    assert f"{path}, line 11:" in findings[1]


def test_findings_reach_the_corpus_and_do_not_stop_it(release: Path, tmp_path: Path) -> None:
    path = release / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_text(path.read_text() + "\n[broken\n")
    corpus = prepare(release, tmp_path / "c")
    assert ids(corpus) == SMALL
    assert f"{path}, line " in notes(corpus)


def test_a_turn_that_is_there_twice_counts_once(release: Path, tmp_path: Path) -> None:
    path = release / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
    path.write_text(path.read_text() + "\n" + block(SMALL[0], "sad", 0.5))
    corpus = prepare(release, tmp_path / "c")
    assert ids(corpus) == SMALL
    assert corpus.table["emotion_raw"].iloc[0] == "neu"
    assert "is there twice" in notes(corpus)


def test_votes_as_annotators_wrote_them(tmp_path: Path) -> None:
    path = tmp_path / "e.txt"
    path.write_text(
        HEADER
        + block(
            "Ses01F_impro01_F000",
            "fru",
            0.5,
            "C-E2:\tFrustration; Anger;\t()",
            "C-E4:\tNeutral state;\t(tired; (very) so)",
            "C-F1:\tOther;\t(curious)",
            "A-E3:\tval 3; act 2; dom  2;\t()",
            "A-F1:\tval 4; act 3; dom  ;\t(unsure)",
        )
    )
    (turn,), findings = read_evaluation(path, "Ses01F_impro01")
    assert not findings
    assert [(v.annotator, v.labels, v.is_self) for v in turn.votes] == [
        ("E2", ("fru", "ang"), False),
        ("E4", ("neu",), False),
        ("F1", ("oth",), True),
    ]
    assert turn.votes[2].comment == "curious"
    rating = turn.ratings[0]
    assert (rating.valence, rating.activation, rating.dominance, rating.is_self) == (3, 2, 2, False)
    assert (turn.ratings[1].dominance, turn.ratings[1].is_self) == (None, True)
    assert (turn.valence, turn.activation, turn.dominance) == (2.5, 3.0, 3.5)


@contextmanager
def nobody():
    """Run as a user who may not read everything, as root can."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX permissions")
def test_unreadable_files_are_named() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        root = write_small(Path(folder) / "r")
        out = Path(folder) / "out"
        out.mkdir()
        out.chmod(0o777)
        wav = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
        wav.chmod(0)
        with nobody():
            corpus = prepare(root, out / "c")
        assert "Permission denied" in corpus.table["audio_note"].iloc[0]
        assert corpus.table["audio"].isna().tolist() == [True, False]

        text = root / "Session1/dialog/EmoEvaluation/Ses01F_impro01.txt"
        text.chmod(0)
        with nobody(), pytest.raises(AffuseError, match=r"Ses01F_impro01\.txt cannot be read .*ermission"):
            prepare(root, out / "c")
        text.chmod(0o644)
        locked = root / "Session1/sentences/wav/Ses01F_impro01"
        locked.chmod(0)
        try:
            with nobody(), pytest.raises(AffuseError, match=r"cannot be listed .*ermission"):
                prepare(root, out / "c")
        finally:
            locked.chmod(0o755)
