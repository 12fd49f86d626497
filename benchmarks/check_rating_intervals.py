"""How often the intervals of ratings hold the true value, and how often equal rows are told apart: docs/statistics.md.

python benchmarks/check_rating_intervals.py 1000
"""

from __future__ import annotations

import argparse

import numpy as np

from affuse.evaluation.differences import paired_difference
from affuse.evaluation.rating_sums import RATING_MEASURES, SUMS, rating_interval

SPEAKERS = (3, 4, 6, 12, 30)
SHIFTS = (
    0.2,
    0.5,
    0.9,
)  # standard deviation over speakers of how far answers lie beside, beside 0.4 of noise
EACH = 20  # utterances of a speaker on average, from half to twice as many
CROWD = 60_000  # speakers whose metrics count as the truth
RESAMPLES = 400


def draw(random: np.random.Generator, speakers: int, shift: float, rows: int = 1) -> np.ndarray:
    """(rows, speakers, 1, SUMS): rows that are equally good, on the same utterances."""
    said = random.integers(EACH // 2, 3 * EACH // 2 + 1, speakers)
    whose = np.repeat(np.arange(speakers), said)
    y = random.normal(random.normal(0, 0.5, speakers)[whose], 0.8)
    common = random.normal(0, shift, speakers)
    found = np.zeros((rows, speakers, 1, SUMS))
    for row in found:
        own = random.normal(0, shift, speakers)
        beside = (common if rows == 1 else (common + own) / np.sqrt(2))[whose]
        x = 0.6 * y + beside + random.normal(0, 0.4, len(y))
        each = np.stack([np.ones_like(x), x, y, x * x, y * y, x * y, np.abs(x - y)], axis=-1)
        np.add.at(row[:, 0], whose, each)
    return found


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("trials", type=int, nargs="?", default=1000)
    trials = parser.parse_args().trials
    random = np.random.default_rng(0)
    print("| speakers | shift | CCC | Pearson | RMSE | MAE | told apart by CCC | by RMSE |")
    print("|" + "---|" * 8)
    for shift in SHIFTS:
        whole = draw(random, CROWD, shift)[0].sum(axis=0)
        truth = {name: float(measure(whole)[0]) for name, measure in RATING_MEASURES.items()}
        for speakers in SPEAKERS:
            held = dict.fromkeys(RATING_MEASURES, 0)
            told = dict.fromkeys(("ccc", "rmse"), 0)
            for trial in range(trials):
                rows = draw(random, speakers, shift, rows=2)
                for name in held:
                    _, low, high = rating_interval(rows[0], name)
                    held[name] += low <= truth[name] <= high
                for name in told:
                    measure = RATING_MEASURES[name]
                    p = paired_difference(rows[0], rows[1], measure, resamples=RESAMPLES, seed=trial).p
                    told[name] += p < 0.05
            numbers = [f"{100 * n / trials:.1f}" for n in (*held.values(), *told.values())]
            print(f"| {speakers} | {shift:g} | {' | '.join(numbers)} |", flush=True)


if __name__ == "__main__":
    main()
