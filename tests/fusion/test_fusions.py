"""The same demands on every fusion: padding, batch order, missing modalities, overfitting; and its counts."""

from typing import Any

import pytest
import torch
from torch import nn

from affuse.errors import AffuseError
from affuse.fusion.attention import AttentionFusion, AttentionOptions
from affuse.fusion.base import Fusion
from affuse.fusion.concat import ConcatFusion, ConcatOptions
from affuse.fusion.pooling import pool
from affuse.parts.registry import PARTS, get
from affuse.sequence import FeatureSequence, pad

WIDTHS = {"text": 16, "audio": 8, "face": 5}
POOLS = {"text": "first", "audio": "sum", "face": "mean_std"}
SMALL: dict[str, Any] = {
    "concat": {"width": 8},
    "attention": {"width": 8, "heads": 2, "dropout": 0.0},
    "lstm": {"hidden": 8, "dropout": 0.0},
    "gated": {"width": 8},
    "cross_attention": {"width": 8, "heads": 2, "layers": 2, "self_layers": 1, "dropout": 0.0},
    "bottleneck": {"width": 8, "heads": 2, "layers": 3, "fuse_from": 1, "tokens": 2, "dropout": 0.0},
    "late": {"width": 8},
    "opinion_pool": {
        "scores": {
            "text": {"emotion": [[0, 3], [1], [2]], "gender": [[4], [5]]},
            "audio": {"emotion": [[2], [1], [0, 5]]},
            "face": {"emotion": [[4], [0], [1]], "gender": [[2], [3]]},
        },
        "weights": {"text": 2.0},
    },
}


def make(name: str, widths: dict[str, int] = WIDTHS, **options: Any):
    torch.manual_seed(0)
    kind = get("fusions", name)
    chosen = SMALL[name] | options
    if "scores" in chosen:
        chosen["scores"] = {
            modality: tasks for modality, tasks in chosen["scores"].items() if modality in widths
        }
    return kind(widths, kind.Options(**chosen))


FUSIONS = [
    ("concat", {}),
    ("concat", {"pool": POOLS}),
    ("attention", {}),
    ("attention", {"pool": "first"}),
    ("attention", {"attend": []}),
    ("lstm", {}),
    ("lstm", {"pool": "mean"}),
    ("gated", {}),
    ("gated", {"gates": "independent", "pool": POOLS}),
    ("cross_attention", {}),
    ("cross_attention", {"kernel": 3, "pool": "mean"}),
    ("cross_attention", {"self_layers": 0}),
    ("bottleneck", {}),
    ("bottleneck", {"fuse_from": 0}),
    ("late", {}),
    ("late", {"pool": POOLS}),
    ("opinion_pool", {}),
]


def test_every_fusion_is_here() -> None:
    assert {name for name, _ in FUSIONS} == set(PARTS["fusions"])


