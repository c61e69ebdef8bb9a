"""A plan's market data, ready to run: loaded, cut to its days, with spreads and flat times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from typing import Any

import numpy as np

from backtests.request import PlanRequest
from core.bars import Series, format_timeframe, parse_timeframe
from core.calendar import Calendar, day_number, get_calendar
from core.config import Settings
from core.errors import ConfigError, DataError
from core.instruments import fill_spread, get_instrument
from core.schedule import FlatRule, FlatSchedule, apply_flat_times
from core.zones import NS_PER_MINUTE
from risk.news import events_of, news_minutes
from risk.settings import RiskSettings


@dataclass(frozen=True)
class LoadedPlan:
    """A plan with its bars.

    series : the bars the strategy sees; `series.lower` the finer ones of a `drill` run.
    further : series by name, whole, so that their indicators know all that came before.
    """

    request: PlanRequest
    series: Series
    further: Mapping[str, Series]
    calendar: Calendar
    schedule: FlatSchedule


def load_plan(
    request: PlanRequest,
    settings: Settings,
    flats: Sequence[FlatRule] = (),
    limits: Sequence[RiskSettings] = (),
) -> LoadedPlan:
    """Load everything a plan reads.

    Parameters
    ----------
    request : PlanRequest
    settings : Settings
        Names the user's own calendar file and how much wider the spread is around news.
    flats : sequence of FlatRule
        Flat times that strategy and limits ask for.
    limits : sequence of RiskSettings
        The account's; a rule about news says which events count and for how long.

    Raises
    ------
    DataError : a file is faulty, or nothing of it lies between the plan's days.
    """
    plan = request.plan
    calendar = get_calendar(request.instrument.calendar, settings.calendar)
    series = _cut(_load_files(request, calendar), plan.first, plan.last)
    wide = _wide_times(request, settings.news_spread, limits)
    bars = _with_spread(series.bars, request, wide)
    if series.lower is not None:
        lower = _with_spread(series.lower.bars, request, wide)
        series = replace(series, lower=series.lower.with_bars(lower))
    schedule = apply_flat_times(bars, calendar, flats)
    _note_name(series, plan.data[0], request.instrument.symbol)
    further = {name: _load_further(name, path) for name, path in plan.further.items()}
    return LoadedPlan(request, series.with_bars(bars), further, calendar, schedule)


def _with_spread(
    bars: np.ndarray[Any, Any], request: PlanRequest, wide: Sequence[tuple[int, int, float]]
) -> np.ndarray[Any, Any]:
    """Return bars with the instrument's spread where the file gave none."""
    filled = bars.copy()
    fill_spread(filled, request.instrument, wide)
    return filled


def _wide_times(
    request: PlanRequest, factor: float, limits: Sequence[RiskSettings]
) -> list[tuple[int, int, float]]:
    """Return when the spread is wider: the minutes around news, each of them once."""
    if factor == 1.0:
        return []
    rule = next((limit for limit in limits if limit.news is not None), None)
    before, after = news_minutes(rule)
    wide: list[tuple[int, int, float]] = []
    for event in events_of(rule, request.instrument.currencies):
        start, end = event.ts - before * NS_PER_MINUTE, event.ts + after * NS_PER_MINUTE
        if wide and start <= wide[-1][1]:
            start = wide.pop()[0]
        wide.append((start, end, factor))
    return wide


def _note_name(series: Series, path: str, symbol: str) -> None:
    """Note whose bars they are if the file's name says another instrument than is traded."""
    from feeds.loading import symbol_of

    try:
        named, _ = symbol_of(path)
    except ConfigError:
        return
    if named == symbol:
        return
    series.source["named"] = named
    if get_instrument(named).proxy_for == symbol:
        series.source.setdefault("proxy_for", symbol)


def _load_further(name: str, path: str) -> Series:
    import feeds

    return feeds.load(path, symbol=name)


def _load_files(request: PlanRequest, calendar: Calendar) -> Series:
    """Load the plan's files, one after the other in time, on the plan's timeframe."""
    import feeds

    plan = request.plan
    wanted = parse_timeframe(plan.timeframe)
    asked: dict[str, Any] = {"symbol": plan.instrument, "tz": plan.tz, "calendar": calendar}
    if len(plan.data) == 1:
        return feeds.load(plan.data[0], timeframe=wanted, stamp=_stamp(plan.stamp), **asked)
    parts = [feeds.load(path, stamp=_stamp(plan.stamp), **asked) for path in plan.data]
    joined = _join(parts, calendar)
    if wanted < joined.timeframe_ns:
        raise DataError(
            f"timeframe {plan.timeframe} is finer than the files' "
            f"{format_timeframe(joined.timeframe_ns)}",
            file=plan.data[0],
        )
    return feeds.resample(joined, wanted, calendar)


def _stamp(stamp: str) -> str | None:
    return None if stamp == "start" else stamp


def _join(parts: Sequence[Series], calendar: Calendar) -> Series:
    """Return several files of one instrument as one series.

    Raises
    ------
    DataError : their timeframes differ or their times overlap.
    """
    ordered = sorted(parts, key=lambda part: int(part.bars["start"][0]))
    step = ordered[0].timeframe_ns
    for before, after in pairwise(ordered):
        name = str(after.source.get("path"))
        if after.timeframe_ns != step:
            found = format_timeframe(after.timeframe_ns)
            raise DataError(f"holds {found} bars, the others {format_timeframe(step)}", file=name)
        if after.bars["start"][0] <= before.bars["start"][-1]:
            raise DataError(f"overlaps in time with {before.source.get('path')}", file=name)
    bars = np.concatenate([part.bars for part in ordered])
    calendar.annotate(bars, step)
    source = {**ordered[0].source, "files": [part.source for part in ordered]}
    return replace(ordered[0], bars=bars, source=source)


def _cut(series: Series, first: date | None, last: date | None) -> Series:
    """Return the bars of the trading days from first to last, both included."""
    if first is None and last is None:
        return series
    day = series.bars["day"]
    low = -(2**31) if first is None else day_number(first)
    high = 2**31 - 1 if last is None else day_number(last)
    kept = series.bars[(day >= low) & (day <= high)]
    if not len(kept):
        raise ConfigError(
            f"no bars from {first or 'the start'} to {last or 'the end'}: the data runs from "
            f"{_day_text(day[0])} to {_day_text(day[-1])}"
        )
    lower = series.lower
    if lower is not None:
        lower = _cut(lower, first, last)
    return replace(series, bars=kept, lower=lower)


def _day_text(day: int) -> str:
    return str(np.datetime64(int(day), "D"))
