"""Rows that are sound one by one and odd beside the others: spikes, standstills, grids, decimals.

Every bound is a multiple of what the file itself does (its median range), so that one rule fits
gold, an index and a currency.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from core.bars import format_timeframe
from core.calendar import Calendar
from core.instruments import get_instrument, instrument_names
from core.wording import plural
from core.zones import NS_PER_DAY
from feeds.columns import PRICES
from feeds.findings import NOTE, WARNING, Finding, runs

_Array = np.ndarray[Any, Any]
_LineOf = Callable[[int], int | None]

_BLOCK = 500
"""Bars over which a usual range is taken."""
_SPIKE, _SPIKE_SHARE = 20.0, 0.004
"""A spike leaves by so many usual ranges and by this share of the price ..."""
_BACK = 0.3
"""... and the next bar is back to within this share of the way."""
_JUMP, _JUMP_SHARE = 30.0, 0.08
_FLAT_RUN = 5
_SMALL_STRETCH = 5
_LARGE_STRETCH = 20
_BRIDGED = 4
_MOST_DECIMALS = 6
_USUAL_DECIMALS = 0.999
_OFF_TICK = 0.01
_OFF_GRID_HABIT = 0.2
_VOLUME_SPIKE = 2_000.0


def oddities(
    bars: _Array, market: Calendar, step: int, symbol: str, line_of: _LineOf
) -> Iterator[Finding]:
    """Yield what is odd in bars that are sound one by one.

    Parameters
    ----------
    bars : ndarray of BAR, shape (n,)
        Ascending, annotated.
    market : Calendar
        Its sessions give the grid.
    step : int
        The file's grid, ns.
    symbol : str
        For the tick, where the instrument is known.
    line_of : callable
        Row of `bars` -> line of the file.
    """
    prices = {name: np.ascontiguousarray(bars[name]) for name in PRICES}
    usual = _usual_range(prices["high"] - prices["low"])
    yield from _spikes(prices, usual, line_of)
    yield from _jumps(prices, usual, bars, line_of)
    yield from _standstill(prices, bars["volume"], step, line_of)
    yield from _stretches(bars, step, line_of)
    yield from _off_grid(bars, market, step, line_of)
    yield from _decimals(prices, line_of)
    yield from _ticks(prices, symbol, int(bars["day"][-1]))
    yield from _volumes(np.ascontiguousarray(bars["volume"]), line_of)


def _usual_range(ranges: _Array) -> _Array:
    """Return for each bar the median range around it, never far below the file's own."""
    blocks = max(len(ranges) // _BLOCK, 1)
    parts = np.array_split(ranges, blocks)
    medians = np.array([np.median(part) for part in parts])
    usual: _Array = np.repeat(medians, [len(part) for part in parts])
    traded = ranges[ranges > 0]
    least = float(np.median(traded)) / 4 if len(traded) else 0.0
    return np.maximum(usual, least)


def _spikes(prices: dict[str, _Array], usual: _Array, line_of: _LineOf) -> Iterator[Finding]:
    """Yield bars whose extreme or close leaves the bars around them and comes straight back."""
    high, low, close = prices["high"], prices["low"], prices["close"]
    if len(close) < 3:
        return
    before_high = np.maximum(high[:-2], prices["open"][1:-1])
    before_low = np.minimum(low[:-2], prices["open"][1:-1])
    up = high[1:-1] - np.maximum(np.minimum(before_high, high[:-2]), high[2:])
    down = np.minimum(np.maximum(before_low, low[:-2]), low[2:]) - low[1:-1]
    far = np.maximum(_SPIKE * usual[1:-1], _SPIKE_SHARE * close[:-2])
    gone = np.abs(close[2:] - close[:-2])
    for way, word, column in ((up, "high", high), (down, "low", low)):
        for row in (np.flatnonzero((way > far) & (gone < _BACK * way)) + 1).tolist():
            text = (
                f"{word} {column[row]:.12g} stands {way[row - 1]:.6g} off the bars around it,"
                f" {way[row - 1] / max(usual[row], 1e-12):.0f} times the usual range"
            )
            yield Finding("spike", WARNING, text, line_of(row))


def _jumps(
    prices: dict[str, _Array], usual: _Array, bars: _Array, line_of: _LineOf
) -> Iterator[Finding]:
    """Yield prices that move far within a day, or by a factor at any time, and stay there."""
    open_, close = prices["open"], prices["close"]
    step = np.abs(open_[1:] - close[:-1])
    share = step / close[:-1]
    same_day = bars["day"][1:] == bars["day"][:-1]
    far = same_day & (step > _JUMP * usual[1:]) & (share > _JUMP_SHARE)
    far |= (open_[1:] > 2 * close[:-1]) | (open_[1:] < close[:-1] / 2)
    for row in (np.flatnonzero(far) + 1).tolist():
        text = f"open {open_[row]:.12g} after a close of {close[row - 1]:.12g}"
        yield Finding("jump", WARNING, f"{text}: another scale or contract?", line_of(row))


def _standstill(
    prices: dict[str, _Array], volume: _Array, step: int, line_of: _LineOf
) -> Iterator[Finding]:
    open_, high, low, close = (prices[name] for name in PRICES)
    flat = (high == low) & (open_ == close)
    rows = np.flatnonzero(flat)
    if not len(rows):
        return
    left = 0
    for first, last in runs(rows):
        stretch = close[first : last + 1]
        count = last - first + 1
        if step < NS_PER_DAY and count >= _FLAT_RUN and bool((stretch == stretch[0]).all()):
            filled = ", without volume: filled in?" if not volume[first : last + 1].any() else ""
            text = f"{count} bars stand still at {stretch[0]:.12g}{filled}"
            yield Finding("flat_run", WARNING, text, line_of(first), count, line_of(last))
        else:
            left += count
    if left:
        text = f"{plural(left, 'bar')} without movement (open = high = low = close)"
        yield Finding("flat", NOTE, text, line_of(int(rows[0])), left)


def _stretches(bars: _Array, step: int, line_of: _LineOf) -> Iterator[Finding]:
    """Yield stretches in which bars follow each other at another, constant distance."""
    if step >= NS_PER_DAY:
        return
    steps = np.diff(np.ascontiguousarray(bars["start"]))
    lengths, counts = np.unique(steps[steps != step], return_counts=True)
    for length, total in zip(lengths.tolist(), counts.tolist(), strict=True):
        least = _SMALL_STRETCH if length < step else _LARGE_STRETCH
        if total < least or length >= NS_PER_DAY:
            continue
        rows = np.flatnonzero(steps == length)
        # A day's break or a gap inside does not end a stretch.
        for part in np.split(rows, np.flatnonzero(np.diff(rows) > _BRIDGED) + 1):
            if len(part) < least:
                continue
            text = f"{len(part)} bars of {format_timeframe(length)} among bars of"
            text += f" {format_timeframe(step)}: export one timeframe a file"
            lines = line_of(int(part[0])), line_of(int(part[-1]) + 1)
            yield Finding("mixed_timeframe", WARNING, text, lines[0], len(part), lines[1])


def _off_grid(bars: _Array, market: Calendar, step: int, line_of: _LineOf) -> Iterator[Finding]:
    if step >= NS_PER_DAY:
        return
    start = np.ascontiguousarray(bars["start"])
    rows = np.flatnonzero(market.grid_starts(start, step) != start)
    if not len(rows):
        return
    grid = format_timeframe(step)
    if len(rows) > _OFF_GRID_HABIT * len(bars):
        text = f"{plural(len(rows), 'bar')} start off the {grid} grid of {market.name}'s session"
        yield Finding("off_grid", WARNING, text, line_of(int(rows[0])), len(rows))
        return
    for first, last in runs(rows):
        count = last - first + 1
        clock = int(bars["minute"][first])
        text = f"{plural(count, 'bar')} off the {grid} grid, the first at"
        text += f" {clock // 60:02d}:{clock % 60:02d} local"
        yield Finding("off_grid", WARNING, text, line_of(first), count, line_of(last))


def _decimals(prices: dict[str, _Array], line_of: _LineOf) -> Iterator[Finding]:
    """Yield rows whose prices have more decimals than nearly all others."""
    for decimals in range(_MOST_DECIMALS + 1):
        odd = np.zeros(len(prices["open"]), bool)
        for values in prices.values():
            scaled = values * 10.0**decimals
            odd |= np.abs(scaled - np.rint(scaled)) > 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)
        share = 1.0 - np.count_nonzero(odd) / len(odd)
        if share == 1.0:
            return
        if share >= _USUAL_DECIMALS and len(odd) > 100:
            break
    else:
        return
    for first, last in runs(np.flatnonzero(odd)):
        text = f"{plural(last - first + 1, 'row')} with more than the file's {decimals} decimals"
        count = last - first + 1
        yield Finding("decimals", WARNING, text, line_of(first), count, line_of(last))


