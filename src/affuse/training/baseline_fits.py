"""What a baseline fits: statistics of features over time, and regressions whose penalty a cross-validation chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from affuse.evaluation.dimensions import measure_ratings
from affuse.training.features import Source

GRID = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # C of the logistic regression
ALPHAS = (1.0, 10.0, 100.0, 1e3, 1e4)  # of the ridge regression
INNER = 5  # folds of the cross-validation inside the training part
# of its fits, which only rank the values of C; the one that answers has scikit-learn's 1e-4
SEARCH_TOLERANCE = 3e-4


def pool(sources: Mapping[str, Source], names: Sequence[str], ids: Sequence[str]) -> dict[str, np.ndarray]:
    """Id -> (2 x widths of all modalities,) mean and deviation over time; NaN where a modality is missing."""
    widths: dict[str, int] = {}
    found: dict[str, dict[str, np.ndarray]] = {id: {} for id in ids}
    for name in names:
        for id in ids:
            clip = sources[name].load(id)
            if clip is not None:
                steps = clip.double().numpy()
                widths[name] = steps.shape[1]
                found[id][name] = np.concatenate([steps.mean(axis=0), steps.std(axis=0)])
    return {
        id: np.concatenate([of.get(name, np.full(2 * widths.get(name, 0), np.nan)) for name in names])
        for id, of in found.items()
    }


def prepare(rows: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Role -> (utterances, features), imputed and z-scored by the training part, turned into its own directions.

    With more features than utterances the penalised solution lies in the span of the training part, so the turn (its
    singular vectors) changes no probability and makes the fit many times cheaper.
    """
    train = rows["train"]
    known = ~np.isnan(train)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, train, 0).sum(axis=0) / count
    deviation = np.sqrt(np.where(known, (train - mean) ** 2, 0).sum(axis=0) / count)
    scaled = {
        role: np.nan_to_num((x - mean) / np.where(deviation > 0, deviation, np.inf))
        for role, x in rows.items()
    }
    if train.shape[1] <= len(train):
        return scaled
    directions = np.linalg.svd(scaled["train"], full_matrices=False)[2]
    return {role: x @ directions.T for role, x in scaled.items()}


def fit(x: np.ndarray, labels: np.ndarray, groups: np.ndarray) -> tuple[float, Any]:
    """(C, the fitted model): C by the mean BACC of a cross-validation grouped by speaker, the smallest among equals."""
    from sklearn.model_selection import GroupKFold

    folds = min(INNER, len(np.unique(groups)))
    scores = dict.fromkeys(GRID, 0.0)
    if folds > 1:
        for inside, outside in GroupKFold(folds).split(x, labels, groups):
            if len(np.unique(labels[inside])) < 2:
                continue
            model = _model(tol=SEARCH_TOLERANCE, warm_start=True)
            there = np.unique(labels[outside])
            for c in GRID:  # each begins where the last one ended: it is near, and from there half as far
                called = model.set_params(C=c).fit(x[inside], labels[inside]).predict(x[outside])
                scores[c] += float(np.mean([(called[labels[outside] == k] == k).mean() for k in there]))
    best = max(GRID, key=lambda c: scores[c]) if any(scores.values()) else GRID[len(GRID) // 2]
    return best, _model(C=best).fit(x, labels)


def fit_ratings(x: np.ndarray, ratings: np.ndarray, groups: np.ndarray) -> tuple[float, Any]:
    """(alpha, the fitted model): alpha by the CCC of a cross-validation grouped by speaker, the largest among equals.

    CCC is that of all parts left out together: a part may have one speaker, whose ratings are alike.
    """
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import GroupKFold

    folds = min(INNER, len(np.unique(groups)))
    best = ALPHAS[len(ALPHAS) // 2]
    if folds > 1:
        answers = np.zeros((len(ALPHAS), len(x)))
        for inside, outside in GroupKFold(folds).split(x, ratings, groups):
            for i, alpha in enumerate(ALPHAS):
                answers[i, outside] = Ridge(alpha=alpha).fit(x[inside], ratings[inside]).predict(x[outside])
        scores = {alpha: measure_ratings(ratings, answers[i]).ccc for i, alpha in enumerate(ALPHAS)}
        if any(score > 0 for score in scores.values()):
            best = max(reversed(ALPHAS), key=lambda alpha: scores[alpha])
    return best, Ridge(alpha=best).fit(x, ratings)


def _model(**options: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(class_weight="balanced", max_iter=2000, **options)
