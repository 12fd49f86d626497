"""The crossmodal transformer against its equations written out, its positions, its size."""

import math
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.fusion.cross_attention import CrossAttentionFusion, CrossAttentionOptions, CrossmodalLayer
from affuse.fusion.positions import sinusoids
from affuse.sequence import FeatureSequence, pad


def norm(x: torch.Tensor, layer: torch.nn.Module):
    """Layer normalisation by its definition."""
    centred = x - x.mean(dim=-1, keepdim=True)
    deviation = (centred.square().mean(dim=-1, keepdim=True) + layer.eps).sqrt()
    return centred / deviation * layer.weight + layer.bias


def attend(queries: torch.Tensor, keys: torch.Tensor, layer: torch.nn.Module):
    """Eq. 1 per head: softmax(Q K' / sqrt(d_k)) V, by loops over heads and queries."""
    width, heads = queries.shape[1], layer.heads
    size = width // heads
    w, b = layer.in_proj_weight, layer.in_proj_bias
    q = queries @ w[:width].T + b[:width]
    k = keys @ w[width : 2 * width].T + b[width : 2 * width]
    v = keys @ w[2 * width :].T + b[2 * width :]
    rows = []
    for i in range(len(q)):
        parts = []
        for h in range(heads):
            of = slice(h * size, (h + 1) * size)
            scores = [(q[i, of] @ k[j, of]).item() / math.sqrt(size) for j in range(len(k))]
            total = sum(math.exp(s) for s in scores)
            parts.append(sum(math.exp(s) / total * v[j, of] for j, s in enumerate(scores)))
        rows.append(torch.cat(parts))
    return torch.stack(rows) @ layer.out_proj.weight.T + layer.out_proj.bias


def layer_by_hand(layer: CrossmodalLayer, target: torch.Tensor, source: torch.Tensor):
    """Eq. 4."""
    first, _, _, last = layer.feed_forward
    target = norm(target, layer.target_norm)
    between = target
    if len(source):
        between = target + attend(target, norm(source, layer.source_norm), layer.attention)
    between = norm(between, layer.middle_norm)
    hidden = (between @ first.weight.T + first.bias).clamp_min(0)
    return between + hidden @ last.weight.T + last.bias


@pytest.mark.parametrize("steps", [4, 0])
def test_a_layer_is_equation_4(steps: int) -> None:
    torch.manual_seed(0)
    layer = CrossmodalLayer(6, 2, 0.0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    target, source = torch.randn(3, 6), torch.randn(steps, 6)
    padded = pad([source, torch.randn(5, 6)])
    found = layer(target.expand(2, -1, -1), padded)[0]
    torch.testing.assert_close(found, layer_by_hand(layer, target, source), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("missing", [None, "audio"])
def test_two_modalities_layer_by_layer(missing: str | None) -> None:
    torch.manual_seed(1)
    options = CrossAttentionOptions(width=4, heads=2, layers=2, self_layers=1, kernel=1, dropout=0.0)
    fusion = CrossAttentionFusion({"text": 5, "audio": 3}, options)
    clips = {"text": torch.randn(4, 5), "audio": torch.randn(0 if missing else 6, 3)}
    first = {
        name: clip @ fusion.convolutions[name].weight[:, :, 0].T + sinusoids(len(clip), 4, clip)
        for name, clip in clips.items()
    }
    expected = []
    for target, source in (("text", "audio"), ("audio", "text")):
        z = first[target]
        if not len(z):
            expected.append(torch.zeros(4))
            continue
        for layer in fusion.crossmodal[f"{source}_to_{target}"]:
            z = layer_by_hand(layer, z, first[source])
        for layer in fusion.temporal[target]:
            z = layer_by_hand(layer, z, z)
        expected.append(z[-1])
    found = fusion({name: pad([clip]) for name, clip in clips.items()})[0]
    torch.testing.assert_close(found, torch.cat(expected), rtol=1e-4, atol=1e-5)


def test_positions_in_closed_form() -> None:
    found = sinusoids(7, 5, torch.zeros(1))
    for t in range(7):
        for d in range(5):
            angle = t / 10_000 ** (2 * (d // 2) / 5)
            expected = math.cos(angle) if d % 2 else math.sin(angle)
            assert found[t, d].item() == pytest.approx(expected, abs=1e-6)


def test_the_order_of_steps_is_heard() -> None:
    torch.manual_seed(0)
    options = CrossAttentionOptions(width=8, heads=2, layers=1, self_layers=1, pool="mean")
    fusion = CrossAttentionFusion({"text": 5, "audio": 3}, options).eval()
    text, audio = pad([torch.randn(4, 5)]), pad([torch.randn(6, 3)])
    turned = FeatureSequence(text.values.flip(1), text.mask)
    there, back = fusion({"text": text, "audio": audio}), fusion({"text": turned, "audio": audio})
    assert (there - back).abs().max() > 1e-3


def test_size() -> None:
    """Three modalities, d = 40, 4 crossmodal and 3 temporal layers of 12 w^2 + 15 w each, w = 40 and 80.

    A layer: attention 4 w^2 + 4 w, two linear maps 8 w^2 + 5 w, three norms 6 w.
    """
    widths = {"text": 300, "audio": 74, "video": 35}
    fusion = CrossAttentionFusion(widths, CrossAttentionOptions())
    layer = {w: 12 * w * w + 15 * w for w in (40, 80)}
    expected = 40 * sum(widths.values()) + 6 * 4 * layer[40] + 3 * 3 * layer[80]
    assert sum(p.numel() for p in fusion.parameters()) == expected
    assert fusion.width == 3 * 2 * 40


@pytest.mark.parametrize(
    ("options", "message"),
    [({"heads": 3}, "heads is 3, which does not divide the width 40"), ({"kernel": 2}, "kernel is 2.*odd")],
)
def test_bad_options_are_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        CrossAttentionFusion({"text": 5}, CrossAttentionOptions(**options))
