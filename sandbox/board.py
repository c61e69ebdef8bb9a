"""What a market shows of the day: last trade, volume, range, and a ladder of wanted and offered."""

from __future__ import annotations

import random
from dataclasses import dataclass

from sandbox.course import Array, BarBegins, BarsEnd, Course, Price, Step

LEVELS = 5


@dataclass(slots=True)
class Shown:
    """One symbol's day so far; prices are nan before the first trade.

    previous_close : of the day before. turnover : price times volume. ts : time last told, ns UTC.
    bar_* : of the bar that is forming.
    """

    day: int
    previous_close: float
    last: float = float("nan")
    last_quantity: int = 0
    volume: int = 0
    turnover: float = 0.0
    open: float = 0.0
    high: float = 0.0
    low: float = 0.0
    spread: float = 0.0
    traded_ts: int = 0
    ts: int = 0
    bar_start: int = 0
    bar_open: float = 0.0
    bar_high: float = 0.0
    bar_low: float = 0.0
    bar_volume: int = 0

    @property
    def average(self) -> float:
        """Average price of the day, weighted by volume."""
        return self.turnover / self.volume if self.volume else 0.0


@dataclass(frozen=True, slots=True)
class Level:
    """One step of the ladder."""

    price: float
    quantity: int
    orders: int


class Board:
    """Follows a course and shows where each symbol stands."""

    def __init__(self, course: Course, seed: int) -> None:
        self._seed = seed
        self._shown: dict[str, Shown] = {}
        for symbol, prices in course.prices.items():
            self._shown[symbol] = _before(prices.series.bars, course.start)

    def shown(self, symbol: str) -> Shown:
        """Return how a symbol stands."""
        return self._shown[symbol]

    def take(self, step: Step) -> None:
        """Let the market go one step on."""
        if isinstance(step, BarBegins):
            self._begin(step)
        elif isinstance(step, Price):
            self._trade(step)
        elif isinstance(step, BarsEnd):
            for symbol, _ in step.bars:
                self._shown[symbol].ts = step.ts

    def _begin(self, step: BarBegins) -> None:
        shown = self._shown[step.symbol]
        if int(step.bar["day"]) != shown.day:
            close = shown.last if shown.last == shown.last else shown.previous_close
            shown = self._shown[step.symbol] = Shown(int(step.bar["day"]), close, last=shown.last)
        shown.bar_start, shown.bar_volume = step.ts, 0

    def _trade(self, step: Price) -> None:
        shown, price = self._shown[step.symbol], step.price
        if not shown.volume:
            shown.open = shown.high = shown.low = price
        if not shown.bar_volume:
            shown.bar_open = shown.bar_high = shown.bar_low = price
        shown.last, shown.last_quantity = price, step.volume
        shown.high, shown.low = max(shown.high, price), min(shown.low, price)
        shown.bar_high = max(shown.bar_high, price)
        shown.bar_low = min(shown.bar_low, price)
        shown.volume += step.volume
        shown.bar_volume += step.volume
        shown.turnover += price * step.volume
        shown.traded_ts = shown.ts = step.ts
        if step.spread == step.spread:
            shown.spread = step.spread

    def ladder(self, symbol: str, tick: float, lot: float) -> tuple[list[Level], list[Level]]:
        """Return five levels wanted and five offered around the last price, best first.

        They are made up, the same for the same seed and moment, and nothing trades on them.
        """
        shown = self._shown[symbol]
        drawn = random.Random(f"{self._seed}/{symbol}/{shown.ts}/{shown.volume}")
        half = max(shown.spread / 2, 0.0)
        sides: list[list[Level]] = []
        for sign in (-1, 1):
            best = round((shown.last + sign * max(half, tick)) / tick)
            sides.append(
                [
                    Level(
                        round((best + sign * depth) * tick, 9),
                        int(lot) * drawn.randint(1, 40),
                        drawn.randint(1, 12),
                    )
                    for depth in range(LEVELS)
                ]
            )
        return sides[0], sides[1]


def _before(bars: Array, start: int) -> Shown:
    """Return how a symbol stands before the first price after a time (ns UTC).

    In the morning before a new day that day has begun, with nothing traded yet.
    """
    past, coming = bars[bars["end"] <= start], bars[bars["end"] > start]
    if not len(past):
        return Shown(-1, float(bars["open"][0]))
    last = past[-1]
    if not len(coming) or coming["day"][0] != last["day"]:
        day = int(coming["day"][0]) if len(coming) else int(last["day"])
        close = float(last["close"])
        return Shown(day, close, close, ts=int(last["end"]))
    today, earlier = past[past["day"] == last["day"]], past[past["day"] < last["day"]]
    opened = float(today["open"][0])
    return Shown(
        int(last["day"]), float(earlier["close"][-1]) if len(earlier) else opened,
        float(last["close"]), volume=int(today["volume"].sum()),
        turnover=float((today["close"] * today["volume"]).sum()), open=opened,
        high=float(today["high"].max()), low=float(today["low"].min()),
        traded_ts=int(last["end"]), ts=int(last["end"]),
    )  # fmt: skip
