"""Made-up shares beside what trades: they only tick, so that a client can be put under load."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from brokers.kite.wire import FULL, FULL_PACKET, LTP, DepthLevel, InstrumentRow, Tick, frame_of

_FIRST_TOKEN = 100_000
_TICK = 0.05
_TICK_PAISE = 5
_FIRST_STEP, _LAST_STEP = 20_000, 40_000
"""Prices in ticks: where all begin, and what none goes beyond."""
_AWAY = np.arange(1, 6)
_SECOND_NS = 1_000_000_000


class Crowd:
    """A number of shares of NSE whose prices wander.

    Parameters
    ----------
    count : how many; 0: none. seed : of their prices.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._random = np.random.default_rng([seed, count])
        self.rows = [
            InstrumentRow(
                (_FIRST_TOKEN + place) * 256 + 1, str(_FIRST_TOKEN + place), f"CROWD{place:04d}",
                f"CROWD {place}", None, 0.0, _TICK, 1, "EQ", "NSE", "NSE",
            )
            for place in range(count)
        ]  # fmt: skip
        self._places = {row.instrument_token: place for place, row in enumerate(self.rows)}
        self._steps = np.full(count, _FIRST_STEP, np.int64)
        self.volume = 0

    @property
    def tokens(self) -> list[int]:
        """Their instrument tokens."""
        return list(self._places)

    def __contains__(self, token: int) -> bool:
        return token in self._places

    def move(self) -> None:
        """Let every share trade once."""
        self.volume += 1
        self._steps += self._random.integers(-1, 3, len(self._steps))
        np.minimum(self._steps, _LAST_STEP, out=self._steps)

    def tick(self, token: int, mode: str, now: int) -> Tick:
        """Return a share's packet; now : ns UTC."""
        price = round(int(self._steps[self._places[token]]) * _TICK, 2)
        if mode == LTP:
            return Tick(token, price)
        base = Tick(token, price, mode, 1, price, self.volume, 500, 500, *(1000.0,) * 4)
        if mode != FULL:
            return base
        buy, sell = (
            tuple(
                DepthLevel(100, round(price + sign * int(depth) * _TICK, 2), 1) for depth in _AWAY
            )
            for sign in (-1, 1)
        )
        return Tick(
            token, price, mode, 1, price, self.volume, 500, 500, *(1000.0,) * 4,
            last_trade_time=now, exchange_time=now, buy=buy, sell=sell,
        )  # fmt: skip

    def full_frame(self, tokens: Sequence[int], now: int) -> bytes:
        """Return full packets of many shares in one frame, all at once; now : ns UTC."""
        packets: Any = np.zeros(len(tokens), FULL_PACKET)
        prices = self._steps[[self._places[token] for token in tokens]] * _TICK_PAISE
        packets["token"] = tokens
        packets["last_price"] = packets["average_price"] = prices
        packets["last_quantity"], packets["volume"] = 1, self.volume
        packets["buy_quantity"] = packets["sell_quantity"] = 500
        for name in ("open", "high", "low", "close"):
            packets[name] = 100_000
        packets["last_trade_time"] = packets["exchange_time"] = now // _SECOND_NS
        for side, sign in (("buy", -1), ("sell", 1)):
            levels = packets[side]
            levels["quantity"], levels["orders"] = 100, 1
            levels["price"] = prices[:, None] + sign * _TICK_PAISE * _AWAY
        return frame_of(packets)
