"""A queue that is fair by client: whoever asks for much does not make others wait."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Items by client; taken from one client after another, of each in its order.

    Examples:
        >>> queue = FairQueue[str]()
        >>> for item in ("a1", "a2", "a3", "b1"):
        ...     queue.put(item[0], item)
        >>> queue.order()
        ['a1', 'b1', 'a2', 'a3']
        >>> queue.take(), queue.take()
        ('a1', 'b1')
    """

    def __init__(self) -> None:
        self._of: OrderedDict[str, deque[T]] = OrderedDict()  # the client whose turn it is comes first

    def __len__(self) -> int:
        return sum(map(len, self._of.values()))

    def __iter__(self) -> Iterator[T]:
        for items in self._of.values():
            yield from items

    def put(self, client: str, item: T) -> None:
        """Behind the client's other items."""
        self._of.setdefault(client, deque()).append(item)

    def put_back(self, client: str, item: T) -> None:
        """Before the client's other items: its turn was lost."""
        self._of.setdefault(client, deque()).appendleft(item)

    def take(self, accept: Callable[[T], bool] | None = None) -> T | None:
        """The next item, of those that are accepted; None: there is none."""
        for client, items in self._of.items():
            place = next((i for i, item in enumerate(items) if accept is None or accept(item)), None)
            if place is None:
                continue
            item = items[place]
            del items[place], self._of[client]
            if items:
                self._of[client] = items  # at the end: the others come first
            return item
        return None

    def count(self, client: str) -> int:
        """How many items a client has."""
        return len(self._of.get(client, ()))

    @property
    def clients(self) -> int:
        """How many clients have items."""
        return len(self._of)

    def remove(self, unwanted: Callable[[T], bool]) -> None:
        """Take out all items of a kind."""
        for client, items in list(self._of.items()):
            kept = deque(item for item in items if not unwanted(item))
            if kept:
                self._of[client] = kept
            else:
                del self._of[client]

    def order(self) -> list[T]:
        """In which order they would be taken now."""
        lines = [deque(items) for items in self._of.values()]
        found: list[T] = []
        while lines:
            found += [line.popleft() for line in lines]
            lines = [line for line in lines if line]
        return found
