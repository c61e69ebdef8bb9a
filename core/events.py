"""What a live session consumes: one numbered sequence of these records, and nothing else.

Venue adapters translate their wire into them; the engine thread takes them one at a time. They
are frozen: once in the sequence an event never changes. Times are int64 ns UTC: `ts_event` is the
venue's (0 where it tells none), `ts_init` ours. Prices are in quote currency, quantities are never
signed and in lots, contracts or units as the instrument trades.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from core.orders import Side


class OrderStatus(IntEnum):
    """What is known of an order, least first: of two things heard the higher one is the truth.

    UNKNOWN : sent, and no answer came; it may or may not work at the venue.
    REFUSED : the venue answered the sending with no. Any later sign of life outranks it: an
        answer may be wrong (one venue refuses brackets and yet places the entry).
    RECEIVED : the venue's gateway took it; the exchange has not spoken.
    HELD : a child that waits for its parent's fill at the venue.
    FILLED : the venue calls it filled; it is so here once the executions have come.
    """

    CREATED = 0
    SENT = 1
    UNKNOWN = 2
    REFUSED = 3
    RECEIVED = 4
    HELD = 5
    WORKING = 6
    EXPIRED = 7
    CANCELLED = 8
    REJECTED = 9
    FILLED = 10

    @property
    def is_end(self) -> bool:
        """Whether the venue says no more will be filled."""
        return self is OrderStatus.REFUSED or self >= OrderStatus.EXPIRED


class Verb(IntEnum):
    """What was asked of a venue."""

    SUBMIT = 0
    MODIFY = 1
    CANCEL = 2
    CLOSE = 3


class Outcome(IntEnum):
    """What became of a request. UNKNOWN: sent without an answer; never to be repeated blindly."""

    ACCEPTED = 0
    REFUSED = 1
    UNKNOWN = 2


class LinkState(IntEnum):
    """A connection's state."""

    CONNECTED = 0
    LOST = 1
    RETRYING = 2
    GIVEN_UP = 3
    LOGIN_NEEDED = 4


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""

    ts_event: int = field(default=0, kw_only=True)
    ts_init: int = field(default=0, kw_only=True)


@dataclass(frozen=True, slots=True, eq=False)
class Ticks(Event):
    """Prices of one instrument, oldest first: an array of `core.ticks.TICK`."""

    symbol: str
    ticks: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class HistoryBars(Event):
    """An answer to a request for history: completed bars, an array of `core.bars.BAR`.

    is_last : no further page of this request follows. error : why there is none, "" for none.
    """

    request_id: int
    symbol: str
    timeframe_ns: int
    bars: np.ndarray[Any, Any]
    is_last: bool = True
    error: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class VenueBar(Event):
    """A completed bar as the venue itself counts it, to compare with the one built of ticks."""

    symbol: str
    timeframe_ns: int
    bar: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Bars(Event):
    """Bars as the strategies saw them, all with the same END: an array of `core.bars.BAR`.

    names : the feed of each, as in Cerebro. late : whether each came from history, or too late for
    an entry.
    """

    names: tuple[str, ...]
    late: tuple[bool, ...]
    bars: np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Clock(Event):
    """Time has passed without a price: `ts_event` is now, on the venue's clock."""


@dataclass(frozen=True, slots=True)
class OrderUpdate(Event):
    """What a venue says of one order.

    order_id : ours, "" where the venue does not return it. tag : the venue's copy of our client
        tag, "" without one. parent_id : the venue's id of the order it hangs on, "" for none.
    filled : quantity the venue calls filled, which may run ahead of the executions told.
    version : grows with each change of price or quantity at the venue (a time, a counter).
    price, limit_price, quantity : its terms now; None where the venue does not say.
    """

    status: OrderStatus
    venue_order_id: str
    order_id: str = ""
    tag: str = ""
    parent_id: str = ""
    symbol: str = ""
    side: Side | None = None
    filled: float = 0.0
    average_price: float | None = None
    quantity: float | None = None
    price: float | None = None
    limit_price: float | None = None
    version: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Execution(Event):
    """One fill as the venue tells it; it counts once, by `fill_id`.

    costs : account money by kind, None where the venue does not tell them.
    position_id : of the position it opened or closed on a hedging account, "" elsewhere.
    adverse, favourable : excursions of the position before it (price units, <= 0 and >= 0), where
        the venue follows the path of prices; None elsewhere.
    """

    fill_id: str
    venue_order_id: str
    symbol: str
    side: Side
    quantity: float
    price: float
    order_id: str = ""
    tag: str = ""
    position_id: str = ""
    reason: str = ""
    costs: Mapping[str, float] | None = None
    adverse: float | None = None
    favourable: float | None = None


@dataclass(frozen=True, slots=True)
class Answer(Event):
    """A venue's reply to a request of ours, or the word that none came."""

    request_id: int
    verb: Verb
    outcome: Outcome
    order_id: str
    venue_order_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PositionUpdate(Event):
    """A position at the venue: signed quantity, average price; 0 is flat."""

    symbol: str
    quantity: float
    average_price: float
    position_id: str = ""
    stop: float | None = None
    target: float | None = None


@dataclass(frozen=True, slots=True)
class AccountUpdate(Event):
    """Money of the account, account currency; None where the venue does not say.

    low_equity : lowest equity since the last update, where the venue follows the path of prices.
    """

    balance: float
    equity: float | None = None
    margin_used: float | None = None
    can_trade: bool = True
    low_equity: float | None = None


@dataclass(frozen=True, slots=True)
class CashFlow(Event):
    """Money the venue took (or gave, if negative) for no fill: a swap, a fee, a correction.

    plan_id, symbol : whose position it is for, "" where the venue does not say.
    flow_id : by which it counts once, however often it is told; "" where the venue gives none.
    """

    kind: str
    paid: float
    symbol: str = ""
    plan_id: str = ""
    flow_id: str = ""


@dataclass(frozen=True, slots=True)
class FloorMet(Event):
    """The venue found equity at a floor of the guard and has cancelled and flattened (paper only).

    breach : core.ports.BREACH_DAY or BREACH_TRAIL. equity, price : where it was met.
    """

    breach: int
    equity: float
    price: float


@dataclass(frozen=True, slots=True)
class Snapshot(Event):
    """All a venue holds of the account at one moment: the answer to a snapshot request.

    asked_at : when it was asked, ns UTC: what was sent later may be missing in it.
    flows : money that belongs to no fill, since the time asked for.
    error : why it failed, "" for none. A failed snapshot is unknown, never flat.
    """

    request_id: int
    asked_at: int
    account: AccountUpdate | None = None
    orders: tuple[OrderUpdate, ...] = ()
    positions: tuple[PositionUpdate, ...] = ()
    executions: tuple[Execution, ...] = ()
    error: str = ""
    flows: tuple[CashFlow, ...] = ()


@dataclass(frozen=True, slots=True)
class Link(Event):
    """A connection changed its state. `name` says which (stream, orders, prices)."""

    state: LinkState
    name: str = "venue"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ContractLeft(Event):
    """A position is held in a contract that the next one has replaced as the front month.

    old, new : the venue's names. Both prices (quote currency) are of trades, with their times (ns
    UTC); they are told again as long as the position is held.
    """

    symbol: str
    old: str
    new: str
    old_price: float
    new_price: float
    old_time: int
    new_time: int


@dataclass(frozen=True, slots=True)
class Command(Event):
    """A hand on the session: pause, resume, flatten, set, kill, ..."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    author: str = ""
