"""Training a stack to the end: members leave as they finish, and any moment may be the last one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from affuse.fusion.pooling import Pooled
from affuse.models.layers import Standardiser
from affuse.training.failures import NonFiniteLoss
from affuse.training.stacked.inputs import PooledInputs, SequenceInputs, StackInputs, pooled_table
from affuse.training.stacked.member import Member
from affuse.training.stacked.network import loss_shape, pools
from affuse.training.stacked.stack import Stack, Stopped
from affuse.training.stacked.state import load_state, save_state

SAVE_EVERY = 20.0  # seconds; more where saving takes longer than SAVE_SHARE of the time
SAVE_SHARE = 0.02


@dataclass
class Saving:
    """When states are written.

    Args:
        every: Seconds between two times; 0: after each epoch, however long it takes.
    """

    every: float = field(default_factory=lambda: SAVE_EVERY)
    last: float = field(default_factory=time.monotonic)

    def is_due(self) -> bool:
        """Whether it is time."""
        return time.monotonic() - self.last >= self.every

    def save(self, stack: Stack) -> None:
        """Write every run's state, and wait longer for the next time if that took long."""
        began = time.monotonic()
        for run, member in enumerate(stack.members):
            save_state(member.run.folder.stacked_state, member, stack.weights(run))
        self.last = time.monotonic()
        if self.every:
            self.every = max(self.every, (self.last - began) / SAVE_SHARE)


def train_stack(
    members: Sequence[Member],
    device: str = "cpu",
    report: Callable[[Member], None] = lambda member: None,
    stopped: Callable[[], bool] = lambda: False,
    saving: Saving | None = None,
) -> Iterator[tuple[Member, NonFiniteLoss | None]]:
    """Train runs side by side, and yield each as it ends: whole, early, or with the error that ended it.

    A run that ended without an error has the weights of its best epoch in its model. One that goes on from a saved
    state does so at its own epoch, whatever the others' is.

    Args:
        members: Of one shape (``plan.stack_key``), in any order.
        device: cpu or cuda.
        report: Called with a run after each of its epochs.
        stopped: Asked before each step; True ends the training with KeyboardInterrupt. What was saved last stays.
        saving: When states are written.
    """
    saving = saving or Saving()
    for member in members:
        load_state(member.run.folder.stacked_state, member)
    going = sorted(members, key=lambda member: loss_shape(member.run.recipe))
    tables: Tables = {}
    while going:
        for member in [one for one in going if one.is_over]:
            going.remove(member)
            yield _ended(member), None
        if not going:
            return
        stack = Stack(going, _inputs(going, device, tables), device, stopped)
        failed: list[tuple[Member, NonFiniteLoss]] = []
        try:
            while not failed and not any(member.is_over for member in going):
                failed = stack.epoch()
                bad = {id(member) for member, _ in failed}
                for member in going:
                    if id(member) not in bad:
                        report(member)
                if saving.is_due() and not failed:
                    saving.save(stack)
        except (Stopped, KeyboardInterrupt):
            # in the middle of an epoch: its steps are lost, the last saved state is gone on from
            raise KeyboardInterrupt from None
        stack.release()
        for member, error in failed:
            going.remove(member)
            if member.best.weights is not None:
                member.set_weights(member.best.weights)
            member.moments = {}
            yield member, error


Tables = dict[tuple[int, int, int], Mapping[str, Pooled]]


def _ended(member: Member) -> Member:
    assert member.best.weights is not None
    member.set_weights(member.best.weights)
    member.moments = {}  # rows of the whole stack's, which they would keep in memory
    return member


def _inputs(members: Sequence[Member], device: str, tables: Tables) -> StackInputs:
    """Pooled features once per training part (once for all, where nothing is standardised), else the sequences."""
    model = members[0].run.model
    if not pools(model):
        standardisers = [_standardisers(member) for member in members]
        return SequenceInputs(members[0].features, standardisers, device)
    found: list[Mapping[str, Pooled]] = []
    for member in members:
        # folds of one number of two experiments are two training parts, whose features may be the same
        key = id(member.features), id(member.run.experiment), member.run.fold
        if not member.run.model.standardisers:
            key = id(member.features), 0, 0
        if key not in tables:
            pooled = pooled_table(member.run.model, member.features)
            tables[key] = {
                name: Pooled(one.values.to(device), one.present.to(device)) for name, one in pooled.items()
            }
        found.append(tables[key])
    return PooledInputs(found)


def _standardisers(member: Member) -> dict[str, Standardiser]:
    return {
        name: module
        for name, module in member.run.model.standardisers.items()
        if isinstance(module, Standardiser)
    }
