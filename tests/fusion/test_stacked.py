"""Several networks at once are each of them alone: values, gradients and dropout; and to the bit in any stack."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from affuse.fusion.base import Fusion
from affuse.losses import CenterLoss, ContrastiveCenterLoss, CrossEntropyLoss
from affuse.losses.base import TaskLoss
from affuse.models.layers import TaskHead
from affuse.parts.registry import PARTS, get
from affuse.recipe import Head
from affuse.sequence import FeatureSequence
from stacks import draw_from, gradients, set_rates, stack

WIDTHS = {"text": 12, "audio": 8, "face": 5}
FUSIONS: list[tuple[str, dict[str, Any]]] = [
    ("concat", {"width": 8}),
    ("concat", {"width": 8, "pool": {"text": "first", "audio": "sum", "face": "mean_std"}}),
    ("gated", {"width": 8}),
    ("gated", {"width": 8, "gates": "independent"}),
    ("late", {"width": 8}),
    ("attention", {"width": 8, "heads": 2}),
    ("attention", {"width": 8, "heads": 4, "pool": "first", "attend": ["text", "audio"]}),
    ("cross_attention", {"width": 8, "heads": 2, "layers": 2, "self_layers": 1}),
    ("cross_attention", {"width": 6, "heads": 2, "layers": 1, "self_layers": 1, "kernel": 3, "pool": "mean"}),
    ("bottleneck", {"width": 8, "heads": 2, "layers": 3, "fuse_from": 1, "tokens": 2}),
]
Losses = list[tuple[type[TaskLoss], dict[str, Any]]]
LOSSES: Losses = [
    (CrossEntropyLoss, {}),
    (CenterLoss, {}),
    (CenterLoss, {"squared": False, "trained": False}),
    (ContrastiveCenterLoss, {}),
    (ContrastiveCenterLoss, {"ratio_of_sums": True, "theta": 1e-6, "scale": 10.0}),
]
HEADS = [{"hidden": None, "activation": "none"}, {"hidden": 7, "activation": "leaky_relu"}]
CLASSES = 4
RATES = (0.3, 0.0, 0.5)
SEEDS = (11, 12, 13)
Batch = tuple[dict[str, FeatureSequence], Tensor]


class Net(nn.Module):
    """Fusion, head and loss, as the network of a recipe has them."""

    def __init__(self, fusion: Fusion, losses: list[TaskLoss], head: dict[str, Any]) -> None:
        super().__init__()
        self.fusion, self.losses = fusion, nn.ModuleList(losses)
        self.head = TaskHead(fusion.width, CLASSES, Head(dropout=0.5, **head))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        sequences, labels = batch
        opinions = self.fusion.opinions(sequences)
        logits, embedding = opinions.logits(self.head), opinions.embedding()
        losses = torch.stack([loss.reduced(logits, embedding, labels) for loss in self.losses], dim=-1)  # type: ignore[operator]
        return {"embedding": embedding, "logits": logits, "loss": losses}


def make(
    fusion: tuple[str, dict[str, Any]],
    losses: Losses = LOSSES[:1],
    head: dict[str, Any] = HEADS[1],
    widths: dict[str, int] = WIDTHS,
    *,
    seed: int,
) -> Net:
    torch.manual_seed(seed)
    kind = get("fusions", fusion[0])
    built = kind(widths, kind.Options(**fusion[1]))
    return Net(built, [loss(CLASSES, built.width, **given) for loss, given in losses], head)


def batch_of(seed: int, rows: int = 6, widths: dict[str, int] = WIDTHS) -> Batch:
    """Padded to the same shape for every seed; row 0 has every step, others lack modalities, labels are blank too."""
    torch.manual_seed(100 + seed)
    sequences = {}
    for steps, (name, width) in enumerate(widths.items(), start=3):
        lengths = torch.randint(0, steps + 1, (rows,))
        lengths[0] = steps
        mask = torch.arange(steps) < lengths[:, None]
        sequences[name] = FeatureSequence(torch.randn(rows, steps, width) * mask[..., None], mask)
    labels = torch.randint(-1, CLASSES, (rows,))
    labels[0] = 1
    return sequences, labels


def stack_batches(batches: Sequence[Batch]) -> Batch:
    sequences = {
        name: FeatureSequence(
            torch.stack([b[0][name].values for b in batches]), torch.stack([b[0][name].mask for b in batches])
        )
        for name in batches[0][0]
    }
    return sequences, torch.stack([b[1] for b in batches])


def double(batch: Batch) -> Batch:
    return {n: FeatureSequence(s.values.double(), s.mask) for n, s in batch[0].items()}, batch[1]


def step(net: Net, batch: Batch) -> dict[str, Tensor]:
    """Everything that one training step gives, gradients included."""
    found = net(batch)
    found["loss"].sum().backward()
    return {name: tensor.detach() for name, tensor in found.items()} | gradients(net)


def check_alone(nets: list[Net], train: bool) -> None:
    batches = [double(batch_of(i)) for i in range(len(nets))]
    for net, rate in zip(nets, RATES, strict=True):
        net.double().train(train)
        set_rates(net, rate)
    together = stack(nets)
    draw_from(together, SEEDS)
    found = step(together, stack_batches(batches))
    for i, (net, batch, seed) in enumerate(zip(nets, batches, SEEDS, strict=True)):
        draw_from(net, [seed])
        alone = step(net, batch)
        assert set(alone) == set(found)
        for name, expected in alone.items():
            torch.testing.assert_close(found[name][i], expected, rtol=1e-5, atol=1e-10, msg=f"{name} of {i}")


def test_every_fusion_that_stacks_is_here() -> None:
    assert {name for name, _ in FUSIONS} == {n for n in PARTS["fusions"] if get("fusions", n).stacks}


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("fusion", FUSIONS)
def test_fusions_in_a_stack(fusion: tuple[str, dict[str, Any]], train: bool) -> None:
    check_alone([make(fusion, seed=i) for i in range(3)], train)


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("loss", LOSSES)
def test_losses_and_heads_in_a_stack(
    loss: tuple[type[TaskLoss], dict[str, Any]], head: dict[str, Any], train: bool
) -> None:
    for fusion in (FUSIONS[0], FUSIONS[4]):
        check_alone([make(fusion, [loss], head, seed=i) for i in range(3)], train)


def test_a_batch_without_labels_or_modalities_is_finite() -> None:
    for fusion in FUSIONS:
        nets = [make(fusion, seed=i).train() for i in range(2)]
        sequences, labels = stack_batches([batch_of(0), batch_of(1)])
        sequences = {n: s.keep(torch.tensor([[True], [False]]).expand(2, 6)) for n, s in sequences.items()}
        together = stack(nets)
        draw_from(together, SEEDS[:2])
        found = step(together, (sequences, torch.stack([labels[0], torch.full_like(labels[1], -1)])))
        assert (found["loss"][1] == 0).all()
        assert all(torch.isfinite(tensor).all() for tensor in found.values())


STACKS = ([3], [1, 2], [4, 3, 2, 1, 0])
POOLED = [f for f in FUSIONS if f[0] in ("concat", "gated", "late") and "pool" not in f[1]]


@pytest.mark.parametrize(("rows", "threads"), [(32, 1), (2, 1), (5, 1), (1, 1), (5, 2)])
@pytest.mark.parametrize("fusion", POOLED)
def test_a_run_has_the_same_bits_in_every_stack(
    fusion: tuple[str, dict[str, Any]], rows: int, threads: int
) -> None:
    """Odd widths too, where rows of a matrix begin anywhere in memory, and stacks of one."""
    name, options = fusion
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for widths, width, head in (
            ({"text": 13, "audio": 33, "face": 7}, 13, HEADS[1]),
            ({"text": 64, "audio": 33, "face": 40}, 33, HEADS[0]),
            ({"text": 96, "audio": 32, "face": 16}, 32, HEADS[0]),
        ):
            sized = (name, options | {"width": width})
            nets = [make(sized, LOSSES, head, widths, seed=i).train() for i in range(5)]
            check_bits(nets, [batch_of(i, rows, widths) for i in range(5)])
    finally:
        torch.set_num_threads(before)


def check_bits(nets: list[Net], batches: list[Batch]) -> None:
    whole = bits(nets, batches, range(len(nets)))
    for runs in STACKS:
        found = bits(nets, batches, runs)
        assert set(found) == set(whole)
        for place, run in enumerate(runs):
            for key, value in found.items():
                assert torch.equal(value[place], whole[key][run]), f"{key} of run {run} in {runs}"


def bits(nets: list[Net], batches: list[Batch], runs: Sequence[int]) -> dict[str, Tensor]:
    together = stack([nets[run] for run in runs])
    draw_from(together, list(runs))
    return step(together, stack_batches([batches[run] for run in runs]))
