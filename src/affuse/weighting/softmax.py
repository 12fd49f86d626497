"""The second paper's dynamic joint loss: weights that are a softmax of learnt logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from affuse.weighting.base import Weighting


class SoftmaxWeighting(Weighting):
    """The second paper's dynamic joint loss: weights that are a softmax of learnt logits.

    sum_i w_i L_i with w = softmax(logits), the logits descending the same sum.

    Chae et al. 2018, "End-to-end multimodal emotion and gender recognition with dynamic joint loss weights",
    eqs. 1 to 3; the logits are the paper's balancing factors lambda and start at zero.

    d joint / d logit_i = w_i (L_i - joint), for two tasks w_e w_g (L_e - L_g) and its negative: descent
    RAISES the weight of the task whose loss is already smaller. With a constant gap D = L_e - L_g, z =
    logit_g - logit_e obeys z + sinh z = D t under gradient flow, so there is no optimum: what the weights
    come to measures learning rate, schedule and steps.

    ``entropy`` = T > 0 adds T sum_i w_i log w_i, which has the bounded optimum w_i = exp(-L_i / T) / Z. It
    is part of the returned joint loss.

    With a task absent the softmax is over the others: were it not, the absent task would count as solved (L
    = 0) and draw the weight to itself.

    Args:
        tasks: The names of the tasks.
        entropy: T, at least 0.

    Examples:
        >>> import torch
        >>> weighting = SoftmaxWeighting(["emotion", "gender"])
        >>> losses = {"emotion": torch.tensor(1.2), "gender": torch.tensor(0.4)}
        >>> round(weighting(losses).item(), 4)
        0.8
    """

    def __init__(self, tasks: Sequence[str], entropy: Annotated[float, Field(ge=0)] = 0.0) -> None:
        super().__init__(tasks)
        self.entropy = entropy
        self.logits = nn.Parameter(torch.zeros(len(self.tasks)))

    def forward(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The joint loss of a batch, task -> scalar loss to one scalar; see the class for its formula."""
        values, rows = self.gather(losses)
        logits = self.select(self.logits, rows)
        weights = logits.softmax(0)
        joint = (weights * values).sum()
        if self.entropy:
            # log_softmax and not weights.log(): a weight that underflows to 0 contributes 0 and not NaN
            joint = joint + self.entropy * (weights * logits.log_softmax(0)).sum()
        return joint

    def weight_vector(self) -> Tensor:
        """The weights now, (tasks,)."""
        return self.logits.softmax(0)
