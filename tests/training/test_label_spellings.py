"""A recipe may spell labels otherwise than its corpus: the corpus's names become the model's classes."""

from typing import Any

import pandas as pd
import pytest

from affuse.corpora.corpus import Corpus
from affuse.corpora.schema import CorpusInfo
from affuse.errors import AffuseError
from affuse.recipe import Recipe
from affuse.training.data import label_table
from affuse.training.evaluate.labels import by_vocabulary

LABELS = ["happiness", "anger", "excitement", "calm"]


def corpus_of(*labels: str) -> Corpus:
    table = pd.DataFrame({"id": [f"u{i}" for i in range(len(labels))], "text": "a", "emotion": list(labels)})
    return Corpus(table, CorpusInfo(name="mine", label_spaces={"emotion": list(labels)}))


def recipe_of(**task: Any) -> Recipe:
    return Recipe.load("server", {"tasks": {"emotion": task}})


def test_classes_and_merges_of_an_older_recipe() -> None:
    recipe = recipe_of(classes=["angry", "happy"], merge={"exc": "joy"})
    found = label_table(corpus_of(*LABELS), recipe)
    assert found.spaces == {"emotion": ["anger", "happiness"]}
    assert found.table["emotion"].tolist() == ["happiness", "anger", "happiness"]
    older = label_table(corpus_of("happy", "ang", "exc", "calm"), recipe_of(classes=["anger", "happiness"]))
    assert older.spaces == {"emotion": ["ang", "happy"]}  # an older corpus keeps its names


@pytest.mark.parametrize(
    ("task", "sentence"),
    [({"classes": ["joy", "anger", "happy"]}, "tasks.emotion.classes names happiness twice, once as 'happy'"),
     ({"classes": ["bliss", "anger"]}, "tasks.emotion.classes: There is no 'bliss' among the labels"),
     ({"merge": {"exc": "anger", "excited": "joy"}}, "tasks.emotion.merge names excitement twice, once as 'excited'")],
)  # fmt: skip
def test_labels_that_are_not_there_or_twice(task: dict[str, Any], sentence: str) -> None:
    with pytest.raises(AffuseError) as caught:
        label_table(corpus_of(*LABELS), recipe_of(**task))
    assert sentence in str(caught.value)


def test_a_label_that_the_models_recipe_merges_is_told_in_another_spelling_too() -> None:
    recipe, spaces = recipe_of(merge={"excitement": "happiness"}), {"emotion": ["anger", "happiness"]}
    theirs, said = by_vocabulary(corpus_of("hap", "exc", "Wut", "fear"), spaces, recipe.tasks)
    assert theirs.table["emotion"].tolist() == ["happiness", "excitement", "anger", "fear"]
    assert "exc is excitement" in said[0]
    assert label_table(theirs, recipe, spaces).table["emotion"].tolist() == [
        "happiness",
        "happiness",
        "anger",
    ]
    joyful = recipe_of(
        merge={"joy": "happiness"}
    )  # a key that means a class: no label has two meanings by it
    assert by_vocabulary(corpus_of("hap"), spaces, joyful.tasks)[0].table["emotion"].tolist() == ["happiness"]
