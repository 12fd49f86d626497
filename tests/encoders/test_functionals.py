"""Functionals of a voice: by plain loops, the same at every level and in every batch, and finite for odd sounds."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

import affuse
from affuse.corpora.corpus import Utterance
from affuse.encoders.functionals import BANDS, NAMES, FunctionalsEncoder, FunctionalsOptions, functionals
from affuse.errors import AffuseError, ClipError
from affuse.recipe import Recipe
from affuse.sequence import FeatureSequence, pad
from voices import RATE, recording

ENCODER = FunctionalsEncoder(FunctionalsOptions())


def column(found: np.ndarray, name: str) -> float:
    return float(found[NAMES.index(name)])


def told(waveform: np.ndarray) -> np.ndarray:
    return ENCODER(pad([ENCODER.from_samples(waveform)])).values[0, 0].numpy()


def percentile(values: list[float], share: float) -> float:
    """Linear between the sorted values."""
    ordered = sorted(values)
    place = share / 100 * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])


def test_pitch_rhythm_and_loudness_by_plain_loops() -> None:
    frames = ENCODER.from_samples(recording(("ang", 1.5), 0.4, ("sad", 1.0), seed=4)).numpy()
    found = functionals(frames)
    loudness = [20 * math.log10(sum(math.exp(float(x)) for x in row[:BANDS])) for row in frames]
    threshold = percentile([x for x in loudness if x > max(loudness) - 24], 95) - 24
    active = [x > threshold for x in loudness]
    voiced = [a and row[BANDS] > 0 for a, row in zip(active, frames, strict=True)]
    semitones = [12 * math.log2(math.exp(float(row[BANDS]))) for row in frames]
    spoken = [x for x, v in zip(semitones, voiced, strict=True) if v]
    median = percentile(spoken, 50)
    assert column(found, "pitch_median") == pytest.approx(median, abs=1e-4)
    assert column(found, "pitch_p90") == pytest.approx(percentile(spoken, 90) - median, abs=1e-4)
    jumps = [
        abs(semitones[i] - semitones[i - 1]) for i in range(1, len(frames)) if voiced[i] and voiced[i - 1]
    ]
    kept = [x for x in jumps if x < 3]
    assert column(found, "pitch_change_mean") == pytest.approx(sum(kept) / len(kept), abs=1e-4)
    stretches, length = [], 0
    for v in [*voiced, False]:
        if v:
            length += 1
        elif length:
            stretches.append(length)
            length = 0
    stretches = [n for n in stretches if n >= 3]
    assert column(found, "voiced_share") == pytest.approx(sum(voiced) / sum(active), abs=1e-5)
    assert column(found, "voiced_stretches_per_second") == pytest.approx(
        len(stretches) / (sum(active) / 100), abs=1e-4
    )
    assert column(found, "voiced_log_length_mean") == pytest.approx(
        math.log(sum(stretches) / len(stretches)), abs=1e-5
    )
    loud = [x for x, v in zip(loudness, voiced, strict=True) if v]
    middle = percentile(loud, 50)
    assert column(found, "loudness_p95") == pytest.approx(percentile(loud, 95) - middle, abs=1e-3)
    mean = sum(loud) / len(loud)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in loud) / len(loud))
    assert column(found, "loudness_deviation") == pytest.approx(deviation, abs=1e-3)


def test_spectra_by_plain_loops() -> None:
    frames = ENCODER.from_samples(recording(("ang", 1.2), seed=2)).numpy()
    found = functionals(frames)
    loudness = [20 * math.log10(sum(math.exp(float(x)) for x in row[:BANDS])) for row in frames]
    threshold = percentile([x for x in loudness if x > max(loudness) - 24], 95) - 24
    rows = [i for i, row in enumerate(frames) if loudness[i] > threshold and row[BANDS] > 0]
    pairs = [[(float(frames[i][2 * k]) + float(frames[i][2 * k + 1])) / 2 for k in range(20)] for i in rows]
    third = [
        sum(math.sqrt(2 / 20) * math.cos(math.pi * 3 * (k + 0.5) / 20) * x for k, x in enumerate(row))
        for row in pairs
    ]
    mean = sum(third) / len(third)
    deviation = math.sqrt(sum((x - mean) ** 2 for x in third) / len(third))
    assert column(found, "cepstrum_3_deviation") == pytest.approx(deviation, abs=1e-4)
    own = [loudness[i] for i in rows]
    loud = [x for x, e in zip(third, own, strict=True) if e >= percentile(own, 60)]
    soft = [x for x, e in zip(third, own, strict=True) if e <= percentile(own, 40)]
    difference = sum(loud) / len(loud) - sum(soft) / len(soft)
    assert column(found, "cepstrum_3_loud_minus_soft") == pytest.approx(difference, abs=1e-4)
    region = [sum(row[4:8]) / 4 for row in pairs]
    middle, center = sum(own) / len(own), sum(region) / len(region)
    slope = sum((e - middle) * (x - center) for e, x in zip(own, region, strict=True))
    slope /= sum((e - middle) ** 2 for e in own)
    assert column(found, "region_1_per_loudness") == pytest.approx(slope, abs=1e-5)


def test_level_changes_nothing() -> None:
    sound = recording(("ang", 1.5), 0.3, ("neu", 1.0), seed=1)
    expected = told(sound)
    for gain in (0.003, 0.1, 1.9):
        np.testing.assert_allclose(told((gain * sound).astype(np.float32)), expected, atol=2e-3)


def test_silence_around_the_speech_changes_nothing() -> None:
    """But for the frames at its edges, which hold half of it."""
    sound = recording(("ang", 1.5), 0.3, ("neu", 1.0), seed=1)
    around = np.concatenate([np.zeros(8000, np.float32), sound, np.zeros(16_000, np.float32)])
    frames, longer = ENCODER.from_samples(sound).numpy(), ENCODER.from_samples(around).numpy()
    np.testing.assert_array_equal(longer[50 : 50 + len(frames), :BANDS], frames[:, :BANDS])
    difference = np.abs(told(around) - told(sound))
    assert difference.max() < 0.2
    assert column(told(around), "active_share") == pytest.approx(
        column(told(sound), "active_share"), abs=0.02
    )


def test_only_the_median_pitch_tells_who_speaks() -> None:
    """The same frames, every pitch an octave higher: one column moves, by 12 semitones."""
    frames = ENCODER.from_samples(recording(("ang", 1.5), seed=1)).numpy()
    higher = frames.copy()
    higher[:, BANDS] = np.where(frames[:, BANDS] > 0, frames[:, BANDS] + np.log(2), 0)
    difference = functionals(higher) - functionals(frames)
    assert difference[NAMES.index("pitch_median")] == pytest.approx(12, abs=1e-3)
    assert np.abs(np.delete(difference, NAMES.index("pitch_median"))).max() < 1e-3


def test_a_microphone_that_colours_all_alike_changes_no_cepstrum() -> None:
    """Log-mels plus a constant per band: what is relative to the clip's own spectrum stays."""
    frames = ENCODER.from_samples(recording(("ang", 1.5), seed=1)).numpy()
    coloured = frames.copy()
    coloured[:, :BANDS] += np.linspace(0.02, -0.02, BANDS)  # so little that the same frames are loud
    names = [name for name in NAMES if name.startswith("cepstrum") and not name.endswith("soft")]
    places = [NAMES.index(name) for name in names]
    np.testing.assert_allclose(functionals(coloured)[places], functionals(frames)[places], atol=1e-4)


