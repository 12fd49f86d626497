"""Late fusion: the average of probabilities by hand, its weights, and how task heads and losses read it."""

from typing import Any

import pytest
import torch
from torch import nn

from affuse.fusion.base import Opinions
from affuse.fusion.late import LateFusion, LateOptions
from affuse.models.building import build
from affuse.parts.registry import get
from affuse.recipe import Recipe
from affuse.sequence import pad

WIDTHS = {"text": 6, "audio": 4}
RECIPE = {
    "name": "late",
    "tasks": {"emotion": {}, "gender": {}},
    "modalities": {
        "text": {"encoder": "precomputed", "options": {"name": "text", "width": 6}},
        "audio": {"encoder": "precomputed", "options": {"name": "audio", "width": 4}},
    },
    "fusion": {"name": "late", "options": {"width": 5}},
    "head": {"dropout": 0.0, "hidden": 7, "activation": "relu"},
}


def batch():
    torch.manual_seed(3)
    text = [torch.randn(3, 6), None, torch.randn(2, 6), None]
    audio = [torch.randn(2, 4), torch.randn(5, 4), None, None]
    return {"text": pad(text), "audio": pad(audio)}, text, audio


def test_probabilities_are_averaged_over_present_modalities() -> None:
    torch.manual_seed(0)
    model = build(Recipe.parse(RECIPE)).eval()
    with torch.no_grad():
        model.fusion.weight_logits.copy_(torch.tensor([0.7, -0.4]))
    sequences, text, audio = batch()
    found = model(sequences).logits["emotion"].softmax(dim=1)
    shares = torch.tensor([0.7, -0.4]).softmax(dim=0)
    for row in range(4):
        total, weight = torch.zeros(4), 0.0
        for share, name, clip in zip(shares, WIDTHS, (text[row], audio[row]), strict=True):
            if clip is not None:
                layer = model.fusion.projections[name]
                embedding = layer.weight @ clip.mean(0) + layer.bias
                total, weight = (
                    total + share * model.heads["emotion"](embedding).softmax(dim=0),
                    weight + share,
                )
        if weight == 0:
            total, weight = model.heads["emotion"](torch.zeros(5)).softmax(dim=0), 1.0
        torch.testing.assert_close(found[row], total / weight, rtol=1e-5, atol=1e-6)


def test_the_embedding_is_the_same_average() -> None:
    fusion = LateFusion(WIDTHS, LateOptions(width=5))
    sequences, text, audio = batch()
    parts = [
        fusion.projections["text"](text[0].mean(0)),
        fusion.projections["audio"](audio[0].mean(0)),
    ]
    found = fusion(sequences)
    torch.testing.assert_close(found[0], (parts[0] + parts[1]) / 2)  # equal weights at first
    torch.testing.assert_close(found[1], fusion.projections["audio"](audio[1].mean(0)))
    assert (found[3] == 0).all()


def test_gradient_of_the_average_by_finite_differences() -> None:
    torch.manual_seed(0)
    head = nn.Linear(5, 3).double()
    embeddings = [torch.randn(4, 5).double().requires_grad_() for _ in range(2)]
    weights = torch.randn(4, 2).double().requires_grad_()
    labels = torch.tensor([0, 1, 2, 0])

    def loss(first: Any, second: Any, raw: Any):
        logits = Opinions([first, second], raw.log_softmax(dim=1)).logits(head)
        return nn.functional.cross_entropy(logits, labels)

    assert torch.autograd.gradcheck(loss, (*embeddings, weights))


def test_one_opinion_is_the_head_itself() -> None:
    head, embedding = nn.Linear(5, 3), torch.randn(4, 5)
    assert torch.equal(Opinions([embedding]).logits(head), head(embedding))
    assert Opinions([embedding]).embedding() is embedding


def test_center_losses_read_it_too() -> None:
    data = RECIPE | {"tasks": {"emotion": {"loss": "center"}}}
    model = build(Recipe.parse(data))
    output = model(batch()[0])
    loss = model.task_losses(output, {"emotion": torch.tensor([0, 1, 2, 3])})["emotion"]
    loss.backward()
    assert torch.isfinite(output.logits["emotion"]).all()
    assert model.fusion.weight_logits.grad.abs().max() > 0


@pytest.mark.parametrize("name", ["upgrad", "gradnorm", "softmax"])
def test_weightings_find_the_shared_part_through_every_opinion(name: str) -> None:
    """Gradient surgery needs all tensors between the shared part and the heads: equal weights, equal gradients."""
    torch.manual_seed(0)
    model = build(Recipe.parse(RECIPE))
    if name == "upgrad":
        pytest.importorskip("torchjd")
    weighting = get("weightings", name)(["emotion", "gender"])
    labels = {"emotion": torch.tensor([0, 1, 2, 3]), "gender": torch.tensor([0, 1, 0, 1])}
    shared = list(model.fusion.parameters())
    output = model(batch()[0])
    weighting.backward(model.task_losses(output, labels), shared=shared, features=output.features)
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in shared)
    assert all(p.grad is not None for p in model.heads.parameters())


def test_surgery_sees_the_whole_gradient() -> None:
    """Two copies of one task: any aggregate of equal rows is a multiple of the plain gradient."""
    pytest.importorskip("torchjd")
    model = build(Recipe.parse(RECIPE))
    labels = {"emotion": torch.tensor([0, 1, 2, 3]), "gender": torch.tensor([-1] * 4)}
    shared = list(model.fusion.parameters())
    loss = model.task_losses(model(batch()[0]), labels)["emotion"]
    plain = torch.autograd.grad(loss, shared)
    opinions = model.fusion.opinions(batch()[0])
    one, two = (
        nn.functional.cross_entropy(opinions.logits(model.heads["emotion"]), labels["emotion"])
        for _ in range(2)
    )
    surgery = get("weightings", "upgrad")(["emotion", "gender"])
    surgery.backward({"emotion": one, "gender": two}, shared=shared, features=opinions.features)
    factor = shared[0].grad.norm() / plain[0].norm()
    for parameter, gradient in zip(shared, plain, strict=True):
        torch.testing.assert_close(parameter.grad, factor * gradient, rtol=1e-4, atol=1e-6)


def test_size() -> None:
    fusion = LateFusion(WIDTHS, LateOptions(width=5))
    assert sum(p.numel() for p in fusion.parameters()) == (6 + 1) * 5 + (4 + 1) * 5 + 2


def test_numbers_are_averaged_as_they_are() -> None:
    """Of a regression: the opinions' values, not probabilities, weighted; one opinion is the head itself."""
    generator = torch.Generator().manual_seed(0)
    embeddings = [torch.randn(4, 3, generator=generator) for _ in range(2)]
    weights = torch.tensor([[0.25, 0.75], [1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    head = nn.Linear(3, 1)
    found = Opinions(embeddings, weights.clamp_min(1e-30).log()).values(head)
    told = [head(one)[:, 0].tolist() for one in embeddings]
    expected = [w[0] * a + w[1] * b for w, a, b in zip(weights.tolist(), *told, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-6)
    assert Opinions(embeddings[:1]).values(head).tolist() == told[0]