def clips(lengths: dict[str, list[int | None]], seed: int = 0):
    """Modality -> one tensor (or None) per utterance."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: [
            None if n is None else torch.randn(n, WIDTHS[name], generator=generator) for n in lengths[name]
        ]
        for name in WIDTHS
    }


LENGTHS = {"text": [3, 7, 1, None], "audio": [9, 2, None, 4], "face": [1, None, 6, 2]}


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_a_batch_equals_its_clips_one_by_one(name: str, options: dict[str, Any]) -> None:
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
def test_what_stands_in_the_padding_changes_nothing(name: str, options: dict[str, Any]) -> None:
    fusion = make(name, **options).eval()
    sequences = {m: pad(c) for m, c in clips(LENGTHS).items()}
    dirty = {
        m: FeatureSequence(s.values.masked_fill(~s.mask[..., None], 1e3), s.mask)
        for m, s in sequences.items()
    }
    torch.testing.assert_close(fusion(sequences), fusion(dirty), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_batch_order_changes_nothing(name: str, options: dict[str, Any]) -> None:
    fusion = make(name, **options).eval()
    sequences = {m: pad(c) for m, c in clips(LENGTHS).items()}
    order = torch.tensor([2, 0, 3, 1])
    turned = {m: FeatureSequence(s.values[order], s.mask[order]) for m, s in reversed(sequences.items())}
    torch.testing.assert_close(fusion(sequences)[order], fusion(turned), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_evaluation_equals_training_without_dropout(name: str, options: dict[str, Any]) -> None:
    """Torch takes other kernels in evaluation mode without gradients."""
    fusion = make(name, **options).train()
    sequences = {m: pad(c) for m, c in clips(LENGTHS).items()}
    expected = fusion(sequences)
    with torch.inference_mode():
        torch.testing.assert_close(fusion.eval()(sequences), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_gradients(name: str, options: dict[str, Any]) -> None:
    fusion = make(name, **options).double()
    sequences = {m: pad(c) for m, c in clips({"text": [2, None], "audio": [1, 3], "face": [None, 2]}).items()}

    def forward(*values: Any):
        named = zip(WIDTHS, values, strict=True)
        return fusion({m: FeatureSequence(value, sequences[m].mask) for m, value in named})

    inputs = [s.values.double().requires_grad_() for s in sequences.values()]
    assert torch.autograd.gradcheck(forward, inputs, fast_mode=True)
    forward(*inputs).square().sum().backward()
    for value, sequence in zip(inputs, sequences.values(), strict=True):
        assert (value.grad[~sequence.mask] == 0).all()


def without_text(fusion: Fusion, smaller: Fusion):
    """The parameters of the whole network that a network without text has."""
    kept = {}
    for key, wanted in smaller.state_dict().items():
        value = fusion.state_dict()[key]
        if key == "weight_logits" or key.startswith("gates."):  # text's rows come first
            value = value[len(value) - len(wanted) :]
        elif key.startswith("log_"):  # of opinion_pool; text's come first where it knows the task
            value = value[-len(wanted) :]
        elif key == "lstm.weight_ih_l0":  # text's columns come first
            value = value[:, WIDTHS["text"] :]
        kept[key] = value
    return kept


@pytest.mark.parametrize(
    ("name", "options"), [(n, o) for n, o in FUSIONS if n != "cross_attention" and "attend" not in o]
)
def test_a_missing_modality_is_a_network_without_it(name: str, options: dict[str, Any]) -> None:
    """cross_attention is left out: where text is missing, its pairs still pass their targets on."""
    fusion = make(name, **options).eval()
    others = {m: w for m, w in WIDTHS.items() if m != "text"}
    smaller = make(name, others, **options).eval()
    smaller.load_state_dict(without_text(fusion, smaller))
    parts = clips({"text": [None, 7], "audio": [9, 2], "face": [3, None]})
    found = fusion({m: pad(c) for m, c in parts.items()})[:1]
    expected = smaller({m: pad(parts[m][:1]) for m in others})
    if name == "concat":
        assert (found[:, :8] == 0).all()
        found = found[:, 8:]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_every_modality_is_heard(name: str, options: dict[str, Any]) -> None:
    fusion = make(name, **options).eval()
    sequences = {m: pad(c) for m, c in clips({m: [3, 4] for m in WIDTHS}).items()}
    whole = fusion(sequences)
    for modality in WIDTHS:
        less = sequences | {modality: sequences[modality].keep(torch.tensor([True, False]))}
        found = fusion(less)
        torch.testing.assert_close(found[0], whole[0], rtol=1e-5, atol=1e-6)
        assert (found[1] - whole[1]).abs().max() > 1e-3


@pytest.mark.parametrize("name", SMALL)
def test_one_modality_alone(name: str) -> None:
    """What a comparison trains beside the others: ``modalities.text=null`` and the like."""
    fusion = make(name, {"face": 5})
    embedding = fusion({"face": pad([torch.randn(4, 5), torch.randn(2, 5)])})
    assert embedding.shape == (2, fusion.width)
    embedding.sum().backward()
    assert torch.isfinite(embedding).all()


@pytest.mark.parametrize(("name", "options"), FUSIONS)
def test_missing_modalities_give_finite_numbers_and_gradients(name: str, options: dict[str, Any]) -> None:
    fusion = make(name, **options)
    nothing = {m: [None, torch.randn(2, w)] for m, w in WIDTHS.items()}
    embedding = fusion({m: pad(c) for m, c in nothing.items()})
    embedding.square().sum().backward()
    assert torch.isfinite(embedding).all()
    assert all(torch.isfinite(p.grad).all() for p in fusion.parameters() if p.grad is not None)


@pytest.mark.parametrize(("name", "options"), [one for one in FUSIONS if one[0] != "opinion_pool"])
def test_overfits_one_batch(name: str, options: dict[str, Any]) -> None:
    """opinion_pool is left out: of what it is given it learns weights and temperatures alone."""
    fusion = make(name, **options)
    head = nn.Linear(fusion.width, 3)
    sequences = {m: pad(c) for m, c in clips({m: [4, 3, 5, 2, 6, 4] for m in WIDTHS}).items()}
    labels = torch.tensor([0, 1, 2, 2, 1, 0])
    optimizer = torch.optim.Adam([*fusion.parameters(), *head.parameters()], lr=1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(head(fusion(sequences)), labels)
        loss.backward()
        optimizer.step()
        if loss.item() < 0.05:
            break
    assert loss.item() < 0.05


def test_concat_is_3_by_hand() -> None:
    fusion = ConcatFusion({"text": 3, "audio": 4}, ConcatOptions(width=4, pool={"audio": "sum"}))
    text, audio = torch.randn(2, 3), torch.randn(5, 4)
    found = fusion({"text": pad([text]), "audio": pad([audio])})[0]
    layer = fusion.projections["text"]
    expected = torch.cat([layer.weight @ text.mean(0) + layer.bias, audio.sum(0)])
    torch.testing.assert_close(found, expected)
    assert isinstance(fusion.projections["audio"], nn.Identity)
    assert fusion.width == 8


def test_attention_equals_torch_layers_without_masks() -> None:
    """One utterance, no padding: the plain layers of facts section 1, one after another."""
    torch.manual_seed(1)
    fusion = AttentionFusion({"text": 16, "audio": 8}, AttentionOptions(width=8, heads=2)).eval()
    text, audio = torch.randn(1, 5, 16), torch.randn(1, 3, 8)
    ones = torch.ones(1, 5, dtype=torch.bool)
    found = fusion({"text": FeatureSequence(text, ones), "audio": FeatureSequence(audio, ones[:, :3])})

    def attend(own: nn.Module, steps: torch.Tensor):
        attention = nn.MultiheadAttention(steps.shape[2], num_heads=2, batch_first=True)
        attention.load_state_dict(own.state_dict())
        return attention(steps, steps, steps)[0]

    attended = attend(fusion.attend["text"].attention, text)
    steps = torch.cat([fusion.project["text"](attended), fusion.project["audio"](audio)], dim=1)
    fused = attend(fusion.fuse.attention, steps)
    torch.testing.assert_close(found, fusion.output(fused).mean(dim=1), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("how", ["mean", "sum", "first", "mean_std"])
def test_pooling_by_plain_loops(how: str) -> None:
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


def test_first_is_the_first_real_step() -> None:
    sequence = FeatureSequence(torch.arange(4.0).reshape(1, 4, 1), torch.tensor([[False, False, True, True]]))
    assert pool(sequence, "first").item() == 2


def test_mean_std_of_one_step_has_a_finite_gradient() -> None:
    clip = torch.randn(1, 2, requires_grad=True)
    pool(pad([clip]), "mean_std").sum().backward()
    assert torch.isfinite(clip.grad).all()


def test_heads_that_do_not_divide_are_one_sentence() -> None:
    with pytest.raises(AffuseError, match=r"heads is 3, which does not divide the width 16 of text"):
        AttentionFusion(WIDTHS, AttentionOptions(width=9, heads=3))


@pytest.mark.parametrize("name", [name for name in SMALL if name != "lstm"])
def test_exports_with_any_batch_and_any_length(name: str) -> None:
    """A ``len()`` of a tensor would fix its size. torch's LSTM fixes its own."""
    short: dict[str, Any] = {"cross_attention": {"layers": 1}, "bottleneck": {"layers": 1, "fuse_from": 0}}
    two = {m: WIDTHS[m] for m in ("text", "audio")}
    fusion = make(name, two, **short.get(name, {})).eval()

    class Flat(nn.Module):
        def __init__(self):
            super().__init__()
            self.fusion = fusion

        def forward(self, values: Any, masks: Any):
            return self.fusion({m: FeatureSequence(values[m], masks[m]) for m in two})

    def split(lengths: Any):
        sequences = {m: pad(clips(lengths)[m]) for m in two}
        return {m: s.values for m, s in sequences.items()}, {m: s.mask for m, s in sequences.items()}

    free = {m: {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO} for m in two}
    exported = torch.export.export(Flat(), split(LENGTHS), dynamic_shapes=(free, free)).module()
    other = split({"text": [5, 2], "audio": [3, None], "face": [1, 1]})
    torch.testing.assert_close(exported(*other), Flat()(*other), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name", sorted(set(PARTS["fusions"]) - {"opinion_pool"})
)  # it must be told of classes
def test_every_fusion_has_default_options(name: str) -> None:
    torch.manual_seed(0)
    widths = {"text": 8, "audio": 16}  # attention's heads divide both
    plain, given = (get("fusions", name)(widths, *o) for o in ((), (get("fusions", name).Options(),)))
    assert plain.width == given.width


