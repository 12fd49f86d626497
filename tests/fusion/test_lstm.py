"""The LSTM fusion: its recurrence by hand, its size, and that padding, order and gaps never show."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from affuse.errors import AffuseError
from affuse.fusion.lstm import LSTMFusion, LSTMFusionOptions
from affuse.sequence import FeatureSequence, pad

WIDTHS = {"audio": 5, "video": 3}


def build(pool: str = "last", **options: float):
    torch.manual_seed(0)
    return LSTMFusion(WIDTHS, LSTMFusionOptions(**{"hidden": 7, "pool": pool, **options})).eval()


def clips():
    """(audio, video) per clip: a frame apart, audio missing, video missing, one frame only."""
    torch.manual_seed(1)
    lengths = [(6, 6), (4, 5), (None, 3), (8, 7), (2, None), (1, 1)]
    return [
        (None if a is None else torch.randn(a, 5), None if v is None else torch.randn(v, 3))
        for a, v in lengths
    ]


def batch(pairs: list[tuple[Any, ...]]):
    result = {}
    for name, row in (("audio", 0), ("video", 1)):
        if any(pair[row] is not None for pair in pairs):
            result[name] = pad([pair[row] for pair in pairs])
    return result


def by_hand(fusion: LSTMFusion, audio: torch.Tensor | None, video: torch.Tensor | None, pool: str):
    """One clip: the gates written out, PyTorch's order i, f, g, o."""
    steps = max(0 if part is None else len(part) for part in (audio, video))
    frames = torch.zeros(steps, 8)
    if audio is not None:
        frames[: len(audio), :5] = audio
    if video is not None:
        frames[: len(video), 5:] = video
    inputs = list(frames)
    for layer in range(fusion.lstm.num_layers):
        w_i, w_h, b_i, b_h = fusion.lstm.all_weights[layer]
        h = c = torch.zeros(fusion.width)
        outputs = []
        for x in inputs:
            i, f, g, o = (w_i @ x + b_i + w_h @ h + b_h).chunk(4)
            c = f.sigmoid() * c + i.sigmoid() * g.tanh()
            h = o.sigmoid() * c.tanh()
            outputs.append(h)
        inputs = outputs
    return inputs[-1] if pool == "last" else torch.stack(inputs).mean(0)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_against_the_gates_written_out(pool: str) -> None:
    fusion = build(pool)
    together = fusion(batch(clips()))
    for row, (audio, video) in enumerate(clips()):
        torch.testing.assert_close(together[row], by_hand(fusion, audio, video, pool), atol=1e-6, rtol=1e-5)


def test_the_papers_size() -> None:
    fusion = LSTMFusion({"audio": 1280, "video": 2048})
    sizes = [sum(p.numel() for p in layer) for layer in fusion.lstm.all_weights]
    assert sizes == [3_672_064, 526_336]
    assert sum(p.numel() for p in fusion.parameters()) == 3_672_064 + 526_336
    assert fusion.width == 256
    # 4 gates of 256 x (input + state + 2 biases)
    assert sizes == [4 * 256 * (3328 + 256 + 2), 4 * 256 * (256 + 256 + 2)]
    assert fusion.dropout.p == 0.5
    assert fusion.options.pool == "last"


