"""One account as seen from outside, in the same shape at every venue.

`UnifiedAccount` joins what looks (`Sight`: a venue's port, a session's status document) with what
acts (`Hands`: a session, whose guard judges every order). Where nothing acts, or the account is
read-only, the calls that trade say so and do nothing. What cannot be learned is an error, never
an empty list: unknown is not flat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from core.bars import Series
from core.errors import ConfigError
from core.events import Outcome
from core.orders import Side


@dataclass(frozen=True, slots=True)
class AccountState:
    """Money of an account, in its currency; None where the venue does not say. time : ns UTC."""

    name: str
    venue: str
    currency: str
    balance: float | None
    equity: float | None
    margin_used: float | None
    can_trade: bool
    time: int


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """A position. direction : +1 long, -1 short. plan_id : "" where no plan of ours holds it."""

    symbol: str
    direction: int
    quantity: float
    average_price: float
    price: float | None = None
    open_pnl: float | None = None
    stop: float | None = None
    target: float | None = None
    position_id: str = ""
    plan_id: str = ""


@dataclass(frozen=True, slots=True)
class WorkingOrder:
    """An order that may still fill. order_id : ours, "" for another hand's. kind : "" if not told.

    price : its trigger, or its limit without one.
    """

    order_id: str
    venue_order_id: str
    symbol: str
    side: Side | None
    quantity: float | None
    filled: float = 0.0
    kind: str = ""
    price: float | None = None
    status: str = ""
    plan_id: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """A price as last told; bid and ask None where the venue tells none. time : ns UTC."""

    symbol: str
    price: float
    time: int
    bid: float | None = None
    ask: float | None = None


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What somebody wants done. At market without limit or stop.

    stop_loss, take_profit : prices of the children that protect it.
    """

    symbol: str
    side: Side
    quantity: float
    limit: float | None = None
    stop: float | None = None
    stop_loss: float | None = None
    take_profit: float | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What came of a call that trades.

    UNKNOWN: it may or may not have been done; look before it is repeated. rule : of the guard,
    where it refused.
    """

    outcome: Outcome
    text: str
    order_id: str = ""
    rule: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it was done."""
        return self.outcome is Outcome.ACCEPTED


Hear = Callable[[Quote], None]


class Sight(Protocol):
    """What can be seen of an account. Each call raises where it cannot be learned."""

    def account(self) -> AccountState:
        """Return the account's money."""

    def positions(self) -> tuple[OpenPosition, ...]:
        """Return what is open."""

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return what works."""

    def price(self, symbol: str) -> Quote:
        """Return the last price."""

    def subscribe(self, symbol: str, hear: Hear) -> Callable[[], None]:
        """Have each new price told, on a thread of the sight's; the result ends it."""

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Series:
        """Return the completed bars with `start` <= START and END <= `end` (ns UTC)."""


class Hands(Protocol):
    """What trades for an account: always behind its guard."""

    def execute(self, order: NewOrder) -> Receipt:
        """Send a new order."""

    def modify(
        self, order_id: str, price: float | None, limit: float | None, quantity: float | None
    ) -> Receipt:
        """Change a working order; None keeps what is."""

    def cancel(self, order_id: str) -> Receipt:
        """Cancel a working order."""

    def close(self, symbol: str, share: float) -> Receipt:
        """Close a share of what is open."""


class UnifiedAccount:
    """An account at any venue.

    Parameters
    ----------
    name : as in tola.toml.
    sight : what looks.
    hands : what trades; None: no session runs on the account.
    read_only : it must not trade, whoever asks.
    """

    def __init__(
        self, name: str, sight: Sight, hands: Hands | None = None, *, read_only: bool = False
    ) -> None:
        self.name = name
        self.read_only = read_only
        self._sight = sight
        self._hands = hands

    def account(self) -> AccountState:
        """Return the account's money."""
        return self._sight.account()

    def positions(self) -> tuple[OpenPosition, ...]:
        """Return what is open, others' positions too."""
        return self._sight.positions()

    def orders(self) -> tuple[WorkingOrder, ...]:
        """Return what works."""
        return self._sight.orders()

    def price(self, symbol: str) -> Quote:
        """Return the last price of a symbol."""
        return self._sight.price(symbol)

    def subscribe(self, symbol: str, hear: Hear) -> Callable[[], None]:
        """Have each new price of a symbol told; call the result to end it."""
        return self._sight.subscribe(symbol, hear)

    def history(self, symbol: str, timeframe_ns: int, start: int, end: int) -> Series:
        """Return completed bars (times ns UTC)."""
        return self._sight.history(symbol, timeframe_ns, start, end)

    def execute(self, order: NewOrder) -> Receipt:
        """Send a new order through the guard.

        Raises
        ------
        ConfigError : the account is read-only, or no session runs that would guard the order.
        """
        return self._trading("execute").execute(order)

    def modify(
        self,
        order_id: str,
        *,
        price: float | None = None,
        limit: float | None = None,
        quantity: float | None = None,
    ) -> Receipt:
        """Change a working order; raises as `execute` does."""
        return self._trading("modify").modify(order_id, price, limit, quantity)

    def cancel(self, order_id: str) -> Receipt:
        """Cancel a working order; raises as `execute` does."""
        return self._trading("cancel").cancel(order_id)

    def close(self, symbol: str, share: float = 1.0) -> Receipt:
        """Close a share of what is open of a symbol; raises as `execute` does."""
        return self._trading("close").close(symbol, share)

    def _trading(self, call: str) -> Hands:
        if self.read_only:
            raise ConfigError(
                f"account {self.name} is read-only: {call} is not possible; "
                f"read_only = false in [accounts.{self.name}] lets it trade"
            )
        if self._hands is None:
            raise ConfigError(
                f"account {self.name}: {call} goes through a session's guard and none runs: "
                f"python run.py live --account {self.name}"
            )
        return self._hands
