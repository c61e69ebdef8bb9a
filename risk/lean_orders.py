"""Backtrader's orders, cheaper to make, to copy and to keep; to users they are Backtrader's own.

`LeanBuyOrder` and `LeanSellOrder` are `BuyOrder` and `SellOrder` with their values in slots.
What few ask for is made on demand (the end of the session, `info`, `p`, empty lists of
executions), and a copy for a notification shares what cannot change any more. Every value a user
can read is the one a stock order would show.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from backtrader.order import BuyOrder, Order, OrderData, OrderExecutionBit, SellOrder
from backtrader.utils import AutoOrderedDict

ALIVE = frozenset((Order.Created, Order.Submitted, Order.Accepted, Order.Partial))
_TRAILS = (Order.StopTrail, Order.StopTrailLimit)


class ExecutionBit(OrderExecutionBit):  # type: ignore[misc]
    """One execution of an order."""

    __slots__ = (
        "closed",
        "closedcomm",
        "closedvalue",
        "comm",
        "dt",
        "opened",
        "openedcomm",
        "openedvalue",
        "pnl",
        "pprice",
        "price",
        "psize",
        "size",
        "value",
    )


class LeanData(OrderData):  # type: ignore[misc]
    """What an order was created with, or how far it is executed."""

    __slots__ = (
        "_bits",
        "_live",
        "_plimit",
        "comm",
        "dt",
        "margin",
        "p1",
        "p2",
        "pclose",
        "pnl",
        "pprice",
        "price",
        "pricelimit",
        "psize",
        "remsize",
        "size",
        "trailamount",
        "trailpercent",
        "value",
    )

    def __init__(
        self,
        dt: float | None = None,
        size: float = 0,
        price: float | None = 0.0,
        pricelimit: float | None = 0.0,
        remsize: float = 0,
        pclose: float = 0.0,
        trailamount: float | None = 0.0,
        trailpercent: float | None = 0.0,
    ) -> None:
        self._bits: list[Any] | None = None
        self._live: LeanData | None = None
        self.pclose = pclose
        self.p1 = self.p2 = 0
        self.dt = dt
        self.size = size
        self.remsize = remsize
        self.price = pricelimit if pricelimit and not price else price
        self.pricelimit = pricelimit if pricelimit else price
        self.trailamount = trailamount
        self.trailpercent = trailpercent
        self._plimit = pricelimit
        self.value = self.comm = self.pnl = 0.0
        self.margin = None
        self.psize = self.pprice = 0

    @property
    def exbits(self) -> list[Any]:
        """The executions so far, shared by the order and all its copies."""
        owner = self if self._live is None else self._live
        if owner._bits is None:
            owner._bits = []
        return owner._bits

    def iterpending(self) -> Iterator[Any]:
        """Return the executions that are news in this copy."""
        return islice(self.exbits, self.p1, self.p2)

    def __len__(self) -> int:
        owner = self if self._live is None else self._live
        return len(owner._bits) if owner._bits else 0

    def markpending(self) -> None:
        """Take what was executed since the last copy as the news of the next."""
        self.p1, self.p2 = self.p2, len(self)

    def snapshot(self) -> LeanData:
        """Return a copy of the present state."""
        new: LeanData = _make(LeanData)
        new._bits = None
        new._live = self if self._live is None else self._live
        new.pclose = self.pclose
        new.p1 = self.p1
        new.p2 = self.p2
        new.dt = self.dt
        new.size = self.size
        new.remsize = self.remsize
        new.price = self.price
        new.pricelimit = self.pricelimit
        new.trailamount = self.trailamount
        new.trailpercent = self.trailpercent
        new._plimit = self._plimit
        new.value = self.value
        new.comm = self.comm
        new.pnl = self.pnl
        new.margin = self.margin
        new.psize = self.psize
        new.pprice = self.pprice
        return new

    def clone(self) -> LeanData:
        """Return a copy; executions since the last one are its news."""
        self.markpending()
        return self.snapshot()


_make = object.__new__


class CreatedData(OrderData):  # type: ignore[misc]
    """What an order was created with: nothing of it is ever executed."""

    __slots__ = ("_plimit", "dt", "pclose", "price", "pricelimit", "remsize", "size")
    p1 = p2 = psize = pprice = 0
    value = comm = pnl = 0.0
    margin = trailamount = trailpercent = None

    def __init__(
        self,
        dt: float,
        size: float,
        price: float | None,
        pricelimit: float | None,
        pclose: float,
    ) -> None:
        self.dt = dt
        self.size = size
        self.remsize = 0
        self.price = pricelimit if pricelimit and not price else price
        self.pricelimit = pricelimit if pricelimit else price
        self._plimit = pricelimit
        self.pclose = pclose

    @property
    def exbits(self) -> list[Any]:
        """Executions: none."""
        bits: list[Any] = self.__dict__.setdefault("_bits", [])
        return bits


class _Given:
    """An order's parameters as they were given: Backtrader's `order.p`."""

    __slots__ = ("_order",)
    simulated = False

    def __init__(self, order: Any) -> None:
        object.__setattr__(self, "_order", order)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # a bare order being unpickled would ask itself for ever
        return getattr(self._order, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._order, name, value)

    @property
    def size(self) -> float:
        """The size asked for; a sell order carries it negated."""
        order = self._order
        size: float = order.size if order.ordtype == Order.Buy else -order.size
        return size

    @property
    def exectype(self) -> int | None:
        """The type asked for; None stood for a market order."""
        kind: int | None = self._order._given[0]
        return kind

    @property
    def valid(self) -> Any:
        """The validity asked for; the order carries it as a time."""
        return self._order._given[1]


_SLOTS = (
    "_active",
    "_dteos",
    "_given",
    "_info",
    "_limitoffset",
    "_of",
    "_plimit",
    "_snap",
    "broker",
    "comminfo",
    "created",
    "data",
    "exectype",
    "executed",
    "histnotify",
    "oco",
    "owner",
    "pannotated",
    "parent",
    "plen",
    "position",
    "price",
    "pricelimit",
    "ref",
    "size",
    "status",
    "tradeid",
    "trailamount",
    "trailpercent",
    "transmit",
    "triggered",
    "valid",
)


class _Lean:
    """What both sides share."""

    __slots__ = ()
    simulated = False

    if TYPE_CHECKING:  # the sides' slots

        def __setattr__(self, name: str, value: Any) -> None: ...

    def __getattr__(self, name: str) -> Any:
        """Return what a copy shares with its order: a slot that was left empty."""
        if name.startswith("__") or name == "_of" or self._of is None:
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
        return getattr(self._of, name)

    def isbuy(self) -> bool:
        """Whether it buys."""
        return isinstance(self, LeanBuyOrder)

    def issell(self) -> bool:
        """Whether it sells."""
        return isinstance(self, LeanSellOrder)

    @property
    def info(self) -> Any:
        """Whatever was noted on the order; the order and its copies share it."""
        order: Any = self
        if order._of is not None:
            return order._of.info
        if type(order._info) is not AutoOrderedDict:
            full = AutoOrderedDict()
            if order._info:
                full.update(order._info)
            order._info = full
        return order._info

    @info.setter
    def info(self, value: Any) -> None:
        order: Any = self
        (order._of or order)._info = value

    def addinfo(self, **notes: Any) -> None:
        """Note values on the order."""
        if not notes:
            return
        order: Any = self
        order = order._of or order
        if order._info is None:
            order._info = notes
        else:
            for name, value in notes.items():
                order._info[name] = value

    @property
    def dteos(self) -> float:
        """End of the session the order was made in, a float day."""
        order: Any = self
        if order._dteos is None:
            order._dteos = _end_of_session(order.data, order.created.dt)
        return float(order._dteos)

    @dteos.setter
    def dteos(self, value: float) -> None:
        order: Any = self
        order._dteos = value

    def alive(self) -> bool:
        """Whether the order may still be executed."""
        order: Any = self
        return order.status in ALIVE

    def cancel(self) -> None:
        """Mark the order as cancelled."""
        self._end(Order.Canceled)

    def margin(self) -> None:
        """Mark the order as ended for want of cash."""
        self._end(Order.Margin)

    def reject(self, broker: Any = None) -> bool:
        """Mark the order as rejected."""
        order: Any = self
        if order.status == Order.Rejected:
            return False
        order.broker = broker
        self._end(Order.Rejected)
        return True

    def _end(self, status: int) -> None:
        order: Any = self
        order.status = status
        order.executed.dt = order.data.lines.datetime[0]

    def execute(
        self,
        dt: float,
        size: float,
        price: float,
        closed: float,
        closedvalue: float,
        closedcomm: float,
        opened: float,
        openedvalue: float,
        openedcomm: float,
        margin: float | None,
        pnl: float,
        psize: float,
        pprice: float,
    ) -> None:
        """Take an execution."""
        if not size:
            return
        order: Any = self
        bit = ExecutionBit(
            dt,
            size,
            price,
            closed,
            closedvalue,
            closedcomm,
            opened,
            openedvalue,
            openedcomm,
            pnl,
            psize,
            pprice,
        )
        executed = order.executed
        executed.addbit(bit)
        executed.margin = margin
        order.status = Order.Partial if executed.remsize else Order.Completed

    def clone(self) -> Any:
        """Return a copy for a notification.

        Status, trigger and executions are what moves in an order; the copy shares the rest, and
        shares its executions with the last copy where nothing has been executed since.
        """
        order: Any = self
        new = order._copy()
        executed = order.executed
        snap = order._snap
        if snap is not None and not executed._bits and _same(snap, executed):
            new.executed = snap
        else:
            new.executed = snap = executed.clone()
        order._snap = snap if order.status in ALIVE else None  # the last copy: none follows
        return new

    def _copy(self) -> Any:
        order: Any = self
        new = _make(type(order))
        new._of = order._of or order
        new._snap = None
        new._active = order._active
        new.broker = order.broker
        new.comminfo = order.comminfo
        new.data = order.data
        new.exectype = order.exectype
        new.executed = order.executed
        new.owner = order.owner
        new.pannotated = order.pannotated
        new.plen = order.plen
        new.ref = order.ref
        new.status = order.status
        new.tradeid = order.tradeid
        new.triggered = order.triggered
        return new  # what it shares stays with the order: `__getattr__`


def _same(snap: LeanData, executed: LeanData) -> bool:
    """Whether an order without executions still stands as in its last copy."""
    return (
        snap.dt == executed.dt
        and snap.remsize == executed.remsize
        and snap.size == executed.size
        and snap.price == executed.price
    )


class LeanBuyOrder(_Lean, BuyOrder):  # type: ignore[misc]
    """A buy order."""

    __slots__ = _SLOTS


class LeanSellOrder(_Lean, SellOrder):  # type: ignore[misc]
    """A sell order."""

    __slots__ = _SLOTS


for _kind in (LeanBuyOrder, LeanSellOrder):
    _kind.params = _kind.p = property(_Given)


def is_lean(order: Any) -> bool:
    """Whether an order is one of these."""
    return isinstance(order, _Lean)


_NOTHING: Mapping[str, Any] = {}


def notes_of(order: Any) -> Mapping[str, Any]:
    """Return what was noted on an order, to read only: `order.info` without making it."""
    if not isinstance(order, _Lean):
        return order.info  # type: ignore[no-any-return]
    return (order._of or order)._info or _NOTHING


def noted(order: Any, name: str) -> Any:
    """Return what was noted on an order under a name, None if nothing was."""
    return notes_of(order).get(name)


def make_order(
    is_buy: bool,
    owner: Any,
    data: Any,
    size: float,
    price: float | None = None,
    pricelimit: float | None = None,
    exectype: int | None = None,
    valid: Any = None,
    tradeid: int = 0,
    oco: Any = None,
    trailamount: float | None = None,
    trailpercent: float | None = None,
    parent: Any = None,
    transmit: bool = True,
    histnotify: bool = False,
) -> Any:
    """Return a new order, as `BuyOrder(...)` or `SellOrder(...)` makes it.

    The parameters are those of Backtrader's orders; `size` is not negative.
    """
    order = _make(LeanBuyOrder if is_buy else LeanSellOrder)
    order._of = order._info = order._snap = order._dteos = None
    order._given = _GIVEN[exectype] if valid is None else (exectype, valid)
    order.ref = next(Order.refbasis)
    order.broker = order.comminfo = order.pannotated = None
    order.triggered = False
    order._active = parent is None
    order.status = Order.Created
    order._plimit = pricelimit
    order.exectype = kind = Order.Market if exectype is None else exectype
    order.size = signed = size if is_buy else -size
    order.owner, order.data, order.price, order.pricelimit = owner, data, price, pricelimit
    order.valid, order.tradeid, order.oco = valid, tradeid, oco
    order.trailamount, order.trailpercent = trailamount, trailpercent
    order.parent, order.transmit, order.histnotify = parent, transmit, histnotify
    order.position = order.plen = 0
    lines = data.lines
    close = lines.close[0]
    created: Any = CreatedData(
        lines.datetime[0],
        signed,
        close if not price and not pricelimit else price,
        pricelimit,
        close,
    )
    order.created = created
    if trailamount is not None or trailpercent is not None:
        created.trailamount, created.trailpercent = trailamount, trailpercent
    order._limitoffset = 0.0
    if kind in _TRAILS:
        order._limitoffset = created.price - created.pricelimit
        start = created.price
        created.price = float("inf") if is_buy else float("-inf")
        order.trailadjust(start)
    order.executed = LeanData(None, 0, 0.0, 0.0, signed)
    if valid is not None:
        order.valid = _end_of_validity(valid, data)
    return order


_GIVEN = {kind: (kind, None) for kind in (None, *range(len(Order.ExecTypes)))}


def _end_of_validity(valid: Any, data: Any) -> Any:
    """Return an order's `valid` as Backtrader keeps it: a float day, or a number as given."""
    if isinstance(valid, datetime.date):
        return data.date2num(valid)
    if isinstance(valid, datetime.timedelta):
        if valid == Order.DAY:
            end = datetime.datetime.combine(data.datetime.date(), datetime.time(23, 59, 59, 9999))
        else:
            end = data.datetime.datetime() + valid
        return data.date2num(end)
    return valid


