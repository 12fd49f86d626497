"""A device that is not there: tensors that say they are on it, compute on the processor, and refuse to meet others.

torch's "meta" stands for it, since autograd runs it without a GPU. Unlike torch's own tensors there, these hold
numbers. What is refused is what CUDA refuses: an operation whose tensors are on two devices, but for a number (no
dimensions) from the processor beside a tensor, and for an index of the processor's.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

NAME = "meta"


class Elsewhere(Tensor):
    """A tensor of the pretended device, and its numbers."""

    numbers: Tensor

    @staticmethod
    def __new__(cls: type[Elsewhere], numbers: Tensor) -> Elsewhere:
        made: Elsewhere = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, numbers.shape, numbers.stride(), numbers.storage_offset(),
            dtype=numbers.dtype, device=NAME, requires_grad=False,
        )  # fmt: skip
        made.numbers = numbers
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})

    def __getitem__(self, where: Any) -> Tensor:
        return super().__getitem__(_as_tensor(where))

    def __setitem__(self, where: Any, value: Any) -> None:
        super().__setitem__(_as_tensor(where), value)

    def tolist(self) -> Any:
        """As CUDA's tensors have it; torch's own refuses subclasses."""
        return self.numbers.tolist()

    def __repr__(self, *, tensor_contents: Any = None) -> str:
        return f"Elsewhere({self.numbers})"


def _as_tensor(where: Any) -> Any:
    """A list of places; torch itself would make a tensor without numbers of it."""
    return torch.tensor(where) if isinstance(where, list) else where


class _Mode(TorchDispatchMode):
    """What is made on the device is made by us."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return computed(func, args, kwargs or {})


@contextmanager
def pretended_device() -> Generator[str]:
    """Give the name of a device that is there in this block. It has no mixed precision: torch would have to know it."""
    known, autocast = torch.is_autocast_enabled, torch.autocast

    def enabled(device: str | None = None) -> bool:
        return False if device == NAME else known(device) if device else known()

    def off(device: str, *args: Any, **kwargs: Any) -> Any:
        return (
            nullcontext()
            if device == NAME and kwargs.get("enabled") is False
            else autocast(device, *args, **kwargs)
        )

    with pytest.MonkeyPatch.context() as patch, _Mode():
        patch.setattr(torch, "is_autocast_enabled", enabled)
        patch.setattr(torch, "autocast", off)
        patch.setattr(torch, "inference_mode", torch.no_grad)  # torch has no views of wrapped tensors in it
        yield NAME


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """An operation on the device or on the processor."""
    tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    wanted = kwargs.get("device")
    copies = func.overloadpacket in (torch.ops.aten.copy_, torch.ops.aten._to_copy)
    here = any(isinstance(one, Elsewhere) for one in tensors)
    if not copies:
        _check(func, tensors, args)
    if wanted is not None:
        here = torch.device(wanted).type == NAME
        kwargs = {**kwargs, "device": torch.device("cpu") if here else wanted}
    elif func.overloadpacket is torch.ops.aten.copy_:
        here = isinstance(args[0], Elsewhere)
    by_numbers = {id(one.numbers): one for one in tensors if isinstance(one, Elsewhere)}
    found = func(*_numbers(args), **_numbers(kwargs))
    if not here:
        return found

    def wrapped(one: Any) -> Any:
        # what is changed in place is given back as it is
        if not isinstance(one, Tensor):
            return one
        return by_numbers[id(one)] if id(one) in by_numbers else Elsewhere(one)

    return tree_map(wrapped, found)


def _check(func: Any, tensors: list[Tensor], args: Any) -> None:
    if not any(isinstance(one, Elsewhere) for one in tensors):
        return
    strangers = [one for one in tensors if not isinstance(one, Elsewhere)]
    assert not any(one.is_meta for one in strangers), f"{func} was given a tensor without numbers."
    by_places = (torch.ops.aten.index, torch.ops.aten.index_put, torch.ops.aten.index_put_)
    if func.overloadpacket in by_places and isinstance(args[0], Elsewhere):
        return
    listed = "foreach" in str(func) or "fused" in str(func)  # torch looks at these only where they run
    bad = [one for one in strangers if one.dim() or listed]
    if bad:
        shapes = [tuple(one.shape) for one in bad]
        raise RuntimeError(f"{func} was given tensors of two devices; the processor's are of shape {shapes}.")


def _numbers(tree: Any) -> Any:
    return tree_map(lambda one: one.numbers if isinstance(one, Elsewhere) else one, tree)
