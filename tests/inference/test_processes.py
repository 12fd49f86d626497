"""Clips in several processes: one that kills its process costs itself alone."""

import sys
from pathlib import Path

import pytest
import torch

from affuse.inference.batch import Job
from affuse.inference.processes import run_in_processes
from affuse.inference.settings import Settings
from affuse.models.defaults import ClipSeconds, PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from audio_files import write_sound
from voices import RATE, recording

# Python runs this in every process that the test starts: reading kills.wav ends the process, as a decoder's crash does
KILLER = """
import os, signal, sys
def hear(event, arguments):
    if event == "open" and "kills.wav" in str(arguments[0]):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hear)
"""


@pytest.fixture
def model(tmp_path: Path):
    torch.manual_seed(0)
    voice = {"audio": {"encoder": "logmel", "options": {"bands": 8}}}
    made = Model(
        Recipe.parse({"name": "tried", "modalities": voice}), {"emotion": ["anger", "neutral"]}
    ).eval()
    made.defaults = PredictionDefaults(clip_seconds=ClipSeconds(median=1.0, low=0.5, high=2.0))
    save_model(made, tmp_path / "model")
    return tmp_path / "model"


def test_a_clip_that_kills_its_process_is_the_only_one_lost(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, model: Path
) -> None:
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook" / "sitecustomize.py").write_text(KILLER)
    monkeypatch.setenv("PYTHONPATH", ":".join([str(tmp_path / "hook"), *sys.path]))
    jobs = []
    for name in ("first", "kills", "last"):
        clip = write_sound(tmp_path / f"{name}.wav", recording(0.2, ("neu", 1.2), seed=len(jobs)), RATE)
        jobs.append(Job(Path(clip), name, Settings(vad=False)))
    outcomes = list(run_in_processes(model, jobs, 1))
    assert [outcome.job.name for outcome in outcomes] == ["first", "kills", "last"]
    assert [outcome.timeline is not None for outcome in outcomes] == [True, False, True]
    assert (
        "kills.wav cannot be predicted: the process that read it was killed by SIGKILL" in outcomes[1].cause
    )
