"""`data fetch`: a venue's history into a file."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import numpy as np

from backtests.verbs.outcome import Outcome, command_line
from backtests.verbs.progress import Progress
from brokers.access import access_to
from brokers.fetching import FetchRequest, VenueHistory, fetch
from core.bars import format_timeframe, parse_timeframe
from core.calendar import get_calendar
from core.config_fields import first_date, last_date
from core.environment import version
from core.errors import ConfigError
from core.instruments import get_instrument
from core.wording import plural
from feeds.writing import require_writable

FOLDER = Path("prices")
"""Where fetched prices go unless another place is named."""
_NS = 1_000_000_000


def data_fetch(
    venue: str,
    symbol: str,
    progress: Progress,
    *,
    timeframe: str = "1m",
    first: str,
    last: str | None = None,
    out: str | None = None,
    account: str | None = None,
    config: str = "tola.toml",
    force: bool = False,
) -> Outcome:
    """Write a venue's bars of a symbol as Parquet or CSV; an interrupted fetch goes on.

    Raises
    ------
    ConfigError : a name, date or target is wrong. BrokerError : the venue refuses or is away.
    """
    access = access_to(venue, account, config)
    if not access.venue.history:
        raise ConfigError(f"venue {venue}: it serves no history")
    instrument = get_instrument(symbol)
    step = _timeframe(timeframe)
    now = access.now()
    begin, end = _span(first, last, instrument.calendar, now)
    target = Path(out) if out else FOLDER / f"{venue}-{symbol}-{format_timeframe(step)}.parquet"
    if out is None:
        FOLDER.mkdir(exist_ok=True)
    require_writable(target, [], force)
    request = FetchRequest(
        symbol, step, begin, min(end, now), now, access.credentials, access.options
    )
    history: VenueHistory = access.venue.load(access.venue.history)(request)
    progress.begin(f"{symbol} from {access.venue.title}", len(history.pieces()))
    try:
        done = fetch(
            history, request, target, tool=f"tola {version()}",
            tell=lambda count, _: progress.update(count),
        )  # fmt: skip
    finally:
        progress.end()
    bars = done.series.bars
    span = [_text(int(bars[place][side])) for place, side in ((0, "start"), (-1, "end"))]
    lines = [
        f"{target.as_posix()}: {plural(len(bars), 'bar')} of {format_timeframe(step)}, "
        f"{span[0]} to {span[1]} ({plural(done.asked, 'request')}"
        f"{f', {done.kept} kept before' if done.kept else ''})",
        *done.notes,
    ]
    document = {
        "file": target.as_posix(), "symbol": symbol, "timeframe": format_timeframe(step),
        "bars": len(bars), "first": span[0], "last": span[1], "requests": done.asked,
        "kept": done.kept, "source": history.source, "notes": done.notes,
    }  # fmt: skip
    return Outcome(document, lines, command_line(["data", "check", target.as_posix()]))


def _timeframe(text: str) -> int:
    try:
        return parse_timeframe(text)
    except ValueError as fault:
        raise ConfigError(f"--timeframe: {fault}") from None


def _span(first: str, last: str | None, calendar: str, now: int) -> tuple[int, int]:
    """Return the trading dates asked for as a span of time, ns UTC."""
    zone = get_calendar(calendar).zone
    begin = _day("--from", first, first_date)
    end = None if last is None else _day("--to", last, last_date) + timedelta(days=1)
    if end is not None and begin >= end:
        raise ConfigError(f"--from {first} lies after --to {last}")

    def ns(day: date) -> int:
        midnight = datetime.combine(day, time(), UTC)
        local = np.array([int(midnight.timestamp()) * _NS], np.int64)
        return int(zone.to_utc(local)[0])

    start = ns(begin)
    if start >= now:
        raise ConfigError(f"--from {first} lies in the future")
    return start, now if end is None else ns(end)


def _day(flag: str, text: str, read: Callable[[str], date]) -> date:
    try:
        return read(text)
    except ValueError as fault:
        raise ConfigError(f"{flag} {text}: {fault}") from None


def _text(ns: int) -> str:
    return datetime.fromtimestamp(ns / _NS, UTC).strftime("%Y-%m-%d %H:%M UTC")
