"""Speech encoders in an exported network against the same clips one by one in PyTorch."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soundfile
import torch

from affuse.corpora.corpus import Utterance
from affuse.encoders.speech import LEAST, SpeechEncoder, SpeechOptions
from affuse.encoders.whisper_mel import WhisperMel
from affuse.errors import AffuseError
from affuse.media.audio import read_waveform
from affuse.onnx import onnx_file as export
from affuse.onnx.onnx_file import export_onnx
from affuse.sequence import FeatureSequence, pad
from exported import assert_same, batch, build, feed, frozen_encoders
from tiny_models import tiny_wav2vec2, tiny_whisper

SHARED = Path(__file__).parents[2] / ".." / "shared"
EMODB = SHARED / "data" / "emodb"
WHISPER = SHARED / "weights" / "whisper-tiny.en"
EXAMPLE = Path(__file__).parents[2] / "examples" / "run_onnx.py"

REAL_FRAMES: dict[str, Any] = {  # the convolutions of every released wav2vec 2.0: 25 ms, each 20 ms
    "conv_dim": (4,) * 7, "conv_kernel": (10, 3, 3, 3, 3, 2, 2), "conv_stride": (5, 2, 2, 2, 2, 2, 2),
    "num_feat_extract_layers": 7,
}  # fmt: skip
LAYER_NORM: dict[str, Any] = {"feat_extract_norm": "layer", "do_stable_layer_norm": True, "conv_bias": True}
# name -> what makes the network, options of the encoder
NETWORKS = {
    "wav2vec2, group norm": (lambda f: tiny_wav2vec2(f), {}),
    "wav2vec2, real frames": (lambda f: tiny_wav2vec2(f, **REAL_FRAMES), {"average": 4}),
    "wav2vec2, layer norm": (lambda f: tiny_wav2vec2(f, **LAYER_NORM), {"layer": "mix", "average": 3}),
    "wav2vec2, sound as it is": (lambda f: tiny_wav2vec2(f, do_normalize=False), {"layer": 1}),
    "hubert": (lambda f: tiny_wav2vec2(f, "hubert"), {}),
    "hubert, batch norm": (lambda f: tiny_wav2vec2(f, "hubert", conv_pos_batch_norm=True), {"average": 5}),
    "wavlm": (lambda f: tiny_wav2vec2(f, "wavlm", num_buckets=16, max_bucket_distance=20), {}),
    "wavlm, layer norm": (lambda f: tiny_wav2vec2(f, "wavlm", **LAYER_NORM), {"layer": "mix"}),
    "data2vec": (
        lambda f: tiny_wav2vec2(f, "data2vec-audio", conv_pos_kernel_size=7, num_conv_pos_embeddings=2),
        {},
    ),
    "unispeech": (lambda f: tiny_wav2vec2(f, "unispeech"), {}),
    "unispeech-sat": (lambda f: tiny_wav2vec2(f, "unispeech-sat"), {}),
    "whisper": (tiny_whisper, {"context": 1.0}),
    "whisper, mix": (tiny_whisper, {"context": 1.0, "layer": "mix", "average": 7}),
}
# padded, one missing, one of 50 ms, one longer than Whisper's context and one as long; one alone; the shortest alone
BATCHES = ([9_999, LEAST, 0, 36_001, 16_000], [4_321], [LEAST])


def sound(lengths: list[int]) -> FeatureSequence:
    """Noise that grows louder, with an offset: what is added to or left out of a clip changes its statistics."""
    torch.manual_seed(3)
    values, mask = batch(lengths, scale=0.1)
    return FeatureSequence((values * torch.linspace(0.1, 1, values.shape[1]) + 0.05) * mask, mask)


@pytest.fixture(scope="module")
def make(tmp_path_factory: pytest.TempPathFactory):
    """Name -> options of the encoder ``speech`` for that network, written when first asked for."""
    made = {}

    def options(name: str) -> dict:
        if name not in made:
            write, others = NETWORKS[name]
            made[name] = {"model": str(write(tmp_path_factory.mktemp("network"))), **others}
        return made[name]

    return options


@pytest.mark.parametrize("name", NETWORKS)
def test_a_padded_batch_at_once_gives_what_its_clips_give_one_by_one(
    make: Callable[..., Any], name: str
) -> None:
    encoder = SpeechEncoder(SpeechOptions(**make(name))).eval()
    at_once = encoder.exportable().eval()
    for lengths in BATCHES:
        with torch.no_grad():
            wanted, found = encoder(sound(lengths)), at_once(sound(lengths))
        longest = wanted.mask.shape[1]
        assert torch.equal(found.mask[:, :longest], wanted.mask)
        assert not found.mask[:, longest:].any()
        assert not found.values[~found.mask].any()
        torch.testing.assert_close(found.values[:, :longest], wanted.values, rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        nothing = at_once(FeatureSequence(torch.zeros(2, LEAST), torch.zeros(2, LEAST, dtype=torch.bool)))
    assert not nothing.mask.any()
    assert not nothing.values.any()


@pytest.mark.parametrize(
    ("name", "frozen"),
    [
        ("wav2vec2, group norm", False),
        ("wav2vec2, layer norm", True),
        ("hubert", True),
        ("wavlm", True),
        ("data2vec", True),
        ("whisper", True),
        ("whisper, mix", False),
    ],
)
def test_the_file_gives_pytorchs_numbers(
    make: Callable[..., Any], name: str, frozen: bool, tmp_path: Path
) -> None:
    """The other networks of the list have the same operators."""
    model = build({"audio": {"encoder": "speech", "frozen": frozen, "options": make(name)}})
    if not frozen:
        with torch.no_grad():  # weights of its own: those of the folder would be noticed
            for parameter in model.encoders["audio"].parameters():
                parameter *= 1.1
    path = export_onnx(model, tmp_path / "model.onnx", inputs="raw" if frozen else "features")
    encoders = frozen_encoders(model) if frozen else None
    for lengths in BATCHES:
        assert_same(model, path, {"audio": sound(lengths)}, encoders, atol=2e-5)

    session = onnxruntime.InferenceSession(path)
    assert [(i.name, i.type, i.shape) for i in session.get_inputs()] == [
        ("audio", "tensor(float)", ["batch", "audio_steps"]),
        ("audio_mask", "tensor(bool)", ["batch", "audio_steps"]),
    ]
    clean = feed({"audio": sound([9_999, LEAST, 0])})
    dirty = {**clean, "audio": np.where(clean["audio_mask"], clean["audio"], np.nan)}
    for a, b in zip(session.run(None, clean), session.run(None, dirty), strict=True):
        np.testing.assert_array_equal(a, b)
    nothing = {"audio": clean["audio"][:2, :LEAST], "audio_mask": np.zeros((2, LEAST), bool)}
    assert all(np.isfinite(value).all() for value in session.run(None, nothing))


def test_the_log_mel_is_as_near_to_the_formula_as_the_extractors() -> None:
    """Tones in noise fill the range that is kept, where float32 shows most; a quiet chunk; silence."""
    from transformers import WhisperFeatureExtractor

    torch.manual_seed(0)
    extractor = WhisperFeatureExtractor()
    time = torch.arange(16_000) / 16_000
    tones = sum(torch.sin(2 * torch.pi * hertz * time) / 4 for hertz in (110, 440, 3000))
    chunks = torch.stack([tones + 1e-3 * torch.randn(16_000), 1e-3 * tones, torch.zeros(16_000)])
    theirs = extractor(
        list(chunks.numpy()),
        sampling_rate=16_000,
        padding="max_length",
        max_length=16_000,
        return_tensors="pt",
    )["input_features"]
    window = torch.hann_window(400, dtype=torch.float64)
    spectrum = torch.stft(chunks.double(), 400, 160, window=window, return_complex=True)[..., :-1]
    power = torch.from_numpy(extractor.mel_filters).T @ spectrum.abs().square()
    exact = power.clamp(min=1e-10).log10()
    exact = (torch.maximum(exact, exact.amax(dim=(1, 2), keepdim=True) - 8) + 4) / 4
    assert exact[0].max() - exact[0].min() == 2

    ours, theirs = ((found - exact).abs() for found in (WhisperMel(extractor)(chunks), theirs))
    assert ours.mean() < 2 * theirs.mean() < 5e-6
    assert ours.max() < 4 * theirs.max() < 1e-3


needs_whisper = pytest.mark.skipif(
    not (EMODB.is_dir() and WHISPER.is_dir()),
    reason="../shared/data/emodb or ../shared/weights/whisper-tiny.en is not there",
)


@needs_whisper
def test_whisper_on_real_clips_and_the_example_without_torch(tmp_path: Path) -> None:
    """Six EmoDB clips, the longest of them over the context; then one of them as a file, at another rate."""
    options = {"model": str(WHISPER), "context": 3.0, "average": 5}
    model = build({"audio": {"encoder": "speech", "options": options}})
    encoders = frozen_encoders(model)
    path = export_onnx(model, tmp_path / "model.onnx", inputs="raw")
    files = sorted((EMODB / "audio").glob("*.flac"))[::60]
    clips = [encoders["audio"].read(Utterance(file.stem, audio=file)) for file in files]
    assert max(map(len, clips)) > 48_000
    clips[2] = None
    assert_same(model, path, {"audio": pad(clips)}, encoders)

    wave, rate = read_waveform(files[0], 44_100), 44_100
    soundfile.write(tmp_path / "clip.wav", wave, rate)
    without = (
        "import sys, runpy\n"
        "sys.modules.update(dict.fromkeys(['torch', 'affuse', 'transformers'], None))\n"  # importing them fails
        "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"
    )
    command = [sys.executable, "-c", without, str(EXAMPLE), str(path), f"audio={tmp_path / 'clip.wav'}"]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    clip = encoders["audio"].read(Utterance("clip", audio=tmp_path / "clip.wav"))
    with torch.no_grad():
        logits = model({"audio": encoders["audio"](pad([clip]))}).logits
    for line, (task, values) in zip(told, logits.items(), strict=True):
        shares = [float(part.split()[1]) for part in line.removeprefix(task).split(",")]
        assert shares == pytest.approx(values[0].softmax(dim=0).tolist(), abs=1e-3)


def test_what_cannot_be_exact_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(options: dict, sentence: str) -> None:
        model = build({"audio": {"encoder": "speech", "options": options}})
        with pytest.raises(AffuseError, match=sentence + ".*inputs='features'"):
            export_onnx(model, tmp_path / "model.onnx", inputs="raw")
        assert not (tmp_path / "model.onnx").exists()

    refused({"model": str(tiny_wav2vec2(tmp_path / "sew", "sew"))}, "is of the type sew, not one of whisper")
    refused({"model": str(tiny_wav2vec2(tmp_path / "long", add_adapter=True))}, "after its last layer")
    whisper = tiny_whisper(tmp_path / "whisper")
    monkeypatch.setattr(export, "LIMIT", 1000)
    refused({"model": str(whisper)}, "one ONNX file holds")
    config = (whisper / "preprocessor_config.json").read_text()
    (whisper / "preprocessor_config.json").write_text(config.replace('"dither": 0.0', '"dither": 0.1'))
    refused({"model": str(whisper)}, "adds noise")
