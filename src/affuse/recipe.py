"""A recipe: an experiment as data. Unknown keys are errors; dotted overrides change one field."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from affuse.corpora.protocol import SplitProtocol, ValidationPart
from affuse.corpora.readers.iemocap.labels import LabelProtocol
from affuse.corpora.view import CorpusView
from affuse.errors import AffuseError
from affuse.files.yaml_text import needs_quotes, read_yaml, read_yaml_file, write_yaml
from affuse.names import tidy
from affuse.overrides import TEXTS, apply_overrides
from affuse.registry import check_name, unknown, unscaled


class Part(BaseModel):
    """A base for every section: unknown keys are errors, values cannot be changed after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LossTerm(Part):
    """One term of a task's loss."""

    name: str
    weight: float = Field(default=1.0, ge=0)
    reduction: Literal["mean", "sum"] = "mean"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("losses", name)


class Task(Part):
    """A classification task: a column of the corpus and the loss that trains it."""

    classes: list[str] | None = Field(
        default=None, description="labels to keep, in order; null: the corpus's space"
    )
    merge: dict[str, str] = Field(default_factory=dict, description="label -> label, e.g. exc: hap")
    loss: list[LossTerm] = Field(default_factory=lambda: [LossTerm(name="cross_entropy")])
    classifier: Literal["auto", "svm"] = Field(
        default="auto",
        description="auto: the head where the loss trains one, else the nearest center; svm: scikit-learn's SVC() "
        "(RBF, C = 1), fitted on the training part's embeddings at the chosen epoch",
    )

    @field_validator("loss", mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return parse_loss(value) if isinstance(value, str) else value

    @field_validator("classes", mode="before")
    @classmethod
    def _from_list_text(cls, value: Any) -> Any:
        value = value.split(",") if isinstance(value, str) else value
        return [tidy(part) if isinstance(part, str) else part for part in value] if value else value

    @field_validator("merge")
    @classmethod
    def _tidy(cls, merge: dict[str, str]) -> dict[str, str]:
        return {tidy(label): tidy(other) for label, other in merge.items()}


class Modality(Part):
    """One input and its encoder."""

    encoder: str
    frozen: bool = Field(
        default=True, description="True: features are computed once and cached; False: trained"
    )
    standardise: bool = Field(
        default=False,
        description="z-score each feature with the training part's mean and deviation; not said: where the encoder is "
        "frozen and its features have no scale of their own (logmel, hog, precomputed)",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share of training clips from which the modality is taken; never an utterance's last one",
    )
    options: dict[str, Any] = Field(default_factory=dict, description="the encoder's own options")

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


class FusionChoice(Part):
    """How the modalities become one embedding."""

    name: str = "concat"
    options: dict[str, Any] = Field(default_factory=dict)

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("fusions", name)


class Head(Part):
    """Dropout -> [Linear -> activation] -> Linear, one per task."""

    dropout: float = Field(default=0.5, ge=0, lt=1)
    hidden: int | None = Field(default=64, gt=0, description="width of the hidden layer; null: none")
    activation: Literal["none", "leaky_relu", "relu"] = "none"


class WeightingChoice(Part):
    """How the tasks' losses become one scalar."""

    name: str = "static"
    options: dict[str, Any] = Field(default_factory=dict)
    lr: float | None = Field(default=None, gt=0, description="of its parameters; null: the optimizer's lr")
    scheduled: bool = Field(
        default=True, description="training.schedule moves this learning rate too; False: it stays as it is"
    )

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        return _known_part("weightings", name)


class Optimizer(Part):
    """Adam; centers have a group and a learning rate of their own."""

    lr: float = Field(default=1e-4, gt=0)
    centers_lr: float = Field(default=1e-2, gt=0)
    encoder_lr: float | None = Field(default=None, gt=0, description="of trained encoders; null: lr")
    weight_decay: float = Field(default=0.0, ge=0)
    clip_norm: float | None = Field(
        default=None, gt=0, description="largest gradient norm over all parameters"
    )


class Schedule(Part):
    """The learning rates are multiplied by ``factor`` every ``every`` epochs."""

    every: int = Field(default=30, gt=0)
    factor: float = Field(default=0.1, gt=0, le=1)


class Training(Part):
    """The loop."""

    epochs: int = Field(default=250, gt=0)
    batch_size: int = Field(default=32, gt=0)
    schedule: Schedule | None = Field(default_factory=Schedule)
    select: Literal["validation", "test", "last"] = Field(
        default="validation",
        description="the part on which the epoch is chosen (without a validation part: the last epoch), or the "
        "last epoch; test measures the test part after every epoch, and every result is marked",
    )
    criterion: Literal["bacc", "acc", "loss", "last_batch"] = Field(
        default="bacc",
        description="what the best epoch is best at: BACC or ACC (mean over tasks; then the lower loss), the sum of "
        "the tasks' losses, or the joint loss of one batch drawn anew each epoch (bug 4 of the second paper's code)",
    )
    patience: int | None = Field(
        default=None,
        gt=0,
        description="epochs without a better validation BACC (or, at the same BACC, loss); null: never stop",
    )
    precision: Literal["32-true", "bf16-mixed"] = "32-true"


class Recipe(Part):
    """A whole experiment. ``Recipe.load`` reads a packaged name or a YAML file."""

    name: str = Field(min_length=1)
    description: str = ""
    corpus: CorpusView = Field(default_factory=CorpusView)
    protocol: SplitProtocol = Field(default_factory=SplitProtocol)
    tasks: dict[str, Task] = Field(default_factory=lambda: {"emotion": Task()}, min_length=1)
    modalities: dict[str, Modality] = Field(min_length=1)
    fusion: FusionChoice = Field(default_factory=FusionChoice)
    head: Head = Field(default_factory=Head)
    weighting: WeightingChoice = Field(default_factory=WeightingChoice)
    optimizer: Optimizer = Field(default_factory=Optimizer)
    training: Training = Field(default_factory=Training)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _names_are_plain(self) -> Recipe:
        for name in (*self.modalities, *self.tasks):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"{name!r}: names of modalities and tasks are lower-case words")
        return self

    @classmethod
    def load(cls, source: str | Path, overrides: Sequence[str] = ()) -> Recipe:
        """A packaged name ('3m-ser') or a YAML file, with ``key.path=value`` overrides applied in order."""
        path = Path(source)
        if path.suffix in (".yaml", ".yml"):
            if not path.is_file():
                raise AffuseError(f"There is no recipe file {path}.")
            data, where = read_yaml_file(path, TEXTS), str(path)
        else:
            packaged = packaged_recipes()
            if str(source) not in packaged:
                raise AffuseError(
                    f"{unknown(str(source), list(packaged), 'recipes')}; "
                    "give a packaged name (see 'affuse list recipes') or a .yaml file."
                )
            where = f"recipe {source}"
            data = read_yaml(packaged[str(source)].read_text(encoding="utf-8"), where, TEXTS)
        if not isinstance(data, dict):
            raise AffuseError(f"{where} holds no mapping of recipe fields.")
        apply_overrides(data, overrides)
        return cls.parse(data, where)

    @classmethod
    def parse(cls, data: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """Check a mapping; AffuseError names the field and the cure."""
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise AffuseError(_explain(error, where)) from None

    def changed(self, overrides: Sequence[str]) -> Recipe:
        """A copy with ``key.path=value`` overrides applied in order."""
        data = self.model_dump()
        apply_overrides(data, overrides)
        return Recipe.parse(data)

    @property
    def on_test(self) -> str:
        """What is chosen on the test part, or trained on it, in a few words; "" where it is left alone."""
        found = []
        if self.training.select == "test":
            found.append("epoch chosen on the test part")
        if self.protocol.reshuffled:
            found.append("test utterances in training")
        return "; ".join(found)

    def to_yaml(self) -> str:
        """Every field, defaults included."""
        return write_yaml(self.model_dump())


def parse_loss(text: str) -> list[dict[str, Any]]:
    """'cross_entropy+0.5*center' -> its terms. Raises ValueError saying what cannot be read."""
    terms = []
    for part in text.split("+"):
        match = re.fullmatch(r"\s*(?:([0-9.]+(?:[eE]-?\d+)?)\s*\*\s*)?([a-z_][a-z0-9_]*)\s*", part)
        if match is None:
            raise ValueError(f"{text!r} is not a loss; write terms like cross_entropy+0.5*center")
        terms.append({"name": match[2], "weight": float(match[1] or 1.0)})
    return terms


def loss_name(terms: Sequence[LossTerm]) -> str:
    """The terms as one word: 'cross_entropy+0.5*center'."""
    return "+".join(term.name if term.weight == 1 else f"{term.weight:g}*{term.name}" for term in terms)


def packaged_recipes() -> dict[str, Any]:
    """Name -> YAML resource of every recipe in the package."""
    folder = package_files("affuse") / "recipes"
    return {
        entry.name.removesuffix(".yaml"): entry
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


def _known_part(family: str, name: str) -> str:
    try:
        check_name(family, name)
    except AffuseError as error:  # pydantic adds the field
        raise ValueError(str(error).removesuffix(".")) from None
    return name


def _explain(error: ValidationError, where: str) -> str:
    """'recipe server, optimizer.lrr: unknown key (the keys here are lr, ...)'."""
    finding = error.errors()[0]
    path = [str(part) for part in finding["loc"]]
    if finding["type"] == "extra_forbidden":
        known = _fields_at(path[:-1])
        hint = unknown(path[-1], known, "keys here") if known else f"There is no key {path[-1]!r}"
        return f"{where}, {'.'.join(path)}: {hint}."
    message = needs_quotes(finding) or finding["msg"].removeprefix("Value error, ")
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    return f"{where}, {'.'.join(path) or 'top level'}: {message}{more}."


def _fields_at(path: Sequence[str]) -> list[str]:
    sections: dict[str, type[BaseModel]] = {
        "tasks": Task, "modalities": Modality, "fusion": FusionChoice, "head": Head, "loss": LossTerm,
        "corpus": CorpusView, "labels": LabelProtocol, "protocol": SplitProtocol,
        "validation": ValidationPart, "weighting": WeightingChoice, "optimizer": Optimizer, "training": Training,
        "schedule": Schedule,
    }  # fmt: skip
    if not path:
        return list(Recipe.model_fields)
    for part in reversed(path):
        if part in sections:
            return list(sections[part].model_fields)
    return []
