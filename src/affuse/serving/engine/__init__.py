"""What runs behind the service: clips in, timelines out, for many clients at once."""

from affuse.serving.engine.engine import Counts, Engine
from affuse.serving.engine.job import Failure, Job
from affuse.serving.engine.request import Draining, Full, Request
from affuse.serving.engine.served_model import ServedModel

__all__ = ["Counts", "Draining", "Engine", "Failure", "Full", "Job", "Request", "ServedModel"]
