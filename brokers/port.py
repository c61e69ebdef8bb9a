"""The port: what every venue can be asked, and the table of what it can do.

`VenuePort` is the seam between the shared parts (feeds/live.py, brokers/broker.py) and one venue's
folder. Shared code reads a venue's `Capabilities` and never its name.

Duties of a venue's store, which implements the port:
- Every method returns at once (a few microseconds); work and waiting happen on the store's own
  threads. What comes of a call arrives as events in the inbox: exactly one `Answer` for each
  submit, modify, cancel and close, UNKNOWN where the wire gave none; `HistoryBars` up to one with
  `is_last`; one `Snapshot`.
- Before a lost connection is called CONNECTED again, all subscriptions have been renewed. What
  happened in between is not the store's to repair: the engine asks for history and a snapshot.
- Executions are told with the venue's own fill id, so that stream and query name a fill alike.
- A change or a cancel may come before the venue's id of its order has been told: then the store
  finds the order by ours, after the answer to its sending if that is still out.
- A `Snapshot` lists the day's orders where the venue does, with how they ended, else those that
  work; and the executions since the time asked for, other hands' too.
- Children that a venue keeps as prices of a position (ON_POSITION) are changed by `modify` with the
  child's order id and `protection`: both prices are sent on, for what is left out is removed. Their
  fills are told as executions of the venue's own order, with reason "stop" or "target" where the
  venue says which; a `PositionUpdate` tells both prices after each change.
- It never places an order twice: no retry of a submit whose fate is not known.
- Events are put in the order the wire told them; nothing is held back to make it tidy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

import numpy as np

from brokers.limits import Usage
from core.orders import OrderKind, Role, Side, TimeInForce


class Brackets(Enum):
    """How a venue keeps a stop and a target for an entry.

    NONE : not at all: both are orders of ours, placed at the fill and kept by us.
    CHILD_ORDERS : given with the entry, they become orders of their own with ids of their own.
    ON_POSITION : given with the entry, they are two prices of the position without ids.
    """

    NONE = "none"
    CHILD_ORDERS = "child orders"
    ON_POSITION = "on the position"


class Distances(Enum):
    """How the prices of a native bracket are given: as prices, or as distances from the fill."""

    PRICES = "prices"
    FROM_FILL = "distances from the fill"


class PositionMode(Enum):
    """Whether an opposite order reduces a position or opens another beside it."""

    NETTING = "netting"
    HEDGING = "hedging"
    OF_ACCOUNT = "as the account is set"


class TickSource(Enum):
    """How prices come: pushed trade by trade, pushed as quotes or snapshots, or asked for."""

    TRADES = "trades"
    SNAPSHOTS = "snapshots"
    QUOTES = "quotes"
    POLL = "poll"


@dataclass(frozen=True, slots=True)
class HistoryLimit:
    """What one request for bars of a timeframe may span.

    span_secs, bars : most time and most bars a request; None: no limit is told.
    depth_secs : how far back bars reach; None: not told.
    """

    span_secs: float | None = None
    bars: int | None = None
    depth_secs: float | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a venue can do, as a table; a venue's folder states it once in its `__init__`.

    Attributes
    ----------
    venue : its name in settings and messages.
    order_kinds, times_in_force, products : what it takes; the first product is the default.
    brackets, bracket_prices, bracket_roles : how it keeps children, and which of stop and target.
    legs : a native bracket may hold several targets, and targets that move the stop.
    one_cancels_other : it cancels the other child itself when one fills.
    prices_follow_fill : (ON_POSITION) the prices are set once the entry has filled: they stand when
        the venue has told them.
    cancels_children_of_flat : closing a position ends its children; else we do after every flat.
    trailing : it moves a trailing stop by itself.
    modifies_quantity : a working order's quantity may be changed; else cancel and place anew.
    changes_an_order : how often one order may be changed; None without limit.
    tag_chars : longest client tag; 0: none, an order is found again by its terms and time.
    tag_on_executions : executions carry the tag.
    finds_by_tag : its order book can be searched by tag; else the whole book is read.
    shows_held_children : its order book lists children that wait for their parent.
    position_mode : netting or hedging.
    ticks : how prices come. counts_volume : ticks carry traded volume.
    has_bars : it streams its own completed bars.
    history : by timeframe in seconds. history_has_forming : the last bar may still be forming.
    tells_executions, tells_orders : its stream does; else both are polled every `poll_secs`.
    answers_fill : the reply to a market order already says what was filled.
    market_protection : market and stop-market orders must say how far they may slip.
    takes_at_once : what was sent is there at once, so what its books lack then has never arrived
        and may be sent again. On a wire it may be on its way for a while.
    keeps_floors : it tests the guard's floors inside a walk itself (paper only).
    """

    venue: str
    order_kinds: frozenset[OrderKind]
    times_in_force: frozenset[TimeInForce]
    products: tuple[str, ...] = ("",)
    brackets: Brackets = Brackets.NONE
    bracket_prices: Distances = Distances.PRICES
    bracket_roles: frozenset[Role] = frozenset()
    legs: bool = False
    one_cancels_other: bool = False
    prices_follow_fill: bool = False
    cancels_children_of_flat: bool = False
    trailing: bool = False
    modifies_quantity: bool = True
    changes_an_order: int | None = None
    tag_chars: int = 0
    tag_on_executions: bool = False
    finds_by_tag: bool = False
    shows_held_children: bool = False
    position_mode: PositionMode = PositionMode.NETTING
    ticks: TickSource = TickSource.TRADES
    counts_volume: bool = True
    has_bars: bool = False
    history: Mapping[int, HistoryLimit] = field(default_factory=dict)
    history_has_forming: bool = True
    tells_executions: bool = True
    tells_orders: bool = True
    poll_secs: float = 5.0
    answers_fill: bool = False
    market_protection: bool = False
    takes_at_once: bool = False
    keeps_floors: bool = False


