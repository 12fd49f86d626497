"""push, pull and load by id, against a stand-in of the Hub on the loopback: no other network, no account."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import affuse
from affuse.errors import AffuseError
from affuse.models.finding import find_folder
from affuse.models.hub import looks_like_id
from affuse.models.saving import save_model
from affuse.models.sharing import pull, push
from affuse.recipe import Recipe

sys.path.insert(0, str(Path(__file__).parent))
from stand_in import COMMIT, TOKEN, StandIn, hub

from tiny_models import tiny_bert

CARD = "---\nlibrary_name: affuse\n---\n\n# small\n"


def reach(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", url)


@pytest.fixture(autouse=True)
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """huggingface_hub reads these from the environment when it is imported, which it is by now."""
    from huggingface_hub import constants

    with hub() as running:
        reach(running.url, monkeypatch)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "no-token"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield running


def make_model(modalities: dict | None = None) -> affuse.models.network.Model:
    torch.manual_seed(0)
    face = {"face": {"encoder": "precomputed", "options": {"name": "face", "width": 3}}}
    return affuse.build(Recipe.parse({"name": "small", "modalities": modalities or face})).eval()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_model(make_model(), tmp_path / "own model", card=CARD)
    return tmp_path / "own model"


def test_a_pushed_model_comes_back_the_same(folder: Path, tmp_path: Path, server: StandIn) -> None:
    (folder / "notes of mine.txt").write_text("not part of the model")
    assert push(folder, "me/small") == f"{server.url}/me/small"
    index = json.loads((folder / "index.json").read_text())
    assert set(server.models["me/small"]) == {"index.json", *index["files"]}
    assert "README.md" in index["files"]
    assert server.private == set()
    assert server.models["me/small"]["model.safetensors"] == (folder / "model.safetensors").read_bytes()

    pulled = pull("me/small", tmp_path / "out" / "pulled")
    assert {p.name: p.read_bytes() for p in pulled.iterdir()} == {
        p.name: p.read_bytes() for p in folder.iterdir() if p.suffix != ".txt"
    }
    first, again, by_id = affuse.load(folder), affuse.load(pulled), affuse.load("me/small")
    for name, value in first.state_dict().items():
        assert torch.equal(value, again.state_dict()[name])
        assert torch.equal(value, by_id.state_dict()[name])
    affuse.load(f"me/small@{COMMIT}")


def test_only_what_the_index_names_comes_down(folder: Path, tmp_path: Path, server: Any) -> None:
    push(folder, "me/small", private=True)
    assert server.private == {"me/small"}
    server.models["me/small"]["setup.py"] = b"raise SystemExit('code from the Hub ran')"
    pull("me/small", tmp_path / "pulled")
    assert not (tmp_path / "pulled" / "setup.py").exists()
    assert not [call for call in server.calls if "setup.py" in call]


def test_a_model_altered_on_the_way_is_refused_and_leaves_nothing(
    folder: Path, tmp_path: Path, server: Any
) -> None:
    push(folder, "me/small")
    server.models["me/small"]["labels.json"] += b" "
    with pytest.raises(AffuseError, match=r"labels\.json was altered"):
        pull("me/small", tmp_path / "out" / "pulled")
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(AffuseError, match=r"labels\.json was altered"):
        affuse.load("me/small")


def test_an_encoder_of_this_machine_goes_along_only_if_asked(tmp_path: Path, server: Any) -> None:
    bert = tiny_bert(tmp_path / "bert")
    model = make_model({"text": {"encoder": "bert", "options": {"model": str(bert)}}})
    save_model(model, tmp_path / "own", card=CARD)
    with pytest.raises(AffuseError, match=r"path of this machine \(text: .*self_contained=True"):
        push(tmp_path / "own", "me/words")
    assert server.calls == []
    push(tmp_path / "own", "me/words", self_contained=True)
    assert "encoders/text/model.safetensors" in server.models["me/words"]
    bert.rename(tmp_path / "gone")
    loaded = affuse.load("me/words")
    assert loaded.recipe.modalities["text"].options["model"].startswith(str(tmp_path / "hub"))


def test_an_encoder_of_ones_own_that_cannot_be_copied_stays_here(
    tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from affuse.parts.registry import PARTS

    monkeypatch.setitem(PARTS["encoders"], "own", "models.own_weights:OwnWeights")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("calm 0.1")
    model = make_model({"text": {"encoder": "own", "options": {"table": "words.txt"}}})
    save_model(model, tmp_path / "own", card=CARD)
    written = (tmp_path / "own" / "recipe.yaml").read_text()
    assert str(tmp_path / "words.txt") in written  # what the encoder says it reads is named from the root
    with pytest.raises(AffuseError, match=r"path of this machine \(text: .*self_contained=True"):
        push(tmp_path / "own", "me/words")
    with pytest.raises(AffuseError, match=r"words\.txt\) and has no way to copy it"):
        push(tmp_path / "own", "me/words", self_contained=True)
    assert server.calls == []
    (tmp_path / "words.txt").write_text("calm 0.9")
    with pytest.raises(AffuseError, match=r"words\.txt is not what the model was trained with"):
        affuse.load(tmp_path / "own")


def test_sentences_for_what_goes_wrong(
    folder: Path, tmp_path: Path, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(AffuseError, match=r"'just-a-name' is not a Hub id; write owner/name"):
        push(folder, "just-a-name")
    with pytest.raises(AffuseError, match=r"'a/b/c' is not a Hub id"):
        pull("a/b/c", tmp_path / "new")
    with pytest.raises(AffuseError, match="leave '@v2' out"):
        push(folder, "me/small@v2")
    with pytest.raises(AffuseError, match="no model me/nothing, and no such folder"):
        affuse.load("me/nothing")
    with pytest.raises(AffuseError, match="There is no model folder no such folder"):
        affuse.load("no such folder")
    with pytest.raises(AffuseError, match="may not write to other/small"):
        push(folder, "other/small")
    push(folder, "me/small")
    with pytest.raises(AffuseError, match=r"me/small@v9: the Hub has the model, but not this revision"):
        pull("me/small@v9", tmp_path / "new")
    server.models["me/foreign"] = {"config.json": b"{}"}
    with pytest.raises(AffuseError, match=r"not an affuse model: it has no index\.json"):
        pull("me/foreign", tmp_path / "new")
    with pytest.raises(AffuseError, match="exists already"):
        pull("me/small", folder)
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(AffuseError, match=r"did not accept the token for me/small"):
        push(folder, "me/small")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(AffuseError, match="needs a token to upload: run 'hf auth login'"):
        push(folder, "me/small")
    assert not (tmp_path / "new").exists()


def test_no_network_is_one_sentence(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the library tries again, ever later
    with socket.socket() as unused:  # a port on which nobody listens
        unused.bind(("127.0.0.1", 0))
        reach(f"http://127.0.0.1:{unused.getsockname()[1]}", monkeypatch)
        for call in (lambda: pull("me/small", tmp_path / "new"), lambda: push(folder, "me/small")):
            with pytest.raises(
                AffuseError, match=r"cannot be reached for me/small \(.+\); check the network"
            ):
                call()


def test_without_a_network_the_hub_is_asked_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its library tries six times, half a minute long, with a line each time."""
    from transformers import AutoConfig

    from affuse.encoders.pretrained import load
    from command import affuse as run

    asked: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as deaf:

        def hang_up() -> None:
            with contextlib.suppress(OSError):
                while True:
                    caller = deaf.accept()[0]
                    asked.append(0)
                    caller.close()

        threading.Thread(target=hang_up, daemon=True).start()
        reach(f"http://127.0.0.1:{deaf.getsockname()[1]}", monkeypatch)
        monkeypatch.setattr("time.sleep", asked.append)  # the pauses between its attempts
        for given in (["licences", "nonsense/x"], ["adopt", "nonsense/x", "--out", tmp_path / "new"]):
            told = run(capsys, monkeypatch, *given)
            assert told.code == 2
            assert "cannot be reached for nonsense/x" in told.err
            assert "starter" in told.err
            assert len(told.err.strip().splitlines()) == 1
        with pytest.raises(AffuseError, match=r"cannot be reached .* voice-offline .* starter .*package:"):
            load(AutoConfig, "nonsense/x")
        assert asked == [0, 0, 0]
        told = run(capsys, monkeypatch, "adopt", "startr", "--out", tmp_path / "new")
        assert (told.code, asked) == (2, [0, 0, 0])  # no Hub id: nobody is asked
        assert "did you mean 'starter'?" in told.err
        deaf.shutdown(socket.SHUT_RDWR)