def test_parameters_are_named_as_in_models_written_before() -> None:
    """Model folders hold them by name and shape."""
    mha = {
        "in_proj_weight": (24, 8),
        "in_proj_bias": (24,),
        "out_proj.weight": (8, 8),
        "out_proj.bias": (8,),
    }
    norm = {"weight": (8,), "bias": (8,)}
    small = {"width": 8, "heads": 2}
    expected: dict[str, dict[str, Any]] = {
        "attention": {
            "attend.text.attention": mha,
            "project.text.0": {"weight": (8, 8), "bias": (8,)},
            "project.text.1": norm,
            "fuse.attention": mha,
            "output.0": {"weight": (8, 8), "bias": (8,)},
            "output.1": norm,
        },
        "cross_attention": {
            "convolutions.text": {"weight": (8, 8, 3)},
            "temporal.text.0.target_norm": norm,
            "temporal.text.0.source_norm": norm,
            "temporal.text.0.attention": mha,
            "temporal.text.0.middle_norm": norm,
            "temporal.text.0.feed_forward.0": {"weight": (32, 8), "bias": (32,)},
            "temporal.text.0.feed_forward.3": {"weight": (8, 32), "bias": (8,)},
        },
        "bottleneck": {
            "tokens": (2, 8),
            "project.text": {"weight": (8, 8), "bias": (8,)},
            "classes.text": (8,),
            "layers.text.0.self_attn": mha,
            "layers.text.0.linear1": {"weight": (16, 8), "bias": (16,)},
            "layers.text.0.linear2": {"weight": (8, 16), "bias": (8,)},
            "layers.text.0.norm1": norm,
            "layers.text.0.norm2": norm,
        },
        "gated": {"features.text": {"weight": (8, 8)}},
        "late": {"weight_logits": (1,), "projections.text": {"weight": (8, 8), "bias": (8,)}},
    }
    options: dict[str, dict[str, Any]] = {
        "attention": small,
        "cross_attention": small | {"kernel": 3, "self_layers": 1},
        "bottleneck": small | {"layers": 1, "fuse_from": 0, "tokens": 2, "hidden": 2},
    }
    for name, modules in expected.items():
        flat: dict[str, tuple[int, ...]] = {}
        for module, parameters in modules.items():
            if isinstance(parameters, tuple):
                flat[module] = parameters
            else:
                flat |= {f"{module}.{parameter}": shape for parameter, shape in parameters.items()}
        fusion = make(name, {"text": 8}, **options.get(name, {}))
        assert {n: tuple(p.shape) for n, p in fusion.state_dict().items()} == flat
