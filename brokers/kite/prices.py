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

    volume: int
    price: float
    time: int = 0


class TickMaker:
    """Turns packets into ticks, one for one.

    A packet is a snapshot: it is a trade of ours only if the day's volume grew since the one
    before, or, of an index, which has none, if its price did. All others only tell the time and the
    quote. The first one after a beginning is none at all: it is as old as the last trade was. Nor
    is one without a time (ltp and quote mode). A trade has the time of the venue's last trade, all
    else the exchange's. The spread is left to the instrument: prices here are of trades, and that
    is what the exchange settles by.
    """

    def __init__(self) -> None:
        self._last: dict[int, _Last] = {}

    def forget(self) -> None:
        """Begin anew: packets were missed."""
        self._last.clear()

    def make(self, tick: wire.Tick) -> np.ndarray[Any, Any] | None:
        """Return a packet as a one-item array of TICK, None where it is none."""
        if not tick.exchange_time:
            return None
        last = self._last.get(tick.instrument_token)
        if last is None:
            self._last[tick.instrument_token] = _Last(tick.volume, tick.last_price)
            return None
        traded, volume = _traded(last, tick)
        ts = (tick.last_trade_time if traded else 0) or tick.exchange_time
        last.time = ts = max(ts, last.time)
        last.price, last.volume = tick.last_price, tick.volume
        made = np.zeros(1, TICK)
        bid, ask = _best(tick.buy), _best(tick.sell)
        made[0] = (
            ts, time.time_ns(), tick.last_price, volume, bid, ask, _NAN, TRADE if traded else 0,
        )  # fmt: skip
        return made


def _traded(last: _Last, tick: wire.Tick) -> tuple[bool, int]:
    """Return whether something was traded since the last packet, and how much."""
    if wire.is_index(tick.instrument_token):
        return tick.last_price != last.price, 0
    if tick.volume < last.volume:  # another day began
        return tick.volume > 0, tick.volume
    return tick.volume > last.volume, tick.volume - last.volume


def _best(levels: tuple[wire.DepthLevel, ...]) -> float:
    """Return the first price of a side of the book, nan where nobody stands there."""
    return levels[0].price if levels and levels[0].quantity else _NAN
