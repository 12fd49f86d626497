"""CREMA-D: names, votes by presentation, perceived labels, pointers of Git LFS, and twelve real clips."""

from __future__ import annotations

from pathlib import Path

import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.corpus_files import ANNOTATIONS
from affuse.corpora.readers.cremad import prepare
from affuse.corpora.validation import validate
from affuse.corpora.votes import voted_tasks, votes
from affuse.errors import AffuseError
from audio_files import sine, write_track
from corpus_files import real, write_tone

EMOTIONS = ["anger", "disgust", "fear", "happiness", "neutral", "sadness"]
PEOPLE = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","x","y"\n1002,21,"Female","x","y"\n'
HEADER = '"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"\n'
# voice, face and both of two clips, as the release numbers them
VOTES = HEADER + "".join(
    f'"{number}",{counts},"{clip}",10,0.5,"N"\n'
    for number, counts, clip in (
        ("100001", "6,2,0,0,2,0", "1001_DFA_ANG_XX"),
        ("100002", "0,0,0,1,9,0", "1002_IEO_HAP_LO"),
        ("200001", "4,4,0,0,2,0", "1001_DFA_ANG_XX"),
        ("200002", "0,0,0,9,1,0", "1002_IEO_HAP_LO"),
        ("300001", "8,2,0,0,0,0", "1001_DFA_ANG_XX"),
        ("300002", "0,0,1,5,4,0", "1002_IEO_HAP_LO"),
        ("300003", "0,0,0,0,9,0", "1003_IEO_NEU_XX"),
    )
)
POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{64 * '4'}\nsize 12345\n"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A wav, and a film with a wav beside it, with the release's tables."""
    root = tmp_path / "CREMA-D"
    write_tone(root / "AudioWAV" / "1001_DFA_ANG_XX.wav")
    write_tone(root / "AudioWAV" / "1002_IEO_HAP_LO.wav")
    film = root / "VideoFlash" / "1002_IEO_HAP_LO.mp4"
    film.parent.mkdir(parents=True)
    write_track(film, sine(0.2, 16000), 16000, "aac", video=True)
    (root / "VideoDemographics.csv").write_text(PEOPLE)
    (root / "processedResults").mkdir()
    (root / "processedResults" / "tabulatedVotes.csv").write_text(VOTES)
    return root


def test_a_clips_name_says_what_was_meant(release: Path, tmp_path: Path) -> None:
    first, second = prepare(release, tmp_path / "c").table.to_dict("records")
    assert (first["id"], first["speaker"], first["gender"]) == ("1001_DFA_ANG_XX", "1001", "male")
    assert (first["emotion"], first["emotion_raw"], first["label_source"]) == ("anger", "ANG", "file name")
    assert (first["text"], first["level"], first["age"]) == ("Don't forget a jacket.", "unspecified", 51)
    assert (first["audio"], first["video"]) == ("AudioWAV/1001_DFA_ANG_XX.wav", None)
    assert (second["audio"], second["video"]) == (
        "AudioWAV/1002_IEO_HAP_LO.wav", "VideoFlash/1002_IEO_HAP_LO.mp4",
    )  # fmt: skip
    assert (second["emotion"], second["level"], second["gender"]) == ("happiness", "low", "female")


def test_votes_are_of_voice_face_or_both(release: Path, tmp_path: Path) -> None:
    prepare(release, tmp_path / "c")
    corpus = Corpus.load(tmp_path / "c")
    assert set(voted_tasks(corpus)) == {"emotion", "perceived_voice", "perceived_face", "perceived_both"}
    assert votes(corpus, "emotion", EMOTIONS).to_numpy().tolist() == [[8, 2, 0, 0, 0, 0], [0, 0, 1, 5, 4, 0]]
    assert votes(corpus, "perceived_voice", EMOTIONS).to_numpy().tolist() == [
        [6, 2, 0, 0, 2, 0], [0, 0, 0, 1, 9, 0],
    ]  # fmt: skip
    voice = prepare(release, tmp_path / "v", perceived="voice")
    assert votes(voice, "emotion", EMOTIONS).equals(votes(corpus, "perceived_voice", EMOTIONS))


def test_the_emotion_may_be_the_perceived_one(release: Path, tmp_path: Path) -> None:
    meant = prepare(release, tmp_path / "c").table
    assert meant["perceived_voice"].tolist() == ["anger", "neutral"]
    assert meant["perceived_face"].fillna("").tolist() == ["", "happiness"]  # anger and disgust tie
    heard = prepare(release, tmp_path / "p", label="perceived", perceived="voice")
    assert heard.table["emotion"].tolist() == ["anger", "neutral"]
    assert heard.table["intended"].tolist() == ["anger", "happiness"]
    assert set(heard.table["label_source"]) == {"raters of voice"}
    assert any(
        "the emotion is the perceived one (voice; ties are blank)" in note for note in heard.info.notes
    )


