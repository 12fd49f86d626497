"""Fitting what joins public models: readouts of degrees, weights, temperatures, and what confidence is worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from affuse.corpora.splits.folds import assign
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.corpora.vocabulary import canonical
from affuse.errors import AffuseError, argument
from affuse.evaluation.confidence import fit_confidence
from affuse.models.building import build
from affuse.models.joining import together
from affuse.names import counted
from affuse.progress import Quiet
from affuse.recipe import Recipe
from affuse.training.calibration import trained_on
from affuse.training.clip_seconds import clip_seconds
from affuse.training.data import Clips
from affuse.training.evaluate.selection import Selection, open_selection, select_utterances
from affuse.training.prediction import predict_table
from affuse.training.seen import remember

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.progress import Progress
    from affuse.training.cache import FeatureCache

TASK = "emotion"
ROLES = ("train", "validation", "test")
_SHARES = (0.5, 0.25, 0.25)  # of the speakers, or of the utterances where no speaker is known
_PRIOR = 1.0  # standard deviation of ln weight and ln temperature around where they began
_STEPS = 100


class Ground(NamedTuple):
    """What is fitted on: a corpus, where its features are kept, and how it is split.

    Attributes:
        corpus: Whose labels say what is right.
        cache: Of the models' scores.
        progress: Reports.
        device: cpu or cuda.
        roles: Utterance -> train, validation or test.
        how: The split in words.
    """

    corpus: Corpus
    cache: FeatureCache
    progress: Progress
    device: str
    roles: Mapping[str, str]
    how: str


class Readout(NamedTuple):
    """Classes of degrees: a row for each class, its weight for each output and its constant; in how many utterances."""

    classes: list[str]
    rows: list[list[float]]
    utterances: int


def split_corpus(corpus: Corpus, cache: FeatureCache, progress: Progress, device: str = "cpu") -> Ground:
    """Split a corpus in halves for fitting: half of the speakers train, a quarter validate, a quarter stay unseen.

    Where no speaker is known, utterances are split, and that is said.

    Raises:
        AffuseError: It has no labels, or speakers too few to be parted.
    """
    table = corpus.table
    column = next(
        (task for task in (TASK, "gender") if task in table.columns and table[task].notna().any()), None
    )
    if column is None:
        raise AffuseError(
            f"{corpus.info.name} has no labels of emotion or gender: nothing can be fitted on it."
        )
    table = (
        table[table[column].notna()]
        .sort_values("id", key=lambda ids: ids.astype(object))
        .reset_index(drop=True)
    )
    table["label"] = table[column].astype(str)
    speakers = table["speaker"].dropna().nunique() if "speaker" in table.columns else 0
    known = bool(speakers) and not table["speaker"].isna().any()
    if known and speakers < len(ROLES):
        raise AffuseError(
            f"{corpus.info.name} has {counted(speakers, 'speaker')}, and a fit needs three: some to learn from, some "
            "to calibrate on, some unseen; name another corpus."
        )
    by = ("speaker",) if known else ()
    found = assign(table, SplitProtocol(kind="ratio", by=by, ratios=_SHARES))[0]
    roles = dict(zip(table["id"], map(str, found), strict=True))
    how = "by speakers" if known else "by utterances, for not every speaker is known"
    if not set(ROLES) <= set(roles.values()):
        raise AffuseError(
            f"{corpus.info.name} has {counted(len(table), 'labelled utterance')}: too few for a fit."
        )
    return Ground(corpus, cache, progress, device, roles, how)


def fit_readout(
    kind: str, encoder: str, options: Mapping[str, Any], ground: Ground, among: Sequence[str] = ()
) -> Readout:
    """Classes of a model whose outputs are degrees: a multinomial logistic regression from them, on the training part.

    Args:
        kind: What it reads.
        encoder: That gives its outputs as they are.
        options: The encoder's.
        ground: What is fitted on.
        among: Only these classes; none: all of the corpus.

    Raises:
        AffuseError: Fewer than two classes are in the training part.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels = ground.corpus.info.label_spaces.get(TASK, [])
    names = list(dict.fromkeys(canonical(label) or label for label in labels))
    classes = [name for name in names if not among or name in among]
    if len(classes) < 2:
        raise AffuseError(
            f"{ground.corpus.info.name} has fewer than two of the classes {', '.join(among or names) or 'of emotion'}: "
            f"classes of degrees cannot be fitted on it; give {argument('fit')} another corpus."
        )
    probe = build(
        Recipe.parse({
            "name": "readout",
            "tasks": {TASK: {"classes": classes}},
            "modalities": {kind: {"encoder": encoder, "options": dict(options), "standardise": False}},
        }),
        {TASK: classes},
    )  # fmt: skip
    part = _part(probe, ground, "train")
    outputs = [part[i][1][kind] for i in range(len(part))]
    y = np.array(
        [code for code, one in zip(part.labels[TASK].tolist(), outputs, strict=True) if one is not None]
    )
    x = np.array([one.mean(dim=0).numpy() for one in outputs if one is not None], dtype=np.float64)
    x, y = x[y >= 0], y[y >= 0]
    there = sorted(set(y.tolist()))
    if len(there) < 2:
        raise AffuseError(
            f"The training part of {ground.corpus.info.name} has {counted(len(there), 'class')} of emotion; a fit "
            "needs two."
        )
    fitted: Any = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y)
    scale, line = fitted[0], fitted[1]
    weights = np.vstack([-line.coef_ / 2, line.coef_ / 2]) if len(there) == 2 else line.coef_
    constants = (
        np.concatenate([-line.intercept_ / 2, line.intercept_ / 2]) if len(there) == 2 else line.intercept_
    )
    slopes = weights / scale.scale_
    rows = np.column_stack([slopes, constants - slopes @ scale.mean_])
    return Readout([classes[i] for i in there], [[round(float(v), 6) for v in row] for row in rows], len(y))


