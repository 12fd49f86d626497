"""Stacks of small networks for tests, put together in the plainest way."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor, nn

from affuse.layers import Dropout, Streams

Module = TypeVar("Module", bound=nn.Module)


def stack(modules: Sequence[Module]) -> Module:
    """A copy of the first with the parameters of all, (runs, ...) each, and the rates of all."""
    one = copy.deepcopy(modules[0])
    for path, module in one.named_modules():
        parts = [other.get_submodule(path) for other in modules]
        for name, parameter in list(module.named_parameters(recurse=False)):
            rows = torch.stack([part.get_parameter(name).detach() for part in parts])
            setattr(module, name, nn.Parameter(rows, requires_grad=parameter.requires_grad))
        if isinstance(module, Dropout):
            module.rates = [part.p for part in parts if isinstance(part, Dropout)]
    return one


def draw_from(module: nn.Module, seeds: Sequence[int]) -> None:
    """Let every run draw dropout from a stream of its own; a network that is not stacked is one run."""
    streams = Streams(seeds)
    for part in module.modules():
        if isinstance(part, Dropout):
            part.streams = streams


def gradients(module: nn.Module) -> dict[str, Tensor]:
    """Name -> gradient of each parameter that has one; those of one step alone, for they are taken away."""
    found = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
    module.zero_grad()
    return found


def set_rates(module: nn.Module, rate: float) -> None:
    """One rate for every dropout of a network that is not stacked."""
    for part in module.modules():
        if isinstance(part, Dropout):
            part.p = rate
