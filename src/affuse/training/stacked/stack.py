"""A stack at work: epochs of several runs at once.

Shapes: s runs, k steps, b batch, n utterances of a watched part (padded with blanks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from affuse.files import digest
from affuse.layers import Streams
from affuse.losses.base import known
from affuse.training.failures import NonFiniteLoss, not_finite
from affuse.training.random_state import dropout_seed
from affuse.training.stacked.batches import Batches
from affuse.training.stacked.epoch_sums import Sums, Trained
from affuse.training.stacked.inputs import StackInputs
from affuse.training.stacked.member import Member
from affuse.training.stacked.network import StackedNetwork
from affuse.training.stacked.optimizer import StackedAdam
from affuse.training.stacked.scores import answers_of, scores_of
from affuse.training.stacked.weighing import Weighing


class Stack:
    """Runs that train side by side; ``epoch`` does the next one of each.

    Args:
        members: In the order of ``network.loss_shape``. Their models lend their weights until ``release``.
        inputs: Their batches.
        device: Where the networks are.
        stopped: Asked before every step; True ends the epoch with ``Stopped``.
    """

    def __init__(
        self,
        members: Sequence[Member],
        inputs: StackInputs,
        device: str = "cpu",
        stopped: Callable[[], bool] = lambda: False,
    ) -> None:
        self.members, self.inputs, self.device, self.stopped = list(members), inputs, device, stopped
        first = self.members[0].run
        self.tasks = first.recipe.tasks
        self.outputs = first.experiment.labelled.outputs
        self.size = first.recipe.training.batch_size
        self.network = StackedNetwork([member.run.model for member in self.members], device)
        for member in self.members:
            member.weighting.to(device)
        self.optimizer = StackedAdam(
            self.network.slots,
            [member.run.recipe for member in self.members],
            [member.rates for member in self.members],
            [member.moments for member in self.members],
            [member.weighting for member in self.members],
        )
        self.weigh = Weighing([member.weighting for member in self.members], list(self.tasks), device)
        present = inputs.present()
        self.dropping = any(rate for member in self.members for rate in member.dropout.rates.values())
        self.present = (
            [
                torch.stack([present[name].cpu()[member.train.rows] for name in member.dropout.rates], dim=1)
                for member in self.members
            ]
            if self.dropping
            else []
        )
        self.watching = self._watched()

    # an epoch

    def epoch(self) -> list[tuple[Member, NonFiniteLoss]]:
        """Train and validate the next epoch of every run, and close it.

        Returns:
            The runs whose loss became NaN or infinite; their epoch is not closed.

        Raises:
            Stopped: ``stopped`` said so.
        """
        trained = self._train()
        failed = [
            (member, not_finite(value, member.epoch, [member.train.ids[i] for i in places]))
            for member, value, places in trained.not_finite
        ]
        bad = {id(member) for member, _ in failed}
        watched = self._validate() if self.watching is not None else {}
        names = list(self.tasks)
        for run, member in enumerate(self.members):
            if id(member) in bad:
                continue
            means = {
                task: trained.sums[task][run] / count
                for task in names
                if (count := trained.counts[task][run]) > 0
            }
            row = {
                "epoch": member.epoch + 1,
                "lr": member.rates.network,
                "train_joint": trained.joint[run] / trained.labelled[run]
                if trained.labelled[run]
                else float("nan"),
                **{f"train_loss_{task}": mean for task, mean in means.items()},
                **watched.get(run, {}),
                **{f"weight_{task}": weight for task, weight in member.weighting.weights().items()},
                **self._displacements(run),
            }
            if member.end_epoch(row, means):
                member.best.weights = self.weights(run)
        return failed

    def _train(self) -> Trained:
        members = self.members
        batches = Batches.of(
            [member.batches() for member in members], [member.train.rows for member in members], self.size
        )
        labels = {
            task: batches.labels([member.train.labels[task] for member in members]) for task in self.tasks
        }
        there = {task: known(found, 3) for task, found in labels.items()}
        counts = {task: found.sum(-1) for task, found in there.items()}  # (k, s)
        labelled = torch.stack(list(there.values())).any(0).sum(-1)
        kept = self._kept(batches)
        index = batches.index.to(self.device)
        on_device = {task: found.to(self.device) for task, found in labels.items()}
        sums = Sums(list(self.tasks), len(members), self.device)
        weights = {task: found.to(self.device) for task, found in counts.items()}
        everywhere = labelled.to(self.device)
        self.network.train()
        streams = Streams([dropout_seed(member.run.recipe.seed, member.epoch) for member in members])
        rows = batches.real.sum(-1).tolist()
        absent = _absent(counts)
        self.weigh.train(True)
        for step in range(len(index)):
            if self.stopped():
                raise Stopped
            active = [run for run, steps in enumerate(batches.steps) if step < steps]
            streams.rows = rows[step]
            self.network.draw_from(streams)
            with self._autocast():
                n = self._taken(rows[step])
                of_step = {name: found[:, :n] for name, found in kept[step].items()} if kept else None
                losses = self.network(
                    self.inputs.batch(index[step, :, :n], of_step),
                    {task: found[step, :, :n] for task, found in on_device.items()},
                ).by_task
            joint = self.weigh(losses, {task: found[step] for task, found in counts.items()})
            self.optimizer.zero_grad()
            joint.sum().backward()
            self.optimizer.step(active, absent[step])
            sums.add(
                step, joint, losses, everywhere[step], {task: one[step] for task, one in weights.items()}
            )
        return Trained(
            sums.joint.tolist(),
            {task: found.tolist() for task, found in sums.by_task.items()},
            labelled.sum(0).tolist(),
            {task: found.sum(0).tolist() for task, found in counts.items()},
            [
                (
                    members[run],
                    float(sums.bad_value[run]),
                    batches.place[step, run][batches.real[step, run]].tolist(),
                )
                for run, step in enumerate(sums.bad_step.tolist())
                if step >= 0
            ],
        )

    def _taken(self, rows: Sequence[int]) -> int:
        """How many rows of a batch are computed: all, so that shapes do not depend on neighbours, or the real ones.

        A run whose sequences are fused has no neighbours (``plan.largest_stack``), and its rows are costly.
        """
        return self.size if self.network.pools or len(rows) > 1 else rows[0]

    def _kept(self, batches: Batches) -> list[dict[str, Tensor]]:
        """Per step, modality -> (s, b), where modality dropout leaves it; empty where no run has any."""
        if not self.dropping:
            return []
        kept_ksbm = torch.stack(
            [
                member.dropout.kept(present_nm, member.epoch)[batches.place[:, run]]
                for run, (member, present_nm) in enumerate(zip(self.members, self.present, strict=True))
            ],
            dim=1,
        ).to(self.device)
        names = list(self.members[0].dropout.rates)
        return [dict(zip(names, step.unbind(-1), strict=True)) for step in kept_ksbm]

    # validation

    def _watched(self) -> Batches | None:
        """The batches of the watched parts; they are the same after every epoch."""
        if not any(len(member.watching.ids) for member in self.members):
            return None
        return Batches.of(
            [member.watched_order for member in self.members],
            [member.watching.rows for member in self.members],
            self.size,
        )

    @torch.no_grad()
    def _validate(self) -> dict[int, dict[str, float]]:
        """Run -> its columns of ``metrics.csv``, of the runs that have a watched part."""
        batches = self.watching
        assert batches is not None
        labels = {
            task: batches.labels([member.watching.labels[task] for member in self.members])
            for task in self.tasks
        }
        counts = {task: known(found, 3).sum(-1) for task, found in labels.items()}
        index = batches.index.to(self.device)
        on_device = {task: found.to(self.device) for task, found in labels.items()}
        self.network.eval()
        self.weigh.train(False)
        losses: dict[str, list[Tensor]] = {task: [] for task in self.tasks}
        told: dict[str, list[Tensor]] = {task: [] for task in self.tasks}
        joint: list[Tensor] = []
        by_batch = any(member.run.recipe.training.criterion == "last_batch" for member in self.members)
        rows_of = batches.real.sum(-1).tolist()
        for step in range(len(index)):
            with self._autocast():
                n = self._taken(rows_of[step])
                found = self.network(
                    self.inputs.batch(index[step, :, :n]),
                    {task: one[step, :, :n] for task, one in on_device.items()},
                    wanted=True,
                )
            for task, choice in self.tasks.items():
                losses[task].append(found.by_task[task])
                answers = answers_of(choice, (found.told or {})[task])
                behind = (0, 0) * (answers.dim() - 2)  # of a row per utterance
                told[task].append(functional.pad(answers, (*behind, 0, self.size - n)))
            if by_batch:
                joint.append(self.weigh(found.by_task, {task: one[step] for task, one in counts.items()}))
        rows: dict[int, dict[str, float]] = {run: {} for run, steps in enumerate(batches.steps) if steps}
        for task in self.members[0].run.model.tasks:
            n = counts[task].sum(0).tolist()
            total = (torch.stack(losses[task]).double().cpu() * counts[task]).sum(0).tolist()
            answers = torch.stack(told[task], 1).flatten(1, 2)
            scored = batches.labels([member.watching.scored[task] for member in self.members])
            there = known(scored, 3).sum((0, -1)).tolist()
            wanted = scored.to(self.device).transpose(0, 1).flatten(1, 2)
            scores = scores_of(self.tasks[task], answers, wanted, self.outputs[task])
            listed = {name: of_runs.tolist() for name, of_runs in scores.items()}
            for run, row in rows.items():
                part = self.members[run].watched
                if n[run]:
                    row[f"{part}_loss_{task}"] = total[run] / n[run]
                if there[run]:
                    row |= {f"{part}_{name}_{task}": of_runs[run] for name, of_runs in listed.items()}
        if by_batch:
            values = torch.stack(joint).double().cpu()
            for run, row in rows.items():
                self._add_last_batch(row, run, values[: batches.steps[run], run].tolist(), counts, batches)
        return rows

    def _add_last_batch(
        self, row: dict[str, float], run: int, joint: list[float], counts: dict[str, Tensor], batches: Batches
    ) -> None:
        """The part is not shuffled here, so which batch would be last is drawn."""
        member = self.members[run]
        if member.run.recipe.training.criterion != "last_batch":
            return
        seed = digest(str(member.run.recipe.seed), "last batch", str(member.epoch))
        draw = int(seed[:15], 16) % batches.steps[run]
        labelled = any(int(count[draw, run]) for count in counts.values())
        row[f"{member.watched}_last_batch"] = joint[draw] if labelled else float("inf")

    # what a run takes with it

    def weights(self, run: int) -> dict[str, Tensor]:
        """A copy of a run's parameters, by their names in its model."""
        return {
            slot.name: slot.parameter.detach()[run - slot.first].cpu().clone()
            for slot in self.network.slots
            if run in slot.runs
        }

    def release(self) -> None:
        """Give every run its weights back."""
        for run, member in enumerate(self.members):
            member.set_weights(self.weights(run))

    def _displacements(self, run: int) -> dict[str, float]:
        """How far each task's centers have moved, the mean over the classes."""
        member = self.members[run]
        if not member.first_centers:
            return {}
        found: dict[str, float] = {}
        for slot in self.network.slots:
            if slot.name in member.first_centers and run in slot.runs:
                centers = slot.parameter.detach()[run - slot.first].cpu()
                moved = (centers - member.first_centers[slot.name]).norm(dim=1).mean()
                name = slot.name.removeprefix("losses.").removesuffix(".centers")
                found[f"center_displacement_{name}"] = float(moved)
        return found

    def _autocast(self) -> AbstractContextManager[Any]:
        if self.members[0].run.recipe.training.precision == "32-true":
            return nullcontext()
        return torch.autocast(self.device.split(":")[0], torch.bfloat16)


def _absent(counts: dict[str, Tensor]) -> list[dict[int, list[str]]]:
    """Per step, run -> the tasks that its batch has no label for, of the runs that have such a task.

    Args:
        counts: Task -> (k, s) labels.
    """
    steps, _ = next(iter(counts.values())).shape
    found: list[dict[int, list[str]]] = [{} for _ in range(steps)]
    for task, count in counts.items():
        for step, run in (count == 0).nonzero().tolist():
            found[step].setdefault(run, []).append(task)
    return found


class Stopped(Exception):
    """Somebody asked the stack to stop."""
