"""How a recipe looks at a corpus: clips left out by length, labels by another rule, the other half of the picture."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

from affuse.corpora.corpus import Corpus
from affuse.corpora.generated import generate_release
from affuse.corpora.label_protocol import LabelProtocol
from affuse.corpora.readers.iemocap import prepare
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.selection import TWO_PATCHES, CorpusView, view
from affuse.encoders.vggish.frontend import to_patches
from affuse.errors import AffuseError


def corpus_of(folder: Path, lengths: list[int], **columns: list[float | str | None]):
    """Clips of so many samples at 16 kHz."""
    folder.mkdir(parents=True, exist_ok=True)
    for i, samples in enumerate(lengths):
        soundfile.write(folder / f"u{i}.wav", 0.1 * np.sin(np.arange(samples)), 16_000)
    table = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(len(lengths))],
            "audio": [f"u{i}.wav" for i in range(len(lengths))],
            **columns,
        }
    )
    return Corpus(table, CorpusInfo(name="small", media_root=str(folder)), folder)


def test_two_patches_are_what_the_vggish_front_end_gives(tmp_path: Path) -> None:
    """The code drops clips of one patch: its front end, asked for every length around the bound, agrees."""
    lengths = [8_000, 30_000, 30_959, 30_960, 30_961, 40_000]
    corpus = corpus_of(tmp_path, lengths)
    kept, notes = view(corpus, CorpusView(min_seconds=TWO_PATCHES))
    patches = [len(to_patches(np.ones(samples, dtype=np.float32))) for samples in lengths]
    assert list(kept.table["id"]) == [f"u{i}" for i, number in enumerate(patches) if number >= 2]
    assert notes == ["3 of 6 utterances have less than 1.935 s of sound: left out (corpus.min_seconds)."]


def test_rows_with_times_count_by_their_times_and_clips_without_sound_stay(tmp_path: Path) -> None:
    corpus = corpus_of(
        tmp_path,
        [64_000, 64_000, 64_000],
        start=[None, 1.0, 3.0],
        end=[None, 1.5, None],
        text=["a", "b", "c"],
    )
    silent = corpus.table.iloc[[0]].assign(id="words", audio=None)
    corpus = Corpus(pd.concat([corpus.table, silent]), corpus.info, corpus.folder)
    kept, _ = view(corpus, CorpusView(min_seconds=1.0))
    assert list(kept.table["id"]) == ["u0", "u2", "words"]


def test_nothing_asked_for_is_the_same_corpus(tmp_path: Path) -> None:
    corpus = corpus_of(tmp_path, [16_000])
    assert view(corpus, CorpusView()) == (corpus, [])


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"min_seconds": 9}, "all 2 utterances of small are shorter than 9 s"),
        ({"side": "gender"}, "does not say which half of a picture shows the speaker"),
        ({"labels": {"classes": "4"}}, "small keeps no votes to apply a label rule to"),
    ],
)
def test_what_a_corpus_lacks_is_told(
    tmp_path: Path, choice: dict[str, dict[str, str] | int | str], message: str
) -> None:
    with pytest.raises(AffuseError, match=message):
        view(corpus_of(tmp_path, [16_000, 16_000]), CorpusView.model_validate(choice))


def test_no_sound_at_all_and_no_gender_are_told(tmp_path: Path) -> None:
    words = Corpus(pd.DataFrame({"id": ["a"], "text": ["b"], "side": ["left"]}), CorpusInfo(name="words"))
    with pytest.raises(AffuseError, match="has sound whose length is known"):
        view(words, CorpusView(min_seconds=1))
    with pytest.raises(AffuseError, match="1 utterance without gender"):
        view(words, CorpusView(side="gender"))


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("view") / "release"
    return generate_release(out, sessions=2, dialogs=4, turns=80, video=False, jobs=1)


@pytest.mark.parametrize(
    "rule",
    [
        {"classes": 4, "scenario": "improvised", "ties": "self_report"},
        {"classes": "4+exc", "ties": "majority", "seed": 3},
        {"classes": "6", "ties": "drop", "keep_unlabelled": False},
    ],
)
def test_labels_anew_are_those_that_preparing_would_have_given(
    release: Path, tmp_path: Path, rule: dict[str, Any]
) -> None:
    corpus = prepare(release, tmp_path / "default")
    anew, notes = view(Corpus.load(tmp_path / "default"), CorpusView.model_validate({"labels": rule}))
    expected = prepare(release, tmp_path / "rule", **rule)
    columns = ["id", "emotion", "label_source", "speaker", "audio"]
    pd.testing.assert_frame_equal(
        anew.table[columns].reset_index(drop=True), expected.table[columns], check_dtype=False
    )
    assert anew.info.label_spaces == expected.info.label_spaces
    assert anew.info.ceilings == {}
    assert notes == [LabelProtocol(**rule).describe()]
    assert corpus.table["emotion"].notna().any()


def test_side_by_gender_is_wrong_exactly_where_the_man_wears_the_markers(
    release: Path, tmp_path: Path
) -> None:
    """Bug 2: the marker-wearing actor sits left, the code puts women left."""
    corpus = prepare(release, tmp_path / "c")
    changed, notes = view(corpus, CorpusView(side="gender"))
    for right, wrong in zip(corpus.table.to_dict("records"), changed.table.to_dict("records"), strict=True):
        assert wrong["side"] == {"F": "left", "M": "right"}[right["id"].rsplit("_", 1)[1][0]]
        assert (wrong["side"] != right["side"]) == (right["id"][5] == "M")
    number = int((corpus.table["marker"] == "M").sum())
    assert notes[0].startswith(f"{number} of {len(corpus)} utterances show the other half")


def test_ceilings_hold_where_the_labels_are_the_same_ones(release: Path, tmp_path: Path) -> None:
    corpus = prepare(release, tmp_path / "c")
    assert corpus.info.ceilings
    same, _ = view(corpus, CorpusView(labels=LabelProtocol(keep_unlabelled=False)))
    assert len(same) < len(corpus)
    assert same.info.ceilings == corpus.info.ceilings
    assert corpus.info.rating_ceilings
    assert same.info.rating_ceilings == {}  # they are of all turns
    other, _ = view(corpus, CorpusView(labels=LabelProtocol(classes="4")))
    assert other.info.ceilings == {}
    assert other.info.rating_ceilings == corpus.info.rating_ceilings
