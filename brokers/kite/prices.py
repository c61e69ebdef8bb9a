"""From Kite's snapshots of an instrument to ticks of ours: what was traded since the last one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from brokers.kite import wire
from core.ticks import TICK, TRADE

_NAN = float("nan")


@dataclass(slots=True)
class _Last:
    """What was told of an instrument last. time : the latest its ticks have had."""

    volume: int = -1
    price: float = _NAN
    time: int = 0


class TickMaker:
    """Turns packets into ticks, one for one.

    A packet is a snapshot: it is a trade of ours only if the day's volume grew since the one
    before, or, of an index, which has none, if its price did. The first one after a beginning only
    tells the time and the quote, for what it counts was traded before. A trade has the time of the
    venue's last trade, all else the exchange's.
    """

    def __init__(self) -> None:
        self._last: dict[int, _Last] = {}

    def forget(self) -> None:
        """Begin anew: packets were missed."""
        for last in self._last.values():
            last.volume, last.price = -1, _NAN

    def make(self, tick: wire.Tick) -> np.ndarray[Any, Any]:
        """Return a packet as a one-item array of TICK."""
        last = self._last.setdefault(tick.instrument_token, _Last())
        now = time.time_ns()
        if wire.is_index(tick.instrument_token):
            traded, volume = last.price == last.price and tick.last_price != last.price, 0
        else:
            traded, volume = self._traded(last, tick)
        ts = (tick.last_trade_time if traded else 0) or tick.exchange_time or now
        last.time = ts = max(ts, last.time)
        last.price, last.volume = tick.last_price, tick.volume
        made = np.zeros(1, TICK)
        bid, ask = _best(tick.buy), _best(tick.sell)
        made[0] = (
            ts, now, tick.last_price, volume, bid, ask, ask - bid, TRADE if traded else 0,
        )  # fmt: skip
        return made

    def _traded(self, last: _Last, tick: wire.Tick) -> tuple[bool, int]:
        if last.volume < 0:
            return False, 0
        if tick.volume < last.volume:  # another day began
            return tick.volume > 0, tick.volume
        return tick.volume > last.volume, tick.volume - last.volume


def _best(levels: tuple[wire.DepthLevel, ...]) -> float:
    """Return the first price of a side of the book, nan where nobody stands there."""
    return levels[0].price if levels and levels[0].quantity else _NAN
