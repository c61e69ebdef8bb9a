"""The course of the market: prices in the order of their time, from bars or recorded trades.

A bar is told as the path of its prices (`core.path_ticks`), then the clock at its END. What was not
yet told is the future; history ends where the course stands.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, get_args

import numpy as np

from core.bars import BAR, Series
from core.calendar import Calendar, get_calendar
from core.errors import ConfigError
from core.instruments import Instrument, fill_spread, get_instrument
from core.path_ticks import CORNERS, path_ticks
from core.resampling import resample
from core.synthetic import GOLD, NIFTY, generate
from core.ticks import Tape, TickModel
from core.zones import NS_PER_DAY, NS_PER_MINUTE

Array = np.ndarray[Any, Any]

RECIPES = {GOLD.symbol: GOLD, NIFTY.symbol: NIFTY, "GOLDM": GOLD, "MGC": GOLD}
"""What generated prices of a symbol are made by."""

_BEFORE_OPEN_NS = 15 * NS_PER_MINUTE


@dataclass(frozen=True, eq=False)
class Prices:
    """One symbol's prices.

    series : the finest bars there are; history is built of them, and prices unless there is a tape.
    tape : recorded ticks that are told instead.
    model : whether the price walks from one to the next (path) or jumps (trades).
    """

    instrument: Instrument
    series: Series
    calendar: Calendar
    tape: Tape | None = None
    model: TickModel = "path"

    @property
    def symbol(self) -> str:
        """The project's symbol."""
        return self.instrument.symbol


def replayed(
    series: Series,
    tape: Tape | None = None,
    instrument: Instrument | None = None,
    ticks: TickModel = "path",
) -> Prices:
    """Return the prices of bars as they were.

    Parameters
    ----------
    series : bars of any timeframe below a day, oldest first.
    tape : ticks recorded over the same time, to be told instead of the bars' paths.
    instrument : whose facts hold; by default the bundled ones of the series' symbol.
    ticks : of bars: path, orders fill at their own price on the way from one price to the next, as
        in a backtest of the bars; trades, at the first price told that reaches them, as a client
        sees it that knows the stream alone. A tape has its own.
    """
    if not len(series):
        raise ConfigError(f"{series.symbol}: no bars to replay; give a file that holds some")
    if ticks not in get_args(TickModel):
        raise ConfigError(f"ticks={ticks!r}: expected path or trades")
    if series.timeframe_ns >= NS_PER_DAY:
        raise ConfigError(f"{series.symbol}: day bars cannot be replayed; give finer ones")
    instrument = get_instrument(series.symbol) if instrument is None else instrument
    calendar = get_calendar(instrument.calendar)
    bars = series.bars.copy()
    if not bars["day"].any():
        calendar.annotate(bars, series.timeframe_ns)
    fill_spread(bars, instrument)
    model = ticks if tape is None else tape.model
    return Prices(instrument, series.with_bars(bars), calendar, tape, model)


def generated(symbol: str, first: date, last: date, seed: int = 0) -> Prices:
    """Return made-up minutes of every session between two dates.

    Raises
    ------
    ConfigError : there is no recipe for the symbol.
    """
    if symbol not in RECIPES:
        known = ", ".join(sorted(RECIPES))
        raise ConfigError(f"{symbol}: no recipe for made-up prices (known: {known})")
    instrument = get_instrument(symbol)
    path = generate(RECIPES[symbol], first, last, seed)
    bars = path.bars.copy()
    calendar = get_calendar(instrument.calendar)
    calendar.annotate(bars, NS_PER_MINUTE)
    return replayed(Series(symbol, NS_PER_MINUTE, bars, {"synthetic": True}))


@dataclass(frozen=True, slots=True)
class BarBegins:
    """A bar of a symbol begins."""

    ts: int
    symbol: str
    bar: Any


@dataclass(frozen=True, slots=True)
class Price:
    """A trade. volume : traded since the one before, at least 1."""

    ts: int
    symbol: str
    price: float
    volume: int
    spread: float
    flags: int


@dataclass(frozen=True, slots=True)
class BarsEnd:
    """It is a bar's END: the clock is told. bars : (symbol, bar) of those that are over."""

    ts: int
    bars: tuple[tuple[str, Any], ...]


Step = BarBegins | Price | BarsEnd


