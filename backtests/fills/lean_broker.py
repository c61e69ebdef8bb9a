"""Backtrader's `BackBroker` with the same fills and the same figures at a lower cost.

Every amount is computed by the operations of stock Backtrader in their order, so that cash, value
and prices are equal to the last bit (`tests/backtests` compares them on random runs). What is
left out cannot change a result: the walk for interest where no scheme charges any, trial
positions as objects, tick prices of preloaded bars, calendar dates nobody reads.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from backtrader import CommInfoBase
from backtrader.brokers import BackBroker
from backtrader.order import Order
from backtrader.position import Position

from backtests.loop.timeline import Timeline
from brokers.commission import InstrumentCommission

_KNOWN = {
    name: {getattr(CommInfoBase, name)}
    for name in ("getvaluesize", "profitandloss", "cashadjust", "get_leverage")
}
_KNOWN_CREDIT = (CommInfoBase.get_credit_interest, CommInfoBase._get_credit_interest)
_PURE_COMMISSIONS = (CommInfoBase._getcommission, InstrumentCommission._getcommission)


class LeanPosition(Position):  # type: ignore[misc]
    """A position whose time is read from its feed when somebody asks."""

    def __init__(self, data: Any) -> None:
        self._data = data
        self._changed: Any = None
        self.is_dated = False
        super().__init__()

    @property
    def datetime(self) -> Any:
        """Time of the last bar it was held on, or of its last change."""
        if self.size and not self.is_dated:
            return self._data.datetime.datetime()
        if isinstance(self._changed, float):
            return self._data.num2date(self._changed)
        return self._changed

    @datetime.setter
    def datetime(self, value: Any) -> None:
        self._changed = value


class _Positions(dict[Any, LeanPosition]):
    """Positions by feed, made when first asked for."""

    def __missing__(self, data: Any) -> LeanPosition:
        position = self[data] = LeanPosition(data)
        return position


class Scheme:
    """What a commission scheme's methods compute, where they are Backtrader's own.

    Attributes
    ----------
    stocklike : bool
    margin : float
        Money one unit binds; of no meaning for stocklike schemes.
    mult, leverage : float
    """

    __slots__ = ("leverage", "margin", "mult", "stocklike")

    def __init__(self, scheme: Any) -> None:
        self.stocklike = bool(scheme._stocklike)
        self.margin = 0.0 if self.stocklike else scheme.get_margin(0.0)
        self.mult = scheme.p.mult
        self.leverage = scheme.p.leverage


def is_known(scheme: Any) -> bool:
    """Whether a scheme marks positions by Backtrader's own formulas, with a constant margin."""
    kind: Any = type(scheme)
    if not _has_known_formulas(kind):
        return False
    if kind.get_margin is CommInfoBase.get_margin:
        return not scheme.p.automargin
    return bool(getattr(scheme, "has_constant_margin", False))


def charges_interest(scheme: Any) -> bool:
    """Whether holding a position may cost interest."""
    kind: Any = type(scheme)
    return bool(scheme._creditrate or _has_own_interest(kind))


@cache
def _has_known_formulas(kind: Any) -> bool:
    return all(getattr(kind, name) in known for name, known in _KNOWN.items())


@cache
def _has_own_interest(kind: Any) -> bool:
    return (kind.get_credit_interest, kind._get_credit_interest) != _KNOWN_CREDIT


