"""What is asked of the engine, and why it may say no."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from affuse.errors import AffuseError
from affuse.inference.settings import Settings


@dataclass(frozen=True)
class Request:
    """One clip to predict.

    Attributes:
        model: The name under which a model is served.
        clip: The file; whoever gives it deletes it, when ``Job.released`` is set.
        settings: How it is predicted. ``asr`` is None (the model's own recogniser, where it has one and no words are
            given), "none", or ``ServedModel.asr``; ``device``, ``batch`` and ``detector`` are the service's.
        tasks: Those that are answered; () is all of the model's.
        client: Whose it is: clients share the service fairly.
    """

    model: str
    clip: Path
    settings: Settings = field(default_factory=Settings)
    tasks: tuple[str, ...] = ()
    client: str = ""


class Full(AffuseError):
    """There is no room now.

    Args:
        retry_after: Seconds after which it may be worth another try.
        why: What there is too much of.
    """

    def __init__(self, retry_after: float, why: str = "Too many clips wait already") -> None:
        self.retry_after = retry_after
        super().__init__(f"{why}; try again in {retry_after:.0f} seconds.")


class Draining(AffuseError):
    """The service ends: it finishes what it has and takes nothing new."""

    def __init__(self) -> None:
        super().__init__("The service is about to end and takes no new clips; try again when it is back.")
