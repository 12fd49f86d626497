"""Runs of frozen features on a small corpus, trained as stacks or by Lightning, and what they leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from affuse.corpora.corpus import Corpus
from affuse.recipe import Recipe
from affuse.recipe.axes import axes_of
from affuse.training.cache import FeatureCache
from affuse.training.compare import Comparison, compare
from affuse.training.experiment import Experiment, set_up
from affuse.training.fold import train_fold
from affuse.training.run import Wanted
from affuse.training.runfolder import RunResult
from affuse.training.stacked.reasons import why_not
from affuse.training.stacked.runs import StackCell, train_stacked
from affuse.training.stacked.training import Saving
from affuse.training.variants import make_variants
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert

SMALL = [
    "modalities.audio.encoder=logmel",
    "modalities.audio.options.seconds=0.2",
    "modalities.audio.options.bands=12",
    "modalities.audio.standardise=true",
    "fusion.options.width=16",
    "head.hidden=16",
    "training.batch_size=16",
    "lr=1e-2",
    "epochs=3",
]
SEQUENCES = [*SMALL, "fusion.options.heads=4"]
BOTH_TASKS = "tasks.gender.loss=cross_entropy"
RATED = {  # means of what nobody felt, from 1 to 5
    "valence": {"anger": 1.6, "sadness": 2.4, "neutral": 3.4},
    "arousal": {"anger": 4.1, "sadness": 1.9, "neutral": 2.5},
}

MOODS = {"anger": "angry;tense", "sadness": "sad", "neutral": ";"}  # several labels at once, or none of them


def rated(loss: Mapping[str, str]) -> list[str]:
    """Tasks of kind regression with their losses, as settings."""
    return [f"tasks.{task}={{kind: regression, range: [1, 5], loss: {one}}}" for task, one in loss.items()]


class Place(NamedTuple):
    """A corpus with blanks, a small BERT, a cache of features, and the folder that has them all."""

    corpus: Corpus
    bert: str
    cache: FeatureCache
    folder: Path

    @classmethod
    def load(cls, folder: Path) -> Place:
        """As ``make_place`` made it, for another process."""
        corpus = Corpus.load(folder / "blanked")
        return cls(corpus, str(folder / "bert"), FeatureCache(folder / "cache"), folder)


def make_place(folder: Path) -> Place:
    """36 utterances of six speakers; a third without gender, some without words, without voice or without ratings."""
    corpus = make_corpus(folder, speakers=6, each=2)
    table = corpus.table.copy()
    random = np.random.default_rng(1)
    for task, scale in RATED.items():
        table[task] = table["emotion"].map(scale).astype(float) + random.normal(0, 0.2, len(table)).round(2)
    table.loc[2::5, "valence"] = np.nan
    table.loc[:1, "arousal"] = np.nan
    table["moods"] = table["emotion"].map(MOODS)
    table.loc[3::7, "moods"] = None
    table.loc[::3, "gender"] = None
    table.loc[4::9, "emotion"] = None
    table.loc[::5, "text"] = None
    table.loc[1::7, "audio"] = None
    tiny_bert(folder / "bert")
    Corpus(table, corpus.info, corpus.folder).save(folder / "blanked")
    return Place.load(folder)


def compared(
    place: Place,
    out: Path,
    over: Sequence[str],
    *changes: str,
    recipe: str = "server",
    jobs: int = 1,
    folds: Sequence[int] = (0, 1),
) -> Comparison:
    """A comparison of stacks, with every model kept."""
    variants = make_variants(recipe, axes_of(over), [*_small(place, recipe), *changes])
    return compare(
        variants, place.corpus, out, place.cache, Quiet(), folds=list(folds), jobs=jobs, keep_models=True
    )


def prepared(place: Place, *changes: str, recipe: str = "server") -> Experiment:
    """The experiment of a packaged recipe with small features; pooled fusion, unless ``recipe`` is another."""
    chosen = Recipe.load(recipe, [*_small(place, recipe), *changes])
    return set_up(place.corpus, chosen, place.cache, Quiet())


def _small(place: Place, recipe: str) -> list[str]:
    text = [f"modalities.text.options.model={place.bert}"]
    if recipe == "server":
        return [*SMALL, *text, "modalities.text.options.output=pooled"]
    return [*SEQUENCES, *text]


def cell(
    experiment: Experiment, folder: Path, *changes: str, fold: int = 0, seed: int | None = None
) -> StackCell:
    """A run of the experiment with other settings."""
    given = [*changes] if seed is None else [*changes, f"seed={seed}"]
    return StackCell(experiment, experiment.recipe.changed(given), fold, folder)


def stack(
    cells: Sequence[StackCell], *, model: bool = True, saving: Saving | None = None
) -> dict[Path, RunResult | Exception]:
    """Train runs side by side; folder -> its result or the error that ended it."""
    return {one.folder: found for one, found in train_stacked(cells, Wanted(model), saving=saving)}


def both_ways(
    experiment: Experiment, folder: Path, *changes: str, fold: int = 0, keep_model: bool = True
) -> tuple[RunResult, RunResult]:
    """A run as a stack of one and by Lightning, in the folders ``stacked`` and ``lightning``."""
    recipe = experiment.recipe.changed([*changes])
    assert why_not(recipe, experiment) == ""
    stacked = train_fold(experiment, recipe, fold, folder / "stacked", keep_model=keep_model)
    other = recipe.changed(["training.engine=lightning"])
    assert why_not(other, experiment) == "training.engine is lightning"
    return stacked, train_fold(experiment, other, fold, folder / "lightning", keep_model=keep_model)


def assert_close(folder: Path, rtol: float = 1e-5, atol: float = 1e-6, tables: bool = True) -> pd.DataFrame:
    """Both ways have left the same numbers to rounding; the stacked one's ``metrics.csv``."""
    first, second = (pd.read_csv(folder / name / "metrics.csv") for name in ("stacked", "lightning"))
    assert set(first.columns) == set(second.columns)
    for name in first.columns:
        np.testing.assert_allclose(first[name], second[name], rtol, atol, err_msg=name)
    if tables:
        first, second = (pd.read_csv(folder / name / "predictions.csv") for name in ("stacked", "lightning"))
        assert first[["id", "role"]].equals(second[["id", "role"]])
        assert all(first[task].equals(second[task]) for task in ("moods", "moods_predicted") if task in first)
        numbers = [
            *first.filter(like="_p_").columns,
            *(f"{task}_predicted" for task in RATED if task in first),
        ]
        for name in numbers:
            np.testing.assert_allclose(first[name], second[name], 10 * rtol, 10 * atol, err_msg=name)
    return pd.read_csv(folder / "stacked" / "metrics.csv")


FILES = (
    "metrics.csv",
    "predictions.csv",
    "embeddings.npz",
    "model/model.safetensors",
    "model/prediction.json",
)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """What a run's numbers are kept in."""
    return {name: (folder / name).read_bytes() for name in FILES if (folder / name).is_file()}
