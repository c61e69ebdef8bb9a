"""Made-up shares beside what trades: they only tick, so that a client can be put under load."""

from __future__ import annotations

import random

from brokers.kite.wire import FULL, LTP, DepthLevel, InstrumentRow, Tick

_FIRST_TOKEN = 100_000
_TICK = 0.05
_AWAY = range(1, 6)


class Crowd:
    """A number of shares of NSE whose prices wander.

    Parameters
    ----------
    count : how many; 0: none. seed : of their prices.
    """

    def __init__(self, count: int, seed: int) -> None:
        self._random = random.Random(f"crowd/{seed}")
        self.rows = [
            InstrumentRow(
                (_FIRST_TOKEN + place) * 256 + 1, str(_FIRST_TOKEN + place), f"CROWD{place:04d}",
                f"CROWD {place}", None, 0.0, _TICK, 1, "EQ", "NSE", "NSE",
            )
            for place in range(count)
        ]  # fmt: skip
        self._steps = {row.instrument_token: 20_000 for row in self.rows}
        self.volume = 0

    @property
    def tokens(self) -> list[int]:
        """Their instrument tokens."""
        return list(self._steps)

    def __contains__(self, token: int) -> bool:
        return token in self._steps

    def move(self) -> None:
        """Let every share trade once."""
        self.volume += 1
        draw = self._random.getrandbits
        for token in self._steps:
            self._steps[token] += draw(2) - 1 if self._steps[token] < 40_000 else -1

    def tick(self, token: int, mode: str, now: int) -> Tick:
        """Return a share's packet; now : ns UTC."""
        price = round(self._steps[token] * _TICK, 2)
        if mode == LTP:
            return Tick(token, price)
        base = Tick(token, price, mode, 1, price, self.volume, 500, 500, *(1000.0,) * 4)
        if mode != FULL:
            return base
        buy, sell = (
            tuple(
                DepthLevel(100, round(price + sign * depth * _TICK, 2), 1) for depth in range(1, 6)
            )
            for sign in (-1, 1)
        )
        return Tick(
            token, price, mode, 1, price, self.volume, 500, 500, *(1000.0,) * 4,
            last_trade_time=now, exchange_time=now, buy=buy, sell=sell,
        )  # fmt: skip
