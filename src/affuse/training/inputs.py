"""What a recipe reads, and which of it a corpus has, asked before any encoder is loaded or downloaded."""

from __future__ import annotations

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import FEATURE_PREFIX
from affuse.encoders.precomputed import PrecomputedOptions
from affuse.errors import AffuseError
from affuse.models.parts import ResolvedEncoder, resolve_encoders
from affuse.parts.registry import get
from affuse.recipe import Recipe

# of films that are named as video alone
FILMS_SOUND = "a film's sound is read where the column audio names the film too"
_IN_WORDS = {"audio": "sound", "video": "video", "text": "text"}  # the column that a kind of encoder reads


def has_input(encoder: ResolvedEncoder, table: pd.DataFrame) -> bool:
    """Whether some row has what an encoder reads; whether that can be decoded is another matter.

    An encoder of another kind than affuse's own reads what it may: nobody knows before it tries.
    """
    options = encoder.options
    column = f"{FEATURE_PREFIX}{options.name}" if isinstance(options, PrecomputedOptions) else encoder.kind
    return column not in table.columns or bool(table[column].notna().any())


def input_of(encoder: ResolvedEncoder) -> str:
    """What an encoder reads, in words."""
    return _IN_WORDS.get(encoder.kind, f"{FEATURE_PREFIX}{getattr(encoder.options, 'name', '')}")


def reads_text(recipe: Recipe) -> bool:
    """Whether any modality is the words that are said, be they encoded here or before."""
    return any(
        "text" in name or getattr(get("encoders", part.encoder), "kind", "") == "text"
        for name, part in recipe.modalities.items()
    )


def absent_modalities(recipe: Recipe, corpus: Corpus) -> dict[str, str]:
    """Modalities of the recipe that no utterance has -> what is missing, in words."""
    return {
        name: input_of(encoder)
        for name, encoder in resolve_encoders(recipe).items()
        if not has_input(encoder, corpus.table)
    }


def without_absent(recipe: Recipe, corpus: Corpus) -> tuple[Recipe, list[str]]:
    """The recipe without modalities that no utterance has, and a sentence for each. AffuseError if none is left."""
    absent = absent_modalities(recipe, corpus)
    if not absent:
        return recipe, []
    silent = "sound" in absent.values() and bool(corpus.table["video"].notna().any())
    cure = f"; {FILMS_SOUND}" if silent else ""
    if len(absent) == len(recipe.modalities):
        raise AffuseError(
            f"No utterance of {corpus.info.name} has {' or '.join(dict.fromkeys(absent.values()))}, which is all that "
            f"the recipe {recipe.name} reads{cure}; choose another recipe (see 'affuse list recipes')."
        )
    notes = [
        f"No utterance of {corpus.info.name} has {what}: the modality {name} is left out of the recipe"
        f"{cure if what == 'sound' else ''}."
        for name, what in absent.items()
    ]
    return recipe.changed([f"modalities.{name}=null" for name in absent]), notes
