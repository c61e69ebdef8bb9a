"""One compiled run: the loop over setups and the bars between them.

What a Backtrader run does bar by bar with objects happens here on records, in the same order:
the day rolls, rules of time act, the engine plays the bar, fills are booked, the strategy manages
what is at work and offers the bar's setups. Bars on which nothing is at work are passed over; bars
on which nothing can happen are marked.
"""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from backtests.sweep import guard as guards
from backtests.sweep.offers import offer
from backtests.sweep.orders import move_stop, withdraw
from backtests.sweep.quiet import is_quiet, mark_span
from backtests.sweep.steps import is_at_work, note_value, roll, stock_step, tola_step
from backtests.sweep.trades import pnl_of, risk_money
from core.bars import NEVER_NS
from core.compile import inner, unmanaged
from core.matching.prices_at import open_pnl
from core.orders import StopRuleKind
from strategies.management import withdrawal
from strategies.words import BUSY, KEEP, WARMUP

_FIXED = int(StopRuleKind.FIXED)


@inner
def manage(
    i: int,
    bar: Any,
    facts: Any,
    average: float,
    cancels: Any,
    fates: Any,
    sent_setup: Any,
    terms: Any,
    tick: float,
    books: Any,
    orders: Any,
    events: Any,
    run: Any,
) -> None:
    """Settle what was left; move the stop of a position, or reconsider a working entry."""
    bracket = run.bracket
    if bracket.at_work != 0 and bracket.filled != 0 and books[0].steps == 0:
        withdraw(bracket.entry_id, books, orders, events)
        bracket.at_work = 0
        bracket.leaving = 0
    if bracket.at_work == 0:
        return
    if bracket.filled != 0:
        if terms.stop_kind != _FIXED and move_stop(
            bar, facts, average, terms, tick, books, orders, run
        ):
            run.spread = nan
        return
    choch = int(facts.choch) if terms.watches_choch != 0 else 0
    code = withdrawal(
        bar,
        bracket.direction,
        bracket.target,
        bracket.sweep_extreme,
        i - bracket.sent_at,
        bracket.order_bars,
        choch,
        cancels[bracket.pattern, i],
    )
    if code != KEEP:
        fates[sent_setup[0]].cancel = code
        withdraw(bracket.entry_id, books, orders, events)
        bracket.at_work = 0
        run.spread = nan


@inner
def play(
    clocked: Any,
    setups: Any,
    hours: Any,
    cancels: Any,
    space: Any,
    cash: float,
    terms: Any,
    rules: Any,
    is_stock: bool,
    trades: Any,
    fates: Any,
    day_equity: Any,
) -> int:
    """Run one parameter set over all bars; return how many trades were written."""
    bars, loud, table, fixed = clocked.bars, clocked.loud, clocked.table, clocked.fixed
    at, facts = setups.at, setups.facts
    books, orders, events = space.books, space.orders, space.events
    limits, market, stock = space.limits, space.market, space.stock
    run = space.runs[0]
    n = bars.shape[0]
    count = at.shape[0]
    guards.start(cash, rules, run.guard, limits[0])
    run.value = cash
    run.peak = cash
    run.day = -1
    run.period = -1
    run.entries_day = -1
    run.losses_day = -1
    run.next_id = 1
    run.spread = nan
    cursor = 0
    sent_setup = space.parts[len(space.parts) - 1 :]
    is_drilled = clocked.spans.shape[0] > 0
    i = 0
    while i < n:
        if run.live == 0:
            if cursor >= count:
                break
            i = at[cursor]
        bar = bars[i]
        if (
            run.live != 0
            and not is_stock
            and loud[i] == 0
            and not is_drilled
            and is_quiet(bar, market[0], books[0], orders[0], limits[0], run)
        ):
            low, high = bar.low, bar.high
            stop = at[cursor] if cursor < count else n
            book = books[0]
            is_idle = run.bracket.filled != 0 and terms.stop_kind == _FIXED
            j = i
            while True:
                if book.steps != 0:
                    value = open_pnl(bars[j].close, market[0], book)
                    note_value(book.balance + value, run)
                if not is_idle or j + 1 >= n or j >= stop or loud[j + 1] != 0:
                    break
                after = bars[j + 1]
                if not (after.low > run.low and after.high < run.high):
                    break
                if after.spread != run.spread:
                    break
                j += 1
                low = min(low, after.low)
                high = max(high, after.high)
            mark_span(low, high, market[0], book)
            i = j
            bar = bars[i]
        else:
            roll(i, bar, clocked.periods, clocked.places, table, fixed, market, books, orders,
                 events, rules, limits, is_stock, stock[0], fates, sent_setup, run, trades,
                 day_equity)  # fmt: skip
            if is_stock:
                stock_step(i, bar, clocked.acts[i], clocked.act_reasons[i], rules, limits, market,
                           stock[0], books, orders, events, fates, sent_setup, run,
                           trades)  # fmt: skip
            else:
                tola_step(i, bars, clocked.acts[i], clocked.act_reasons[i], clocked.lower,
                          clocked.spans, clocked.nights, rules, limits, space.trials, market,
                          books, orders, events, space.marks, fates, sent_setup, run,
                          trades)  # fmt: skip
            run.spread = nan
        manage(i, bar, facts[i], setups.atrs[i], cancels, fates, sent_setup, terms,
               table[run.period].tick, books, orders, events, run)  # fmt: skip
        while cursor < count and at[cursor] <= i:
            if at[cursor] < i:
                fates[cursor].reason = WARMUP if at[cursor] < terms.warmup else BUSY
            else:
                offer(
                    i, bar, setups.setups[cursor], fates[cursor], facts[i], hours,
                    setups.timed[cursor], setups.rates[cursor], setups.stale[cursor] != 0, terms,
                    rules, table, fixed, market, space.parts, space.prices, space.stops, books,
                    orders, events, run,
                )  # fmt: skip
                if fates[cursor].taken != 0:
                    sent_setup[0] = cursor
                    stock[0].is_new = 1
                    stock[0].close = bar.close
                    if terms.day_orders != 0 and bar.flat_at != NEVER_NS:
                        stock[0].flat_at = bar.flat_at
            cursor += 1
        run.live = 1 if is_at_work(books) else 0
        i += 1
    for day in range(run.day_place, day_equity.shape[0]):
        day_equity[day] = run.value
    return int(run.trades)


