"""The waveform encoder: the paper's counts, the network derived a second way, padding that never leaks."""

import sys
import types
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch import nn
from torch.nn import functional

from affuse.corpora.corpus import Utterance
from affuse.encoders.waveform import WaveformEncoder, WaveformOptions
from affuse.errors import AffuseError, ClipError
from affuse.sequence import FeatureSequence, pad

RATE = 16_000
# A thin network of the same make: 160 samples a frame, 2 groups of 3 filters.
SMALL: dict[str, Any] = {
    "rate": 4000,
    "filters": 6,
    "channel_pool": 3,
    "short_kernel": 20,
    "long_kernel": 501,
}
PER_FRAME = 160


def encoder(**options: float | str):
    torch.manual_seed(0)
    return WaveformEncoder(WaveformOptions(**{**SMALL, **options}))


def clips(*frames: int | None, per_frame: int = PER_FRAME):
    torch.manual_seed(1)
    return [None if count is None else torch.randn(count * per_frame) for count in frames]


def straightforward(net: WaveformEncoder, wave: torch.Tensor) -> torch.Tensor:
    """One clip (samples,) -> (frames, width): the paper's figure, by torch's own layers and a plain loop."""
    options = net.options
    short = nn.Conv1d(1, options.filters, options.short_kernel)
    long = nn.Conv1d(options.filters, options.filters, options.long_kernel)
    short.load_state_dict(net.short.state_dict())
    long.load_state_dict(net.long.state_dict())
    short, long = short.to(wave.dtype), long.to(wave.dtype)
    activate = nn.ReLU() if options.activation == "relu" else nn.Identity()

    def same(x: Any, kernel: Any):
        return functional.pad(x, (kernel // 2, kernel - kernel // 2 - 1))

    h = nn.MaxPool1d(options.pool)(activate(short(same(wave[None, None], options.short_kernel))))
    y = activate(long(same(h, options.long_kernel)))
    y = nn.MaxPool1d(options.channel_pool)(y.transpose(1, 2))[0]  # (steps, groups)
    per_frame = options.rate // options.frames_per_second // options.pool
    frames = []
    for start in range(0, len(y), per_frame):
        frames.append(torch.cat([y[step] for step in range(start, start + per_frame)]))
    return torch.stack(frames)


def test_the_paper_in_numbers() -> None:
    net = WaveformEncoder(WaveformOptions())
    count = {name: sum(p.numel() for p in part.parameters()) for name, part in net.named_children()}
    assert count == {"short": 3_240, "long": 6_400_040}
    assert (net.width, net.samples_per_frame) == (1280, 640)
    assert net.long.padding == (2000, 1999)
    with torch.no_grad():
        out = net(pad(clips(3, per_frame=640)))
    assert out.values.shape == (1, 3, 1280)


@pytest.mark.parametrize("activation", ["none", "relu"])
@pytest.mark.parametrize("kernels", [{}, {"short_kernel": 7, "long_kernel": 64}, {"pool": 4}])
def test_equals_the_straightforward_network_with_gradients(activation: str, kernels: dict[str, Any]) -> None:
    net = encoder(activation=activation, **kernels).double()
    wave = clips(5)[0].double().requires_grad_()
    ours = net(FeatureSequence(wave[None], torch.ones(1, len(wave), dtype=torch.bool))).values[0]
    theirs = straightforward(net, wave)
    torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)
    d = torch.randn_like(theirs)
    torch.testing.assert_close(
        torch.autograd.grad(ours, wave, d)[0], torch.autograd.grad(theirs, wave, d)[0], rtol=1e-9, atol=1e-12
    )


def test_the_full_network_equals_the_straightforward_one() -> None:
    net = WaveformEncoder(WaveformOptions(filters=2, channel_pool=1))  # the paper's kernels, 2 filters of 40
    wave = clips(6, per_frame=640)[0]
    with torch.no_grad():
        ours = net(pad([wave])).values[0]
        theirs = straightforward(net, wave)
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_features_are_time_major_in_the_frame() -> None:
    """Feature t * groups + g of frame k is group g at step k * steps_per_frame + t."""
    net = encoder(long_kernel=1).double()
    wave = clips(4)[0].double()
    with torch.no_grad():
        out = net(pad([wave])).values[0]
        h = functional.max_pool1d(net.short(functional.pad(wave[None, None], (10, 9))), 2)
        y = functional.conv1d(h, net.long.weight, net.long.bias)[0]
    for k, t, g in [(0, 0, 0), (0, 0, 1), (1, 3, 0), (3, 79, 1)]:
        assert torch.isclose(out[k, t * 2 + g], y[g * 3 : g * 3 + 3, k * 80 + t].max())


@pytest.mark.parametrize("activation", ["none", "relu"])
def test_a_batch_equals_its_clips_one_by_one(activation: str) -> None:
    net = encoder(activation=activation)
    # Large biases: what leaks from padding is the first convolution's bias.
    nn.init.normal_(net.short.bias, std=3)
    waves = clips(9, 2, None, 5, 1)
    batch = net(pad(waves))
    alone = [None if wave is None else net(pad([wave])) for wave in waves]
    assert batch.lengths.tolist() == [9, 2, 0, 5, 1]
    weights = torch.randn(9, net.width)
    loss_together, loss_alone = torch.zeros(()), torch.zeros(())
    for row, single in enumerate(alone):
        if single is None:
            continue
        count = int(single.lengths[0])
        torch.testing.assert_close(batch.values[row, :count], single.values[0], rtol=1e-5, atol=1e-5)
        loss_together = loss_together + (batch.values[row, :count] * weights[:count]).sum()
        loss_alone = loss_alone + (single.values[0] * weights[:count]).sum()
    together = torch.autograd.grad(loss_together, list(net.parameters()))
    apart = torch.autograd.grad(loss_alone, list(net.parameters()))
    for one, other in zip(together, apart, strict=True):
        assert (one - other).abs().max() < 1e-5 * other.abs().max()


def test_what_lies_in_the_padding_does_not_matter() -> None:
    net = encoder()
    clean = pad(clips(6, 2))
    dirty = FeatureSequence(clean.values.clone(), clean.mask)
    dirty.values[1, 2 * PER_FRAME :] = float("nan")
    for a, b in zip(net(clean), net(dirty), strict=True):
        assert torch.equal(a, b)


def test_missing_clips_give_zeros_an_empty_mask_and_finite_gradients() -> None:
    net = encoder()
    out = net(pad(clips(3, None)))
    assert not out.mask[1].any()
    assert not out.values[1].any()
    nothing = FeatureSequence(torch.zeros(2, 1), torch.zeros(2, 1, dtype=torch.bool))
    empty = net(nothing)
    assert empty.values.shape == (2, 1, net.width)
    assert not empty.present.any()
    empty.values.sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in net.parameters())


