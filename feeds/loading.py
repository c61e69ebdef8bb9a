"""From a file or a frame to a checked, annotated series whose origin is on record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from core.bars import Series, format_timeframe, parse_timeframe
from core.calendar import Calendar, get_calendar
from core.errors import ConfigError, DataError
from core.instruments import get_instrument, instrument_names
from core.zones import NS_PER_DAY, NS_PER_MINUTE
from feeds.cache import entry_of, read, write
from feeds.columns import Columns
from feeds.origin import Origin, require_sure, settle_origin
from feeds.provenance import stated
from feeds.validate import pack

_Bars = np.ndarray[Any, Any]

_ALIASES = {
    "GOLD": "XAUUSD",
    "SILVER": "XAGUSD",
    "NIFTY": "NIFTY50",
    "NIFTYFUT": "NIFTY-FUT",
    "BANKNIFTY": "BANKNIFTY-FUT",
    "BANKNIFTYFUT": "BANKNIFTY-FUT",
    "GCFUT": "GC",
    "USDX": "DXY",
    "XAU": "XAUUSD",
    "XAG": "XAGUSD",
    "BTC": "BTCUSD",
    "BTCUSDT": "BTCUSD",
    "NSEI": "NIFTY50",
    # Continuous contracts as TradingView names them.
    "NIFTY1": "NIFTY-FUT",
    "BANKNIFTY1": "BANKNIFTY-FUT",
}
_STEP_SAMPLE = 20_000


@dataclass(frozen=True)
class _Asked:
    """How a caller wants a source read."""

    symbol: str
    guessed: bool
    tz: str | None
    stamp: str | None
    columns: dict[str, str]
    session: str


def load(
    source: str | Path | Any,
    *,
    symbol: str | None = None,
    timeframe: str | int | None = None,
    tz: str | None = None,
    stamp: str | None = None,
    calendar: Calendar | str | None = None,
    columns: Mapping[str, str] | None = None,
    session: str = "auto",
    cache: bool = True,
) -> Series:
    """Load bars from a CSV file (plain, gz, zip), a Parquet file or a DataFrame.

    Parameters
    ----------
    source : str, Path or DataFrame
        The bars. A frame has its stamps in the index or a column.
    symbol : str, optional
        The instrument; by default guessed from the file's name.
    timeframe : str or int, optional
        Wanted grid ('15m', or ns). A coarser one than the file's is built from its bars, which
        stay in `Series.lower`. By default the file's own.
    tz : str, optional
        Zone of stamps that name none: an IANA name, UTC, +05:30 or ny+7 (MT5 server time).
        By default, or with 'auto', found from the market's hours.
    stamp : str, optional
        Whether stamps are the 'start' or the 'end' of bars. By default found likewise.
    calendar : Calendar or str, optional
        Market hours; by default the instrument's.
    columns : mapping, optional
        Our word (datetime, time, open, high, low, close, volume, spread) -> the source's header,
        for headers we do not know; in a file without header the 0-based field, as text.
    session : str
        Local hours outside which bars are dropped and counted: 'auto' (NSE: the regular
        session; others: none), 'all' (drop none) or 'HH:MM-HH:MM'.
    cache : bool
        Keep the bars of a large file in the user's cache folder, and take them from there.

    Returns
    -------
    Series
        `source` holds path, sha256, rows read, zone and stamp side with how they are known,
        dropped rows by reason, price side, proxy_for, timeframe of the file, synthetic.

    Raises
    ------
    DataError : naming file, line and value of the first thing wrong with the data.
    ConfigError : for an unknown symbol, zone, stamp side, session or timeframe.
    """
    name, guessed = (symbol, False) if symbol else whose(source)
    market = calendar_of(name, calendar)
    wanted = timeframe_ns(timeframe)
    asked = _Asked(name, guessed, tz, stamp, dict(columns or {}), session)
    entry = None
    if cache and isinstance(source, str | Path):
        entry = entry_of(Path(source), market, {"source": str(source), **asdict(asked)})
    series = read(entry) if entry else None
    if series is None:
        series = _own_grid(source, market, wanted, asked)
        if entry:
            write(entry, series)
    require_coarser(source_name(source), series.timeframe_ns, wanted)
    if wanted is None or wanted == series.timeframe_ns:
        return series
    from core.resampling import resample

    return resample(series, wanted, market)


def _own_grid(
    source: str | Path | Any, market: Calendar, wanted: int | None, asked: _Asked
) -> Series:
    """Return the source's bars on the source's own grid."""
    table = read_columns(source, asked.columns)
    step = file_step(table, wanted)
    origin = settle_origin(table, market, step, asked.tz, asked.stamp)
    require_sure(origin, table)
    bars = pack(table, origin.start)
    kept, dropped = in_session(bars, market, asked.session if step < NS_PER_DAY else "all")
    if not len(kept):
        raise table.fault(f"all {len(bars)} rows lie outside the session; check --tz")
    market.annotate(kept, step)
    facts = describe(table, origin, step, dropped, asked.symbol, asked.guessed)
    return Series(asked.symbol, step, kept, facts)


def source_name(source: str | Path | Any) -> str:
    """Return a source as messages name it."""
    return str(source) if isinstance(source, str | Path) else "DataFrame"


def read_columns(source: str | Path | Any, mapping: Mapping[str, str]) -> Columns:
    """Read a source as it stands, whatever its kind; one written newest first is turned round."""
    return _oldest_first(_read(source, mapping))


def _oldest_first(table: Columns) -> Columns:
    stamps = table.stamps
    if len(stamps) < 2 or stamps[0] <= stamps[-1] or not bool((stamps[1:] < stamps[:-1]).all()):
        return table
    turned = table.take(np.arange(len(stamps))[::-1])
    return replace(turned, facts={**table.facts, "order": "newest first, turned round"})


def _read(source: str | Path | Any, mapping: Mapping[str, str]) -> Columns:
    if not isinstance(source, str | Path):
        from feeds.frame import read_frame

        return read_frame(source, mapping)
    path = Path(source)
    if path.suffix.lower() in (".parquet", ".pq"):
        from feeds.parquet import read_parquet

        return read_parquet(path, str(source), mapping)
    from feeds.csv import read_csv

    return read_csv(path, str(source), mapping)


def describe(
    table: Columns, origin: Origin, step: int, dropped: dict[str, int], symbol: str, guessed: bool
) -> dict[str, Any]:
    """Return the provenance of a source, as `Series.source` and `check` report it."""
    known = symbol in instrument_names()
    instrument = get_instrument(symbol) if known else None
    facts = {
        "path": table.name,
        "rows": len(table.stamps),
        "timeframe": format_timeframe(step),
        "zone": origin.zone,
        "zone_known": origin.zone_known,
        "zone_sure": origin.sure,
        "stamp": origin.stamp,
        "stamp_known": origin.stamp_known,
        "dropped": dropped,
        "symbol_known": _symbol_known(table, symbol, guessed),
        "price_side": table.kind.price_side or (instrument.price_side if instrument else "last"),
        "synthetic": False,
    }
    if instrument and instrument.proxy_for:
        facts["proxy_for"] = instrument.proxy_for
    return facts | table.facts


def _symbol_known(table: Columns, symbol: str, guessed: bool) -> str:
    if not guessed:
        return "stated"
    own = table.facts.get("provenance", {}).get("symbol") == symbol
    return "stated in the file" if own else "from the file's name"


def whose(source: str | Path | Any) -> tuple[str, bool]:
    """Return the instrument of a source: a file of ours states it, others by their name."""
    if isinstance(source, str | Path):
        own = stated(Path(source))
        if own is not None and own.symbol:
            return own.symbol, True
    return symbol_of(source_name(source))


def read_as(facts: Mapping[str, Any]) -> str:
    """Return in a few words how a source was read: its dialect, zone, side of bar and of price."""
    known = str(facts["zone_known"]).partition(":")[0]
    return (
        f"{facts.get('dialect', 'bars')}, zone {facts['zone']} ({known}), stamps are bar"
        f" {facts['stamp']}s, prices are {facts['price_side']}"
    )


def symbol_of(name: str) -> tuple[str, bool]:
    """Return the instrument a file's name begins with, or else the only one it contains."""
    parts = [part for part in re.split(r"[^A-Z0-9]+", Path(name).name.upper()) if part] or [""]
    first, both = parts[0], "".join(parts[:2])
    known = {re.sub(r"[^A-Z0-9]", "", symbol): symbol for symbol in instrument_names()} | _ALIASES
    for word in (both, *_spellings(first)):
        if word in known:
            return known[word], True
    # OANDA_XAUUSD, 15.csv and DAT_ASCII_XAUUSD_M1_2024.csv: a source's name stands before.
    found = (next((w for w in _spellings(part) if w in known), None) for part in parts[1:])
    within = {known[word] for word in found if word is not None}
    if len(within) == 1:
        return within.pop(), True
    raise ConfigError(
        f"{name}: the file's name tells no instrument; name it with "
        f"--instrument, such as XAUUSD (in Python: symbol=; known: {', '.join(instrument_names())})"
    )


