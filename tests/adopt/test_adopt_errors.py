"""What cannot be adopted: one sentence on the command line, exit code 2, and nothing half-written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

import affuse
from affuse.errors import AffuseError
from affuse.recipe import Recipe
from command import affuse as run
from models.stand_in import COMMIT, TOKEN, hub
from tiny_classifiers import tiny_audio, tiny_dimensional, tiny_image, tiny_text
from tiny_models import tiny_bert


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_audio(tmp_path_factory.mktemp("public") / "voice")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_text(tmp_path_factory.mktemp("public") / "words")


def test_the_command_writes_what_python_writes(
    voice: Path, words: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = run(
        capsys, monkeypatch, "adopt", voice, words, "--out", tmp_path / "a", "--weights", "audio=1,text=0.5",
        "--name", "a",
    )  # fmt: skip
    assert told.code == 0
    assert told.out == f"The model is in {tmp_path / 'a'}\n"
    assert (
        told.err.strip()
        .splitlines()[-1]
        .startswith("Commercial use: unknown, because of the encoder of audio")
    )
    affuse.adopt([voice, words], tmp_path / "b", weights={"audio": 1, "text": 0.5}, name="a")
    for name in ("recipe.yaml", "README.md", "labels.json", "model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_bad_input_is_one_sentence(
    voice: Path, words: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pickled = tmp_path / "pickled"
    shutil.copytree(words, pickled)
    (pickled / "model.safetensors").rename(pickled / "pytorch_model.bin")
    bert = tiny_bert(tmp_path / "bert")
    empty = tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    shutil.copytree(voice, other)
    both = affuse.adopt([voice, words], tmp_path / "both")
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine.txt").write_text("mine")
    out = tmp_path / "out"
    nothing = tmp_path / "nothing.yaml"
    nothing.write_text("ang: null\nhap: null\nneu: null\nsad: null\n")
    one = tmp_path / "one.yaml"
    one.write_text("ang: anger\nhap: anger\nneu: null\nsad: anger\n")
    cases: list[tuple[list[Any], str]] = [
        ([voice, "--out", voice / "sub"], f"lies inside the model {voice}; name a folder outside of it"),
        (
            [voice, "--out", out, "--labels", one],
            f"Every label of {voice} that counts for a class of emotion means anger",
        ),
        ([pickled, "--out", out], "weights as a Python pickle alone"),
        ([bert, "--out", out], "holds no trained classifier"),
        ([empty, "--out", out], "holds neither config.json (a transformers checkpoint) nor index.json"),
        ([tmp_path / "gone", "--out", out], "There is no folder"),
        (
            [voice, other, "--out", out],
            f"Two models read audio: {voice} and {other}; adopt one for each modality",
        ),
        ([both, "--out", out], "reads audio and text; one that reads sound alone or words alone"),
        ([voice, "--out", full], "exists already; name a new folder"),
        (
            [voice, "--out", out, "--weights", "audio"],
            "--weights takes modality=number, each once, not 'audio'",
        ),
        ([voice, "--out", out, "--weights", "text=1"], "--weights names text, and the models read audio"),
        ([voice, "--out", out, "--weights", "audio=0"], "the weight of audio is a number above 0, not 0"),
        ([voice, "--out", out, "--labels", tmp_path / "none.yaml"], "none.yaml"),
        ([voice, "--out", out, "--labels", nothing], "counts for none of the classes (ang, hap, neu, sad)"),
        ([voice, "--out", out, "--fit", empty], "empty"),
    ]
    for given, sentence in cases:
        told = run(capsys, monkeypatch, "adopt", *given)
        assert told.code == 2, (given, told)
        assert sentence in told.err.replace("\n", " "), (given, told.err)
        assert len(told.err.strip().splitlines()) == 1, told.err
        assert not out.exists()
    assert [one.name for one in full.iterdir()] == ["mine.txt"]
    assert not (voice / "sub").exists()
    assert not list(tmp_path.glob(".affuse*"))


def in_config(**fields: Any) -> Callable[[Path], None]:
    return in_file("config.json", **fields)


def in_file(name: str, **fields: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        about = json.loads((folder / name).read_text(encoding="utf-8")) | fields
        (folder / name).write_text(json.dumps(about), encoding="utf-8")

    return change


def without(pattern: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        for path in folder.glob(pattern):
            path.unlink()

    return change


def in_weights(name: str, values: float | None) -> Callable[[Path], None]:
    """A tensor of one value, or none."""

    def change(folder: Path) -> None:
        state = load_file(folder / "model.safetensors")
        if values is None:
            del state[name]
        else:
            state[name] = torch.full_like(state[name], values)
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})

    return change


def index(text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors.index.json").write_text(text)

    return change


@pytest.mark.parametrize(
    ("make", "change", "sentence"),
    [
        (tiny_text, index("{"), r"index\.json is damaged; download it again"),
        (tiny_text, index("{}"), r"index\.json is damaged; download it again"),
        (tiny_text, index('{"weight_map": []}'), r"index\.json is damaged; download it again"),
        # output 1 would be called what the file calls 2
        (tiny_text, in_config(id2label={"0": "ang", "2": "hap", "3": "neu", "4": "sad"}),
         r"numbers its 4 labels 0, 2, 3, 4, not 0 to 3: which score is whose cannot be told"),
        (tiny_text, in_config(id2label=["ang", "hap"]), r"could not be loaded \('list' object"),
        (tiny_text, in_config(quantization_config={"quant_method": "bitsandbytes", "load_in_8bit": True}),
         "could not be loaded .*quantization requires"),
        # transformers makes one that knows no word
        (tiny_text, without("tokenizer*"), r"has no tokenizer \(tokenizer\.json or its vocabulary\)"),
        (tiny_text, in_weights("classifier.bias", float("nan")), "answers with no numbers: its weights are damaged"),
        (tiny_audio, without("preprocessor_config.json"), "has no feature extractor"),
        (tiny_audio, in_file("preprocessor_config.json", sampling_rate=None), "has the sampling_rate None; correct"),
        (tiny_audio, in_file("preprocessor_config.json", sampling_rate=0), "has the sampling_rate 0; correct it"),
        (tiny_dimensional, in_weights("classifier.dense.bias", None), "holds no trained classifier"),
        (tiny_image, without("preprocessor_config.json"), "has no image processor"),
        (tiny_image, in_file("preprocessor_config.json", size={"height": 48, "width": 64}),
         r"gives no answer \(Input image size .* its files do not fit each other"),
    ],
)  # fmt: skip
def test_files_that_are_missing_or_do_not_fit(
    make: Callable[[Path], Path], change: Callable[[Path], None], sentence: str, tmp_path: Path
) -> None:
    folder = make(tmp_path / "model")
    change(folder)
    with pytest.raises(AffuseError, match=sentence):
        affuse.adopt(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_that_is_not_adopted_yet(words: Path) -> None:
    with pytest.raises(
        AffuseError,
        match=r"is a checkpoint of transformers; where it classifies, 'affuse adopt .*words --out",
    ):
        affuse.load(words)


def test_names_that_are_none(voice: Path, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="The name of a model is blank"):
        affuse.adopt(" ", tmp_path / "out")
    with pytest.raises(
        AffuseError, match=r"config\.json is a file, and a model is a folder; name its folder: .*voice"
    ):
        affuse.adopt(voice / "config.json", tmp_path / "out")


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As tests/models/test_hub.py: huggingface_hub reads these from the environment when it is imported."""
    from huggingface_hub import constants

    with hub() as running:
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, running.url)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "ENDPOINT", running.url)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.chdir(tmp_path)
        yield running


