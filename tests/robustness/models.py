"""Models and encoders: the lines of docs/robustness.md on them."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import torch

from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from robustness.situations import Command, Place, situation
from robustness.sound import speech
from tiny_classifiers import tiny_audio
from tiny_models import tiny_wav2vec2


def own_encoder(place: Place, *, seed: int = 0) -> Path:
    """A model whose voice encoder is the folder ``weights/net`` below its working folder."""
    tiny_wav2vec2(place.folder / "trained" / "weights" / "net")
    here = Path.cwd()
    os.chdir(place.folder / "trained")
    try:
        recipe = Recipe.parse({
            "name": "own", "modalities": {"audio": {"encoder": "speech", "options": {"model": "weights/net"}}},
        })  # fmt: skip
        torch.manual_seed(seed)
        save_model(Model(recipe, {"emotion": ["anger", "neutral"]}).eval(), place.folder / "own")
    finally:
        os.chdir(here)
    return place.folder / "own"


@situation("model-relative-encoder")
def _relative(place: Place) -> Command:
    model = own_encoder(place)
    tiny_wav2vec2(place.folder / "weights" / "net", hidden_size=24)  # another network of that name
    return Command(["predict", model, speech(place), "--no-vad", "--out", place.out])


@situation("model-encoder-moved")
def _moved(place: Place) -> Command:
    model = own_encoder(place)
    (place.folder / "trained" / "weights").rename(place.folder / "trained" / "nets")
    return Command(["predict", model, speech(place), "--out", place.out])


@situation("model-encoder-replaced")
def _replaced(place: Place) -> Command:
    model = own_encoder(place)
    net = place.folder / "trained" / "weights" / "net"
    shutil.rmtree(net)
    tiny_wav2vec2(net, num_hidden_layers=1)
    return Command(["predict", model, speech(place), "--out", place.out])


@situation("model-features-beside-a-clip")
def _features(place: Place) -> Command:
    modalities = {
        "audio": {"encoder": "logmel", "options": {"bands": 16}},
        "pose": {"encoder": "precomputed", "options": {"name": "pose", "width": 3}},
    }
    recipe = Recipe.parse({"name": "two", "modalities": modalities})
    torch.manual_seed(0)
    save_model(Model(recipe, {"emotion": ["anger", "neutral"]}).eval(), place.folder / "two")
    return Command(["predict", place.folder / "two", speech(place), "--out", place.out])


@situation("adopt-no-such-name")
def _no_such_name(place: Place) -> Command:
    return Command(["adopt", "startr", "--out", place.out])


@situation("adopt-into-its-source")
def _into_its_source(place: Place) -> Command:
    tiny_audio(place.folder / "voice")
    return Command(["adopt", "voice", "--out", "voice/adopted"])


@situation("adopt-one-class")
def _one_class(place: Place) -> Command:
    tiny_audio(place.folder / "voice")
    (place.folder / "map.yaml").write_text("ang: anger\nhap: anger\nneu: null\nsad: anger\n")
    return Command(["adopt", "voice", "--labels", "map.yaml", "--out", place.out])


@situation("compare-models-and-a-recipe")
def _map_and_a_recipe(place: Place) -> Command:
    return Command(["compare", "server", "corpus", "--map", "angry=anger", "--out", place.out])
