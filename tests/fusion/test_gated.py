"""The gated multimodal unit against its equations in plain loops, and its size."""

import math

import pytest
import torch

from affuse.fusion.gated import GatedFusion, GatedOptions
from affuse.sequence import pad


def build(widths: dict[str, int], gates: str = "tied", width: int = 3):
    torch.manual_seed(0)
    return GatedFusion(widths, GatedOptions(width=width, gates=gates))


def rows(matrix: torch.Tensor, vector: list[float]):
    return [sum(w * x for w, x in zip(row, vector, strict=True)) for row in matrix.tolist()]


def sigmoid(x: float):
    return 1 / (1 + math.exp(-x))


def test_the_bimodal_unit_is_the_papers() -> None:
    """h_v = tanh(W_v x_v), h_t = tanh(W_t x_t), z = sigmoid(W_z [x_v, x_t]), h = z h_v + (1 - z) h_t."""
    fusion = build({"video": 4, "text": 2})
    video, text = torch.randn(5, 4), torch.randn(3, 2)
    x_v, x_t = video.mean(0).tolist(), text.mean(0).tolist()
    h_v = [math.tanh(s) for s in rows(fusion.features["video"].weight, x_v)]
    h_t = [math.tanh(s) for s in rows(fusion.features["text"].weight, x_t)]
    w_z = torch.cat([fusion.gates["video"].weight, fusion.gates["text"].weight], dim=1)
    z = [sigmoid(s) for s in rows(w_z, [*x_v, *x_t])]
    expected = [g * a + (1 - g) * b for g, a, b in zip(z, h_v, h_t, strict=True)]
    found = fusion({"video": pad([video]), "text": pad([text])})[0]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gates", ["tied", "independent"])
def test_three_modalities_by_loops(gates: str) -> None:
    widths = {"video": 4, "text": 2, "audio": 3}
    fusion = build(widths, gates)
    clips = {name: torch.randn(3, width) for name, width in widths.items()}
    x = {name: clip.mean(0).tolist() for name, clip in clips.items()}
    gate_rows = sum(len(layer.weight) for layer in [fusion.gates["video"]]) // 3
    logits = [[0.0] * 3 for _ in range(3)]  # modality, feature
    for m in range(gate_rows):
        for name in widths:
            block = fusion.gates[name].weight[3 * m : 3 * m + 3]
            logits[m] = [a + b for a, b in zip(logits[m], rows(block, x[name]), strict=True)]
    expected = []
    for feature in range(3):
        if gates == "tied":
            total = sum(math.exp(logits[m][feature]) for m in range(3))
            z = [math.exp(logits[m][feature]) / total for m in range(3)]
        else:
            z = [sigmoid(logits[m][feature]) for m in range(3)]
        h = [math.tanh(rows(fusion.features[name].weight, x[name])[feature]) for name in widths]
        expected.append(sum(a * b for a, b in zip(z, h, strict=True)))
    found = fusion({name: pad([clip]) for name, clip in clips.items()})[0]
    torch.testing.assert_close(found, torch.tensor(expected), rtol=1e-5, atol=1e-6)
    assert gate_rows == (2 if gates == "tied" else 3)


def test_a_lone_modality_has_the_gate_to_itself() -> None:
    fusion = build({"video": 4, "text": 2})
    video = torch.randn(2, 4)
    found = fusion({"video": pad([video, None]), "text": pad([None, torch.randn(1, 2)])})[0]
    torch.testing.assert_close(found, torch.tanh(fusion.features["video"].weight @ video.mean(0)))


def test_the_papers_size() -> None:
    """Its MM-IMDb model: 4096 image and 300 text features into 512, no biases."""
    fusion = build({"image": 4096, "text": 300}, width=512)
    assert sum(p.numel() for p in fusion.parameters()) == (4096 + 300) * 2 * 512
