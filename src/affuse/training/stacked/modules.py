"""One module that computes several of its kind at once, each with its own parameters."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

from affuse.fusion.base import Fusion, Opinions
from affuse.layers import Dropout
from affuse.losses import TaskLoss


def stacked(modules: Sequence[nn.Module]) -> Any:
    """A copy of the first whose parameters and buffers are those of all, (runs, ...) each.

    Args:
        modules: Of one kind and shape.

    Returns:
        A module of that kind. It computes all of them at once if its code ``stacks`` (``affuse.layers``).
    """
    one = copy.deepcopy(modules[0])
    for path, module in one.named_modules():
        parts = [other.get_submodule(path) for other in modules]
        for name, parameter in module.named_parameters(recurse=False):
            rows = torch.stack([part.get_parameter(name).detach() for part in parts])
            setattr(module, name, nn.Parameter(rows, requires_grad=parameter.requires_grad))
        for name, _ in module.named_buffers(recurse=False):
            setattr(module, name, torch.stack([part.get_buffer(name) for part in parts]))
        if isinstance(module, Dropout):
            module.rates = [part.p for part in parts if isinstance(part, Dropout)]
    return one


def stacks(part: Fusion | TaskLoss) -> bool:
    """Whether a part says that its own code computes stacks; what it inherits it says for another class."""
    return bool(vars(type(part)).get("stacks"))


class MappedFusion(nn.Module):
    """A fusion whose code knows of one network, mapped over the runs of a stack (torch.vmap)."""

    def __init__(self, fusions: Sequence[Fusion]) -> None:
        super().__init__()
        self.parameters_of_all = stacked(fusions)
        self._one = (_Asked(fusions[0]),)  # in a tuple: its parameters are not ours

    def opinions(self, sequences: dict[str, Any]) -> Opinions:
        """As ``Fusion.opinions``, (runs, ...)."""
        self._one[0].train(self.training)
        found = torch.vmap(lambda state, given: functional_call(self._one[0], state, (given,)))(
            _state(self.parameters_of_all, "fusion."), sequences
        )
        return Opinions(found["embeddings"], found.get("log_weights"))


class MappedLoss(nn.Module):
    """A loss whose code knows of one network, mapped over the runs of a stack (torch.vmap)."""

    def __init__(self, losses: Sequence[TaskLoss]) -> None:
        super().__init__()
        self.parameters_of_all = stacked(losses)
        self._one = (_Reduced(losses[0]),)

    def reduced(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        """As ``TaskLoss.reduced``, (runs, n, ...) -> (runs,)."""
        self._one[0].train(self.training)
        return torch.vmap(lambda state, *given: functional_call(self._one[0], state, given))(
            _state(self.parameters_of_all, "loss."), logits, embedding, labels
        )


class _Asked(nn.Module):
    def __init__(self, fusion: Fusion) -> None:
        super().__init__()
        self.fusion = fusion

    def forward(self, sequences: dict[str, Any]) -> dict[str, Any]:
        found = self.fusion.opinions(sequences)
        answer: dict[str, Any] = {"embeddings": found.embeddings}
        return answer if found.log_weights is None else {**answer, "log_weights": found.log_weights}


class _Reduced(nn.Module):
    def __init__(self, loss: TaskLoss) -> None:
        super().__init__()
        self.loss = loss

    def forward(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return self.loss.reduced(logits, embedding, labels)


def _state(module: nn.Module, prefix: str) -> dict[str, Tensor]:
    # not ``state_dict``: it leaves out the buffers that no file holds
    return {
        prefix + name: tensor for name, tensor in chain(module.named_parameters(), module.named_buffers())
    }
