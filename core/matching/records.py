"""The records the matching engine works on, and the codes they hold.

All quantities are whole lot steps (int64), so no float dust can arise; prices are in quote
currency; money is in account currency (fx is folded into the value of a step); times are int64
nanoseconds UTC. A *book* is one plan's orders and virtual position on one instrument.

A price of the file is called the *base* price. What a buy or a sell pays differs from it by the
spread, by which side of the market the bars hold (`buy_add`, `sell_sub`).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from core.bars import NEVER_NS
from core.compile import record_dtype
from core.costs import COST

# Status of an order slot.
FREE, WAITING, WORKING, FILLED, ENDED = 0, 1, 2, 3, 4

NEW_AT_TRADE = 2
"""`triggered` of a child that came to work at the present trade: it meets the next one."""

# Kinds, roles and times in force: the values of core.orders' enums, as kernels need constants.
MARKET_ORDER, LIMIT_ORDER, STOP_ORDER, STOP_LIMIT_ORDER, TRAILING_STOP_ORDER = 0, 1, 2, 3, 4
ENTRY, STOP, TARGET, EXIT = 0, 1, 2, 3
GTC, DAY, IOC, GTD = 0, 1, 2, 3

# How a bar's two possible paths are chosen between.
WORST, BEST, NEAREST = 0, 1, 2
INTRABAR = {
    "worst": WORST, "best": BEST, "nearest": NEAREST, "drill": NEAREST, "ticks": NEAREST,
}  # fmt: skip
"""Codes by setting; drill walks each lower bar by nearest, ticks each bar that has none."""

PRICE_SIDES = {"bid": (1.0, 0.0), "ask": (0.0, 1.0), "mid": (0.5, 0.5), "last": (0.5, 0.5)}
"""Shares of the spread a buy pays above, and a sell gets below, the price in the file."""

# What an event is.
FILL_EVENT, CANCEL_EVENT, EXPIRE_EVENT, MARGIN_EVENT, ACTIVE_EVENT, CHANGE_EVENT, SWAP_EVENT = (
    1,
    2,
    3,
    4,
    5,
    6,
    7,
)

# Why it happened. A fill without a reason of its own has its order's role.
(
    BY_ROLE,
    FLAT_TIME,
    DAILY_LOSS,
    TRAILING_DRAWDOWN,
    REQUESTED_FLAT,
    OTHER_FILLED,
    POSITION_CLOSED,
    ANOTHER_DAY,
    EXPIRED,
    LOCKED,
    NO_MARGIN,
    NOT_AT_ONCE,
    PARENT_ENDED,
    ASKED,
    NOTHING_TO_REDUCE,
) = range(15)
REASONS = (
    "",
    "flat_time",
    "daily_loss",
    "trailing_drawdown",
    "flatten",
    "oco",
    "position_closed",
    "another_day",
    "expired",
    "locked",
    "margin",
    "ioc",
    "parent_ended",
    "cancelled",
    "nothing_to_reduce",
)
"""Texts of the reason codes, by code."""

ORDER = record_dtype(
    [
        ("order_id", "i8"),
        ("parent", "i8"),
        ("oco", "i8"),
        ("expires", "i8"),
        ("flat_at", "i8"),
        ("quantity", "i8"),
        ("filled", "i8"),
        ("open_steps", "i8"),
        ("price", "f8"),
        ("limit", "f8"),
        ("trail_amount", "f8"),
        ("trail_percent", "f8"),
        ("stop_to", "f8"),
        ("day", "i4"),
        ("status", "i1"),
        ("side", "i1"),
        ("kind", "i1"),
        ("role", "i1"),
        ("tif", "i1"),
        ("day_only", "i1"),
        ("triggered", "i1"),
        ("reduces", "i1"),
        ("has_children", "i1"),
    ]
)
"""One order slot; slots stand in order of age.

order_id, parent : ours; parent is 0 for an order that stands alone.
oco : key of the one-cancels-other group, 0 without one.
expires : GTD: the order ends at the start of the first bar whose END is later.
flat_at : an entry ends at the start of the first bar whose START is at or after it, and passes it
    on to the position it opens.
quantity : steps still to fill. A bracket's stop always holds the bracket's open quantity.
open_steps : steps this order opened that are still open (parents of a bracket).
price : the limit of a limit order, the trigger of any stop (nan: a trail takes it at activation).
limit : the limit of a stop-limit.
trail_amount, trail_percent : distance of a trailing stop in price units or as a share (0.01).
stop_to : new trigger of the bracket's stop the instant this target fills; nan leaves it.
triggered : 1 = a stop has triggered: it is a market order, or rests at its limit, from then on;
    `NEW_AT_TRADE`.
day : trading day the order belongs to; -1: the day of the first bar it works on.
reduces : the order may only shrink the position, and is cut to it.
has_children : 1 = the parent of a bracket.
"""

MARKET = record_dtype(
    [
        ("tick", "f8"),
        ("lot", "f8"),
        ("multiplier", "f8"),
        ("fx", "f8"),
        ("step_value", "f8"),
        ("slippage", "f8"),
        ("margin_fixed", "f8"),
        ("margin_rate", "f8"),
        ("volume_share", "f8"),
        ("buy_share", "f8"),
        ("sell_share", "f8"),
        ("nights_before", "i4"),
        ("nights_inside", "i4"),
        ("through", "i1"),
        ("intrabar", "i1"),
        ("cost", COST),
    ]
)
"""Facts of one instrument on one day.

