"""Bottleneck fusion against eqs. 8 and 9 written out, its size, and where information may pass."""

import math
from typing import Any

import pytest
import torch

from affuse.errors import AffuseError
from affuse.fusion.bottleneck import BottleneckFusion, BottleneckOptions
from affuse.fusion.positions import sinusoids
from affuse.sequence import pad

WIDTHS = {"video": 5, "audio": 3}


def build(**options: int):
    torch.manual_seed(0)
    small: dict[str, Any] = {"width": 8, "heads": 2, "layers": 3, "fuse_from": 1, "tokens": 2, "dropout": 0.0}
    return BottleneckFusion(WIDTHS, BottleneckOptions(**small | options)).eval()


def norm(x: torch.Tensor, layer: torch.nn.Module):
    centred = x - x.mean(dim=-1, keepdim=True)
    return centred / (centred.square().mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias


def transformer(layer: torch.nn.Module, z: torch.Tensor):
    """Y = MSA(LN(z)) + z;  MLP(LN(y)) + y, with GELU, of one clip (steps, width)."""
    width, heads = z.shape[1], layer.self_attn.heads
    x = norm(z, layer.norm1)
    q, k, v = (x @ layer.self_attn.in_proj_weight.T + layer.self_attn.in_proj_bias).split(width, dim=1)
    parts = []
    for of in torch.arange(width).chunk(heads):
        scores = q[:, of] @ k[:, of].T / math.sqrt(len(of))
        weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
        parts.append(weights @ v[:, of])
    out = layer.self_attn.out_proj
    y = z + torch.cat(parts, dim=1) @ out.weight.T + out.bias
    hidden = norm(y, layer.norm2) @ layer.linear1.weight.T + layer.linear1.bias
    gelu = hidden * 0.5 * (1 + torch.erf(hidden / math.sqrt(2)))
    return y + gelu @ layer.linear2.weight.T + layer.linear2.bias


@pytest.mark.parametrize("missing", [None, "audio"])
def test_equations_8_and_9(missing: str | None) -> None:
    fusion = build()
    clips = {"video": torch.randn(4, 5), "audio": torch.randn(6, 3)}
    clips = {name: clip for name, clip in clips.items() if name != missing}
    z = {}
    for name, clip in clips.items():
        x = fusion.project[name](clip) + sinusoids(len(clip), 8, clip)
        z[name] = torch.cat([fusion.classes[name][None], x])
    tokens = fusion.tokens
    for depth in range(3):
        if depth < 1:
            z = {name: transformer(fusion.layers[name][depth], steps) for name, steps in z.items()}
            continue
        heard = []
        for name, steps in z.items():
            both = transformer(fusion.layers[name][depth], torch.cat([steps, tokens]))
            z[name] = both[: len(steps)]
            heard.append(both[len(steps) :])
        tokens = sum(heard) / len(heard)
    expected = sum(steps[0] for steps in z.values()) / len(z)
    batch = {name: pad([clips.get(name), torch.randn(9, width)]) for name, width in WIDTHS.items()}
    torch.testing.assert_close(fusion(batch)[0], expected, rtol=1e-4, atol=1e-5)


def test_modalities_meet_in_the_tokens_alone() -> None:
    """After L_f the first fused layer writes the tokens, the second reads them: with one, audio's [CLS] knows nothing
    of the video.
    """
    video = [pad([torch.randn(4, 5)]) for _ in range(2)]
    audio = pad([torch.randn(6, 3)])
    for layers, meets in ((2, False), (3, True)):
        fusion = build(layers=layers)
        # twice the mean minus video's own [CLS], which does not depend on audio where nothing is heard
        alone = [fusion({"video": v, "audio": audio.keep(torch.tensor([False]))}) for v in video]
        both = [fusion({"video": v, "audio": audio}) for v in video]
        own = [2 * b - a for a, b in zip(alone, both, strict=True)]
        difference = (own[0] - own[1]).abs().max().item()
        assert (difference > 1e-3) == meets


def test_without_any_modality_the_embedding_is_zero() -> None:
    nothing = {name: pad([torch.randn(2, w)]).keep(torch.tensor([False])) for name, w in WIDTHS.items()}
    assert (build()(nothing) == 0).all()


def test_the_papers_size() -> None:
    """A modality's 12 layers of width 768 are ViT-Base: 4 w^2 + 4 w, 8 w^2 + 5 w and 4 w each."""
    options = BottleneckOptions(width=768, heads=12, layers=12, fuse_from=8)
    fusion = BottleneckFusion({"video": 768, "audio": 256}, options)
    for name in ("video", "audio"):
        assert sum(p.numel() for p in fusion.layers[name].parameters()) == 85_054_464
    assert 12 * (12 * 768**2 + 13 * 768) == 85_054_464
    assert fusion.tokens.numel() == 4 * 768


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"heads": 3}, "heads is 3, which does not divide the width 128"),
        ({"fuse_from": 4}, "fuse_from is 4 of 4 layers"),
    ],
)
def test_bad_options_are_one_sentence(options: dict[str, Any], message: str) -> None:
    with pytest.raises(AffuseError, match=message):
        BottleneckFusion(WIDTHS, BottleneckOptions(**options))
