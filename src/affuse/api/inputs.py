"""What the public functions take in several forms, opened."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from affuse.errors import AffuseError, argument

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.models.network import Model
    from affuse.results.run import Run
    from affuse.training.cache import FeatureCache


def open_corpus(corpus: Corpus | str | Path) -> Corpus:
    """The corpus itself, or the one in a folder. Raises AffuseError where there is none."""
    from affuse.corpora.corpus import Corpus

    return corpus if isinstance(corpus, Corpus) else Corpus.load(corpus)


def check_corpus(corpus: Corpus | str | Path) -> None:
    """Refuse a folder that is no corpus, before anything heavy is imported. A corpus is one already."""
    from affuse.corpora.corpus_files import check_corpus_folder

    if isinstance(corpus, str | Path):
        check_corpus_folder(corpus)


def check_model(model: object) -> None:
    """Refuse a folder or Hub id without a model, before anything heavy is imported. Models and runs are let through."""
    from affuse.models.finding import find_folder

    if isinstance(model, str | Path):
        find_folder(model)


def folder_of(model: Model | Run | str | Path) -> Path | None:
    """The folder or Hub id that a model is read from; None for one that is in memory already."""
    from affuse.models.network import Model
    from affuse.results.run import Run

    if isinstance(model, Model):
        return None
    return model.folder if isinstance(model, Run) else Path(model)


def open_model(model: Model | Run | str | Path) -> Model:
    """The model itself, or the one of a run, a folder or a Hub id. Raises AffuseError where there is none."""
    from affuse.models.loading import load_model

    folder = folder_of(model)
    return load_model(folder) if folder is not None else cast("Model", model)


def open_cache(cache: str | Path | None) -> FeatureCache:
    """The feature cache in a folder; None: where the user's caches are."""
    from affuse.training.cache import FeatureCache, default_folder

    return FeatureCache(default_folder() if cache is None else cache)


def check_rename(rename: Mapping[str, str] | None) -> None:
    """AffuseError for what is no mapping of labels to labels."""
    for label, other in (rename or {}).items():
        if not (isinstance(label, str) and isinstance(other, str)):
            raise AffuseError(
                f"{argument('rename')} takes label to label, both texts, not {label}: {other}; for example "
                f"{argument('rename', {'angry': 'anger'})}."
            )
