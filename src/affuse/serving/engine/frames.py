"""What the service's processes send each other: a JSON object and tensors in one block of bytes.

Never a pickle: a decoder handles files of strangers, and what it says must not be able to run code elsewhere.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from safetensors.torch import load, save
from torch import Tensor

_LENGTH = struct.Struct("<I")
_NONE: Mapping[str, Tensor] = MappingProxyType({})


def pack(head: Mapping[str, Any], tensors: Mapping[str, Tensor] = _NONE) -> bytes:
    """A JSON object, and tensors by name.

    Examples:
        >>> import torch
        >>> head, tensors = unpack(pack({"window": 3}, {"audio": torch.ones(2)}))
        >>> head, tensors["audio"].tolist()
        ({'window': 3}, [1.0, 1.0])
    """
    text = json.dumps(head).encode()
    body = save({name: tensor.contiguous() for name, tensor in tensors.items()}) if tensors else b""
    return _LENGTH.pack(len(text)) + text + body


def head_of(frame: bytes) -> dict[str, Any]:
    """The JSON object alone."""
    (length,) = _LENGTH.unpack_from(frame)
    return json.loads(frame[_LENGTH.size : _LENGTH.size + length])


def tensors_of(frame: bytes) -> dict[str, Tensor]:
    """The tensors alone."""
    (length,) = _LENGTH.unpack_from(frame)
    body = frame[_LENGTH.size + length :]
    return load(body) if body else {}


def unpack(frame: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Both."""
    return head_of(frame), tensors_of(frame)