class LeanBroker(BackBroker):  # type: ignore[misc]
    """Backtrader's broker for preloaded runs, cheaper; in any other run it is the stock one."""

    _timeline: Timeline | None = None
    cash: float

    def init(self) -> None:
        """Forget the last run."""
        super().init()
        self.positions = _Positions()

    def get_notification(self) -> Any | None:
        """Return the next order notification, None when there is none."""
        return self.notifs.popleft() if self.notifs else None

    def _match(self) -> None:
        """Play a bar: BackBroker.next, step by step."""
        while self._toactivate:
            self._toactivate.popleft().activate()
        if self.submitted and self.p.checksubmit:
            self.check_submitted()
        self._charge_interest()
        if self._userhist:
            self._process_order_history()
        if self.pending:
            self._match_pending()
        for data, position in self.positions.items():
            if position.size:
                close = data.lines.close[0]
                scheme = self.getcommissioninfo(data)
                self.cash += scheme.cashadjust(position.size, position.adjbase, close)
                position.adjbase = close
        if self._cash_addition or self._fundhist or not self.p.shortcash:
            self._get_value()
        else:
            self._take_value()

    def _take_value(self) -> None:
        """Compute the account's figures: BackBroker._get_value without what is rare."""
        held = unlevered = open_profit = 0.0
        for data, position in self.positions.items():
            size = position.size
            scheme, close = self.getcommissioninfo(data), data.lines.close[0]
            value = scheme.getvaluesize(size, close)
            profit = scheme.profitandloss(size, position.price, close)
            held += value
            open_profit += profit
            if value > 0:
                value = (value - profit) / scheme.get_leverage()
                unlevered += value
                unlevered += profit
            else:
                unlevered += value
        cash = self.cash
        self._value = value = cash + unlevered
        self._fundval = value / self._fundshares
        self._valuemkt = unlevered
        self._valuelever = cash + held
        self._valuemktlever = held
        self._leverage = held / (unlevered or 1.0)
        self._unrealized = open_profit

    def check_submitted(self) -> None:
        """Accept the orders that cash would carry: BackBroker.check_submitted."""
        submitted = self.submitted
        if self._timeline is None or self.p.filler is not None or self.p.coo:
            super().check_submitted()
            return
        if any(order.data._compensate is not None for order in submitted):
            super().check_submitted()
            return
        cash = self.cash
        trial: dict[Any, tuple[float, float]] = {}
        while submitted:
            order = submitted.popleft()
            if order.parent is not None and self._take_children(order) is None:
                continue
            data = order.data
            held = trial.get(data)
            if held is None:
                position = self.positions[data]
                held = position.size, position.price
            cash, *after = self._cash_left(order, cash, *held)
            trial[data] = after[0], after[1]
            if cash >= 0.0:
                self.submit_accept(order)
                continue
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)

    def submit_accept(self, order: Any) -> None:
        """Take an order among those that wait."""
        order.pannotated = order.broker = None
        order.plen = order.data.lines.datetime.lencount
        order.status = Order.Accepted
        self.pending.append(order)
        self.notify(order)

    def getcommissioninfo(self, data: Any) -> Any:
        """Return a feed's commission scheme."""
        schemes = self.comminfo
        name = data._name
        return schemes[name] if name in schemes else schemes[None]

    def _charge_interest(self) -> None:
        credit = 0.0
        for data, position in self.positions.items():
            if position.size:
                scheme = self.getcommissioninfo(data)
                position.is_dated = charges_interest(scheme)
                if position.is_dated:
                    now = data.datetime.datetime()
                    charged = scheme.get_credit_interest(data, position, now)
                    self.d_credit[data] += charged
                    credit += charged
                    position.datetime = now
        self.cash -= credit

    def _match_pending(self) -> None:
        pending = self.pending
        pending.append(None)
        while (order := pending.popleft()) is not None:
            if order.valid and order.expire():
                self.notify(order)
                self._ococheck(order)
                self._bracketize(order, cancel=True)
            elif not order._active:
                pending.append(order)
            else:
                self._try_exec(order)
                if order.alive():
                    pending.append(order)
                elif order.status == Order.Completed:
                    self._bracketize(order)

    def _try_exec(self, order: Any) -> None:
        """Match an order with the bar, its prices read where they lie."""
        if self._timeline is None or order.exectype == Order.Historical:
            super()._try_exec(order)
            return
        lines = order.data.lines
        row = lines.close._idx
        open_, high = lines.open.array[row], lines.high.array[row]
        low, close = lines.low.array[row], lines.close.array[row]
        kind, created = order.exectype, order.created
        if kind == Order.Market:
            self._try_exec_market(order, open_, high, low)
        elif kind == Order.Limit:
            self._try_exec_limit(order, open_, high, low, created.price)
        elif kind in (Order.Stop, Order.StopTrail):
            self._try_exec_stop(order, open_, high, low, created.price, close)
        elif kind == Order.Close:
            self._try_exec_close(order, close)
        elif order.triggered:
            self._try_exec_limit(order, open_, high, low, created.pricelimit)
        else:
            self._try_exec_stoplimit(
                order, open_, high, low, close, created.price, created.pricelimit
            )

    def _execute(
        self,
        order: Any,
        ago: int | None = None,
        price: float | None = None,
        cash: float | None = None,
        position: Any = None,
        dtcoc: float | None = None,
    ) -> Any:
        """Execute an order, or try how much cash it would leave (`ago` None)."""
        data = order.data
        if self.p.filler is not None or data._compensate is not None or self.p.coo:
            return super()._execute(order, ago, price, cash, position, dtcoc)
        if ago is None:
            left, position.size, position.price = self._cash_left(
                order, cash, position.size, position.price
            )
            return left
        if price is not None:
            self._execute_now(order, ago, price, dtcoc)
        return None

    def _cash_left(
        self, order: Any, cash: Any, held: float, average: float
    ) -> tuple[float, float, float]:
        """Return cash and position after an order executed at the price it was created with."""
        price = order.created.price
        scheme = self.getcommissioninfo(order.data)
        held, average, opened, closed = _after(held, average, order.executed.remsize, price)
        if closed:
            cash += self._freed(scheme, closed, price)[1]
            cash -= scheme.getcommission(closed, price)
        if opened:
            cash -= self._bound(scheme, opened, price)[1]
            cash -= scheme.getcommission(opened, price)
        return float(cash), held, average

    def _freed(self, scheme: Any, closed: float, price: float) -> tuple[float, float]:
        """Return the value and the cash a closing part gives back, entered at `price`."""
        if self.p.shortcash:
            value = scheme.getvaluesize(-closed, price)
        else:
            value = scheme.getoperationcost(closed, price)
        return value, value / scheme.get_leverage() if value > 0 else value

    def _bound(self, scheme: Any, opened: float, price: float) -> tuple[float, float]:
        """Return the value and the cash an opening part takes."""
        if self.p.shortcash:
            value = scheme.getvaluesize(opened, price)
        else:
            value = scheme.getoperationcost(opened, price)
        return value, value / scheme.get_leverage() if value > 0 else value

    def _execute_now(self, order: Any, ago: int, price: float, dtcoc: float | None) -> None:
        data = order.data
        scheme = self.getcommissioninfo(data)
        position = self.positions[data]
        size = order.executed.remsize
        entered_at = position.price
        psize, pprice, opened, closed = _after(position.size, entered_at, size, price)
        pnl = scheme.profitandloss(-closed, entered_at, price)
        cash = self.cash
        closedvalue = closedcomm = openedvalue = openedcomm = 0.0
        if closed:
            closedvalue, freed = self._freed(scheme, closed, entered_at)
            cash += freed + pnl * scheme.stocklike
            closedcomm = scheme.getcommission(closed, price)
            cash -= closedcomm
            cash += scheme.cashadjust(-closed, position.adjbase, price)
            self.cash = cash
        wanted = opened
        if opened:
            openedvalue, bound = self._bound(scheme, opened, price)
            cash -= bound
            openedcomm = scheme.getcommission(opened, price)
            cash -= openedcomm
            if cash < 0.0:
                opened = 0
                openedvalue = openedcomm = 0.0
            else:
                if abs(psize) > abs(opened):
                    cash += scheme.cashadjust(psize - opened, position.adjbase, price)
                position.adjbase = price
                self.cash = cash
        executed = closed + opened
        if executed:
            if type(scheme)._getcommission not in _PURE_COMMISSIONS:
                scheme.confirmexec(executed, price)
            position.update(executed, price, data.lines.datetime[0])
            if closed and self.p.int2pnl:
                closedcomm += self.d_credit.pop(data, 0.0)
            order.execute(
                dtcoc or data.lines.datetime[ago],
                executed,
                price,
                closed,
                closedvalue,
                closedcomm,
                opened,
                openedvalue,
                openedcomm,
                scheme.margin,
                pnl,
                psize,
                pprice,
            )
            order.addcomminfo(scheme)
            self.notify(order)
            self._ococheck(order)
        if wanted and not opened:
            order.margin()
            self.notify(order)
            self._ococheck(order)
            self._bracketize(order, cancel=True)


def _after(
    held: float, average: float, size: float, price: float
) -> tuple[float, float, float, float]:
    """Return a position's size and price after a trade, and what it opened and closed."""
    new = held + size
    if not new:
        return new, 0.0, 0, size
    if not held:
        return new, price, size, 0
    if size and (held > 0) == (size > 0):
        return new, (average * held + size * price) / new, size, 0
    if (held > 0) == (new > 0):
        return new, average, 0, size
    return new, price, new, -held
