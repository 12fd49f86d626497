"""The parts that a recipe names, made from its options; what is wrong with an option is said with its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from affuse.encoders.base import Encoder, EncoderOptions, Reading
from affuse.encoders.sources import absolute
from affuse.errors import AffuseError
from affuse.fusion.base import Fusion
from affuse.losses.weighted_sum import WeightedSum
from affuse.parts import registry
from affuse.parts.interfaces import SINGULAR
from affuse.parts.options import arguments, check
from affuse.recipe import FusionChoice, Modality, Recipe, Task, WeightingChoice
from affuse.weighting.base import Weighting


@dataclass(frozen=True)
class ResolvedEncoder:
    """The encoder of a modality: its class and its checked options; no weight is loaded before ``make``."""

    name: str
    part: type[Encoder]
    options: EncoderOptions
    frozen: bool

    @property
    def kind(self) -> str:
        """The column of the corpus that it reads: "audio", "text", "video" or "features"."""
        return self.part.kind

    @property
    def width(self) -> int:
        """Size of one step of its feature sequence."""
        return self.part.width_of(self.options)

    @property
    def reading(self) -> Reading:
        """What it reads of a clip, step by step."""
        return self.part.reading_of(self.options)

    def make(self) -> Encoder:
        """The encoder itself, its weights loaded."""
        return self.part(self.options)


def resolve_encoder(modality: Modality, name: str) -> ResolvedEncoder:
    """The encoder of one modality, called ``name`` in the recipe. Raises AffuseError that names the field."""
    part: type[Encoder] = registry.get("encoders", modality.encoder)
    where = f"modalities.{name}.options"
    options = check(part.Options, modality.options, where, modality.encoder)
    return ResolvedEncoder(modality.encoder, part, options, modality.frozen)


def resolve_encoders(recipe: Recipe) -> dict[str, ResolvedEncoder]:
    """Modality -> its encoder, in the recipe's order. Raises AffuseError that names the field that is wrong.

    Examples:
        >>> from affuse import Recipe
        >>> [(name, encoder.kind, encoder.width) for name, encoder in resolve_encoders(Recipe.load("server")).items()]
        [('text', 'text', 768), ('audio', 'audio', 128)]
    """
    return {name: resolve_encoder(modality, name) for name, modality in recipe.modalities.items()}


def parts_of(recipe: Recipe) -> list[tuple[str, str]]:
    """(family, name) of every part that a recipe names, each once.

    Examples:
        >>> from affuse import Recipe
        >>> parts_of(Recipe.load("server"))  # doctest: +NORMALIZE_WHITESPACE
        [('encoders', 'bert'), ('encoders', 'vggish'), ('fusions', 'concat'), ('losses', 'cross_entropy'),
         ('weightings', 'static')]
    """
    named = [
        *(("encoders", modality.encoder) for modality in recipe.modalities.values()),
        ("fusions", recipe.fusion.name),
        *(("losses", term.name) for task in recipe.tasks.values() for term in task.loss),
        ("weightings", recipe.weighting.name),
    ]
    return list(dict.fromkeys(named))


def only_here(recipe: Recipe) -> list[str]:
    """The parts of a recipe that no worker process can import, for a script or notebook defines them, in words."""
    return [
        f"the {SINGULAR[family]} {name!r}"
        for family, name in parts_of(recipe)
        if registry.only_here(family, name)
    ]


def with_absolute_paths(recipe: Recipe) -> Recipe:
    """The recipe with encoders' files and folders named from the root: the working folder may change, they may not."""
    modalities = {}
    for name, modality in recipe.modalities.items():
        options = absolute(modality.options, registry.get("encoders", modality.encoder).sources)
        changed = options != modality.options
        modalities[name] = modality.model_copy(update={"options": options}) if changed else modality
    return recipe.model_copy(update={"modalities": modalities})


def build_fusion(choice: FusionChoice, widths: Mapping[str, int]) -> Fusion:
    """The fusion of modalities of these widths; an option that names a modality must name one of them."""
    kind: type[Fusion] = registry.get("fusions", choice.name)
    options = check(registry.options("fusions", choice.name), choice.options, "fusion.options", choice.name)
    for field in ("attend", "pool"):  # fields that name modalities
        named = getattr(options, field, None)
        for modality in named if isinstance(named, (list, dict)) else ():
            if modality not in widths and field in choice.options:
                raise AffuseError(
                    f"fusion.options.{field}: {registry.unknown(str(modality), list(widths), 'modalities')}."
                )
    return kind(widths, **arguments(kind, options))


def build_loss(task: str, choice: Task, classes: int, width: int) -> WeightedSum:
    """The weighted sum of a task's terms, for embeddings of this width."""
    terms = []
    for number, term in enumerate(choice.loss):
        kind = registry.get("losses", term.name)
        where = f"tasks.{task}.loss.{number}.options"
        options = check(registry.options("losses", term.name), term.options, where, term.name)
        if kind.fits != choice.fits:
            others = [
                name for name in registry.names("losses") if registry.get("losses", name).fits == choice.fits
            ]
            raise AffuseError(
                f"tasks.{task}.loss.{number}: {term.name} is a loss of {_of_kind(kind.fits)}, and {task} is of "
                f"{_of_kind(choice.fits)}; take one of {', '.join(others)}."
            )
        try:
            loss = kind(classes, width, reduction=term.reduction, **arguments(kind, options))
        except AffuseError as error:
            raise AffuseError(f"tasks.{task}.loss.{number}: {error}") from None
        terms.append((loss, term.weight))
    return WeightedSum(terms)


def _of_kind(fits: str) -> str:
    return "target: distribution" if fits == "distribution" else f"kind {fits}"


def build_weighting(choice: WeightingChoice, tasks: list[str]) -> Weighting:
    """The weighting of these tasks."""
    kind = registry.get("weightings", choice.name)
    options = check(
        registry.options("weightings", choice.name), choice.options, "weighting.options", choice.name
    )
    return kind(tasks, **arguments(kind, options))
