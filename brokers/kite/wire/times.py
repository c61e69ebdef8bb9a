"""Kite's times: naive wall clock of Mumbai in JSON, epoch seconds in packets; here int64 ns UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from brokers.kite.wire.errors import WireError, shown

IST = ZoneInfo("Asia/Kolkata")
"""The zone of every naive time in Kite's JSON. It has had no change of clocks since 1945."""

TOKENS_END = time(6, 0)
"""When access tokens die, IST; the flush has been seen to take until about 07:30."""

_SECOND_NS = 1_000_000_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2200
_NAIVE = "%Y-%m-%d %H:%M:%S"


def ist_ns(stamp: object, what: str = "time") -> int:
    """Return a time of Kite's JSON in ns UTC; 0 for none.

    Parameters
    ----------
    stamp : str, datetime or None
        `2026-09-01 09:15:00`, ISO 8601 with an offset, or the datetime the SDK made of either. A
        naive one is IST.

    Raises
    ------
    WireError : it is no time.
    """
    if stamp is None or stamp == "":
        return 0
    if isinstance(stamp, str):
        try:
            stamp = datetime.fromisoformat(stamp)
        except ValueError:
            raise WireError(_unread(what, stamp)) from None
    if not isinstance(stamp, datetime) or not _FIRST_YEAR <= stamp.year < _LAST_YEAR:
        raise WireError(_unread(what, stamp))
    return _ns(stamp if stamp.tzinfo else stamp.replace(tzinfo=IST))


def host_local_ns(stamp: datetime | None) -> int:
    """Return a naive time of this computer's zone in ns UTC; 0 for none.

    The SDK turns the epochs of packets into such times; an hour that the clocks repeat is then
    lost, so what must be exact is read from the packet itself.
    """
    return 0 if stamp is None else _ns(stamp.astimezone(UTC))


def ist_text(ns: int) -> str | None:
    """Return a time as Kite's JSON writes it, None for 0."""
    return datetime.fromtimestamp(ns // _SECOND_NS, IST).strftime(_NAIVE) if ns else None


def candle_text(ns: int) -> str:
    """Return a time as historical candles carry it: `2019-12-04T09:15:00+0530`."""
    return datetime.fromtimestamp(ns // _SECOND_NS, IST).strftime("%Y-%m-%dT%H:%M:%S%z")


def next_expiry(login_ns: int, ends: time = TOKENS_END) -> int:
    """Return when a token of a login at this time (ns UTC) dies: the next 06:00 IST, ns UTC."""
    login = datetime.fromtimestamp(login_ns // _SECOND_NS, IST)
    end = login.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0)
    return _ns(end if end > login else end + timedelta(days=1))


def _ns(stamp: datetime) -> int:
    since = stamp - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * _SECOND_NS + since.microseconds * 1_000


def _unread(what: str, value: object) -> str:
    return f"{what}={shown(value)}: expected a time such as 2026-09-01 09:15:00"
