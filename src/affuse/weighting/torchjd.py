"""Gradient surgery through the TorchJD library: combine the tasks' gradients instead of their losses.

Needs the extra ``affuse[torchjd]``. TorchJD itself brings PCGrad, MGDA and Aligned-MTL; CAGrad (cvxpy,
clarabel), Nash-MTL (cvxpy, ecos) and UPGrad (qpsolvers, quadprog) also need TorchJD's extras of their
names.
"""

from __future__ import annotations

import warnings
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.errors import AffuseError
from affuse.weighting.base import Weighting
from affuse.weighting.randomness import RandomStream

if TYPE_CHECKING:
    from torchjd.aggregation import Aggregator


class GradientSurgery(Weighting):
    """Shared parameters get an aggregate of the tasks' gradients; each head gets its own task's gradient.

    ``backward`` computes the Jacobian of the losses, one row per present task, with respect to ``shared``
    (one backward pass through the shared part per task, and memory for T gradients), and TorchJD combines
    the rows. It needs ``features``. ``forward`` is for logging: the losses under the latest weights, 1/T at
    first. A batch with labels for one task only has nothing to reconcile and is descended as it is.

    Args:
        tasks: The names of the tasks.
        options: What TorchJD's aggregator is made with.

    Raises:
        AffuseError: TorchJD or a solver is missing; in ``backward`` where there are no features or shared parameters,
            and under several processes (TorchJD's gradients bypass their averaging).
    """

    gradient_based: ClassVar[bool] = True
    last: Tensor

    def __init__(self, tasks: Sequence[str], **options: Any) -> None:
        super().__init__(tasks)
        self.options = options
        self._aggregators: dict[int, Aggregator] = {}  # by number of present tasks
        self.register_buffer("last", torch.full((len(self.tasks),), 1 / len(self.tasks)))
        self.aggregator(len(self.tasks))  # a missing solver is named now, not after an hour

    @abstractmethod
    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator for this number of tasks."""

    def aggregator(self, tasks: int) -> Aggregator:
        """The aggregator for this number of present tasks, made once."""
        if tasks not in self._aggregators:
            try:
                self._aggregators[tasks] = self.make(tasks)
            except ImportError as error:
                raise AffuseError(
                    f"The weighting {type(self).__name__} needs TorchJD and its solvers ({error}): "
                    "pip install 'affuse[torchjd]'."
                ) from error
            except ValueError as error:
                raise AffuseError(f"{type(self).__name__} with {self.options}: {error}") from error
        return self._aggregators[tasks]

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        return (self.select(self.last, rows) * values).sum()

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.last

    def backward(
        self,
        losses: Mapping[str, Tensor],
        shared: Sequence[nn.Parameter],
        features: Sequence[Tensor] = (),
        backward: Callable[[Tensor], object] = torch.Tensor.backward,
    ) -> Tensor:
        """As ``Weighting.backward``, by each task's gradient."""
        values, rows = self.gather(losses)
        if len(rows) == 1:
            backward(values[0])
            return values[0].detach()
        trainable = [parameter for parameter in shared if parameter.requires_grad]
        inputs = [feature for feature in features if feature.requires_grad]
        if not trainable or not inputs:
            raise AffuseError(
                f"{type(self).__name__} combines gradients of parameters that the tasks share, and this "
                "model has no trainable one before its heads; use a weighting that needs no gradients, such "
                "as 'static'."
            )
        distributed = torch.distributed.is_available() and torch.distributed.is_initialized()
        if distributed and torch.distributed.get_world_size() > 1:
            raise AffuseError(
                f"{type(self).__name__} cannot average gradients over several processes; train on one device."
            )
        from torchjd.autojac import mtl_backward

        present = [losses[self.tasks[row]] for row in rows]
        # One row at a time: the batched alternative (vmap) fails for cuDNN's LSTM and own autograd functions.
        mtl_backward(present, features=inputs, shared_params=trainable, parallel_chunk_size=1)
        weights = self.aggregate(trainable, rows)
        self.last[rows] = weights.to(self.last.dtype)
        return (weights.to(values) * values.detach()).sum()

    def aggregate(self, shared: list[nn.Parameter], rows: list[int]) -> Tensor:
        """From each parameter's ``.jac`` to its ``.grad``; returns the (present,) weights of the rows."""
        from torchjd.aggregation import GramianWeightedAggregator
        from torchjd.autojac import jac_to_grad

        aggregator = self.aggregator(len(rows))
        if isinstance(aggregator, GramianWeightedAggregator):  # no second copy of the Jacobian
            return jac_to_grad(shared, aggregator, optimize_gramian_computation=True)
        weights = jac_to_grad(shared, aggregator)
        assert weights is not None  # Nash-MTL, the other kind here, weighs rows too
        return weights


