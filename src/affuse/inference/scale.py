"""How the ratings of one task are told: on which scale, and with which band."""

from __future__ import annotations

from typing import NamedTuple

from affuse.inference.answers import Value
from affuse.recipe.dimension import Dimension


class Scale(NamedTuple):
    """The scale of a task, and how far its band reaches.

    Args:
        dimension: From the lowest to the highest rating.
        half: The band reaches so far below and above a rating; None: there is none.

    Examples:
        >>> Scale(Dimension(1, 5), 0.75).value(1.5)
        Value(mean=1.5, low=1.0, high=2.25)
    """

    dimension: Dimension
    half: float | None

    def value(self, rating: float) -> Value:
        """A rating with its band, which ends where the scale does."""
        low, high = self.dimension
        told = self.dimension.rounded
        if self.half is None:
            return Value(told(rating), None, None)
        # a mean over windows may leave the range by its last bit
        return Value(told(rating), told(max(low, rating - self.half)), told(min(high, rating + self.half)))
