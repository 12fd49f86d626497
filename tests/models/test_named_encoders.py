"""A frozen encoder that a model only names: the same files from every working folder, or one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

import affuse
from affuse.corpora.corpus import Corpus
from affuse.errors import AffuseError
from affuse.inference.predict import Predictor
from affuse.inference.settings import Settings
from affuse.models.index import write_index
from affuse.models.network import Model
from affuse.models.parts import resolve_encoder
from affuse.models.saving import local_encoders, save_model
from affuse.recipe import Recipe
from affuse.training.cache import FeatureCache
from affuse.training.evaluate import evaluate_model
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert, tiny_wav2vec2


def recipe(**modalities: dict[str, Any]) -> Recipe:
    return Recipe.parse({"name": "named", "modalities": modalities, "training": {"epochs": 1}})


def text(model: str) -> dict:
    return {"encoder": "bert", "options": {"model": model}}


def other_bert(folder: Path) -> Path:
    """The same architecture and words, other weights."""
    tiny_bert(folder)
    from transformers import BertModel

    network = BertModel.from_pretrained(folder)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.3
    network.save_pretrained(folder)
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where a model is trained, with weights below it; the current one."""
    tiny_bert(tmp_path / "home" / "weights" / "bert")
    monkeypatch.chdir(tmp_path / "home")
    return tmp_path / "home"


def named_model(where: Path, **modalities: dict[str, Any]) -> Path:
    save_model(affuse.build(recipe(**(modalities or {"text": text("weights/bert")}))), where)
    return where


