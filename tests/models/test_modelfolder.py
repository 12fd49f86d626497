"""A model folder carries all that inference needs, says what it is, and is refused where it is not as written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import ModelCard

import affuse
from affuse.encoders.pretrained import architecture_only, weights_follow
from affuse.errors import AffuseError
from affuse.models.card import own_words
from affuse.models.index import FORMAT
from affuse.models.network import Model
from affuse.models.parts import resolve_encoder
from affuse.models.saving import local_encoders, save_model
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad
from affuse.training.cache import FeatureCache
from affuse.training.experiment import set_up
from affuse.training.fold import train_fold
from quiet import Quiet
from small_corpus import make_corpus
from tiny_models import tiny_bert, tiny_wav2vec2, tiny_whisper

FACE = {"face": {"encoder": "precomputed", "options": {"name": "face", "width": 3}}}


def make_model(modalities: dict) -> Model:
    torch.manual_seed(0)
    return affuse.build(Recipe.parse({"name": "small", "modalities": modalities})).eval()


def disturb(model: Model) -> None:
    """As training does."""
    torch.manual_seed(1)
    for parameter in model.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)


def tiny_resnet(folder: Path) -> Path:
    from transformers import ResNetConfig, ResNetModel

    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 32],
        depths=[1, 1],
        layer_type="basic",
        downsample_in_first_stage=True,
    )
    ResNetModel(config).save_pretrained(folder)
    return folder


def to_torchvision(state: dict) -> dict:
    """A basic-block ResNet's tensors by torchvision's names."""
    names = {
        "embedder.embedder.convolution": "conv1", "embedder.embedder.normalization": "bn1",
        "shortcut.convolution": "downsample.0", "shortcut.normalization": "downsample.1",
        "layer.0.convolution": "conv1", "layer.0.normalization": "bn1",
        "layer.1.convolution": "conv2", "layer.1.normalization": "bn2",
    }  # fmt: skip
    renamed = {}
    for key, value in state.items():
        for theirs, name in names.items():
            key = key.replace(theirs, name)
        for stage in range(4):
            key = key.replace(f"encoder.stages.{stage}.layers.", f"layer{stage + 1}.")
        renamed[key] = value
    return renamed


def sound() -> FeatureSequence:
    return pad([torch.randn(9000), torch.randn(4321)])


def words() -> FeatureSequence:
    return pad([torch.tensor([2, 6, 7, 3]), torch.tensor([2, 9, 3])])


def faces() -> FeatureSequence:
    return pad([torch.randint(0, 256, (2, 48, 48, 3), dtype=torch.uint8)])


VISUAL = {"network": "resnet10", "base_width": 16, "stages": 2, "size": 48}
ORIGINALS = {
    "bert": (tiny_bert, "model", {}, words),
    "wav2vec2": (tiny_wav2vec2, "model", {}, sound),
    "whisper": (tiny_whisper, "model", {"context": 1.0}, sound),
    "resnet": (tiny_resnet, "weights", VISUAL, faces),
}


def modality(kind: str, original: Path, frozen: bool) -> dict:
    _, option, options, _ = ORIGINALS[kind]
    encoder = {"wav2vec2": "speech", "whisper": "speech", "resnet": "resnet50"}.get(kind, kind)
    return {"encoder": encoder, "frozen": frozen, "options": {option: str(original), **options}}


@pytest.mark.parametrize("kind", ORIGINALS)
def test_a_trained_encoder_needs_its_original_no_more(tmp_path: Path, kind: str) -> None:
    make, option, _, clips = ORIGINALS[kind]
    original = make(tmp_path / "original")
    model = make_model({"input": modality(kind, original, frozen=False)})
    disturb(model)
    save_model(model, tmp_path / "model")
    assert not list((tmp_path / "model" / "encoders").rglob("*.safetensors"))  # its weights are the model's
    shutil.rmtree(original)
    torch.manual_seed(7)
    loaded, given = affuse.load(tmp_path / "model"), clips()
    with torch.no_grad():
        torch.testing.assert_close(loaded({"input": given}).embedding, model({"input": given}).embedding)
    # and can be moved, written again, and read without the first folder
    (tmp_path / "model").rename(tmp_path / "moved")
    again = affuse.load(tmp_path / "moved")
    save_model(again, tmp_path / "second")
    shutil.rmtree(tmp_path / "moved")
    last = affuse.load(tmp_path / "second")
    for name, value in model.state_dict().items():
        torch.testing.assert_close(last.state_dict()[name], value, rtol=0, atol=0)
    assert last.recipe.modalities["input"].options[option].startswith(str(tmp_path / "second"))


def test_a_loaded_trained_encoder_still_reads(tmp_path: Path) -> None:
    """The tokenizer came along."""
    from affuse.corpora.corpus import Utterance

    model = make_model({"input": modality("bert", tiny_bert(tmp_path / "original"), frozen=False)})
    sentence = Utterance("1", text="the calm day")
    before = model.encoders["input"].read(sentence)
    save_model(model, tmp_path / "model")
    shutil.rmtree(tmp_path / "original")
    assert torch.equal(affuse.load(tmp_path / "model").encoders["input"].read(sentence), before)


def test_a_resnet_trained_from_a_file_forgets_the_file(tmp_path: Path) -> None:
    """Its path is of this machine, and means nothing to who gets the model."""
    from affuse.encoders.resnet import make_network

    torch.manual_seed(0)
    network = make_network("resnet10", 16, 2)
    path = tmp_path / "mine" / "weights.pth"
    path.parent.mkdir()
    torch.save(to_torchvision(network.state_dict()), path)
    model = make_model({"input": modality("resnet", path, frozen=False)})
    disturb(model)
    save_model(model, tmp_path / "model")
    shutil.rmtree(path.parent)
    files = [p for p in (tmp_path / "model").rglob("*") if p.suffix in (".yaml", ".json", ".md")]
    assert all(str(tmp_path) not in p.read_text() for p in files)
    loaded = affuse.load(tmp_path / "model")
    given = faces()
    with torch.no_grad():
        assert torch.equal(loaded({"input": given}).embedding, model({"input": given}).embedding)
    assert loaded.encoders["input"].scaling == "imagenet"  # as weights of ImageNet are used


def test_a_model_can_be_written_over_the_folder_it_came_from(tmp_path: Path) -> None:
    model = make_model({"input": modality("bert", tiny_bert(tmp_path / "original"), frozen=False)})
    save_model(model, tmp_path / "model")
    shutil.rmtree(tmp_path / "original")
    before = {p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "model").rglob("*") if p.is_file()}
    save_model(affuse.load(tmp_path / "model"), tmp_path / "model")
    assert before == {
        p.relative_to(tmp_path): p.read_bytes() for p in (tmp_path / "model").rglob("*") if p.is_file()
    }


@pytest.mark.parametrize("kind", ["bert", "resnet"])
def test_a_hub_encoder_is_named_with_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """A Hub model as it lies in the Hub's cache on this machine, out of reach of any network."""
    from huggingface_hub import constants

    make, option, options, _ = ORIGINALS[kind]
    commit, hub = "0123456789abcdef0123456789abcdef01234567", tmp_path / "hub"
    repository = hub / "models--me--net"
    make(repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(hub))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    encoder = modality(kind, Path("me/net"), frozen=True)
    save_model(make_model({"input": encoder}), tmp_path / "model")
    written = Recipe.load(tmp_path / "model" / "recipe.yaml")
    assert written.modalities["input"].options == {option: "me/net", "revision": commit, **options}
    # what another commit would give is not asked for
    (repository / "refs" / "main").write_text("f" * 40)
    affuse.load(tmp_path / "model").resolved["input"].make()
    assert local_encoders(written) == []
    assert not (tmp_path / "model" / "encoders").exists()


