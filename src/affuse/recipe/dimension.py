"""What a task of kind regression predicts: a number within a range, such as valence from 1 to 5."""

from __future__ import annotations

from math import ceil, floor, log10
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    Numbers = TypeVar("Numbers", float, np.ndarray, Tensor)


class Dimension(NamedTuple):
    """The scale of a rating. Networks and losses count in units of half the range, from its middle.

    Args:
        low: The lowest rating.
        high: The highest, above ``low``.

    Examples:
        >>> valence = Dimension(1, 5)
        >>> valence.to_unit(2.0), valence.from_unit(-0.5), 5.5 in valence
        (-0.5, 2.0, False)
    """

    low: float
    high: float

    def to_unit(self, ratings: Numbers) -> Numbers:
        """Ratings of any shape; ``low`` becomes -1 and ``high`` 1."""
        return (ratings - (self.low + self.high) / 2) / ((self.high - self.low) / 2)

    def from_unit(self, outputs: Numbers) -> Numbers:
        """What ``to_unit`` does, undone; nothing is clipped."""
        return outputs * ((self.high - self.low) / 2) + (self.low + self.high) / 2

    def answers(self, outputs: np.ndarray) -> np.ndarray:
        """What a network gives, as ratings: ``from_unit``, clipped to the range."""
        return self.from_unit(outputs).clip(self.low, self.high)

    def rounded(self, rating: float) -> float:
        """To a ten thousandth of the range or less, as files have it.

        Examples:
            >>> Dimension(1, 5).rounded(3.14159), Dimension(0, 1000).rounded(3.14159)
            (3.1416, 3.1)
        """
        return round(float(rating), max(0, 4 - floor(log10(self.high - self.low))))

    def shown(self, rating: float) -> str:
        """To a fortieth of the range or less, as people read it.

        Examples:
            >>> Dimension(1, 5).shown(3.14159), Dimension(-1, 1).shown(-0.001), Dimension(0, 100).shown(57.2)
            ('3.1', '0.00', '57')
        """
        return f"{round(rating, self.digits) + 0.0:.{self.digits}f}"  # and no minus before a zero

    @property
    def digits(self) -> int:
        """Behind the point, of a rating that is shown."""
        return max(0, ceil(log10(40 / (self.high - self.low))))

    def __contains__(self, rating: object) -> bool:
        """Whether a rating is within the range, its ends included."""
        return isinstance(rating, int | float) and self.low <= rating <= self.high
