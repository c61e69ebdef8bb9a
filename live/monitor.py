"""How a session stands, as one JSON document that other programs read (docs/monitoring.md).

The engine makes a `Status` and writes it about once a second. The terminal view, `status`, a
dashboard and a supervisor's probe read the file and nothing else, so none of them touches the
engine. `schema` grows only when a field changes its meaning or goes away; new fields may come.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from core.errors import TolaError
from core.files import put_in_place
from core.log import redact
from core.processes import is_running
from core.results import iso_time, json_text

logger = logging.getLogger(__name__)

SCHEMA = 1
STALE_SECS = 10.0
"""A running session writes its status each second: one this old is not to be trusted."""
_TRIES, _PAUSE_SECS = 5, 0.02


class SessionState(StrEnum):
    """What a session is doing. GAP: prices are missing, no entries. LOCKED: by a risk rule."""

    STARTING = "starting"
    WARMING_UP = "warming up"
    LIVE = "live"
    GAP = "gap"
    PAUSED = "paused"
    LOCKED = "locked"
    KILLED = "killed"
    STOPPING = "stopping"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class DayStatus:
    """The trading day. limit: most that may be lost, headroom: what is left of it, both >= 0.

    date : the trading date, empty before the first.
    """

    pnl: float = 0.0
    start_equity: float | None = None
    limit: float | None = None
    headroom: float | None = None
    locked_by: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True)
class PlanStatus:
    """One plan of the session and its trading day."""

    plan_id: str
    strategy: str
    symbol: str
    timeframe: str
    state: SessionState = SessionState.LIVE
    trades: int = 0
    day_pnl: float = 0.0


@dataclass(frozen=True, slots=True)
class PositionStatus:
    """An open position.

    side : long or short. protected : a stop works. unprotected_secs : how long it stood, or has
    stood, without one. r_now : open P&L in units of the risk planned.
    """

    plan_id: str
    symbol: str
    side: str
    quantity: float
    average_price: float
    price: float | None = None
    open_pnl: float | None = None
    stop: float | None = None
    target: float | None = None
    protected: bool = False
    unprotected_secs: float = 0.0
    r_now: float | None = None


@dataclass(frozen=True, slots=True)
class OrderStatus:
    """A working order. side : buy or sell. price : its trigger, or its limit without one."""

    order_id: str
    plan_id: str
    symbol: str
    side: str
    kind: str
    quantity: float
    status: str
    venue_order_id: str = ""
    filled: float = 0.0
    price: float | None = None
    age_secs: float = 0.0


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """A price feed.

    last_tick : its time, ns UTC. age_secs : how long ago by the market's clock.
    left_out : ticks that came after their bar had ended. differing_bars : bars that were not as
    the venue itself counts them. bid, ask : what a sell gets and a buy pays at the last price.
    holes : stretches whose bars could not be had. last_hole, last_difference : the last of each,
    "" for none. is_whole : false while entries are barred because of a hole.
    """

    symbol: str
    timeframe: str
    state: str
    last_price: float | None = None
    last_tick: int | None = None
    age_secs: float | None = None
    bars: int = 0
    left_out: int = 0
    differing_bars: int = 0
    bid: float | None = None
    ask: float | None = None
    holes: int = 0
    last_hole: str = ""
    last_difference: str = ""
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class SignalStatus:
    """The last setup a strategy saw; reason says why it was not taken."""

    time: int
    plan_id: str
    side: str
    pattern: str
    taken: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """A limit of the guard, and how much of it is used. unit : a currency, or what is counted."""

    name: str
    used: float
    limit: float
    unit: str = ""


@dataclass(frozen=True, slots=True)
class BlockStatus:
    """What keeps entries off besides the guard's limits. plan_id : whose, "" for all plans."""

    rule: str
    detail: str = ""
    plan_id: str = ""


@dataclass(frozen=True, slots=True)
class RequestStatus:
    """A window of the venue's rate limits: `used` of `count` requests."""

    name: str
    used: int
    count: int


@dataclass(frozen=True, slots=True)
class CountStatus:
    """What the session has seen since its start. refused : by rule."""

    bars: int = 0
    ticks: int = 0
    trades: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    reconnects: int = 0
    gaps_filled: int = 0
    missed_entries: int = 0


