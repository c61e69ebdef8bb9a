"""Orders in the project's own words, from a strategy's setup to a broker's fill.

A strategy speaks Backtrader (`buy`, `sell`, `cancel`). The guard turns each complete order group
into an `OrderRequest`, checks it, and hands `Approved[OrderRequest]` to the inner broker.
`side` is buy or sell; `direction` (+1 long, -1 short) belongs to setups and positions.
Quantities are never signed and are in lots, contracts or units as the instrument trades;
prices are in quote currency; times are int64 ns UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, TypeVar


class Side(IntEnum):
    """What an order does; the sign of its size."""

    BUY = 1
    SELL = -1


class OrderKind(IntEnum):
    """How an order reaches the market."""

    MARKET = 0
    LIMIT = 1
    STOP = 2
    STOP_LIMIT = 3
    TRAILING_STOP = 4


class Role(IntEnum):
    """What an order is for, within its bracket."""

    ENTRY = 0
    STOP = 1
    TARGET = 2
    EXIT = 3


class TimeInForce(IntEnum):
    """How long an order works."""

    GTC = 0
    DAY = 1
    IOC = 2
    GTD = 3


class StopRuleKind(IntEnum):
    """How the protecting stop of an exit plan moves. It only ever moves to less risk."""

    FIXED = 0
    BREAK_EVEN = 1
    TRAIL_ATR = 2
    TRAIL_SWING = 3
    TRAIL_ORDER_BLOCK = 4


@dataclass(frozen=True, slots=True)
class StopRule:
    """A rule that moves the stop, judged at each bar's close.

    trigger_r : favourable close, in R, from which the rule acts (BREAK_EVEN: then once).
    distance : TRAIL_ATR: multiples of ATR behind the close.
    offset : price units added to a break-even stop on the profit side, to pay the costs.
    """

    kind: StopRuleKind = StopRuleKind.FIXED
    trigger_r: float = 1.0
    distance: float = 0.0
    offset: float = 0.0


@dataclass(frozen=True, slots=True)
class Target:
    """One exit leg: a share of the entry quantity (0 < share <= 1) at a price.

    stop_to : where the protecting stop moves the instant this leg fills; None leaves it.
    """

    share: float
    price: float
    stop_to: float | None = None


@dataclass(frozen=True, slots=True)
class ExitPlan:
    """How a position will be left, decided with its setup for good.

    targets : legs in the order they are reached; shares sum to at most 1, the rest leaves by
        the stop or by time. Empty: no target.
    stop_rule : how the stop moves.
    flat_at : ns UTC; the position is closed at the open of the first bar whose START is at or
        after this time. None: no time stop.
    """

    targets: tuple[Target, ...] = ()
    stop_rule: StopRule = StopRule()
    flat_at: int | None = None


@dataclass(frozen=True, slots=True)
class ChildRequest:
    """A protecting stop or a target that works from the instant its parent fills.

    quantity : of the parent's; a stop's always follows the open quantity, whatever stands here.
    stop_to : (targets) new price of the bracket's stop the instant this child fills.
    """

    order_id: int
    role: Role
    kind: OrderKind
    quantity: float
    price: float | None
    limit_price: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    stop_to: float | None = None


@dataclass(frozen=True, slots=True)
class OrderRequest:
    """One complete order group that a strategy wants: an order with its children.

    order_id : ours; the venue's client tag where it has one.
    reduces : it only shrinks an open position (set by the guard, not by the asker).
    time_in_force, expires : GTD orders end at `expires` (ns, compared with a bar's END).
    day_only : cancelled at the start of the first bar of another trading day.
    flat_at : the entry is cancelled at the start of, and the position it opened is closed at the
        open of, the first bar whose START is at or after this time.
    oco : order_id of the first order of its one-cancels-other group.
    planned_entry : order price, or the close used for sizing: the base of R.
    planned_stop : initial stop used for sizing, None without one.
    flat_reason : exit reason of the close at `flat_at` (flat_time, square_off, session_end).
    """

    order_id: int
    plan_id: str
    symbol: str
    side: Side
    quantity: float
    kind: OrderKind
    price: float | None = None
    limit_price: float | None = None
    trail_amount: float | None = None
    trail_percent: float | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    expires: int | None = None
    day_only: bool = False
    flat_at: int | None = None
    oco: int | None = None
    reduces: bool = False
    planned_entry: float | None = None
    planned_stop: float | None = None
    pattern: str = ""
    reason: str = ""
    flat_reason: str = "flat_time"
    children: tuple[ChildRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class OrderChange:
    """A change of a working order: a new price, limit or quantity (None keeps the old)."""

    order_id: int
    price: float | None = None
    limit_price: float | None = None
    quantity: float | None = None


_Wanted = TypeVar("_Wanted", OrderRequest, OrderChange, covariant=True)


@dataclass(frozen=True, slots=True)
class Approved(Generic[_Wanted]):
    """What a broker accepts. Only risk/guard makes one; a test finds no other call."""

    request: _Wanted


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution.

    fill_id : unique within a run. leg : 0 for the entry, 1.. for exits of that trade.
    ts_event : ns UTC (a tick's own time; a bar's START for a fill at the open, END inside).
    bar_start : START of the strategy's bar that contains the fill.
    costs : money by kind (commission, brokerage, stt, ...), account currency, positive = paid.
    reason : entry, stop, target, flat_time, square_off, opposite, daily_loss, session_end, ...
    ambiguous : the bar's two intrabar paths gave this order another result.
    """

    fill_id: int
    order_id: int
    plan_id: str
    symbol: str
    side: Side
    quantity: float
    price: float
    ts_event: int
    bar_start: int
    role: Role
    reason: str
    costs: dict[str, float]
    ambiguous: bool = False