def test_a_relative_folder_is_the_same_from_everywhere(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = named_model(home / "model")
    written = Recipe.load(folder / "recipe.yaml")
    assert written.modalities["text"].options["model"] == str(home / "weights" / "bert")
    other_bert(tmp_path / "elsewhere" / "weights" / "bert")
    monkeypatch.chdir(tmp_path / "elsewhere")
    encoder = Predictor(affuse.load(folder), Settings(words="any")).encoders["text"]
    mended = resolve_encoder(written.modalities["text"], "text").make()
    for mine, theirs in zip(encoder.state_dict().values(), mended.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)
    assert local_encoders(written) == [f"text: {home / 'weights' / 'bert'}"]


def test_another_network_in_the_same_place_is_refused(home: Path, tmp_path: Path) -> None:
    folder = named_model(home / "model")
    known = json.loads((folder / "preprocessing.json").read_text())["modalities"]["text"]["files"]["model"]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(known)
    assert str(home) not in json.dumps(known)
    (home / "weights" / "bert" / "README.md").write_text("# a card changes no number\n")
    affuse.load(folder)
    shutil.rmtree(home / "weights" / "bert")
    other_bert(home / "weights" / "bert")
    with pytest.raises(
        AffuseError,
        match=r"'text' \(model\).*model\.safetensors is not what the model was trained with.*train the model again",
    ) as caught:
        affuse.load(folder)
    assert known["model.safetensors"][:12] in str(caught.value)


def test_another_tokenizer_is_another_network(home: Path) -> None:
    folder = named_model(home / "model")
    path = home / "weights" / "bert" / "tokenizer.json"
    path.write_text(path.read_text().replace('"calm"', '"clam"'))
    with pytest.raises(AffuseError, match=r"tokenizer\.json is not what the model was trained with"):
        affuse.load(folder)


def test_a_folder_that_moved_is_named_with_the_cure(home: Path) -> None:
    folder = named_model(home / "model")
    (home / "weights").rename(home / "nets")
    with pytest.raises(
        AffuseError, match=r"weights/bert, which is not there; put it back.*self_contained=True"
    ):
        affuse.load(folder)
    (home / "weights").symlink_to(home / "nets")
    affuse.load(folder)


def test_weight_files_and_detectors_are_known_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affuse.encoders.resnet import make_network
    from models.test_modelfolder import VISUAL, to_torchvision

    torch.save(to_torchvision(make_network("resnet10", 16, 2).state_dict()), home / "net.pth")
    (home / "yunet.onnx").write_bytes(b"one detector")
    (home / "sound.safetensors").write_bytes(b"not read before it is needed")
    face = {"encoder": "resnet50", "options": {**VISUAL, "weights": "net.pth"}}
    hog = {"encoder": "hog", "options": {"crop": "detect", "detector": "yunet.onnx"}}
    folder = named_model(home / "model", face=face, hog=hog)
    monkeypatch.chdir(tmp_path)
    options = affuse.load(folder).recipe.modalities
    assert options["face"].options["weights"] == str(home / "net.pth")
    assert options["hog"].options["detector"] == str(home / "yunet.onnx")
    (home / "yunet.onnx").write_bytes(b"another one!")
    with pytest.raises(AffuseError, match=r"'hog' \(detector\).*yunet\.onnx is not what"):
        affuse.load(folder)
    (home / "yunet.onnx").unlink()  # predict --detector may name another
    affuse.load(folder)
    torch.save(to_torchvision(make_network("resnet10", 16, 2).state_dict()), home / "net.pth")
    with pytest.raises(AffuseError, match=r"'face' \(weights\).*net\.pth is not what"):
        affuse.load(folder)
    (home / "net.pth").unlink()
    with pytest.raises(AffuseError, match=r"net\.pth, which is not there"):
        affuse.load(folder)


def test_a_package_that_was_updated_is_another_network(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = home / "some_weights"
    tiny_bert(package / "net")
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(home)
    folder = named_model(home / "model", text=text("package:some_weights/net"))
    affuse.load(folder)
    shutil.rmtree(package / "net")
    other_bert(package / "net")
    with pytest.raises(
        AffuseError, match=r"package:some_weights/net.*is not what the model was trained with"
    ):
        affuse.load(folder)


def test_a_folder_of_a_hub_models_name_is_not_taken_for_it(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    commit, hub = "0123456789abcdef0123456789abcdef01234567", tmp_path / "hub"
    repository = hub / "models--me--net"
    tiny_bert(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    folder = named_model(tmp_path / "model", text=text("me/net"))
    assert Recipe.load(folder / "recipe.yaml").modalities["text"].options["revision"] == commit
    affuse.load(folder)
    shutil.copytree(repository / "snapshots" / commit, home / "me" / "net")
    affuse.load(folder)  # a copy of it does no harm
    shutil.rmtree(home / "me" / "net")
    other_bert(home / "me" / "net")
    with pytest.raises(AffuseError, match=r"is me/net, and me/net/.* is not what the model was trained with"):
        affuse.load(folder)


def test_a_relative_path_of_an_older_folder_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = named_model(home / "model")
    recipe = Recipe.load(folder / "recipe.yaml").changed(["modalities.text.options.model=weights/bert"])
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    about = json.loads((folder / "preprocessing.json").read_text())
    for modality in about["modalities"].values():
        del modality["files"]
    (folder / "preprocessing.json").write_text(json.dumps(about))
    write_index(folder, list(json.loads((folder / "index.json").read_text())["files"]))
    with pytest.warns(UserWarning, match=r"relative path weights/bert.*home/weights/bert is taken"):
        affuse.load(folder)
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.chdir(home.parent)
    with (
        pytest.warns(
            UserWarning, match="is not a folder here: it is looked for on the Hub. If it was a folder, work"
        ),
        pytest.raises(AffuseError, match="'weights/bert' could not be loaded"),
    ):
        affuse.load(folder)


# ---- experiments


@pytest.fixture
def corpus(tmp_path: Path):
    return make_corpus(tmp_path / "small", speakers=4, each=1)


def run(corpus: Corpus, recipe: Recipe, cache: FeatureCache, out: Path):
    experiment = set_up(corpus, recipe, cache, Quiet(), folds=[0])
    return experiment, train_fold(experiment, experiment.recipe, 0, out)


def test_a_relative_and_an_absolute_name_are_one_experiment(
    home: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = FeatureCache(tmp_path / "cache")
    experiment, _ = run(corpus, recipe(text=text("weights/bert")), cache, home / "run")
    written = yaml.safe_load((home / "run" / "recipe.yaml").read_text())
    assert written["modalities"]["text"]["options"]["model"] == str(home / "weights" / "bert")
    files = sorted((tmp_path / "cache").rglob("*.safetensors"))
    monkeypatch.chdir(tmp_path)
    for name in ("home/weights/bert", str(home / "weights" / "bert"), "./home/../home/weights/bert/"):
        again = set_up(corpus, recipe(text=text(name)), cache, Quiet(), folds=[0])
        assert again.key(again.recipe, 0) == experiment.key(experiment.recipe, 0)
    assert sorted((tmp_path / "cache").rglob("*.safetensors")) == files
    found = evaluate_model(affuse.load(home / "run"), corpus, cache, Quiet(), role="all")
    assert len(found.predictions) == len(corpus)
    assert sorted((tmp_path / "cache").rglob("*.safetensors")) == files  # nothing was computed anew


def test_the_same_name_elsewhere_is_another_experiment(
    home: Path, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained encoders too, whose first weights are part of no cached tensor."""
    other_bert(tmp_path / "elsewhere" / "weights" / "bert")
    cache, keys = FeatureCache(tmp_path / "cache"), []
    for frozen in (True, False):
        for place in (home, tmp_path / "elsewhere", home):
            monkeypatch.chdir(place)
            experiment = set_up(
                corpus, recipe(text=text("weights/bert") | {"frozen": frozen}), cache, Quiet()
            )
            keys.append(experiment.key(experiment.recipe, 0))
        assert keys[-1] == keys[-3] != keys[-2]
    shutil.rmtree(home / "weights" / "bert")
    other_bert(home / "weights" / "bert")
    experiment = set_up(corpus, recipe(text=text("weights/bert") | {"frozen": False}), cache, Quiet())
    assert experiment.key(experiment.recipe, 0) not in keys


def test_a_changed_tokenizer_or_feature_extractor_is_read_anew(tmp_path: Path) -> None:
    bert, speech = tiny_bert(tmp_path / "bert"), tiny_wav2vec2(tmp_path / "speech")

    def keys() -> list[str]:
        made = []
        for encoder, model in (("bert", bert), ("speech", speech)):
            part = recipe(x={"encoder": encoder, "options": {"model": str(model)}}).modalities["x"]
            made.append(resolve_encoder(part, "x").make().features_key)
        return made

    before = keys()
    assert keys() == before
    path = bert / "tokenizer.json"
    path.write_text(path.read_text().replace('"calm"', '"clam"'))
    path = speech / "preprocessor_config.json"
    path.write_text(path.read_text().replace('"do_normalize": true', '"do_normalize": false'))
    after = keys()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_a_missing_detector_is_one_sentence_in_training(corpus: Corpus, tmp_path: Path) -> None:
    hog = {"encoder": "hog", "options": {"crop": "detect", "detector": "gone.onnx"}}
    films = corpus.table.assign(video="talk.mp4")
    corpus = Corpus(films, corpus.info, corpus.folder)
    with pytest.raises(AffuseError, match=r"There is no face detector .*gone\.onnx; set the option detector"):
        set_up(corpus, recipe(hog=hog), FeatureCache(tmp_path / "cache"), Quiet())


def test_the_model_in_memory_keeps_its_paths(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(recipe(text=text("weights/bert")), {"emotion": ["anger", "neutral"]})
    monkeypatch.chdir(tmp_path)
    save_model(model, tmp_path / "model")
    affuse.load(tmp_path / "model")
