"""The paper's utterances: stated by every protocol, and told where the paper's corpus has others."""

from pathlib import Path

import pandas as pd
import pytest

from affuse.corpora.annotations import ANNOTATIONS
from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.reproduction.definition import PROTOCOLS, papers, read_definition, read_paper
from affuse.reproduction.form import Form
from affuse.reproduction.grid import make_grid
from affuse.reproduction.report.values import inside
from affuse.reproduction.utterances import OTHERS, check_utterances, utterances_in_words
from command import affuse

# IEMOCAP's consensus codes, all dialogs and improvised ones (../shared/facts/dynamic-joint-loss.md, section 4d)
ALL = {"anger": 1103, "happiness": 595, "excitement": 1041, "sadness": 1084, "neutral": 1708}
IMPROVISED = {"anger": 289, "happiness": 284, "sadness": 608, "neutral": 1099}
MERGED = {"anger": 1103, "happiness": 1636, "sadness": 1084, "neutral": 1708}


def corpus(counts: dict[str, int], source: str = "consensus", name: str = "iemocap", generated: bool = False):
    """So many rows of each class, ten speakers in five sessions; no file is there."""
    labels = [label for label, count in counts.items() for _ in range(count)]
    n = len(labels)
    table = pd.DataFrame(
        {
            "id": [f"u{i}" for i in range(n)], "audio": "a.wav", "video": "a.avi", "text": "words", "side": "left",
            "speaker": [f"s{i % 10}" for i in range(n)], "session": [f"{i % 10 // 2}" for i in range(n)],
            "gender": [("female", "male")[i % 2] for i in range(n)], "emotion": labels, "label_source": source,
        }
    )  # fmt: skip
    spaces = {"emotion": list(counts), "gender": ["female", "male"]}
    return Corpus(table, CorpusInfo(name=name, label_spaces=spaces, generated=generated))


def told(paper: str, protocol: str, of: Corpus, *overrides: str):
    found = read_paper(paper), read_definition(paper, protocol)
    grid = make_grid(found[0], protocol, found[1], of, Form(overrides=overrides))
    return check_utterances(*found, of, [variant.recipe for variant in grid.variants[:1]])


@pytest.mark.parametrize(
    ("protocol", "total"), [("written", 5531), ("honest", 5531), ("coded", 4661)]
)  # the dropped clips of the code: section 3 of multi-loss-ser.md
def test_the_first_papers_utterances(protocol: str, total: int) -> None:
    definition = read_definition("multi-loss", protocol)
    assert sum(definition.utterances.classes.values()) == total
    told = utterances_in_words(read_paper("multi-loss"), definition)
    assert told.startswith(f"The protocol's utterances of iemocap: {total:,} (anger ")


def test_the_second_papers_utterances() -> None:
    for protocol in PROTOCOLS:
        stated = read_definition("dynamic-loss", protocol).utterances
        assert stated.classes == IMPROVISED
        assert bool(stated.beside) == (protocol != "honest")


@pytest.mark.parametrize(
    ("paper", "protocol", "counts"),
    [("multi-loss", "written", MERGED), ("multi-loss", "honest", MERGED), ("dynamic-loss", "honest", IMPROVISED)],
)  # fmt: skip
def test_the_papers_own_utterances_are_no_others(paper: str, protocol: str, counts: dict[str, int]) -> None:
    assert told(paper, protocol, corpus(counts)) == []