def test_a_batch_is_its_clips_one_by_one_in_any_order() -> None:
    clips = [ENCODER.from_samples(recording((mood, s), seed=i)) for i, (mood, s) in
             enumerate([("ang", 1.0), ("sad", 2.3), ("neu", 0.4)])]  # fmt: skip
    batch = ENCODER(pad([clips[0], None, clips[1], clips[2]]))
    assert batch.mask.tolist() == [[True], [False], [True], [True]]
    for row, clip in zip((0, 2, 3), clips, strict=True):
        assert torch.equal(batch.values[row], ENCODER(pad([clip])).values[0])
    dirty = pad([clips[0], clips[1]])
    dirty = FeatureSequence(dirty.values.masked_fill(~dirty.mask[..., None], 1e3), dirty.mask)
    assert torch.equal(ENCODER(dirty).values[1], batch.values[2])
    nothing = ENCODER(FeatureSequence(torch.zeros(2, 3, BANDS + 2), torch.zeros(2, 3, dtype=torch.bool)))
    assert nothing.values.shape == (2, 1, len(NAMES))
    assert not nothing.mask.any()


@pytest.mark.parametrize(
    "sound",
    [
        np.zeros(RATE, np.float32),
        np.full(RATE, 0.3, np.float32),
        np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32),
        np.array([0.5], np.float32),
        np.zeros(0, np.float32),
        np.sign(np.sin(np.arange(900) / 9)).astype(np.float32),
    ],
    ids=["silence", "constant", "noise", "one sample", "no sample", "56 ms"],
)
def test_odd_sounds_give_finite_numbers(sound: np.ndarray) -> None:
    assert np.isfinite(told(sound)).all()
    assert len(told(sound)) == len(NAMES) == 74


def test_it_reads_files_and_says_what_it_cannot_do(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", recording(("ang", 1.0)), RATE)
    clip = ENCODER.read(Utterance("a", audio=tmp_path / "a.wav"))
    assert clip is not None
    assert clip.shape == (98, BANDS + 2)
    assert ENCODER.read(Utterance("b", text="words")) is None
    with pytest.raises(ClipError):
        ENCODER.read(Utterance("c", audio=tmp_path / "c.wav"))
    recipe = Recipe.load(
        "voice-offline", ["modalities.audio.encoder=functionals", "modalities.audio.options={}"]
    )
    assert recipe.modalities["audio"].standardise
    with pytest.raises(AffuseError, match="ONNX has no form"):
        affuse.export(affuse.build(recipe), tmp_path / "m.onnx", inputs="raw")
    with pytest.raises(AffuseError, match="has nothing to train"):
        affuse.build(recipe.changed({"modalities.audio.frozen": False}))