def _spellings(part: str) -> tuple[str, str, str]:
    """Return a part of a name as it is, without its number and without MT's timeframe (M15)."""
    return part, part.rstrip("0123456789"), re.sub(r"(?:M|H|D|W|MN)\d*$", "", part)


def calendar_of(symbol: str, calendar: Calendar | str | None) -> Calendar:
    """Return the market hours a caller named, by default the instrument's."""
    if isinstance(calendar, Calendar):
        return calendar
    return get_calendar(calendar or get_instrument(symbol).calendar)


def timeframe_ns(timeframe: str | int | None) -> int | None:
    """Return a timeframe as a caller states it, in ns; ConfigError for one that is none."""
    if not isinstance(timeframe, str):
        return timeframe
    try:
        return parse_timeframe(timeframe)
    except ValueError as cause:
        raise ConfigError(str(cause)) from cause


def file_step(table: Columns, wanted: int | None) -> int:
    """Return the source's grid: the commonest distance of two rows.

    Raises
    ------
    DataError : if the stamps do not rise, or one row alone leaves the grid open.
    """
    if table.kind.step_ns:
        return table.kind.step_ns
    steps = np.diff(table.stamps[:_STEP_SAMPLE])
    steps = steps[steps > 0]
    if not len(steps):
        if wanted is not None and len(table.stamps) == 1:
            return wanted
        seen = "its stamps do not rise" if len(table.stamps) > 1 else "it holds one row"
        remedy = "sort the file by time" if len(table.stamps) > 1 else "state --timeframe"
        raise table.fault(f"{seen}, so the timeframe is unknown; {remedy}", 0)
    values, counts = np.unique(steps, return_counts=True)
    return int(values[np.argmax(counts)])


