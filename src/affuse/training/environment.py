"""What the numbers of a run depend on besides its recipe: versions, machine, corpus, split."""

from __future__ import annotations

import platform
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import torch

import affuse
from affuse.training.experiment import Experiment

_PACKAGES = ("torch", "lightning", "transformers", "numpy", "scikit-learn")


@cache  # the packages' metadata files are parsed anew each time, a millisecond each
def _of_this_process() -> dict[str, str]:
    """What cannot change while it runs."""
    return {
        "affuse": affuse.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        **{name: version(name) for name in _PACKAGES},
    }


def versions(experiment: Experiment) -> dict[str, Any]:
    """Of affuse, Python and the packages that compute; platform, threads and device."""
    return {
        **_of_this_process(),
        "threads": torch.get_num_threads(),
        "device": experiment.clips.device,
    }


def environment(experiment: Experiment, fold: int, key: str) -> dict[str, Any]:
    """The content of a run's ``environment.json``; ``key`` is the run's (``Experiment.key``)."""
    overlap = experiment.transcript_overlap
    return {
        "key": key,
        **versions(experiment),
        "corpus": experiment.corpus.info.title,
        "corpus_licence": experiment.corpus.info.licence,
        "generated": experiment.corpus.info.generated,
        "corpus_hash": experiment.corpus_hash,
        "split_hash": experiment.split.hash,
        "stamp": experiment.split.stamp,
        "view": experiment.notes,  # what the recipe's view of the corpus left out or changed
        # share of test utterances whose words occur verbatim in training, mean over folds; null without words
        "transcript_overlap": None if np.isnan(overlap) else round(overlap, 6),
        "fold": fold,
    }
