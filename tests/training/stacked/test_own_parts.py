"""Somebody's own fusion, loss and weighting: mapped over the runs where that trains the same, else Lightning's way."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import affuse
from affuse.fusion import Fusion
from affuse.fusion.concat import ConcatFusion
from affuse.fusion.pooling import pool
from affuse.losses import CrossEntropyLoss, TaskLoss
from affuse.parts import registry
from affuse.sequence import FeatureSequence
from affuse.training.fold import train_fold
from affuse.training.stacked.network import pools
from affuse.training.stacked.plan import largest_stack
from affuse.training.stacked.reasons import why_not
from affuse.weighting import Weighting
from frozen_runs import BOTH_TASKS, Place, assert_close, both_ways, bytes_of, cell, prepared, stack


class MeansFusion(Fusion):
    """Knows of one network, and of nothing in ``affuse.layers``."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.join = nn.Linear(sum(widths.values()), 8)
        self.width = 8

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        parts = [pool(sequence, "mean") for sequence in sequences.values()]
        return self.join(torch.cat(parts, dim=-1)).tanh()


class DroppingFusion(MeansFusion):
    """With a dropout that is not affuse's."""

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        return nn.functional.dropout(super().forward(sequences), 0.5, self.training)


class BranchingFusion(MeansFusion):
    """What it computes depends on values."""

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        found = super().forward(sequences)
        return -found if float(found.sum()) > 0 else found


class NormalisingFusion(MeansFusion):
    """Its buffers change in training."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__(widths)
        self.norm = nn.BatchNorm1d(8)

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        return self.norm(super().forward(sequences))


class CenteringFusion(MeansFusion):
    """An utterance's embedding depends on its batch, so on what fills the batch up."""

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        found = super().forward(sequences)
        return found - found.mean(dim=0)


class InheritingFusion(ConcatFusion):
    """``stacks`` is said of another class."""

    def join(self, pooled):  # type: ignore[no-untyped-def]
        found = super().join(pooled)
        return found._replace(embeddings=[one.tanh() for one in found.embeddings])


class DeclaringFusion(MeansFusion):
    """Says that it stacks, and is written for one network."""

    stacks = True


class MixingFusion(Fusion):
    """Says that it stacks, and mixes the runs up without an error."""

    stacks = True

    def __init__(self, widths: Mapping[str, int]) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.rand(1) + 0.5)
        self.width = sum(widths.values())

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        return self.factor.mean() * torch.cat([pool(one, "mean") for one in sequences.values()], dim=-1)


class FocalLoss(TaskLoss):
    """Says that it stacks, and does."""

    reads_logits = True
    stacks = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        log_p = logits.log_softmax(-1).gather(-1, labels[..., None]).squeeze(-1)
        return -(1 - log_p.exp()).square() * log_p


class FirstRowsLoss(CrossEntropyLoss):
    """Says that it stacks, and takes the runs for utterances."""

    stacks = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return super().per_utterance(logits, embedding, labels) * embedding.shape[0]


class DeclaredCountingLoss(CrossEntropyLoss):
    """Says that it stacks, and keeps a buffer that changes only in training."""

    stacks = True

    def __init__(self, num_classes: int, dim: int, reduction: str = "mean") -> None:
        super().__init__(num_classes, dim, reduction)
        self.register_buffer("asked", torch.zeros(1))

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        if self.training:
            self.asked += 1
        return super().per_utterance(logits, embedding, labels)


class DeclaredNoisyFusion(ConcatFusion):
    """Says that it stacks, and draws what is not its run's own."""

    stacks = True

    def join(self, pooled):  # type: ignore[no-untyped-def]
        found = super().join(pooled)
        dropped = [nn.functional.dropout(one, 0.5, self.training) for one in found.embeddings]
        return found._replace(embeddings=dropped)


class OpinionatedFusion(ConcatFusion):
    """Pools, but not all that it does is ``join``."""

    stacks = True

    def opinions(self, sequences):  # type: ignore[no-untyped-def]
        found = super().opinions(sequences)
        return found._replace(embeddings=[2 * one.tanh() for one in found.embeddings])


class BrierLoss(TaskLoss):
    """Knows of one network."""

    reads_logits = True

    def __init__(self, num_classes: int, dim: int, reduction: str = "mean", *, scale: float = 1.0) -> None:
        super().__init__(num_classes, dim, reduction)
        self.scale = scale
        self.prototypes = nn.Parameter(0.1 * torch.randn(num_classes, dim))

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        wanted = torch.nn.functional.one_hot(labels, self.num_classes)
        near = (logits + embedding @ self.prototypes.T).softmax(-1)
        return self.scale * (near - wanted).square().sum(-1)


