"""The best possible value beside a result: of classes by accuracy, of ratings by CCC, where the corpus is generated."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from affuse.corpora.corpus import Corpus
from affuse.progress import Quiet
from affuse.recipe import Recipe
from affuse.reports.tables.results import ceiling
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from small_corpus import make_corpus


def test_a_rating_has_the_ceiling_of_its_modalities_and_no_other(tmp_path: Path) -> None:
    found = make_corpus(tmp_path / "c")
    table = found.table.assign(valence=1 + np.arange(len(found)) % 5)
    best = {"audio": {"valence": 0.49}, "audio+text": {"valence": 0.7}}
    info = found.info.model_copy(update={"generated": True, "rating_ceilings": best})
    recipe = Recipe.load("voice-offline", {"tasks.valence": {"kind": "regression", "range": [1, 5]}})

    def of(corpus: Corpus, metric: str, recipe: Recipe = recipe) -> float:
        experiment = set_up(corpus, recipe, FeatureCache(tmp_path / "cache"), Quiet())
        return ceiling(experiment, recipe, "valence", metric)

    generated = Corpus(table, info, found.folder)
    assert of(generated, "ccc") == 0.49
    assert math.isnan(of(generated, "rmse"))
    assert math.isnan(of(Corpus(table, found.info, found.folder), "ccc"))
