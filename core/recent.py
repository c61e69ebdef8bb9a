"""A mapping that forgets: what was worked out last, within a bound of memory."""

from __future__ import annotations

from typing import TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

BUDGET_BYTES = 48_000_000
"""Memory a cache may take by itself, where its items have a size."""


class Recent(dict[_Key, _Value]):
    """A dict that drops its oldest item when there is one too many.

    Parameters
    ----------
    limit : most items, at least 1.
    """

    def __init__(self, limit: int) -> None:
        super().__init__()
        self._limit = max(1, limit)

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        while len(self) > self._limit:
            del self[next(iter(self))]


def room_for(item_bytes: int, budget: int = BUDGET_BYTES) -> int:
    """Return how many items of a size a cache may keep within a budget of bytes, at least 1."""
    return max(1, budget // max(1, item_bytes))
