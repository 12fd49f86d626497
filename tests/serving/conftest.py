"""One service and one recording for all files of this folder that a process runs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import affuse
from affuse.inference.timeline import Timeline
from affuse.serving.limits import Limits
from serving.running_service import RunningService, running_service
from voices import RATE, recording

LIMITS = Limits(
    bytes=8_000_000, seconds=1200, upload_seconds=5, queue=4, decoders=2, keep_seconds=60, silent_seconds=60
)


@pytest.fixture(scope="session")
def service() -> Generator[RunningService]:
    with running_service(LIMITS) as one:
        yield one


@pytest.fixture(scope="session")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "talk.wav"
    soundfile.write(path, recording(("neu", 3.0), 1.0, ("ang", 5.0), 0.8, ("sad", 2.0)), RATE)
    return path


@pytest.fixture(scope="session")
def long_talk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two minutes: predicting it takes longer than what a test does meanwhile."""
    path = tmp_path_factory.mktemp("clips") / "long.wav"
    part = recording(("neu", 3.0), 1.0, ("ang", 5.0), 0.8, ("sad", 2.0))
    soundfile.write(path, np.tile(part, 10), RATE)
    return path


@pytest.fixture(scope="session")
def whole(talk: Path) -> Timeline:
    """What the library says of it, without gender, as the service does."""
    return affuse.load("starter").predict(talk)
