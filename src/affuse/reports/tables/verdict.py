"""The verdict on a comparison in a few plain sentences, generated from its tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.measures import SHOWN, ClassMeasure, Measure
from affuse.evaluation.power import ALPHA, POWER, detectable_by_mcnemar
from affuse.names import counted
from affuse.reports.numbers import equals, plain
from affuse.reports.tables.paired import THESE_RUNS, UNJUDGED, UNTESTED

_SHOWN = 3  # differences in words; more are in the table
_DISCORDANT = 0.1
SIGNIFICANT = "p < 0.05 over speakers and over trainings, corrected for the number of comparisons"


def verdict(
    paired: pd.DataFrame, names: Sequence[str], n: int, kind: type[Measure] = ClassMeasure
) -> tuple[str, str]:
    """What was found, and what could have been found.

    Args:
        paired: The lines of one task of ``paired_tests.csv``.
        names: How each line's row is called.
        n: Labelled test utterances.
        kind: Of the task.
    """
    if not len(paired):
        return "There is only one row, so nothing is compared.", _could_find_alone(n, kind)
    lines = [line | {"name": name} for line, name in zip(paired.to_dict("records"), names, strict=True)]
    shown = SHOWN[kind.main]
    could = could_find(
        shown.factor * paired[f"{kind.main}_detectable"],
        int(paired["n"].max()),
        int(paired["speakers"].max()),
        f"{shown.name}{shown.unit}" if shown.unit else f"in {shown.name}",
        shown.digits,
        shown.factor * kind.largest,
    )
    return _found(lines, kind), could


def comparison_in_words(line: Mapping[Any, Any], kind: type[Measure] = ClassMeasure) -> str:
    """'BACC of center is 0.4 points higher than that of cross_entropy (95 % interval of the difference ...)'."""
    shown, metric = SHOWN[kind.main], kind.main
    low, high, difference = (line[f"{metric}_{name}"] for name in ("low", "high", "difference"))
    parts: list[str] = []
    if low == low:
        span = f"{plain(shown.factor * low, shown.digits)} to {plain(shown.factor * high, shown.digits)}"
        parts.append(f"95 % interval of the difference {span}")
    if kind is ClassMeasure:
        parts.append(_utterances(line))
    parts.append(_p_values(line, metric))
    amount = plain(shown.factor * abs(difference), shown.digits)
    how = f"{amount}{shown.unit} {'higher' if difference > 0 else 'lower'} than"
    if float(amount) == 0:
        how = "equal to"
    return f"{shown.name} of {_quoted(line['name'])} is {how} that of {_quoted(line['reference'])} ({'; '.join(parts)})"


def _quoted(name: str) -> str:
    """A row's name in quotes where it has a comma of its own."""
    return f"\u201c{name}\u201d" if "," in name else name


def _p_values(line: Mapping[Any, Any], metric: str) -> str:
    """'p = 0.52 over speakers, p = 0.61 over trainings'."""
    speakers, trainings = line[f"{metric}_p_holm"], line.get("resampled_p_holm", float("nan"))
    if speakers != speakers:
        return "not tested"
    told = f"p {equals(speakers)} over speakers"
    return told if trainings != trainings else f"{told}, p {equals(trainings)} over trainings"


def _utterances(line: Mapping[Any, Any]) -> str:
    """'3 more of 933 utterances correct'; means over seeds need not be whole."""
    amount = plain(abs(line["utterances"]), 0)
    if amount == "0":
        return f"as many of {counted(line['n'], 'utterance')} correct"
    return f"{amount} {'more' if line['utterances'] > 0 else 'fewer'} of {counted(line['n'], 'utterance')} correct"