class PcGradWeighting(GradientSurgery):
    """PCGrad: each task's gradient loses its component along every other that it conflicts with; then all are summed.

    Yu et al. 2020, "Gradient surgery for multi-task learning" (NeurIPS), algorithm 1.

    Args:
        tasks: The names of the tasks.
        seed: Of the order in which the others are visited (it matters for three tasks and more).

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = PcGradWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    def __init__(self, tasks: Sequence[str], seed: int = 0) -> None:
        super().__init__(tasks, seed=seed)
        self.random = RandomStream(seed)

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import PCGrad

        return PCGrad()

    def aggregate(self, shared: list[nn.Parameter], rows: list[int]) -> Tensor:
        """As ``GradientSurgery.aggregate``, with the weighting's own random stream."""
        # TorchJD draws from the global stream: lend it ours, so that a resumed run draws the same.
        with self.random.drawing() as generator, torch.random.fork_rng(devices=[]):
            torch.set_rng_state(generator.get_state())
            weights = super().aggregate(shared, rows)
            generator.set_state(torch.get_rng_state())
        return weights


class MgdaWeighting(GradientSurgery):
    """MGDA: the shortest vector in the convex hull of the gradients.

    Sener and Koltun 2018, "Multi-task learning as multi-objective optimization" (NeurIPS), algorithm 2. For
    two tasks w_1 = clip((g_2 - g_1) . g_2 / |g_1 - g_2|^2, 0, 1). Leans to the task with the shorter
    gradient.

    Args:
        tasks: The names of the tasks.

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = MgdaWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import MGDA

        return MGDA()


class CaGradWeighting(GradientSurgery):
    """CAGrad: the step within a ball around the mean gradient that helps the worst task most.

    Liu et al. 2021, "Conflict-averse gradient descent for multi-task learning" (NeurIPS): max_d min_i g_i .
    d, |d - g_0| <= c |g_0|.

    Args:
        tasks: The names of the tasks.
        c: Radius of the ball in lengths of the mean gradient, at least 0; 0 is the mean gradient itself.

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = CaGradWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    def __init__(self, tasks: Sequence[str], c: Annotated[float, Field(ge=0)] = 0.4) -> None:
        super().__init__(tasks, c=c)

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import CAGrad

        return CAGrad(**self.options)


class NashMtlWeighting(GradientSurgery):
    """Nash-MTL: the Nash bargaining solution: G G^T a = 1 / a, every task gaining the same relative amount.

    Navon et al. 2022, "Multi-task learning as a bargaining game" (ICML), algorithm 1, solved at every step.

    Args:
        tasks: The names of the tasks.
        max_norm: The longest aggregate (0: no bound).

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = NashMtlWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    solution: Tensor

    def __init__(self, tasks: Sequence[str], max_norm: Annotated[float, Field(ge=0)] = 1.0) -> None:
        super().__init__(tasks, max_norm=max_norm)
        # where the next solution starts, TorchJD's only state that outlives a step
        self.register_buffer("solution", torch.ones(len(self.tasks), dtype=torch.float64))

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import NashMTL

        return NashMTL(n_tasks=tasks, **self.options)

    def aggregate(self, shared: list[nn.Parameter], rows: list[int]) -> Tensor:
        """As ``GradientSurgery.aggregate``, from the last step's solution."""
        state: Any = self.aggregator(len(rows)).weighting
        state.prvs_alpha = self.solution[rows].cpu().numpy()
        # A task without a gradient has no bargain (1 / 0): TorchJD then keeps the last solution. That cvxpy could solve
        # such problems faster were they put otherwise is nothing that a user can change.
        with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "You are solving a parameterized problem that is not DPP")
            weights = super().aggregate(shared, rows)
        self.solution[rows] = torch.as_tensor(state.prvs_alpha).to(self.solution)
        return weights


class AlignedMtlWeighting(GradientSurgery):
    """Aligned-MTL: gradients are made orthogonal and equally long (condition number 1) before their mean is taken.

    Senushkin et al. 2023, "Independent component alignment for multi-task learning" (CVPR), algorithm 1.

    Args:
        tasks: The names of the tasks.
        scale_mode: The common length is the smallest, median or root-mean-square principal component's.

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = AlignedMtlWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    def __init__(self, tasks: Sequence[str], scale_mode: Literal["min", "median", "rmse"] = "min") -> None:
        super().__init__(tasks, scale_mode=scale_mode)

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import AlignedMTL

        return AlignedMTL(**self.options)


class UpGradWeighting(GradientSurgery):
    """UPGrad: each gradient is projected onto the cone of directions that hurt no task; the mean of the projections.

    Quinton and Rey 2024, "Jacobian descent for multi-objective optimization" (arXiv 2406.16232).

    Args:
        tasks: The names of the tasks.

    Raises:
        AffuseError: TorchJD or a solver is missing.

    Examples:
        >>> weighting = UpGradWeighting(["emotion", "gender"])  # needs the extra affuse[torchjd]
        >>> weighting.weights()  # before the first step
        {'emotion': 0.5, 'gender': 0.5}
    """

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__(tasks)

    def make(self, tasks: int) -> Aggregator:
        """TorchJD's aggregator."""
        from torchjd.aggregation import UPGrad

        return UPGrad()
