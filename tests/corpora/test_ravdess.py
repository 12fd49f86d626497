from pathlib import Path

import numpy as np
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.ravdess import prepare
from affuse.errors import AffuseError
from audio_files import sine, write_track
from corpus_files import real, write_rows, write_tone


def write_film(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_track(path, sine(0.2, 16000), 16000, "aac", video=True)


def test_names(tmp_path: Path) -> None:
    write_tone(tmp_path / "Actor_01" / "03-01-05-02-01-02-01.wav")
    write_tone(tmp_path / "Actor_24" / "03-01-01-01-02-01-24.WAV")
    corpus = prepare(tmp_path, tmp_path / "out")
    first, second = corpus.table.sort_values("speaker").to_dict("records")
    assert first["id"] == "01-05-02-01-02-01"
    assert (first["emotion"], first["gender"], first["speaker"]) == ("anger", "male", "01")
    assert (first["intensity"], first["repetition"], first["vocal"]) == ("strong", "02", "speech")
    assert first["text"] == "Kids are talking by the door"
    assert (second["emotion"], second["gender"], second["text"]) == (
        "neutral", "female", "Dogs are sitting by the door",
    )  # fmt: skip


def test_the_files_of_a_take_are_one_utterance(tmp_path: Path) -> None:
    take = "01-03-01-01-01-02"
    sound = write_tone(tmp_path / "Audio" / f"03-{take}.wav")
    film = write_film(tmp_path / "Video" / f"01-{take}.mp4")
    write_film(tmp_path / "Video" / f"02-{take}.mp4")
    write_tone(tmp_path / "Video" / f"01-{take}.wav")  # some copies keep the film's sound beside it
    film_only = write_film(tmp_path / "Video" / "01-01-04-01-01-01-02.MP4")
    picture_only = write_film(tmp_path / "Video" / "02-01-05-01-01-01-02.mp4")
    utterances = {utterance.id: utterance for utterance in prepare(tmp_path, tmp_path / "out").utterances()}
    assert (utterances[take].audio, utterances[take].video) == (sound, film)
    alone = utterances["01-04-01-01-01-02"]
    assert (alone.audio, alone.video) == (film_only, film_only)
    silent = utterances["01-05-01-01-01-02"]
    assert (silent.audio, silent.video) == (None, picture_only)


def test_song_is_asked_for(tmp_path: Path) -> None:
    write_tone(tmp_path / "03-01-03-01-01-01-02.wav")
    write_tone(tmp_path / "03-02-03-01-01-01-02.wav")
    assert prepare(tmp_path, tmp_path / "out").table["vocal"].tolist() == ["speech"]
    assert prepare(tmp_path, tmp_path / "out", vocal="song").table["id"].tolist() == ["02-03-01-01-01-02"]
    assert len(prepare(tmp_path, tmp_path / "out", vocal="both")) == 2
    with pytest.raises(AffuseError, match="'choir' is not one of speech, song, both"):
        prepare(tmp_path, tmp_path / "out", vocal="choir")  # pyright: ignore[reportArgumentType]
    (tmp_path / "03-01-03-01-01-01-02.wav").unlink()
    with pytest.raises(AffuseError, match="no RAVDESS utterance left with vocal: speech"):
        prepare(tmp_path, tmp_path / "out")


def test_odd_names_and_leftovers(tmp_path: Path) -> None:
    write_tone(tmp_path / "a" / "03-01-03-01-01-01-02.wav")
    write_tone(tmp_path / "a" / "b" / "03-01-03-01-01-01-02.wav")
    write_tone(tmp_path / "03-01-09-01-01-01-02.wav")  # there are eight emotions
    write_tone(tmp_path / "03-01-03-01-01-01-25.wav")  # and 24 actors
    (tmp_path / "._03-01-04-01-01-01-02.wav").write_bytes(b"\0")
    corpus = prepare(tmp_path, tmp_path / "out")
    assert corpus.table["audio"].tolist() == ["a/03-01-03-01-01-01-02.wav"]
    notes = "\n".join(corpus.info.notes)
    assert "2 files left out, their names are not RAVDESS's" in notes
    assert "1 file left out, another file has the same name: a/b/03-01-03-01-01-01-02.wav" in notes


def test_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"holds no RAVDESS recording: looked at any depth .*Actor_01"):
        prepare(tmp_path, tmp_path / "out")


def listing(folder: Path, takes: list[str]) -> None:
    write_rows(
        folder / "utterances.csv",
        [
            {"file": f"audio/03-{t}.wav", "emotion": "sad", "speaker": "02", "gender": "f", "text": "Kids"}
            for t in takes
        ],
    )


def test_action_units_follow_their_keys(tmp_path: Path) -> None:
    takes = ["01-04-01-01-01-02", "01-04-01-01-02-02", "01-04-02-01-01-02"]
    listing(tmp_path, takes)
    units = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(tmp_path / "face_action_units.npz", key=[f"01-{takes[2]}", f"01-{takes[0]}"], au=units)
    corpus = prepare(tmp_path, tmp_path / "out")
    loaded = Corpus.load(tmp_path / "out")
    found = []
    for utterance in loaded.utterances():
        reference = utterance.features.get("au")
        path, _, row = (reference or "").partition("#")
        found.append(np.load(path)[int(row)].tolist() if reference else None)
    assert found == [[3, 4, 5], None, [0, 1, 2]]
    notes = "\n".join(corpus.info.notes)
    assert "1 utterance without a row in face_action_units.npz: 01-04-01-01-02-02" in notes


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"key": ["a"]}, "must hold the arrays 'key' and 'au'"),
        ({"key": ["a"], "au": np.zeros((2, 3))}, "must be"),
        ({"key": np.array([{}], dtype=object), "au": np.zeros((1, 3))}, "must hold"),
    ],
)
def test_bad_action_units(tmp_path: Path, arrays: dict, message: str) -> None:
    listing(tmp_path, ["01-04-01-01-01-02"])
    np.savez(tmp_path / "face_action_units.npz", **arrays)
    with pytest.raises(AffuseError, match=message):
        prepare(tmp_path, tmp_path / "out")


def test_real_release(tmp_path: Path) -> None:
    source = real("ravdess")
    corpus = prepare(source, tmp_path / "out")
    table = corpus.table
    assert len(table) == 1440
    assert table.groupby("speaker").size().eq(60).all()
    assert table["speaker"].nunique() == 24
    assert table.drop_duplicates("speaker")["gender"].value_counts().to_dict() == {"male": 12, "female": 12}
    assert table["emotion"].value_counts().to_dict() == {
        **dict.fromkeys(["calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"], 192),
        "neutral": 96,
    }  # fmt: skip
    assert table["features_au"].notna().sum() == 1440
    with np.load(source / "face_action_units.npz") as arrays:
        of_key = dict(zip(arrays["key"].tolist(), arrays["au"], strict=True))
    written = np.load(tmp_path / "out" / "features" / "au.npy")
    for row, take in enumerate(table["id"]):
        np.testing.assert_array_equal(written[row], of_key[f"01-{take}"])


def test_names_and_listing_of_the_real_release_agree(tmp_path: Path) -> None:
    source = real("ravdess")
    listed = prepare(source, tmp_path / "listed").table.sort_values("id").reset_index(drop=True)
    named = prepare(source / "audio", tmp_path / "named").table.sort_values("id").reset_index(drop=True)
    for column in ("id", "text", "speaker", "gender", "emotion", "intensity", "repetition"):
        assert listed[column].tolist() == named[column].tolist(), column
