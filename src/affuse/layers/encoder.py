"""A layer of a transformer, for one network or for a stack of them."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from affuse.layers.attention import MultiheadAttention
from affuse.layers.dropout import Dropout
from affuse.layers.linear import Linear
from affuse.layers.norm import LayerNorm


class EncoderLayer(nn.Module):
    """As ``torch.nn.TransformerEncoderLayer`` with ``norm_first``, GELU and ``batch_first``.

    y = MSA(LN(x)) + x;  MLP(LN(y)) + y, MLP being two linear layers with GELU between them. Parameters have torch's
    names, shapes, order and draws, and dropout comes in torch's order.

    Args:
        width: Of the steps.
        heads: Must divide width.
        hidden: Width between the two linear layers.
        dropout: Of the attention weights, of what is hidden, and of both sums' new parts.
    """

    def __init__(self, width: int, heads: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = MultiheadAttention(width, heads, dropout)
        self.linear1 = Linear(width, hidden)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(hidden, width)
        self.norm1 = LayerNorm(width)
        self.norm2 = LayerNorm(width)
        self.dropout1 = Dropout(dropout)
        self.dropout2 = Dropout(dropout)

    def forward(self, x: Tensor, padding: Tensor) -> Tensor:
        """(batch, time, width) and (batch, time) bool, True on padding -> as x; of a stack both with runs in front."""
        steps = self.norm1(x)
        x = x + self.dropout1(self.self_attn(steps, steps, padding))
        between = self.dropout(functional.gelu(self.linear1(self.norm2(x))))
        return x + self.dropout2(self.linear2(between))