def test_other_classes_dialogs_or_rows_are_told_with_their_counts() -> None:
    (six,) = told("multi-loss", "honest", corpus(ALL))
    assert six.startswith(f"{OTHERS}: iemocap has 5,531 here, the protocol 5,531 (")
    assert "happiness 595 for 1,636" in six
    assert "excitement 1,041 for 0" in six
    assert "neutral" not in six
    (improvised,) = told("multi-loss", "written", corpus(IMPROVISED))
    assert "has 2,280 here, the protocol 5,531 (anger 289 for 1,103" in improvised
    (one,) = told("multi-loss", "written", corpus(MERGED | {"sadness": 1083}))
    assert "(sadness 1,083 for 1,084)" in one
    (whole,) = told("dynamic-loss", "honest", corpus(MERGED))
    assert "anger 1,103 for 289" in whole
    changed = told("multi-loss", "honest", corpus(MERGED), "classes=anger,sadness")
    assert "happiness 0 for 1,636, neutral 0 for 1,708" in changed[0]


def test_what_a_draw_or_a_self_report_labels_is_beside_the_consensus() -> None:
    table = corpus(IMPROVISED).table
    more = corpus({"anger": 70, "sadness": 5}, "tie").table.assign(id=lambda t: "t" + t["id"])
    info = corpus(IMPROVISED).info
    both = Corpus(pd.concat([table, more], ignore_index=True), info)
    assert told("dynamic-loss", "written", both) == []
    (found,) = told("dynamic-loss", "honest", both)
    assert "anger 359 for 289, sadness 613 for 608" in found
    assert told("dynamic-loss", "written", corpus(IMPROVISED | {"anger": 288}))[0].count(" for ") == 1


def test_utterances_of_gender_alone_are_told() -> None:
    table = corpus(IMPROVISED).table
    blank = corpus({"anger": 7}).table.assign(id=lambda t: "b" + t["id"], emotion=None, label_source=None)
    both = Corpus(pd.concat([table, blank], ignore_index=True), corpus(IMPROVISED).info)
    assert "(no emotion 7 for 0)" in told("dynamic-loss", "honest", both)[0]


@pytest.mark.parametrize("name", ["emodb", "iemocap"])
def test_other_and_generated_corpora_are_never_the_papers(name: str) -> None:
    other = corpus({"anger": 20, "sadness": 20}, name=name, generated=name == "iemocap")
    for paper in papers():
        assert told(paper, "honest", other) == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_first_paper_sets_its_labels_where_votes_are_kept(protocol: str, tmp_path: Path) -> None:
    (tmp_path / ANNOTATIONS).touch()
    six = corpus(ALL)
    ids = ["Ses01F_impro01_F000", *six.table["id"][1:]]  # of the release, whose codes the rule knows
    voted = Corpus(six.table.assign(id=ids, emotion_raw="ang"), six.info, tmp_path)
    grid = make_grid(
        read_paper("multi-loss"), protocol, read_definition("multi-loss", protocol), voted, Form()
    )
    for variant in grid.variants:
        labels = variant.recipe.corpus.labels
        assert (labels.classes, labels.scenario, labels.ties) == ("4+exc", "both", "drop")


def test_the_command_says_so_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No file of this corpus is there, so that nothing is."""
    corpus({"anger": 30, "sadness": 30}).save(tmp_path / "corpus")
    result = affuse(
        capsys, monkeypatch, "reproduce", "multi-loss", tmp_path / "corpus", "--quick", "--jobs", "1", "--cache",
        tmp_path / "cache", "--protocol", "honest", "--seeds", "0", "--out", tmp_path / "R",
    )  # fmt: skip
    said = " ".join(result.err.split())
    assert f"{OTHERS}: iemocap has 60 here, the protocol 5,531 (anger 30 for 1,103, happiness 0 for" in said
    assert "The protocol's utterances of iemocap: 5,531 (anger 1,103" in said
    assert result.code == 2
    assert "a.wav does not exist" in said


def test_inside_is_filled_for_the_papers_utterances_alone() -> None:
    row = {"protocol": "honest", "published": 63.1, "low": 60.0, "high": 65.0}
    assert inside(row, same=True) == "yes"
    assert inside(row | {"high": 63.0}, same=True) == "no"
    assert inside(row, same=False) == inside(row | {"protocol": "coded"}, same=True) == ""
