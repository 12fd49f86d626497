"""A training that cannot go on."""

from __future__ import annotations

from collections.abc import Sequence

from affuse.errors import AffuseError


class NonFiniteLoss(AffuseError):
    """A task's loss became NaN or infinite."""


def not_finite(value: float, epoch: int, ids: Sequence[str]) -> NonFiniteLoss:
    """The error of a run.

    Args:
        value: Its joint loss.
        epoch: Before the one that it happened in.
        ids: Of the batch.
    """
    return NonFiniteLoss(
        f"The loss became {value} in epoch {epoch + 1}, in the batch of {', '.join(ids)}. "
        "Lower optimizer.lr or set optimizer.clip_norm."
    )
