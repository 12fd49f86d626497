"""A recipe: an experiment as data, from a packaged name or a YAML file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.abc import Traversable
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, model_validator

from affuse.arguments import checked
from affuse.corpora.selection import CorpusView
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.errors import AffuseError
from affuse.files.yaml_text import read_yaml, read_yaml_file, write_yaml
from affuse.parts.registry import unknown
from affuse.recipe.dimension import Dimension
from affuse.recipe.explain import explain
from affuse.recipe.overrides import TEXTS, Overrides, apply_overrides
from affuse.recipe.sections import (
    FusionChoice,
    Head,
    Modality,
    Optimizer,
    Section,
    Task,
    Training,
    WeightingChoice,
    loss_name,
)

# Section -> fields that were added while finished runs without them were about; of tasks, those of each
ADDED = {"training": ("feature_precision", "engine")}
ADDED_TO_TASKS = ("kind", "range", "target", "without_agreement")


class Recipe(Section):
    """A whole experiment as data: what is read, encoded, fused and learnt, how it is trained, and on which split.

    ``Recipe.load`` reads a packaged recipe or a YAML file, ``changed`` gives a copy with some fields changed. A recipe
    itself never changes. Fields have dotted names, such as ``optimizer.lr`` or ``modalities.audio.encoder``.

    Attributes:
        name: What runs and reports call it.
        description: What it is, in a sentence or two.
        corpus: Which utterances of the corpus are used, and whose labels.
        protocol: How the utterances are split into train, validation and test.
        tasks: Column of the corpus, such as ``emotion`` or ``gender``, to its classes and loss.
        modalities: Name, such as ``text``, ``audio`` or ``video``, to its encoder.
        fusion: How the modalities become one embedding.
        head: The last layers of each task.
        weighting: How the losses of several tasks become one.
        optimizer: Adam's learning rates and bounds.
        training: The loop: epochs, batches, schedule, the choice of the epoch.
        seed: Of the weights at the start, the order of the batches and the dropout: 0 to 4294967295.

    Examples:
        >>> recipe = Recipe.load("3m-ser", {"optimizer.lr": 3e-4, "loss": "cross_entropy+0.5*center"})
        >>> recipe.optimizer.lr
        0.0003
        >>> list(recipe.modalities)
        ['text', 'audio']
        >>> recipe.changed({"modalities.text": None})
        <Recipe 3m-ser: emotion from audio (vggish); attention; cross_entropy+0.5*center>
    """

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
    seed: int = Field(default=0, ge=0, lt=2**32)

    @model_validator(mode="after")
    def _names_are_plain(self) -> Recipe:
        for name in (*self.modalities, *self.tasks):
            if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
                raise ValueError(f"{name!r}: names of modalities and tasks are lower-case words")
        if self.training.criterion == "ccc" and not self.dimensions:
            raise ValueError("training.criterion ccc needs a task of kind regression; take bacc, acc or loss")
        if self.training.criterion == "macro_f1" and not self.label_sets:
            raise ValueError(
                "training.criterion macro_f1 needs a task of kind multilabel; take bacc, acc or loss"
            )
        return self

    @property
    def dimensions(self) -> dict[str, Dimension]:
        """Task -> its scale, of the tasks of kind regression.

        Examples:
            >>> Recipe.load("voice-offline", "tasks.valence={kind: regression, range: [1, 5]}").dimensions
            {'valence': Dimension(low=1.0, high=5.0)}
        """
        return {name: Dimension(*task.range) for name, task in self.tasks.items() if task.range is not None}

    @property
    def classified(self) -> list[str]:
        """The tasks that tell one class."""
        return [name for name, task in self.tasks.items() if task.kind == "classes"]

    @property
    def voted(self) -> list[str]:
        """Of the tasks that tell one class those that learn the shares of raters' votes (target distribution)."""
        return [name for name, task in self.tasks.items() if task.target == "distribution"]

    @property
    def label_sets(self) -> list[str]:
        """The tasks that tell several labels at once (kind multilabel)."""
        return [name for name, task in self.tasks.items() if task.kind == "multilabel"]

    @classmethod
    @checked
    def load(
        cls, source: str | Path | Recipe, overrides: Mapping[str, Any] | Sequence[str] | str = ()
    ) -> Recipe:
        """Read a packaged recipe or a YAML file, and change some of its fields.

        Nothing heavy is imported for it: a wrong name is answered at once.

        Args:
            source: A packaged name (``3m-ser``), the path of a ``.yaml`` file, or a recipe, which is taken as it is.
            overrides: Field to value, such as ``{"optimizer.lr": 3e-4}``, or texts such as ``"optimizer.lr=3e-4"``
                whose values are read as YAML. Applied in order. ``loss``, ``lr``, ``epochs``, ``fusion``, ``weighting``
                and ``classes`` are short for ``tasks.emotion.loss``, ``optimizer.lr`` and so on;
                ``modalities.text=null`` removes a modality; ``modalities.*.dropout`` is a field of all of them.

        Raises:
            AffuseError: There is no such recipe, or a field or value is wrong; the sentence names it and the cure.

        Examples:
            >>> Recipe.load("server").training.epochs
            250
            >>> Recipe.load("server", ["epochs=20", "loss=center"])
            <Recipe server: emotion from text (bert) and audio (vggish); concat; center>
            >>> Recipe.load("sever")
            Traceback (most recent call last):
            affuse.errors.AffuseError: There is no 'sever' among the recipes (did you mean 'server'?); ...
        """
        if isinstance(source, Recipe):
            return source.changed(overrides) if overrides else source
        data, where = _read(source)
        apply_overrides(data, overrides)
        return cls.parse(data, where)

    @classmethod
    def parse(cls, data: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """Check a mapping of fields.

        Args:
            data: As a YAML file of a recipe holds them.
            where: What an error says the fields are of.

        Raises:
            AffuseError: A field or value is wrong.

        Examples:
            >>> Recipe.parse({"name": "mine", "modalities": {"audio": {"encoder": "logmel"}}})
            <Recipe mine: emotion from audio (logmel); concat; cross_entropy>
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise AffuseError(explain(error, where, cls, data)) from None

    def changed(self, overrides: Overrides) -> Recipe:
        """Copy the recipe with some fields changed; ``overrides`` as for ``load``.

        Examples:
            >>> Recipe.load("voice-offline").changed({"seed": 7, "training.epochs": 5}).seed
            7
        """
        data = self.model_dump()
        apply_overrides(data, overrides)
        return Recipe.parse(data, f"recipe {self.name}")

    @property
    def on_test(self) -> str:
        """What is chosen on the test part, or trained on it, in a few words; "" where it is left alone."""
        found: list[str] = []
        if self.training.select == "test":
            found.append("epoch chosen on the test part")
        if self.protocol.reshuffled:
            found.append("test utterances in training")
        return "; ".join(found)

    def to_yaml(self) -> str:
        """Write every field as YAML, defaults included; ``load`` reads it again."""
        return _as_yaml(self.model_dump())

    def identity(self) -> str:
        """What tells this experiment from others: ``to_yaml`` without added fields that have their defaults.

        A run that was finished by an affuse which had no such field is a run of this recipe still.
        """
        data = self.model_dump()
        for section, names in ADDED.items():
            fields = type(getattr(self, section)).model_fields
            for name in names:
                if data[section][name] == fields[name].default:
                    del data[section][name]
        for task in data["tasks"].values():
            for name in ADDED_TO_TASKS:
                if task[name] == Task.model_fields[name].default:
                    del task[name]
        return _as_yaml(data)

    def __repr__(self) -> str:
        read = [f"{name} ({modality.encoder})" for name, modality in self.modalities.items()]
        losses = dict.fromkeys(loss_name(task.loss) for task in self.tasks.values())
        return (
            f"<Recipe {self.name}: {' and '.join(self.tasks)} from {' and '.join(read)}; {self.fusion.name}; "
            f"{', '.join(losses)}>"
        )

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """Show it in a notebook: what it is, and every field when unfolded."""
        return (
            f"<p><b>{escape(repr(self)[1:-1])}</b><br>{escape(' '.join(self.description.split()))}</p>"
            f"<details><summary>All fields</summary><pre>{escape(self.to_yaml())}</pre></details>"
        )


# Fields -> YAML: a run asks several times for its recipe's, and every fold of a grid for the same one
_written: dict[str, str] = {}
_MANY = 1000


def _as_yaml(data: dict[str, Any]) -> str:
    known = repr(data)
    text = _written.get(known) or write_yaml(data)
    if len(_written) > _MANY:
        _written.clear()
    _written[known] = text
    return text


@cache
def packaged_recipes() -> Mapping[str, Traversable]:
    """Find the recipes that come with affuse: name to YAML file.

    Examples:
        >>> "3m-ser" in packaged_recipes()
        True
    """
    folder = package_files("affuse") / "recipes"
    return {
        entry.name.removesuffix(".yaml"): entry
        for entry in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".yaml")
    }


def _read(source: str | Path) -> tuple[dict[str, Any], str]:
    """The fields of a packaged recipe or a file, and what an error calls it."""
    path = Path(source)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise AffuseError(f"There is no recipe file {path}.")
        data, where = read_yaml_file(path, TEXTS), str(path)
    else:
        packaged = packaged_recipes()
        if str(source) not in packaged and path.is_dir():
            raise AffuseError(
                f"{source} is a folder, not a recipe; the recipe comes first, then the corpus: give a packaged name "
                "(see 'affuse list recipes') or a .yaml file."
            )
        if str(source) not in packaged:
            raise AffuseError(
                f"{unknown(str(source), list(packaged), 'recipes')}; "
                "give a packaged name (see 'affuse list recipes') or a .yaml file."
            )
        where = f"recipe {source}"
        data = read_yaml(packaged[str(source)].read_text(encoding="utf-8"), where, TEXTS)
    if not isinstance(data, dict):
        raise AffuseError(f"{where} holds no mapping of recipe fields.")
    return data, where
