"""What raters reach beside what a model reaches, on the same utterances: agreement, one rater, ACC by agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import probabilities_of
from affuse.evaluation.intervals import Interval, speakers_of
from affuse.evaluation.measures import ClassMeasure, Measure
from affuse.evaluation.raters import (
    AGREEMENT,
    AgreementBand,
    by_agreement,
    human_ceiling,
    krippendorff_alpha,
    rating_ceiling,
)
from affuse.evaluation.soft import SOFT_METRICS, SoftMetrics, measure_soft


class Raters(NamedTuple):
    """How far the raters of one task agree, on utterances that have a label and two votes or more.

    Args:
        metric: "acc" (of classes) or "ccc" (of ratings): what one rater is measured by.
        utterances: How many.
        votes: Mean number of votes of an utterance.
        alpha: Krippendorff's, nominal of classes, interval of ratings.
        rater: One rater against the majority of the others (classes) or their mean (ratings).
        counts: (utterances, answers), indexed by id.
    """

    metric: str
    utterances: int
    votes: float
    alpha: float
    rater: Interval
    counts: pd.DataFrame


class ModelBesideRaters(NamedTuple):
    """A model on the utterances of ``Raters``, the mean over its tables (seeds).

    Args:
        reached: ACC or CCC.
        bands: ACC by agreement of the raters; none of ratings.
        soft: Of its probabilities against the votes for its classes; None of ratings and where nobody voted for one.
    """

    reached: Interval
    bands: list[AgreementBand]
    soft: SoftMetrics | None


def measure_raters(
    said: pd.DataFrame, measure: Measure, table: pd.DataFrame, clusters: pd.Series
) -> Raters | None:
    """How far raters agree on the labelled utterances of a prediction table.

    Args:
        said: Columns id, task, answer and count, see ``training.raters.said_by_raters``.
        measure: Of the task.
        table: See ``predictions.prediction_table``.
        clusters: Utterance id -> speaker; an utterance without one is a speaker of its own.

    Returns:
        None where no labelled utterance has two votes.

    Examples:
        >>> said = pd.DataFrame(
        ...     {"id": list("aab"), "task": "t", "answer": ["x", "y", "x"], "count": [2, 1, 3]}
        ... )
        >>> table = pd.DataFrame({"id": ["a", "b"], "t": ["x", "x"], "t_predicted": ["x", "y"]})
        >>> found = measure_raters(said, ClassMeasure("t", ["x", "y"]), table, pd.Series({"a": "Ann", "b": "Bob"}))
        >>> found.utterances, found.votes, round(found.rater.value, 3)
        (2, 3.0, 0.667)
    """
    said = said[said["task"] == measure.task] if len(said) else said
    labelled = table.loc[measure.known(table), "id"]
    if not len(said) or not said["id"].isin(labelled).any():
        return None
    counts = said.pivot_table(index="id", columns="answer", values="count", aggfunc="sum", fill_value=0)
    counts = counts.reindex(labelled.drop_duplicates()).fillna(0)
    counts = counts[counts.sum(axis=1) >= 2]
    if counts.empty:
        return None
    counts = counts.loc[:, counts.any()]
    array = counts.to_numpy(float)
    speakers = speakers_of(pd.Series(counts.index), clusters).tolist()
    if isinstance(measure, ClassMeasure):
        metric, alpha, rater = "acc", krippendorff_alpha(array), human_ceiling(array, speakers)
    else:
        values = counts.columns.to_numpy(float)
        metric, alpha = measure.main, krippendorff_alpha(array, values)
        rater = rating_ceiling(array, values, speakers, metric)
    return Raters(metric, len(counts), float(array.sum(axis=1).mean()), alpha, rater, counts)


def measure_model(
    raters: Raters, measure: Measure, tables: Sequence[pd.DataFrame], clusters: pd.Series
) -> ModelBesideRaters:
    """What a model reaches on the utterances of ``raters``.

    Args:
        raters: See ``measure_raters``.
        measure: Of the task.
        tables: One prediction table per seed, of the same utterances.
        clusters: Utterance id -> speaker.
    """
    here = [table[table["id"].isin(raters.counts.index) & measure.known(table)] for table in tables]
    reached = measure.interval(measure.speaker_sums(here, clusters), raters.metric)
    if not isinstance(measure, ClassMeasure):
        return ModelBesideRaters(reached, [], None)
    bands: list[list[AgreementBand]] = []
    soft: list[SoftMetrics] = []
    for table in here:
        right = (table[measure.task] == table[f"{measure.task}_predicted"]).to_numpy(bool)
        bands.append(by_agreement(raters.counts.loc[table["id"]].to_numpy(float), right))
        votes = raters.counts.reindex(index=table["id"], columns=measure.space).fillna(0).to_numpy(float)
        if votes.any():
            soft.append(measure_soft(votes, probabilities_of(table, measure.task, measure.space)[0]))
    return ModelBesideRaters(reached, [_mean_band(of) for of in zip(*bands, strict=True)], _mean_soft(soft))


def rater_line(raters: Raters, model: ModelBesideRaters) -> dict[str, object]:
    """One line of a table of raters: numbers by name, shares 0 to 1; of ratings without bands and soft metrics.

    ``value``, ``low`` and ``high`` are the model's, ``rater`` ... those of one rater; ``n_all``, ``acc_all`` and so on
    those of the bands; ``entropy`` is that of the votes.
    """
    line: dict[str, object] = {
        "metric": raters.metric, "utterances": raters.utterances, "votes": raters.votes, "alpha": raters.alpha,
        "rater": raters.rater.value, "rater_low": raters.rater.low, "rater_high": raters.rater.high,
        "value": model.reached.value, "low": model.reached.low, "high": model.reached.high,
    }  # fmt: skip
    for key, band in zip(AGREEMENT, model.bands, strict=False):
        line |= {f"n_{key}": band.utterances, f"acc_{key}": band.accuracy}
    if model.soft is not None:
        line |= {name: getattr(model.soft, name) for name in ("entropy", *SOFT_METRICS)}
    return line


def _mean_band(bands: Sequence[AgreementBand]) -> AgreementBand:
    return bands[0]._replace(accuracy=float(np.mean([one.accuracy for one in bands])))


def _mean_soft(found: Sequence[SoftMetrics]) -> SoftMetrics | None:
    if not found:
        return None
    names = SoftMetrics._fields[:-1]
    means = {name: float(np.mean([getattr(one, name) for one in found])) for name in names}
    return SoftMetrics(**means, n=found[0].n)
