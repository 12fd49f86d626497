import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers import emodb, ravdess
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.validation import Finding, validate
from audio_files import sine, write_sound, write_track
from corpus_files import RATE, real, write_tone


def make(folder: Path, rows: list[dict], **info: object) -> Corpus:
    """Rows over the blanks and two classes; without an ``audio`` key a row has words."""
    filled = [
        {"id": f"u{i}", "emotion": "ab"[i % 2], **({} if "audio" in row else {"text": "words"}), **row}
        for i, row in enumerate(rows)
    ]
    values = {"name": "small", "media_root": str(folder), "label_spaces": {"emotion": ["a", "b"]}, **info}
    return Corpus(pd.DataFrame(filled), CorpusInfo.model_validate(values)).save(folder / "corpus")


def told(findings: list[Finding]) -> list[tuple[int | None, str, str]]:
    return [(finding.row, finding.field, finding.severity) for finding in findings]


def test_a_sound_corpus_has_no_findings(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", 0.5, channels=2)
    film = write_track(tmp_path / "b.mp4", sine(0.5, 16000), 16000, "aac", video=True)
    np.save(tmp_path / "f.npy", np.ones((2, 3)))
    rows = [
        {"audio": "a.wav", "start": 0.0, "end": 0.25, "channel": 1, "features_f": str(tmp_path / "f.npy#0")},
        {"audio": "a.wav", "start": 0.25, "end": 0.5, "features_f": str(tmp_path / "f.npy#1")},
        {"audio": film.name, "video": film.name, "side": "left", "speaker": "s", "gender": "female"},
        {"text": "only words", "speaker": "s", "gender": "female"},
    ]
    seen: list[tuple[int, int]] = []
    assert validate(make(tmp_path, rows), lambda done, total: seen.append((done, total))) == []
    assert seen == [(1, 3), (2, 3), (3, 3)]  # a.wav's sound, b.mp4's sound, b.mp4's picture


BAD_ROWS = {
    "missing audio": ({"audio": "none.wav"}, "audio", "does not exist"),
    "missing video": ({"video": "none.mp4"}, "video", "none.mp4 does not exist"),
    "not media": ({"audio": "text.wav"}, "audio", "text.wav"),
    "not video": ({"video": "text.mp4"}, "video", "text.mp4 cannot be read"),
    "no video track": ({"video": "a.wav"}, "video", "has no video track"),
    "empty file": ({"audio": "zero.wav"}, "audio", "empty"),
    "silent": ({"audio": "silent.wav"}, "audio", "silent"),
    "NaN": ({"audio": "nan.wav"}, "audio", "NaN"),
    "no samples": ({"audio": "nothing.wav"}, "audio", "no audio samples"),
    "nothing at all": ({"text": ""}, "text", "no other modality"),
    "unknown label": ({"emotion": "bb"}, "emotion", "There is no 'bb' among the labels of 'emotion'"),
    "blank id": ({"id": ""}, "id", "blank"),
    "odd id": ({"id": "u\r1"}, "id", "line break"),
    "duplicate id": ({"id": "u0"}, "id", "also the id of row 1"),
    "end before start": (
        {"audio": "a.wav", "start": 0.3, "end": 0.2},
        "end",
        "0.2 s is not after the start, 0.3 s",
    ),
    "start before 0": ({"audio": "a.wav", "start": -1}, "start", "-1 s is before the beginning"),
    "start beyond": ({"audio": "a.wav", "start": 2}, "start", "2 s is not within"),
    "end beyond": ({"audio": "a.wav", "end": 2}, "end", "2 s is beyond .* 0.50 s long"),
    "video end beyond": ({"video": "b.mp4", "video_end": 9}, "video_end", "9 s is beyond"),
    "channel": ({"audio": "a.wav", "channel": 1}, "channel", "has only channel 0, not channel 1"),
    "track": ({"audio": "a.wav", "track": 1}, "track", "has only audio track 0, not track 1"),
    "half a track": ({"audio": "a.wav", "track": 0.5}, "track", "0.5 is not a whole number"),
    "half a channel": ({"audio": "a.wav", "channel": 0.5}, "channel", "0.5 is not a whole number"),
    "side": ({"video": "b.mp4", "side": "top"}, "side", "'top' is neither left nor right nor blank"),
    "gender": ({"gender": "x"}, "gender", "'x' is neither female nor male nor blank"),
    "no array": ({"features_f": "none.npy"}, "features_f", "none.npy does not exist"),
    "broken array": ({"features_f": "broken.npy"}, "features_f", "cannot be read as arrays"),
    "short array": ({"features_f": "f.npy#2"}, "features_f", r"has no row 2; its shape is \(2, 3\)"),
    "no key": ({"features_f": "f.npz#x"}, "features_f", "has no array 'x'"),
    "which key": ({"features_f": "f.npz"}, "features_f", "names no array; write f.npz#KEY"),
    "row of key": ({"features_f": "f.npz#k#7"}, "features_f", "has no row 7"),
    "odd row": ({"features_f": "f.npy#one"}, "features_f", "not like array.npy#ROW"),
    "empty array": ({"features_f": "empty.npy"}, "features_f", "not empty"),
    "NaN array": ({"features_f": "nan.npy#0"}, "features_f", "NaN"),
    "words array": ({"features_f": "words.npy"}, "features_f", "not numbers"),
    "other width": (
        {"features_f": "wide.npy"},
        "features_f",
        "4 wide and .*; all of one feature must be equal",
    ),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_tone(tmp_path / "a.wav", 0.5)
    write_track(tmp_path / "b.mp4", sine(0.5, 16000), 16000, "aac", video=True)
    for name in ("text.wav", "text.mp4"):
        (tmp_path / name).write_text("this is no media file at all")
    (tmp_path / "zero.wav").write_bytes(b"")
    write_sound(tmp_path / "silent.wav", np.zeros(800, np.float32), RATE)
    write_sound(tmp_path / "nan.wav", np.full(800, np.nan, np.float32), RATE, subtype="FLOAT")
    write_sound(tmp_path / "nothing.wav", np.zeros(0, np.float32), RATE)
    arrays = tmp_path / "corpus"
    arrays.mkdir()
    np.save(arrays / "f.npy", np.ones((2, 3)))
    np.savez(arrays / "f.npz", k=np.ones((2, 3)))
    (arrays / "broken.npy").write_bytes(b"\x93NUMPY")
    np.save(arrays / "empty.npy", np.ones((0, 3)))
    np.save(arrays / "nan.npy", np.full((1, 3), np.nan))
    np.save(arrays / "words.npy", np.array(["a", "b"]))
    np.save(arrays / "wide.npy", np.ones((2, 4)))
    return tmp_path


@pytest.mark.parametrize(("row", "field", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_every_broken_row_is_named_once(folder: Path, row: dict, field: str, message: str) -> None:
    corpus = make(folder, [{"features_f": "f.npy#0"}, {"features_f": "f.npz#k#1"}, row, {}])
    (finding,) = validate(corpus)
    assert (finding.row, finding.field, finding.severity) == (3, field, "error")
    assert finding.id == row.get("id", "u2")
    assert re.search(message, finding.message)
    assert "row 3" in str(finding)


def test_headers_only_is_quicker_and_sees_less(folder: Path) -> None:
    corpus = make(folder, [{"audio": "silent.wav"}, {"audio": "nan.wav"}, {"audio": "none.wav"}])
    assert told(validate(corpus, decode=False)) == [(3, "audio", "error")]
    assert told(validate(corpus)) == [(1, "audio", "error"), (2, "audio", "error"), (3, "audio", "error")]


def test_a_truncated_film_is_found_by_decoding(folder: Path) -> None:
    whole = write_track(folder / "long.mkv", sine(3, 16000), 16000, "aac", video=True)
    corpus = make(
        folder, [{"video": "long.mkv", "start": 0, "end": 1}, {"video": "long.mkv", "start": 2.5}, {}]
    )
    assert validate(corpus) == []
    whole.write_bytes(whole.read_bytes()[:900])
    assert {finding.row for finding in validate(corpus)} == {1, 2}


def test_speaker_with_two_genders(folder: Path) -> None:
    rows = [{"speaker": "s", "gender": gender} for gender in ("female", "male", "female", None)]
    rows += [{"speaker": "t", "gender": "male"}, {"gender": "male"}, {"gender": "female"}]
    (finding,) = validate(make(folder, rows))
    assert (finding.row, finding.field) == (2, "gender")
    assert finding.message == "speaker 's' is female in 2 rows and male in 1 row"
    even = [{"speaker": "s", "gender": gender} for gender in ("female", "male")]
    assert told(validate(make(folder, even))) == [(1, "gender", "error"), (2, "gender", "error")]


def test_whole_corpus_findings(folder: Path) -> None:
    one = make(folder, [{"emotion": "a"}, {"emotion": "a"}])
    (finding,) = validate(one)
    assert told([finding]) == [(None, "emotion", "error")]
    assert "every labelled utterance is 'a'" in str(finding)
    spaces = {"emotion": ["a", "b", "c"], "gender": ["female", "male"], "mood": ["x"]}
    other = make(folder, [{"gender": "male"}, {"gender": "male"}], label_spaces=spaces)
    assert told(validate(other)) == [
        (None, "mood", "error"), (None, "emotion", "warning"), (None, "gender", "warning"),
    ]  # fmt: skip


def test_warnings(folder: Path) -> None:
    rows = [{"audio": "a.wav"}, {"audio": "a.wav"}, {"text": "?!"}, {"side": "left"}]
    findings = validate(make(folder, rows))
    assert told(findings) == [(2, "audio", "warning"), (3, "text", "warning"), (4, "side", "warning")]
    assert findings[0].message == "it is the same clip as row 1's"


def test_counts(folder: Path) -> None:
    rows = [
        {"emotion": "a", "gender": "female", "speaker": "s", "session": "1"},
        {"emotion": "a", "gender": "male", "speaker": "t", "session": "2"},
        {"emotion": "b", "gender": None, "speaker": "t", "session": "2"},
        {"emotion": None, "gender": "male", "speaker": "t", "session": "1"},
    ]
    table = make(folder, rows, label_spaces={"emotion": ["b", "a", "c"]}).counts()
    expected = pd.DataFrame(
        [
            ("emotion", "b", 1, 1, 0, 1, 0, 0, 1),
            ("emotion", "a", 2, 2, 1, 0, 1, 1, 1),
            ("emotion", "c", 0, 0, 0, 0, 0, 0, 0),
            ("emotion", "", 1, 1, 0, 0, 1, 1, 0),
        ],
        columns=["task", "label", "utterances", "speakers", "female", "gender unknown", "male",
                 "session 1", "session 2"],
    )  # fmt: skip
    pd.testing.assert_frame_equal(table, expected)


def test_real_corpora(tmp_path: Path) -> None:
    corpus = emodb.prepare(real("emodb"), tmp_path / "emodb")
    assert validate(corpus) == []
    counts = corpus.counts().set_index(["task", "label"])
    assert counts.loc[("emotion", "anger"), "utterances"] == 127
    assert counts.loc[("gender", "female"), "speakers"] == 5
    assert validate(ravdess.prepare(real("ravdess"), tmp_path / "ravdess"), decode=False) == []
