"""How often do intervals of ACC and BACC hold the truth? A simulation over speakers who differ.

    python benchmarks/check_intervals.py [--trials 200] [--speakers 2 3]

Speakers have an accuracy of their own (normal on the logit scale, also a little different by class), numbers of
utterances that differ, and classes that are not equally frequent; three tables (seeds) agree on four utterances in
five. The truth is the expected metric of other such speakers. The docs' table is what this prints (docs/statistics.md).
"""

from __future__ import annotations

import argparse
import itertools

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import brentq
from scipy.special import expit, ndtr, stdtrit

from affuse.evaluation.intervals import (
    MEASURES,
    clopper_pearson,
    independent_utterances,
    shares,
    speaker_interval,
    spread_over_speakers,
)
from affuse.evaluation.resampling import draw_speakers, resample

SPEAKERS = (2, 3, 4, 5, 10, 24)
UTTERANCES = ((20, 0.0), (60, 0.5), (300, 0.8))  # of a speaker; standard deviation of their logarithm
SPREADS = (0.0, 0.4, 1.0)  # standard deviation of speakers on the logit scale
ACCURACIES = (0.4, 0.7, 0.95)
CLASSES = (2, 4, 8)
TABLES, SHARED, OWN = 3, 0.8, 0.3  # OWN: the part of the spread that is of each class alone
RESAMPLES = 400
METHODS = ("resamples", "utterances", "linear", "Korn-Graubard", "affuse")


def simulate(
    random: np.random.Generator, speakers: int, each: int, uneven: float, spread: float, accuracy: float, classes: int
) -> tuple[np.ndarray, dict[str, float]]:  # fmt: skip
    """Confusions (speakers, tables, classes, classes) and the true ACC and BACC."""
    prior = 0.7 ** np.arange(classes)
    prior /= prior.sum()
    mean = np.clip(accuracy + np.linspace(-0.1, 0.1, classes) * min(1, (1 - accuracy) / 0.3), 0.05, 0.99)
    n = np.maximum(3, (each * random.lognormal(-(uneven**2) / 2, uneven, speakers)).astype(int))
    said = np.stack([random.multinomial(count, prior) for count in n])
    effect = spread * (
        np.sqrt(1 - OWN**2) * random.normal(size=(speakers, 1)) + OWN * random.normal(size=said.shape)
    )
    p = expit(np.array([logit_mean(share, spread) for share in mean]) + effect)
    core = random.binomial(said, SHARED)
    apart = random.binomial((said - core)[:, None], p[:, None], (speakers, TABLES, classes))
    right = random.binomial(core, p)[:, None] + apart
    confusions = np.zeros((speakers, TABLES, classes, classes))
    for i in range(classes):
        confusions[:, :, i, i] = right[..., i]
        confusions[:, :, i, i - 1] += said[:, None, i] - right[..., i]
    return confusions, {"acc": float(prior @ mean), "bacc": float(mean.mean())}


_KNOWN: dict[tuple[float, float], float] = {}


def logit_mean(share: float, spread: float) -> float:
    """M with E expit(m + spread z) = share for a normal z."""
    if (share, spread) not in _KNOWN:
        nodes, weights = hermegauss(61)
        weights = weights / weights.sum()
        found = brentq(lambda m: float(weights @ expit(m + spread * nodes)) - share, -15, 15)
        _KNOWN[share, spread] = float(found)  # type: ignore[arg-type]
    return _KNOWN[share, spread]


def intervals(confusions: np.ndarray, metric: str, seed: int) -> dict[str, tuple[float, float]]:
    """Method -> low, high."""
    value, low, high = speaker_interval(confusions, metric)
    right, said = shares(confusions, metric)
    n = independent_utterances(value, right.sum(axis=0), said.sum(axis=0))
    variance, df = spread_over_speakers(right, said)
    t = float(stdtrit(df, 0.975)) if df else np.inf
    half = t * np.sqrt(variance) if df else np.inf
    effective = value * (1 - value) / variance * (1.96 / t) ** 2 if variance > 0 else n if df else 0.0
    speakers = len(confusions)
    drawn = resample(confusions, draw_speakers(speakers, RESAMPLES, seed), metric)
    tail = float(ndtr(stdtrit(speakers - 1, 0.025)))
    of = np.nanquantile(drawn, [tail, 1 - tail]) if not np.isnan(drawn).all() else (np.nan, np.nan)
    return {
        "resamples": (float(of[0]), float(of[1])),
        "utterances": clopper_pearson(value, n, 0.95),
        "linear": (max(0.0, value - half), min(1.0, value + half)),
        "Korn-Graubard": clopper_pearson(value, min(n, effective), 0.95),
        "affuse": (low, high),
    }


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--speakers", type=int, nargs="+", default=SPEAKERS)
    options = parser.parse_args()
    trials = options.trials
    print("| speakers | metric |", " | ".join(METHODS), "|")
    print("|---|---|" + "---|" * len(METHODS))
    for speakers in options.speakers:
        random = np.random.default_rng(speakers)
        held: dict[tuple[str, str], list[float]] = {}
        widths: dict[tuple[str, str], list[float]] = {}
        for (each, uneven), spread, accuracy, classes in itertools.product(
            UTTERANCES, SPREADS, ACCURACIES, CLASSES
        ):
            holds = {(metric, method): 0 for metric in MEASURES for method in METHODS}
            for trial in range(trials):
                confusions, truth = simulate(random, speakers, each, uneven, spread, accuracy, classes)
                for metric in MEASURES:
                    for method, (low, high) in intervals(confusions, metric, trial).items():
                        holds[metric, method] += bool(low <= truth[metric] <= high)
                        widths.setdefault((metric, method), []).append(high - low)
            for key, count in holds.items():
                held.setdefault(key, []).append(100 * count / trials)
        for metric in MEASURES:
            cells = [
                f"{np.mean(held[metric, m]):.1f} ({min(held[metric, m]):.0f} to {max(held[metric, m]):.0f}), "
                f"{100 * np.nanmean(widths[metric, m]):.0f}"
                for m in METHODS
            ]
            print(f"| {speakers} | {metric.upper()} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