@dataclass(frozen=True, slots=True)
class AlertStatus:
    """Something a person was told, or would have been. time : ns UTC of the computer's clock."""

    time: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Status:
    """A session. Times are ns UTC; money is in the account's currency.

    Attributes
    ----------
    mode : paper, sandbox or live.
    zone : of the market, in which people read times (an IANA name).
    market_time, wall_time : the market's clock, and the computer's when this was written.
    open_risk : money lost if every open and working entry were stopped out; None: one has no stop.
    exit_reason : why it ended, "" before.
    """

    mode: str
    venue: str
    account: str
    state: SessionState
    currency: str
    started: int
    market_time: int
    wall_time: int = field(default_factory=time.time_ns)
    pid: int = field(default_factory=os.getpid)
    host: str = field(default_factory=socket.gethostname)
    zone: str = "UTC"
    equity: float | None = None
    balance: float | None = None
    open_risk: float | None = None
    day: DayStatus = DayStatus()
    plans: tuple[PlanStatus, ...] = ()
    positions: tuple[PositionStatus, ...] = ()
    orders: tuple[OrderStatus, ...] = ()
    feeds: tuple[FeedStatus, ...] = ()
    last_signal: SignalStatus | None = None
    limits: tuple[LimitStatus, ...] = ()
    blocks: tuple[BlockStatus, ...] = ()
    requests: tuple[RequestStatus, ...] = ()
    counts: CountStatus = CountStatus()
    alerts: tuple[AlertStatus, ...] = ()
    exit_reason: str = ""


_FREE_TEXTS = frozenset({"text", "reason", "exit_reason", "status", "detail"})
"""Fields whose words come from elsewhere (a venue, an exception): secrets are cut out."""

_TIMES = frozenset({"started", "market_time", "wall_time", "last_tick", "time"})
"""Fields that hold ns UTC, and ISO 8601 in the document; 0 and None become null."""


def to_document(status: Status) -> dict[str, Any]:
    """Return the JSON document of a status, `schema` first."""
    return {"schema": SCHEMA, **_object(status)}


def write(path: Path, status: Status) -> None:
    """Write a status so that a reader finds the old one or the new one, never a part.

    Raises
    ------
    OSError : the disk is full or the folder gone. `StatusFile` is for who cannot care.
    """
    fresh = path.with_name(path.name + ".part")
    fresh.write_text(json_text(to_document(status)) + "\n", encoding="utf-8")
    put_in_place(fresh, path)


class StatusFile:
    """A session's status file: a disk that is full is logged once and disturbs nothing more."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_well = True

    def write(self, status: Status) -> None:
        """Write a status, or log that it cannot be written."""
        try:
            write(self._path, status)
        except OSError as fault:
            if self._is_well:
                logger.warning("the status cannot be written error=%s", fault.strerror)
            self._is_well = False
        else:
            self._is_well = True


def read(path: Path) -> dict[str, Any]:
    """Return a status document as it was written, with `stale` and `stale_reason`.

    It is stale where the session's process is gone, or has not written for STALE_SECS. A session
    on another computer is judged by time alone.

    Raises
    ------
    TolaError : there is none, or it cannot be read.
    """
    name = path.as_posix()
    try:
        document = json.loads(_bytes_of(path))
    except FileNotFoundError as cause:
        raise TolaError(
            f"{name}: no session has run here; python run.py live starts one"
        ) from cause
    except (OSError, ValueError) as cause:
        raise TolaError(f"{name}: cannot be read ({cause}): start the session anew") from cause
    if not isinstance(document, dict) or not isinstance(document.get("schema"), int):
        raise TolaError(f"{name}: not a session's status: start the session anew")
    if document["schema"] > SCHEMA:
        raise TolaError(
            f"{name}: schema {document['schema']}, this program knows {SCHEMA}: use the newer one"
        )
    reason = _stale_reason(document)
    return {**document, "stale": bool(reason), "stale_reason": reason}


def _bytes_of(path: Path) -> bytes:
    """Read a file; Windows refuses for the moment in which a newer one takes its place."""
    for _ in range(_TRIES):
        with contextlib.suppress(PermissionError):
            return path.read_bytes()
        time.sleep(_PAUSE_SECS)
    return path.read_bytes()


def _stale_reason(document: Mapping[str, Any]) -> str:
    pid = document.get("pid")
    is_here = document.get("host") == socket.gethostname()
    if is_here and isinstance(pid, int) and not is_running(pid):
        return f"process {pid} is gone"
    try:
        written = datetime.fromisoformat(document["wall_time"])
        age_secs = time.time() - written.timestamp()
    except (KeyError, TypeError, ValueError):
        return "it does not say when it was written"
    return f"not written for {age_secs:.0f} s" if age_secs > STALE_SECS else ""


def _object(record: Any) -> dict[str, Any]:
    return {one.name: _value(one.name, getattr(record, one.name)) for one in fields(record)}


def _value(name: str, value: Any) -> Any:
    if name in _TIMES:
        return iso_time(value) if value else None
    if name in _FREE_TEXTS:
        return redact(value)
    if is_dataclass(value):
        return _object(value)
    if isinstance(value, tuple):
        return [_object(item) for item in value]
    return value
