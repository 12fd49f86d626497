"""The sections of a recipe: its fields, their defaults and their bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from affuse.errors import AffuseError
from affuse.names import tidy
from affuse.parts.registry import check_name, unscaled
from affuse.section import Section


class LossTerm(Section):
    """One term of a task's loss.

    Attributes:
        name: A loss of ``affuse list losses``.
        weight: Factor of the term, 0 or more.
        reduction: How the losses of a batch's utterances become one: their mean or their sum.
        options: The loss's own options, such as ``theta`` of ``contrastive_center``.
    """

    name: str
    weight: float = Field(default=1.0, ge=0)
    reduction: Literal["mean", "sum"] = "mean"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("losses", name)


_USUAL_LOSS = {
    "classes": "cross_entropy",
    "distribution": "soft_cross_entropy",
    "regression": "ccc",
    "multilabel": "binary_cross_entropy",
}


class Task(Section):
    """A task: a column of the corpus, and the loss that trains it.

    Attributes:
        kind: ``classes``: one label out of several. ``regression``: a number, such as a rating of valence.
            ``multilabel``: any of several labels at once; the column joins them by ``;``.
        target: Of kind classes: what is learnt. ``labels``: each utterance's label. ``distribution``: the shares of its
            raters' votes.
        without_agreement: With ``target: distribution``: whether utterances are trained on that have votes and no
            label, for no class had a majority.
        range: Of a regression: its lowest and highest value, such as ``[1, 5]``.
        classes: Labels to keep, in this order; None: all labels of the corpus. A text has commas: ``anger,neutral``.
        merge: Labels to rename before classes are chosen, such as ``{excitement: happiness}``.
        loss: The terms of the loss; as text, ``cross_entropy+0.5*center``. Where it is left out (or null), labels are
            learnt with ``cross_entropy``, votes with ``soft_cross_entropy``, a regression with ``ccc``, several labels
            at once with ``binary_cross_entropy``.
        classifier: ``auto``: the head where the loss trains one, else the class of the nearest center. ``svm``:
            scikit-learn's ``SVC()`` (RBF kernel, C = 1), fitted to the training part's embeddings at the chosen epoch.
    """

    kind: Literal["classes", "regression", "multilabel"] = "classes"
    target: Literal["labels", "distribution"] = "labels"
    without_agreement: bool = False
    range: tuple[float, float] | None = None
    classes: list[str] | None = None
    merge: dict[str, str] = Field(default_factory=dict)
    loss: list[LossTerm] = Field(default_factory=lambda: [LossTerm(name="cross_entropy")])
    classifier: Literal["auto", "svm"] = "auto"

    @model_validator(mode="before")
    @classmethod
    def _usual_loss(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("loss") is None:
            kind = "distribution" if data.get("target") == "distribution" else data.get("kind", "classes")
            return {**data, "loss": _USUAL_LOSS[kind]} if kind in _USUAL_LOSS else data
        return data

    @property
    def fits(self) -> str:
        """The kind of loss that trains it: ``kind``, or ``distribution`` where votes are learnt."""
        return "distribution" if self.target == "distribution" else self.kind

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Task:
        if self.target == "distribution" and (self.kind != "classes" or self.classifier != "auto"):
            raise ValueError("target: distribution is of kind: classes and of the network's own classifier")
        if self.without_agreement and self.target != "distribution":
            raise ValueError(
                "without_agreement needs target: distribution; add that, or leave without_agreement out"
            )
        if self.kind != "regression":
            if self.range is not None:
                raise ValueError("range is of kind: regression; add that, or leave range out")
            if self.kind == "multilabel" and self.classifier != "auto":
                raise ValueError(
                    "classifier: svm tells one class, and kind: multilabel several; leave classifier out"
                )
            return self
        if self.range is None:
            raise ValueError("kind: regression needs the lowest and highest value, such as range: [1, 5]")
        low, high = self.range
        if not (low < high and isfinite(high - low)):
            raise ValueError(f"range goes from a lower to a higher number, not from {low:g} to {high:g}")
        if self.classes is not None or self.merge or self.classifier != "auto":
            raise ValueError("a regression has no classes; leave out classes, merge and classifier")
        return self

    @field_validator("loss", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return parse_loss(value) if isinstance(value, str) else value

    @field_validator("classes", mode="before")
    @classmethod
    def _from_list_text(cls, value: Any) -> object:
        value = value.split(",") if isinstance(value, str) else value
        return [tidy(part) if isinstance(part, str) else part for part in value] if value else value

    @field_validator("merge")
    @classmethod
    def _tidy(cls, merge: dict[str, str]) -> dict[str, str]:
        return {tidy(label): tidy(other) for label, other in merge.items()}


class Modality(Section):
    """One input and the encoder that reads it.

    Attributes:
        encoder: An encoder of ``affuse list encoders``.
        frozen: True: the encoder is not trained, and its features are computed once and cached. False: it is trained.
        standardise: Whether each feature is scaled by the training part's mean and standard deviation. Where it is
            left out: yes for frozen encoders whose features have no scale of their own (logmel, hog, precomputed).
        dropout: Share of the training clips, 0 to below 1, from which this modality is taken away, so that the model
            learns to do without it. An utterance always keeps one modality.
        options: The encoder's own options.
    """

    encoder: str
    frozen: bool = True
    standardise: bool = False
    dropout: float = Field(default=0.0, ge=0, lt=1)
    options: dict[str, Any] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _scaled(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("standardise") is not None:
            return data
        return {**data, "standardise": data.get("frozen", True) is True and unscaled(data.get("encoder"))}

    @field_validator("encoder")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("encoders", name)


class FusionChoice(Section):
    """How the modalities become one embedding.

    Attributes:
        name: A fusion of ``affuse list fusions``.
        options: The fusion's own options.
    """

    name: str = "concat"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("fusions", name)


class Head(Section):
    """The last layers of each task: dropout, a hidden layer with its activation, and a linear layer to the logits.

    Attributes:
        dropout: Share of the embedding's values that are set to 0 in training, 0 to below 1.
        hidden: Width of the hidden layer; None: no hidden layer.
        activation: After the hidden layer.
    """

    dropout: float = Field(default=0.5, ge=0, lt=1)
    hidden: int | None = Field(default=64, gt=0)
    activation: Literal["none", "leaky_relu", "relu"] = "none"


class WeightingChoice(Section):
    """How the losses of the tasks become one.

    Attributes:
        name: A weighting of ``affuse list weightings``.
        options: The weighting's own options.
        lr: Learning rate of the weighting's parameters; None: the optimizer's.
        scheduled: Whether ``training.schedule`` lowers this learning rate too.
    """

    name: str = "static"
    options: dict[str, Any] = Field(default_factory=dict)
    lr: float | None = Field(default=None, gt=0)
    scheduled: bool = True

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("weightings", name)


class Optimizer(Section):
    """Adam. Centers have a parameter group and a learning rate of their own.

    Attributes:
        lr: Learning rate.
        centers_lr: Learning rate of the centers of center losses.
        encoder_lr: Learning rate of encoders that are trained; None: ``lr``.
        weight_decay: L2 penalty, 0 or more.
        clip_norm: Largest norm of the gradient of all parameters together; None: no bound.
    """

    lr: float = Field(default=1e-4, gt=0)
    centers_lr: float = Field(default=1e-2, gt=0)
    encoder_lr: float | None = Field(default=None, gt=0)
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(default=None, gt=0)


class Schedule(Section):
    """The learning rates are multiplied by ``factor`` after every ``every`` epochs.

    Attributes:
        every: Epochs.
        factor: Above 0, at most 1.
    """

    every: int = Field(default=30, gt=0)
    factor: float = Field(default=0.1, gt=0, le=1)


class Training(Section):
    """The training loop, and which epoch's model is kept.

    Attributes:
        epochs: Epochs, at most.
        batch_size: Utterances of a batch.
        schedule: How the learning rates fall; None: they stay.
        select: The part on which the epoch is chosen: ``validation`` (the last epoch where there is no validation
            part); ``last``: no choice, the last epoch; ``test``: the test part, measured after every epoch, which
            flatters, so that every result is marked.
        criterion: What the best epoch is best at: ``bacc`` or ``acc`` (mean over the tasks, where a regression counts
            by its CCC and several labels at once by their macro-F1; of equals the lower loss), ``ccc`` (mean over the
            regressions), ``macro_f1`` (mean over the tasks of several labels), ``loss`` (sum of the tasks' losses), or
            ``last_batch`` (joint loss of one batch, drawn anew each epoch; bug 4 of the second paper's code).
        patience: Epochs without a better value after which training stops; None: never.
        precision: ``32-true`` (single precision) or ``bf16-mixed`` (mixed with bfloat16).
        feature_precision: How features of frozen encoders are kept in memory; ``bfloat16`` takes half of the space.
            Where runs train one by one, features stay on disk in float32, and this has no effect.
        engine: ``auto``: runs whose encoders are frozen train side by side in stacks; ``lightning``: one by one.
    """

    epochs: int = Field(default=250, gt=0)
    batch_size: int = Field(default=32, gt=0)
    schedule: Schedule | None = Field(default_factory=Schedule)
    select: Literal["validation", "test", "last"] = "validation"
    criterion: Literal["bacc", "acc", "ccc", "macro_f1", "loss", "last_batch"] = "bacc"
    patience: int | None = Field(default=None, gt=0)
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    feature_precision: Literal["float32", "bfloat16"] = "float32"
    engine: Literal["auto", "lightning"] = "auto"


def parse_loss(text: str) -> list[dict[str, Any]]:
    """Read a loss that is written as text.

    Args:
        text: Terms with ``+`` between, each with a factor or without: ``cross_entropy+0.5*center``.

    Returns:
        The fields of one ``LossTerm`` per term.

    Raises:
        ValueError: The text is no such sum.

    Examples:
        >>> parse_loss("cross_entropy+0.5*center")
        [{'name': 'cross_entropy', 'weight': 1.0}, {'name': 'center', 'weight': 0.5}]
    """
    terms: list[dict[str, Any]] = []
    for part in text.split("+"):
        match = re.fullmatch(r"\s*(?:([0-9.]+(?:[eE]-?\d+)?)\s*\*\s*)?([a-z_][a-z0-9_]*)\s*", part)
        if match is None:
            raise ValueError(f"{text!r} is not a loss; write terms like cross_entropy+0.5*center")
        terms.append({"name": match[2], "weight": float(match[1] or 1.0)})
    return terms


def loss_name(terms: Sequence[LossTerm]) -> str:
    """Write the terms as one word, as ``parse_loss`` reads it.

    Examples:
        >>> loss_name([LossTerm(name="cross_entropy"), LossTerm(name="center", weight=0.5)])
        'cross_entropy+0.5*center'
    """
    return "+".join(term.name if term.weight == 1 else f"{term.weight:g}*{term.name}" for term in terms)


def _known_part(family: str, name: str) -> str:
    try:
        check_name(family, name)
    except AffuseError as error:  # pydantic adds the field
        raise ValueError(str(error).removesuffix(".")) from None
    return name
