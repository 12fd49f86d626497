"""A film of a drawn person who speaks, and models that see and hear it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch

from affuse.corpora.generated.face import expressions
from affuse.corpora.generated.head import Head, draw_body
from affuse.corpora.generated.people import make_actor, make_room
from affuse.models.network import Model
from affuse.recipe import Recipe
from video_files import decode_all, write_video
from voices import RATE, recording

FPS = 12
VOICE = {"voice": {"encoder": "logmel", "options": {"bands": 16}, "standardise": True}}
FACE = {"face": {"encoder": "hog", "options": {"frames_per_second": 5, "seconds": None}}}
FIXED = {"face": {"encoder": "hog", "options": {"frames_per_second": 5, "crop": "window", "seconds": 1.0}}}


class Film(NamedTuple):
    path: Path
    wave: np.ndarray  # float32
    times: list[float]
    pictures: list[np.ndarray]


def portrait() -> np.ndarray:
    """A drawn head that YuNet finds."""
    actor, room = make_actor(0, 1, "F"), make_room(0, 1)
    still = expressions(1, 25.0, [], np.random.default_rng(0))
    drawn = Head(actor.look, room, still, False).draw(draw_body(actor.look, room), 0)
    return cv2.cvtColor(drawn, cv2.COLOR_BGR2RGB)


def make_film(folder: Path) -> Film:
    """Somebody who moves to the right, has left, and comes back below letterbox bars; three utterances."""
    wave = recording(("neu", 4.0), 0.6, ("ang", 3.0), 0.8, ("sad", 2.0), ("hap", 2.5), 0.3, seed=3)
    head, pictures = portrait()[:, 20:230], []
    for i in range(round(len(wave) / RATE * FPS)):
        picture = np.full((288, 480, 3), 120, np.uint8)
        if i < 4 * FPS or i > 7.5 * FPS:
            left = min(270, 3 * i)
            picture[:256, left : left + 210] = head
        if i > 7.5 * FPS:
            picture[:24] = picture[-24:] = 0
        pictures.append(picture)
    pcm = (np.clip(wave, -1, 1) * 32767).astype(np.int16)
    path = folder / "film.mkv"
    write_video(path, pictures, FPS, wave=pcm, codec="ffv1")
    times, shown = decode_all(path)
    assert len(times) == len(pictures)
    return Film(path, pcm.astype(np.float32) / 2**15, times, shown)


def make_model(modalities: dict[str, Any]) -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": modalities, "tasks": {"emotion": {}}, "head": {"hidden": None},
    })  # fmt: skip
    model = Model(recipe, {"emotion": ["anger", "neutral", "sadness"]}).eval()
    for name, standardiser in model.standardisers.items():
        scale = 20.0 if name == "voice" else 0.2
        standardiser.fit(torch.tensor(0.0), torch.tensor(scale))  # type: ignore[operator]
    with (
        torch.no_grad()
    ):  # an untrained head is sure of nothing: its answers must differ from window to window
        for weight in model.heads.parameters():
            weight.mul_(10)
    return model
