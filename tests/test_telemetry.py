"""Libraries that report their use are told not to, wherever affuse is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import pytest

SPEECH = "import affuse; from affuse.media.speech import SpeechDetector; SpeechDetector(16_000)"
OWN_FILE = ".ses"  # of onnxruntime's reporter, in the temporary folder


def run(code: str, folder: Path, **changes: str) -> subprocess.CompletedProcess[str]:
    # a CI's variables and that of unit tests silence it too
    unset = (
        "ORT_DISABLE_TELEMETRY",
        "HF_HUB_DISABLE_TELEMETRY",
        "ORT_RUNNING_UNIT_TESTS",
        "CI",
        "GITHUB_ACTIONS",
    )
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment | {"TMPDIR": str(folder)} | changes,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done


def test_onnxruntime_starts_no_reporter(tmp_path: Path) -> None:
    run(SPEECH, tmp_path)
    assert not (tmp_path / OWN_FILE).exists()


def test_the_variable_is_one_that_onnxruntime_knows() -> None:
    """Nothing is started to see it: that would report."""
    place = find_spec("onnxruntime")
    assert place is not None
    assert place.origin is not None
    if tuple(int(part) for part in version("onnxruntime").split(".")[:2]) < (1, 29):
        pytest.skip("this onnxruntime has no reporter yet")
    libraries = [*(Path(place.origin).parent / "capi").glob("*pybind11_state*")]
    assert any(b"ORT_DISABLE_TELEMETRY" in library.read_bytes() for library in libraries)


def test_who_has_chosen_keeps_the_choice(tmp_path: Path) -> None:
    told = run(
        "import affuse, os; print(os.environ['ORT_DISABLE_TELEMETRY'])", tmp_path, ORT_DISABLE_TELEMETRY="0"
    )
    assert told.stdout.strip() == "0"


def test_the_hubs_library_is_told_too(tmp_path: Path) -> None:
    code = "import affuse; from huggingface_hub import constants; print(constants.HF_HUB_DISABLE_TELEMETRY)"
    assert run(code, tmp_path).stdout.strip() == "True"