@pytest.mark.parametrize("kind", ORIGINALS)
def test_a_frozen_encoder_is_named_or_copied(tmp_path: Path, kind: str) -> None:
    make, option, _, clips = ORIGINALS[kind]
    original = make(tmp_path / "original")
    model = make_model({"input": modality(kind, original, frozen=True)})
    save_model(model, tmp_path / "named")
    assert not (tmp_path / "named" / "encoders").exists()
    named = affuse.load(tmp_path / "named").recipe
    assert named.modalities["input"].options[option] == str(original)
    assert local_encoders(named) == [f"input: {original}"]

    torch.manual_seed(7)
    given = clips()
    with torch.no_grad():
        expected = model.resolved["input"].make().eval()(given).values
    save_model(model, tmp_path / "whole", self_contained=True)
    shutil.rmtree(original)
    (tmp_path / "whole").rename(tmp_path / "moved")
    save_model(affuse.load(tmp_path / "moved"), tmp_path / "again")  # a copy of a copy
    for folder in ("moved", "again"):
        recipe = affuse.load(tmp_path / folder).recipe
        written = Recipe.load(tmp_path / folder / "recipe.yaml")
        assert written.modalities["input"].options[option] == "folder:encoders/input"
        assert local_encoders(written) == []
        chosen = resolve_encoder(recipe.modalities["input"], "input").make()
        with torch.no_grad():
            torch.testing.assert_close(chosen.eval()(given).values, expected, rtol=0, atol=0)


