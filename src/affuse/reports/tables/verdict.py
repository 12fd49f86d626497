"""The verdict on a comparison in two plain sentences, generated from its tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.power import ALPHA, POWER, detectable_by_mcnemar
from affuse.reports.numbers import p_value, plain, points, signed
from affuse.reports.tables.paired import NO_EFFECT, THESE_RUNS, UNJUDGED, UNTESTED

_TOLD = 3  # effects in words; more are in the table
_DISCORDANT = 0.1
_NBSP = "\u00a0"  # p and its value stay on one line


def verdict(paired: pd.DataFrame, names: list[str], n: int) -> tuple[str, str]:
    """What was found, and what could have been found.

    paired: lines of one task of ``paired_tests.csv``; names: how each line is called; n: labelled test utterances.
    """
    if not len(paired):
        return "There is nothing to compare: one row only.", _could_find_alone(n)
    lines = [line | {"name": name} for line, name in zip(paired.to_dict("records"), names, strict=True)]
    return _found(lines), _could_find(paired)


def comparison_in_words(line: dict[Any, Any]) -> str:
    """'center adds +0.4 BACC points [−0.9, 1.7] over cross_entropy (3 of 933 utterances; Holm p = 0.52)'."""
    value = line["bacc_difference"]
    amount = f"{plain(abs(100 * value))} BACC points"
    interval = points(line["bacc_low"], line["bacc_high"])
    if value < 0:
        change = f"loses {amount}{f' {interval}' if interval else ''} against"
    else:
        change = f"adds {'+' if value > 0 else ''}{amount}{f' {interval}' if interval else ''} over"
    p = (
        f"Holm p{_NBSP}{_equals(line['bacc_p_holm'])}"
        if line["bacc_p_holm"] == line["bacc_p_holm"]
        else "not tested"
    )
    net = signed(line["utterances"], 0).removeprefix("+")
    return f"{line['name']} {change} {line['reference']} ({net} of {line['n']} utterances; {p})"


def _found(lines: list[dict[Any, Any]]) -> str:
    count = len(lines)
    judged = [line for line in lines if line["verdict"] != UNJUDGED]
    left = _left(lines)
    if not judged:
        what = "The difference is" if count == 1 else f"None of {count} differences is"
        return f"{what}{' not' if count == 1 else ''} judged, since {_why(lines)}."
    if count == 1:
        return f"{comparison_in_words(lines[0])}: {_outcome(lines[0]['verdict'])}."
    tested = [line for line in judged if line["verdict"] != UNTESTED]
    if not tested:
        return f"None of {count} differences can be tested: that takes test utterances of two speakers at least{left}."
    sure = [line for line in tested if line["verdict"] in ("higher", "lower")]
    partly = [line for line in tested if line["verdict"].endswith(THESE_RUNS)]
    by_p = sorted(sure or partly or tested, key=lambda line: line["bacc_p_holm"])
    told = "; ".join(comparison_in_words(line) for line in by_p[:_TOLD])
    told += f"; and {len(by_p) - _TOLD} more in the table" if len(by_p) > _TOLD else ""
    told += left
    if sure:
        return f"{len(sure)} of {count} differences {'is' if len(sure) == 1 else 'are'} shown: {told}."
    if partly:
        return (
            f"None of {count} differences is shown to outlast these trainings; {len(partly)} would show with other "
            f"speakers, but in these runs only: {told}."
        )
    nearest = comparison_in_words(by_p[0])
    return f"None of {count} differences is shown; the nearest to one: {nearest}: {NO_EFFECT}{left}."


def _left(lines: list[dict[Any, Any]]) -> str:
    """' (not judged, since the test part had a hand in them: 1; since networks did not train ...: 2)', or ''."""
    counts = {
        "the test part had a hand in them": sum(bool(line.get("on_test")) for line in lines),
        "networks did not train well enough": sum(
            bool(line.get("trainings")) and not line.get("on_test") for line in lines
        ),
    }
    told = "; ".join(f"since {why}: {count}" for why, count in counts.items() if count)
    return f" (not judged, {told})" if told else ""


def _why(lines: list[dict[Any, Any]]) -> str:
    """Of lines none of which is judged."""
    untrained = [bool(line.get("trainings")) for line in lines]
    if all(untrained):
        return "the networks behind it did not train well enough (next sentence)"
    hand = "the test part had a hand in it"
    return (
        f"{hand}, or the networks behind it did not train well enough (next sentence)"
        if any(untrained)
        else hand
    )


def _outcome(verdict: str) -> str:
    if verdict in (UNTESTED, NO_EFFECT):
        return verdict
    if verdict.endswith(THESE_RUNS):
        return "an effect in these runs, not shown over trainings"
    return "an effect is shown"


def _could_find(paired: pd.DataFrame) -> str:
    return could_find(
        100 * paired["bacc_detectable"], int(paired["n"].max()), int(paired["speakers"].max()), "BACC points"
    )


def could_find(
    detectable: pd.Series, n: int, speakers: int, unit: str, digits: int = 1, largest: float = 100.0
) -> str:
    """What a comparison of n test utterances would show four times in five: the median of its lines' differences.

    No true difference is beyond ``largest``.
    """
    found = detectable.dropna()
    size = f"A comparison of this size ({n} test utterances of {speakers} speakers)"
    if not len(found):
        return f"{size} cannot say what it would find."
    middle = float(np.median(found))
    if middle >= largest:
        return f"{size} can show nothing: no true difference is as large as it would have to be."
    more = " before the correction for several comparisons" if len(detectable) > 1 else ""
    return (
        f"{size} finds a true difference of {plain(middle, digits)} {unit} four times in five"
        f"{more}; smaller ones it will mostly miss."
    )


def _could_find_alone(n: int) -> str:
    found = detectable_by_mcnemar(n, _DISCORDANT, POWER, ALPHA)
    if np.isnan(found):
        return f"With {n} test utterances hardly any difference could be shown."
    return (
        f"On {n} test utterances McNemar's test finds a true difference of {plain(100 * found)} ACC points four "
        f"times in five, if two rows disagree on {100 * _DISCORDANT:.0f} % of them and speakers do not "
        "matter; they do, "
        "so count on more."
    )


def _equals(p: float) -> str:
    text = p_value(p)
    return text if text.startswith("<") else f"={_NBSP}{text}"
