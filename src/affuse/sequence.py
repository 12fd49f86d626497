"""A batch of sequences with its mask: what travels between encoders, fusion and heads."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from affuse.errors import AffuseError


class FeatureSequence(NamedTuple):
    """A padded batch of sequences with its mask.

    Attributes:
        values: (batch, time, ...), zero where ``mask`` is False.
        mask: (batch, time), bool: True on real steps, which come first. A row that is False throughout is a missing
            modality.

    Of a stack of runs (``affuse.layers``) both have the runs in front.

    Examples:
        >>> sequence = pad([torch.ones(3, 2), None, torch.ones(1, 2)])
        >>> sequence.values.shape, sequence.lengths.tolist(), sequence.present.tolist()
        (torch.Size([3, 3, 2]), [3, 0, 1], [True, False, True])
    """

    values: Tensor
    mask: Tensor

    def to(self, device: torch.device | str) -> FeatureSequence:
        """The same on another device."""
        return FeatureSequence(self.values.to(device), self.mask.to(device))

    def keep(self, kept: Tensor) -> FeatureSequence:
        """The same batch, the modality missing from the rows where ``kept`` (batch,) is False."""
        mask = self.mask & kept[..., None]
        return FeatureSequence(
            self.values.masked_fill(~mask.reshape(*mask.shape, *[1] * (self.values.dim() - mask.dim())), 0),
            mask,
        )

    @property
    def lengths(self) -> Tensor:
        """Number of real steps, (batch,)."""
        return self.mask.sum(dim=-1)

    @property
    def present(self) -> Tensor:
        """False where the modality is missing, (batch,)."""
        return self.mask.any(dim=-1)


def pad(clips: SequenceOf[Tensor | None]) -> FeatureSequence:
    """Stack clips of shape (time_i, ...) into one zero-padded batch; ``None`` is a missing modality.

    Raises:
        AffuseError: Every clip is None: the trailing shape is then unknown.
    """
    known = [clip for clip in clips if clip is not None]
    if not known:
        raise AffuseError("pad() needs at least one clip that is not None.")
    nothing = known[0].new_zeros((0, *known[0].shape[1:]))
    filled = [nothing if clip is None else clip for clip in clips]
    values = pad_sequence(filled, batch_first=True)
    if not values.shape[1]:  # a batch has one step at least
        values = values.new_zeros((len(clips), 1, *nothing.shape[1:]))
    lengths = torch.tensor([clip.shape[0] for clip in filled])
    return FeatureSequence(values, torch.arange(values.shape[1]) < lengths[:, None])
