"""What the definition files say, held against the facts: rows, losses, splits, switches; and what corpora may lack."""

from typing import Any

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.reproduction.definition import (
    PROTOCOLS,
    papers,
    published,
    read_definition,
    read_paper,
    read_switches,
)
from affuse.reproduction.form import Form
from affuse.reproduction.grid import build_recipe, choose_split, make_grid
from corpus_files import real


def corpus(name: str = "iemocap", **columns: list[str | None] | None):
    """Ten speakers in five sessions, every column filled in; a column given as None is blank."""
    n = 80
    table = {
        "id": [f"u{i}" for i in range(n)],
        "audio": [f"u{i}.wav" for i in range(n)],
        "video": [f"u{i}.avi" for i in range(n)],
        "text": [f"words {i}" for i in range(n)],
        "side": [("left", "right")[i % 2] for i in range(n)],
        "speaker": [f"s{i % 10}" for i in range(n)],
        "session": [f"{i % 10 // 2}" for i in range(n)],
        "gender": [("female", "male")[i % 2] for i in range(n)],
        "emotion": [("anger", "happiness", "sadness", "neutral")[i % 4] for i in range(n)],
    }
    info = CorpusInfo(
        name=name,
        label_spaces={"emotion": ["anger", "happiness", "sadness", "neutral"], "gender": ["female", "male"]},
    )
    return Corpus(
        pd.DataFrame(table | {key: [None] * n if value is None else value for key, value in columns.items()}),
        info,
    )


def grid(paper: str, protocol: str, on: Corpus | None = None, **form: bool | tuple[Any, ...]):
    return make_grid(
        read_paper(paper), protocol, read_definition(paper, protocol), on or corpus(), Form(**form)
    )


def recipes(paper: str, protocol: str, **form: bool | tuple[str, str]) -> dict[str, Recipe]:
    """Name of a variant -> its recipe at the first seed."""
    found: dict[str, Recipe] = {}
    for variant in grid(paper, protocol, **form).variants:
        found.setdefault(variant.settings["row"], variant.recipe)
    return found


@pytest.mark.parametrize("paper", papers())
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_published_row_has_its_cell_and_no_other(paper: str, protocol: str) -> None:
    rows = list(dict.fromkeys(published(read_paper(paper).published)["row"]))
    assert sorted(cell.row for cell in read_definition(paper, protocol).cells) == sorted(rows)


def test_published_numbers_are_the_shared_ones() -> None:
    shared = pd.read_csv(real("../published") / "tables.csv", keep_default_na=False)
    mine = pd.concat([published(name) for name in dict.fromkeys(shared["paper"])], ignore_index=True)
    pd.testing.assert_frame_equal(mine, shared)


@pytest.mark.parametrize("paper", papers())
@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("form", [{}, {"small": True}, {"quick": True}])
def test_every_recipe_is_whole(paper: str, protocol: str, form: dict[str, Any]) -> None:
    """Every field is checked once more; a recipe that was changed is still one."""
    found = grid(paper, protocol, **form)
    assert found.variants
    for variant in found.variants:
        assert Recipe.parse(variant.recipe.model_dump()) == variant.recipe


@pytest.mark.parametrize("paper", papers())
def test_only_the_code_touches_the_test_part(paper: str) -> None:
    for protocol in ("written", "honest"):
        assert {recipe.on_test for recipe in recipes(paper, protocol).values()} == {""}
    assert {recipe.on_test for recipe in recipes(paper, "coded").values()} - {""}


@pytest.mark.parametrize("paper", papers())
def test_honest_is_three_seeds_one_session_to_test_and_another_to_validate(paper: str) -> None:
    found = grid(paper, "honest")
    assert {variant.recipe.seed for variant in found.variants} == {0, 1, 2}
    for variant in found.variants:
        protocol = variant.recipe.protocol
        assert (protocol.kind, protocol.by) == ("leave_one_group_out", ("session",))
        assert protocol.validation is not None
        assert protocol.validation.groups == 1
        assert not protocol.allow_speaker_overlap
    for small in ({"small": True}, {"quick": True}):
        assert {v.recipe.seed for v in grid(paper, "honest", **small).variants} == {0, 1, 2}


