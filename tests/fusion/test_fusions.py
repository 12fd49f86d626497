"""The same demands on every fusion: padding, batch order, missing modalities, overfitting; and its counts."""

import pytest
import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.fusion.attention import AttentionFusion, AttentionOptions
from affuse.fusion.concat import ConcatFusion, ConcatOptions
from affuse.fusion.pooling import pool
from affuse.sequence import FeatureSequence, pad

WIDTHS = {"text": 16, "audio": 8, "face": 5}


def make(name, **options):
    torch.manual_seed(0)
    if name == "concat":
        return ConcatFusion(WIDTHS, ConcatOptions(width=8, **options))
    return AttentionFusion(WIDTHS, AttentionOptions(width=8, heads=2, dropout=0.0, **options))


FUSIONS = [
    ("concat", {}),
    ("concat", {"pool": {"text": "first", "audio": "sum", "face": "mean_std"}}),
    ("attention", {}),
    ("attention", {"pool": "first"}),
    ("attention", {"attend": []}),
]


def clips(lengths, seed=0):
    """modality -> one tensor (or None) per utterance."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: [
            None if n is None else torch.randn(n, WIDTHS[name], generator=generator) for n in lengths[name]
        ]
        for name in WIDTHS
    }


LENGTHS = {"text": [3, 7, 1, None], "audio": [9, 2, None, 4], "face": [1, None, 6, 2]}


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_a_batch_equals_its_clips_one_by_one(name, options):
    fusion = make(name, **options).eval()
    parts = clips(LENGTHS)
    batch = fusion({m: pad(parts[m]) for m in WIDTHS})
    for i in range(4):
        alone = {}
        for m in WIDTHS:
            clip = parts[m][i]
            empty = FeatureSequence(torch.zeros(1, 1, WIDTHS[m]), torch.zeros(1, 1, dtype=torch.bool))
            alone[m] = empty if clip is None else pad([clip])
        torch.testing.assert_close(batch[i], fusion(alone)[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_what_stands_in_the_padding_changes_nothing(name, options):
    fusion = make(name, **options).eval()
    sequences = {m: pad(c) for m, c in clips(LENGTHS).items()}
    dirty = {
        m: FeatureSequence(s.values.masked_fill(~s.mask[..., None], 1e3), s.mask)
        for m, s in sequences.items()
    }
    torch.testing.assert_close(fusion(sequences), fusion(dirty), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_batch_order_changes_nothing(name, options):
    fusion = make(name, **options).eval()
    sequences = {m: pad(c) for m, c in clips(LENGTHS).items()}
    order = torch.tensor([2, 0, 3, 1])
    turned = {m: FeatureSequence(s.values[order], s.mask[order]) for m, s in sequences.items()}
    torch.testing.assert_close(fusion(sequences)[order], fusion(turned), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_missing_modalities_give_finite_numbers_and_gradients(name, options):
    fusion = make(name, **options)
    nothing = {m: [None, torch.randn(2, w)] for m, w in WIDTHS.items()}
    embedding = fusion({m: pad(c) for m, c in nothing.items()})
    embedding.square().sum().backward()
    assert torch.isfinite(embedding).all()
    assert all(torch.isfinite(p.grad).all() for p in fusion.parameters() if p.grad is not None)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_overfits_one_batch(name, options):
    fusion = make(name, **options)
    head = nn.Linear(fusion.width, 3)
    sequences = {m: pad(c) for m, c in clips({m: [4, 3, 5, 2, 6, 4] for m in WIDTHS}).items()}
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(200):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(fusion(sequences)), labels)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_concat_is_3_by_hand():
    fusion = ConcatFusion({"text": 3, "audio": 4}, ConcatOptions(width=4, pool={"audio": "sum"}))
    text, audio = torch.randn(2, 3), torch.randn(5, 4)
    found = fusion({"text": pad([text]), "audio": pad([audio])})[0]
    layer = fusion.projections["text"]
    expected = torch.cat([layer.weight @ text.mean(0) + layer.bias, audio.sum(0)])
    torch.testing.assert_close(found, expected)
    assert isinstance(fusion.projections["audio"], nn.Identity)
    assert fusion.width == 8


def test_attention_equals_torch_layers_without_masks():
    """One utterance, no padding: the plain layers of facts section 1, one after another."""
    torch.manual_seed(1)
    fusion = AttentionFusion({"text": 16, "audio": 8}, AttentionOptions(width=8, heads=2)).eval()
    text, audio = torch.randn(1, 5, 16), torch.randn(1, 3, 8)
    ones = torch.ones(1, 5, dtype=torch.bool)
    found = fusion({"text": FeatureSequence(text, ones), "audio": FeatureSequence(audio, ones[:, :3])})
    attended, _ = fusion.attend["text"].attention(text, text, text)
    steps = torch.cat([fusion.project["text"](attended), fusion.project["audio"](audio)], dim=1)
    fused, _ = fusion.fuse.attention(steps, steps, steps)
    torch.testing.assert_close(found, fusion.output(fused).mean(dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "sum", "first", "mean_std"])
def test_pooling_by_plain_loops(how):
    parts = [torch.randn(3, 2), torch.randn(1, 2), None]
    found = pool(pad(parts), how)
    for row, part in zip(found, parts, strict=True):
        if part is None:
            assert (row == 0).all()
            continue
        mean = [sum(part[:, d].tolist()) / len(part) for d in range(2)]
        deviation = [
            (sum((v - mean[d]) ** 2 for v in part[:, d].tolist()) / len(part)) ** 0.5 for d in range(2)
        ]
        expected = {
            "mean": mean,
            "sum": [m * len(part) for m in mean],
            "first": part[0].tolist(),
            "mean_std": mean + deviation,
        }[how]
        torch.testing.assert_close(row, torch.tensor(expected), rtol=1e-5, atol=1e-5)


def test_first_is_the_first_real_step():
    sequence = FeatureSequence(torch.arange(4.0).reshape(1, 4, 1), torch.tensor([[False, False, True, True]]))
    assert pool(sequence, "first").item() == 2


def test_mean_std_of_one_step_has_a_finite_gradient():
    clip = torch.randn(1, 2, requires_grad=True)
    pool(pad([clip]), "mean_std").sum().backward()
    assert torch.isfinite(clip.grad).all()


def test_heads_that_do_not_divide_are_one_sentence():
    with pytest.raises(AffuseError, match=r"heads is 3, which does not divide the width 16 of text"):
        AttentionFusion(WIDTHS, AttentionOptions(width=9, heads=3))