def _found(lines: Sequence[Mapping[Any, Any]], kind: type[Measure]) -> str:
    count = len(lines)
    judged = [line for line in lines if line["verdict"] != UNJUDGED]
    left = _left(lines)
    if not judged:
        what = "The only difference is not" if count == 1 else f"None of the {count} differences is"
        return f"{what} judged, because {_why(lines)}."
    tested = [line for line in judged if line["verdict"] != UNTESTED]
    if not tested:
        what = "The difference cannot" if count == 1 else f"None of the {count} differences can"
        shown = f": {comparison_in_words(lines[0], kind)}" if count == 1 else ""
        return f"{what} be tested, because that takes test utterances of at least two speakers{shown}.{left}"
    sure = [line for line in tested if line["verdict"] in ("higher", "lower")]
    partly = [line for line in tested if str(line["verdict"]).endswith(THESE_RUNS)]
    by_p = sorted(sure or partly or tested, key=lambda line: line[f"{kind.main}_p_holm"])
    words = "; ".join(comparison_in_words(line, kind) for line in by_p[:_SHOWN])
    words += f"; and {len(by_p) - _SHOWN} more in the table" if len(by_p) > _SHOWN else ""
    if sure:
        what = (
            "The difference is"
            if count == 1
            else f"{len(sure)} of the {count} differences {'is' if len(sure) == 1 else 'are'}"
        )
        return f"{what} statistically significant ({SIGNIFICANT}): {words}.{left}"
    none = "The difference is not" if count == 1 else f"None of the {count} differences is"
    if partly:
        these = "It is" if count == 1 else f"{len(partly)} {'is' if len(partly) == 1 else 'are'}"
        return (
            f"{none} statistically significant. {these} significant over speakers but not over trainings, so other "
            f"seeds or folds may give another result: {words}.{left}"
        )
    which = "" if count == 1 else "; the one with the smallest p value"
    return (
        f"{none} statistically significant{which}: {comparison_in_words(by_p[0], kind)}. This does not show that "
        f"there is no difference.{left}"
    )


def _left(lines: Sequence[Mapping[Any, Any]]) -> str:
    """' Not judged: 3, of which 1 because the test part was used to make them ...', or ''."""
    used = sum(bool(line.get("on_test")) for line in lines)
    untrained = sum(bool(line.get("trainings")) and not line.get("on_test") for line in lines)
    counts = {
        "the test part was used to make one of the two rows": used,
        "a network did not train well enough": untrained,
    }
    reasons = [f"{count} because {why}" for why, count in counts.items() if count]
    return f" Not judged: {', '.join(reasons)}." if reasons else ""


def _why(lines: Sequence[Mapping[Any, Any]]) -> str:
    """Of lines none of which is judged."""
    untrained = [bool(line.get("trainings")) for line in lines]
    if all(untrained):
        return "networks did not train well enough"
    used = "the test part was used to make the rows"
    return f"{used}, or their networks did not train well enough" if any(untrained) else used


def could_find(
    detectable: pd.Series, n: int, speakers: int, unit: str, digits: int = 1, largest: float = 100.0
) -> str:
    """What a comparison of this size would find with a power of 80 %: the median over its lines.

    Args:
        detectable: Of each line, in ``unit``; NaN where it is not known.
        n: Test utterances.
        speakers: Of how many speakers.
        unit: For example "BACC points".
        digits: Decimals.
        largest: No true difference is larger.
    """
    found = detectable.dropna()
    size = f"{counted(n, 'test utterance')} of {counted(speakers, 'speaker')}"
    if not len(found):
        return f"With {size}, it is not known how large a difference would have to be to be found."
    middle = float(np.median(found))
    if middle >= largest:
        return f"With {size}, no difference can be found: it would have to be larger than any can be."
    more = ", before the correction for several comparisons" if len(detectable) > 1 else ""
    return (
        f"With {size}, a true difference of {plain(middle, digits)} {unit} is found with a probability of "
        f"{100 * POWER:.0f} %{more}, a smaller one less often."
    )


def _could_find_alone(n: int, kind: type[Measure]) -> str:
    size = counted(n, "test utterance")
    if kind is not ClassMeasure:
        name = SHOWN[kind.main].name
        return f"With {size}, it takes a second row to know how large a difference in {name} can be found."
    found = detectable_by_mcnemar(n, _DISCORDANT, POWER, ALPHA)
    if np.isnan(found):
        return f"With {size}, hardly any difference from another row could be found."
    return (
        f"With {size}, McNemar's test finds a true difference of {plain(100 * found)} ACC points from another row with "
        f"a probability of {100 * POWER:.0f} %, if the two disagree on {100 * _DISCORDANT:.0f} % of the utterances and "
        "speakers do not differ. They do, so the difference has to be larger."
    )