def upload(server: Any, name: str, folder: Path) -> None:
    server.models[name] = {
        one.relative_to(folder).as_posix(): one.read_bytes() for one in folder.rglob("*") if one.is_file()
    }


def test_a_hubs_model_is_pinned_to_its_commit(server: Any, words: Path, tmp_path: Path) -> None:
    upload(server, "somebody/words", words)
    server.models["somebody/words"]["README.md"] = b"---\nlicense: cc-by-nc-4.0\n---\n# words\n"
    out = affuse.adopt("somebody/words", tmp_path / "out")
    modality = Recipe.load(out / "recipe.yaml").modalities["text"]
    assert modality.options == {"model": "somebody/words", "revision": COMMIT}
    assert "cc-by-nc-4.0" in (out / "README.md").read_text(encoding="utf-8")
    found = affuse.licences(out)
    assert found.commercial == "no"
    server.models.clear()  # what was fetched is enough from now on
    model = affuse.load(out)
    assert model.label_spaces["emotion"] == ["anger", "happiness", "neutral", "sadness"]
    assert not any(
        "pytorch_model" in call for call in server.calls if "words" in call and call.startswith("GET")
    )
    assert affuse.adopt(f"somebody/words@{COMMIT}", tmp_path / "again").is_dir()


def test_an_adopted_model_is_pushed_and_answers_after_pull(server: Any, words: Path, tmp_path: Path) -> None:
    out = affuse.adopt(words, tmp_path / "out")
    with pytest.raises(AffuseError, match="names an encoder by a path of this machine"):
        affuse.push(out, "me/adopted")
    affuse.push(out, "me/adopted", self_contained=True)
    back = affuse.pull("me/adopted", tmp_path / "back")
    assert (back / "encoders/text/model.safetensors").is_file()
    assert affuse.load(back).label_spaces == affuse.load(out).label_spaces
    assert Recipe.load(back / "recipe.yaml").fusion.options["labels"] == {
        "text": ["ang", "hap", "neu", "sad"]
    }


def test_what_the_hub_says_no_to(
    server: Any, words: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    upload(server, "somebody/pickled", words)
    files = server.models["somebody/pickled"]
    files["pytorch_model.bin"] = files.pop("model.safetensors")
    upload(server, "somebody/data", words)
    del server.models["somebody/data"]["config.json"]
    for name, sentence in (
        ("somebody/pickled", "weights as a Python pickle alone"),
        ("somebody/data", "is no transformers checkpoint: it has no config.json"),
        ("somebody/gone", "The Hub has no model somebody/gone"),
        ("somebody/pickled@v9", "not this revision"),
    ):
        with pytest.raises(AffuseError, match=sentence):
            affuse.adopt(name, tmp_path / "out")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(
        AffuseError, match=r"cannot be reached .* 'starter' needs no download: affuse predict"
    ):
        affuse.adopt("somebody/other", tmp_path / "out")
    assert not (tmp_path / "out").exists()