def test_vggish_is_copied_and_trained_alike(tmp_path: Path) -> None:
    options = {"weights": None, "pca_weights": None, "quantise": False}
    model = make_model({"audio": {"encoder": "vggish", "options": options}})
    save_model(model, tmp_path / "whole", self_contained=True)
    chosen = affuse.load(tmp_path / "whole").recipe.modalities["audio"]
    assert Path(chosen.options["weights"]).is_file()
    made = [resolve_encoder(modality, "a").make() for modality in (model.recipe.modalities["audio"], chosen)]
    for a, b in zip(made[0].state_dict().values(), made[1].state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_weights_follow_ends_with_its_block() -> None:
    def fail() -> None:
        with weights_follow():
            assert architecture_only()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not architecture_only()


# ---- what is refused


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(make_model(FACE), tmp_path / "model", card="# small\n")
    return tmp_path / "model"


def change_index(folder: Path, **fields: object) -> None:
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_every_file_is_in_the_index_and_missed_or_found_altered(folder: Path) -> None:
    index = json.loads((folder / "index.json").read_text())
    assert index["format"] == FORMAT == 1
    assert set(index["files"]) | {"index.json"} == {p.name for p in folder.iterdir()}
    for name in set(index["files"]) - {"README.md"}:
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole + b" ")
        with pytest.raises(AffuseError, match=f"{name} was altered since the model was written; copy"):
            affuse.load(folder)
        (folder / name).unlink()
        with pytest.raises(AffuseError, match=f"{name} is missing; copy"):
            affuse.load(folder)
        (folder / name).write_bytes(whole)
    affuse.load(folder)


def test_an_edited_card_is_only_warned_of(folder: Path) -> None:
    (folder / "README.md").write_text("# mine\n")
    with pytest.warns(
        UserWarning, match=r"README\.md was altered since the model was written; the network is not"
    ):
        affuse.load(folder)
    (folder / "README.md").unlink()
    affuse.load(folder)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"format": 2, "affuse": "9.9"},
            r"format 2 of a newer affuse \(9\.9\), .* reads format 1; update affuse",
        ),
        ({"format": 0}, r"format 0 of an older affuse"),
        ({"format": "x"}, r"index\.json is damaged"),
        ({"files": {}}, r"does not list model\.safetensors"),
        ({"files": {"../secret": "0"}}, r"names '\.\./secret', which is outside the folder"),
        ({"files": ["a"]}, r"index\.json is damaged"),
    ],
)
def test_an_index_that_is_not_ours(folder: Path, fields: dict[str, Any], sentence: str) -> None:
    change_index(folder, **fields)
    with pytest.raises(AffuseError, match=sentence):
        affuse.load(folder)


def test_an_index_that_is_no_json(folder: Path) -> None:
    (folder / "index.json").write_text("{")
    with pytest.raises(AffuseError, match=r"index\.json is damaged; copy the model folder again"):
        affuse.load(folder)


def test_no_code_of_a_folder_runs(tmp_path: Path) -> None:
    """A model type of its own with code beside it: transformers' way to run what a folder brings."""
    original = tiny_bert(tmp_path / "original")
    save_model(make_model({"input": modality("bert", original, frozen=False)}), tmp_path / "model")
    inside = tmp_path / "model" / "encoders" / "input"
    config = json.loads((inside / "config.json").read_text())
    code = {"AutoConfig": "evil.Config", "AutoModel": "evil.Model"}
    (inside / "config.json").write_text(json.dumps(config | {"model_type": "evil", "auto_map": code}))
    (inside / "evil.py").write_text(
        f"open({str(tmp_path / 'ran')!r}, 'w').close()\nclass Config: ...\nclass Model: ...\n"
    )
    from affuse.models.index import write_index

    names = [
        p.relative_to(tmp_path / "model").as_posix() for p in (tmp_path / "model").rglob("*") if p.is_file()
    ]
    write_index(tmp_path / "model", [name for name in names if name != "index.json"])
    with pytest.raises(AffuseError, match="could not be loaded"):
        affuse.load(tmp_path / "model")
    assert not (tmp_path / "ran").exists()


