"""Which work goes to which machine: all rounds of a scenario to one, as long as that has work of its own to do."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

P = TypeVar("P")


class Homes(Generic[P]):
    """Pieces of work in order; those of one `name` have one home, so that seconds are seconds of one machine.

    A name's home is the machine that first asks for work when it is the name's turn. A machine that has nothing of its
    own left helps where most is left.
    """

    def __init__(self, pieces: Iterable[P], name: Callable[[P], str]) -> None:
        self._name, self._left = name, dict[str, deque[tuple[int, P]]]()
        for number, piece in enumerate(pieces):
            self._left.setdefault(name(piece), deque()).append((number, piece))
        self._homeless = deque(self._left)
        self._home: dict[str, str] = {}
        self._own: dict[str, list[tuple[int, str]]] = {}
        self._back = -1

    def __len__(self) -> int:
        return sum(map(len, self._left.values()))

    def __bool__(self) -> bool:
        return bool(self._left)

    def next(self, host: str) -> P:
        """The next piece for a machine; IndexError where there is none."""
        own = self._own.setdefault(host, [])
        while own and own[0][1] not in self._left:
            heapq.heappop(own)
        if self._homeless and (not own or self._first(self._homeless[0]) < own[0][0]):
            name = self._homeless.popleft()
            self._home[name] = host
        elif own:
            name = heapq.heappop(own)[1]
        elif self._left:
            name = max(self._left, key=lambda name: len(self._left[name]))
        else:
            raise IndexError("no work is left")
        return self._taken(name)

    def back(self, piece: P) -> None:
        """What was taken and is not done: it comes first."""
        name = self._name(piece)
        self._left.setdefault(name, deque()).appendleft((self._back, piece))
        self._back -= 1
        self._push(name)

    def _first(self, name: str) -> int:
        return self._left[name][0][0]

    def _taken(self, name: str) -> P:
        _, piece = self._left[name].popleft()
        if self._left[name]:
            self._push(name)
        else:
            del self._left[name]
        return piece

    def _push(self, name: str) -> None:
        """Its home has its next piece; one entry for each that it may take, more do no harm."""
        heapq.heappush(self._own.setdefault(self._home[name], []), (self._first(name), name))
