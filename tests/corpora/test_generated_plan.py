"""The plan: labels in the release's proportions, and nothing but the displays tells them."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from affuse.corpora.generated.annotators import consensus, evaluate
from affuse.corpora.generated.displays import DISPLAYS, LABEL_MIX, MODALITIES, shown_given
from affuse.corpora.generated.script import LONGEST, SHORTEST, Dialog, Turn, dialog_names, plan_release
from affuse.corpora.generated.texts import transcription_text
from affuse.corpora.readers.iemocap.names import parse_turn
from affuse.errors import AffuseError


@pytest.fixture(scope="module")
def plan():
    return plan_release(sessions=5, dialogs=12, turns=6000, seed=3)


@pytest.fixture(scope="module")
def turns(plan: list[Dialog]):
    return [(dialog, turn) for dialog in plan for turn in dialog.turns]


def test_labels_have_the_releases_proportions(turns: list[tuple[Dialog, Turn]]) -> None:
    counts = Counter(turn.label for _, turn in turns)
    assert sum(counts.values()) == 6000
    for label, number in LABEL_MIX.items():
        assert abs(counts[label] - 6000 * number / 10_039) < 1


def test_as_many_turns_as_the_release_give_exactly_its_counts() -> None:
    plan = plan_release(sessions=5, dialogs=30, turns=10_039, seed=0)
    assert Counter(turn.label for dialog in plan for turn in dialog.turns) == LABEL_MIX


@pytest.mark.parametrize("modality", MODALITIES)
def test_displays_follow_the_stated_probabilities(turns: list[tuple[Dialog, Turn]], modality: str) -> None:
    for label in ("neu", "ang", "sad", "hap", "exc", "fru", "xxx"):
        seen = Counter(turn.shown[modality] for _, turn in turns if turn.label == label)
        total, expected = sum(seen.values()), shown_given(modality, label)
        possible = expected > 0
        assert not any(seen[d] for d, p in zip(DISPLAYS, possible, strict=True) if not p)
        observed = np.array([seen[d] for d in DISPLAYS])[possible]
        assert stats.chisquare(observed, total * expected[possible]).pvalue > 1e-4


def test_modalities_are_independent_given_the_label(turns: list[tuple[Dialog, Turn]]) -> None:
    for first, second in (("audio", "text"), ("audio", "video"), ("text", "video")):
        for label in ("neu", "ang", "sad"):
            table = np.zeros((len(DISPLAYS), len(DISPLAYS)))
            for _, turn in turns:
                if turn.label == label:
                    table[DISPLAYS.index(turn.shown[first]), DISPLAYS.index(turn.shown[second])] += 1
            table = table[table.sum(1) > 0][:, table.sum(0) > 0]
            assert stats.chi2_contingency(table).pvalue > 1e-4


def test_neither_length_nor_gender_nor_side_nor_scenario_tells_the_label(
    turns: list[tuple[Dialog, Turn]],
) -> None:
    main = [(d, t) for d, t in turns if t.label in ("neu", "ang", "sad", "hap", "exc")]
    lengths = [
        [t.end - t.start for _, t in main if t.label == label]
        for label in ("neu", "ang", "sad", "hap", "exc")
    ]
    assert stats.kruskal(*lengths).pvalue > 1e-4
    for trait in (
        lambda d, t: t.gender,
        lambda d, t: t.gender == d.marker,
        lambda d, t: d.improvised,
        lambda d, t: d.session,
    ):
        pairs = Counter((trait(d, t), t.label) for d, t in main)
        rows, columns = sorted({k for k, _ in pairs}), sorted({k for _, k in pairs})
        table = [[pairs[r, c] for c in columns] for r in rows]
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_the_side_does_not_tell_the_gender(turns: list[tuple[Dialog, Turn]]) -> None:
    pairs = Counter((t.gender, t.gender == d.marker) for d, t in turns)
    assert (
        stats.fisher_exact(
            [[pairs["F", True], pairs["F", False]], [pairs["M", True], pairs["M", False]]]
        ).pvalue
        > 1e-3
    )
    assert min(pairs.values()) > 1300


def test_turns_are_short_named_like_the_releases_and_never_overlap_within_a_speaker(
    plan: list[Dialog],
) -> None:
    for dialog in plan:
        for gender in "FM":
            own = [t for t in dialog.turns if t.gender == gender]
            assert [t.id for t in own] == [f"{dialog.name}_{gender}{i:03d}" for i in range(len(own))]
            assert all(a.end <= b.start for a, b in pairwise(own))
        for turn in dialog.turns:
            parsed = parse_turn(turn.id)
            assert parsed is not None
            assert parsed.dialog == dialog.name
            assert SHORTEST - 1e-3 <= turn.end - turn.start <= LONGEST + 1e-3
            assert turn.end < dialog.seconds
    overlaps = sum(b.start < a.end for d in plan for a, b in pairwise(d.turns))
    assert overlaps > 100  # as in the release, two speakers do


def test_annotators_votes_give_the_planned_consensus(plan: list[Dialog]) -> None:
    for dialog in plan[:6]:
        for evaluation in evaluate(dialog, seed=3):
            assert consensus(evaluation.votes) == evaluation.turn.label
            own = [v.annotator for v in evaluation.votes if not v.annotator.startswith("E")]
            assert own == ([f"{evaluation.turn.gender}1"] if dialog.improvised else [])


def test_a_script_is_spoken_again_in_every_session_and_an_improvisation_never(plan: list[Dialog]) -> None:
    texts: dict[tuple[bool, str], set[int]] = {}
    for dialog in plan:
        for turn in dialog.turns:
            texts.setdefault((dialog.improvised, turn.text), set()).add(dialog.session)
    again = {
        kind: np.mean([len(s) > 1 for (k, _), s in texts.items() if k is kind]) for kind in (True, False)
    }
    assert again[False] > 0.4
    assert again[True] < 0.5 * again[False]


def test_names_of_dialogs_cover_both_markers_both_scenarios_and_the_suffixes() -> None:
    for number in (1, 2, 6, 7, 20, 30):
        names = dialog_names(3, number)
        assert len(names) == len(set(names)) == number
    assert {n[5] for n in dialog_names(1, 2)} == {"F", "M"}
    default = dialog_names(3, 8)
    assert {"Ses03M_impro05a", "Ses03M_impro05b", "Ses03M_script01_1", "Ses03M_script01_1b"} < set(default)


@pytest.mark.parametrize("number", range(1, 13))
def test_both_genders_wear_the_markers_equally_often(number: int) -> None:
    # otherwise the side of the picture would tell the gender
    markers = Counter(name[5] for session in (1, 2) for name in dialog_names(session, number))
    assert markers["F"] == markers["M"]


def test_transcriptions_have_the_odd_lines(plan: list[Dialog]) -> None:
    text = transcription_text(plan[0])
    assert "\nM: sorry\n" in text
    assert "_MXX0 [" in text
    text.encode("latin-1")


@pytest.mark.parametrize("wrong", [{"sessions": 0}, {"dialogs": 0}, {"turns": 0}, {"sessions": 100}])
def test_impossible_sizes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AffuseError, match=next(iter(wrong))):
        plan_release(**{"sessions": 1, "dialogs": 1, "turns": 4, "seed": 0, **wrong})
