"""Orders by hand: they trade a virtual plan of their own, so that no strategy is disturbed.

To broker, guard and venue such a plan is one like any other. Its feed is the one of a plan that
trades the symbol, under another name; what comes of its orders is told to no strategy.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

HAND = "hand"
"""The plan's name where a session trades one symbol; with several it is `hand-SYMBOL`."""

_NAN = float("nan")


class _Price:
    """The line `close` of a hand's feed: now it is the last price, not the last bar's."""

    def __init__(self, line: Any, hand: HandData) -> None:
        self._line = line
        self._hand = hand

    def __getitem__(self, ago: int) -> float:
        price = self._hand.price if ago == 0 else _NAN
        return price if price == price else float(self._line[ago])

    def __getattr__(self, name: str) -> Any:
        return getattr(self._line, name)


class _Lines:
    """A feed's lines with another `close`."""

    def __init__(self, lines: Any, hand: HandData) -> None:
        self._lines = lines
        self.close = _Price(lines.close, hand)

    def __getitem__(self, number: int) -> Any:
        return self._lines[number]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._lines, name)


class HandData:
    """A plan's feed as hands trade it: the same bars, an identity and a position of its own.

    Parameters
    ----------
    base : the feed of a plan on the symbol.
    plan_id : the hand's plan.

    Attributes
    ----------
    price : the last price, nan before the first. Orders are judged at it, not at the last close.
    now : returns market time, ns UTC.
    catching_up : False. A person's order is no entry that was missed while history was read.
    """

    catching_up = False

    def __init__(self, base: Any, plan_id: str) -> None:
        self._base = base
        self._name = self.tola_plan = plan_id
        self._hand_lines = _Lines(base.lines, self)
        self._plan: Any = None
        self.now: Callable[[], int] = lambda: 0

    def trades_as(self, plan: Any) -> None:
        """Take the broker's plan: it knows the last price and the bar that is being traded."""
        self._plan = plan

    @property
    def price(self) -> float:
        """The last price."""
        return _NAN if self._plan is None else float(self._plan.last_price)

    @property
    def lines(self) -> Any:
        """The feed's lines."""
        return self._hand_lines

    @property
    def close(self) -> Any:
        """The line of closes."""
        return self._hand_lines.close

    @property
    def symbol(self) -> str:
        """What is traded."""
        return str(self._base.symbol)

    @property
    def bars(self) -> Any:
        """The bars delivered so far."""
        return self._base.bars

    @property
    def bar_now(self) -> Any:
        """The bar that is being traded, its END the present moment; else the last one."""
        cell = None if self._plan is None else self._plan.cell[0]
        if cell is None or not int(cell["end"]):
            return self.bars[len(self) - 1]
        present = cell.copy()
        present["end"] = max(self.now(), int(cell["start"]) + 1)
        return present

    def __len__(self) -> int:
        return len(self._base)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "_base" not in self.__dict__:
            raise AttributeError(name)
        return getattr(self._base, name)


class HandOwner:
    """Owner of a hand's orders in Backtrader's eyes; what it is told of them goes no further."""

    def _addnotification(self, order: Any, quicknotify: bool = False) -> None:
        pass


@dataclass
class Hand:
    """What hands trade a symbol by."""

    plan_id: str
    symbol: str
    data: HandData
    owner: HandOwner


def make_hands(feeds: Sequence[tuple[str, Any]], taken: Collection[str]) -> list[Hand]:
    """Return a hand for each symbol.

    Parameters
    ----------
    feeds : symbol and feed of each plan; of several on a symbol the first serves.
    taken : the plans' names.
    """
    first: dict[str, Any] = {}
    for symbol, feed in feeds:
        first.setdefault(symbol, feed)
    alone = len(first) == 1 and HAND not in taken
    hands = []
    for symbol, feed in first.items():
        plan_id = HAND if alone else f"{HAND}-{symbol}"
        hands.append(Hand(plan_id, symbol, HandData(feed, plan_id), HandOwner()))
    return hands
