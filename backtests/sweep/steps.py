"""One bar of a compiled run while something is at work: the day, the guard, the fills, the books.

`tola_step` plays it by our own fill rules, `stock_step` by Backtrader's.
"""

from __future__ import annotations

from typing import Any

from backtests.sweep import guard as guards
from backtests.sweep import stock_bar as stocks
from backtests.sweep.orders import flatten, tighten
from backtests.sweep.records import FATE_ENGINE, FATE_FLATTENED
from backtests.sweep.trades import tell
from core.compile import inner
from core.matching.bar import walk_bars
from core.matching.book import count_in
from core.matching.records import ANOTHER_DAY, FLAT_TIME, LOCKED, REQUESTED_FLAT
from core.ports import BREACH_NONE
from core.prices import common_step

NO_ACT, BLOCK, TIGHTEN, FLATTEN = 0, 1, 2, 3
"""What a rule of time asks for in a bar (`risk.rules.base.Act`)."""


@inner
def is_at_work(books: Any) -> bool:
    """Say whether anything would be played on the next bar."""
    return bool(books[0].count > 0 or books[0].steps != 0)


@inner
def use_market(
    period: int, is_idle: bool, table: Any, fixed: Any, market: Any, books: Any, orders: Any,
    run: Any,
) -> None:  # fmt: skip
    """Take the facts and the rate of a trading day (`brokers.plan.TradedPlan.begin_day`)."""
    lot = table[period].lot
    if period == run.period and run.step == lot:
        return
    step = lot if is_idle else common_step(run.step, lot)
    if not is_idle:
        parts = round(run.step / step)
        if parts > 1:
            books[0].steps *= parts
            for k in range(books[0].count):
                orders[0, k].quantity *= parts
                orders[0, k].filled *= parts
                orders[0, k].open_steps *= parts
    market[0] = table[period]
    if step != lot:
        count_in(market[0], step, fixed[period])
    run.period = period
    run.step = step


@inner
def note_value(value: float, run: Any) -> None:
    """Take an equity mark at a bar's close."""
    run.value = value
    if value > run.peak:
        run.peak = value
    else:
        run.drawdown = max(run.drawdown, (run.peak - value) / run.peak)


@inner
def note_end(ended: int, code: int, was_filled: int, fates: Any, sent_setup: Any, run: Any) -> None:
    """Note that the entry of the setup at work filled, or why it ended without."""
    if run.bracket.filled != was_filled:
        fates[sent_setup[0]].filled = 1
    elif ended >= 0 and run.bracket.at_work != 0 and run.bracket.filled == 0:
        fates[sent_setup[0]].cancel = code
        run.bracket.at_work = 0


@inner
def drop_bracket(code: int, fates: Any, sent_setup: Any, run: Any) -> None:
    """Forget a setup whose entry was cancelled unfilled."""
    if run.bracket.at_work != 0 and run.bracket.filled == 0:
        fates[sent_setup[0]].cancel = code
        run.bracket.at_work = 0


@inner
def roll(
    i: int, bar: Any, periods: Any, places: Any, table: Any, fixed: Any, market: Any, books: Any,
    orders: Any, events: Any, rules: Any, limits: Any, is_stock: bool, stock: Any, fates: Any,
    sent_setup: Any, run: Any, trades: Any, day_equity: Any,
) -> None:  # fmt: skip
    """Begin the bar's trading day if it is a new one."""
    if bar.day <= run.day:
        return
    if is_stock and run.live != 0:
        stocks.end_day_orders(books, orders, events)
        if books[0].events > 0:
            drop_bracket(FATE_ENGINE + ANOTHER_DAY, fates, sent_setup, run)
    for place in range(run.day_place, places[i]):
        day_equity[place] = run.value
    run.day_place = places[i]
    run.day = bar.day
    use_market(periods[i], run.live == 0, table, fixed, market, books, orders, run)
    guards.begin_day(bar.day, run.value, books[0].balance, rules, run.guard, limits[0])


