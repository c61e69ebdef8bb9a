"""How a table of sets is dealt out to workers: in portions, neighbours to the same worker."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST = 1024
LEAST_SECS, SHORT_SECS, LONG_SECS = 0.03, 0.4, 1.0
_GROWTH = 8
"""A quick portion's next is so many times as large at most."""
MOST_TRIES = 3
"""A single set that ends its worker so often is at fault itself."""


@dataclass(frozen=True)
class Portion:
    """Sets `first` to `last` (not included) of a table. tries : workers lost over it."""

    first: int
    last: int
    tries: int = 0

    def __len__(self) -> int:
        return self.last - self.first


class Portions:
    """Deals a table's places out.

    Each worker walks a stretch of its own, since neighbours share work; one that is done takes half
    of the longest stretch left. Portions start with one set, grow while they are quick, and shrink
    towards the end, so that none waits long for the last, as far as dealing out is worth its time.

    Parameters
    ----------
    count : sets in the table. workers : how many walk it; they are numbered from 0.
    """

    def __init__(self, count: int, workers: int) -> None:
        ends = [count * place // workers for place in range(workers + 1)]
        self._stretches = [[ends[place], ends[place + 1]] for place in range(workers)]
        self._again: list[Portion] = []
        self._sizes = [1] * workers
        self._paces = [0.0] * workers

    @property
    def left(self) -> int:
        """How many sets are not dealt out."""
        return self._ahead + sum(map(len, self._again))

    @property
    def _ahead(self) -> int:
        return sum(last - first for first, last in self._stretches)

    def add_worker(self) -> None:
        """Let one more worker take part; it begins with half of the longest stretch."""
        self._stretches.append([0, 0])
        self._sizes.append(1)
        self._paces.append(0.0)

    def take(self, worker: int) -> Portion | None:
        """Return what a worker should do next; None when all is dealt out."""
        if self._again:
            return self._again.pop()
        stretch = self._stretches[worker]
        if stretch[0] == stretch[1]:
            longest = max(self._stretches, key=lambda item: item[1] - item[0])
            if longest[0] == longest[1]:
                return None
            middle = (longest[0] + longest[1]) // 2
            stretch[:] = middle, longest[1]
            longest[1] = middle
        first = stretch[0]
        stretch[0] = min(stretch[1], first + self._size(worker))
        return Portion(first, stretch[0])

    def _size(self, worker: int) -> int:
        share = self._ahead // (2 * len(self._stretches))
        least = int(LEAST_SECS * self._paces[worker])
        return max(1, min(self._sizes[worker], max(share, least)))

    def took(self, worker: int, portion: Portion, seconds: float) -> None:
        """Learn how long a portion took, for the size of the next."""
        count = len(portion)
        self._paces[worker] = count / max(seconds, 1e-6)
        if seconds < SHORT_SECS and count == self._sizes[worker]:
            fitting = int(SHORT_SECS * self._paces[worker])
            self._sizes[worker] = min(LARGEST, max(2 * count, min(_GROWTH * count, fitting)))
        elif seconds > LONG_SECS:
            self._sizes[worker] = max(1, count // 2)

    def lost(self, portion: Portion, *, blamed: bool = True) -> Portion | None:
        """Take back a portion whose worker is gone; it is dealt out again, at last set by set.

        Parameters
        ----------
        blamed : the worker had begun with it.

        Returns
        -------
        Portion, optional
            A single set that has ended too many workers: it is not dealt out again.
        """
        tries = portion.tries + blamed
        if tries < MOST_TRIES:
            self._again.append(Portion(portion.first, portion.last, tries))
        elif len(portion) == 1:
            return portion
        else:
            places = range(portion.first, portion.last)
            self._again += [Portion(place, place + 1, 1) for place in reversed(places)]
        return None
