"""Which modalities of a recipe a corpus has, asked of its table before any encoder is loaded or downloaded."""

from __future__ import annotations

from typing import Any

import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import FEATURE_PREFIX
from affuse.encoders.precomputed import PrecomputedOptions
from affuse.errors import AffuseError
from affuse.models.parts import encoder_choice
from affuse.recipe import Recipe

# of films that are named as video alone
FILMS_SOUND = "a film's sound is read where the column audio names the film too"
_IN_WORDS = {"audio": "sound", "video": "video", "text": "text"}  # the column that a kind of encoder reads


def has_input(kind: Any, options: Any, table: pd.DataFrame) -> bool:
    """Whether some row has what an encoder reads; whether that can be decoded is another matter.

    An encoder of another kind than affuse's own reads what it may: nobody knows before it tries.
    """
    column = f"{FEATURE_PREFIX}{options.name}" if isinstance(options, PrecomputedOptions) else kind.kind
    return column not in table.columns or bool(table[column].notna().any())


def input_of(kind: Any, options: Any) -> str:
    """What an encoder reads, in words."""
    return _IN_WORDS.get(kind.kind, f"{FEATURE_PREFIX}{getattr(options, 'name', '')}")


def absent_modalities(recipe: Recipe, corpus: Corpus) -> dict[str, str]:
    """Modalities of the recipe that no utterance has -> what is missing, in words."""
    absent = {}
    for name, modality in recipe.modalities.items():
        kind, options = encoder_choice(name, modality)
        if not has_input(kind, options, corpus.table):
            absent[name] = input_of(kind, options)
    return absent


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
