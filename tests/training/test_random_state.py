"""What is drawn inside ``own_random_state`` changes nothing of what the caller draws afterwards."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from affuse.training.random_state import own_random_state


def draws() -> tuple[float, float, float]:
    return torch.rand(1).item(), np.random.random(), random.random()  # noqa: NPY002


def seed() -> None:
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002
    random.seed(3)


def test_the_callers_draws_go_on_where_they_were() -> None:
    seed()
    alone = draws(), draws()
    seed()
    first = draws()
    with own_random_state():
        torch.manual_seed(0)
        draws()
    assert (first, draws()) == alone


def test_they_do_after_an_exception_too() -> None:
    seed()
    expected = draws()
    seed()

    def fail() -> None:
        with own_random_state():
            draws()
            raise ValueError("within")

    with pytest.raises(ValueError, match="within"):
        fail()
    assert draws() == expected
