"""Functionals of a voice: by plain loops, the same at every level and in every batch, and finite for odd sounds."""

from __future__ import annotations

import itertools
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


class Loops:
    """What the functionals start from, by plain loops: one clip from its first active frame to its last."""

    def __init__(self, *recorded: object, seed: int) -> None:
        self.frames = ENCODER.from_samples(recording(*recorded, seed=seed)).numpy()
        self.found = functionals(self.frames)
        rows = [[float(x) for x in row] for row in self.frames]
        loudness = [20 * math.log10(sum(math.exp(x) for x in row[:BANDS])) for row in rows]
        self.quiet = percentile([x for x in loudness if x > max(loudness) - 24], 95) - 24
        loud = [i for i, x in enumerate(loudness) if x > self.quiet]
        part = range(loud[0], loud[-1] + 1)
        self.rows = [rows[i] for i in part]
        self.active = [loudness[i] > self.quiet for i in part]
        self.loudness = [max(loudness[i], self.quiet) for i in part]
        self.voiced = [a and row[BANDS] > 0 for a, row in zip(self.active, self.rows, strict=True)]
        self.semitones = [12 * math.log2(math.exp(row[BANDS])) for row in self.rows]

    def stretches(self, least: int) -> list[list[int]]:
        """The frames of every voiced stretch of at least so many."""
        found: list[list[int]] = [[]]
        for i, voiced in enumerate(self.voiced):
            if voiced:
                found[-1].append(i)
            elif found[-1]:
                found.append([])
        return [one for one in found if len(one) >= least]

    def column(self, name: str) -> float:
        return column(self.found, name)


def pressed(value: float) -> float:
    return math.copysign(math.log(1 + abs(value)), value)


def average(values: list[float]) -> float:
    return sum(values) / len(values)


def deviation(values: list[float]) -> float:
    return math.sqrt(average([(x - average(values)) ** 2 for x in values]))


def slope(xs: list[float], ys: list[float]) -> float:
    top = sum((x - average(xs)) * (y - average(ys)) for x, y in zip(xs, ys, strict=True))
    return top / sum((x - average(xs)) ** 2 for x in xs)


def test_pitch_rhythm_and_loudness_by_plain_loops() -> None:
    clip = Loops(("ang", 1.5), 0.4, ("sad", 1.0), seed=4)
    spoken = [x for x, v in zip(clip.semitones, clip.voiced, strict=True) if v]
    median = percentile(spoken, 50)
    assert clip.column("pitch_median") == pytest.approx(median, abs=1e-4)
    assert clip.column("pitch_p90") == pytest.approx(pressed(percentile(spoken, 90) - median), abs=1e-4)
    pairs = [i for i in range(1, len(clip.rows)) if clip.voiced[i] and clip.voiced[i - 1]]
    jumps = [abs(clip.semitones[i] - clip.semitones[i - 1]) for i in pairs]
    assert clip.column("pitch_change_mean") == pytest.approx(
        pressed(average([x for x in jumps if x < 3])), abs=1e-4
    )
    lengths = [float(len(one)) for one in clip.stretches(3)]
    seconds = sum(clip.active) / 100
    assert clip.column("voiced_share") == pytest.approx(sum(clip.voiced) / sum(clip.active), abs=1e-5)
    assert clip.column("voiced_stretches_per_second") == pytest.approx(len(lengths) / seconds, abs=1e-4)
    logs = [math.log(n) for n in lengths]
    assert clip.column("voiced_log_length_mean") == pytest.approx(average(logs), abs=1e-5)
    assert clip.column("voiced_log_length_deviation") == pytest.approx(deviation(logs), abs=1e-5)
    loud = [x for x, v in zip(clip.loudness, clip.voiced, strict=True) if v]
    middle = percentile(loud, 50)
    assert clip.column("loudness_p95") == pytest.approx(percentile(loud, 95) - middle, abs=1e-3)
    assert clip.column("loudness_deviation") == pytest.approx(deviation(loud), abs=1e-3)


def test_contours_by_plain_loops() -> None:
    clip = Loops(("ang", 1.5), 0.4, ("sad", 1.0), ("neu", 0.8), seed=4)
    slopes, ranges, bends, medians, middles = [], [], [], [], []
    for stretch in clip.stretches(8):
        pitch = [clip.semitones[i] for i in stretch]
        seconds = [k / 100 for k in range(len(stretch))]
        slopes.append(slope(seconds, pitch))
        ranges.append(percentile(pitch, 95) - percentile(pitch, 5))
        bends.append(deviation([p - slopes[-1] * t for p, t in zip(pitch, seconds, strict=True)]))
        medians.append(percentile(pitch, 50))
        middles.append((stretch[0] + stretch[-1] + 1) / 200)
    assert len(medians) > 2
    steps = [abs(b - a) for a, b in itertools.pairwise(medians)]
    expected = {
        "contour_slope": average(slopes),
        "contour_steepness": average([abs(x) for x in slopes]),
        "contour_range": average(ranges),
        "contour_bend": average(bends),
        "contour_medians_deviation": deviation(medians),
        "contour_medians_step": percentile(steps, 50),
        "contour_medians_slope": slope(middles, medians),
        "contour_end": medians[-1] - percentile(medians, 50),
    }
    expected = {name: pressed(value) for name, value in expected.items()}
    assert {name: clip.column(name) for name in expected} == pytest.approx(expected, abs=1e-3)
    inner = [i for i in range(1, len(clip.rows) - 1) if all(clip.voiced[i - 1 : i + 2])]
    for name, x in (("pitch", clip.semitones), ("loudness", clip.loudness)):
        second = [abs(x[i + 1] - 2 * x[i] + x[i - 1]) for i in inner]
        assert clip.column(f"{name}_unsteady") == pytest.approx(pressed(percentile(second, 75)), abs=1e-3)