def test_first_paper_as_written() -> None:
    """Eqs. 1 to 5 with lambda 1 and theta 1; trained centers; lr / 10 every 30 epochs; 80/20."""
    found = recipes("multi-loss", "written")
    assert len(found) == 10
    for row, recipe in found.items():
        for term in recipe.tasks["emotion"].loss:
            assert (term.weight, term.options) == (1.0, {})
        assert [t.name for t in recipe.tasks["emotion"].loss] == row.split(" / ")[1].split(" + ")
        assert (recipe.training.schedule.every, recipe.training.schedule.factor) == (30, 0.1)
        assert (recipe.training.epochs, recipe.optimizer.lr) == (250, 1e-4)
        assert recipe.protocol.ratios == (0.8, 0.0, 0.2)
        assert recipe.modalities["audio"].options["quantise"] is False
        assert recipe.tasks["emotion"].classifier == "auto"


def test_first_paper_as_coded() -> None:
    found = recipes("multi-loss", "coded")
    assert len(found) == 2 * (1 + 1 + 4 + 1 + 4)
    for row, recipe in found.items():
        terms = {term.name: term for term in recipe.tasks["emotion"].loss}
        alone = "cross_entropy" not in terms
        assert recipe.corpus.min_seconds == 1.935
        assert recipe.training.batch_size == 1
        assert recipe.modalities["audio"].options["quantise"] is True
        assert (recipe.tasks["emotion"].classifier == "svm") == alone
        assert recipe.training.select == ("last" if alone else "test")
        assert recipe.training.criterion == "acc"
        if "center" in terms:
            assert terms["center"].options == {"squared": False, "trained": False}
            assert terms["center"].weight == 1
        if "contrastive_center" in terms:
            assert terms["contrastive_center"].options == {
                "theta": 1e-6, "ratio_of_sums": True, "scale": 10, "trained": False,
            }  # fmt: skip
            assert row.endswith(f", lambda {terms['contrastive_center'].weight:g}")
        if recipe.name == "3m-ser":
            assert recipe.fusion.options["pool"] == ("first" if set(terms) == {"cross_entropy"} else "mean")
        constant = row != "SERVER / cross_entropy"
        assert (recipe.training.schedule is None) == constant
    lambdas = [row.rpartition(" ")[2] for row in found if row.startswith("3M-SER / contrastive_center,")]
    assert lambdas == ["0.5", "1", "1.5", "2"]


def test_second_paper_as_coded() -> None:
    """Sections 0 and 4: overlapping parts, crop by gender, (x - mean) / var, raw pictures, schedule every 10 epochs."""
    for row, recipe in recipes("dynamic-loss", "coded").items():
        assert recipe.protocol.reshuffled
        assert recipe.protocol.ratios == (0.6, 0.2, 0.2)
        assert recipe.corpus.side == "gender"
        assert recipe.training.criterion == "last_batch"
        assert (recipe.training.schedule.every, recipe.weighting.scheduled) == (10, True)
        if "audio" in recipe.modalities:
            assert recipe.modalities["audio"].options["gain"] == pytest.approx(1 / 3.42e-3, rel=1e-3)
            assert recipe.modalities["audio"].options["offset"] == -4.18e-5
        if "video" in recipe.modalities:
            assert recipe.modalities["video"].options["scaling"] == "raw255"
        assert recipe.weighting.name == ("static" if row == "MM-static" else "softmax")


def test_label_rules_are_for_corpora_with_votes_and_the_side_for_pictures_of_two() -> None:
    plain = grid("dynamic-loss", "coded")
    assert plain.variants[0].recipe.corpus.labels is None
    assert plain.notes == ["iemocap keeps no annotators' votes: corpus.labels left as it is."]
    alone = grid("dynamic-loss", "coded", corpus(side=None))
    assert alone.variants[0].recipe.corpus.side == "corpus"
    assert "does not show two people side by side: corpus.side left as it is." in alone.notes[1]


@pytest.mark.parametrize("paper", papers())
def test_switches_change_something_and_name_their_facts(paper: str) -> None:
    plan, definition = read_switches(paper), read_definition(paper, "honest")
    cells = {cell.row: cell for cell in definition.cells}
    names = [switch.name for switch in plan.switches]
    assert len(set(names)) == len(names)
    for switch in plan.switches:
        assert "section" in switch.source
        for row in switch.rows:
            common = {"protocol": definition.splits[0]} | definition.set | cells[row].set
            for form in (Form(), Form(quick=True)):
                args = read_paper(paper), cells[row], common, definition.encoders, form
                assert build_recipe(*args, switch.base) != build_recipe(*args, switch.base | switch.set)


