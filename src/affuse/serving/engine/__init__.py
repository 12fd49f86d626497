"""What runs behind the service: clips in, timelines out, for many clients at once.

Names are loaded when they are used: processes that only decode import modules beside them, neither torch nor models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from affuse.lazy import lazy

if TYPE_CHECKING:
    from affuse.serving.engine.engine import Counts, Engine
    from affuse.serving.engine.job import Failure, Job
    from affuse.serving.engine.request import Draining, Full, Request
    from affuse.serving.engine.served_model import ServedModel

__all__ = ["Counts", "Draining", "Engine", "Failure", "Full", "Job", "Request", "ServedModel"]
_MODULES = {
    "engine": ("Counts", "Engine"),
    "job": ("Failure", "Job"),
    "request": ("Draining", "Full", "Request"),
    "served_model": ("ServedModel",),
}
_NAMES = {name: f"{__name__}.{module}:{name}" for module, names in _MODULES.items() for name in names}
__getattr__, __dir__ = lazy(__name__, _NAMES, __all__)