@inner
def sum_up(
    cash: float, trades: Any, count: int, fates: Any, setups: int, run: Any, out: Any
) -> None:
    """Write what a run came to."""
    out.equity_end = run.value
    out.net_profit = run.value - cash
    out.max_drawdown_pct = run.drawdown * 100.0
    out.trades = count
    out.open_trades = run.is_open
    out.setups = setups
    for k in range(setups):
        out.taken += fates[k].taken
        out.filled += fates[k].filled
    for k in range(count):
        trade = trades[k]
        pnl = pnl_of(trade)
        out.costs += trade.costs
        out.ambiguous += trade.ambiguous
        if pnl > 0.0:
            out.wins += 1
            out.won += pnl
        elif pnl < 0.0:
            out.lost -= pnl
        money = risk_money(trade)
        if not isnan(money):
            r = pnl / money
            out.with_r += 1
            out.sum_r += r
            out.sum_r2 += r * r


@unmanaged
def play_sets(
    clocked: Any, setups: Any, hours: Any, cancels: Any, space: Any, cash: float, terms: Any,
    rules: Any, is_stock: bool, told: Any, keeps_trades: bool,
) -> None:  # fmt: skip
    """Run every parameter set that shares these setups, hours and flat times.

    Parameters
    ----------
    clocked : Clocked. setups : Setups. space : Workspace. told : Told, written.
    hours, cancels : int8, shape (patterns, n): why an entry is refused, or withdrawn, on a bar.
    terms, rules : TERMS and RULES by set. is_stock : by Backtrader's own fill rules.
    keeps_trades : the trades of each set stay, one set's after the other's.
    """
    trades, fates, day_equity = told.trades, told.fates, told.day_equity
    first = 0
    for k in range(terms.shape[0]):
        space.books[0] = space.fresh[0]
        space.limits[0] = space.fresh_limits[0]
        space.runs[0] = space.fresh_run[0]
        space.stock[0] = space.fresh_stock[0]
        fate = fates[k if fates.shape[0] > 1 else 0]
        curve = day_equity[k if day_equity.shape[0] > 1 else 0]
        for j in range(fate.shape[0]):
            fate[j].reason = 0
            fate[j].refused = 0
            fate[j].cancel = 0
            fate[j].taken = 0
            fate[j].filled = 0
        room = trades[first:]
        count = play(
            clocked, setups, hours, cancels, space, cash, terms[k], rules[k], is_stock, room,
            fate, curve,
        )  # fmt: skip
        told.counts[k] = count
        sum_up(cash, room, count, fate, setups.at.shape[0], space.runs[0], told.summaries[k])
        if keeps_trades:
            first += count