def test_a_summary_alone_has_perceived_emotions_and_no_votes(release: Path, tmp_path: Path) -> None:
    (release / "processedResults" / "tabulatedVotes.csv").unlink()
    (release / "summaryTable.csv").write_text(
        '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote","MultiModalLevel"\n'
        '"1","1001_DFA_ANG_XX","A","6","A:D","5:5","A","7"\n"2","1002_IEO_HAP_LO","N","6","H","5","H","7"\n'
    )
    corpus = prepare(release, tmp_path / "c", label="perceived")
    assert corpus.table["emotion"].tolist() == ["anger", "happiness"]
    assert corpus.table["perceived_face"].fillna("").tolist() == ["", "happiness"]
    assert not (tmp_path / "c" / ANNOTATIONS).exists()
    assert any("keeps no votes" in note for note in corpus.info.notes)
    (release / "summaryTable.csv").unlink()
    with pytest.raises(AffuseError, match="says of no clip what raters perceived"):
        prepare(release, tmp_path / "d", label="perceived")
    assert not (tmp_path / "d").exists() or not any((tmp_path / "d").iterdir())


def test_pointers_of_git_lfs_are_told(release: Path, tmp_path: Path) -> None:
    (release / "AudioWAV" / "1001_DFA_ANG_XX.wav").write_text(POINTER)
    corpus = prepare(release, tmp_path / "c")
    assert corpus.table["id"].tolist() == ["1002_IEO_HAP_LO"]
    assert any("pointers of Git LFS" in note and "1001_DFA_ANG_XX.wav" in note for note in corpus.info.notes)
    for path in [*release.glob("AudioWAV/*"), *release.glob("VideoFlash/*")]:
        path.write_text(POINTER)
    with pytest.raises(
        AffuseError, match=r"the 3 media files of CREMA-D are pointers of Git LFS.*run 'git lfs pull' there"
    ):
        prepare(release, tmp_path / "d")


def test_known_faults_are_left_out_and_named(release: Path, tmp_path: Path) -> None:
    write_tone(release / "AudioWAV" / "1064_IEO_DIS_MD.wav")
    write_tone(release / "AudioWAV" / "1001_DFA_ODD_XX.wav")
    corpus = prepare(release, tmp_path / "c")
    assert len(corpus) == 2
    notes = "\n".join(corpus.info.notes)
    assert "1064_IEO_DIS_MD left out: one minute long, with all emotions" in notes
    assert "1 file left out, their names are not CREMA-D's" in notes
    assert "not the whole of CREMA-D: anger 1 of 1271" in notes


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        (
            '"200001"',
            '"7"',
            r"tabulatedVotes\.csv, row 4: it begins with '7', and not with a number like 100001",
        ),
        ("8,2,0", "8,two,0", r"tabulatedVotes\.csv, row 6, D: 'two' is no number of votes"),
        ('"fileName"', '"name"', r"tabulatedVotes\.csv has no column 'fileName'"),
    ],
)
def test_damaged_votes_are_told(release: Path, tmp_path: Path, before: str, after: str, told: str) -> None:
    path = release / "processedResults" / "tabulatedVotes.csv"
    path.write_text(VOTES.replace(before, after))
    with pytest.raises(AffuseError, match=told):
        prepare(release, tmp_path / "c")


def test_other_folders_are_told(tmp_path: Path) -> None:
    write_tone(tmp_path / "r" / "a.wav")
    with pytest.raises(AffuseError, match=r"holds no CREMA-D clip.*\(1 media file have other names\)"):
        prepare(tmp_path / "r", tmp_path / "c")


def test_twelve_real_clips(tmp_path: Path) -> None:
    """Six films in VP6, whose container states no frame rate, and six mp3 files."""
    corpus = prepare(real("cremad"), tmp_path / "c")
    assert len(corpus) == 12
    assert corpus.table.groupby("speaker")["gender"].first().to_dict() == {"1001": "male", "1002": "female"}
    assert corpus.table["video"].notna().sum() == 6
    assert corpus.table["perceived_voice"].notna().sum() == 6
    sad = corpus.table.set_index("id").loc["1002_DFA_SAD_XX"]
    assert (sad["emotion"], sad["perceived_voice"], sad["perceived_both"]) == (
        "sadness",
        "neutral",
        "neutral",
    )
    assert sad["perceived_face"] is not sad["emotion"]
    assert [str(one) for one in validate(corpus) if one.severity == "error"] == []