class SmoothedLoss(CrossEntropyLoss):
    """Trains and measures in two ways."""

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        exact = super().per_utterance(logits, embedding, labels)
        return exact - 0.1 * logits.log_softmax(-1).mean(-1) if self.training else exact


class ForwardLoss(TaskLoss):
    """Written before ``reduced`` was."""

    reads_logits = True

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        return 2 * nn.functional.cross_entropy(logits, labels, ignore_index=-1)


class PairsLoss(CrossEntropyLoss):
    """Every pair of a batch counts, with or without a label."""

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        alike = labels[:, None] == labels
        distances = (embedding[:, None] - embedding).square().sum(-1)
        return super().per_utterance(logits, embedding, labels) + (distances * alike).mean(-1)


class CountingLoss(CrossEntropyLoss):
    """Remembers how often it was asked."""

    def __init__(self, num_classes: int, dim: int, reduction: str = "mean") -> None:
        super().__init__(num_classes, dim, reduction)
        self.register_buffer("asked", torch.zeros(()))

    def per_utterance(self, logits: Tensor, embedding: Tensor, labels: Tensor) -> Tensor:
        self.asked = self.asked + 1
        return super().per_utterance(logits, embedding, labels) / self.asked.sqrt()


class LargestWeighting(Weighting):
    """The larger loss counts alone."""

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        return self.gather(losses)[0].max()

    def weight_vector(self) -> Tensor:
        return torch.full((len(self.tasks),), 0.5)


class NoisyWeighting(LargestWeighting):
    """Draws from the random state that Lightning's way seeds."""

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        values, _ = self.gather(losses)
        return (torch.rand(len(values)) * values).sum()


class BackwardWeighting(LargestWeighting):
    """Does its own backward pass, and says nothing of it."""

    def backward(self, losses, shared, features=(), backward=torch.Tensor.backward):  # type: ignore[no-untyped-def]
        joint = 3 * self(losses)
        backward(joint)
        return joint.detach()


