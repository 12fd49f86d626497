"""Encoders: waveform, frames or text to a feature sequence. One file per encoder."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_PUBLIC = {
    "LongConv1d": "affuse.encoders.long_conv:LongConv1d",
    "VGGish": "affuse.encoders.vggish.network:VGGish",
}


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module, attribute = _PUBLIC[name].split(":")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'affuse.encoders' has no attribute {name!r}")
