"""What a lower layer needs of a higher one, as protocols.

The guard wraps anything that is a `GuardedBroker`; a broker asks its `Supervisor` (the guard)
whenever equity may have crossed a limit. So risk imports no broker and no broker imports risk.
`order` stands for a Backtrader order, which core does not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from core.compile import record_dtype
from core.orders import Approved, Fill, OrderChange, OrderRequest

LIMITS = record_dtype(
    [
        ("day_floor", "f8"),
        ("trail_floor", "f8"),
        ("trail_amount", "f8"),
        ("trail_lock", "f8"),
        ("trail_peak", "f8"),
        ("trail_intraday", "i1"),
        ("locked", "i1"),
        ("breach", "i1"),
        ("breach_equity", "f8"),
        ("breach_price", "f8"),
        ("low_equity", "f8"),
    ]
)
"""Numeric limits the matching engine checks inside a bar; owned and written by the guard.

day_floor : equity (account currency) at or below which the day's loss limit is met; -inf = off.
trail_floor : equity floor of the trailing drawdown rule; -inf = off.
trail_amount, trail_lock, trail_peak, trail_intraday : with trail_intraday the engine raises
    trail_peak along the path and keeps trail_floor = min(trail_peak - trail_amount, trail_lock).
locked : 1 = no new entry may fill (working entries are cancelled).
breach : written by the engine: 0 none, 1 day_floor, 2 trail_floor.
breach_equity, breach_price : equity and price at which the breach was met.
low_equity : written by the engine: lowest equity of any mark with a position open, since the guard
    last set it (at each trading day's start).
"""

BREACH_NONE, BREACH_DAY, BREACH_TRAIL = 0, 1, 2


def is_catching_up(feed: Any) -> bool:
    """Whether the bar a Backtrader feed stands on came from history, or too late for an entry.

    A feed that can tell has an attribute `catching_up`; asking any other would search its lines.
    """
    can_tell = hasattr(type(feed), "catching_up") or "catching_up" in feed.__dict__
    return can_tell and bool(feed.catching_up)


def no_limits() -> np.ndarray[Any, Any]:
    """Return a one-item LIMITS array with every limit off."""
    limits = np.zeros(1, LIMITS)
    limits["day_floor"] = limits["trail_floor"] = -np.inf
    limits["trail_lock"] = limits["low_equity"] = np.inf
    limits["trail_peak"] = -np.inf
    return limits


class Supervisor(Protocol):
    """What a broker tells its guard; implemented by risk/guard, called on the engine thread."""

    limits: np.ndarray[Any, Any]

    @property
    def is_empty(self) -> bool:
        """Whether no rule is in force: a broker may then skip every call below."""

    def on_bar_start(self, symbol: str, bar: np.record) -> None:
        """A bar begins, before any order is looked at: time-of-day rules act here."""

    def quiet_until(self, symbol: str) -> int:
        """Return the time (ns) up to which bars that END by it need no `on_bar_start`; 0: all do.

        It holds until the next call of any other method here; a bar that begins a trading day is
        never among them.
        """

    def on_day(self, day: int, equity: float, balance: float) -> None:
        """A trading day begins; equity and balance are those of the last mark before the roll."""

    def on_fill(self, fill: Fill, equity: float) -> None:
        """A fill was booked."""

    def on_breach(self, ts_event: int) -> None:
        """The engine met a floor in `limits` and has flattened and cancelled all."""


class GuardedBroker(Protocol):
    """A broker that takes only approved orders.

    It is a Backtrader broker in every other respect (cash, value, positions, notifications).
    """

    @property
    def trading_day(self) -> int:
        """The account's trading day (days since 1970): the latest of its feeds'; -1 before any."""

    def supervise(self, supervisor: Supervisor) -> None:
        """Bind the guard. Called once, before the run starts."""

    def plan_of(self, data: Any) -> str:
        """Return the plan that trades a feed ("" or the feed's name where there are no plans)."""

    def tick_size(self, data: Any) -> float | None:
        """Return the tick of a feed's instrument now, None if the broker was given none."""

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Work a group. `orders` are its Backtrader orders: the parent, then the children."""

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order."""

    def cancel(self, order: Any) -> bool:
        """Cancel a working order and what hangs on it; False if it no longer works."""

    def flatten(self, reason: str) -> None:
        """Cancel every working order and close every position at the next price."""
