"""The engine of the service: every clip gets the answer that it gets alone, whoever else is there."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import affuse
from affuse.errors import AffuseError
from affuse.inference.settings import Settings
from affuse.inference.timeline import Timeline
from affuse.models.defaults import PredictionDefaults
from affuse.models.network import Model
from affuse.models.saving import save_model
from affuse.recipe import Recipe
from affuse.serving.engine import Job, ServedModel, restarts
from serving.running_engine import RunningEngine, running_engine
from tiny_models import tiny_recogniser
from video_files import grey, write_video
from voices import RATE, recording

TALK = (("neu", 3.0), 1.0, ("ang", 5.0), 0.8, ("sad", 2.0))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engine")


@pytest.fixture(scope="module")
def faces(folder: Path) -> Path:
    """Untrained; reads faces alone."""
    recipe = Recipe.parse(
        {"name": "faces", "modalities": {"face": {"encoder": "hog", "options": {"crop": "window"}}}}
    )
    torch.manual_seed(0)
    save_model(Model(recipe, {"emotion": ["anger", "neutral", "joy"]}).eval(), folder / "faces")
    return folder / "faces"


@pytest.fixture(scope="module")
def running(folder: Path, faces: Path) -> Generator[RunningEngine]:
    with running_engine(
        {"starter": "starter", "faces": faces}, asr=str(tiny_recogniser(folder / "recogniser"))
    ) as one:
        yield one


@pytest.fixture(scope="module")
def talk(folder: Path) -> Path:
    return write(folder / "talk.wav", recording(*TALK))


def write(path: Path, samples: np.ndarray) -> Path:
    soundfile.write(path, samples, RATE)
    return path


def check_equal(job: Job, other: Timeline) -> None:
    mine = job.timeline
    assert mine is not None, job.failure
    assert mine.clip == "clip"
    told, expected = mine.to_dict(), other.to_dict()
    for one in (told, expected):
        del one["clip"]
    for left, right in zip(told.pop("segments"), expected.pop("segments"), strict=True):
        for task in mine.spaces:
            check_answers(left.pop(task), right.pop(task))
        assert left == right
    summary, other_summary = told.pop("summary"), expected.pop("summary")
    assert set(summary) == set(other_summary)
    for task in summary:
        check_answers(summary[task], other_summary[task])
    assert told == expected
    assert mine.words == other.words
    assert [one[:2] for one in mine.moments] == [one[:2] for one in other.moments]
    np.testing.assert_array_equal(mine.peaks, other.peaks)
    assert [one.time for one in mine.pictures] == [one.time for one in other.pictures]


def check_answers(mine: dict, other: dict) -> None:
    assert mine["label"] == other["label"]
    for name, value in other["probabilities"].items():
        assert mine["probabilities"][name] == pytest.approx(value, abs=1.01e-4)


def test_a_voice_is_answered_as_by_predict(running: RunningEngine, talk: Path) -> None:
    model = affuse.load("starter")
    check_equal(running.predict(talk), model.predict(talk))
    settings = {
        "window": 1.5,
        "hop": 0.5,
        "vad": False,
        "classes": ("anger", "neutral"),
        "start": 1.0,
        "end": 8.0,
    }
    check_equal(running.predict(talk, **settings), model.predict(talk, **settings))


def test_words_that_are_given_are_read(running: RunningEngine, talk: Path, folder: Path) -> None:
    model = affuse.load("starter")
    job = running.predict(talk, words="I am so happy today")
    check_equal(job, model.predict(talk, words="I am so happy today"))
    assert job.timeline is not None
    assert "text" in job.timeline.segments[0].modalities
    subtitles = folder / "words.srt"
    subtitles.write_text(
        "1\n00:00:00,500 --> 00:00:02,500\nI hate this\n\n2\n00:00:30,000 --> 00:00:31,000\nlate\n"
    )
    check_equal(running.predict(talk, text=subtitles), model.predict(talk, text=subtitles))


def test_words_are_recognised_where_the_networks_are(running: RunningEngine, talk: Path) -> None:
    asr = running.engine.models["starter"].asr
    assert asr is not None
    job = running.predict(talk, asr=asr)
    alone = affuse.load("starter").predict(talk, asr=asr)
    assert alone.words
    check_equal(job, alone)


def test_nobody_waits_for_words_of_others(running: RunningEngine, talk: Path) -> None:
    asr = running.engine.models["starter"].asr
    (hearing,) = running.engine.processes["recognisers"]

    async def work() -> Job:
        os.kill(hearing, signal.SIGSTOP)  # a piece that takes long
        slow = running.submit(talk, asr=asr)
        quick = running.submit(talk, client="b")
        await quick.wait()
        assert quick.state == "done"
        assert slow.state == "hearing"
        os.kill(hearing, signal.SIGKILL)
        return await slow.wait()

    check_equal(running.run(work()), affuse.load("starter").predict(talk, asr=asr))
    assert running.engine.processes["recognisers"] != [hearing]


def test_faces_are_answered_as_by_predict(running: RunningEngine, faces: Path, folder: Path) -> None:
    random = np.random.default_rng(0)
    film = write_video(
        folder / "film.mp4", [random.integers(0, 255, (64, 96, 3), dtype=np.uint8) for _ in range(120)]
    )
    job = running.predict(film, "faces")
    check_equal(job, affuse.load(faces).predict(film))
    assert job.timeline is not None
    assert job.timeline.pictures


def test_tasks_that_are_not_asked_for_are_not_told(running: RunningEngine, talk: Path) -> None:
    job = running.predict(talk, tasks=["emotion"])
    assert job.timeline is not None
    assert set(job.timeline.spaces) == {"emotion"}
    assert set(running.predict(talk).timeline.spaces) == {"emotion", "gender"}  # type: ignore[union-attr]


def test_what_does_not_fit_is_told_before_the_clip_is_taken(running: RunningEngine, talk: Path) -> None:
    for model, settings, sentence in (
        ("startr", {}, "no 'startr' among the models of this service"),
        ("starter", {"tasks": ["mood"]}, "no 'mood' among the tasks"),
        ("starter", {"classes": ("anger", "rage")}, "two or more"),
        ("starter", {"window": 1.0, "hop": 2.0}, "hop takes"),
        ("starter", {"asr": "someone/else"}, "has no recogniser here"),
        ("starter", {"asr": running.engine.models["starter"].asr, "words": "hello"}, "not both"),
    ):
        with pytest.raises(AffuseError, match=sentence):
            running.submit(talk, model, **settings)
    assert not running.engine.active


def test_clips_of_many_clients_keep_their_own_answers(running: RunningEngine, folder: Path) -> None:
    kinds = ("neu", "ang", "sad", "hap")
    clips = [write(folder / f"{i}.wav", recording((kinds[i % 4], 1.2 + 0.11 * i))) for i in range(24)]
    sizes: list[float] = []

    async def work() -> list[Job]:
        running.engine.observe = lambda what, value: sizes.append(value) if what == "batch_windows" else None
        jobs = [running.submit(clip, client=f"client {i % 8}", vad=False) for i, clip in enumerate(clips)]
        assert sorted(job.position for job in jobs if job.position) == list(range(1, len(jobs) - 1))
        await asyncio.gather(*(job.wait() for job in jobs))
        assert sum(sizes) == sum(job.windows or 0 for job in jobs)
        return jobs

    model = affuse.load("starter")
    for job, clip in zip(running.run(work()), clips, strict=True):
        check_equal(job, model.predict(clip, vad=False))


def test_changes_end_with_the_answer(running: RunningEngine, talk: Path) -> None:
    async def work() -> list[tuple[str, int | None, int]]:
        job = running.submit(talk)
        return [(one.state, one.windows, one.windows_done) async for one in job.changes()]

    seen = running.run(work())
    order = ["queued", "reading", "hearing", "predicting", "done"]
    assert [order.index(state) for state, _, _ in seen] == sorted(order.index(state) for state, _, _ in seen)
    assert seen[-1][0] == "done"
    assert seen[-1][1] == seen[-1][2]


def test_bad_clips_are_one_sentence_without_a_path(running: RunningEngine, folder: Path) -> None:
    random = np.random.default_rng(0)
    for name, content in (
        ("empty.wav", b""),
        ("text.mp3", b"not media at all" * 50),
        ("noise.mp4", random.bytes(50_000)),
        ("riff.wav", b"RIFF\xff\xff\xff\xffWAVEfmt " + random.bytes(2000)),
    ):
        (folder / name).write_bytes(content)
        job = running.predict(folder / name)
        assert job.failure is not None, name
        assert job.failure.kind == "clip"
        assert "the clip" in job.failure.sentence.lower()
        assert str(folder) not in job.failure.sentence
        assert name not in job.failure.sentence
    assert running.engine.ready


def test_silence_has_no_segments(running: RunningEngine, folder: Path) -> None:
    clip = write(folder / "silence.wav", np.zeros(3 * RATE, np.float32))
    check_equal(running.predict(clip), affuse.load("starter").predict(clip))


def test_a_film_without_what_a_model_reads(running: RunningEngine, folder: Path) -> None:
    film = write_video(folder / "mute.mp4", [grey(2 * i) for i in range(50)])
    job = running.predict(film)
    assert job.failure is not None
    assert job.failure.sentence.startswith("The clip has pictures only, and this model reads audio (sound)")


def test_why_words_cannot_be_read_is_told_to_no_client() -> None:
    """The reason may name a folder of the server."""
    why = (
        "The words are not used: The model '/srv/private/bert' could not be loaded (config.json is missing)."
    )
    own = PredictionDefaults(recogniser="nobody/hears")
    model = ServedModel(
        "one", Path("one"), "", {"emotion": ["a", "b"]}, {"audio": "audio", "text": "text"}, own, None, why
    )
    with pytest.raises(AffuseError, match="words are not used") as caught:
        model.maker(Settings(words="I see."), ())
    assert "/srv" not in str(caught.value)
    assert "words are not used" in model.warning
    assert "/srv" not in model.warning


def test_a_recogniser_that_does_not_start_any_more_is_waited_for_longer_and_told(
    talk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restarts, "FIRST", 0.05)
    monkeypatch.setattr(restarts, "HOPELESS", 1)  # each start takes seconds
    folder, away = tiny_recogniser(tmp_path / "recogniser"), tmp_path / "away"
    with running_engine({"starter": "starter"}, asr=str(folder)) as running:
        engine = running.engine
        assert engine.failing == []
        folder.rename(away)
        (pid,) = engine.processes["recognisers"]
        os.kill(pid, signal.SIGKILL)

        async def fails() -> Job:
            job = running.submit(talk, asr=str(folder))
            await job.wait()
            return job

        job = running.run(fails(), 300)
        assert job.failure is not None
        assert job.failure.sentence.startswith(
            "What recognises words does not start any more; send the words"
        )
        (told,) = engine.failing
        assert re.match(
            r"A process that recognises words has ended \d+ times? in a row before it was ready; it is", told
        )
        assert engine.ready, "clips without words are answered"
        assert running.predict(talk).state == "done"
        away.rename(folder)

        async def comes_back() -> None:
            while engine.failing:
                await asyncio.sleep(0.05)

        running.run(comes_back(), 300)
        assert running.predict(talk, asr=str(folder)).state == "done"
