"""How much of the disk the uploads of all clients take together."""

from __future__ import annotations

from affuse.serving.problems import ProblemError

_AGAIN = 10  # seconds after which another try is worth it: clips are deleted as soon as they were read


class Space:
    """Room for uploads, which is taken before they come.

    One upload alone always fits, whatever its size, so that none is refused for ever.

    Args:
        most: Bytes.

    Attributes:
        taken: Bytes of uploads that are there or under way.

    Examples:
        >>> space = Space(100)
        >>> place = space.take(80)
        >>> place.shrink(60)
        >>> space.taken
        60
        >>> place.give_back()
        >>> space.taken
        0
    """

    def __init__(self, most: int) -> None:
        self.taken = 0
        self._most = most

    def take(self, size: int) -> Place:
        """Room for one upload.

        Args:
            size: Its bytes, at most.

        Raises:
            ProblemError: There is none now.
        """
        if self.taken and self.taken + size > self._most:
            raise ProblemError(
                503,
                "The service has no room for the upload beside those that it has already; try again in "
                f"{_AGAIN} seconds.",
                {"Retry-After": str(_AGAIN)},
            )
        self.taken += size
        return Place(self, size)


class Place:
    """The room of one upload."""

    def __init__(self, space: Space, size: int) -> None:
        self._space, self._size = space, size

    def shrink(self, size: int) -> None:
        """It is smaller than it might have been."""
        self._space.taken -= self._size - size
        self._size = size

    def give_back(self) -> None:
        """The upload is gone; again is no error."""
        self.shrink(0)