def test_part_frames_are_dropped() -> None:
    net = encoder()
    whole, more = pad(clips(3)), torch.cat([clips(3)[0], torch.ones(PER_FRAME - 1)])
    for a, b in zip(net(whole), net(pad([more])), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 16_001}, "must be a multiple of frames_per_second"),
        ({"filters": 41}, "must be a multiple of channel_pool"),
        ({"activation": "gelu"}, "activation"),
        ({"seconds": 0}, "seconds"),
        ({"kernel": 3}, "kernel"),
    ],
)
def test_options_are_checked(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        WaveformOptions(**options)


# Reading


@pytest.fixture(autouse=True)
def _reader(monkeypatch: pytest.MonkeyPatch):
    """affuse.media.audio where it exists; until it does, soundfile."""
    if find_spec("affuse.media.audio") is None:

        def read_waveform(path: Any, rate: Any, start: Any = None, end: Any = None, channel: Any = None):
            wave, found = soundfile.read(path, dtype="float32", always_2d=True)
            assert found == rate
            wave = wave.mean(axis=1) if channel is None else wave[:, channel]
            return wave[round((start or 0) * rate) : None if end is None else round(end * rate)]

        module = types.ModuleType("affuse.media.audio")
        module.__dict__["read_waveform"] = read_waveform
        monkeypatch.setitem(sys.modules, "affuse.media.audio", module)


def sound(tmp_path: Path, seconds: float, channels: int = 1) -> Utterance:
    rng = np.random.default_rng(0)
    wave = rng.uniform(-0.5, 0.5, (round(seconds * RATE), channels)).astype(np.float32)
    path = tmp_path / "clip.wav"
    soundfile.write(path, wave, RATE, subtype="FLOAT")
    return Utterance(id="clip", audio=path)


@pytest.mark.parametrize(
    ("seconds", "options", "frames"),
    [
        (1.0, {}, 25),
        (1.039, {}, 25),
        (0.04, {}, 1),
        (7.5, {}, 150),
        (7.5, {"seconds": None}, 187),
        (2.0, {"seconds": 0.5}, 12),
    ],
)
def test_reads_whole_frames_up_to_the_cap(
    tmp_path: Path, seconds: float, options: dict[str, Any], frames: int
) -> None:
    utterance = sound(tmp_path, seconds)
    net = WaveformEncoder(WaveformOptions(filters=1, channel_pool=1, long_kernel=1, **options))
    wave = net.read(utterance)
    assert wave is not None
    assert wave.dtype == torch.float32
    assert wave.shape == (640 * frames,)
    whole, _ = soundfile.read(utterance.audio, dtype="float32")
    assert np.abs(wave.numpy() - whole[: len(wave)]).max() < 1e-6


def test_reads_a_span_and_one_channel(tmp_path: Path) -> None:
    utterance = replace(sound(tmp_path, 3.0, channels=2), start=0.5, end=1.25, channel=1)
    wave = encoder(rate=RATE).read(utterance)
    whole, _ = soundfile.read(utterance.audio, dtype="float32")
    assert wave is not None
    assert wave.shape == (18 * 640,)
    assert np.abs(wave.numpy() - whole[8000 : 8000 + 18 * 640, 1]).max() < 1e-6


def test_a_clip_shorter_than_a_frame_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ClipError, match=r"clip: .*clip\.wav has 639 samples at 16000 Hz, less than one frame"
    ):
        encoder(rate=RATE).read(sound(tmp_path, 639 / RATE))


def test_no_sound_is_a_missing_modality() -> None:
    assert encoder().read(Utterance(id="silent film")) is None


def test_offset_and_gain_are_the_second_papers_division_by_the_variance() -> None:
    """(x - mean) / var with the code's constants, done by hand before a network without the two options."""
    mean, variance = -4.18e-5, 3.42e-3
    torch.manual_seed(0)
    plain, coded = encoder(), encoder(offset=mean, gain=1 / variance)
    coded.load_state_dict(plain.state_dict())
    waves = [0.06 * torch.randn(3 * PER_FRAME), 0.06 * torch.randn(2 * PER_FRAME)]  # one is padded
    with torch.no_grad():
        expected = plain(pad([(wave - mean) / variance for wave in waves]))
        found = coded(pad(waves))
    torch.testing.assert_close(found.values, expected.values, rtol=1e-4, atol=1e-4)
