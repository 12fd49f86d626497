"""PyTorch's LSTM as the ONNX operator of that name, so that an exported network takes clips of any length."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_OPSET = 18


class OnnxLSTM(nn.Module):
    """Stands in for a one-directional, batch-first ``nn.LSTM`` while a network is exported; same weights.

    torch.export unrolls an LSTM into as many steps as the example has; this leaves it one node per layer. ONNX orders
    the gates input, output, forget, cell; PyTorch input, forget, cell, output.
    """

    def __init__(self, lstm: nn.LSTM) -> None:
        super().__init__()
        if lstm.bidirectional or not lstm.batch_first or not lstm.bias or lstm.proj_size:
            raise ValueError(
                "only a one-directional, batch-first LSTM with biases and no projection is exported"
            )
        self.hidden, self.layers = lstm.hidden_size, lstm.num_layers
        for layer in range(self.layers):
            for kind in ("weight_ih", "weight_hh"):
                rows = _reordered(getattr(lstm, f"{kind}_l{layer}"))
                self.register_buffer(f"{kind}_l{layer}", rows[None])
            biases = [_reordered(getattr(lstm, f"{kind}_l{layer}")) for kind in ("bias_ih", "bias_hh")]
            self.register_buffer(f"bias_l{layer}", torch.cat(biases)[None])

    def forward(self, x_btd: Tensor) -> tuple[Tensor, None]:
        """(batch, time, width) -> (batch, time, hidden), as ``nn.LSTM(...)(x)[0]``."""
        x_tbd = x_btd.transpose(0, 1)
        for layer in range(self.layers):
            weights = [getattr(self, f"{kind}_l{layer}") for kind in ("weight_ih", "weight_hh", "bias")]
            y_t1bh = torch.onnx.ops.symbolic(
                "LSTM",
                [x_tbd, *weights],
                attrs={"hidden_size": self.hidden},
                dtype=x_tbd.dtype,
                shape=(x_tbd.shape[0], 1, x_tbd.shape[1], self.hidden),
                version=_OPSET,
            )
            x_tbd = y_t1bh.squeeze(1)
        return x_tbd.transpose(0, 1), None


def replace_lstms(network: nn.Module) -> None:
    """Put ``OnnxLSTM`` in the place of every LSTM inside, in place."""
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.LSTM):
                setattr(module, name, OnnxLSTM(child))


def _reordered(rows: Tensor) -> Tensor:
    i, f, g, o = rows.detach().chunk(4)
    return torch.cat([i, o, f, g])
