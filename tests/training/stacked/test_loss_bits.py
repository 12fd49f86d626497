"""The bits of a run's loss and gradient do not depend on how many runs are computed beside it, nor on their sizes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
import torch
from torch import Tensor

from affuse.losses import TaskLoss
from affuse.parts import registry
from affuse.training.stacked.modules import stacked, stacks
from affuse.training.threads import torch_threads


def labels_of(loss: TaskLoss, runs: int, n: int, outputs: int, generator: torch.Generator) -> Tensor:
    """Labels of the loss's kind, a fifth of them blank."""
    blank = torch.rand(runs, n, generator=generator) < 0.2
    if loss.fits == "classes":
        return torch.randint(0, outputs, (runs, n), generator=generator).masked_fill(blank, -1)
    if loss.fits == "regression":
        return (2 * torch.rand(runs, n, generator=generator) - 1).masked_fill(blank, torch.nan)
    rows = torch.rand(runs, n, outputs, generator=generator)
    rows = rows.round() if loss.fits == "multilabel" else (8 * rows).softmax(-1)
    return rows.masked_fill(blank[..., None], torch.nan)


@pytest.mark.parametrize("name", registry.names("losses"))
def test_a_slice_of_a_stack_is_a_stack_of_one(name: str) -> None:
    """Torch's own binary cross-entropy with logits does not pass this: its gradient's last bits follow the size."""
    kind: type[TaskLoss] = registry.get("losses", name)
    width, generator = 6, torch.Generator().manual_seed(0)
    for outputs in (1,) if kind.fits == "regression" else (3, 7, 28):
        for runs, n in ((2, 5), (3, 16), (7, 1), (8, 3)):
            torch.manual_seed(n)
            every = [kind(outputs, width) for _ in range(runs)]
            assert stacks(every[0])
            logits = 3 * torch.randn(runs, n, outputs, generator=generator)
            embedding = torch.randn(runs, n, width, generator=generator)
            labels = labels_of(every[0], runs, n, outputs, generator)
            with torch_threads(1):
                whole = values_and_gradients(stacked(every), logits, embedding, labels)
                for run in range(runs):
                    one = slice(run, run + 1)
                    alone = values_and_gradients(
                        stacked(every[one]), logits[one], embedding[one], labels[one]
                    )
                    for together, single in zip(whole, alone, strict=True):
                        assert torch.equal(together[one], single), (outputs, runs, n)


def values_and_gradients(loss: TaskLoss, logits: Tensor, embedding: Tensor, labels: Tensor) -> list[Tensor]:
    given = [logits.clone().requires_grad_(), embedding.clone().requires_grad_()]
    values = loss.reduced(*given, labels)
    inputs = [*given, *loss.parameters()]
    found = cast(Sequence[Tensor | None], torch.autograd.grad(values.sum(), inputs, allow_unused=True))
    return [values.detach(), *(one for one in found if one is not None)]