@pytest.mark.parametrize(
    ("initialisation", "bound"),
    [
        ("xavier_normal", None),
        ("xavier_uniform", lambda rows, columns: math.sqrt(6 / (rows + columns))),
        ("pytorch", lambda rows, columns: 1 / math.sqrt(rows / 4)),
    ],
)
def test_initialisation(initialisation: str, bound: Callable[..., Any] | None) -> None:
    torch.manual_seed(0)
    fusion = LSTMFusion({"x": 300}, LSTMFusionOptions(hidden=128, initialisation=initialisation))
    for w_i, w_h, b_i, b_h in fusion.lstm.all_weights:
        for matrix in (w_i, w_h):
            rows, columns = matrix.shape
            assert rows == 512
            if bound is None:  # the stacked matrix: 4 hidden rows
                assert matrix.std().item() == pytest.approx(math.sqrt(2 / (rows + columns)), rel=0.02)
                assert matrix.abs().max() > 3 * matrix.std()  # normal, not uniform
            else:
                assert matrix.abs().max().item() == pytest.approx(bound(rows, columns), rel=1e-3)
        for bias in (b_i, b_h):
            assert bias.abs().max().item() == pytest.approx(1 / math.sqrt(128), rel=0.05)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_a_batch_equals_its_clips_one_by_one(pool: str) -> None:
    fusion = build(pool)
    together = fusion(batch(clips()))
    for row, pair in enumerate(clips()):
        torch.testing.assert_close(together[row], fusion(batch([pair]))[0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_order_within_the_batch_changes_nothing(pool: str) -> None:
    fusion, order = build(pool), [3, 0, 5, 1, 4, 2]
    together = fusion(batch(clips()))
    shuffled = fusion(batch([clips()[row] for row in order]))
    torch.testing.assert_close(shuffled, together[order], atol=1e-6, rtol=0)


@pytest.mark.parametrize("pool", ["last", "mean"])
@pytest.mark.parametrize("rubbish", [0.0, 1e6, math.nan, math.inf])
def test_padding_is_invisible(pool: str, rubbish: float) -> None:
    fusion = build(pool)
    expected = fusion(batch(clips()))
    longer = {}
    for name, (values, mask) in batch(clips()).items():
        extra = 4 if name == "audio" else 9
        values = torch.cat([values, torch.zeros(len(values), extra, values.shape[2])], 1)
        mask = torch.cat([mask, torch.zeros(len(mask), extra, dtype=torch.bool)], 1)
        longer[name] = FeatureSequence(values.masked_fill(~mask[..., None], rubbish).requires_grad_(), mask)
    got = fusion(longer)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    got.square().sum().backward()
    assert all(p.grad.isfinite().all() for p in fusion.parameters())
    for values, mask in longer.values():
        assert (values.grad[~mask] == 0).all()
        assert (values.grad[mask] != 0).any()


def test_pool_last_reads_the_last_real_frame() -> None:
    fusion = build("last")
    pairs = clips()
    changed = [(None if a is None else a.clone(), None if v is None else v.clone()) for a, v in pairs]
    changed[3][0][-1] += 1  # audio's 8th frame, one after video has ended
    before, after = fusion(batch(pairs)), fusion(batch(changed))
    assert (before[3] - after[3]).abs().max() > 1e-3
    assert torch.equal(before[[0, 1, 2, 4, 5]], after[[0, 1, 2, 4, 5]])


@pytest.mark.parametrize("pool", ["last", "mean"])
@pytest.mark.parametrize("training", [False, True])
def test_a_clip_without_any_modality_is_zero_and_trains_nothing(pool: str, training: bool) -> None:
    fusion = build(pool).train(training)
    pairs = [*clips(), (None, None)]
    embedding = fusion(batch(pairs))
    assert (embedding[-1] == 0).all()
    embedding.sum().backward()
    assert all(p.grad.isfinite().all() for p in fusion.parameters())
    fusion.zero_grad()
    fusion(batch(pairs))[-1].sum().backward()
    assert all((p.grad == 0).all() for p in fusion.parameters())


def test_a_whole_batch_without_any_frame_is_finite() -> None:
    fusion = build("mean")
    nothing = FeatureSequence(torch.zeros(2, 4, 5), torch.zeros(2, 4, dtype=torch.bool))
    assert torch.equal(fusion({"audio": nothing}), torch.zeros(2, 7))


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_a_modality_missing_from_the_batch_is_zeros(pool: str) -> None:
    fusion = build(pool)
    video = pad([torch.randn(4, 3), torch.randn(6, 3)])
    absent = FeatureSequence(torch.zeros(2, 6, 5), torch.zeros(2, 6, dtype=torch.bool))
    torch.testing.assert_close(fusion({"video": video}), fusion({"audio": absent, "video": video}))


def test_order_of_the_mapping_does_not_matter() -> None:
    fusion = build()
    sequences = batch(clips())
    assert torch.equal(fusion(sequences), fusion(dict(reversed(sequences.items()))))


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_gradients(pool: str) -> None:
    fusion = build(pool, hidden=2, layers=2).double()
    audio = pad([torch.randn(3, 5).double(), torch.randn(1, 5).double(), None])
    video = pad([torch.randn(2, 3).double(), None, torch.randn(2, 3).double()])

    def forward(a: Any, v: Any):
        return fusion({"audio": FeatureSequence(a, audio.mask), "video": FeatureSequence(v, video.mask)})

    inputs = (audio.values.requires_grad_(), video.values.requires_grad_())
    assert torch.autograd.gradcheck(forward, inputs)


def test_dropout_in_training_only() -> None:
    fusion = build("last", dropout=0.5, hidden=400)
    sequences = batch(clips())
    expected = fusion(sequences)
    fusion.train()
    dropped = fusion(sequences)
    kept = dropped != 0
    assert 0.4 < kept.float().mean() < 0.6
    torch.testing.assert_close(dropped[kept], 2 * expected[kept])


@pytest.mark.parametrize("pool", ["last", "mean"])
def test_overfits_one_batch(pool: str) -> None:
    """Labels that only the frames' order tells: the clip and its reverse have different classes."""
    torch.manual_seed(4)
    forward = [torch.randn(n, 5) for n in (5, 6, 7, 8)]
    sequences = {"audio": pad([*forward, *(clip.flip(0) for clip in forward)])}
    labels = torch.tensor([0, 1, 0, 1, 1, 0, 1, 0])
    fusion = LSTMFusion({"audio": 5}, LSTMFusionOptions(hidden=16, pool=pool, dropout=0.0))
    head = nn.Linear(16, 2)
    optimiser = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=0.02)
    for _ in range(80):
        loss = cross_entropy(head(fusion(sequences)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.02


def test_bad_input_is_told() -> None:
    fusion = build()
    with pytest.raises(AffuseError, match=r"'text'.*audio, video"):
        fusion({"text": pad([torch.randn(3, 5)])})
    with pytest.raises(AffuseError, match=r"'audio' are 4 wide.*for 5"):
        fusion({"audio": pad([torch.randn(3, 4)])})
    with pytest.raises(AffuseError, match="without any modality"):
        fusion({})
    with pytest.raises(AffuseError, match="at least one modality"):
        LSTMFusion({})


@pytest.mark.parametrize(
    "options", [{"pool": "first"}, {"dropout": 1.0}, {"hidden": 0}, {"bidirectional": True}]
)
def test_bad_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(AffuseError, match=next(iter(options))):
        LSTMFusionOptions(**options)
