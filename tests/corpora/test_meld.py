from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.readers.meld import prepare, repair
from affuse.errors import AffuseError
from corpus_files import real

HEADER = (
    "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"
)


def line(utterance: str, speaker: str = "Ross", dialogue: int | str = 0, number: int = 0) -> str:
    return f'1,"{utterance}",{speaker},joy,positive,{dialogue},{number},4,7,"00:20:57,256","0:21:00,049"\n'


def write_release(folder: Path, **lines: list[str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for word, content in lines.items():
        (folder / f"{word}_sent_emo.csv").write_text(HEADER + "".join(content), encoding="utf-8")
    return folder


def test_rows(tmp_path: Path) -> None:
    source = write_release(
        tmp_path / "release" / "data",
        train=[line("I\x92m fine", " Ross ", 3, 1), line("Hi", "ROSS", 3, 2), line("Yes", "Mr. geller", 4)],
        dev=[line("None", "Mr. Geller"), line("Itâ€™s me", "Mr. Geller", 1)],
        test=[line("What   now?", "Rachel")],
    )
    corpus = prepare(source.parent, tmp_path / "out")
    table = corpus.table
    assert table["id"].tolist() == [
        "train_dia3_utt1", "train_dia3_utt2", "train_dia4_utt0", "dev_dia0_utt0", "dev_dia1_utt0",
        "test_dia0_utt0",
    ]  # fmt: skip
    assert table["text"].tolist() == ["I'm fine", "Hi", "Yes", "None", "It's me", "What now?"]
    assert table["speaker"].tolist() == ["Ross", "Ross", "Mr. Geller", "Mr. Geller", "Mr. Geller", "Rachel"]
    assert table["gender"].astype(object).where(table["gender"].notna(), None).tolist() == [
        "male", "male", None, None, None, "female",
    ]  # fmt: skip
    assert table["split"].tolist() == ["train"] * 3 + ["validation"] * 2 + ["test"]
    assert table["dialog"].tolist()[2:4] == ["train_dia4", "dev_dia0"]
    assert table["session"].eq("4").all()
    assert table["sentiment"].eq("positive").all()
    assert table["episode_start"][0] == pytest.approx(20 * 60 + 57.256)
    assert table["episode_end"][0] == pytest.approx(21 * 60 + 0.049)
    assert table["start"].isna().all()
    assert corpus.info.label_spaces == {
        "emotion": ["happiness"], "gender": ["female", "male"], "sentiment": ["positive"],
    }  # fmt: skip


def test_clips_are_matched_by_folder_and_name(tmp_path: Path) -> None:
    source = write_release(tmp_path / "MELD.Raw", train=[line("a"), line("b", number=1)], test=[line("c")])
    for clip in (
        "train_splits/dia0_utt0.mp4",
        "train_splits/._dia0_utt1.mp4",
        "output_repeated_splits_test/dia0_utt0.MP4",
        "output_repeated_splits_test/final_videos_testdia0_utt0.mp4",
        "elsewhere/dia0_utt1.mp4",
    ):
        (source / clip).parent.mkdir(exist_ok=True)
        (source / clip).write_bytes(b"mp4")
    corpus = prepare(source, tmp_path / "out")
    found = {utterance.id: utterance.video for utterance in corpus.utterances()}
    assert found == {
        "train_dia0_utt0": source / "train_splits/dia0_utt0.mp4",
        "train_dia0_utt1": None,
        "test_dia0_utt0": source / "output_repeated_splits_test/dia0_utt0.MP4",
    }
    assert corpus.table["audio"].equals(corpus.table["video"])
    notes = "\n".join(corpus.info.notes)
    assert "2 of 3 utterances have a clip" in notes
    assert "final_videos_testdia0_utt0.mp4" in notes
    assert "train, dev or test in its name: elsewhere/dia0_utt1.mp4" in notes
    assert "dev_sent_emo.csv was not found" in notes


def test_a_spreadsheet_copy_in_cp1252(tmp_path: Path) -> None:
    (tmp_path / "train_sent_emo.csv").write_bytes((HEADER + line("I\u2019m at the café")).encode("cp1252"))
    assert prepare(tmp_path, tmp_path / "out").table["text"].tolist() == ["I'm at the café"]


def test_repair() -> None:
    assert repair("doesn\u2019t \u0093so\u0094\u00a0 much\u2026") == 'doesn\'t "so" much\u2026'


def test_bad_releases(tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match=r"looked at any depth for train_sent_emo\.csv, dev_sent_emo\.csv"):
        prepare(tmp_path, tmp_path / "out")
    with pytest.raises(
        AffuseError, match=r"train_sent_emo\.csv, row 3, Dialogue_ID: 'x' is not a whole number"
    ):
        prepare(write_release(tmp_path / "a", train=[line("a"), line("b", dialogue="x")]), tmp_path / "out")
    with pytest.raises(AffuseError, match=r"row 3, Utterance_ID: train_dia0_utt0 is there twice"):
        prepare(write_release(tmp_path / "b", train=[line("a"), line("b")]), tmp_path / "out")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "dev_sent_emo.csv").write_text("Utterance,Emotion\nhi,joy\n")
    with pytest.raises(AffuseError, match=r"dev_sent_emo\.csv has no column Speaker, Sentiment"):
        prepare(tmp_path / "c", tmp_path / "out")


def test_real_release(tmp_path: Path) -> None:
    source = real("meld")
    corpus = prepare(source, tmp_path / "out")
    table = corpus.table
    assert table["split"].value_counts().to_dict() == {"train": 9989, "test": 2610, "validation": 1109}
    assert table["id"].is_unique
    raw = pd.concat(
        pd.read_csv(source / f"{word}_sent_emo.csv", dtype=str, keep_default_na=False)
        for word in ("train", "dev", "test")
    )
    assert table["emotion_raw"].tolist() == raw["Emotion"].tolist()
    assert table["emotion"].tolist() == raw["Emotion"].replace("joy", "happiness").tolist()
    assert table["sentiment"].tolist() == raw["Sentiment"].tolist()
    assert table["speaker"][table["gender"].notna()].nunique() == 6
    assert table["text"].notna().all()
    assert not table["text"].str.contains("[\x80-\x9f\u2019]", regex=True).any()
    assert table[["episode_start", "episode_end"]].notna().all(axis=None)
