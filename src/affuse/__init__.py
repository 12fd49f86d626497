"""affuse: emotion and gender from voice, words and face.

Public names are loaded when they are first used, so that importing affuse (and ``affuse --help``) is quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_PUBLIC = {
    "AffuseError": "affuse.errors:AffuseError",
    "Corpus": "affuse.corpora.corpus:Corpus",
    "Recipe": "affuse.recipe:Recipe",
    "Timeline": "affuse.inference.timeline:Timeline",
    "build": "affuse.models.network:build",
    "register": "affuse.registry:register",
    "load": "affuse.models.loading:load_model",
}
_MODULES = ("corpora", "encoders", "fusion", "losses", "weighting")

if TYPE_CHECKING:
    from affuse.corpora.corpus import Corpus
    from affuse.errors import AffuseError
    from affuse.inference.timeline import Timeline
    from affuse.models.loading import load_model as load
    from affuse.models.network import build
    from affuse.recipe import Recipe
    from affuse.registry import register

__all__ = ["AffuseError", "Corpus", "Recipe", "Timeline", "__version__", "build", "load", "register"]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"affuse.{name}")
    if name in _PUBLIC:
        module, attribute = _PUBLIC[name].split(":")
        return getattr(import_module(module), attribute)
    raise AttributeError(f"module 'affuse' has no attribute {name!r}")
