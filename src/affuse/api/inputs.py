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


def open_cache(cache: str | Path | None) -> FeatureCache:
    """The feature cache in a folder; None: where the user's caches are."""
    from affuse.training.cache import FeatureCache, default_folder

    return FeatureCache(default_folder() if cache is None else cache)


def name_of(corpus: Corpus) -> str:
    """What a call from Python records of a corpus: its folder, or its name."""
    return repr(str(corpus.folder)) if corpus.folder is not None else repr(corpus)
