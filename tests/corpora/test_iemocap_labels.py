"""Label protocols: every rule, derived by hand."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from affuse.corpora.label_protocol import LabelProtocol
from affuse.corpora.readers.iemocap.evaluation import CODES, Vote
from affuse.corpora.readers.iemocap.labels import label_turn, takes
from affuse.corpora.readers.iemocap.names import TurnName, parse_turn


def turn(name: str = "Ses01F_impro01_F000") -> TurnName:
    found = parse_turn(name)
    assert found is not None
    return found


def external(*labels: str) -> list[Vote]:
    """Annotators E1, E2, ...; "ang+fru" gave both."""
    return [Vote(f"E{i}", tuple(label.split("+")), "") for i, label in enumerate(labels, start=1)]


def own(letter: str, *labels: str) -> list[Vote]:
    return [Vote(f"{letter}1", labels, "")]


@pytest.mark.parametrize("ties", ["drop", "majority", "self_report"])
@pytest.mark.parametrize(
    ("classes", "expected"),
    [
        ("4+exc", {"ang": "anger", "hap": "happiness", "exc": "happiness", "sad": "sadness", "neu": "neutral"}),
        ("4", {"ang": "anger", "hap": "happiness", "sad": "sadness", "neu": "neutral"}),
        (
            "6",
            {
                "ang": "anger", "hap": "happiness", "exc": "excitement", "sad": "sadness", "neu": "neutral",
                "fru": "frustration",
            },
        ),
    ],
)  # fmt: skip
def test_a_consensus_inside_the_set_is_the_label_whatever_the_tie_rule(
    classes: str, expected: dict[str, str], ties: str
) -> None:
    protocol = LabelProtocol(classes=classes, ties=ties)
    assert set(protocol.label_space) == set(expected.values())
    for code in [*CODES.values(), "xxx"]:
        # nobody voted for anything in the set
        found = label_turn(protocol, turn(), code, external("oth", "oth", "dis"))
        assert found == ((expected[code], "consensus") if code in expected else (None, None))


def test_drop_leaves_ties_and_other_labels_blank() -> None:
    protocol = LabelProtocol(ties="drop")
    votes = [*external("ang", "ang", "neu"), *own("F", "ang")]
    for code in ("xxx", "fru", "sur"):
        assert label_turn(protocol, turn(), code, votes) == (None, None)


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        (external("ang", "ang", "neu"), ("anger", "majority")),
        # excited and happy are one class of this set: together they outvote neutral
        (external("hap", "exc", "neu"), ("happiness", "majority")),
        # one annotator who gives both has one vote for the class
        (external("hap+exc", "neu", "neu"), ("neutral", "majority")),
        # the majority is outside the set: nothing to draw from
        (external("fru", "fru", "neu"), (None, None)),
        # only one of the tied is inside
        (external("fru", "sur", "sad"), ("sadness", "tie")),
        (external("fru", "sur", "oth"), (None, None)),
        # several labels of an annotator all count
        (external("ang+fru", "ang+sad", "neu"), ("anger", "majority")),
        # self-reports do not vote
        ([*external("ang", "ang", "neu"), *own("F", "neu"), *own("M", "neu")], ("anger", "majority")),
        ([], (None, None)),
        (own("F", "ang"), (None, None)),
    ],
)
def test_majority_of_the_external_annotators(votes: list[Vote], expected: tuple[Any, ...]) -> None:
    assert label_turn(LabelProtocol(ties="majority"), turn(), "xxx", votes) == expected


def test_majority_is_only_for_turns_without_consensus() -> None:
    votes = external("ang", "ang", "ang")
    assert label_turn(LabelProtocol(ties="majority"), turn(), "fru", votes) == (None, None)


def test_the_draw_is_even_seeded_and_keyed_by_the_turn() -> None:
    votes = external("ang", "neu", "sad")
    names = [f"Ses01F_impro01_{letter}{i:03d}" for letter in "FM" for i in range(600)]

    def draw(seed: int, order: list[str]) -> dict[str, str | None]:
        protocol = LabelProtocol(ties="majority", seed=seed)
        return {name: label_turn(protocol, turn(name), "xxx", votes)[0] for name in order}

    first = draw(0, names)
    assert draw(0, names[::-1]) == first
    assert draw(0, names[5:6]) == {names[5]: first[names[5]]}
    other = draw(1, names)
    assert sum(other[n] != first[n] for n in names) > 600
    counts = Counter(first.values())
    assert set(counts) == {"anger", "neutral", "sadness"}
    assert all(abs(number - 400) < 4 * (1200 * 2 / 9) ** 0.5 for number in counts.values())


@given(st.permutations(["ang", "neu", "sad", "fru"]), st.integers(0, 50))
def test_the_draw_does_not_depend_on_the_order_of_annotators(labels: Any, number: Any) -> None:
    protocol = LabelProtocol(ties="majority")
    name = turn(f"Ses02M_script01_1_M{number:03d}")
    found, rule = label_turn(protocol, name, "xxx", external(*labels))
    assert rule == "tie"
    assert found == label_turn(protocol, name, "xxx", external("ang", "neu", "sad", "fru"))[0]


@pytest.mark.parametrize(
    ("name", "votes", "expected"),
    [
        # improvised: the speaker's own first label inside the set
        ("Ses01F_impro01_F000", [*external("ang", "ang"), *own("F", "sad")], ("sadness", "self_report")),
        ("Ses01F_impro01_F000", own("F", "fru", "neu", "sad"), ("neutral", "self_report")),
        # it is the speaker's report that counts, not the marker's
        ("Ses01F_impro01_M000", [*own("F", "sad"), *own("M", "ang")], ("anger", "self_report")),
        ("Ses01F_impro01_M000", own("F", "sad"), (None, None)),
        ("Ses01F_impro01_F000", [*external("ang", "ang"), *own("F", "fru")], (None, None)),
        # scripted: the first external label inside the set
        ("Ses01F_script01_1_F000", [*own("F", "sad"), *external("fru", "fru+neu", "ang")], ("neutral", "external")),
        ("Ses01F_script01_1_F000", own("F", "sad"), (None, None)),
        ("Ses01F_script01_1_F000", external("fru", "sur"), (None, None)),
    ],
)  # fmt: skip
@pytest.mark.parametrize("consensus", ["xxx", "fru", "sur"])
def test_self_report_as_in_the_second_papers_code(
    name: str, votes: list[Vote], expected: tuple[Any, ...], consensus: str
) -> None:
    assert (
        label_turn(LabelProtocol(classes="4", ties="self_report"), turn(name), consensus, votes) == expected
    )


def test_self_report_relabels_an_excited_turn_only_where_excited_is_outside_the_set() -> None:
    votes = own("F", "hap")
    assert label_turn(LabelProtocol(classes="4", ties="self_report"), turn(), "exc", votes) == (
        "happiness",
        "self_report",
    )
    assert label_turn(LabelProtocol(classes="4+exc", ties="self_report"), turn(), "exc", votes) == (
        "happiness",
        "consensus",
    )
    # and the self-report "excited" is no label of the four without excited
    assert label_turn(LabelProtocol(classes="4", ties="self_report"), turn(), "xxx", own("F", "exc")) == (
        None,
        None,
    )


@pytest.mark.parametrize(
    ("scenario", "improvised", "scripted"),
    [("both", True, True), ("improvised", True, False), ("scripted", False, True)],
)
def test_scenarios(scenario: str, improvised: bool, scripted: bool) -> None:
    protocol = LabelProtocol(scenario=scenario)
    assert takes(protocol, turn("Ses01F_impro01_F000")) is improvised
    assert takes(protocol, turn("Ses01F_script01_1_F000")) is scripted


@pytest.mark.parametrize(
    "wrong", [{"classes": "5"}, {"ties": "random"}, {"scenario": "impro"}, {"label": "x"}]
)
def test_unknown_choices_are_errors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LabelProtocol(**wrong)


def test_a_protocol_says_what_it_does() -> None:
    told = {
        LabelProtocol(classes=c, scenario=s, ties=t, keep_unlabelled=k).describe()
        for c in ("4+exc", "4", "6")
        for s in ("improvised", "scripted", "both")
        for t in ("drop", "majority", "self_report")
        for k in (True, False)
    }
    assert len(told) == 54
