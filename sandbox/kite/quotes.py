"""What Kite shows of a market: quotes, packets and candles."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from brokers.kite.wire import (
    FULL,
    INTERVALS,
    IST,
    LTP,
    MAX_DAYS,
    Candle,
    DepthLevel,
    Quote,
    Tick,
)
from sandbox.board import Level
from sandbox.course import Course
from sandbox.exchange import Exchange
from sandbox.kite.contracts import Listed
from sandbox.kite.replies import wrong_input
from sandbox.kite.settings import KiteSettings

_NS = 1_000_000_000
_STEPS = {name: secs * _NS for secs, name in INTERVALS.items()}


class Quotes:
    """Works quotes, packets and candles out of the board and the course."""

    def __init__(self, exchange: Exchange, course: Course, settings: KiteSettings) -> None:
        self._exchange = exchange
        self._course = course
        self._settings = settings

    def tick(self, listed: Listed, mode: str) -> Tick | None:
        """Return the packet of an instrument as it stands; None before its first price."""
        shown = self._exchange.board.shown(listed.symbol)
        token = listed.row.instrument_token
        if shown.last != shown.last:
            return None
        if mode == LTP:
            return Tick(token, shown.last)
        skew = self._exchange.skew_ns
        day = (shown.open, shown.high, shown.low, shown.previous_close)
        if listed.is_index:
            return Tick(
                token, shown.last, mode, open=day[0], high=day[1], low=day[2], close=day[3],
                exchange_time=shown.ts + skew,
            )  # fmt: skip
        buy, sell = self._ladder(listed)
        tick = Tick(
            token, shown.last, mode, shown.last_quantity, shown.average, shown.volume,
            sum(level.quantity for level in buy), sum(level.quantity for level in sell), *day,
        )  # fmt: skip
        if mode != FULL:
            return tick
        return Tick(
            token, shown.last, mode, shown.last_quantity, shown.average, shown.volume,
            tick.buy_quantity, tick.sell_quantity, *day,
            last_trade_time=shown.traded_ts + skew, exchange_time=shown.ts + skew,
            buy=buy, sell=sell,
        )  # fmt: skip

    def _ladder(self, listed: Listed) -> tuple[tuple[DepthLevel, ...], tuple[DepthLevel, ...]]:
        facts = self._exchange.facts(listed.symbol)
        sides = self._exchange.board.ladder(listed.symbol, facts.tick, facts.lot)
        buy, sell = (tuple(map(_level, side)) for side in sides)
        return buy, sell

    def quote(self, listed: Listed, band: tuple[float, float]) -> Quote | None:
        """Return the quote of an instrument; None before its first price."""
        tick = self.tick(listed, FULL)
        if tick is None:
            return None
        return Quote(
            tick.instrument_token, tick.last_price, tick.exchange_time, tick.last_trade_time,
            tick.last_quantity, tick.buy_quantity, tick.sell_quantity, tick.volume,
            tick.average_price, net_change=tick.last_price - tick.close,
            lower_circuit_limit=band[0], upper_circuit_limit=band[1], open=tick.open,
            high=tick.high, low=tick.low, close=tick.close, buy=tick.buy, sell=tick.sell,
        )  # fmt: skip

    def candles(
        self, listed: Listed, interval: str, first: str, last: str, continuous: bool
    ) -> list[Candle]:
        """Return an instrument's candles between two times as Kite's requests write them.

        Raises
        ------
        KiteFault : an unknown interval, a time that is none, or more days than one request may ask.
        """
        step = _STEPS.get(interval)
        if step is None:
            raise wrong_input("Invalid `interval`.")
        begin, end = _ns(first, "from"), _ns(last, "to")
        if begin > end:
            raise wrong_input("Invalid `from` and `to`.")
        if end - begin > timedelta(days=MAX_DAYS[interval]) / timedelta(seconds=1) * _NS:
            raise wrong_input(f"interval exceeds max limit: {MAX_DAYS[interval]} days")
        if continuous and (interval != "day" or listed.is_index):
            raise wrong_input("Continuous data is served for day candles of futures alone.")
        bars = self._course.history(listed.symbol, step, begin, end)
        starts = [int(start) for start in bars["start"]]
        if interval == "day":
            starts = [_midnight(start) for start in starts]
        found = [_candle(start, bar) for start, bar in zip(starts, bars, strict=True)]
        if self._settings.serves_forming_candle:
            found += self._forming(listed, step, begin, end, found)
        return found

    def _forming(
        self, listed: Listed, step: int, begin: int, end: int, complete: list[Candle]
    ) -> list[Candle]:
        """Return the finest candle that is forming, where that is what was asked for."""
        shown = self._exchange.board.shown(listed.symbol)
        finest = self._course.prices[listed.symbol].series.timeframe_ns
        is_new = not complete or complete[-1].start < shown.bar_start
        if step != finest or not shown.bar_volume or not begin <= shown.bar_start <= end:
            return []
        if not is_new or shown.ts >= shown.bar_start + step:
            return []
        return [
            Candle(shown.bar_start, shown.bar_open, shown.bar_high, shown.bar_low, shown.last,
                   shown.bar_volume)
        ]  # fmt: skip


def _level(level: Level) -> DepthLevel:
    return DepthLevel(level.quantity, level.price, level.orders)


def _ns(text: str, name: str) -> int:
    """Return a request's time, naive IST, in ns UTC."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        raise wrong_input(f"invalid {name} date") from None
    return int(when.replace(tzinfo=IST).timestamp()) * _NS


def _midnight(start: int) -> int:
    """Return midnight IST of a time's day: day candles carry it."""
    day = datetime.fromtimestamp(start // _NS, IST)
    return int(day.replace(hour=0, minute=0, second=0).timestamp()) * _NS


def _candle(start: int, bar: Any) -> Candle:
    opened, high, low, close, volume = (
        float(bar[name]) for name in ("open", "high", "low", "close", "volume")
    )
    return Candle(start, opened, high, low, close, volume)
