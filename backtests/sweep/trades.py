"""The books of a compiled run: what each fill does to the open trade (`core.ledger`)."""

from __future__ import annotations

from math import isnan
from typing import Any

import numpy as np

from backtests.sweep import guard as guards
from backtests.sweep.records import (
    BY_OPPOSITE,
    BY_STOP,
    BY_TARGET,
)
from core.compile import inner
from core.costs import each_charge
from core.ledger import enter, is_open, leave
from core.matching.fills import opened_by
from core.matching.records import (
    ACTIVE_EVENT,
    CHANGE_EVENT,
    FILL_EVENT,
    REQUESTED_FLAT,
    SWAP_EVENT,
)
from core.prices import steps_to_quantity


@inner
def fill_costs(side: int, quantity: float, price: float, market: Any) -> float:
    """Return a fill's costs as the ledger adds them up: each kind in account money."""
    total = 0.0
    for paid in each_charge(market.cost, side > 0, quantity, price, market.multiplier):
        total += paid * market.fx
    return total


@inner
def exit_reason(event: Any, run: Any) -> int:
    """Return why a fill left the position."""
    if event.order_id == 0:
        if event.reason == REQUESTED_FLAT:
            return int(run.flat_reason)
        return int(event.reason)
    bracket = run.bracket
    if event.order_id == bracket.stop_id:
        return BY_STOP
    if event.order_id == bracket.exit_id:
        return BY_OPPOSITE
    return BY_TARGET


@inner
def open_trade(row: int, event: Any, market: Any, run: Any) -> None:
    """Begin a trade with its first entry fill."""
    trade = run.open
    bracket = run.bracket
    trade.entry_row = row
    trade.entry_at_open = event.at_open
    trade.direction = event.side
    trade.pattern = bracket.pattern
    trade.planned_entry = bracket.planned_entry
    trade.stop = bracket.planned_stop
    trade.target = bracket.planned_target
    trade.point_value = market.multiplier * market.fx
    trade.reason = 0
    trade.legs = 0
    trade.ambiguous = 0
    trade.open_quantity = 0.0
    trade.average = 0.0
    trade.entered = 0.0
    trade.entry_price = 0.0
    trade.left = 0.0
    trade.exit_price = 0.0
    trade.gross = 0.0
    trade.costs = 0.0
    trade.adverse = 0.0
    trade.favourable = 0.0
    run.is_open = 1


@inner
def close_trade(row: int, event: Any, run: Any, trades: Any) -> None:
    """Write a trade that ended among the closed ones."""
    trade = run.open
    trade.exit_row = row
    trade.exit_at_open = event.at_open
    trade.reason = exit_reason(event, run)
    trades[run.trades] = trade
    run.trades += 1
    run.is_open = 0


@inner
def note_losses(run: Any, day: int) -> None:
    """Count losing trades in a row as a strategy does, by Backtrader's own sums of the trade."""
    if run.bt_pnl - run.bt_costs < 0.0:
        if run.losses_day != day:
            run.losses = 0
        run.losses += 1
    else:
        run.losses = 0
    run.losses_day = day


@inner
def follow_backtrader(
    event: Any, entered: bool, quantity: float, day: int, market: Any, run: Any
) -> None:
    """Add a fill to the trade as Backtrader's `Trade.update` does."""
    if entered:
        if run.bt_size == 0.0:
            run.bt_price = 0.0
            run.bt_pnl = 0.0
            run.bt_costs = 0.0
        size = quantity * event.side
        run.bt_costs += event.costs
        before = run.bt_size
        run.bt_size += size
        run.bt_price = (before * run.bt_price + size * event.price) / run.bt_size
        return
    size = -run.bt_size if event.steps == 0 else quantity * event.side
    run.bt_costs += event.costs
    run.bt_size += size
    mult = market.multiplier * market.fx
    run.bt_pnl += -size * (event.price - run.bt_price) * mult
    if event.steps == 0:
        note_losses(run, day)


@inner
def book_fill(
    row: int, day: int, event: Any, market: Any, rules: Any, run: Any, trades: Any
) -> None:
    """Book one fill everywhere it counts: the trade, the strategy's tallies, the guard.

    A fill of a run with one bracket at a time either enters or leaves, never both.
    """
    quantity = float(steps_to_quantity(event.quantity, run.step))
    before = event.steps - event.side * event.quantity
    entered = opened_by(before, event.side, event.quantity) > 0
    costs = fill_costs(event.side, quantity, event.price, market)
    value = market.multiplier * market.fx
    trade = run.open
    if entered:
        if run.is_open == 0:
            open_trade(row, event, market, run)
        enter(trade, quantity, event.price)
    else:
        trade.adverse = min(trade.adverse, event.adverse)
        trade.favourable = max(trade.favourable, event.favourable)
        leave(trade, quantity, event.price, value)
    trade.costs += costs
    if event.ambiguous != 0:
        trade.ambiguous = 1
    if not entered and not is_open(trade):
        close_trade(row, event, run, trades)
    follow_backtrader(event, entered, quantity, day, market, run)
    if entered and event.order_id == run.bracket.entry_id:
        note_entry(event, quantity, day, run)
    guards.on_fill(
        event.order_id, entered, quantity * event.side, event.price, costs, value, rules, run.guard
    )


@inner
def note_entry(event: Any, quantity: float, day: int, run: Any) -> None:
    """Note on the setup at work that its entry filled; count it by the day of the fill."""
    bracket = run.bracket
    if bracket.filled == 0:
        bracket.filled = 1
        if run.entries_day != day:
            run.entries_day = day
            run.entries = 0
        run.entries += 1
    held = bracket.entry_size
    bracket.entry_size = held + quantity
    bracket.entry_price = (held * bracket.entry_price + quantity * event.price) / (
        bracket.entry_size
    )


@inner
def tell(
    row: int,
    day: int,
    count: int,
    events: Any,
    market: Any,
    rules: Any,
    run: Any,
    trades: Any,
) -> int:
    """Take what happened on a bar; return why the entry ended unfilled (the engine's), else -1."""
    ended = -1
    for i in range(count):
        event = events[i]
        if event.kind == FILL_EVENT:
            book_fill(row, day, event, market, rules, run, trades)
        elif event.kind == SWAP_EVENT:
            if run.is_open != 0:
                run.open.costs += event.costs
        elif event.kind != ACTIVE_EVENT and event.kind != CHANGE_EVENT:
            is_entry = event.order_id == run.bracket.entry_id
            if is_entry and run.bracket.filled == 0:
                ended = int(event.reason)
    return ended


@inner
def pnl_of(trade: Any) -> float:
    """Return a trade's profit net of costs."""
    return float(trade.gross - trade.costs)


@inner
def risk_money(trade: Any) -> float:
    """Return a trade's planned risk, account currency; nan without a stop."""
    if isnan(trade.stop) or isnan(trade.planned_entry) or trade.planned_entry == trade.stop:
        return np.nan
    return float(trade.entered * abs(trade.planned_entry - trade.stop) * trade.point_value)
