"""``model.stream`` against ``model.predict`` on the whole recording."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import affuse
from affuse.errors import AffuseError
from affuse.inference.live.stream import LiveSegment, LiveStream
from affuse.inference.timeline import Segment
from affuse.models.network import Model
from affuse.recipe import Recipe
from audio_files import write_sound
from documents import ROOT, code_blocks
from tiny_models import tiny_bert, tiny_ctc
from voices import RATE, recording


@pytest.fixture(scope="module")
def starter() -> Model:
    return affuse.load("starter")


@pytest.fixture(scope="module")
def talk() -> np.ndarray:
    """A minute and a half of what Silero hears as speech: feelings change within utterances and between them."""
    random = np.random.default_rng(0)
    said: list[np.ndarray] = []
    for turn in range(14):
        emotions = random.choice(["neu", "ang", "sad", "hap"], int(random.integers(1, 4)))
        parts = [(str(emotion), float(random.uniform(1, 4))) for emotion in emotions]
        pause = float(random.choice([0.1, 0.35, 0.5, 0.8, 1.5]))
        said.append(recording(*parts, pause, gender="FM"[turn % 2], seed=1 + 10 * turn))
    wave = np.concatenate(said)
    return wave + random.normal(0, 1e-4, len(wave)).astype(np.float32)


def streamed(stream: LiveStream, wave: np.ndarray, size: int = 320) -> list[LiveSegment]:
    found = [one for at in range(0, len(wave), size) for one in stream.push(wave[at : at + size])]
    return found + stream.close()


def finals(found: list[LiveSegment]) -> list[Segment]:
    return [segment for segment, final in found if final]


def assert_same(found: list[Segment], expected: list[Segment]) -> None:
    assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        assert mine.modalities == theirs.modalities
        assert mine.text == theirs.text
        assert mine.answers.keys() == theirs.answers.keys()
        for task, answer in theirs.answers.items():
            assert mine.answers[task].label == answer.label
            np.testing.assert_allclose(
                list(mine.answers[task].probabilities.values()),
                list(answer.probabilities.values()),
                atol=1.01e-4,
            )


def test_sixteen_minutes_in_pieces_of_20_ms_are_the_prediction_of_the_whole(
    starter: Model, talk: np.ndarray
) -> None:
    # each time with a hum of its own, so that nothing is the same twice
    hums = [
        np.float32(2e-4 * k) * np.sin(np.arange(len(talk)) * np.float32(0.01 * (k + 1))) for k in range(20)
    ]
    wave = np.concatenate([talk + hum for hum in hums])[: 16 * 60 * RATE]
    assert len(wave) == 16 * 60 * RATE
    expected = starter.predict((wave, RATE), window=2.5, hop=1.25).segments
    assert len(expected) > 200
    found = streamed(starter.stream(RATE, partial=False, window=2.5, hop=1.25), wave)
    assert_same(finals(found), expected)


@pytest.mark.parametrize("rate", [8_000, 44_100, 48_000])
def test_blocks_of_any_length_at_any_rate(starter: Model, talk: np.ndarray, rate: int) -> None:
    import soxr

    wave = soxr.resample(talk[: 25 * RATE], RATE, rate)
    random = np.random.default_rng(rate)
    edges = np.cumsum(random.integers(0, rate, 120))
    stream = starter.stream(rate, window=2.0, hop=0.7)
    found = [one for block in np.split(wave, edges[edges < len(wave)]) for one in stream.push(block)]
    expected = starter.predict((wave, rate), window=2.0, hop=0.7).segments
    assert len(expected) >= 3
    assert_same(finals(found + stream.close()), expected)


@pytest.mark.parametrize(
    ("size", "settings"),
    [
        (16_000, {"vad": False}),
        (320, {"vad": False, "window": 0.5, "hop": 0.5}),
        (999, {"window": 3.0, "hop": 1.0, "unsure": 0.9, "classes": ["anger", "neutral"]}),
        (50_000, {"window": 0.7, "hop": 0.1}),
    ],
)
def test_settings_are_those_of_predict(
    starter: Model, talk: np.ndarray, size: int, settings: dict[str, Any]
) -> None:
    wave = talk[: 20 * RATE]
    expected = starter.predict((wave, RATE), **settings).segments
    assert expected
    for partial in (False, True):
        stream = starter.stream(RATE, partial=partial, **settings)
        assert_same(finals(streamed(stream, wave, size)), expected)


def test_whole_numbers_are_pcm(starter: Model, talk: np.ndarray) -> None:
    wave = np.clip(talk[: 12 * RATE] * 2**15, -(2**15), 2**15 - 1).astype(np.int16)
    expected = starter.predict((wave, RATE)).segments
    assert expected
    assert_same(finals(streamed(starter.stream(RATE), wave)), expected)
    assert_same(finals(streamed(starter.stream(RATE), torch.from_numpy(wave))), expected)  # type: ignore[arg-type]


def test_partial_segments_show_what_comes_and_follow_the_final_ones(starter: Model, talk: np.ndarray) -> None:
    stream = starter.stream(RATE)
    ended, shown, waits = 0.0, 0, []
    for at in range(0, 30 * RATE, 320):
        told = stream.push(talk[at : at + 320])
        order = [final for _, final in told]
        assert order == sorted(order, reverse=True)
        for segment, final in told:
            assert segment.start >= ended - 1e-6
            assert segment.end <= stream.seconds + 1e-6
            if final:
                ended = segment.end
            else:
                shown += 1
                waits.append(stream.seconds - segment.end)
    assert shown > 20
    assert min(waits) < 0.05


def test_tasks_may_be_chosen(starter: Model, talk: np.ndarray) -> None:
    found = finals(streamed(starter.stream(RATE, tasks=["emotion"]), talk[: 12 * RATE], 4_000))
    assert found
    assert {tuple(one.answers) for one in found} == {("emotion",)}


def test_nothing_silence_and_less_than_a_window(starter: Model, talk: np.ndarray) -> None:
    assert starter.stream(RATE).close() == []
    assert streamed(starter.stream(RATE), np.zeros(0, np.float32)) == []
    assert streamed(starter.stream(RATE), np.zeros(2 * RATE, np.float32)) == []
    short = talk[: 2 * RATE]
    expected = starter.predict((short, RATE), window=4.0).segments
    assert len(expected) == 1
    assert_same(finals(streamed(starter.stream(RATE, window=4.0), short)), expected)


def test_samples_that_are_no_numbers_are_silence_and_said(starter: Model, talk: np.ndarray) -> None:
    wave = talk[: 8 * RATE].copy()
    wave[3 * RATE : 3 * RATE + 100] = np.nan
    wave[4 * RATE] = np.inf
    stream = starter.stream(RATE)
    found = finals(streamed(stream, wave))
    clean = np.where(np.isfinite(wave), wave, 0).astype(np.float32)
    assert_same(found, starter.predict((clean, RATE)).segments)
    assert stream.faults[0] == (
        "The stream has samples that are NaN or infinite from 3.00 s on; they count as silence."
    )


def test_a_window_of_silence_is_left_out_and_said(starter: Model) -> None:
    wave = np.concatenate([recording(("neu", 4.0)), np.zeros(6 * RATE, np.float32), recording(("ang", 4.0))])
    stream = starter.stream(RATE, vad=False, window=2.0, hop=2.0)
    found = finals(streamed(stream, wave))
    assert_same(found, starter.predict((wave, RATE), vad=False, window=2.0, hop=2.0).segments)
    assert any("silent" in fault for fault in stream.faults)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        (np.zeros((2, 5), np.float32), "not float32 of shape \\(2, 5\\); mix several channels"),
        (np.zeros(5, np.int32), "floats or int16, not int32"),
        (np.array(["a"]), "floats or int16, not <U1"),
        (np.full(5, 20_000.0), "reach 2e\\+04, where floats end at 1"),
    ],
)
def test_other_blocks_are_refused(starter: Model, block: np.ndarray, said: str) -> None:
    with pytest.raises(AffuseError, match=said):
        starter.stream(RATE).push(block)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"side": "left"}, "side does not go with a stream"),
        ({"start": 1.0}, "start does not go with a stream"),
        ({"text": "talk.srt"}, "text does not go with a stream"),
        ({"windw": 1}, "did you mean 'window'"),
        ({"tasks": ["emotoin"]}, "did you mean 'emotion'"),
    ],
)
def test_settings_of_files_are_refused(starter: Model, settings: dict[str, Any], said: str) -> None:
    with pytest.raises(AffuseError, match=said):
        starter.stream(RATE, **settings)


def test_a_rate_that_is_none_and_a_closed_stream_are_refused(starter: Model) -> None:
    with pytest.raises(AffuseError, match="sampling rate must be"):
        starter.stream(16)
    with starter.stream(RATE) as stream:
        stream.push([0.0])
    with pytest.raises(AffuseError, match="was closed"):
        stream.push([0.0])
    assert stream.close() == []


def make_model(modalities: dict[str, Any]) -> Model:
    torch.manual_seed(0)
    recipe = Recipe.parse({
        "name": "tried", "modalities": modalities, "tasks": {"emotion": {}}, "head": {"hidden": None},
    })  # fmt: skip
    model = Model(recipe, {"emotion": ["anger", "neutral", "sadness"]}).eval()
    for standardiser in model.standardisers.values():
        standardiser.fit(torch.tensor(0.0), torch.tensor(20.0))  # type: ignore[operator]
    return model


VOICE = {"audio": {"encoder": "logmel", "options": {"bands": 16}, "standardise": True}}
FACE = {"face": {"encoder": "hog", "options": {"frames_per_second": 5, "crop": "window"}}}


def test_pictures_are_left_out_and_a_model_of_pictures_alone_is_refused(talk: np.ndarray) -> None:
    model = make_model(VOICE | FACE)
    stream = model.stream(RATE)
    assert "The modality 'face' is pictures, which a stream of sound has not" in stream.warning
    wave = talk[: 10 * RATE]
    assert_same(finals(streamed(stream, wave)), model.predict((wave, RATE)).segments)
    with pytest.raises(AffuseError, match=r"reads face \(pictures\), and a stream has sound alone"):
        make_model(FACE).stream(RATE)


def test_words_are_heard_when_their_utterance_ends(talk: np.ndarray, tmp_path: Path) -> None:
    text = {
        "text": {"encoder": "bert", "options": {"model": str(tiny_bert(tmp_path / "bert")), "output": "mean"}}
    }
    asr = str(tiny_ctc(tmp_path / "asr"))
    model = make_model(VOICE | text)
    wave = talk[: 30 * RATE]
    expected = model.predict((wave, RATE), asr=asr, window=2.0).segments
    assert any(one.text for one in expected)
    for partial in (False, True):
        stream = model.stream(RATE, asr=asr, window=2.0, partial=partial)
        assert_same(finals(streamed(stream, wave, 4_000)), expected)
    with pytest.raises(AffuseError, match=r"reads words, and a stream has sound alone; give asr"):
        make_model(text).stream(RATE)


def test_the_code_of_the_page_runs(
    talk: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, seeing = (
        block.code for block in code_blocks(ROOT / "docs/streaming.md") if block.language == "python"
    )
    monkeypatch.chdir(tmp_path)
    write_sound(tmp_path / "talk.wav", talk[: 8 * RATE], RATE)
    exec(code, {})
    told = capsys.readouterr().out.splitlines()
    assert told[-1] == "[]"  # no faults
    assert len(told) > 3
    assert not told[-2].endswith("...")
    picture = np.zeros((60, 80, 3), np.uint8)
    space: dict[str, Any] = {
        "model": make_model(VOICE | FACE), "samples": np.repeat(talk[: 8 * RATE], 3), "picture": picture
    }  # fmt: skip
    exec(seeing, space)
    assert any(one.final for one in space["told"])
