"""The second paper's temporal fusion: frames of all modalities side by side, read by an LSTM.

Shapes: b batch, t time (frames), d features of a frame, h hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import pad

from affuse.errors import AffuseError
from affuse.fusion.base import Fusion, FusionOptions
from affuse.sequence import FeatureSequence


class LSTMFusionOptions(FusionOptions):
    """Options of ``lstm``."""

    hidden: int = Field(default=256, ge=1, description="cells per layer, and the width of the embedding")
    layers: int = Field(default=2, ge=1, description="stacked LSTM layers, one direction")
    dropout: float = Field(default=0.5, ge=0, lt=1, description="on the last layer's outputs, before pooling")
    initialisation: Literal["xavier_normal", "xavier_uniform", "pytorch"] = Field(
        default="xavier_normal",
        description="of the stacked (4 hidden, input) matrices: normal as in the second paper's code, "
        "uniform as in the work that its text cites, or PyTorch's default; biases are PyTorch's",
    )
    pool: Literal["last", "mean"] = Field(
        default="last", description="the last real frame's output, or their mean"
    )


class LSTMFusion(Fusion):
    """Concatenation per frame, a 2-layer LSTM of 256, dropout 0.5, one output per clip.

    Chae et al. 2018, "End-to-end multimodal emotion and gender recognition with dynamic joint loss weights",
    section IV; what the text leaves open is as in the authors' code.

    All modalities must share one frame rate. They are aligned at the first frame; one that ends earlier, or
    is missing from a clip or from the batch, contributes zeros from there on, and a frame is real where any
    modality has it. A clip without any modality has a zero embedding.

    The LSTM reads forward only and real frames come first, so padding cannot reach a real frame's output
    and no packing is needed: a batch equals its clips one by one. With audio (1280) and video (2048) at the
    default sizes the layers have 3,672,064 and 526,336 parameters.

    Args:
        widths: Modality -> size of one step of its feature sequence; the order of concatenation.
        options: ``LSTMFusionOptions``, or None for the defaults.

    Raises:
        AffuseError: No modality at all; in ``forward``, a modality or a width that was not announced, or a batch
            without any sequence.

    Examples:
        >>> from affuse.sequence import pad
        >>> fusion = LSTMFusion({"audio": 1280, "video": 2048})
        >>> fusion({"audio": pad([torch.ones(25, 1280)]), "video": pad([torch.ones(24, 2048)])}).shape
        torch.Size([1, 256])
    """

    Options: ClassVar[type[FusionOptions]] = LSTMFusionOptions

    def __init__(self, widths: Mapping[str, int], options: LSTMFusionOptions | None = None) -> None:
        super().__init__()
        if not widths:
            raise AffuseError("The LSTM fusion needs at least one modality, and none was given.")
        self.options = LSTMFusionOptions() if options is None else options
        self.widths = dict(widths)
        self.width = self.options.hidden
        self.lstm = nn.LSTM(sum(widths.values()), self.width, self.options.layers, batch_first=True)
        self.dropout = nn.Dropout(self.options.dropout)
        self._initialise()

    def forward(self, sequences: Mapping[str, FeatureSequence]) -> Tensor:
        """Modality -> (batch, time, width) and mask, to (batch, hidden)."""
        frames_btd, mask_bt = self.align(sequences)
        outputs_bth = self.dropout(self.lstm(frames_btd)[0])
        lengths_b = mask_bt.sum(dim=1)
        present_b = lengths_b > 0
        if self.options.pool == "last":
            last_b11 = (lengths_b - 1).clamp_min(0)[:, None, None]
            pooled_bh = outputs_bth.gather(1, last_b11.expand(-1, 1, self.width)).squeeze(1)
        else:
            total_bh = outputs_bth.masked_fill(~mask_bt[..., None], 0).sum(dim=1)
            pooled_bh = total_bh / lengths_b.clamp_min(1)[:, None]
        return pooled_bh.masked_fill(~present_b[:, None], 0)

    def align(self, sequences: Mapping[str, FeatureSequence]) -> tuple[Tensor, Tensor]:
        """Side by side (batch, longest, sum of widths), and which frames are real (batch, longest)."""
        for name, sequence in sequences.items():
            if name not in self.widths:
                known = ", ".join(self.widths)
                raise AffuseError(f"The LSTM fusion was given {name!r}, but it was built for {known}.")
            if sequence.values.shape[-1] != self.widths[name]:
                raise AffuseError(
                    f"The features of {name!r} are {sequence.values.shape[-1]} wide, but the LSTM fusion was "
                    f"built for {self.widths[name]}."
                )
        if not sequences:
            raise AffuseError("The LSTM fusion was given a batch without any modality.")
        longest = max(sequence.values.shape[1] for sequence in sequences.values())
        some = next(iter(sequences.values()))
        batch = some.values.shape[0]
        parts, masks = [], []
        for name, width in self.widths.items():
            if name not in sequences:
                parts.append(some.values.new_zeros(batch, longest, width))
                continue
            values, mask = sequences[name]
            missing = longest - values.shape[1]
            # masked_fill and not a product: an encoder may leave anything, NaN too, in its padding
            parts.append(pad(values.masked_fill(~mask[..., None], 0), (0, 0, 0, missing)))
            masks.append(pad(mask, (0, missing)))
        return torch.cat(parts, dim=-1), torch.stack(masks).any(dim=0)

    def _initialise(self) -> None:
        if self.options.initialisation == "pytorch":
            return
        fill = (
            nn.init.xavier_normal_
            if self.options.initialisation == "xavier_normal"
            else nn.init.xavier_uniform_
        )
        for name, parameter in self.lstm.named_parameters():
            if name.startswith("weight_"):
                fill(parameter)
