"""The band of ratings: against plain loops, the usual conformal rule, and simulated speakers."""

from __future__ import annotations

from math import ceil

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from affuse.evaluation.bands import COVERAGE, Band, fit_band, half_width, least_speakers


def by_loops(errors: list[float], groups: list[int], coverage: float) -> float | None:
    """The smallest error within which every speaker's share of utterances lies, one more speaker's being nothing."""
    names = set(groups)
    for bound in sorted(errors):
        total = 0.0
        for name in names:
            own = [one for one, group in zip(errors, groups, strict=True) if group == name]
            total += sum(one <= bound for one in own) / len(own)
        if total / (len(names) + 1) >= coverage - 1e-9:
            return bound
    return None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 8)), max_size=40),
    st.sampled_from([0.5, 0.8, 0.9]),
)
def test_the_width_is_that_of_plain_loops(rows: list[tuple[int, int]], coverage: float) -> None:
    errors, groups = [error / 10 for error, _ in rows], [group for _, group in rows]
    assert half_width(np.array(errors), groups, coverage) == by_loops(errors, groups, coverage)


@pytest.mark.parametrize("count", [1, 3, 4, 5, 9, 100])
@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9])
def test_of_speakers_with_one_utterance_each_it_is_the_usual_rule(count: int, coverage: float) -> None:
    errors = np.random.default_rng(count).random(count)
    place = ceil((count + 1) * coverage - 1e-9)
    expected = None if place > count else np.sort(errors)[place - 1]
    assert half_width(errors, list(range(count)), coverage) == expected
    assert (expected is not None) == (count >= least_speakers(coverage))


def test_it_holds_for_speakers_who_were_not_seen() -> None:
    """Each is beside by an amount of their own, and has from one utterance to thirty."""
    random, held, naive = np.random.default_rng(0), [], []
    for _ in range(1500):
        bias, size = random.normal(0, 1, 9), random.integers(1, 31, 9)
        groups = np.repeat(np.arange(9), size)
        errors = np.abs(bias[groups] + random.normal(0, 0.5, len(groups)))
        seen = groups < 8
        width = half_width(errors[seen], groups[seen].tolist())
        assert width is not None
        held.append((errors[~seen] <= width).mean())
        naive.append((errors[~seen] <= np.quantile(errors[seen], COVERAGE)).mean())
    error = np.std(held) / np.sqrt(len(held))
    assert np.mean(held) > COVERAGE - 2 * error
    assert np.mean(held) < COVERAGE + 1 / 9 + 2 * error  # no wider than one speaker's weight explains
    assert np.mean(naive) < COVERAGE - 2 * error  # utterances taken for independent promise too much


def table_of(errors: list[float], speakers: list[str | None]) -> tuple[pd.DataFrame, dict[str, str | None]]:
    ids = [f"u{i}" for i in range(len(errors))]
    table = pd.DataFrame({"id": ids, "v": 3.0, "v_predicted": 3 + np.array(errors)})
    return table, dict(zip(ids, speakers, strict=True))


def test_speakers_count_alike_however_much_they_said() -> None:
    errors = [0.1] * 50 + [0.2, 0.3, 0.4]
    table, speaker_of = table_of(errors, ["Ann"] * 50 + ["Bob", "Cem", "Dan"])
    found = fit_band(table, "v", speaker_of)
    assert found.half == pytest.approx(0.4)
    assert (found.utterances, found.speakers, found.note("v")) == (53, 4, "")
    assert found.source == "80 % of ratings lie within 0.4, from 53 validation utterances of 4 speakers"


def test_of_few_speakers_it_is_theirs_alone_and_says_so() -> None:
    table, speaker_of = table_of([0.1, -0.2, 0.3, -0.4, 0.5], ["Ann", "Ann", "Ann", "Bob", ""])
    found = fit_band(table, "v", speaker_of)
    assert (found.half, found.speakers) == (pytest.approx(0.5), 2)
    assert found.note("v") == (
        "The band of v rests on 5 validation utterances of 2 speakers alone: ratings of other speakers may lie outside "
        "of it more often."
    )
    assert "of speakers who are not known" in fit_band(table, "v").note("v")


def test_blank_ratings_count_as_none() -> None:
    table, speaker_of = table_of([0.1, 0.2, 0.3, 0.4, 9.0], list("abcde"))
    table["v"] = [*map(str, table["v"].iloc[:4]), ""]
    found = fit_band(table, "v", speaker_of)
    assert (found.half, found.utterances) == (pytest.approx(0.4), 4)


@pytest.mark.parametrize(
    ("errors", "cause"),
    [
        ([], "no validation utterance has a rating"),
        ([0.1], "1 validation utterance with a rating is too few"),
        ([0.1, 0.2, 0.3], "3 validation utterances with a rating are too few"),
    ],
)
def test_too_little_gives_no_band(errors: list[float], cause: str) -> None:
    table, speaker_of = table_of(errors, list("abc")[: len(errors)])
    found = fit_band(table, "v", speaker_of)
    assert (found.half, found.cause) == (None, cause)
    assert found.note("v") == f"The values of v have no band: {cause}."


def test_a_model_that_keeps_nothing_says_so() -> None:
    assert Band().note("v") == "The values of v have no band: the model keeps no validation errors."
