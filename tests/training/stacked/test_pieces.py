"""The pieces of stacked training, each derived a second way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from affuse.fusion.pooling import PooledFusion
from affuse.layers import Dropout, Streams
from affuse.losses import TaskLoss
from affuse.models.network import Model
from affuse.recipe import Recipe
from affuse.sequence import pad
from affuse.training.run import Wanted, begin_run
from affuse.training.stacked.batches import Batches
from affuse.training.stacked.features import Features, Packed
from affuse.training.stacked.inputs import pooled_table
from affuse.training.stacked.member import Member
from affuse.training.stacked.modules import MappedLoss
from affuse.training.stacked.network import Slot
from affuse.training.stacked.optimizer import Moments, Rates, StackedAdam
from affuse.training.stacked.plan import cut
from affuse.training.stacked.runs import features_of
from affuse.training.stacked.training import train_stack
from affuse.training.standardise import fit_standardisers
from frozen_runs import Place, prepared


def test_batches_of_runs_with_other_numbers_of_them() -> None:
    orders = [[[2, 0], [1]], [[0]], []]
    rows = [np.array([10, 11, 12]), np.array([20]), np.array([], dtype=np.int64)]
    batches = Batches.of(orders, rows, 3)
    assert batches.steps == [2, 1, 0]
    assert batches.index.shape == batches.place.shape == batches.real.shape == (2, 3, 3)
    for run, order in enumerate(orders):
        for step in range(2):
            batch = order[step] if step < len(order) else []
            real = batches.real[step, run]
            assert real.tolist() == [i < len(batch) for i in range(3)]
            assert batches.index[step, run][real].tolist() == [int(rows[run][i]) for i in batch]
            filled = set(batches.place[step, run][~real].tolist())
            assert filled <= {batch[0] if batch else 0}
    codes = [torch.tensor([0, -1, 2]), torch.tensor([1]), torch.tensor([], dtype=torch.int64)]
    labels = batches.labels(codes)
    assert labels[0].tolist() == [[2, 0, -1], [1, -1, -1], [-1, -1, -1]]
    assert labels[1].tolist() == [[-1, -1, -1]] * 3
    ratings = [code.float() for code in codes]
    found = batches.labels(ratings)
    assert found[0, 0].tolist()[:2] == [2.0, 0.0]
    assert torch.equal(found.isnan(), ~batches.real)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_rows_of_packed_features_are_padded_as_a_batch_is(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    clips = [torch.randn(n, 2, 3, generator=random).to(dtype) if n else None for n in (3, 0, 1, 5, 2)]

    class Source:
        ids = ("a", "b", "c", "d", "e")

        def load(self, id: str) -> Tensor | None:
            return clips[self.ids.index(id)]

    features = Features.load(
        {"one": Source()}, Source.ids, "bfloat16" if dtype == torch.bfloat16 else "float32"
    )
    packed = features.packed["one"]
    assert packed.steps.dtype == dtype
    assert features.lengths.tolist() == [3, 0, 1, 5, 2]
    index = torch.tensor([[4, 1, 0], [2, 2, 1]])
    found = packed.rows(index)
    assert found.values.dtype == torch.float32
    for run in range(2):
        chosen = [None if clips[i] is None else clips[i].float() for i in index[run].tolist()]
        expected = pad(chosen)
        t = expected.mask.shape[1]
        assert torch.equal(found.values[run, :, :t], expected.values)
        assert torch.equal(found.mask[run, :, :t], expected.mask)
        assert not found.mask[run, :, t:].any()
        assert not found.values[run, :, t:].any()
    nothing = packed.rows(torch.tensor([1, 1]))
    assert nothing.values.shape == (2, 1, 2, 3)
    assert not nothing.mask.any()
    again = features.sources()["one"]
    for id, clip in zip(Source.ids, clips, strict=True):
        back = again.load(id)
        assert (back is None and clip is None) or torch.equal(back, clip.float())


@pytest.mark.parametrize("how", ["mean", "sum", "first", "mean_std"])
@pytest.mark.parametrize("fusion", ["concat", "gated", "late"])
def test_the_pooled_table_is_what_the_model_pools_of_each_clip(place: Place, fusion: str, how: str) -> None:
    pooling = f"{{text: {how}, audio: {how}}}"
    experiment = prepared(place, f"fusion.name={fusion}", f"fusion.options={{width: 16, pool: {pooling}}}")
    features = features_of(experiment, experiment.recipe)
    model = Model(experiment.recipe, experiment.labelled.spaces)
    assert isinstance(model.fusion, PooledFusion)
    fit_standardisers(model, features.sources(), experiment.roles(0)["train"])
    table = pooled_table(model, features)
    for number, id in enumerate(features.ids):
        clips = {
            name: pad([clip])
            for name, source in features.sources().items()
            if (clip := source.load(id)) is not None
        }
        alone = model.fusion.pool(model.encode(clips))
        for name, pooled in alone.items():
            assert bool(pooled.present) == bool(table[name].present[number]) == (name in clips)
            torch.testing.assert_close(table[name].values[number], pooled.values[0], rtol=1e-5, atol=1e-5)


SHAPES = {
    "fusion.join.weight": (3, 4),
    "heads.emotion.1.bias": (4,),
    "losses.emotion.terms.1.centers": (2, 3),
}
LAMBDAS = "weighting.log_variances"


def recipes() -> list[Recipe]:
    both = ["tasks.gender.loss=cross_entropy", "weighting.name=uncertainty"]
    return [
        Recipe.load("server", [*both, *changes])
        for changes in (
            ["lr=0.1", "optimizer.centers_lr=0.3", "weighting.lr=0.02", "optimizer.weight_decay=0.2"],
            ["lr=0.1", "optimizer.clip_norm=0.5", "training.schedule={every: 2, factor: 0.1}"],
            [
                "lr=0.03", "optimizer.clip_norm=100", "training.schedule={every: 1, factor: 0.5}",
                "weighting.scheduled=false",
            ],
        )
    ]  # fmt: skip


class Lambdas(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_variances = nn.Parameter(torch.randn(2))


def test_adam_of_a_stack_is_torchs_of_each_run() -> None:
    """Rates, decay, clipping and schedules of a run's own; steps that a run does not take; a task without labels."""
    torch.manual_seed(0)
    chosen = recipes()
    stacked = {name: nn.Parameter(torch.randn(3, *shape)) for name, shape in SHAPES.items()}
    weightings = [Lambdas() for _ in chosen]
    alone = [
        {name: nn.Parameter(parameter.detach()[run].clone()) for name, parameter in stacked.items()}
        | {LAMBDAS: nn.Parameter(weightings[run].log_variances.detach().clone())}
        for run in range(3)
    ]
    rates = [Rates(recipe) for recipe in chosen]
    slots = [Slot(name, parameter, 0) for name, parameter in stacked.items()]
    assert [slot.task for slot in slots] == [None, "emotion", "emotion"]
    ours = StackedAdam(slots, chosen, rates, [{}, {}, {}], weightings)
    theirs = []
    for recipe, own in zip(chosen, alone, strict=True):
        choice = recipe.optimizer
        network = [p for name, p in own.items() if name not in (LAMBDAS, "losses.emotion.terms.1.centers")]
        theirs.append(
            torch.optim.Adam([
                {"params": network, "lr": choice.lr, "weight_decay": choice.weight_decay},
                {"params": [own["losses.emotion.terms.1.centers"]], "lr": choice.centers_lr},
                {"params": [own[LAMBDAS]], "lr": recipe.weighting.lr or choice.lr},
            ])
        )  # fmt: skip
    for epoch in range(1, 5):
        for step in range(3):
            active = [run for run in range(3) if (run + step) % 3 or epoch == 1]
            absent = {1: ["emotion"]} if step == 1 else {}
            ours.zero_grad()
            for name, parameter in stacked.items():
                parameter.grad = torch.randn_like(parameter)
                for run in range(3):
                    gone = "emotion" in name and "emotion" in absent.get(run, ())
                    alone[run][name].grad = None if gone else parameter.grad[run].clone()
            for run, weighting in enumerate(weightings):
                weighting.log_variances.grad = torch.randn(2)
                alone[run][LAMBDAS].grad = weighting.log_variances.grad.clone()
            ours.step(active, absent)
            for run in active:
                bound = chosen[run].optimizer.clip_norm
                if bound is not None:
                    torch.nn.utils.clip_grad_norm_(alone[run].values(), bound)
                theirs[run].step()
            for run in range(3):
                for name, parameter in stacked.items():
                    torch.testing.assert_close(
                        parameter.detach()[run], alone[run][name].detach(), rtol=1e-5, atol=1e-6
                    )
                torch.testing.assert_close(
                    weightings[run].log_variances.detach(), alone[run][LAMBDAS].detach()
                )
        for run, recipe in enumerate(chosen):
            rates[run].end_epoch(epoch)
            schedule = recipe.training.schedule
            factor = 1.0 if schedule is None or epoch % schedule.every else schedule.factor
            for number, group in enumerate(theirs[run].param_groups):
                group["lr"] *= factor if number < 2 or recipe.weighting.scheduled else 1.0