class Course:
    """Tells several symbols' prices in the order of time.

    Parameters
    ----------
    prices : by symbol.
    start : ns UTC; bars that END by then are history.

    Attributes
    ----------
    now : market time, ns UTC; at first the quarter of an hour before the first bar to come.
    """

    def __init__(self, prices: Sequence[Prices], start: int) -> None:
        if not prices:
            raise ConfigError("no prices: give a file to replay or a symbol to generate")
        self.prices = {item.symbol: item for item in prices}
        self.start = start
        self.now = max(start, self._first() - _BEFORE_OPEN_NS)
        self._built: dict[tuple[str, int], Series] = {}

    def _first(self) -> int:
        """Return START of the first bar to come, ns UTC; `start` where none is."""
        coming = [self._coming(item)["start"] for item in self.prices.values()]
        return min((int(starts[0]) for starts in coming if len(starts)), default=self.start)

    @property
    def end(self) -> int:
        """END of the last bar, ns UTC."""
        return max(int(item.series.bars["end"][-1]) for item in self.prices.values())

    def steps(self) -> Iterator[Step]:
        """Tell the market's course, day by day, from `start` on; `now` goes with it."""
        days = [np.unique(self._coming(item)["day"]) for item in self.prices.values()]
        for day in np.unique(np.concatenate(days)):
            for step in self._day(int(day)):
                self.now = max(self.now, step.ts)
                yield step

    def _coming(self, item: Prices) -> Array:
        bars = item.series.bars
        coming: Array = bars[bars["end"] > self.start]
        return coming

    def _day(self, day: int) -> list[Step]:
        """Return a day's steps: at one time bars end before others begin and prices are told."""
        ranked: list[tuple[int, int, int, Step]] = []
        ends: dict[int, list[tuple[str, Any]]] = {}
        for place, item in enumerate(self.prices.values()):
            bars = self._coming(item)
            bars = bars[bars["day"] == day]
            for bar in bars:
                begins = BarBegins(int(bar["start"]), item.symbol, bar)
                ranked.append((begins.ts, 1, place, begins))
                ends.setdefault(int(bar["end"]), []).append((item.symbol, bar))
            if len(bars):
                ranked += [(price.ts, 2, place, price) for price in _told(item, bars)]
        ranked += [(end, 0, 0, BarsEnd(end, tuple(over))) for end, over in ends.items()]
        return [step for _, _, _, step in sorted(ranked, key=lambda row: row[:3])]

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Array:
        """Return the completed bars with `start` <= START <= `end` that are not in the future.

        Of a timeframe that cannot be built of the symbol's bars there are none.
        """
        series = self._series(symbol, timeframe_ns)
        if series is None:
            return np.zeros(0, BAR)
        bars = series.bars
        inside = (bars["start"] >= start) & (bars["start"] <= end) & (bars["end"] <= self.now)
        found: Array = bars[inside]
        return found

    def _series(self, symbol: str, timeframe_ns: int) -> Series | None:
        item = self.prices[symbol]
        step = item.series.timeframe_ns
        if timeframe_ns < step or timeframe_ns % step:
            return None
        key = (symbol, timeframe_ns)
        if key not in self._built:
            self._built[key] = resample(item.series, timeframe_ns, item.calendar)
        return self._built[key]


def _told(item: Prices, bars: Array) -> Iterator[Price]:
    """Yield the prices of a day's bars."""
    if item.tape is None:
        ticks = path_ticks(bars, item.instrument.facts(int(bars["day"][0])).tick)
        volumes = corner_volumes(bars["volume"])
    else:
        tape = item.tape.of_trades()
        spans = tape.spans(bars)
        ticks = tape.ticks[spans[0, 0] : spans[-1, 1]]
        volumes = np.maximum(np.floor(ticks["volume"]), 1).astype(np.int64)
    for tick, volume in zip(ticks, volumes, strict=True):
        yield Price(
            int(tick["ts_event"]), item.symbol, float(tick["price"]), int(volume),
            float(tick["spread"]), int(tick["flags"]),
        )  # fmt: skip


def corner_volumes(volumes: Array) -> Array:
    """Return the volume of each corner of bars' paths: the bar's in whole parts, none below 1.

    A packet counts as a trade only if the volume traded has grown; a bar without volume (an
    index's) gets 1 for each.
    """
    whole = np.maximum(np.floor(volumes), CORNERS).astype(np.int64)
    until = whole[:, None] * np.arange(1, CORNERS + 1) // CORNERS
    parts: Array = np.diff(until, axis=1, prepend=0).ravel()
    return parts