@dataclass(frozen=True, slots=True)
class ProtectionRequest:
    """A stop or a target that goes with an entry to a venue that keeps brackets.

    order_id : ours, of the child. price : where it stands if the entry fills at `planned_entry` of
    its order; venues that count from the fill are given the distance. None: it trails from the
    fill on.
    quantity : of a target's leg; a stop always covers what is open.
    stop_to : (targets) where the stop goes the instant this leg fills.
    """

    order_id: str
    role: Role
    price: float | None
    kind: OrderKind = OrderKind.STOP
    quantity: float = 0.0
    limit_price: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    stop_to: float | None = None


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """One order as it is sent: one order of ours is one order at the venue.

    order_id : ours; goes out as the client tag where there is one.
    quantity : within the venue's freeze limit; larger requests are sliced before.
    reduces : it must not open a position. position_id : which it closes, on a hedging account.
    planned_entry : what distances of children count from.
    """

    order_id: str
    plan_id: str
    symbol: str
    side: Side
    quantity: float
    kind: OrderKind
    role: Role
    price: float | None = None
    limit_price: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires: int | None = None
    product: str = ""
    reduces: bool = False
    position_id: str = ""
    oco: str = ""
    planned_entry: float | None = None
    children: tuple[ProtectionRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class PositionPrices:
    """Both prices that protect a position, as they shall be from now on (ON_POSITION).

    symbol, quantity : whose position it is, and how much of it (signed) they shall protect.
    entry_id : ours, of the entry that brought them.
    position_id : the venue's id of the position, "" before it is known.
    parent_id : the venue's id of the entry that brings them, as long as it may still fill; else "".
    stop, target : None: there shall be none.
    """

    symbol: str
    quantity: float
    entry_id: str
    position_id: str
    parent_id: str
    stop: float | None
    target: float | None


@dataclass(frozen=True, slots=True)
class OrderChangeRequest:
    """New terms of an order at the venue; None keeps what is.

    quantity : the whole order's, what is filled of it included.
    protection : the order is a price of a position: this is what both prices shall be.
    """

    order_id: str
    venue_order_id: str
    quantity: float | None = None
    price: float | None = None
    limit_price: float | None = None
    protection: PositionPrices | None = None


class VenuePort(Protocol):
    """One account at one venue; see the duties at the head of this module."""

    @property
    def capabilities(self) -> Capabilities:
        """What the venue can do."""

    def connect(self) -> None:
        """Log in, open the streams; `Link` events tell how it went. Safe to call again."""

    def disconnect(self, timeout_secs: float = 5.0) -> None:
        """Close everything and end the store's threads; safe to call again."""

    def subscribe(self, symbols: Sequence[str]) -> None:
        """Ask for prices; they come as `Ticks` (and `VenueBar` where the venue has bars)."""

    def unsubscribe(self, symbols: Sequence[str]) -> None:
        """Stop prices of these."""

    def request_history(
        self, request_id: int, symbol: str, timeframe_ns: int, start: int, end: int
    ) -> None:
        """Ask for the completed bars with `start` <= START and END <= `end` (ns UTC)."""

    def request_snapshot(self, request_id: int, since: int) -> None:
        """Ask for account, orders and positions now and executions since a time (ns UTC)."""

    def submit(self, request_id: int, order: VenueOrder) -> None:
        """Send an order."""

    def modify(self, request_id: int, change: OrderChangeRequest) -> None:
        """Change a working order."""

    def cancel(self, request_id: int, order_id: str, venue_order_id: str) -> None:
        """Cancel a working order."""

    def close_position(self, request_id: int, symbol: str, position_id: str = "") -> None:
        """Close a whole position at market, whoever opened it."""

    def usage(self) -> Sequence[Usage]:
        """Return how much of each of the venue's request limits is used."""


class TickMatcher(Protocol):
    """What a port adds that fills on the very prices the engine consumes (paper).

    The engine calls these on its own thread, in the order of the market: a bar begins, its prices,
    it is over. What comes of them must be in `emit` before they return.
    """

    def begin_bar(self, plan_id: str, bar: np.record) -> None:
        """A bar of a plan begins: expiries, flat times and nights are due before any price."""

    def see(self, symbol: str, ticks: np.ndarray[Any, Any]) -> None:
        """Match prices (TICK) of a symbol."""

    def finish_bar(self, plan_id: str, bar: np.record) -> None:
        """A bar of a plan is over; its close is the last price."""
