"""The feature cache: what is a hit, what is a miss, and what happens to damaged files and full disks."""

import resource
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from affuse.corpora.corpus import Utterance
from affuse.encoders.hog import HogEncoder, HogOptions
from affuse.encoders.logmel import LogMelEncoder, LogMelOptions
from affuse.encoders.precomputed import PrecomputedEncoder, PrecomputedOptions
from affuse.encoders.speech import SpeechEncoder, SpeechOptions
from affuse.encoders.text import TextEncoder, TextOptions
from affuse.errors import AffuseError
from affuse.training.cache import ContentKeys, FeatureCache
from affuse.training.experiment import skipped_table
from affuse.training.features import CachedSource, LiveSource, Skipped, check_live, extract
from offset_films import Kind, write_film
from tiny_models import tiny_bert, tiny_wav2vec2
from video_files import grey, write_video


@pytest.fixture
def cache(tmp_path: Path):
    return FeatureCache(tmp_path / "cache")


@pytest.fixture(scope="module")
def wav2vec2(tmp_path_factory: pytest.TempPathFactory):
    return str(tiny_wav2vec2(tmp_path_factory.mktemp("wav2vec2")))


def write_voice(path: Path, seed: int = 0, seconds: float = 0.5) -> Utterance:
    samples = np.random.default_rng(seed).standard_normal(int(16_000 * seconds)) * 0.1
    soundfile.write(path, samples.astype(np.float32), 16_000, subtype="FLOAT")
    return Utterance(path.stem, audio=path)


def test_what_is_put_is_got_bit_for_bit(cache: FeatureCache) -> None:
    for tensor in (torch.randn(3, 5), torch.arange(7), torch.zeros(0, 4), torch.randn(2, 3).half()):
        cache.put("ab" * 16, tensor)
        found = cache.get("ab" * 16)
        assert found.dtype == tensor.dtype
        assert torch.equal(found, tensor)
    assert cache.get("cd" * 16) is None


