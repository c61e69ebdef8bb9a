"""The ways of writing prices that are known by name, and what their makers state about them.

A kind is recognised from the file's name, header and first rows. What it states (zone, side of the
bar, side of the price) is believed where the file itself says nothing else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import DataError

KNOWN = (
    "MT5 or MT4 exports, TradingView, HistData (M1), NinjaTrader, Dukascopy, Kite or Upstox JSON,"
    " pandas or yfinance CSV, Parquet"
)
_HISTDATA = re.compile(r"(?:^|[^A-Z])(?:DAT|HISTDATA_COM)_(ASCII|NT|MT|MS)_", re.IGNORECASE)
_NINJA_NAME = re.compile(r"\.(last|bid|ask)\.(?:txt|csv)", re.IGNORECASE)
_SIDE_NAME = re.compile(r"(?:^|[^a-z])(bid|ask|mid)(?:[^a-z]|$)", re.IGNORECASE)
_DUKASCOPY_NAME = re.compile(r"_Candlestick_|-(?:m\d+|h\d+|d1|mn1)-(?:bid|ask)-", re.IGNORECASE)
_COMPACT = re.compile(r"\d{8} \d{6}$")
_DOTTED = re.compile(r"\d{4}\.\d{2}\.\d{2}")
_EST = "EST"
_SERVER = "ny+7"


@dataclass(frozen=True)
class Kind:
    """A known way of writing prices.

    name : as every command prints it.
    zone : zone of stamps that name none; None if its maker does not state one.
    usual_zone : zone such files mostly have, tried first.
    stamp : which end of the bar a stamp names, None if not stated.
    price_side : bid, ask, mid or last, None if not stated.
    is_server_time : counts from 1970 are a server's wall clock, not UTC.
    step_ns : the bars' grid, 0 if not stated.
    told_by : from where zone and side are known; empty: from the maker's documents.
    """

    name: str
    zone: str | None = None
    usual_zone: str | None = None
    stamp: str | None = None
    price_side: str | None = None
    is_server_time: bool = False
    step_ns: int = 0
    told_by: str = ""

    @property
    def known(self) -> str:
        """From where zone and side are known, in words."""
        return self.told_by or f"as {self.name} files are"


PLAIN = Kind("CSV")


@dataclass(frozen=True)
class Head:
    """The beginning of a text file, parted into fields.

    name : of the file, or of the archive's member. headers : empty where there is no header.
    """

    name: str
    separator: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The headers in small letters without brackets."""
        return tuple(header.strip("<>").lower() for header in self.headers)


def recognise(head: Head) -> Kind:
    """Return the kind of a text file, `PLAIN` for one of no known maker."""
    name = head.name.replace("\\", "/").rpartition("/")[2]
    return (
        _histdata(name)
        or (_by_header(head, name) if head.headers else _headerless(head, name))
        or PLAIN
    )


def _histdata(name: str) -> Kind | None:
    found = _HISTDATA.search(name)
    if not found:
        return None
    words = {"ASCII": "ASCII", "NT": "NinjaTrader", "MT": "MetaTrader", "MS": "MetaStock"}
    # histdata.com, data file specification: bid quotes, EST without daylight saving.
    return Kind(f"HistData {words[found[1].upper()]} M1", _EST, None, "start", "bid")


def _by_header(head: Head, name: str) -> Kind | None:
    words = head.words
    bracketed = all(header.startswith("<") for header in head.headers)
    if bracketed and "ticker" not in words:
        return Kind("MT5 export", None, _SERVER, "start", None)
    if bracketed:
        return Kind("MetaStock ASCII")
    if {"tick_volume", "real_volume"} <= set(words):
        # MetaTrader5.copy_rates counts the server's wall clock from 1970 as if it were UTC.
        return Kind("MetaTrader5 Python rates", None, _SERVER, "start", None, is_server_time=True)
    if words[0] in ("gmt time", "local time", "time (utc)", "time (eet)"):
        zone = {"gmt time": "UTC", "time (utc)": "UTC", "time (eet)": "Europe/Athens"}.get(words[0])
        return Kind("Dukascopy CSV", zone, None, "start", side_of(name))
    if words[0] == "timestamp" and _DUKASCOPY_NAME.search(name):
        return Kind("Dukascopy CSV", "UTC", None, "start", side_of(name))
    if head.headers[:5] == ("time", "open", "high", "low", "close"):
        return Kind("TradingView export", None, None, "start", None)
    if head.headers[0] in ("Date", "Datetime") and "Adj Close" in head.headers:
        return Kind("yfinance CSV", None, None, "start", None)
    if head.headers[0] == "" or head.headers[0].startswith("Unnamed"):
        return Kind("pandas CSV")
    return None


def _headerless(head: Head, name: str) -> Kind | None:
    row = head.rows[0]
    if _COMPACT.match(row[0]) and head.separator == ";":
        side = _NINJA_NAME.search(name)
        if side is None and _without_volume(head.rows):
            return Kind("HistData ASCII M1", _EST, None, "start", "bid")
        # NinjaTrader 8 help guide, Importing: exports are always UTC, stamped at the bar's end.
        return Kind("NinjaTrader export", "UTC", None, "end", side[1].lower() if side else None)
    if _NINJA_NAME.search(name) and head.separator == ";":
        return Kind("NinjaTrader export", "UTC", None, None, side_of(name))
    if _DOTTED.match(row[0]):
        name_of = "MT4 history export" if len(row[0]) == 10 else "MT5 chart file"
        return Kind(name_of, None, _SERVER, "start", None)
    if row[0].isdigit() and len(row) == 12:
        return Kind("Binance klines", None, None, "start", "last")
    return None


def _without_volume(rows: tuple[tuple[str, ...], ...]) -> bool:
    """HistData's volume is always 0; a traded future's never is for long."""
    return all(row[-1] in ("0", "0.0") for row in rows)


def side_of(name: str) -> str | None:
    """Return the price side a file's name tells ('XAUUSD_Candlestick_1_M_BID_...')."""
    found = _SIDE_NAME.search(name)
    return found[1].lower() if found else None


def refuse_ticks(head: Head, name: str) -> None:
    """Refuse a file of ticks; only bars are read. `name` is the file's, for the message.

    Raises
    ------
    DataError : saying whose ticks they are and what to fetch instead.
    """
    remedy = _tick_remedy(head)
    if remedy:
        raise DataError(f"holds ticks, and bars are needed: {remedy}", file=name)


def _tick_remedy(head: Head) -> str:
    words = set(head.words)
    if {"bid", "ask"} <= words and not {"open", "high"} & words:
        if head.headers[0].startswith("<"):
            return "in MT5 use Symbols > Bars > Export Bars"
        return "fetch candles (1 minute or longer) from the same source"
    if head.headers or not head.rows:
        return ""
    row = head.rows[0]
    stamp = row[0]
    is_tick = re.match(r"\d{8} \d{9}$", stamp) or (_COMPACT.match(stamp) and len(row) < 5)
    if is_tick:
        return "fetch the 1-minute (M1) file of the same month from HistData or NinjaTrader"
    return ""