def require_coarser(name: str, step: int, wanted: int | None) -> None:
    """Refuse a timeframe that cannot be built from the file's bars."""
    if wanted is None or (wanted >= step and wanted % step == 0):
        return
    own = format_timeframe(step)
    fault = "is finer than" if wanted < step else "is no multiple of"
    raise DataError(
        f"timeframe {format_timeframe(wanted)} {fault} the file's {own};"
        f" ask for {own} or a multiple, or give a file of lower bars",
        file=name,
    )


def in_session(bars: _Bars, calendar: Calendar, session: str) -> tuple[_Bars, dict[str, int]]:
    """Return the bars that start within the session's local hours, and the dropped ones counted.

    Raises
    ------
    ConfigError : if `session` is neither auto, all nor HH:MM-HH:MM.
    """
    hours = _session_hours(calendar, session)
    if hours is None:
        return bars, {}
    local = calendar.zone.to_local(np.ascontiguousarray(bars["start"])) % NS_PER_DAY
    inside = (local >= hours[0]) & (local < hours[1])
    if hours[0] > hours[1]:
        inside = (local >= hours[0]) | (local < hours[1])
    dropped = int(len(bars) - np.count_nonzero(inside))
    return (bars[inside] if dropped else bars), {"outside_session": dropped}


def _session_hours(calendar: Calendar, session: str) -> tuple[int, int] | None:
    if session == "all":
        return None
    if session == "auto":
        if calendar.name != "NSE":
            return None
        return calendar.regular_open, calendar.regular_close
    match = re.fullmatch(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})", session.strip())
    if not match:
        raise ConfigError(f"session={session}: expected auto, all or hours such as 09:15-15:30")
    a, b, c, d = (int(part) for part in match.groups())
    return (a * 60 + b) * NS_PER_MINUTE, (c * 60 + d) * NS_PER_MINUTE
