"""Trained models of one modality joined: probabilities by hand, the folder, prediction, the ONNX file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import affuse
from affuse.errors import AffuseError
from affuse.models.defaults import ClipSeconds
from affuse.models.joining import Member, join
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.models.trained_encoder import AudioModel, TextModel, TrainedOptions
from affuse.recipe import Recipe
from joined_members import MAP, RATE, WORDS, voice_model, words_model
from voices import recording


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("members")
    found = {"audio": voice_model(place / "voice"), "text": words_model(place / "words")}
    members = [Member.of_folder(found["audio"], "audio", {}), Member.of_folder(found["text"], "text", MAP)]
    save_model(join(members, name="both", weights={"text": 0.5}), place / "both")
    return found | {"both": place / "both"}


def segments(model: Model, text: str | None = None) -> list[Any]:
    sound = recording(("ang", 2.0), seed=3)
    return model.predict((sound, RATE), vad=False, window=3.0, words=text).segments


def test_one_modality_is_answered_as_its_own_model_answers(folders: dict[str, Path]) -> None:
    alone, both = affuse.load(folders["audio"]), affuse.load(folders["both"])
    (expected,), (found,) = segments(alone), segments(both)
    assert both.label_spaces == {"emotion": ["anger", "happiness", "neutral"], "gender": ["female", "male"]}
    told = {label: p for label, p in expected.answers["emotion"].probabilities.items() if label != "sadness"}
    for label, p in told.items():
        assert found.answers["emotion"].probabilities[label] == pytest.approx(
            p / sum(told.values()), abs=2e-4
        )
    assert found.answers["gender"].probabilities == pytest.approx(
        expected.answers["gender"].probabilities, abs=2e-4
    )


def test_probabilities_are_the_weighted_mean(folders: dict[str, Path]) -> None:
    text = "the angry door goes"
    voice, both = affuse.load(folders["audio"]), affuse.load(folders["both"])
    (heard,), (found,) = segments(voice), segments(both, text)
    words = affuse.load(folders["text"])
    reader = words.resolved["words"].make().eval()
    ids = reader.tokenizer(text)["input_ids"]  # type: ignore[union-attr]
    from affuse.sequence import pad

    with torch.inference_mode():
        logits = words({"words": reader(pad([torch.tensor(ids)]))}).logits["emotion"][0]
    scores = dict(zip(WORDS["emotion"], (logits / 2.5).exp().tolist(), strict=True))
    read = {"anger": scores["anger"], "happiness": scores["joy"], "neutral": scores["neutral"]}
    told = heard.answers["emotion"].probabilities
    for label in read:
        p_voice = told[label] / (1 - told["sadness"])
        p_words = read[label] / sum(read.values())
        expected = (p_voice + 0.5 * p_words) / 1.5
        assert found.answers["emotion"].probabilities[label] == pytest.approx(expected, abs=2e-4)
    assert found.answers["gender"].probabilities == pytest.approx(
        heard.answers["gender"].probabilities, abs=2e-4
    )


def test_a_batch_is_its_clips_one_by_one(folders: dict[str, Path]) -> None:
    from affuse.sequence import pad

    encoder = AudioModel(TrainedOptions(model=str(folders["audio"]))).eval()
    clips = [
        encoder.reader.from_samples(recording(("neu", s), seed=i)) for i, s in enumerate((0.5, 2.0, 1.2))
    ]  # type: ignore
    with torch.inference_mode():
        together = encoder(pad([*clips, None]))
        assert together.mask.tolist() == [[True], [True], [True], [False]]
        for i, clip in enumerate(clips):
            torch.testing.assert_close(
                together.values[i], encoder(pad([clip])).values[0], atol=1e-5, rtol=1e-5
            )


def test_what_members_know_of_their_training_comes_along(folders: dict[str, Path]) -> None:
    defaults = affuse.load(folders["both"]).defaults
    assert defaults.clip_seconds == ClipSeconds(median=2, low=1, high=3)
    emotion = defaults.of_task("emotion")
    assert (emotion.temperature, emotion.unsure_below, emotion.utterances) == (1.0, 0.4, 80)
    assert defaults.seen is not None
    assert defaults.seen.corpus == "voices and lines"
    assert defaults.seen.utterances == {"train": ["a" * 32, "c" * 32], "test": ["d" * 32]}


def test_the_folder_stands_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folders["both"], copy)
    files = json.loads((copy / "index.json").read_text())["files"]
    assert "encoders/audio/model.safetensors" in files
    assert "encoders/audio/README.md" in files
    hidden = folders["audio"].with_name("gone")
    folders["audio"].rename(hidden)
    try:
        (found,) = segments(affuse.load(copy))
        (again,) = segments(affuse.load(folders["both"]))
        assert found == again
        save_model(affuse.load(copy), tmp_path / "again")  # from a copy of a copy
        assert segments(affuse.load(tmp_path / "again")) == [found]
    finally:
        hidden.rename(folders["audio"])


def test_an_altered_member_is_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "copy"
    shutil.copytree(folders["both"], copy)
    (copy / "encoders/audio/labels.json").write_text(
        '{"emotion": ["a", "b", "c", "d"], "gender": ["x", "y"]}'
    )
    with pytest.raises(AffuseError, match=r"labels\.json was altered"):
        affuse.load(copy)


def test_the_onnx_file_answers_alike(folders: dict[str, Path], tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    model = affuse.load(folders["both"])
    path = affuse.export(model, tmp_path / "both.onnx", inputs="raw")
    session = onnxruntime.InferenceSession(path)
    sound = recording(("ang", 2.0), seed=3)
    feed = {
        "audio": sound[None], "audio_mask": np.ones((1, len(sound)), bool),
        "text": np.zeros((1, 1), np.int64), "text_mask": np.zeros((1, 1), bool),
    }  # fmt: skip
    (logits, *_) = session.run(["logits_emotion"], feed)
    p = np.exp(logits[0]) / np.exp(logits[0]).sum()
    (found,) = segments(model)
    np.testing.assert_allclose(p, list(found.answers["emotion"].probabilities.values()), atol=1e-4)


def test_misfits_are_one_sentence(folders: dict[str, Path]) -> None:
    voice = Member.of_folder(folders["audio"], "audio", {})
    words = Member.of_folder(folders["text"], "text", {})
    with pytest.raises(AffuseError, match="Two models read audio"):
        join([voice, voice, Member.of_folder(folders["audio"], "audio", {})], name="x")
    with pytest.raises(AffuseError, match="does not tell happiness"):
        join([voice, words], name="x", classes={"emotion": ["anger", "happiness"]})
    with pytest.raises(AffuseError, match="No model answers the task 'age'"):
        join([voice], name="x", classes={"age": ["old", "young"]})
    other = Member.of_folder(
        folders["text"], "text", {"emotion": {"anger": "rage", "neutral": "calm", "fear": "happiness"}}
    )
    with pytest.raises(AffuseError, match="fewer than two classes of emotion in common"):
        join([voice, other], name="x")
    with pytest.raises(AffuseError, match=r"reads audio \(audio\); a model that reads text alone"):
        Member.of_folder(folders["audio"], "text", {})
    with pytest.raises(AffuseError, match="stays as it is; set its frozen: true"):
        affuse.build(Recipe.parse({
            "name": "x",
            "modalities": {"text": {"encoder": "text_model", "frozen": False,
                                    "options": {"model": str(folders["text"])}}},
        }))  # fmt: skip


def test_its_width_and_classes_are_known_without_its_weights(folders: dict[str, Path]) -> None:
    options = TrainedOptions(model=str(folders["text"]))
    assert TextModel.width_of(options) == 4
    assert TextModel.spaces(options) == WORDS
