"""From a release to a corpus folder: columns, annotations, missing and damaged media, the generated corpus."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import soundfile

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.generated.rating_ceilings import rating_ceilings
from affuse.corpora.readers.iemocap import media, prepare
from affuse.errors import AffuseError
from affuse.progress import Quiet
from corpora.iemocap_disk import HEADER, block, votes, write_dialog, write_small


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory):
    """Two dialogs with everything; tests that damage it copy it first."""
    out = tmp_path_factory.mktemp("generated") / "release"
    return generate_release(out, sessions=1, dialogs=2, turns=24, jobs=1)


@pytest.fixture(scope="module")
def corpus(generated: Path, tmp_path_factory: pytest.TempPathFactory):
    return prepare(generated, tmp_path_factory.mktemp("corpus") / "c")


@pytest.fixture
def copy(generated: Path, tmp_path: Path):
    return Path(shutil.copytree(generated, tmp_path / "copy"))


def test_every_turn_of_the_generated_release_is_read(generated: Path, corpus: Corpus) -> None:
    shown = pd.read_csv(generated / "displays.csv").set_index("id")
    table = corpus.table.set_index("id")
    assert sorted(table.index) == sorted(shown.index)
    assert table["emotion_raw"].to_dict() == shown["label"].to_dict()
    assert table["text"].notna().all()
    assert table[["audio_note", "video_note"]].isna().all().all()
    classes = {"ang": "anger", "hap": "happiness", "exc": "happiness", "sad": "sadness", "neu": "neutral"}
    for name, row in table.iterrows():
        expected = classes.get(shown.loc[name, "label"])
        assert (row["emotion"] if expected else None) == expected
        assert pd.isna(row["emotion"]) == (expected is None)
        assert pd.isna(row["label_source"]) == (expected is None)


def test_sound_is_the_turns_own_and_picture_the_dialogs_with_times(corpus: Corpus) -> None:
    for utterance in corpus.utterances():
        assert utterance.audio is not None
        assert utterance.video is not None
        assert utterance.span("audio") == (None, None)
        start, end = utterance.span("video")
        assert start is not None
        assert end is not None
        assert soundfile.info(utterance.audio).duration == pytest.approx(end - start, abs=1e-3)
        assert media.check_video(utterance.video).seconds > end


def test_every_vote_and_rating_is_kept(generated: Path, corpus: Corpus) -> None:
    annotations = pd.read_parquet(corpus.folder / "annotations.parquet")
    assert list(annotations.columns) == [
        "id", "annotator", "task", "label", "value", "count", "self", "comment",
    ]  # fmt: skip
    assert set(annotations["id"]) == set(corpus.table["id"])
    assert annotations["self"].equals(annotations["annotator"].str[0].isin(["F", "M"]))
    # the release's own per-annotator files say the same, in another format
    folder = generated / "Session1/dialog/EmoEvaluation"
    for path in folder.glob("Categorical/*.txt"):
        annotator = path.stem.rsplit("_", 2)[1].upper()
        for line in path.read_text("latin-1").splitlines():
            name, rest = line.split(" ", 1)
            said = [part.strip(" :") for part in rest.split("(")[0].split(";") if part.strip(" :")]
            mine = annotations[annotations["id"].eq(name) & annotations["annotator"].eq(annotator)]
            assert [label[:3].lower() for label in said] == mine["label"].dropna().tolist()
    assert annotations["count"].eq(1).all()
    for task in ("valence", "arousal", "dominance"):
        ratings = annotations[(annotations["task"] == task) & ~annotations["self"]]
        means = ratings.groupby("id")["value"].mean()
        table = corpus.table.set_index("id").loc[means.index]
        assert table[task].to_numpy() == pytest.approx(means.to_numpy(), abs=1e-4)
    improvised = set(corpus.table.loc[corpus.table["scenario"] == "improvised", "id"])
    assert set(annotations.loc[annotations["self"], "id"]) == improvised


def test_the_corpus_is_called_generated_and_knows_its_ceilings(
    generated: Path, corpus: Corpus, tmp_path: Path
) -> None:
    stamp = json.loads((generated / "ceilings.json").read_text())
    assert corpus.info.name == "generated"
    assert corpus.info.generated
    assert corpus.info.ceilings == stamp["ceilings"]["4+exc"]
    assert corpus.info.rating_ceilings == stamp["rating_ceilings"] == rating_ceilings()
    assert any("is generated" in note for note in corpus.info.notes)
    six = prepare(generated, tmp_path / "six", classes="6")
    assert six.info.ceilings == stamp["ceilings"]["6"]
    assert six.info.label_spaces["emotion"] == [
        "anger", "happiness", "excitement", "sadness", "neutral", "frustration",
    ]  # fmt: skip
    tied = prepare(generated, tmp_path / "tied", ties="majority")
    assert tied.info.ceilings == {}
    assert tied.info.rating_ceilings == rating_ceilings()
    labelled = prepare(generated, tmp_path / "labelled", keep_unlabelled=False)
    assert labelled.info.rating_ceilings == {}  # they are of all turns
    assert any("no ceilings" in note for note in tied.info.notes)
    assert tied.table["emotion"].notna().sum() > corpus.table["emotion"].notna().sum()


def test_a_corpus_folder_reads_back(corpus: Corpus) -> None:
    again = Corpus.load(corpus.folder)
    assert again.hash == corpus.hash
    assert len(pd.read_csv(corpus.folder / "counts.csv")) > 10


def test_protocols_choose_rows(generated: Path, tmp_path: Path, corpus: Corpus) -> None:
    scripted = prepare(generated, tmp_path / "s", scenario="scripted", keep_unlabelled=False)
    assert set(scripted.table["scenario"]) == {"scripted"}
    assert scripted.table["emotion"].notna().all()
    expected = corpus.table[(corpus.table["scenario"] == "scripted") & corpus.table["emotion"].notna()]
    assert list(scripted.table["id"]) == list(expected["id"])
    annotations = pd.read_parquet(tmp_path / "s/annotations.parquet")
    assert set(annotations["id"]) == set(scripted.table["id"])


def test_an_unknown_option_is_bad_input(generated: Path, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="classes"):
        prepare(generated, tmp_path / "c", classes="5")  # pyright: ignore[reportArgumentType]


def test_a_protocol_that_leaves_nothing_says_so(tmp_path: Path) -> None:
    root = tmp_path / "r"
    write_dialog(root, "Ses01F_impro01", HEADER + block("Ses01F_impro01_F000", "xxx", 0.5))
    with pytest.raises(AffuseError, match="no turn is left"):
        prepare(root, tmp_path / "c", scenario="scripted")
    with pytest.raises(AffuseError, match="no turn is left"):
        prepare(root, tmp_path / "c", keep_unlabelled=False)


def test_without_avis_the_corpus_has_sound_and_words_and_says_what_is_missing(tmp_path: Path) -> None:
    corpus = prepare(write_small(tmp_path / "r"), tmp_path / "c")
    assert corpus.info.name == "iemocap"
    assert not corpus.info.generated
    assert corpus.table["video"].isna().all()
    assert set(corpus.table["video_note"]) == {"no avi"}
    assert corpus.table["audio"].notna().all()
    told = "\n".join(corpus.info.notes)
    assert "2 of 2 turns have no usable picture: no avi (2)" in told
    assert "This copy lacks Ses02, Ses03, Ses04, Ses05" in told


def test_missing_wavs_and_words_are_told(tmp_path: Path) -> None:
    root = write_small(tmp_path / "r")
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav").unlink()
    (root / "Session1/dialog/transcriptions/Ses01F_impro01.txt").unlink()
    corpus = prepare(root, tmp_path / "c")
    assert corpus.table["audio"].isna().tolist() == [True, False]
    assert corpus.table["audio_note"].iloc[0] == "no wav"
    told = "\n".join(corpus.info.notes)
    assert "1 of 2 turns have no usable sound: no wav (1)" in told
    assert "2 of 2 turns have no words" in told


def test_truncated_and_damaged_wavs_are_marked(tmp_path: Path) -> None:
    root = write_small(tmp_path / "r")
    folder = root / "Session1/sentences/wav/Ses01F_impro01"
    first, second = sorted(folder.glob("*.wav"))
    first.write_bytes(first.read_bytes()[:6000])
    second.write_bytes(b"RIFFnonsense")
    table = prepare(root, tmp_path / "c").table
    assert table["audio"].isna().all()
    assert table["audio_note"].iloc[0] == "the wav is truncated: 0.19 s of 0.50 s"
    assert table["audio_note"].iloc[1] == "the wav cannot be read (damaged)"
    second.write_bytes(b"")
    assert prepare(root, tmp_path / "c").table["audio_note"].iloc[1] == "the wav cannot be read (empty)"


def test_a_wav_whose_header_overstates_its_size_but_holds_its_turn_is_used(tmp_path: Path) -> None:
    root = write_small(tmp_path / "r")
    path = root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    data = bytearray(path.read_bytes())
    data[4:8] = (len(data) + 1000).to_bytes(4, "little")
    path.write_bytes(data)
    assert prepare(root, tmp_path / "c").table["audio_note"].isna().all()


def test_a_truncated_avi_is_marked_from_where_it_stops(copy: Path, tmp_path: Path, corpus: Corpus) -> None:
    path = copy / "Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    table = prepare(copy, tmp_path / "c").table
    cut = table[table["dialog"] == "Ses01F_impro01"]
    marked = cut["video"].isna()
    assert 0 < marked.sum() < len(cut)
    assert cut.loc[marked, "video_note"].str.startswith("the avi is truncated after ").all()
    assert cut.loc[~marked, "video_end"].max() <= cut.loc[marked, "video_end"].min() + 1e-9
    # what is not marked can be decoded to its end
    import av

    with av.open(str(path)) as container:
        last = max(float(frame.time or 0) for frame in _decodable(container))
    assert cut.loc[~marked, "video_end"].max() <= last + 0.15
    others = table[table["dialog"] != "Ses01F_impro01"]
    assert others["video"].notna().all()


def _decodable(container: Any):
    from av.error import FFmpegError

    try:
        yield from container.decode(video=0)
    except FFmpegError:
        return


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty"), (b"RIFF\x00\x00\x00\x00AVI junk", "damaged")]
)
def test_an_avi_that_cannot_be_opened_is_marked(
    copy: Path, tmp_path: Path, content: bytes, reason: str
) -> None:
    (copy / "Session1/dialog/avi/DivX/Ses01F_impro01.avi").write_bytes(content)
    table = prepare(copy, tmp_path / "c").table
    bad = table[table["dialog"] == "Ses01F_impro01"]
    assert set(bad["video_note"]) == {f"the avi cannot be read ({reason})"}
    assert bad["audio"].notna().all()


def test_a_half_known_to_be_unusable_is_marked_in_the_real_release_only(
    generated: Path, tmp_path: Path
) -> None:
    root, dialog = tmp_path / "r", "Ses05F_script02_2"
    man, woman = f"{dialog}_M000", f"{dialog}_F000"
    write_dialog(root, dialog, HEADER + block(man, "neu", 0.5) + "\n" + block(woman, "neu", 1.5))
    avi = root / "Session5/dialog/avi/DivX" / f"{dialog}.avi"
    avi.parent.mkdir(parents=True)
    shutil.copy(generated / "Session1/dialog/avi/DivX/Ses01F_impro01.avi", avi)
    table = prepare(root, tmp_path / "c").table.set_index("id")
    assert "known to be unusable" in table.loc[man, "video_note"]
    assert pd.isna(table.loc[man, "video"])
    assert pd.isna(table.loc[woman, "video_note"])
    (root / "ceilings.json").write_text(json.dumps({"ceilings": {"4+exc": {}}}))
    assert prepare(root, tmp_path / "d").table["video_note"].isna().all()


def test_a_damaged_stamp_is_bad_input(tmp_path: Path) -> None:
    root = write_small(tmp_path / "r")
    (root / "ceilings.json").write_text("{")
    with pytest.raises(AffuseError, match=r"ceilings\.json is damaged"):
        prepare(root, tmp_path / "c")


def test_majority_labels_say_which_rule_gave_them(tmp_path: Path) -> None:
    root = tmp_path / "r"
    names = [f"Ses01F_impro01_F{i:03d}" for i in range(3)]
    write_dialog(
        root,
        "Ses01F_impro01",
        HEADER
        + block(names[0], "neu", 0.5, *votes("Neutral", "Neutral", "Anger"))
        + "\n"
        + block(names[1], "xxx", 1.5, *votes("Happiness", "Excited", "Anger"))
        + "\n"
        + block(names[2], "xxx", 2.5, *votes("Sadness", "Neutral", "Other")),
    )
    table = prepare(root, tmp_path / "c", ties="majority").table
    assert table["label_source"].tolist() == ["consensus", "majority", "tie"]
    assert table["emotion"].tolist()[:2] == ["neutral", "happiness"]
    assert table["emotion"].iloc[2] in ("sadness", "neutral")


def test_progress_counts_dialogs(generated: Path, tmp_path: Path) -> None:
    calls = []

    class Counting(Quiet):
        def count(self, task: str):
            assert task == "dialogs"
            return lambda *call: calls.append(call)

    prepare(generated, tmp_path / "c", progress=Counting())
    assert calls == [(1, 2), (2, 2)]


def test_reading_twice_gives_the_same_corpus(generated: Path, tmp_path: Path, corpus: Corpus) -> None:
    again = prepare(generated, tmp_path / "again", seed=5)  # the seed only matters for ties
    assert again.hash == corpus.hash
