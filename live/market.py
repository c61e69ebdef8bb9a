"""Where a session's prices come from when no file is replayed: a venue, or its sandbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brokers.inbox import Inbox
from brokers.paper.venue import PaperVenue
from brokers.port import VenuePort
from core.bars import BAR
from core.calendar import Calendar
from core.events import Event
from feeds.grid import Grid
from live.timer import MarketTimer

_NS = 1_000_000_000
_WAIT_SECS = 0.05


@dataclass(frozen=True)
class VenueMarket:
    """A venue as a session's market.

    Attributes
    ----------
    venue : its name. open_port : returns its port, not yet connected; it takes an `emit`.
    fills_on_paper : prices are the venue's, fills are made here; else orders go to the venue.
    is_sandbox : no money is there.
    clock : the market's time, ns UTC. is_over : whether no further price comes.
    is_real_time : the market's time is this computer's.
    lock_step : of a sandbox that waits for the session: its address; "" for none.
    """

    venue: str
    open_port: Callable[[Callable[[Event], None], Sequence[str]], Any]
    fills_on_paper: bool
    is_sandbox: bool
    clock: Callable[[], int]
    is_over: Callable[[], bool] = lambda: False
    is_real_time: bool = True
    lock_step: str = ""

    @property
    def mode(self) -> str:
        """What its fills are: paper, sandbox or live."""
        if self.fills_on_paper:
            return "paper"
        return "sandbox" if self.is_sandbox else "live"


class MarketSource:
    """The engine's source on a venue's market: it brings time, and the end.

    Attributes
    ----------
    start : market time at which the session began, ns UTC. left : prices are still to come.
    """

    left = 1

    def __init__(
        self,
        market: VenueMarket,
        start: int,
        next_due: Callable[[], int | None],
        silence: Callable[[], float] = lambda: 0.0,
    ) -> None:
        self.start = start
        self.is_real_time = market.is_real_time
        self._market = market
        self._timer = MarketTimer(next_due, wall=market.clock, silence=silence)

    def market_time(self) -> int:
        """Return the time up to which the venue's prices should have come, ns UTC."""
        return self._timer.market_time()

    def skip_to(self, now: int, seen: Any = None) -> None:
        """Do nothing: a venue's market goes on by itself."""

    def pump(self, inbox: Inbox) -> float | None:
        """Put the clock where something is due; return seconds to wait, None at the end."""
        if self._market.is_over() and not len(inbox):
            return None
        if self._market.lock_step:
            return _WAIT_SECS  # every packet of it tells the time
        wait = self._timer.pump(inbox)
        return wait if self._market.is_real_time else min(wait, _WAIT_SECS)


class OnVenue:
    """A venue's port as a session begins with it: it is subscribed to what is traded."""

    resume_time = 0

    def __init__(self, port: VenuePort, symbols: Sequence[str]) -> None:
        self._port = port
        self._symbols = list(symbols)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._port, name)

    def connect(self, now: int = 0) -> None:
        """Connect and subscribe; how it goes is told by events."""
        self._port.connect()
        self._port.subscribe(self._symbols)


class PaperOnVenue:
    """Paper fills on a venue's prices: prices and history are asked of it, all else of paper.

    No order can leave through it: the session's outbox takes the paper exchange alone.
    """

    def __init__(self, paper: PaperVenue, port: VenuePort, symbols: Sequence[str]) -> None:
        self._paper = paper
        self._prices = OnVenue(port, symbols)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._paper, name)

    def connect(self, now: int = 0) -> None:
        """Open the paper account, then connect to the venue for prices."""
        self._paper.connect(now)
        self._prices.connect()

    @property
    def is_quiet(self) -> bool:
        """Whether no request is on its way."""
        return bool(self._prices.is_quiet)

    def roll(self, symbol: str) -> None:
        """Follow the prices of a symbol's next contract."""
        self._prices.roll(symbol)

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Close both."""
        self._prices.disconnect(timeout_secs)
        self._paper.disconnect(timeout_secs)

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Ask the venue for past bars."""
        self._prices.request_history(request_id, symbol, timeframe_ns, start, end)


class Rest:
    """Whether a session has nothing left to do: what a lock-step market waits for."""

    def __init__(self, engine: Any, port: Any) -> None:
        self._engine = engine
        self._port = port

    @property
    def is_quiet(self) -> bool:
        """Whether its inbox is empty, its engine sleeps and no request of its is in flight."""
        engine = self._engine
        return bool(self._port.is_quiet and engine.inbox.is_quiet and not engine.nested)


class PortHistory:
    """Past bars of a venue for the paper exchange, which plays what it missed.

    Parameters
    ----------
    history : yields pages of a symbol's bars; waits for the venue.
    calendars : by symbol.
    """

    def __init__(self, history: Callable[..., Any], calendars: dict[str, Calendar]) -> None:
        self._history = history
        self._calendars = calendars

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Any:
        """Return the bars with `start` <= START and END <= `end`."""
        pages = list(self._history(symbol, timeframe_ns, start, end))
        grid = Grid(self._calendars[symbol], timeframe_ns)
        bars = grid.fitted(np.concatenate(pages) if pages else np.zeros(0, BAR))
        return bars[bars["end"] <= end]