def test_adam_goes_on_from_its_moments() -> None:
    """A second optimiser that is given the first one's moments repeats what one optimiser does."""
    recipe = recipes()[0]
    torch.manual_seed(0)
    start, grads = torch.randn(1, 4), torch.randn(6, 1, 4)
    found = []
    for cuts in ([6], [2, 4]):
        parameter, moments = nn.Parameter(start.clone()), [dict[str, Moments]()]
        steps = iter(grads)
        for count in cuts:
            adam = StackedAdam(
                [Slot("fusion.x", parameter, 0)], [recipe], [Rates(recipe)], moments, [nn.Module()]
            )
            for _ in range(count):
                parameter.grad = next(steps).clone()
                adam.step([0])
            parameter = nn.Parameter(parameter.detach().clone())
        found.append(parameter.detach())
    assert torch.equal(*found)


@pytest.mark.parametrize(("every", "factor"), [(1, 0.1), (3, 0.3), (30, 0.1)])
def test_rates_have_the_digits_of_torchs_schedule(every: int, factor: float) -> None:
    recipe = Recipe.load("server", [f"training.schedule={{every: {every}, factor: {factor}}}", "lr=0.007"])
    rates = Rates(recipe)
    optimizer = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.007)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, every, factor)
    for epoch in range(1, 100):
        optimizer.step()
        schedule.step()
        rates.end_epoch(epoch)
        assert rates.network == optimizer.param_groups[0]["lr"]
        assert rates.weighting == rates.network


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_drops_its_share_and_keeps_the_mean(rate: float) -> None:
    n = 200_000
    dropped = Streams([3, 4]).drop(torch.ones(2, 100, n // 100), [rate, rate])
    for run in dropped:
        share = float((run == 0).double().mean())
        deviation = (rate * (1 - rate) / n) ** 0.5
        assert abs(share - rate) < 5 * deviation
        assert abs(float(run.double().mean()) - 1) < 5 * deviation / (1 - rate)
    both = float(((dropped[0] == 0) & (dropped[1] == 0)).double().mean())
    assert abs(both - rate**2) < 5 * (rate**2 * (1 - rate**2) / n) ** 0.5  # independent of each other


def test_dropout_is_a_runs_own() -> None:
    """Whatever the neighbours' rates, seeds and number of real rows; nothing is drawn for rows that fill up."""
    x = torch.rand(3, 6, 5) + 1
    rates, seeds, rows = [0.3, 0.0, 0.6], [7, 8, 9], [6, 2, 4]
    together = Streams(seeds)
    together.rows = rows
    first, second = together.drop(x, rates), together.drop(x, rates)
    assert torch.equal(first[1], x[1])
    for run in (0, 2):
        alone = Streams([seeds[run]])
        for found in (first, second):
            cut = x[run : run + 1, : rows[run]]
            assert torch.equal(found[run, : rows[run]], alone.drop(cut, [rates[run]])[0])
        assert torch.equal(
            first[run, rows[run] :] == 0, torch.zeros_like(x[run, rows[run] :], dtype=torch.bool)
        )
    layer = Dropout(0.3).train()
    layer.streams = Streams([7])
    assert torch.equal(layer(x[0]), first[0])


def test_stacks_are_cut_evenly_and_hold_everything_once() -> None:
    for n in range(30):
        for largest in (1, 3, 7):
            for jobs in (1, 2, 5):
                items = list(range(n))
                parts = cut(items, largest, jobs, lambda item: str(item % 3))
                assert sorted(item for part in parts for item in part) == items
                sizes = [len(part) for part in parts if part]
                assert len(sizes) == len(parts) or n == 0
                if n:
                    assert max(sizes) <= largest
                    assert max(sizes) - min(sizes) <= 1
                    assert len(sizes) >= min(jobs, n)
                order = [item % 3 for part in parts for item in part]
                assert order == sorted(order)


def test_one_packed_modality_is_missing_everywhere_in_a_batch() -> None:
    packed = Packed(torch.zeros(1, 4), torch.zeros(3, dtype=torch.int64), torch.zeros(3, dtype=torch.int64))
    found = packed.rows(torch.tensor([[0, 2]]))
    assert found.values.shape == (1, 2, 1, 4)
    assert not found.mask.any()


def test_a_run_that_has_ended_keeps_no_moments_of_its_stack(place: Place, tmp_path: Path) -> None:
    """They are rows of tensors of all runs, one generation for every run that leaves."""
    experiment = prepared(place)
    features = features_of(experiment, experiment.recipe)
    members: list[Member] = []
    for epochs in (1, 2, 3):
        recipe = experiment.recipe.changed([f"epochs={epochs}"])
        run = begin_run(experiment, recipe, 0, tmp_path / str(epochs), Wanted(), features.sources())
        members.append(Member(run, features))
    for ended, (member, error) in enumerate(train_stack(members), start=1):
        assert error is None
        assert [bool(one.moments) for one in members] == [False] * ended + [True] * (3 - ended)
        assert member is members[ended - 1]


class DrawnTargets(TaskLoss):
    """Knows of one network; its buffer is drawn with the network, and no file holds it."""

    reads_logits = True

    def __init__(self, num_classes: int, dim: int) -> None:
        super().__init__(num_classes, dim)
        self.register_buffer("targets", torch.rand(num_classes, num_classes), persistent=False)

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return (logits - self.targets[labels]).square().sum(-1)


def test_every_run_of_a_mapped_part_has_its_own_buffers() -> None:
    pair = [DrawnTargets(3, 2), DrawnTargets(3, 2)]
    logits, labels = torch.randn(2, 4, 3), torch.tensor([[0, 2, 1, 1], [1, 0, -1, 2]])
    found = MappedLoss(pair).reduced(logits, torch.zeros(2, 4, 2), labels)
    for run, one in enumerate(pair):
        torch.testing.assert_close(found[run], one.reduced(logits[run], torch.zeros(4, 2), labels[run]))
