"""Names of one person or label in several spellings: in corpora, splits, validation."""

import unicodedata
from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.splits.making import make_split
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.corpora.validation import validate
from affuse.errors import AffuseError
from affuse.training.evaluate.selection import of_role
from corpus_files import write_tone

TWO = unicodedata.normalize("NFD", "José"), unicodedata.normalize("NFC", "José")


def corpus_of(speakers: list[str], **columns: list[str]):
    table = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(2 * len(speakers))],
            "text": [f"words {i}" for i in range(2 * len(speakers))],
            "speaker": [name for name in speakers for _ in range(2)],
            "emotion": ["joy", "anger"] * len(speakers),
        }
    )
    return Corpus(table.assign(**columns), CorpusInfo(name="x", label_spaces={"emotion": ["joy", "anger"]}))


@pytest.mark.parametrize(
    "names", [TWO, ("Anna", "anna"), ("Anna B", "anna\u00a0 b"), ("\ufeffAnna", "Anna ")]
)
def test_one_person_is_never_on_both_sides(names: tuple[str, str]) -> None:
    corpus = corpus_of([*names, "Zoe", "Ute"])
    split = make_split(corpus.table, SplitProtocol(kind="leave_one_group_out"), "emotion")
    assert len(split.folds) == 3
    for fold in split.folds:
        tested = set(split.roles(fold)["test"])
        assert {"u0", "u1", "u2", "u3"} <= tested or not {"u0", "u1", "u2", "u3"} & tested
    with pytest.raises(AffuseError, match="Speakers overlap"):
        make_split(corpus.table.assign(part=["train"] * 2 + ["test"] * 2 + ["train"] * 2 + ["test"] * 2),
                   SplitProtocol(kind="column", by=("part",)), "emotion")  # fmt: skip


def test_spellings_and_words_for_nothing_are_findings() -> None:
    corpus = corpus_of(["Anna", "anna", "NA"], emotion=["Joy", "joy", "joy", "nan", "joy", "joy"])
    told = [str(finding) for finding in validate(corpus) if finding.row is None]
    assert any("speaker: 'Anna' (2 rows) and 'anna' (2 rows) differ in case" in one for one in told)
    assert any("emotion: 'Joy' (1 row) and 'joy' (4 rows) differ in case" in one for one in told)
    assert any("speaker: 'NA' (2 rows) is kept as a name" in one for one in told)
    assert any("emotion: 'nan' (1 row) is kept as a name" in one for one in told)


def test_a_corpus_has_one_form_of_every_name_but_not_of_paths(tmp_path: Path) -> None:
    decomposed, composed = TWO
    corpus = corpus_of(
        ["a"], audio=[f"{decomposed}.wav"] * 2, id=[decomposed, "01"], emotion=[decomposed, " x "]
    )
    corpus = corpus.save(tmp_path / "c").load(tmp_path / "c")
    assert corpus.table["id"].tolist() == [composed, "01"]
    assert corpus.table["emotion"].tolist() == [composed, "x"]
    assert corpus.table["audio"].tolist() == [f"{decomposed}.wav"] * 2
    assert CorpusInfo(name="x", label_spaces={"emotion": [decomposed]}).label_spaces == {
        "emotion": [composed]
    }


def test_the_ids_of_a_split_are_read_as_they_are_written(tmp_path: Path) -> None:
    path = tmp_path / "split.csv"
    path.write_text(f"id,fold,role\n001,0,test\nNA,0,test\n{TWO[0]},0,test\n1,0,train\n", encoding="utf-8")
    assert of_role(["001", "1", "NA", TWO[1]], path, "test") == ["001", "NA", TWO[1]]


def test_media_are_found_under_another_form_of_their_names(tmp_path: Path) -> None:
    decomposed, composed = TWO
    write_tone(tmp_path / f"{decomposed}.wav")
    info = CorpusInfo(name="x", media_root=str(tmp_path), label_spaces={"emotion": ["joy", "anger"]})
    table = pd.DataFrame({"id": ["a"], "audio": [f"{composed}.wav"], "emotion": ["joy"]})
    corpus = Corpus(table, info)
    assert next(corpus.utterances()).audio == tmp_path / f"{decomposed}.wav"
    assert not [finding for finding in validate(corpus) if finding.field == "audio"]