lot : quantity of one step, in which all of a book is counted.
step_value : account money per 1.0 price move of one lot step (lot x multiplier x fx).
slippage : price units against us on market and stop fills.
margin_fixed, margin_rate : account money per lot step; share of notional. Both 0: no limit.
volume_share : share of a bar's volume one book's orders may trade; 0: no limit. What the engine
    closes by itself (flat time, floors) is not bound by it.
buy_share, sell_share : what buys pay above and sells get below the base price, of the spread.
nights_before, nights_inside : weighted 17:00 New York rolls between the previous bar's END and
    this START, and after START up to this END.
through : 1 = a limit fills only when price trades beyond it.
"""

BOOK = record_dtype(
    [
        ("steps", "i8"),
        ("flat_at", "i8"),
        ("volume_left", "i8"),
        ("average", "f8"),
        ("adverse", "f8"),
        ("favourable", "f8"),
        ("balance", "f8"),
        ("other_open", "f8"),
        ("other_slope", "f8"),
        ("other_margin", "f8"),
        ("price", "f8"),
        ("open_pnl", "f8"),
        ("margin", "f8"),
        ("buy_add", "f8"),
        ("sell_sub", "f8"),
        ("day", "i4"),
        ("count", "i4"),
        ("events", "i4"),
        ("closing", "i1"),
        ("at_open", "i1"),
        ("discrete", "i1"),
        ("ambiguous", "i1"),
    ]
)
"""One plan's position on one instrument and what it knows of its account.

steps : signed position; average : its price.
adverse, favourable : excursions of the price it could be left at from its average since it was
    opened, price units (<= 0 and >= 0).
balance : the account's realised money; other_open : open P&L of the account's other books, as
    other_open + other_slope x base price; other_margin : margin they hold.
price : base price now. open_pnl, margin : of this book at the last close.
volume_left : steps that may still trade on this bar (-1: no limit).
count, events : order slots and events in use.
closing : reason code of a close due at the next price, 0 none.
at_open : 1 while the fills happen at a bar's open.
discrete : 1 = ticks are trades: a floor met at one tick closes at the next.
ambiguous : 1 = the last bar's two paths gave other fills.
"""

EVENT = record_dtype(
    [
        ("order_id", "i8"),
        ("quantity", "i8"),
        ("steps", "i8"),
        ("average", "f8"),
        ("price", "f8"),
        ("costs", "f8"),
        ("pnl", "f8"),
        ("equity", "f8"),
        ("adverse", "f8"),
        ("favourable", "f8"),
        ("kind", "i1"),
        ("side", "i1"),
        ("reason", "i1"),
        ("at_open", "i1"),
        ("ambiguous", "i1"),
        ("ts_event", "i8"),
    ]
)
"""What happened, in order.

order_id : 0 where the engine itself closed the position.
quantity : steps filled; for CHANGE_EVENT the stop's new quantity.
steps, average : the position after it. costs, pnl : money of this fill (pnl before costs).
price : the fill price, or a moved stop's new trigger.
adverse, favourable : excursions up to and with this fill of the position before it.
ts_event : where a bar is played through ticks (`play_ticks`) when it happened, ns UTC; else 0.
"""


class Slot(NamedTuple):
    """An `ORDER` as one value: what Python callers write a slot with."""

    order_id: int
    parent: int
    oco: int
    expires: int
    flat_at: int
    quantity: int
    filled: int
    open_steps: int
    price: float
    limit: float
    trail_amount: float
    trail_percent: float
    stop_to: float
    day: int
    status: int
    side: int
    kind: int
    role: int
    tif: int
    day_only: int
    triggered: int
    reduces: int
    has_children: int


class Event(NamedTuple):
    """An `EVENT` as one value: what Python callers read (`read_events`)."""

    order_id: int
    quantity: int
    steps: int
    average: float
    price: float
    costs: float
    pnl: float
    equity: float
    adverse: float
    favourable: float
    kind: int
    side: int
    reason: int
    at_open: int
    ambiguous: int
    ts_event: int = 0


def read_events(events: np.ndarray[Any, Any]) -> list[Event]:
    """Return EVENT records as values: one access of a record's field costs more than all this."""
    return [Event._make(item) for item in events.tolist()]


KEPT = 3
"""Row of books and orders that keeps the state before a bar; its limits are trials[KEPT - 1]."""


def new_book(balance: float = 0.0) -> np.ndarray[Any, Any]:
    """Return four BOOK rows: the true one, the two paths of a bar, and `KEPT`."""
    books = np.zeros(4, BOOK)
    books["balance"] = balance
    books["flat_at"] = NEVER_NS
    books["day"] = -1
    books["volume_left"] = -1
    return books


def new_orders(capacity: int) -> np.ndarray[Any, Any]:
    """Return four rows of empty order slots, shape (4, capacity), by the rows of `new_book`."""
    return np.zeros((4, capacity), ORDER)


EVENTS_A_SLOT, EVENTS_BESIDES = 8, 32
"""All that n orders can do in one walk (a bar, or a tick) is at most 8 n + 32 events."""


def new_events(capacity: int) -> np.ndarray[Any, Any]:
    """Return three rows of events that can hold all that `capacity` orders can do in a bar."""
    return np.zeros((3, EVENTS_A_SLOT * capacity + EVENTS_BESIDES), EVENT)