def _end_of_session(data: Any, made: float) -> float:
    """Return the next end of the session after an order was made."""
    now = data.num2date(made)
    session = data.p.sessionend
    end = now.replace(
        hour=session.hour,
        minute=session.minute,
        second=session.second,
        microsecond=session.microsecond,
    )
    if end < now:
        end += datetime.timedelta(days=1)
    return float(data.date2num(end))


class OrderHistory(Sequence[Any]):
    """A strategy's notified orders, kept small: Backtrader's `strategy._orders`.

    Stock Backtrader keeps every copy it ever sent. Here a copy is kept as its order and what
    moved, and made again when it is asked for.
    """

    def __init__(self, orders: Sequence[Any] = ()) -> None:
        self._orders: list[Any] = []
        self._executed: list[Any] = []
        self._states = bytearray()
        self.extend(orders)

    def extend(self, orders: Sequence[Any]) -> None:
        """Append copies of orders."""
        add_order, add_executed = self._orders.append, self._executed.append
        for order in orders:
            original = order._of if isinstance(order, _Lean) else None
            if original is None:
                add_order(order)
                add_executed(_AS_IT_IS)
                self._states.append(0)
                continue
            executed, status = order.executed, order.status
            if executed.dt is None and not executed.size:
                if executed.remsize == original.created.size:
                    executed = None  # nothing happened yet: made again from what was asked for
            elif original.status == status and status not in ALIVE:
                executed = original.executed  # it moves no more
            add_order(original)
            add_executed(executed)
            state = status | order.triggered << 4 | order._active << 5
            self._states.append(state | (order.comminfo is None) << 6)

    def append(self, order: Any) -> None:
        """Append a copy of an order."""
        self.extend((order,))

    def __len__(self) -> int:
        return len(self._states)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        executed = self._executed[index]
        original = self._orders[index]
        if executed is _AS_IT_IS:
            return original
        state = self._states[index]
        copy = original._copy()
        if executed is None:
            executed = LeanData(remsize=original.created.size)
            executed._live = original.executed
        copy.executed = executed
        copy.status = state & 15
        copy.triggered = bool(state & 16)
        copy._active = bool(state & 32)
        if state & 64:
            copy.comminfo = None
        return copy


_AS_IT_IS = object()
"""Stands for the executions of an order that is kept itself, not as a copy."""
