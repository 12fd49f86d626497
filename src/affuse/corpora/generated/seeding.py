"""Random streams named by what they are for, so that neither order nor the number of processes matters."""

from __future__ import annotations

import numpy as np

from affuse.files import digest


def stream(seed: int, *names: str | int) -> np.random.Generator:
    """A generator of its own for ``names`` ("voice", "Ses01F_impro01_F000"): same seed and names, same numbers."""
    return np.random.default_rng(int(digest(str(seed), *map(str, names)), 16))
