"""The corpus that the starters' voices are trained on, of a release of a few clips; and their confidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from affuse.corpora.corpus import Corpus
from starter_scripts import script
from voices import RATE, recording

voice, confidence = script("voice"), script("confidence")
CLIPS = {"anger": 3, "happiness": 2, "sadness": 1, "neutral": 2}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("release")
    lines = ["file,emotion,speaker,gender,text,lang,seconds"]
    (folder / "audio").mkdir()
    for emotion, count in CLIPS.items():
        for i in range(count):
            name = f"audio/{emotion}{i}.flac"
            soundfile.write(folder / name, recording((emotion[:3], 0.6), seed=i), RATE)
            speaker, gender = (("03", "male"), ("08", "female"))[i % 2]
            lines.append(f"{name},{emotion},{speaker},{gender},Text.,de,0.6")
    (folder / "utterances.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def made(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return voice.corpus(release, tmp_path_factory.mktemp("made"))


def test_every_class_has_as_many_clips_and_every_copy_its_speaker(made: Corpus) -> None:
    table = made.table
    assert table["emotion"].value_counts().to_dict() == dict.fromkeys(CLIPS, 3 * (1 + voice.COPIES))
    assert len(table[["clip", "speaker", "emotion"]].drop_duplicates()) == sum(CLIPS.values())
    assert sorted(table[table["take"] == 0]["clip"]) == sorted(table["clip"].unique())


def test_the_first_take_is_the_clip_and_the_others_are_not(made: Corpus, release: Path) -> None:
    sounds = {one.id: one.waveform(RATE) for one in made.utterances()}
    for row in made.table[made.table["take"] == 0].to_dict("records"):
        own, _ = soundfile.read(release / "audio" / f"{row['clip']}.flac", dtype="float32")
        np.testing.assert_allclose(sounds[row["id"]], own, atol=1e-4)
        copies = made.table[(made.table["clip"] == row["clip"]) & (made.table["take"] > 0)]["id"]
        assert len(copies) >= voice.COPIES
        for id in copies:
            assert len(sounds[id]) != len(own) or np.abs(sounds[id] - own).max() > 1e-3


def test_made_again_the_files_are_the_same_bytes(made: Corpus, release: Path, tmp_path: Path) -> None:
    again = voice.corpus(release, tmp_path)
    for one, other in zip(made.utterances(), again.utterances(), strict=True):
        assert one.audio is not None
        assert other.audio is not None
        assert one.audio.read_bytes() == other.audio.read_bytes()


def test_one_copy_of_every_clip_is_kept_out_of_training(made: Corpus) -> None:
    table = voice.with_parts(made).table
    assert (table[table["part"] == "test"].groupby("clip").size() == 1).all()
    assert table[table["part"] == "test"]["clip"].nunique() == sum(CLIPS.values())
    assert (table[table["take"] == 0]["part"] == "train").all()


def test_the_mean_confidence_is_chance_and_half_of_what_is_above_it() -> None:
    random = np.random.default_rng(0)
    logits = random.normal(0, 3, (400, 4))
    labels = np.where(random.random(400) < 0.6, logits.argmax(axis=1), random.integers(4, size=400))
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    names = list(CLIPS)
    table = pd.DataFrame(probabilities, columns=[f"emotion_p_{name}" for name in names])
    table["id"], table["emotion"] = [str(i) for i in range(400)], [names[i] for i in labels]
    found = confidence.of_other_corpora(table, "emotion", names)
    scaled = np.exp(logits / found.temperature)
    mean = (scaled / scaled.sum(axis=1, keepdims=True)).max(axis=1).mean()
    right = (logits.argmax(axis=1) == labels).mean()
    assert mean == pytest.approx(0.25 + (right - 0.25) / 2, abs=1e-4)
    assert found.wrong == round(400 * (1 - right))
