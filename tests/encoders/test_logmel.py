"""The logmel encoder: its statistics by plain loops, its CNN by padding, gradients and overfitting."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from affuse.corpora.corpus import Utterance
from affuse.encoders.logmel import LogMelEncoder, LogMelOptions, summarise
from affuse.errors import AffuseError, ClipError
from affuse.media.mel import log_mel
from affuse.media.pitch import track_pitch
from affuse.sequence import FeatureSequence, pad
from audio_files import sine, speechlike, write_sound

BANDS = 4


def frames(count: int, seed: int = 0, voiced: float = 0.6) -> torch.Tensor:
    """(count, BANDS + 2) with made-up pitch columns."""
    rng = np.random.default_rng(seed)
    is_voiced = rng.random(count) < voiced
    log_f0 = np.where(is_voiced, rng.normal(5, 0.2, count), 0)
    rows = np.column_stack([rng.normal(-2, 1.5, (count, BANDS)), log_f0, rng.random(count)])
    return torch.from_numpy(rows.astype(np.float32))


def encoder(network: str, **options: bool | float | None) -> LogMelEncoder:
    torch.manual_seed(0)
    return LogMelEncoder(LogMelOptions(network=network, bands=BANDS, **options)).eval()


def by_loops(clip: np.ndarray, begin: int, end: int) -> list[float]:
    """The statistics of frames begin..end of one clip, one number after another."""

    def mean(values: Any):
        return sum(values) / len(values) if values else 0.0

    def deviation(values: Any):
        return math.sqrt(mean([(v - mean(values)) ** 2 for v in values]))

    bands = [[float(clip[t, b]) for t in range(begin, end)] for b in range(BANDS)]
    changes = [
        [float(clip[t, b]) - float(clip[t - 1, b]) for t in range(begin, end) if t > 0] for b in range(BANDS)
    ]
    result = [f(band) for f in (mean, deviation, min, max) for band in bands]
    result += [deviation(change) for change in changes]
    f0 = [float(clip[t, BANDS]) for t in range(begin, end) if clip[t, BANDS] > 0]
    result += [mean(f0), deviation(f0), min(f0, default=0.0), max(f0, default=0.0)]
    return [*result, len(f0) / (end - begin), mean([float(clip[t, BANDS + 1]) for t in range(begin, end)])]


@pytest.mark.parametrize("seconds", [None, 0.25])
def test_statistics_by_plain_loops(seconds: float | None) -> None:
    made = encoder("statistics", seconds=seconds)
    clips = [frames(60, 1), None, frames(1, 2), frames(75, 3), frames(30, 4, voiced=0.0)]
    values, mask = made(pad(clips))
    assert values.shape[2] == LogMelEncoder.width_of(made.options) == 5 * BANDS + 6
    size = 75 if seconds is None else 25
    for row, clip in enumerate(clips):
        count = 0 if clip is None else len(clip)
        begins = range(0, count, size)
        assert mask[row].tolist() == [True] * len(begins) + [False] * (mask.shape[1] - len(begins))
        assert not values[row, len(begins) :].any()
        for step, begin in enumerate(begins):
            expected = by_loops(clip.numpy(), begin, min(begin + size, count))
            torch.testing.assert_close(values[row, step], torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_without_pitch_there_are_only_bands() -> None:
    made = encoder("statistics", pitch=False)
    values = made(pad([frames(20)[:, :BANDS]])).values
    assert values.shape == (1, 1, 5 * BANDS)
    assert LogMelEncoder.width_of(made.options) == 5 * BANDS
    torch.testing.assert_close(values, summarise(pad([frames(20)]), 20, BANDS).values[..., : 5 * BANDS])


@pytest.mark.parametrize(
    "made",
    [encoder("statistics"), encoder("statistics", seconds=0.3), encoder("cnn", width=16)],
    ids=["whole", "steps", "cnn"],
)
def test_neither_padding_nor_order_nor_neighbours_change_a_clip(made: LogMelEncoder) -> None:
    clips = [frames(n, n) for n in (1, 2, 7, 8, 9, 33, 64, 100)]
    batch = pad([*clips, None])
    poisoned = torch.where(batch.mask[..., None], batch.values, 1e6)  # what padding holds must not matter
    together = made(FeatureSequence(poisoned, batch.mask))
    turned = made(FeatureSequence(poisoned.flip(0), batch.mask.flip(0)))
    torch.testing.assert_close(turned.values.flip(0), together.values, rtol=0, atol=1e-5)
    for row, clip in enumerate(clips):
        alone = made(pad([clip]))
        assert alone.mask.all()
        steps = alone.mask.shape[1]
        assert together.mask[row].sum() == steps
        torch.testing.assert_close(together.values[row, :steps], alone.values[0], rtol=0, atol=1e-5)
        assert not together.values[row, steps:].any()
    assert not together.mask[-1].any()
    assert not together.values[-1].any()


def test_cnn_steps_are_80_ms() -> None:
    made = encoder("cnn", width=16)
    for count in (1, 8, 9, 16, 17, 800):
        assert made(pad([frames(count)])).values.shape == (1, math.ceil(count / 8), 16)
    assert LogMelEncoder.width_of(made.options) == 16


def test_cnn_by_plain_loops() -> None:
    made = encoder("cnn", width=3)
    clip = frames(11)
    x = clip.numpy().astype(np.float64)
    for convolution, norm in zip(made.network.convolutions, made.network.norms, strict=True):
        weight, bias = convolution.weight.detach().numpy(), convolution.bias.detach().numpy()
        rows = []
        for center in range(0, len(x), 2):
            row = bias.astype(np.float64).copy()
            for tap in range(5):
                if 0 <= center + tap - 2 < len(x):
                    row += weight[:, :, tap] @ x[center + tap - 2]
            row = (row - row.mean()) / math.sqrt(row.var() + norm.eps)  # affine part is 1 and 0 at first
            rows.append([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in row])
        x = np.array(rows)
    torch.testing.assert_close(made(pad([clip])).values[0], torch.from_numpy(x).float(), rtol=1e-4, atol=1e-5)


def test_cnn_gradients_by_finite_differences() -> None:
    made = encoder("cnn", width=3).double()
    batch = pad([frames(9, 1).double(), frames(5, 2).double()])
    inputs = batch.values.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: made(FeatureSequence(x, batch.mask)).values, inputs, fast_mode=True
    )
    made(FeatureSequence(inputs, batch.mask)).values.square().sum().backward()
    assert not inputs.grad[~batch.mask].any()
    assert inputs.grad[batch.mask].abs().sum(dim=1).min() > 0
    for name, parameter in made.named_parameters():
        assert parameter.grad.abs().max() > 0, name


def test_cnn_overfits_one_batch() -> None:
    made = encoder("cnn", width=16).train()
    head = torch.nn.Linear(16, 2)
    batch = pad([frames(n, n) for n in (30, 41, 52, 63, 70, 81, 92, 100)])
    labels = torch.tensor([0, 1, 0, 0, 1, 1, 0, 1])
    optimizer = torch.optim.Adam([*made.parameters(), *head.parameters()], lr=3e-3)
    for _ in range(60):
        values, mask = made(batch)
        logits = head(values.sum(1) / mask.sum(1, keepdim=True))
        loss = torch.nn.functional.cross_entropy(logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_only_the_cnn_can_be_trained() -> None:
    encoder("cnn").check_trainable()
    with pytest.raises(AffuseError, match=r"nothing to train; set its frozen: true, or network: cnn\.$"):
        encoder("statistics").check_trainable()


def test_read(tmp_path: Path) -> None:
    left, right = sine(2, 16000, 200), speechlike(2, 16000)
    path = write_sound(tmp_path / "a.wav", np.stack([left, right], 1), 16000, "FLOAT")
    utterance = Utterance("u", audio=path, start=0.5, end=1.5, channel=0)
    made = LogMelEncoder(LogMelOptions())
    found = made.read(utterance)
    assert found.shape == (98, 66)
    assert found.dtype == torch.float32
    assert (found[:, :64].numpy() == log_mel(left[8000:24000])).all()
    assert (found[:, 64:].numpy() == track_pitch(left[8000:24000])).all()
    summary = made(pad([found])).values[0, 0]
    assert math.exp(summary[5 * 64]) == pytest.approx(200, rel=0.01)
    assert LogMelEncoder(LogMelOptions(pitch=False, bands=40)).read(utterance).shape == (98, 40)
    assert made.read(Utterance("u", text="no sound")) is None
    with pytest.raises(ClipError, match="does not exist"):
        made.read(Utterance("u", audio=tmp_path / "none.wav"))


def test_keys_follow_what_the_result_depends_on() -> None:
    base = encoder("statistics")
    assert base.reading_key == encoder("statistics", seconds=1.0).reading_key == encoder("cnn").reading_key
    assert base.features_key != encoder("statistics", seconds=1.0).features_key
    assert base.features_key == encoder("statistics").features_key
    others = [encoder("statistics", **o) for o in ({"pitch": False}, {"low": 60.0}, {"high": 4000.0})]
    assert len({base.reading_key, *(other.reading_key for other in others)}) == 4
    trained = encoder("cnn", width=8)
    before = trained.features_key
    with torch.no_grad():
        trained.network.norms[0].bias += 1
    assert trained.features_key != before


@pytest.mark.parametrize("options", [{"low": 500, "high": 400}, {"high": 9000}, {"bands": 0}, {"seconds": 0}])
def test_options_that_cannot_be(options: dict[str, Any]) -> None:
    with pytest.raises(AffuseError):
        LogMelOptions(**options)
