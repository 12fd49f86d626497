"""Encoders: waveform, frames or text to a feature sequence. One file per encoder.

Public names are loaded when they are first used: OpenCV, decoders and transformers come with their encoders.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.lazy import lazy

if TYPE_CHECKING:
    from affuse.encoders.base import Encoder, EncoderOptions, Reading
    from affuse.encoders.functionals import FunctionalsEncoder, FunctionalsOptions
    from affuse.encoders.hog import HogEncoder, HogOptions
    from affuse.encoders.logmel import LogMelEncoder, LogMelOptions
    from affuse.encoders.long_conv import LongConv1d, long_conv1d
    from affuse.encoders.precomputed import PrecomputedEncoder, PrecomputedOptions
    from affuse.encoders.speech import SpeechEncoder, SpeechOptions
    from affuse.encoders.text import TextEncoder, TextOptions
    from affuse.encoders.vggish.encoder import VGGishEncoder, VGGishOptions
    from affuse.encoders.vggish.network import VGGish
    from affuse.encoders.vision import VisionEncoder, VisionOptions
    from affuse.encoders.visual import VisualEncoder, VisualOptions
    from affuse.encoders.waveform import WaveformEncoder, WaveformOptions

__all__ = [
    "Encoder",
    "EncoderOptions",
    "FunctionalsEncoder",
    "FunctionalsOptions",
    "HogEncoder",
    "HogOptions",
    "LogMelEncoder",
    "LogMelOptions",
    "LongConv1d",
    "PrecomputedEncoder",
    "PrecomputedOptions",
    "Reading",
    "SpeechEncoder",
    "SpeechOptions",
    "TextEncoder",
    "TextOptions",
    "VGGish",
    "VGGishEncoder",
    "VGGishOptions",
    "VisionEncoder",
    "VisionOptions",
    "VisualEncoder",
    "VisualOptions",
    "WaveformEncoder",
    "WaveformOptions",
    "long_conv1d",
]

_WHERE = {
    "base": ("Encoder", "EncoderOptions", "Reading"),
    "functionals": ("FunctionalsEncoder", "FunctionalsOptions"),
    "hog": ("HogEncoder", "HogOptions"),
    "logmel": ("LogMelEncoder", "LogMelOptions"),
    "long_conv": ("LongConv1d", "long_conv1d"),
    "precomputed": ("PrecomputedEncoder", "PrecomputedOptions"),
    "speech": ("SpeechEncoder", "SpeechOptions"),
    "text": ("TextEncoder", "TextOptions"),
    "vggish.encoder": ("VGGishEncoder", "VGGishOptions"),
    "vggish.network": ("VGGish",),
    "vision": ("VisionEncoder", "VisionOptions"),
    "visual": ("VisualEncoder", "VisualOptions"),
    "waveform": ("WaveformEncoder", "WaveformOptions"),
}

if not TYPE_CHECKING:
    _PUBLIC = {name: f"affuse.encoders.{module}:{name}" for module, names in _WHERE.items() for name in names}
    __getattr__, __dir__ = lazy(__name__, _PUBLIC, __all__)