@inner
def begin_bar(
    i: int, bar: Any, act: int, act_reason: int, tick: float, rules: Any, limits: Any, books: Any,
    orders: Any, events: Any, run: Any,
) -> int:  # fmt: skip
    """Let the guard act on time before a bar is played; return how many events that gave."""
    whole = guards.is_locked_whole(rules, run.guard)
    limits[0].locked = 1 if whole or act != NO_ACT else 0
    if act == FLATTEN and is_at_work(books):
        run.flat_reason = act_reason
        return int(flatten(books, orders, events))
    if act == TIGHTEN:
        tighten(bar.open, tick, books, orders, run)
    return 0


@inner
def tola_step(
    i: int, bars: Any, act: int, act_reason: int, lower: Any, spans: Any, nights: Any, rules: Any,
    limits: Any, trials: Any, market: Any, books: Any, orders: Any, events: Any, marks: Any,
    fates: Any, sent_setup: Any, run: Any, trades: Any,
) -> None:  # fmt: skip
    """Play a bar by our own fill rules, the guard looking on along its path."""
    bar = bars[i]
    before = begin_bar(
        i, bar, act, act_reason, market[0].tick, rules, limits, books, orders, events, run
    )
    if before > 0:
        ended = tell(i, bar.day, before, events[0], market[0], rules, run, trades)
        code = FATE_FLATTENED + int(run.flat_reason)
        note_end(ended, code, run.bracket.filled, fates, sent_setup, run)
    if run.live == 0:
        return
    walk_bars(bars, i, i + 1, False, lower, spans, nights, market, books, orders, limits, trials,
              events, marks)  # fmt: skip
    was_filled = run.bracket.filled
    count = int(books[0].events)
    ended = tell(i, bar.day, count, events[0], market[0], rules, run, trades)
    if books[0].ambiguous != 0 and run.is_open != 0:
        run.open.ambiguous = 1
    if limits[0].breach != BREACH_NONE:
        guards.on_breach(rules, run.guard, limits[0])
    note_end(ended, FATE_ENGINE + ended, was_filled, fates, sent_setup, run)
    run.live = 1 if is_at_work(books) else 0
    opened = books[0].open_pnl if run.live != 0 else 0.0
    note_value(books[0].balance + opened, run)


@inner
def mark_trade(bar: Any, run: Any) -> None:
    """Take a bar's extremes as excursions of the open trade (`core.ledger.Ledger.mark`)."""
    if run.is_open == 0:
        return
    trade = run.open
    low = (bar.low - trade.average) * trade.direction
    high = (bar.high - trade.average) * trade.direction
    trade.adverse = min(trade.adverse, low, high)
    trade.favourable = max(trade.favourable, low, high)


@inner
def stock_step(
    i: int, bar: Any, act: int, act_reason: int, rules: Any, limits: Any, market: Any, stock: Any,
    books: Any, orders: Any, events: Any, fates: Any, sent_setup: Any, run: Any, trades: Any,
) -> None:  # fmt: skip
    """Play a bar by Backtrader's rules; then let the guard look at what came of it."""
    if run.live == 0:
        return
    mark_trade(bar, run)
    was_filled = run.bracket.filled
    count = stocks.play_bar(bar, market[0], stock, books, orders, events)
    ended = tell(i, bar.day, count, events[0], market[0], rules, run, trades)
    mark_trade(bar, run)
    note_end(ended, FATE_ENGINE + ended, was_filled, fates, sent_setup, run)
    note_value(stock.value, run)
    books[0].balance = stock.value - stock.open_profit
    if stocks.keep_flat_time(bar, stock, books, orders, events):
        drop_bracket(FATE_FLATTENED + FLAT_TIME, fates, sent_setup, run)
    reason = stocks.test_floors(stock.value, rules, run.guard, limits[0])
    if reason != 0:
        stocks.leave(reason, books, orders, events)
        drop_bracket(FATE_ENGINE + reason, fates, sent_setup, run)
    if act == FLATTEN and is_at_work(books):
        run.flat_reason = act_reason
        stocks.leave(REQUESTED_FLAT, books, orders, events)
        drop_bracket(FATE_FLATTENED + act_reason, fates, sent_setup, run)
    elif act == TIGHTEN:
        tighten(bar.close, market[0].tick, books, orders, run)
    is_locked = guards.is_locked_whole(rules, run.guard) or act != NO_ACT
    if is_locked and stocks.cancel_entry(books, orders, events):
        drop_bracket(FATE_ENGINE + LOCKED, fates, sent_setup, run)
