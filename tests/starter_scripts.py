"""The scripts in starters/, which are in no package and import each other by plain names."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "starters"


def script(name: str) -> ModuleType:
    """The module ``starters/NAME.py``."""
    sys.path.insert(0, str(FOLDER))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(FOLDER))
