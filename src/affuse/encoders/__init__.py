"""Encoders: waveform, frames or text to a feature sequence. One file per encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.lazy import lazy

if TYPE_CHECKING:
    from affuse.encoders.long_conv import LongConv1d
    from affuse.encoders.vggish.network import VGGish

__all__ = ["LongConv1d", "VGGish"]

if not TYPE_CHECKING:
    _PUBLIC = {
        "LongConv1d": "affuse.encoders.long_conv:LongConv1d",
        "VGGish": "affuse.encoders.vggish.network:VGGish",
    }
    __getattr__, __dir__ = lazy(__name__, _PUBLIC, __all__)
