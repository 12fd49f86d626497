from pathlib import Path

import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.emodb import prepare
from affuse.errors import AffuseError
from corpus_files import real, write_rows, write_tone


def test_names_say_all_at_any_depth_and_in_any_case(tmp_path: Path) -> None:
    release = tmp_path / "release"
    write_tone(release / "wav" / "03a01Fa.wav")
    write_tone(release / "wav" / "deeper" / "16B10WB.WAV")
    write_tone(release / "08a07Ta.flac")
    corpus = prepare(release, tmp_path / "out")
    table = corpus.table.set_index("id")
    assert list(table.index) == ["03a01Fa", "08a07Ta", "16b10Wb"]
    assert table["emotion"].tolist() == ["happiness", "sadness", "anger"]
    assert table["speaker"].tolist() == ["03", "08", "16"]
    assert table["gender"].tolist() == ["male", "female", "female"]
    assert table["text"]["16b10Wb"] == "Die wird auf dem Platz sein, wo wir sie immer hinlegen."
    assert corpus.info.label_spaces["emotion"] == ["anger", "happiness", "sadness"]
    assert corpus.info.language == "de"
    loaded = Corpus.load(tmp_path / "out")
    assert loaded.hash == corpus.hash
    assert all(utterance.audio and utterance.audio.is_file() for utterance in loaded.utterances())


def test_leftovers_duplicates_and_odd_names_are_told_not_fatal(tmp_path: Path) -> None:
    release = tmp_path / "release"
    first = write_tone(release / "wav" / "03a01Fa.wav")
    write_tone(release / "copy" / "wav" / "03a01Fa.wav")
    write_tone(release / "wav" / "erkennung.wav")
    write_tone(release / "wav" / "03a01Xa.wav")  # no such emotion letter
    (release / "wav" / "._03a02Fa.wav").write_bytes(b"\0\5\x16\7")
    (release / "__MACOSX").mkdir()
    (release / "__MACOSX" / "03a04Fa.wav").write_bytes(b"\0\5\x16\7")
    corpus = prepare(release, tmp_path / "out")
    (utterance,) = corpus.utterances()
    assert utterance.audio == first
    notes = "\n".join(corpus.info.notes)
    assert "2 files left out, their names are not EmoDB's: wav/03a01Xa.wav, wav/erkennung.wav" in notes
    assert "1 file left out, another file has the same name: copy/wav/03a01Fa.wav" in notes
    assert "anger 0 of 127" in notes


def test_listing(tmp_path: Path) -> None:
    rows = [
        {"file": f"audio/{n}.wav", "emotion": e, "speaker": "03", "gender": "M", "text": "Heute."}
        for n, e in (("03a04Wa", "anger"), ("03a04Na", "neutral"), ("03a04Wa", "anger"))
    ]
    write_rows(tmp_path / "utterances.csv", rows)
    corpus = prepare(tmp_path, tmp_path / "out")
    assert corpus.table["id"].tolist() == ["03a04Wa", "03a04Na"]
    assert corpus.table["gender"].tolist() == ["male", "male"]
    assert corpus.table["sentence"].tolist() == ["a04", "a04"]
    assert any("listed twice" in note for note in corpus.info.notes)


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="does not exist"):
        prepare(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(AffuseError, match="is a file"):
        prepare(write_tone(tmp_path / "03a01Fa.wav"), tmp_path / "out")
    write_tone(tmp_path / "other" / "speech.wav")
    with pytest.raises(AffuseError, match=r"other holds no EmoDB recording: .*03a01Fa\.wav.*\(1 audio files"):
        prepare(tmp_path / "other", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_listing_without_its_columns(tmp_path: Path) -> None:
    write_rows(tmp_path / "utterances.csv", [{"file": "a.wav", "label": "x"}])
    with pytest.raises(AffuseError, match=r"utterances\.csv has no column 'emotion', 'speaker'"):
        prepare(tmp_path, tmp_path / "out")


def test_only_some_emotions(tmp_path: Path) -> None:
    for name in ("03a01Wa", "03a01Na", "03a01La"):
        write_tone(tmp_path / f"{name}.wav")
    corpus = prepare(tmp_path, tmp_path / "out", emotions=["neutral", "anger"])
    assert corpus.info.label_spaces["emotion"] == ["anger", "neutral"]
    assert len(corpus) == 2
    with pytest.raises(AffuseError, match="did you mean 'anger'"):
        prepare(tmp_path, tmp_path / "out", emotions=["angre"])
    with pytest.raises(AffuseError, match="no EmoDB utterance of fear"):
        prepare(tmp_path, tmp_path / "out", emotions=["fear"])


def test_real_release(tmp_path: Path) -> None:
    corpus = prepare(real("emodb"), tmp_path / "out")
    table = corpus.table
    assert len(table) == 362
    assert table["speaker"].nunique() == 10
    assert table["emotion"].value_counts().to_dict() == {
        "anger": 127, "neutral": 79, "happiness": 71, "sadness": 62, "boredom": 9, "disgust": 9, "fear": 5,
    }  # fmt: skip
    assert all(utterance.audio and utterance.audio.is_file() for utterance in corpus.utterances())


def test_names_and_listing_of_the_real_release_agree(tmp_path: Path) -> None:
    source = real("emodb")
    listed = prepare(source, tmp_path / "listed").table.sort_values("id").reset_index(drop=True)
    named = prepare(source / "audio", tmp_path / "named").table.sort_values("id").reset_index(drop=True)
    for column in ("id", "text", "speaker", "gender", "emotion", "sentence"):
        assert listed[column].tolist() == named[column].tolist(), column
