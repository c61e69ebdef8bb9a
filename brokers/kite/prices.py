"""From Kite's snapshots of instruments to ticks of ours: what was traded since the last ones."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from brokers.kite import wire
from core.ticks import TICK, TRADE

_Array = np.ndarray[Any, Any]

_LAST = np.dtype([("volume", "i8"), ("price", "f8"), ("time", "i8"), ("is_index", "?")])
"""What was told of an instrument last. time : the latest its ticks have had."""
_ROOM = 64


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
        self._places: dict[int, int] = {}
        self._last = np.zeros(_ROOM, _LAST)

    def forget(self) -> None:
        """Begin anew: packets were missed."""
        self._places.clear()

    def make(self, told: _Array) -> tuple[list[int], _Array]:
        """Return the ticks in what packets say, and whose they are.

        Parameters
        ----------
        told : of one frame, an array of `wire.SNAPSHOT`.

        Returns
        -------
        tokens : of each tick. ticks : an array of TICK, in the packets' order.
        """
        told = told[told["exchange_time"] != 0]
        tokens: list[int] = told["token"].tolist()
        if len(set(tokens)) < len(tokens):  # each must see the one before
            each = [self.make(told[at : at + 1]) for at in range(len(told))]
            known = [token for some, _ in each for token in some]
            return known, np.concatenate([made for _, made in each])
        places = np.fromiter((self._places.get(token, -1) for token in tokens), np.intp, len(told))
        is_known = places >= 0
        if not is_known.all():
            self._begin(told[~is_known])
            told, places = told[is_known], places[is_known]
            tokens = told["token"].tolist()
        return tokens, self._ticks(told, places)

    def _begin(self, told: _Array) -> None:
        """Note where instruments stand that are told of for the first time."""
        first = len(self._places)
        end = first + len(told)
        if end > len(self._last):
            self._last = np.concatenate([self._last, np.zeros(end, _LAST)])
        for place, token in enumerate(told["token"].tolist(), first):
            self._places[token] = place
        last = self._last[first:end]
        last["volume"], last["price"], last["time"] = told["volume"], told["last_price"], 0
        last["is_index"] = [wire.is_index(token) for token in told["token"].tolist()]

    def _ticks(self, told: _Array, places: _Array) -> _Array:
        """Return what packets of instruments known already say since the ones before."""
        last = self._last[places]
        price, volume = told["last_price"], told["volume"]
        is_new_day = volume < last["volume"]
        grown = np.where(is_new_day, volume, volume - last["volume"])
        grown[last["is_index"]] = 0
        is_trade = np.where(last["is_index"], price != last["price"], grown > 0)
        of_trade = np.where(is_trade, told["last_trade_time"], 0)
        time_told = np.where(of_trade > 0, of_trade, told["exchange_time"])
        last["time"] = np.maximum(time_told, last["time"])
        last["price"], last["volume"] = price, volume
        self._last[places] = last
        made = np.zeros(len(told), TICK)
        made["ts_event"], made["ts_init"] = last["time"], time.time_ns()
        made["price"], made["volume"] = price, grown
        made["bid"], made["ask"], made["spread"] = told["bid"], told["ask"], np.nan
        made["flags"] = np.where(is_trade, TRADE, 0)
        return made