@pytest.mark.parametrize("damage", ["flip", "cut", "empty"])
def test_a_damaged_file_is_a_miss_and_is_removed(cache: FeatureCache, damage: str) -> None:
    key = "ab" * 16
    cache.put(key, torch.randn(30, 5))
    (path,) = cache.folder.rglob("*.safetensors")
    data = bytearray(path.read_bytes())
    if damage == "flip":
        data[-3] ^= 0x10
    path.write_bytes(
        bytes(data) if damage == "flip" else bytes(data[: len(data) // 2]) if damage == "cut" else b""
    )
    assert cache.get(key) is None
    assert key not in cache


def test_one_changed_byte_option_or_weight_is_another_key(tmp_path: Path, wav2vec2: str) -> None:
    voice = write_voice(tmp_path / "a.wav")
    keys = [
        ContentKeys().key(e, e.features_key, voice) for e in [SpeechEncoder(SpeechOptions(model=wav2vec2))]
    ]
    other = SpeechEncoder(SpeechOptions(model=wav2vec2, layer=1))
    keys.append(ContentKeys().key(other, other.features_key, voice))
    changed = SpeechEncoder(SpeechOptions(model=wav2vec2))
    with torch.no_grad():
        changed.network.encoder.layers[0].feed_forward.output_dense.bias[0] += 1e-6
    keys.append(ContentKeys().key(changed, changed.features_key, voice))
    same = SpeechEncoder(SpeechOptions(model=wav2vec2))
    part = Utterance("a", audio=voice.audio, start=0.1)
    keys.append(ContentKeys().key(same, same.features_key, part))
    data = bytearray(voice.audio.read_bytes())
    data[-1] ^= 1
    voice.audio.write_bytes(bytes(data))
    keys.append(ContentKeys().key(same, same.features_key, voice))
    assert len(set(keys)) == 5
    copy = tmp_path / "elsewhere.wav"  # content decides, not the name or the date
    copy.write_bytes(bytes(data))
    assert ContentKeys().key(same, same.features_key, Utterance("b", audio=copy)) == keys[-1]


def test_extraction_computes_once_and_equals_live(tmp_path: Path, cache: FeatureCache, wav2vec2: str) -> None:
    voices = [write_voice(tmp_path / f"{i}.wav", i, 0.3 + 0.2 * i) for i in range(4)]
    encoder = SpeechEncoder(SpeechOptions(model=wav2vec2))
    first = extract("audio", encoder, True, voices, cache)
    again = extract("audio", SpeechEncoder(SpeechOptions(model=wav2vec2)), True, voices, cache)
    assert (first.computed, again.computed) == (4, 0)
    assert first.audio_seconds == pytest.approx(0.3 + 0.5 + 0.7 + 0.9)
    assert "hours of audio per minute" in first.speed
    cached = CachedSource(again.keys, cache)
    live = LiveSource(encoder, True, {v.id: v for v in voices})
    for voice in voices:
        assert torch.equal(cached.load(voice.id), live.load(voice.id))


def test_inputs_of_a_trained_encoder_are_cached_too(tmp_path: Path, cache: FeatureCache) -> None:
    bert = str(tiny_bert(tmp_path / "bert"))
    texts = [Utterance("a", text="happy day"), Utterance("b", text=None), Utterance("c", text="sad")]
    done = extract("text", TextEncoder(TextOptions(model=bert)), False, texts, cache)
    source = CachedSource(done.keys, cache)
    assert source.load("a").tolist()[0] == 2
    assert source.load("b") is None
    assert done.keys["b"] is None


def test_bad_clips_are_skipped_with_their_cause(tmp_path: Path, cache: FeatureCache, wav2vec2: str) -> None:
    good = write_voice(tmp_path / "good.wav")
    soundfile.write(tmp_path / "silent.wav", np.zeros(8000), 16_000)
    (tmp_path / "empty.wav").write_bytes(b"")
    soundfile.write(tmp_path / "nan.wav", np.full(8000, np.nan, np.float32), 16_000, subtype="FLOAT")
    bad = [Utterance(n, audio=tmp_path / f"{n}.wav") for n in ("silent", "empty", "nan", "gone")]
    done = extract("audio", SpeechEncoder(SpeechOptions(model=wav2vec2)), True, [*bad, good], cache)
    assert [skip.id for skip in done.skipped] == ["silent", "empty", "nan", "gone"]
    for skip in done.skipped:
        assert f"{skip.id}.wav" in skip.cause
    assert list(done.keys) == ["good"]


def test_a_clip_used_in_part_says_so_from_the_cache_too(tmp_path: Path, cache: FeatureCache) -> None:
    short = write_video(tmp_path / "short.avi", [grey(60)] * 10)
    whole = write_video(tmp_path / "whole.avi", [grey(60)] * 30)
    rows = [
        Utterance("cut", video=short, start=0.0, end=1.0),
        Utterance("fine", video=whole, start=0.0, end=1.0),
    ]
    encoder = HogEncoder(HogOptions(crop="window"))
    for computed in (2, 0):
        found = extract("face", encoder, True, rows, cache)
        assert found.computed == computed
        assert [clip[:2] for clip in found.partial] == [("cut", "face")]
        assert "the frames before it are used" in found.partial[0].cause
        assert not found.skipped
        assert None not in found.keys.values()
    live = LiveSource(encoder, True, {row.id: row for row in rows})
    assert check_live("face", live, ["cut", "fine"]).partial == found.partial
    table = skipped_table([Skipped("x", "face", "gone")], found.partial)
    assert list(table["used"]) == ["no", "in part"]


def test_features_of_films_by_another_clock_are_not_served(
    cache: FeatureCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sound alone keeps the key it had before films got a clock."""
    film = write_film(tmp_path / "a.mov", Kind("mov", "pcm_s16le", 16_000, 0.0), 0.7)
    voice = write_voice(tmp_path / "b.wav").audio
    encoders = [LogMelEncoder(LogMelOptions()), HogEncoder(HogOptions())]
    rows = [Utterance("film", audio=film, video=film), Utterance("voice", audio=voice)]

    def keys():
        return [ContentKeys().key(one, "x", row) for row in rows for one in encoders]

    now = keys()
    monkeypatch.setattr("affuse.media.clock._RULE", "two clocks")
    then = keys()
    assert [a == b for a, b in zip(now, then, strict=True)] == [False, False, True, True]
    assert encoders[0].media(rows[1]) == [voice, None, None, None, None]
    assert extract("audio", encoders[0], True, rows, cache).computed == 2
    monkeypatch.undo()
    assert extract("audio", encoders[0], True, rows, cache).computed == 1


def test_damage_while_in_use_says_so(cache: FeatureCache) -> None:
    cache.put("ab" * 16, torch.randn(3, 2))
    source = CachedSource({"u": "ab" * 16}, cache, budget=0)
    (path,) = cache.folder.rglob("*.safetensors")
    path.write_bytes(b"x")
    with pytest.raises(AffuseError, match="run the command again"):
        source.load("u")


def test_memory_is_bounded_by_the_budget(cache: FeatureCache) -> None:
    for i in range(4):
        cache.put(f"{i:032x}", torch.zeros(250))  # 1000 bytes each
    source = CachedSource({str(i): f"{i:032x}" for i in range(4)}, cache, budget=2500)
    for i in range(4):
        source.load(str(i))
    assert len(source._kept) == 2


FILL = """
import resource, signal, sys
sys.dont_write_bytecode = True  # Python would keep the first 20 kB of a module that it compiles, and never run it again
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
import torch
from affuse.errors import AffuseError
from affuse.training.cache import FeatureCache
cache = FeatureCache(sys.argv[1])
cache.put("aa" * 16, torch.zeros(100))
try:
    cache.put("bb" * 16, torch.zeros(100_000))
except AffuseError as error:
    print(error)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGXFSZ"), reason="no file size limits on this system")
def test_a_full_disk_is_one_sentence_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    assert resource is not None
    found = subprocess.run(
        [sys.executable, "-c", FILL, str(tmp_path / "cache")], capture_output=True, text=True, check=True
    )
    assert "is full; free some space or choose another folder for cache" in found.stdout
    files = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert files == ["aa" * 16 + ".safetensors"]


def test_precomputed_arrays(tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", np.arange(12, dtype=np.float64).reshape(4, 3))
    np.savez(tmp_path / "many.npz", a=np.ones((5, 3)), b=np.full((2, 3), np.nan), c=np.zeros((2, 2, 2, 2)))
    encoder = PrecomputedEncoder(PrecomputedOptions(name="x", width=3))

    def read(reference: Any):
        return encoder.read(Utterance("u", features={"x": str(tmp_path / reference)}))

    assert read("rows.npy#2").tolist() == [[6, 7, 8]]
    assert read("rows.npy").shape == (4, 3)
    assert read("many.npz#a").shape == (5, 3)
    assert read("many.npz#a#1").shape == (1, 3)
    assert encoder.read(Utterance("u")) is None
    for reference, problem in [
        ("gone.npy", "missing"), ("rows.npy#9", "cannot be read"), ("many.npz#z", "cannot be read"),
        ("many.npz#b", "NaN"), ("many.npz#c", "shape"),
    ]:  # fmt: skip
        with pytest.raises(AffuseError, match=problem):
            read(reference)
    with pytest.raises(AffuseError, match="3 values wide where features_x should be 5"):
        PrecomputedEncoder(PrecomputedOptions(name="x", width=5)).read(
            Utterance("u", features={"x": str(tmp_path / "rows.npy")})
        )
    with pytest.raises(AffuseError, match="nothing to train"):
        encoder.check_trainable()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a zip", "text"])
def test_broken_arrays_are_one_sentence(tmp_path: Path, content: bytes | str) -> None:
    for suffix in ("npy", "npz"):
        path = tmp_path / f"broken.{suffix}"
        if content == "text":
            np.save(path, np.array(["a", "b"])) if suffix == "npy" else np.savez(path, a=np.array(["a"]))
        else:
            path.write_bytes(content)
        reference = str(path) if suffix == "npy" else f"{path}#a"
        encoder = PrecomputedEncoder(PrecomputedOptions(name="x"))
        with pytest.raises(AffuseError, match="cannot be read"):
            encoder.read(Utterance("u", features={"x": reference}))
    with pytest.raises(AffuseError, match="name one"):
        encoder.read(Utterance("u", features={"x": str(tmp_path / "broken.npz")}))


def test_what_is_particular_about_sound_is_listed_and_kept(tmp_path: Path, cache: FeatureCache) -> None:
    """Remarks go around the encoder: it gives a tensor, whoever wrote it."""
    wave = np.random.default_rng(0).standard_normal(16_000).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "a.wav", np.stack([wave, -0.9 * wave], axis=1), 16_000)
    soundfile.write(tmp_path / "b.wav", wave, 16_000)
    utterances = [Utterance("a", audio=tmp_path / "a.wav"), Utterance("b", audio=tmp_path / "b.wav"),
                  Utterance("c", audio=tmp_path / "a.wav", channel=1)]  # fmt: skip
    encoder = LogMelEncoder(LogMelOptions())
    first = extract("audio", encoder, True, utterances, cache)
    again = extract("audio", encoder, True, utterances, cache)
    (partial,) = first.partial
    assert partial.id == "a"
    assert "cancel each other in their mix" in partial.cause
    assert (again.partial, again.computed) == (first.partial, 0)
    assert (
        check_live("audio", LiveSource(encoder, True, {"a": utterances[0]}), ["a"]).partial == first.partial
    )


def test_features_of_sound_by_another_rule_are_not_served(
    tmp_path: Path, cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    wave = np.random.default_rng(0).standard_normal((16_000, 6)).astype(np.float32) * 0.1
    soundfile.write(tmp_path / "six.wav", wave, 16_000)
    soundfile.write(tmp_path / "two.wav", wave[:, :2], 16_000)
    utterances = [Utterance(name, audio=tmp_path / f"{name}.wav") for name in ("six", "two")]
    encoder = LogMelEncoder(LogMelOptions())
    with monkeypatch.context() as before:
        before.setattr("affuse.encoders.base.sound_rule", lambda path: [])  # as keys were made once
        assert extract("audio", encoder, True, utterances, cache).computed == 2
    assert extract("audio", encoder, True, utterances, cache).computed == 1  # the stereo file is what it was
    other = Utterance("two", audio=tmp_path / "two.wav", track=0)
    assert ContentKeys().key(encoder, "", other) != ContentKeys().key(encoder, "", utterances[1])
