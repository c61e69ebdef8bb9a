"""Orders, fills and contracts as the exchange holds them, in words that no venue uses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from core.errors import BrokerError
from core.events import OrderStatus
from core.orders import OrderKind, Role, Side, TimeInForce


class Author(StrEnum):
    """Who made an order."""

    CLIENT = "client"
    HAND = "hand"
    EXCHANGE = "exchange"


class Refusal(StrEnum):
    """Why the exchange does not take a request; a face has its own words for each."""

    UNKNOWN_CONTRACT = "unknown contract"
    UNKNOWN_ORDER = "unknown order"
    MARKET_CLOSED = "market closed"
    NO_MARGIN = "no margin"
    OFF_TICK = "price off the tick"
    OUT_OF_BAND = "price out of the band"
    NOT_A_LOT = "quantity is no multiple of the lot"
    ABOVE_FREEZE = "quantity above the freeze quantity"
    ENDED = "order has ended"
    BRACKET = "order is of a bracket"
    EXPIRED = "contract has expired"
    FAULT = "as the fault plan says"


class Refused(BrokerError):
    """The exchange said no.

    Parameters
    ----------
    why : what a face makes its own error of. text : for people.
    """

    def __init__(self, why: Refusal, text: str) -> None:
        super().__init__(text)
        self.why = why
        self.text = text


@dataclass(frozen=True, slots=True)
class Contract:
    """One thing that trades: the venue's own name for it, and whose prices it has.

    symbol : of a course's prices. last_day : trading day of its expiry, None without one.
    """

    key: str
    symbol: str
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """An order as it is asked for.

    quantity : in the instrument's own units. price : limit of a limit order, trigger of a stop.
    limit_price : limit of a stop-limit.
    protection : share by which a market order may be filled away from `reference`, a stop from its
        trigger; beyond it rests there as a limit. None: by any.
    product : positions are kept apart by it. position_id : which one an order of a hedging account
        is of, "" for a new one. reduces : it never opens.
    role, children : stop and targets that an order brings with it; they wait for its fill, the
        stop covers what is open, and one that fills ends the others.
    fields : what the face wants to find again.
    """

    contract: str
    side: Side
    quantity: float
    kind: OrderKind
    price: float | None = None
    limit_price: float | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    protection: float | None = None
    reference: float | None = None
    product: str = ""
    position_id: str = ""
    tag: str = ""
    reduces: bool = False
    role: Role = Role.ENTRY
    children: tuple[OrderTerms, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """A state an order was in, from `ts` (ns UTC) on."""

    ts: int
    status: OrderStatus
    filled: float
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BoxFill:
    """One fill. costs, pnl : money, account currency, of this fill alone; pnl before costs."""

    number: int
    order: int
    account: str
    contract: str
    product: str
    side: Side
    quantity: float
    price: float
    ts: int
    costs: float
    pnl: float


@dataclass(slots=True)
class BoxOrder:
    """An order and all that became of it.

    number : the exchange's. parent, children : numbers of what it hangs on, and of its own.
    terms : as they are now. states : oldest first. changes : how often it was modified.
    is_triggered : its stop was reached. resting : a limit that its protection made of it.
    held_back : quantity that a fault keeps off the market until a part has filled.
    waits_for_open : it comes to the market when the next session opens.
    """

    number: int
    account: str
    author: Author
    terms: OrderTerms
    made: int
    parent: int = 0
    children: tuple[int, ...] = ()
    status: OrderStatus = OrderStatus.RECEIVED
    filled: float = 0.0
    average: float = 0.0
    reason: str = ""
    is_triggered: bool = False
    resting: float | None = None
    held_back: float = 0.0
    waits_for_open: bool = False
    changes: int = 0
    changed: int = 0
    states: list[State] = field(default_factory=list)
    fills: list[BoxFill] = field(default_factory=list)

    @property
    def left(self) -> float:
        """Quantity still to be filled."""
        return round(self.terms.quantity - self.filled, 9)

    @property
    def is_working(self) -> bool:
        """Whether it may still fill."""
        return not self.status.is_end

    def note(self, status: OrderStatus, ts: int, reason: str = "") -> None:
        """Enter a state."""
        self.status, self.changed = status, ts
        self.reason = reason or self.reason
        self.states.append(State(ts, status, self.filled, reason))

    def note_fill(self, fill: BoxFill) -> None:
        """Count a fill."""
        paid = self.average * self.filled + fill.price * fill.quantity
        self.filled = round(self.filled + fill.quantity, 9)
        self.average = paid / self.filled
        self.fills.append(fill)