# ---- forms and overrides


def test_small_and_quick_forms_need_no_download_and_spare_epochs() -> None:
    full, small, quick = (
        recipes("multi-loss", "coded", **form) for form in ({}, {"small": True}, {"quick": True})
    )
    assert list(full) == list(small) == list(quick)
    for row in full:
        assert full[row].modalities["audio"].encoder == "vggish"
        assert small[row].modalities["audio"].encoder == "logmel"
        assert quick[row].training.epochs < small[row].training.epochs < full[row].training.epochs
        # the departures themselves are in every form
        assert quick[row].corpus == full[row].corpus
        assert quick[row].tasks["emotion"] == full[row].tasks["emotion"]
    video = recipes("dynamic-loss", "coded", quick=True)["MM-dynamic"].modalities["video"].options
    assert (video["weights"], video["scaling"]) == (None, "raw255")


def test_quick_runs_two_folds_of_the_second_paper_and_says_so() -> None:
    found = grid("dynamic-loss", "honest", quick=True)
    assert found.folds == [0, 1]
    assert "Only the first 2 folds are run (quick form)." in found.notes
    assert grid("dynamic-loss", "written", quick=True).folds is None
    assert grid("multi-loss", "honest", quick=True).folds is None


def test_overrides_come_last_and_may_be_for_one_recipe() -> None:
    found = recipes("multi-loss", "written", overrides=("epochs=3", "3m-ser:lr=0.5"))
    assert {recipe.training.epochs for recipe in found.values()} == {3}
    assert {recipe.name: recipe.optimizer.lr for recipe in found.values()} == {"server": 1e-4, "3m-ser": 0.5}
    with pytest.raises(
        AffuseError, match="no '3mser' among the recipes of this grid \\(did you mean '3m-ser'"
    ):
        grid("multi-loss", "written", overrides=("3mser:lr=0.5",))


# ---- corpora


def test_without_sessions_speakers_are_held_out() -> None:
    split = grid("multi-loss", "honest", corpus(session=None)).variants[0].recipe.protocol
    assert (split.by, split.validation.by) == (("speaker",), ("speaker",))
    one = ["one"] * 80
    with pytest.raises(AffuseError, match="has 3 or more in none of the columns session, speaker"):
        grid("multi-loss", "honest", corpus(session=None, speaker=one))
    assert grid("multi-loss", "written", corpus(session=None, speaker=one)).variants


def test_a_session_that_is_blank_for_some_does_not_count() -> None:
    sessions = [None, *[f"{i % 5}" for i in range(79)]]
    splits = read_definition("multi-loss", "honest").splits
    assert choose_split(splits, corpus(session=sessions), "honest")["by"] == "speaker"
    unlabelled = ["anger" if s else None for s in sessions]
    unlabelled[2] = "neutral"
    assert choose_split(splits, corpus(session=sessions, emotion=unlabelled), "honest")["by"] == "session"


@pytest.mark.parametrize(
    ("paper", "column", "message"),
    [
        ("multi-loss", "text", "iemocap has no words"),
        ("multi-loss", "audio", "iemocap has no sound"),
        ("dynamic-loss", "video", "iemocap has no pictures"),
        ("dynamic-loss", "gender", "iemocap has no genders"),
    ],
)
def test_what_a_corpus_lacks_is_told(paper: str, column: str, message: str) -> None:
    with pytest.raises(AffuseError, match=f"{message} .column '{column}' is blank in all 80 rows."):
        grid(paper, "honest", corpus(**{column: None}))


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(AffuseError, match=r"no 'multiloss' among the papers .did you mean 'multi-loss'"):
        read_paper("multiloss")
    with pytest.raises(AffuseError, match=r"no 'honst' among the protocols .did you mean 'honest'"):
        read_definition("multi-loss", "honst")


def test_splits_of_the_definitions_are_protocols() -> None:
    assert len(papers()) == 2
    for paper in papers():
        for protocol in PROTOCOLS:
            splits = [SplitProtocol.model_validate(of) for of in read_definition(paper, protocol).splits]
            assert splits
            assert all(of.allow_speaker_overlap == (protocol != "honest") for of in splits)
