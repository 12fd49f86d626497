"""Words by a real recogniser, with their times."""

import socket
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from huggingface_hub import constants

import affuse
from affuse.errors import AffuseError
from affuse.inference.predict import Predictor
from affuse.inference.recogniser import Recogniser, _pieces
from affuse.inference.settings import Settings
from affuse.media.audio import read_waveform
from affuse.media.speech import RATE, Span, find_speech
from affuse.models.defaults import PredictionDefaults
from affuse.recipe import Recipe
from tiny_models import tiny_bert

SHARED = Path(__file__).parents[3] / "shared"
WHISPER = SHARED / "weights" / "whisper-tiny.en"
SPEECH = SHARED / "data" / "ravdess" / "audio"


def test_long_spans_are_heard_in_equal_parts() -> None:
    pieces = list(_pieces([Span(0, 10), Span(20, 80)]))
    assert pieces == [Span(0, 10), Span(20, 40), Span(40, 60), Span(60, 80)]


def test_what_is_no_recogniser_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(AffuseError, match="could not be loaded"):
        Recogniser(str(tmp_path))


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The library itself asks for half a minute; a server that ends every connection counts."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{server.getsockname()[1]}")
        url = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", constants.ENDPOINT)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", url)

        def refuse() -> None:
            with suppress(OSError):  # the server was closed
                while True:
                    opened, address = server.accept()
                    asked.append(address)
                    opened.close()

        thread = threading.Thread(target=refuse, daemon=True)
        thread.start()
        with pytest.raises(
            AffuseError, match=r"'nowhere/asr' is not on this machine, and the Hub cannot"
        ) as told:
            Recogniser("nowhere/asr")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    assert len(asked) == 1
    assert "or none." in str(told.value)


@pytest.mark.skipif(
    not (WHISPER.is_dir() and SPEECH.is_dir()),
    reason="no Whisper or RAVDESS at ../shared/weights and ../shared/data",
)
def test_words_are_found_where_they_are_said(tmp_path: Path) -> None:
    first, second = (
        read_waveform(SPEECH / name, RATE)
        for name in ("03-01-01-01-01-01-01.flac", "03-01-01-01-02-01-01.flac")
    )
    gap = np.zeros(2 * RATE, np.float32)
    soundfile.write(tmp_path / "two.wav", np.concatenate([first, gap, second]), RATE)
    speech = find_speech([np.concatenate([first, gap, second])], RATE)
    words = Recogniser(str(WHISPER)).hear(tmp_path / "two.wav", None, speech)
    turn = (len(first) + RATE) / RATE
    said = [" ".join(w.text for w in words if (w.start < turn) == early).lower() for early in (True, False)]
    assert "kids are talking by the door" in said[0]
    assert "dogs are sitting by the door" in said[1]
    assert all(any(a - 1e-6 <= w.start <= w.end <= b + 1e-6 for a, b in speech) for w in words)


def reader_of_words(folder: Path) -> affuse.Model:
    """Untrained; reads sound and words."""
    recipe = Recipe.parse({
        "name": "both",
        "modalities": {
            "audio": {"encoder": "logmel"},
            "text": {"encoder": "bert", "options": {"model": str(tiny_bert(folder / "bert"))}},
        },
    })  # fmt: skip
    return affuse.build(recipe)


def test_a_models_own_recogniser_gives_way_to_words_that_are_given(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    model = reader_of_words(tmp_path)
    model.defaults = PredictionDefaults(recogniser=str(tmp_path))
    with pytest.raises(AffuseError, match=r"The recogniser .* could not be loaded"):
        Predictor(model)
    assert "text" in Predictor(model, Settings(words="a calm day")).encoders
    silent = Predictor(model, Settings(asr="none"))
    assert silent.settings.asr is None
    assert "text" not in silent.encoders


def test_a_text_encoder_that_is_not_here_is_said_and_the_voice_answers(tmp_path: Path) -> None:
    model = reader_of_words(tmp_path)
    model.defaults = PredictionDefaults(recogniser="nobody/hears")
    (tmp_path / "bert" / "model.safetensors").unlink()
    predictor = Predictor(model)
    assert "text" not in predictor.encoders
    assert predictor.warning.startswith("The words are not recognised: The model ")


@pytest.mark.skipif(
    not (WHISPER.is_dir() and SPEECH.is_dir()),
    reason="no Whisper or RAVDESS at ../shared/weights and ../shared/data",
)
def test_a_models_own_recogniser_hears_as_one_that_is_asked_for(tmp_path: Path) -> None:
    model = reader_of_words(tmp_path)
    clip = SPEECH / "03-01-01-01-01-01-01.flac"
    asked = model.predict(clip, asr=str(WHISPER))
    model.defaults = PredictionDefaults(recogniser=str(WHISPER))
    found = model.predict(clip)
    assert [word.text for word in found.words] == [word.text for word in asked.words]
    assert found.segments == asked.segments
    assert "kids are talking" in " ".join(word.text for word in found.words).lower()
    assert model.predict(clip, asr="none").words == []
