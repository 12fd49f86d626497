"""From a definition and a corpus to the variants that ``training.compare`` runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from affuse.corpora.corpus import Corpus
from affuse.corpora.readers.iemocap.relabel import has_votes
from affuse.corpora.splits.protocol import SplitProtocol
from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.recipe.overrides import apply_override, set_field
from affuse.reproduction.changes import changes_in_words
from affuse.reproduction.definition import Changes, Definition, GridCell, Paper
from affuse.reproduction.form import Form, check_prefixes, split_prefix
from affuse.training.variants import Variant

LEAST_GROUPS = 3  # one to test, one to validate, one to train
MISSING = {"votes": "keeps no annotators' votes", "sides": "does not show two people side by side"}


@dataclass
class Grid:
    """Variants of one protocol on one corpus; ``notes`` say what of the definition the corpus or the form changes."""

    variants: list[Variant]
    rows: dict[str, list[str]]  # published row -> the names of its variants, one per lambda
    folds: list[int] | None  # None: all
    notes: list[str] = field(default_factory=list)
    other_utterances: list[str] = field(
        default_factory=list
    )  # why the paper's corpus is not the paper's here


def make_grid(paper: Paper, protocol: str, definition: Definition, corpus: Corpus, form: Form) -> Grid:
    """Every cell of a definition, for every lambda and seed.

    Raises AffuseError where the corpus lacks a modality the paper needs, or every split's columns.
    """
    check_corpus(paper, corpus)
    check_prefixes(form, {cell.recipe for cell in definition.cells})
    split = choose_split(definition.splits, corpus, protocol)
    conditional, notes = conditions(definition.where, corpus)
    seeds = form.seeds or (paper.quick.seeds[protocol] if form.quick else definition.seeds)
    grid = Grid([], {}, None, notes)
    pairs = []
    for cell in definition.cells:
        changes = {"protocol": split} | definition.set | conditional | cell.set
        recipe = build_recipe(paper, cell, changes, definition.encoders, form)
        pairs.append((recipe, build_recipe(paper, cell, changes, definition.encoders, Form())))
        for weight in cell.lambdas or [None]:
            name = cell.row if weight is None else f"{cell.row}, lambda {weight:g}"
            chosen = recipe if weight is None else _with_lambda(recipe, weight)
            grid.rows.setdefault(cell.row, []).append(name)
            for seed in seeds:
                settings = {"row": name, "seed": str(seed)}
                grid.variants.append(Variant(settings, chosen.changed([f"seed={seed}"])))
    if form.quick and paper.quick.folds is not None and SplitProtocol.model_validate(split).kind != "ratio":
        grid.folds = list(range(paper.quick.folds))
        grid.notes.append(f"Only the first {paper.quick.folds} folds are run (quick form).")
    if changed := changes_in_words(pairs):
        grid.notes.append(changed)
    return grid


def build_recipe(
    paper: Paper,
    cell: GridCell,
    changes: Changes,
    encoders: Mapping[str, Changes],
    form: Form,
    last: Changes | None = None,
) -> Recipe:
    """The cell's recipe (or its small form) with the protocol's changes, the small form's, ``last``, the caller's."""
    small = form.is_small
    name = paper.small.recipes.get(cell.recipe, cell.recipe) if small else cell.recipe
    data = Recipe.load(name).model_dump()
    where = f"recipe {name}"
    budget = (paper.small.set if small else {}) | (paper.quick.set if form.quick else {})
    for key, value in (*changes.items(), *budget.items()):
        set_field(data, key, value, where)
    for options in (encoders, paper.small.encoders if small else {}):
        for modality in data["modalities"].values():
            for key, value in options.get(modality["encoder"], {}).items():
                set_field(modality, f"options.{key}", value, where)
    for key, value in (last or {}).items():
        set_field(data, key, value, where)
    for override in form.overrides:
        prefix, text = split_prefix(override)
        if prefix in ("", cell.recipe):
            apply_override(data, text)
    return Recipe.parse(data, where)


def check_corpus(paper: Paper, corpus: Corpus) -> None:
    """AffuseError unless some utterance has each of the columns the paper needs."""
    for column, what in paper.needs.items():
        if column not in corpus.table.columns or not corpus.table[column].notna().any():
            raise AffuseError(
                f"{corpus.info.name} has no {what} (column {column!r} is blank in all {len(corpus)} rows), and "
                f"{paper.title} needs it; choose another corpus or the other paper."
            )


def choose_split(splits: Sequence[Changes], corpus: Corpus, protocol: str) -> Changes:
    """The first split whose columns are filled in and have groups enough.

    Raises AffuseError, naming the columns, if there is none.
    """
    labelled = corpus.table[corpus.table["emotion"].notna()]
    wanted: list[str] = []
    for split in splits:
        checked = SplitProtocol.model_validate(split)
        columns = [*checked.by, *(checked.validation.by if checked.validation else ())]
        fits = all(
            labelled[column].notna().all() and labelled[column].nunique() >= LEAST_GROUPS
            for column in columns
        )
        if fits:
            return split
        wanted += columns
    raise AffuseError(
        f"The {protocol} protocol holds out groups, and {corpus.info.name} has {LEAST_GROUPS} or more in none of the "
        f"columns {', '.join(dict.fromkeys(wanted))} (filled in for every labelled utterance); fill one in."
    )


def conditions(where: Mapping[Any, Changes], corpus: Corpus) -> tuple[dict[str, Any], list[str]]:
    """The changes whose condition the corpus meets, and a sentence for each that it does not."""
    met: dict[str, Any] = {}
    notes = []
    for condition, changes in where.items():
        if meets(corpus, condition):
            met |= changes
        else:
            notes.append(f"{corpus.info.name} {MISSING[condition]}: {', '.join(changes)} left as it is.")
    return met, notes


def meets(corpus: Corpus, condition: str) -> bool:
    """Whether a corpus has what a change is for: votes, sides, or "" (always)."""
    if condition == "votes":
        return has_votes(corpus)
    return not condition or bool(corpus.table["side"].notna().any())


def _with_lambda(recipe: Recipe, weight: float) -> Recipe:
    data = recipe.model_dump()
    data["tasks"]["emotion"]["loss"][-1]["weight"] = weight
    return Recipe.parse(data)
