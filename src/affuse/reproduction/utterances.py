"""Whose utterances the published numbers are of, and whether the corpus at hand has the same ones."""

from __future__ import annotations

from affuse.corpora.corpus import Corpus
from affuse.corpora.selection import view
from affuse.recipe import Recipe
from affuse.reproduction.definition import Definition, Paper, Utterances
from affuse.training.data import label_table

TASK = "emotion"
OTHERS = "These are not the paper's utterances"
_CONSENSUS = "consensus"


def is_corpus_of(paper: Paper, corpus: Corpus) -> bool:
    """Whether a corpus is, by its name, the one that the published numbers are of; a generated one never is."""
    return corpus.info.name == paper.corpus and not corpus.info.generated


def utterances_in_words(paper: Paper, definition: Definition) -> str:
    """A sentence: 'The protocol's utterances of iemocap: 2,280 (anger 289, ...)'."""
    stated = definition.utterances
    return f"The protocol's utterances of {paper.corpus}: {_listed(stated.classes)}{_beside(stated)}."


def other_utterances(paper: Paper, definition: Definition, corpus: Corpus, recipe: Recipe) -> str:
    """What the paper's corpus, as ``recipe`` looks at it, has otherwise than the protocol says; '' where nothing.

    Where a protocol labels turns beside those with a consensus, in how many nobody knows, only the consensus counts.
    """
    if not is_corpus_of(paper, corpus):
        return ""
    stated = definition.utterances
    table = label_table(view(corpus, recipe.corpus)[0], recipe).table
    if stated.beside and table["label_source"].notna().any():
        table = table[table["label_source"].isna() | (table["label_source"] == _CONSENSUS)]
    found = {str(name): int(count) for name, count in table[TASK].value_counts().items()}
    if blank := int(table[TASK].isna().sum()):
        found[f"no {TASK}"] = blank
    if found == stated.classes:
        return ""
    differing = [
        f"{name} {_number(found.get(name, 0))} for {_number(stated.classes.get(name, 0))}"
        for name in dict.fromkeys([*stated.classes, *sorted(found)])
        if found.get(name, 0) != stated.classes.get(name, 0)
    ]
    return (
        f"{OTHERS}: {corpus.info.title} has {_number(sum(found.values()))} here, the "
        f"protocol {_number(sum(stated.classes.values()))}{_beside(stated)} ({', '.join(differing)}). No published "
        "number is of these; prepare the whole release, with all its classes and dialogs."
    )


def check_utterances(
    paper: Paper, definition: Definition, corpus: Corpus, recipes: list[Recipe]
) -> list[str]:
    """``other_utterances`` of every recipe, each sentence once."""
    seen: dict[str, str] = {}
    for recipe in recipes:
        key = repr((recipe.corpus, recipe.tasks[TASK].classes, recipe.tasks[TASK].merge))
        if key not in seen:
            seen[key] = other_utterances(paper, definition, corpus, recipe)
    return [text for text in dict.fromkeys(seen.values()) if text]


def _beside(stated: Utterances) -> str:
    return f", beside {stated.beside}" if stated.beside else ""


def _listed(counts: dict[str, int]) -> str:
    return (
        f"{_number(sum(counts.values()))} ({', '.join(f'{name} {_number(n)}' for name, n in counts.items())})"
    )


def _number(count: int) -> str:
    return f"{count:,}"
