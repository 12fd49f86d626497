"""Labels of a part as tensors."""

import numpy as np
import pytest
import torch

from affuse.training.data import Clips
from affuse.training.stacked.batches import Batches


@pytest.mark.parametrize(
    ("target", "dtype", "shape"),
    [(2, torch.int64, (0,)), (0.5, torch.float64, (0,)), (np.zeros(3, np.float32), torch.float32, (0, 3))],
)
def test_a_part_without_utterances_has_labels_of_the_same_kind(
    target: object, dtype: torch.dtype, shape: tuple[int, ...]
) -> None:
    """A protocol without validation has such a part; its labels were numbers with a point, for classes too."""
    targets = {"task": {"a": target}}
    found = Clips([], {}, targets).labels["task"]
    assert found.dtype == dtype
    assert found.shape == shape
    assert Clips(["a"], {}, targets).labels["task"].dtype == dtype


def test_runs_without_a_part_are_stacked_with_others() -> None:
    targets = {"task": {"a": 1, "b": 0}}
    parts = [Clips([], {}, targets), Clips(["a", "b"], {}, targets)]
    batches = Batches.of([[], [[0, 1]]], [np.arange(0), np.arange(2)], 2)
    labels = batches.labels([part.labels_of("task") for part in parts])
    assert labels.dtype == torch.int64
    assert labels[0, 1].tolist() == [1, 0]
