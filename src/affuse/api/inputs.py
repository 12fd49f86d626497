"""What the public functions take in several forms, opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
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


def open_cache(cache: str | Path | None) -> FeatureCache:
    """The feature cache in a folder; None: where the user's caches are."""
    from affuse.training.cache import FeatureCache, default_folder

    return FeatureCache(default_folder() if cache is None else cache)


def name_of(corpus: Corpus) -> str:
    """What a call from Python records of a corpus: its folder, or its name."""
    return repr(str(corpus.folder)) if corpus.folder is not None else repr(corpus)
