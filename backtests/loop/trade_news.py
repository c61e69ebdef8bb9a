"""Executions become Backtrader's trades: `Strategy._addnotification` with fewer detours.

The trades are Backtrader's own objects and every figure comes from its operations; read directly
are only the feed's time and length, and copies are made without the `copy` module's detours.
"""

from __future__ import annotations

from typing import Any

from backtrader.trade import Trade


def add_news(strategy: Any, order: Any) -> None:
    """Give a strategy the copy of an order, and the trades its executions open and close."""
    strategy._orderspending.append(order)
    if not order.executed.size:
        return
    data = order.data if order.data._compensate is None else order.data._compensate
    trades = strategy._trades[data][order.tradeid]
    if not trades:
        trades.append(_new_trade(strategy, data, order))
    trade = trades[-1]
    news = strategy._tradespending
    for bit in order.executed.iterpending():
        if bit is None:
            break
        if bit.closed:
            _update(trade, order, bit, bit.closed, bit.closedcomm)
            if trade.isclosed:
                news.append(_copy(trade))
        if bit.opened:
            if trade.isclosed:
                trade = _new_trade(strategy, data, order)
                trades.append(trade)
            _update(trade, order, bit, bit.opened, bit.openedcomm)
            if trade.isclosed:  # orders of another trade id had turned the position
                news.append(_copy(trade))
        if trade.justopened:
            news.append(_copy(trade))


def _new_trade(strategy: Any, data: Any, order: Any) -> Any:
    return Trade(data=data, tradeid=order.tradeid, historyon=strategy._tradehistoryon)


def _copy(trade: Any) -> Any:
    new = Trade.__new__(Trade)
    new.__dict__.update(trade.__dict__)
    return new


def _update(trade: Any, order: Any, bit: Any, size: float, commission: float) -> None:
    """Take one part of an execution: `Trade.update`."""
    scheme, price = order.comminfo, bit.price
    if trade.historyon or not size:
        trade.update(order, size, price, 0.0, commission, bit.pnl, comminfo=scheme)
        return
    time = trade.data.lines.datetime
    length = time.lencount
    held = trade.size
    trade.commission += commission
    trade.size = new = held + size
    trade.justopened = not held
    if not held:
        trade.baropen, trade.dtopen = length, time[0]
        trade.long = new > 0
    trade.barlen = length - trade.baropen
    trade.isopen = bool(new)
    trade.isclosed = bool(held and not new)
    if trade.isclosed:
        trade.barclose, trade.dtclose = length, time[0]
        trade.status = Trade.Closed
    elif new:
        trade.status = Trade.Open
    if abs(new) > abs(held):
        trade.price = (held * trade.price + size * price) / new
        profit = 0.0
    else:
        profit = scheme.profitandloss(-size, trade.price, price)
    trade.pnl += profit
    trade.pnlcomm = trade.pnl - trade.commission
    trade.value = scheme.getvaluesize(new, trade.price)