def test_what_looks_like_an_id() -> None:
    assert all(looks_like_id(text) for text in ("me/model", "me/model@v1.0", "A-b_c/d.e"))
    assert not any(
        looks_like_id(text) for text in ("model", "./me/model", "a/b/c", "me/", "/me/model", "a b/c", "../m")
    )


def test_the_commands(
    folder: Path,
    tmp_path: Path,
    server: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from command import affuse as run

    done = run(capsys, monkeypatch, "push", folder, "me/small", "--private")
    assert (done.code, done.out.strip()) == (0, f"The model is at {server.url}/me/small")
    done = run(capsys, monkeypatch, "pull", "me/small", tmp_path / "new")
    assert (done.code, done.out.strip()) == (0, f"The model is in {tmp_path / 'new'}")
    done = run(capsys, monkeypatch, "pull", "me/nothing", tmp_path / "other")
    assert done.code == 2
    assert done.err.startswith("affuse: The Hub has no model me/nothing")
    assert os.listdir(tmp_path / "new")


def test_a_path_whose_first_folder_is_here_is_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "affuse.models.finding.download", lambda hub_id: Path(hub_id)
    )  # nothing may be asked for
    with pytest.raises(
        AffuseError, match=r"There is no model folder runs/nothing \(and runs is a folder here\)"
    ):
        find_folder("runs/nothing")
    assert find_folder("runs/nothing@main") == Path("runs/nothing@main")
    assert find_folder("others/nothing") == Path("others/nothing")
