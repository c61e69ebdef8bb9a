"""What a Backtrader feed says about the present: its symbol, its bar, its time in nanoseconds.

Our own feeds carry `bars` (BAR records) and `symbol`; any other feed is read through its lines,
its stamp taken for the bar's END and its trading day for the UTC date.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR, NEVER_NS, REGULAR

_EPOCH_DAY = 719163.0
"""Backtrader's float day of 1970-01-01."""
_MS_A_DAY = 86_400_000
_DAY_NS = _MS_A_DAY * 1_000_000
_MINUTE_NS = 60_000_000_000


def _has(data: Any, name: str) -> bool:
    """Whether a feed itself has an attribute; asking it would search all its lines."""
    return hasattr(type(data), name) or name in data.__dict__


def float_day_to_ns(number: float) -> int:
    """Return a Backtrader time (float days, UTC) as ns, rounded to the millisecond."""
    return round((number - _EPOCH_DAY) * _MS_A_DAY) * 1_000_000


def symbol_of(data: Any) -> str:
    """Return the project symbol of a feed, else its name, else its number in Cerebro."""
    symbol = data.symbol if _has(data, "symbol") else ""
    return str(symbol or data._name or f"data{data._id}")


def bar_of(data: Any) -> np.record:
    """Return the bar a feed stands on; its END is the present moment.

    A feed that orders inside a bar brings the bar so far (`bar_now`).
    """
    if _has(data, "bar_now"):
        now: np.record = data.bar_now
        return now
    if _has(data, "bars"):
        record: np.record = data.bars[len(data) - 1]
        return record
    return _bar_from_lines(data)


def bars_to_play(data: Any) -> np.ndarray[Any, Any] | None:
    """Return all BAR records of a feed, for the broker that plays them; None of any other feed.

    A feed that shows a strategy no bar before its time brings them as `all_bars`.
    """
    bars: np.ndarray[Any, Any] | None = getattr(data, "all_bars", getattr(data, "bars", None))
    return bars


def end_of(data: Any) -> int:
    """Return END of the bar a feed stands on, ns UTC."""
    if _has(data, "bars"):
        return int(data.bars["end"][len(data) - 1])
    return float_day_to_ns(data.datetime[0])


def bounds_of(data: Any) -> tuple[int, int]:
    """Return START and END of the bar a feed stands on, ns UTC."""
    bar = bar_of(data)
    return int(bar.start), int(bar.end)


def ends_of(data: Any, count: int) -> np.ndarray[Any, Any]:
    """Return END of a preloaded feed's first `count` bars, ns UTC."""
    if _has(data, "bars"):
        return np.ascontiguousarray(data.bars["end"][:count])
    return _ns_of(np.array(data.lines.datetime.array[:count]))


def starts_of(data: Any, count: int) -> np.ndarray[Any, Any]:
    """Return START of a preloaded feed's first `count` bars, ns UTC."""
    if _has(data, "bars"):
        return np.ascontiguousarray(data.bars["start"][:count])
    return ends_of(data, count) - max(bar_length_ns(data), 1)


def trading_days_of(data: Any, count: int) -> np.ndarray[Any, Any]:
    """Return the trading-day numbers of a preloaded feed's first `count` bars."""
    if _has(data, "bars"):
        return np.ascontiguousarray(data.bars["day"][:count]).astype(np.int64)
    return (ends_of(data, count) - 1) // _DAY_NS


def _ns_of(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return float days as ns, as `float_day_to_ns` does."""
    milliseconds = np.round((numbers - _EPOCH_DAY) * _MS_A_DAY)
    return milliseconds.astype(np.int64) * 1_000_000


def day_of(data: Any) -> int:
    """Return the trading-day number of the bar a feed stands on."""
    if _has(data, "bars"):
        return int(data.bars["day"][len(data) - 1])
    return (float_day_to_ns(data.datetime[0]) - 1) // _DAY_NS


def next_bar(bar: np.record) -> np.record:
    """Return the bar expected after this one: the same length and day, no prices yet."""
    expected = bar.copy()
    expected.start = bar.end
    expected.end = bar.end + max(int(bar.end) - int(bar.start), 1)
    for name in ("open", "high", "low", "close"):
        setattr(expected, name, np.nan)
    return expected


def bar_length_ns(data: Any) -> int:
    """Return the nominal length of a feed's bars by its declared timeframe (0 if unknown)."""
    seconds = {2: 1e-3, 3: 1, 4: 60, 5: 86_400, 6: 7 * 86_400}  # Backtrader's TimeFrame numbers
    unit = seconds.get(int(getattr(data, "_timeframe", 0)), 0)
    return int(unit * 1_000_000_000) * int(getattr(data, "_compression", 1) or 1)


def _bar_from_lines(data: Any) -> np.record:
    bar = np.zeros(1, BAR)[0]
    end = float_day_to_ns(data.datetime[0])
    bar.end = end
    bar.start = end - max(bar_length_ns(data), 1)
    for name in ("open", "high", "low", "close", "volume"):
        setattr(bar, name, getattr(data, name)[0])
    bar.close_at = bar.flat_at = NEVER_NS
    bar.day = (end - 1) // _DAY_NS
    bar.minute = int(bar.start) // _MINUTE_NS % 1440
    bar.end_minute = end // _MINUTE_NS % 1440
    bar.weekday = (int(bar.start) // _DAY_NS + 3) % 7
    bar.end_weekday = (end // _DAY_NS + 3) % 7
    bar["flags"] = REGULAR  # the attribute would be numpy's own `flags`
    record: np.record = bar
    return record
