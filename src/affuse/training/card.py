"""What a run knows for the card of its model: data, protocol, numbers with their intervals, the gap by gender."""

from __future__ import annotations

import pandas as pd

from affuse.evaluation.dimensions import has_rating
from affuse.evaluation.groups import group_gap
from affuse.evaluation.intervals import Interval, speaker_confusions, speaker_interval, speakers_in_words
from affuse.evaluation.label_sets import LABEL_SET_METRICS, has_set, measure_label_sets
from affuse.evaluation.measures import ClassMeasure, Measure, RatingMeasure, SetMeasure
from affuse.evaluation.predictions import measure_table, measure_votes
from affuse.models.card import METRICS
from affuse.models.card_facts import CardFacts, Gap, RatingResult, SetResult, TaskResult
from affuse.training.experiment import Experiment


def card_facts(experiment: Experiment, fold: int, test: pd.DataFrame, training: str = "") -> CardFacts:
    """Collect what ``models.card.card_text`` says of a run.

    Args:
        experiment: that the model was trained in.
        fold: of the experiment's split.
        test: the run's prediction table of the test part.
        training: why the numbers say little of the method, "" where the network trained (``convergence``).
    """
    table = experiment.labelled.table
    speaker_of = table.set_index("id")["speaker"]
    roles = experiment.roles(fold)
    return CardFacts(
        corpus=experiment.corpus.info,
        speakers=table["speaker"].nunique(),
        parts={role: (len(ids), speaker_of.reindex(ids).nunique()) for role, ids in roles.items()},
        notes=experiment.notes,
        fold=fold,
        folds=len(experiment.split.folds),
        stamp=experiment.split.stamp,
        results={
            task: TaskResult(
                _intervals(experiment, test, task),
                measure_table(test, task, space).recall,
                _gap(experiment, test, ClassMeasure(task, space)),
            )
            for task, space in experiment.labelled.spaces.items()
            if test[task].isin(space).any()
        },
        tested=speakers_in_words(test["id"].map(speaker_of)),
        training=training,
        ratings={
            task: _rating(experiment, test, RatingMeasure(task))
            for task in experiment.labelled.ratings
            if has_rating(test, task)
        },
        votes={
            task: soft
            for task in experiment.labelled.shares
            if (soft := measure_votes(test, task, experiment.labelled.spaces[task])) is not None
        },
        sets={
            task: SetResult(
                _set_intervals(SetMeasure(task, labels), test, speaker_of),
                several.map,
                several.f1,
            )
            for task, labels in experiment.labelled.label_sets.items()
            if has_set(test, task).any() and (several := measure_label_sets(test, task, labels))
        },
    )


def _set_intervals(measure: SetMeasure, test: pd.DataFrame, speaker_of: pd.Series) -> dict[str, Interval]:
    sums = measure.speaker_sums([test], speaker_of)
    return {LABEL_SET_METRICS[name]: measure.interval(sums, name) for name in ("macro_f1", "micro_f1")}


def _intervals(experiment: Experiment, test: pd.DataFrame, task: str) -> dict[str, Interval]:
    speaker_of = experiment.labelled.table.set_index("id")["speaker"]
    confusions = speaker_confusions([test], task, experiment.labelled.spaces[task], speaker_of)
    return {metric: speaker_interval(confusions, metric) for metric in METRICS}


def _rating(experiment: Experiment, test: pd.DataFrame, measure: RatingMeasure) -> RatingResult:
    sums = measure.speaker_sums([test], experiment.labelled.table.set_index("id")["speaker"])
    intervals = {name: measure.interval(sums, name) for name in measure.metrics}
    return RatingResult(intervals, _gap(experiment, test, measure))


def _gap(experiment: Experiment, test: pd.DataFrame, measure: Measure) -> Gap | None:
    """By the corpus's annotation of gender; None of gender itself, and where fewer than two groups were tested."""
    rows = experiment.labelled.table.set_index("id")
    gender = test["id"].map(rows["gender"])
    groups = {
        str(name): (measure.values(part)[measure.main], int(measure.known(part).sum()))
        for name in sorted(gender.dropna().unique())
        if measure.has_label(part := test[gender == name])
    }
    if measure.task == "gender" or len(groups) < 2:
        return None
    best = max(groups, key=lambda name: groups[name][0])
    worst = min(groups, key=lambda name: groups[name][0])
    found = group_gap(measure, [test], rows["gender"], rows["speaker"], (best, worst), measure.main)
    return Gap(groups, Interval(groups[best][0] - groups[worst][0], found.low, found.high), measure.main)
