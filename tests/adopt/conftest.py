from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from affuse.progress import Quiet


class Listener(Quiet):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def say() -> Callable[[], Any]:
    return Listener