def test_an_option_that_leads_out_of_the_folder_is_refused(folder: Path) -> None:
    from affuse.models.index import write_index

    recipe = Recipe.load(folder / "recipe.yaml").changed(["modalities.face.options.name=folder:../../x"])
    (folder / "recipe.yaml").write_text(recipe.to_yaml())
    write_index(folder, list(json.loads((folder / "index.json").read_text())["files"]))
    with pytest.raises(AffuseError, match="leads out of the model folder"):
        affuse.load(folder)


def test_preprocessing_is_recorded_with_defaults(tmp_path: Path) -> None:
    model = make_model({"audio": {"encoder": "logmel", "options": {"bands": 20}}} | FACE)
    save_model(model, tmp_path / "model")
    record = json.loads((tmp_path / "model" / "preprocessing.json").read_text())["modalities"]
    assert record["audio"]["options"]["high"] == 7500.0
    assert record["audio"]["step"] == {
        "dtype": "float32", "shape": [22],
        "meaning": "frame of 10 ms: 20 log-mels of 125 to 7500 Hz, then ln F0 (0: unvoiced) and voicing",
        "least_steps": 1,
    }  # fmt: skip
    assert record["audio"]["width"] == 106
    assert record["face"]["kind"] == "features"


# ---- the card


@pytest.mark.filterwarnings("error")
def test_the_card_is_written_from_the_run(tmp_path: Path) -> None:
    corpus = make_corpus(tmp_path)
    recipe = Recipe.parse(
        {
            "name": "small", "description": "A small model.", "tasks": {"emotion": {}, "gender": {}},
            "modalities": FACE | {"text": {"encoder": "bert", "options": {"model": str(tiny_bert(tmp_path / "bert"))}}},
            "training": {"epochs": 2}, "protocol": {"by": "session"},
        }
    )  # fmt: skip
    experiment = set_up(corpus, recipe, FeatureCache(tmp_path / "cache"), Quiet())
    result = train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    card = ModelCard.load(tmp_path / "run" / "model" / "README.md")
    metadata = card.data.to_dict()
    assert metadata["library_name"] == "affuse"
    assert "generated-data" in metadata["tags"]
    assert "base_model" not in metadata  # a folder of this machine is nobody's base model
    told = {r.metric_name: r.metric_value for r in card.data.eval_results}
    for task in ("emotion", "gender"):
        assert told[f"{task} ACC (WA)"] == pytest.approx(result.metrics[task]["acc"], abs=1e-4)
        assert told[f"{task} BACC (UA)"] == pytest.approx(result.metrics[task]["bacc"], abs=1e-4)
    text = card.text
    for said in (
        "**generated by a program**", "small (generated)", "95 % interval over speakers",
        "Gender is the corpus's annotation", "not trained (no modality dropout)", "A small model.",
        "## Limits", "## Intended use", "## Licences", "gap ", "No speaker of the test part is heard in training",
        "- encoder of text: bert bert: not known to affuse", "Commercial use: unknown, because of the encoder of text",
    ):  # fmt: skip
        assert said in text, said
    assert f"| emotion | ACC (WA) | {100 * result.metrics['emotion']['acc']:.1f} |" in text
    assert str(tmp_path) not in card.content
    by_gender = {}
    import pandas as pd

    table = pd.read_csv(tmp_path / "run" / "predictions.csv").query("role == 'test'")
    gender = corpus.table.set_index("id")["gender"]
    for name, part in table.groupby(table["id"].map(gender)):
        hit = part["emotion"] == part["emotion_predicted"]
        by_gender[name] = 100 * hit.groupby(part["emotion"]).mean().mean()
    gap = max(by_gender.values()) - min(by_gender.values())
    assert f"gap {gap:.1f} points" in text

    assert "whatever was changed in it since: A small model." in text  # nobody knows what an own file was

    chosen = experiment.recipe.changed(["training.select=test", "seed=3"])
    train_fold(experiment, chosen, 0, tmp_path / "flattered")
    text = (tmp_path / "flattered" / "model" / "README.md").read_text()
    assert "**The figures below are better than they should be**: epoch chosen on the test part." in text
    assert "seed 3." in text
    assert "predicted once" not in text


@pytest.mark.parametrize("changes", [[], ["seed=4"], ["training.epochs=2"], ["protocol.by=speaker"]])
def test_a_packaged_recipes_words_stand_in_the_card_while_nothing_is_changed(changes: list[str]) -> None:
    recipe = Recipe.load("demo-server", changes)
    words = " ".join(recipe.description.split())
    told = " ".join(own_words(recipe))
    assert words
    assert (words in told) == (changes in ([], ["seed=4"]))
