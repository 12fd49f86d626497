"""What every weighting is: task losses in, one scalar to descend out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.parts.options import Checked

SMALLEST = 1e-8  # what a loss below it counts as, where a rule divides by losses or takes their logarithm


def above_zero(losses: Tensor) -> Tensor:
    """Losses, with ``SMALLEST`` for those that are 0 or nearly 0.

    A solved task would else be given a weight without bound. A negative loss stays as it is: its logarithm is NaN,
    which ends the run with a sentence.

    Examples:
        >>> above_zero(torch.tensor([0.0, 1e-12, 0.5])).tolist()
        [9.99999993922529e-09, 9.99999993922529e-09, 0.5]
    """
    return torch.where(losses.abs() < SMALLEST, SMALLEST, losses)


class Weighting(Checked, nn.Module, ABC):
    """A rule that joins the unweighted losses of several tasks into one scalar.

    A weighting of your own derives from this class and writes ``forward`` and ``weight_vector``; its options are
    parameters of its constructor, after ``tasks``, with annotations and defaults.

    A task that has no labelled utterance in the batch is absent from ``losses``: it is left out, and the
    weights of the others are renormalised where the method's formula normalises over the tasks.

    What is learnt by the trainer's optimiser is an ``nn.Parameter``; all other state is a buffer or extra
    state, so ``state_dict`` resumes a run exactly. In evaluation mode ``forward`` changes no state.

    Losses of two weightings are on two scales: compare runs by each task's unweighted loss.

    Args:
        tasks: The names of the tasks, in the order of every weight vector here.

    Raises:
        AffuseError: There is no task or one is named twice; an argument is missing, unknown, of the wrong kind or
            out of its range.

    Attributes:
        needs_losses_after_step: True where the trainer must compute the losses again for ``after_step``.
        gradient_based: True where ``backward`` looks at each task's gradient; it then replaces ``forward``'s.

    Examples:
        >>> import torch
        >>> class LargestLoss(Weighting):
        ...     def forward(self, losses):
        ...         values, rows = self.gather(losses)
        ...         return values.max()
        ...
        ...     def weight_vector(self):
        ...         return torch.full((len(self.tasks),), torch.nan)  # only the batch knows
        >>> weighting = LargestLoss(["emotion", "gender"])
        >>> weighting({"emotion": torch.tensor(1.2), "gender": torch.tensor(0.5)}).item()
        1.2000000476837158
    """

    needs_losses_after_step: ClassVar[bool] = False
    gradient_based: ClassVar[bool] = False

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        if not self.tasks:
            raise AffuseError("A weighting needs at least one task, and none was given.")
        if len(set(self.tasks)) < len(self.tasks):
            raise AffuseError(f"A task is named twice among {', '.join(self.tasks)}; name each task once.")
        self.index = {task: row for row, task in enumerate(self.tasks)}

    @abstractmethod
    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """One scalar from the scalar loss of each task that the batch has labels for.

        Args:
            losses: Task -> scalar loss, one task at least.

        Returns:
            The joint loss, a scalar.

        Raises:
            AffuseError: An unknown task, no task at all, or a loss that is no scalar.
        """

    @abstractmethod
    def weight_vector(self) -> Tensor:
        """What each loss counts in the joint loss now: its derivative with respect to that loss, (tasks,)."""

    def weights(self) -> dict[str, float]:
        """``weight_vector`` by task name, for the log.

        Where weights depend on the batch, they are those of the last training batch.
        """
        return dict(zip(self.tasks, self.weight_vector().detach().tolist(), strict=True))

    def backward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        features: Sequence[Tensor] = (),
        backward: Callable[[Tensor], object] = torch.Tensor.backward,
    ) -> Tensor:
        """Add the gradient of the joint loss to every parameter's ``.grad``.

        Args:
            losses: Task -> scalar loss.
            shared: ALL trainable parameters upstream of the heads, in the order of the forward pass.
            features: The embedding(s) that feed the heads.
            backward: What the trainer calls instead of ``Tensor.backward``.

        Returns:
            The detached joint loss.
        """
        joint = self(losses)
        backward(joint)
        return joint.detach()

    def end_epoch(self, losses: Mapping[str, float]) -> None:
        """Take note of each task's mean training loss when an epoch ends."""

    def after_step(self, losses: Mapping[str, Tensor]) -> None:
        """Take note of the same batch's losses after the optimiser's step, if ``needs_losses_after_step``."""

    def gather(self, losses: Mapping[str, Tensor]) -> tuple[Tensor, list[int]]:
        """The present losses as one (present,) tensor of at least float32, and their rows among ``tasks``."""
        for task, loss in losses.items():
            if task not in self.index:
                known = ", ".join(self.tasks)
                raise AffuseError(f"The weighting was given a loss for {task!r}, but its tasks are {known}.")
            if loss.ndim:
                shape = tuple(loss.shape)
                raise AffuseError(
                    f"The loss of {task!r} has shape {shape}; give its mean over the batch, a scalar."
                )
        present = [task for task in self.tasks if task in losses]
        if not present:
            raise AffuseError("No task has a labelled utterance in this batch, so there is no loss to weigh.")
        stacked = torch.stack([losses[task] for task in present])
        # a logarithm or a sum of half-precision losses would keep three digits
        stacked = stacked.to(torch.promote_types(stacked.dtype, torch.float32))
        return stacked, [self.index[task] for task in present]

    def select(self, vector: Tensor, rows: list[int]) -> Tensor:
        """(tasks,) -> (present,); no copy to the device when all tasks are present."""
        return vector if len(rows) == len(self.tasks) else vector[rows]