def test_syllables_by_plain_loops() -> None:
    clip = Loops(("ang", 1.5), 0.4, ("sad", 1.0), seed=4)
    frames = len(clip.rows)
    weights = [0.5 - 0.5 * math.cos(2 * math.pi * (k + 1) / 14) for k in range(13)]
    smooth = [
        sum(w * clip.loudness[min(max(i + k - 6, 0), frames - 1)] for k, w in enumerate(weights))
        / sum(weights)
        for i in range(frames)
    ]
    peaks = [
        smooth[i] for i in range(1, frames - 1)
        if clip.active[i] and smooth[i] > smooth[i - 1] and smooth[i] >= smooth[i + 1]
    ]  # fmt: skip
    moves = [b - a for a, b in itertools.pairwise(smooth)]
    expected = {
        "peaks_per_second_of_speech": len(peaks) / (sum(clip.active) / 100),
        "peaks_per_second": len(peaks) / (frames / 100),
        "pause_share": 1 - sum(clip.active) / frames,
        "rise_p90": percentile(moves, 90),
        "fall_p90": -percentile(moves, 10),
        "peaks_step": average([abs(b - a) for a, b in itertools.pairwise(peaks)]),
    }
    assert {name: clip.column(name) for name in expected} == pytest.approx(expected, abs=1e-3)


def test_spectra_by_plain_loops() -> None:
    clip = Loops(("ang", 1.2), seed=2)
    pairs = [[(row[2 * k] + row[2 * k + 1]) / 2 for k in range(20)] for row in clip.rows]
    voiced = [i for i, v in enumerate(clip.voiced) if v]

    def third(values: list[float]) -> float:
        bands = len(values)
        parts = [math.cos(math.pi * 3 * (k + 0.5) / bands) * x for k, x in enumerate(values)]
        return math.sqrt(2 / bands) * sum(parts)

    colour = average([third(clip.rows[i][:BANDS]) for i in voiced])
    assert clip.column("cepstrum_3_mean") == pytest.approx(colour, abs=1e-4)
    moving = [third(row) for row in pairs]
    assert clip.column("cepstrum_3_deviation") == pytest.approx(
        deviation([moving[i] for i in voiced]), abs=1e-4
    )
    region = [average(pairs[i][4:8]) for i in voiced]
    expected = slope([clip.loudness[i] for i in voiced], region)
    assert clip.column("region_1_per_loudness") == pytest.approx(expected, abs=1e-5)
    shape = [[x - average(row) for x in row] for row in pairs]
    change = [
        average([abs(b - a) for a, b in zip(shape[i - 1], shape[i], strict=True)])
        for i in range(1, len(pairs)) if clip.voiced[i] and clip.voiced[i - 1]
    ]  # fmt: skip
    assert clip.column("flux_voiced_p50") == pytest.approx(percentile(change, 50), abs=1e-4)


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
    assert column(told(around), "pause_share") == pytest.approx(column(told(sound), "pause_share"), abs=0.02)


def test_only_the_median_pitch_tells_who_speaks() -> None:
    """The same frames, every pitch an octave higher: one column moves, by 12 semitones."""
    frames = ENCODER.from_samples(recording(("ang", 1.5), seed=1)).numpy()
    higher = frames.copy()
    higher[:, BANDS] = np.where(frames[:, BANDS] > 0, frames[:, BANDS] + np.log(2), 0)
    difference = functionals(higher) - functionals(frames)
    assert difference[NAMES.index("pitch_median")] == pytest.approx(12, abs=1e-3)
    assert np.abs(np.delete(difference, NAMES.index("pitch_median"))).max() < 1e-3


def test_a_microphone_that_colours_all_alike_changes_no_movement_of_the_cepstrum() -> None:
    """Log-mels plus a constant per band: what is relative to the clip's own spectrum stays."""
    frames = ENCODER.from_samples(recording(("ang", 1.5), seed=1)).numpy()
    coloured = frames.copy()
    coloured[:, :BANDS] += np.linspace(0.02, -0.02, BANDS)  # so little that the same frames are loud
    names = [name for name in NAMES if name.startswith("cepstrum") and not name.endswith("mean")]
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
    assert len(told(sound)) == len(NAMES) == 95


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