def fit_joined(model: Model, ground: Ground) -> list[str]:
    """Fit a joined model's weights and temperatures on the training part, and its confidence on the validation part.

    The least mean negative log likelihood, with a normal prior on the logarithms: without one a part that is told
    without a fault would send a temperature to 0. The corpus is remembered in the model as seen.

    Returns:
        What was used and found, in sentences.
    """
    train = _part(model, ground, "train")
    validation = _part(model, ground, "validation")
    _fit_pool(model, train)
    predictions = predict_table(
        model, validation, "validation", 0, model.recipe.training.batch_size, ground.device
    )
    table = ground.corpus.table
    speakers: pd.Series = table["speaker"] if "speaker" in table.columns else pd.Series([None] * len(table))
    speaker_of = dict(zip(table["id"], speakers, strict=True))
    learned = set(train.ids)
    used = {"train": train.ids, "validation": validation.ids}
    rest = [id for id, role in ground.roles.items() if role == "test"]
    lengths = clip_seconds([one for one in ground.corpus.utterances() if one.id in learned])
    known = model.defaults
    model.defaults = known.model_copy(
        update={
            "clip_seconds": lengths or known.clip_seconds,
            "confidence": {
                task: fit_confidence(predictions, task, space, speaker_of)
                for task, space in model.label_spaces.items()
            },
            "seen": together([known.seen, remember(ground.corpus, {**used, "test": rest})]),
            "trained_on": list(dict.fromkeys([*known.trained_on, *trained_on(ground.corpus.info)])),
        }
    )
    return [
        f"Fitted on {ground.corpus.info.title}, split {ground.how}: weights and temperatures on "
        f"{counted(len(train), 'utterance')}, confidence and the threshold of unsure on {len(validation)}; "
        f"{counted(len(rest), 'utterance')} stay unseen for 'affuse evaluate'.",
        *_found(model),
    ]


def _fit_pool(model: Model, part: Clips) -> None:
    """The fusion's own parameters, by L-BFGS; nothing else changes."""
    fusion: Any = model.fusion
    device = next(model.parameters()).device
    batch = part.collate([part[i] for i in range(len(part))])
    clips = {name: one.to(device) for name, one in batch.clips.items()}
    labels = {task: one.to(device) for task, one in batch.labels.items()}
    free: list[Tensor] = [*fusion.log_weights.values(), *fusion.log_temperatures.values()]
    began = [one.detach().clone() for one in free]
    model.requires_grad_(False)
    for one in free:
        one.requires_grad_(True)
    sequences = model.encode(clips)
    known = sum(int((one >= 0).sum()) for one in labels.values())
    optimizer = torch.optim.LBFGS(free, max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        logits = model.fuse(sequences).logits
        losses = [
            cross_entropy(logits[task][one >= 0], one[one >= 0], reduction="sum")
            for task, one in labels.items()
        ]
        prior = [
            (one - first).square().sum() / (2 * _PRIOR**2) for one, first in zip(free, began, strict=True)
        ]
        loss = torch.stack([*losses, *prior]).sum() / max(known, 1)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)
    model.requires_grad_(True)
    for task, weights in fusion.log_weights.items():  # their sum says nothing
        with torch.no_grad():
            fusion.log_weights[task] -= weights.logsumexp(dim=0)


def _part(model: Model, ground: Ground, role: str) -> Clips:
    """The utterances of one role that a model knows the labels of, with what its encoders give for them."""
    # by the model itself: utterances that one of its members was trained on are left out
    chosen: Selection = select_utterances(
        model,
        ground.corpus,
        ground.progress if role == "train" else Quiet(),
        cure=f"{argument('labels', 'map.yaml')} can give the models' labels the names of the corpus",
        fit=True,
    )
    ids = [id for id in chosen.ids if ground.roles.get(id) == role]
    if not ids:
        count = sum(one == role for one in ground.roles.values())
        raise AffuseError(
            f"Of the {count} utterances of {ground.corpus.info.name} that are the {role} part of the fit none is left: "
            "the models have been trained on them, or know none of their labels; give "
            f"{argument('fit')} another corpus."
        )
    clips, _ = open_selection(
        model, model.recipe, chosen._replace(ids=ids), ground.cache, ground.progress, ground.device
    )
    return clips


def _found(model: Model) -> list[str]:
    fusion: Any = model.fusion
    said = []
    for task, names in fusion.names.items():
        weights = fusion.log_weights[task].softmax(dim=0).tolist()
        temperatures = fusion.log_temperatures[task].exp().tolist()
        told = [
            f"{name} weighs {weight:.2f} at the temperature {temperature:.2f}"
            for name, weight, temperature in zip(names, weights, temperatures, strict=True)
        ]
        one = model.defaults.of_task(task)
        said.append(
            f"{task}: {', '.join(told)}; confidence {one.source}, unsure below {one.unsure_below:.2f}."
        )
    return said
