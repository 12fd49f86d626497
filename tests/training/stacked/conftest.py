"""One small corpus for all tests of stacked training."""

from __future__ import annotations

import pytest

from frozen_runs import Place, make_place


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Features are computed once: the cache is shared."""
    return make_place(tmp_path_factory.mktemp("stacked"))
