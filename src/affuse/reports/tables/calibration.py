"""``calibration.csv`` and ``reliability.csv``: whether the rows' probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from affuse.evaluation.calibration import (
    BINS,
    Temperature,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    probabilities_of,
    reliability,
    speakers_of,
)
from affuse.reports.tables.rows import Row, Run, uncounted


def calibration_tables(
    rows: Sequence[Row], task: str, space: Sequence[str], advance: Callable[[], None] = uncounted
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """(calibration, reliability) of the test part, folds together, averaged over seeds.

    calibration, one line per row: n, confidence, acc, ece, nll (nats), and ece_scaled, nll_scaled after each run's
    own ``temperature`` (mean over runs), fitted on its validation part alone: NaN without one; ``unfitted`` runs had
    nothing to fit on, ``evidence`` is the mean of ``fit_temperature``'s. reliability: a line per row, ``scaled`` and
    bin of confidence, seeds together. A row that calls classes without probabilities (a support vector machine) is
    left out.
    """
    lines, curves = [], []
    for row in rows:
        advance()
        by_seed: dict[int, list[tuple[np.ndarray, np.ndarray, np.ndarray, Temperature]]] = {}
        fitted: dict[Path, Temperature] = {}  # of each training once
        for run in row.runs:
            if task in run.test.columns and run.test[task].isin(list(space)).any():
                by_seed.setdefault(run.seed, []).append(_scaled(run, task, space))
                fitted[run.folder] = by_seed[run.seed][-1][3]
        if not by_seed or all(np.isin(p, (0, 1)).all() for of in by_seed.values() for p, *_ in of):
            continue
        about = row.settings | {"task": task, "stamp": row.stamp, "on_test": row.on_test}
        seeds = [[np.concatenate([run[i] for run in of]) for i in range(3)] for of in by_seed.values()]  # type: ignore[misc]
        found: dict[str, list[float]] = {}
        for plain, scaled, labels in seeds:
            found.setdefault("confidence", []).append(float(plain.max(axis=1).mean()))
            found.setdefault("acc", []).append(float((plain.argmax(axis=1) == labels).mean()))
            for name, p in (("", plain), ("_scaled", scaled)):
                whole = not np.isnan(p).any()
                found.setdefault(f"ece{name}", []).append(
                    expected_calibration_error(p, labels) if whole else np.nan
                )
                found.setdefault(f"nll{name}", []).append(
                    negative_log_likelihood(p, labels) if whole else np.nan
                )
        temperatures = list(fitted.values())
        line: dict[str, Any] = {"n": len(seeds[0][2]), "seeds": len(seeds), "bins": BINS}
        line |= {name: float(np.mean(values)) for name, values in found.items()}
        line["temperature"] = float(np.mean([found.value for found in temperatures]))
        line["evidence"] = float(np.mean([found.evidence for found in temperatures]))
        line["unfitted"] = sum(bool(found.cause) and found.value == 1.0 for found in temperatures)
        lines.append(about | line)
        for scaled in (False, True):
            pooled = np.concatenate([of[int(scaled)] for of in seeds])
            if not np.isnan(pooled).any():
                curve = reliability(pooled, np.concatenate([of[2] for of in seeds]))
                curves.append(curve.assign(**{**about, "scaled": scaled}))
    curve = pd.concat(curves, ignore_index=True) if curves else pd.DataFrame()
    first = [name for name in curve.columns if name not in ("low", "high", "n", "confidence", "accuracy")]
    return pd.DataFrame(lines), curve[[*first, *(name for name in curve.columns if name not in first)]]


def _scaled(
    run: Run, task: str, space: Sequence[str]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, Temperature]:
    """Test probabilities, the same at the validation part's temperature, labels, temperature."""
    probabilities, labels = probabilities_of(run.test, task, space)
    known = probabilities_of(run.validation, task, space)
    speakers = speakers_of(run.validation, task, space, _speaker_of(run))
    temperature = fit_temperature(*known, speakers)
    if np.isnan(temperature.value):
        return probabilities, np.full_like(probabilities, np.nan), labels, temperature
    return probabilities, apply_temperature(probabilities, temperature.value), labels, temperature


def _speaker_of(run: Run) -> dict[str, str] | None:
    """Utterance id -> speaker by the run's split; None where it has none."""
    table = run.tables.split
    return dict(zip(table["id"], table["speaker"], strict=True)) if "speaker" in table.columns else None
