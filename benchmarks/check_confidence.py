"""What a temperature and a threshold fitted on few validation utterances do to the test part: a simulation.

    python benchmarks/check_confidence.py [REPLICATES]

Networks of four classes whose logits are the true ones times T (T > 1: too sure of themselves), and one whose answers
are chance. Speakers differ: each has a bias of the logits (standard deviation 0.5) and a factor on T (of ln T: 0.2).
Fitted on n validation utterances of k speakers, measured on 6000 utterances of 60 others. The tables of
docs/statistics.md are this script's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

from affuse.evaluation import calibration
from affuse.evaluation.calibration import (
    apply_temperature,
    effective,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
)
from affuse.evaluation.confidence import unsure_below

CLASSES = 4
SIZES = ((3, 2), (10, 1), (21, 1), (50, 2), (100, 1), (100, 5), (500, 5), (500, 25))
NETWORKS = {"T = 0.7": 0.7, "T = 1": 1.0, "T = 1.5": 1.5, "T = 3": 3.0, "chance": None}


class Part(NamedTuple):
    probabilities: np.ndarray  # (n, classes)
    labels: np.ndarray  # (n,)
    speakers: np.ndarray  # (n,)


def simulate(count: int, speakers: int, sharpness: float | None, random: np.random.Generator) -> Part:
    """Utterances of equally many to a speaker."""
    parts = []
    for speaker, rows in enumerate(np.array_split(np.arange(count), speakers)):
        meant = random.integers(0, CLASSES, len(rows))
        logits = random.normal(size=(len(rows), CLASSES))
        logits[np.arange(len(rows)), meant] += 1.8
        true = softmax(1.5 * logits + random.normal(0, 0.5, CLASSES), axis=1)
        labels = (true.cumsum(axis=1) > random.random((len(rows), 1))).argmax(axis=1)
        if sharpness is None:
            labels = random.integers(0, CLASSES, len(rows))
        factor = (sharpness or 1.0) * np.exp(random.normal(0, 0.2))
        parts.append((softmax(1.5 * factor * logits, axis=1), labels, np.full(len(rows), speaker)))
    return Part(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def likeliest(part: Part) -> float:
    """Maximum likelihood between 0.05 and 20, which affuse did before."""
    logits = np.log(np.maximum(part.probabilities, calibration.LEAST))

    def loss(log_temperature: float) -> float:
        scaled = log_softmax(logits / np.exp(log_temperature), axis=1)
        return float(-scaled[np.arange(len(part.labels)), part.labels].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.05), np.log(20)), method="bounded")
    return float(np.exp(found.x))


def with_prior(prior: float, alike: float) -> Callable[[Part], float]:
    def fit(part: Part) -> float:
        before = calibration.PRIOR, calibration.ALIKE
        calibration.PRIOR, calibration.ALIKE = prior, alike
        try:
            return fit_temperature(*part).value
        finally:
            calibration.PRIOR, calibration.ALIKE = before

    return fit


def temperatures(replicates: int) -> None:
    rules: dict[str, Callable[[Part], float]] = {
        "T = 1": lambda part: 1.0,
        "likelihood": likeliest,
        "affuse": lambda part: fit_temperature(*part).value,
        "prior 0.25": with_prior(0.25, calibration.ALIKE),
        "prior 1": with_prior(1.0, calibration.ALIKE),
        "all speakers' own": with_prior(calibration.PRIOR, 0.0),
    }
    print(
        "| network | utterances (speakers) | " + " | ".join(rules) + " |\n" + "|---" * (len(rules) + 2) + "|"
    )
    for network, sharpness in NETWORKS.items():
        test = simulate(6000, 60, sharpness, np.random.default_rng(1))
        grid = np.exp(np.linspace(-3, 5, 161))
        best = min(nll(test, t) for t in grid)
        for count, speakers in SIZES:
            random = np.random.default_rng(2)
            parts = [simulate(count, speakers, sharpness, random) for _ in range(replicates)]
            cells = []
            for rule in rules.values():
                found = [rule(part) for part in parts]
                excess = [nll(test, t) - best for t in found]
                ece = [
                    expected_calibration_error(apply_temperature(test.probabilities, t), test.labels)
                    for t in found[:40]
                ]
                cells.append(
                    f"{np.mean(excess):.3f} ({np.quantile(excess, 0.95):.2f}) {100 * np.mean(ece):.0f}"
                )
            print(f"| {network} | {count} ({speakers}) | " + " | ".join(cells) + " |", flush=True)


def nll(part: Part, temperature: float) -> float:
    return negative_log_likelihood(apply_temperature(part.probabilities, temperature), part.labels)


def thresholds(replicates: int) -> None:
    """Cost of an answer: 1 if wrong, 1/2 if called unsure (Chow 1970)."""
    rules = {"never unsure": None, "as counted": 0.0, "belief 10": 10.0, "belief 30": 30.0}
    print(
        "\n| network | utterances (speakers) | "
        + " | ".join(rules)
        + " |\n"
        + "|---" * (len(rules) + 2)
        + "|"
    )
    for network, sharpness in NETWORKS.items():
        test = simulate(6000, 60, sharpness, np.random.default_rng(1))
        for count, speakers in SIZES:
            random = np.random.default_rng(2)
            costs: dict[str, list[float]] = {name: [] for name in rules}
            for _ in range(replicates):
                part = simulate(count, speakers, sharpness, random)
                found = fit_temperature(*part)
                shown = apply_temperature(part.probabilities, found.value)
                right = shown.argmax(axis=1) == part.labels
                weight = effective(count, part.speakers) / count
                tested = apply_temperature(test.probabilities, found.value)
                wrong = tested.argmax(axis=1) != test.labels
                for name, belief in rules.items():
                    below = 0.0
                    if belief is not None and not found.cause:
                        below = unsure_below(shown.max(axis=1), right, belief / weight)
                    costs[name].append(float(np.where(tested.max(axis=1) < below, 0.5, wrong).mean()))
            cells = [f"{np.mean(c):.3f} ({np.quantile(c, 0.95):.2f})" for c in costs.values()]
            print(f"| {network} | {count} ({speakers}) | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    temperatures(wanted)
    thresholds(wanted)
