"""Multi-head attention, for one network or for a stack of them.

Vaswani et al. 2017, "Attention Is All You Need", section 3.2: softmax(Q K^T / sqrt(d)) V in each head.

Shapes: b batch, t steps of the queries, s steps of the keys, h heads, d width of a head, l = runs * b * h.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from affuse.layers.dropout import Dropout
from affuse.layers.linear import Linear, linear

HIDDEN = -1e30  # added to a score: its softmax is 0, and it is finite, unlike infinity


class MultiheadAttention(nn.Module):
    """As ``torch.nn.MultiheadAttention`` with ``batch_first``: its parameters by name, shape, order and draws.

    Args:
        width: Of queries, keys and values.
        heads: Must divide width.
        dropout: Of the attention weights.

    Examples:
        >>> attention = MultiheadAttention(8, heads=2).eval()
        >>> steps = torch.ones(3, 5, 8)
        >>> attention(steps, steps, torch.zeros(3, 5, dtype=torch.bool)).shape
        torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = Linear(width, width)
        self.dropout = Dropout(dropout)
        nn.init.xavier_uniform_(
            self.in_proj_weight
        )  # as one matrix, after out_proj: torch draws in this order
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, queries: Tensor, keys: Tensor, hidden: Tensor, then: Linear | None = None) -> Tensor:
        """Attend from every query to the keys, which are the values too.

        Args:
            queries: (batch, t, width); of a stack (runs, batch, t, width).
            keys: (batch, s, width); the same tensor as ``queries`` for self-attention.
            hidden: (batch, s) bool, True where a step is no key. A row needs one key at least.
            then: A linear layer that follows at once.

        Returns:
            As ``queries``, or of the width that ``then`` gives.
        """
        weight, bias = self.in_proj_weight, self.in_proj_bias
        if queries is keys:
            q, k, v = linear(queries, weight, bias).chunk(3, dim=-1)
        else:
            width = queries.shape[-1]
            of_queries, of_keys = weight.split([width, 2 * width], dim=-2)
            bias_of_queries, bias_of_keys = bias.split([width, 2 * width], dim=-1)
            q = linear(queries, of_queries, bias_of_queries)
            k, v = linear(keys, of_keys, bias_of_keys).chunk(2, dim=-1)
        q, k, v = (x.unflatten(-1, (self.heads, -1)).transpose(-3, -2) for x in (q, k, v))
        attended = (
            self._attend_by_streams(q, k, v, hidden)
            if self.dropout.training and self.dropout.streams is not None
            else self._attend(q, k, v, hidden)
        )
        # In memory steps come before the batch, as torch has it: dropout that follows draws in this order.
        attended_tbw = attended.movedim(-2, -4).flatten(-2)
        return self._put_out(attended_tbw, then).transpose(-3, -2)

    def _put_out(self, x: Tensor, then: Linear | None) -> Tensor:
        """The output projection, and the linear layer after it, if any.

        B (A x) = (B A) x: in training with more rows than B has outputs, the product of the two matrices is formed
        first. For 3M-SER's text this saves a fifth of the whole step's arithmetic.
        """
        if then is None:
            return self.out_proj(x)
        rows, outputs = x.shape[-3] * x.shape[-2], then.weight.shape[-2]
        if not self.training or rows <= outputs:
            return then(self.out_proj(x))
        bias = torch.matmul(then.weight, self.out_proj.bias[..., None])[..., 0] + then.bias
        return linear(x, torch.matmul(then.weight, self.out_proj.weight), bias)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor) -> Tensor:
        """Torch's kernels: (..., h, t, d) and (..., h, s, d) twice -> (..., h, t, d)."""
        *lead, h, t, d = q.shape
        if len(lead) > 1:
            q, k, v, hidden = q.flatten(0, -4), k.flatten(0, -4), v.flatten(0, -4), hidden.flatten(0, -2)
        share = self.dropout.p if self.dropout.training else 0.0
        found = functional.scaled_dot_product_attention(q, k, v, ~hidden[:, None, None], share)
        return found.reshape(*lead, h, t, d) if len(lead) > 1 else found

    def _attend_by_streams(self, q: Tensor, k: Tensor, v: Tensor, hidden: Tensor) -> Tensor:
        """The same written out, for dropout of every run's own; not in lower precision, as torch's has it."""
        *lead, t, d = q.shape
        given = q.dtype
        with torch.autocast(q.device.type, enabled=False):
            q, k, v = (x.to(torch.promote_types(given, torch.float32)) for x in (q, k, v))
            q_ltd, k_lsd, v_lsd = (x.reshape(-1, x.shape[-2], d) for x in (q, k, v))
            scores_lts = torch.baddbmm(
                q_ltd.new_empty(1, 1, 1), q_ltd, k_lsd.transpose(1, 2), beta=0, alpha=d**-0.5
            )
            scores = scores_lts.view(*lead, t, -1) + (hidden * HIDDEN)[..., None, None, :]
            weights = self.dropout(scores.softmax(dim=-1))
            attended_ltd = torch.bmm(weights.flatten(0, -3), v_lsd)
        return attended_ltd.view(*lead, t, d).to(given)
