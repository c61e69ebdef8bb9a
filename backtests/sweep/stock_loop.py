"""Backtrader's own fill rules as one compiled loop, for strategies that send a bracket when flat.

Every amount is computed by the operations of Backtrader in their order, so that trades, cash and
value are equal to the last bit. The rules, as its broker has them: a market order sent at a close
fills at the next open; its stop and target work from the bar after that; in a bar the stop is
looked at before the target, each at the open first; after an exit a signal of that same close
counts.
"""

from __future__ import annotations

from typing import Any

from core.compile import inner, kernel, record_dtype, unmanaged

BRACKET_TRADE = record_dtype(
    [
        ("entry_row", "i8"),
        ("exit_row", "i8"),
        ("side", "i8"),
        ("entry_price", "f8"),
        ("exit_price", "f8"),
        ("pnl", "f8"),
        ("net", "f8"),
    ]
)
"""One closed trade; rows of the bars that hold its fills, pnl before and net after commission."""

CONTRACT = record_dtype(
    [("size", "f8"), ("mult", "f8"), ("commission", "f8"), ("margin", "f8"), ("cash", "f8")]
)
"""size : of every entry. mult : money per 1.0 price move of 1.0. commission : money per fill of
this size. margin : money one unit binds. cash : at the start."""

ACCOUNT = record_dtype([("cash", "f8"), ("value", "f8"), ("peak", "f8"), ("drawdown", "f8"),
                        ("is_open", "i8"), ("lacks_cash", "i8")])  # fmt: skip
"""Where a run stands. lacks_cash : an entry could not be paid for; the run ends there."""


@kernel
def follow(sides: Any, upcoming: Any) -> None:
    """Write for each bar the first one from it on that has a signal; n where none follows."""
    n = sides.shape[0]
    after = n
    for back in range(n):
        i = n - 1 - back
        if sides[i] != 0:
            after = i
        upcoming[i] = after


@inner
def mark(value: float, account: Any) -> None:
    """Take the account's value at a close."""
    account.value = value
    if value > account.peak:
        account.peak = value
    else:
        account.drawdown = max(account.drawdown, (account.peak - value) / account.peak)


@inner
def leave_price(open_: float, low: float, stop: float, target: float) -> float:
    """Return what a long leaves at on a bar that reaches its stop or its target.

    A short is the same with prices and levels mirrored.
    """
    if open_ <= stop:
        return open_
    if low <= stop:
        return stop
    return open_ if target <= open_ else target


@inner
def find_exit(high: Any, low: Any, first: int, side: int, stop: float, target: float) -> int:
    """Return the first bar from `first` on that reaches the stop or the target; n for none."""
    n = high.shape[0]
    i = first
    if side > 0:
        while i < n and low[i] > stop and high[i] < target:
            i += 1
    else:
        while i < n and high[i] < stop and low[i] > target:
            i += 1
    return i


@inner
def mark_span(
    close: Any, first: int, last: int, signed: float, bound: float, mult: float, account: Any,
    adjusted: float,
) -> float:  # fmt: skip
    """Mark a position at each close first .. last-1; return the price it was last marked at.

    The deepest fall from one peak is the one to its lowest value, so there is one division a peak.
    """
    cash, value, peak, drawdown = account.cash, account.value, account.peak, account.drawdown
    lowest = peak
    for i in range(first, last):
        cash += signed * (close[i] - adjusted) * mult
        adjusted = close[i]
        value = cash + bound
        if value > peak:
            drawdown = max(drawdown, (peak - lowest) / peak)
            peak = value
            lowest = value
        else:
            lowest = min(lowest, value)
    account.cash, account.value, account.peak = cash, value, peak
    account.drawdown = max(drawdown, (peak - lowest) / peak)
    return adjusted


@unmanaged
def play_brackets(
    open_: Any,
    high: Any,
    low: Any,
    close: Any,
    sides: Any,
    upcoming: Any,
    distance: Any,
    stop_share: float,
    target_share: float,
    contract: Any,
    is_marked: bool,
    accounts: Any,
    trades: Any,
) -> int:
    """Play all bars; return how many trades were written.

    Parameters
    ----------
    open_, high, low, close : float64, shape (n,).
    sides : int8, +1 and -1 where a strategy that is flat sends a market order at the close.
    upcoming : as `follow` writes it.
    distance : float64; the stop lies stop_share, the target target_share of it from that close.
    contract, accounts : one-item CONTRACT and ACCOUNT arrays, the latter zeroed.
    is_marked : mark the account at each close a position is held over; False leaves value, cash
        and drawdown to the closed trades.
    """
    n = close.shape[0]
    terms = contract[0]
    account = accounts[0]
    size, mult, commission = terms.size, terms.mult, terms.commission
    bound = size * terms.margin
    account.cash = terms.cash
    account.value = terms.cash
    account.peak = terms.cash
    count = 0
    i = upcoming[0] if n > 0 else n
    while i < n - 1:
        side = int(sides[i])
        signed = side * size
        reach = distance[i]
        stop = close[i] - side * (stop_share * reach)
        target = close[i] + side * (target_share * reach)
        if account.cash - bound - 3.0 * commission < 0.0:
            account.lacks_cash = 1
            break
        entry = i + 1
        paid = open_[entry]
        account.cash -= bound
        account.cash -= commission
        adjusted = paid
        leaves = find_exit(high, low, entry + 1, side, stop, target)
        if is_marked:
            adjusted = mark_span(close, entry, leaves, signed, bound, mult, account, adjusted)
        if leaves >= n:
            account.is_open = 1
            profit = signed * (close[n - 1] - paid) * mult
            if not is_marked:
                account.cash += signed * (close[n - 1] - adjusted) * mult
            account.value = account.cash + ((bound - profit) + profit)
            break
        if side > 0:
            price = leave_price(open_[leaves], low[leaves], stop, target)
        else:
            price = -leave_price(-open_[leaves], -high[leaves], -stop, -target)
        account.cash += bound
        account.cash -= commission
        account.cash += signed * (price - adjusted) * mult
        mark(account.cash, account)
        trade = trades[count]
        trade.entry_row = entry
        trade.exit_row = leaves
        trade.side = side
        # Backtrader keeps its prices as averages over what was filled, one fill too.
        trade.entry_price = (signed * paid) / signed
        trade.exit_price = (signed * price) / signed
        trade.pnl = signed * (price - trade.entry_price) * mult
        trade.net = trade.pnl - (commission + commission)
        count += 1
        i = upcoming[leaves]
    return count


@unmanaged
def sum_brackets(trades: Any, count: int, contract: Any, accounts: Any, out: Any) -> None:
    """Write a run's figures into a one-item SUMMARY array."""
    total = out[0]
    net = 0.0
    for k in range(count):
        gain = trades[k].net
        net += gain
        if gain > 0.0:
            total.wins += 1
            total.won += gain
        elif gain < 0.0:
            total.lost -= gain
    total.trades = count
    total.net_profit = accounts[0].value - contract[0].cash
    total.equity_end = accounts[0].value
    total.max_drawdown_pct = accounts[0].drawdown * 100.0
    total.costs = 2.0 * contract[0].commission * count
    total.open_trades = accounts[0].is_open
    total.filled = count + accounts[0].is_open
    total.taken = total.filled