OWN = {
    "fusions": [
        MeansFusion, DroppingFusion, BranchingFusion, NormalisingFusion, CenteringFusion, InheritingFusion,
        DeclaringFusion, MixingFusion, DeclaredNoisyFusion, OpinionatedFusion,
    ],
    "losses": [
        BrierLoss, SmoothedLoss, ForwardLoss, PairsLoss, CountingLoss, DeclaredCountingLoss, FocalLoss, FirstRowsLoss,
    ],
    "weightings": [LargestWeighting, NoisyWeighting, BackwardWeighting],
}  # fmt: skip


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them, which do not outlive a test."""
    monkeypatch.setattr(registry, "_registered", {})
    for family, parts in OWN.items():
        for part in parts:
            affuse.register(family, f"stacking_{part.__name__.lower()}", part)


OWN_FUSION = ["fusion.name=stacking_meansfusion", "fusion.options={}"]
MAPPED = {
    "fusion": OWN_FUSION,
    "a fusion that inherits": ["fusion.name=stacking_inheritingfusion"],
    "a fusion with opinions of its own": ["fusion.name=stacking_opinionatedfusion"],
    "loss": ["loss=stacking_brierloss"],
    "a loss beside another": ["loss=0.5*stacking_brierloss+center", "training.batch_size=7"],
    "a loss that stacks": ["loss=stacking_focalloss+0.1*center", "training.batch_size=7"],
    "a loss that knows training": ["loss=stacking_smoothedloss"],
    "weighting": [BOTH_TASKS, "weighting.name=stacking_largestweighting"],
    "all": [*OWN_FUSION, "loss=stacking_brierloss", "training.batch_size=5"],
}
REFUSED = {
    "dropout": ("fusion.name=stacking_droppingfusion", "'stacking_droppingfusion' cannot be mapped over"),
    "branch": ("fusion.name=stacking_branchingfusion", "'stacking_branchingfusion' cannot be mapped over"),
    "buffers": ("fusion.name=stacking_normalisingfusion", "'stacking_normalisingfusion' c"),
    "batch": ("fusion.name=stacking_centeringfusion", "lets an utterance depend on its batch"),
    "forward": ("loss=stacking_forwardloss", "'stacking_forwardloss' has a forward of its own"),
    "blanks": ("loss=stacking_pairsloss", "'stacking_pairsloss' counts utterances without a label"),
    "state": ("loss=stacking_countingloss", "'stacking_countingloss' changes its asked as it computes"),
    "declared": ("fusion.name=stacking_declaringfusion", "'stacking_declaringfusion' declares stacks, and"),
    "mixed": ("fusion.name=stacking_mixingfusion", "'stacking_mixingfusion' declares stacks, and"),
    "rows": ("loss=stacking_firstrowsloss", "'stacking_firstrowsloss' declares stacks, and"),
    "declared state": ("loss=stacking_declaredcountingloss", "changes its asked as it computes"),
    "declared noise": ("fusion.name=stacking_declarednoisyfusion", "draws from torch's random state"),
    "noise": ("weighting.name=stacking_noisyweighting", "draws from torch's random state"),
    "backward": ("weighting.name=stacking_backwardweighting", "looks at each task's gradient"),
    "gradients": ("weighting.name=pcgrad", "'pcgrad' looks at each task's gradient"),
    "second time": ("weighting.name=famo", "'famo' computes the losses a second time"),
    "lstm": ("fusion.name=lstm", "'lstm' cannot be mapped over"),
    "trained": ("modalities.text.frozen=false", "the encoder of text is trained"),
}


@pytest.mark.parametrize("name", MAPPED)
def test_a_part_that_knows_of_one_network_is_mapped(place: Place, tmp_path: Path, name: str) -> None:
    both_ways(prepared(place, *MAPPED[name]), tmp_path)
    assert_close(tmp_path)


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_stack_would_train_otherwise_goes_lightnings_way(place: Place, name: str) -> None:
    change, reason = REFUSED[name]
    options = ["fusion.options={}"] if "fusion" in change else []
    experiment = prepared(place, BOTH_TASKS, change, *options)
    torch.manual_seed(7)
    before = torch.get_rng_state()
    assert reason in why_not(experiment.recipe, experiment)
    assert torch.equal(before, torch.get_rng_state())  # looking has changed nobody's draws


def test_it_really_trains_there(place: Place, tmp_path: Path) -> None:
    experiment = prepared(place, "fusion.name=stacking_normalisingfusion", "fusion.options={}")
    train_fold(experiment, experiment.recipe, 0, tmp_path / "run")
    norm = affuse.load(tmp_path / "run" / "model").fusion.norm
    assert int(norm.num_batches_tracked) > 0


def test_a_name_that_was_given_to_another_class_is_tried_again(place: Place) -> None:
    """As a notebook's cell that is run a second time."""

    def define(noisy: bool) -> None:
        class Redefined(MeansFusion):
            def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
                found = super().forward(sequences)
                return found + torch.rand_like(found) if noisy else found

        Redefined.__module__, Redefined.__qualname__ = "__main__", "Redefined"
        affuse.register("fusions", "stacking_redefined", Redefined)

    changes = ["fusion.name=stacking_redefined", "fusion.options={}"]
    define(noisy=True)
    experiment = prepared(place, *changes)
    assert "cannot be mapped" in why_not(experiment.recipe, experiment)
    define(noisy=False)
    assert why_not(experiment.recipe, experiment) == ""


def test_a_mapped_fusion_is_not_padded_for_its_neighbours(place: Place) -> None:
    """Whatever it inherits: what it does with padding is its own, so its runs are stacks of one."""
    for name, alone in [("stacking_inheritingfusion", True), ("concat", False)]:
        experiment = prepared(place, f"fusion.name={name}")
        assert (largest_stack(experiment.recipe, experiment.labelled.spaces, "cpu") == 1) == alone
        model = affuse.models.network.Model(experiment.recipe, experiment.labelled.spaces)
        assert pools(model) != alone


def test_runs_with_a_mapped_loss_do_not_depend_on_their_neighbours(place: Place, tmp_path: Path) -> None:
    experiment = prepared(place, "loss=stacking_brierloss", "epochs=4")
    stack([cell(experiment, tmp_path / "alone")])
    changes = [["seed=5"], ["loss=cross_entropy"], ["loss=stacking_smoothedloss"], ["seed=6", "lr=1e-3"]]
    others = [cell(experiment, tmp_path / str(i), *one, fold=i) for i, one in enumerate(changes)]
    stack([*others[:2], cell(experiment, tmp_path / "among"), *others[2:]])
    assert bytes_of(tmp_path / "alone") == bytes_of(tmp_path / "among")