def _ticks(prices: dict[str, _Array], symbol: str, day: int) -> Iterator[Finding]:
    """Yield a note where prices do not lie on the instrument's ticks."""
    if symbol not in instrument_names():
        return
    tick = get_instrument(symbol).facts(day).tick
    scaled = prices["close"] / tick
    off = int(np.count_nonzero(np.abs(scaled - np.rint(scaled)) > 1e-4))
    if off > _OFF_TICK * len(scaled):
        text = (
            f"{off / len(scaled):.0%} of the closes lie between {symbol}'s ticks of {tick:g}:"
            " another instrument, or adjusted prices?"
        )
        yield Finding("tick", NOTE, text, None, off)


def _volumes(volume: _Array, line_of: _LineOf) -> Iterator[Finding]:
    traded = volume[volume > 0]
    if not len(traded):
        yield Finding("volume", NOTE, "no volume in the file: volume rules cannot be used")
        return
    none = np.flatnonzero(volume == 0)
    if len(none):
        text = f"{plural(len(none), 'bar')} with volume 0"
        yield Finding("volume", NOTE, text, line_of(int(none[0])), len(none))
    if bool((traded == traded[0]).all()) and len(traded) > 1:
        yield Finding("volume", NOTE, f"every volume is {traded[0]:g}: filled in by the source?")
        return
    usual = float(np.median(traded))
    for row in np.flatnonzero(volume > _VOLUME_SPIKE * usual).tolist():
        text = f"volume {volume[row]:.12g}, {volume[row] / usual:,.0f} times the usual one"
        yield Finding("volume", NOTE, text, line_of(row))
