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
from backtests.sweep import stock_bar as stocks
from backtests.sweep.orders import (
    flatten,
    leave_opposite,
    move_stop,
    plan_legs,
    send,
    tighten,
    withdraw,
)
from backtests.sweep.quiet import is_quiet, mark_span
from backtests.sweep.records import BY_STALE, FATE_ENGINE, FATE_FLATTENED, PASSED
from backtests.sweep.trades import pnl_of, risk_money, tell
from core.bars import NEVER_NS
from core.compile import inner, unmanaged
from core.matching.bar import walk_bars
from core.matching.book import count_in
from core.matching.prices_at import open_pnl
from core.matching.records import ANOTHER_DAY, FLAT_TIME, LOCKED, REQUESTED_FLAT
from core.orders import StopRuleKind
from core.ports import BREACH_NONE
from core.prices import common_step, quantity_to_steps, steps_to_quantity
from core.setups import MARKET_SETUP
from core.sizing import margin_per_unit, size_steps
from strategies.management import refusal, rounded_target, withdrawal
from strategies.words import (
    BUSY,
    KEEP,
    OPPOSITE_CLOSE,
    SIZE_ZERO,
    SPREAD,
    TAKEN,
    WARMUP,
)

_FIXED = int(StopRuleKind.FIXED)
NO_ACT, BLOCK, TIGHTEN, FLATTEN = 0, 1, 2, 3
"""What a rule of time asks for in a bar (`risk.rules.base.Act`)."""


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
def target_of(setup: Any, tick: float, terms: Any) -> float:
    """Return a setup's target: the machine's own, else `rr` times the risk."""
    if not isnan(setup.target):
        return float(setup.target)
    return float(rounded_target(setup.entry, setup.direction, terms.rr * setup.risk, tick))


@inner
def first_refusal(
    i: int, bar: Any, setup: Any, facts: Any, hours: Any, terms: Any, books: Any, run: Any
) -> int:
    """Return why management does not take a setup, TAKEN if it does but for its size."""
    if i < terms.warmup:
        return WARMUP
    is_long = setup.direction > 0
    if (
        terms.closes_opposite != 0
        and books[0].steps * setup.direction < 0
        and run.bracket.leaving == 0
    ):
        return OPPOSITE_CLOSE
    blocked = facts.blocked_long if is_long else facts.blocked_short
    is_busy = run.bracket.at_work != 0 or books[0].steps != 0
    entries = run.entries if run.entries_day == bar.day else 0
    losses = run.losses if run.losses_day == bar.day else 0
    code = refusal(
        is_busy,
        guards.is_locked(run.guard),
        entries,
        terms.max_trades_day,
        losses,
        terms.max_losses_row,
        hours[setup.pattern, i],
        facts.special != 0,
        blocked & terms.filters,
    )
    limit = terms.max_spread_risk
    if code == TAKEN and limit > 0.0 and bar.spread > limit * setup.risk:
        return SPREAD
    return int(code)


@inner
def offer(
    i: int,
    bar: Any,
    setup: Any,
    fate: Any,
    facts: Any,
    hours: Any,
    timed: int,
    rate: float,
    is_stale: bool,
    terms: Any,
    rules: Any,
    table: Any,
    fixed: Any,
    market: Any,
    parts: Any,
    prices: Any,
    stops: Any,
    books: Any,
    orders: Any,
    events: Any,
    run: Any,
) -> None:
    """Take a setup, or note why not."""
    code = first_refusal(i, bar, setup, facts, hours, terms, books, run)
    fate.reason = code
    if code == OPPOSITE_CLOSE:
        leave_opposite(bar.day, books, orders, events, run)
        run.spread = nan
        if rules.any != 0:
            guards.on_sent(bar.end, 1, run.guard)
        return
    if code != TAKEN:
        return
    facts_now = table[run.period]
    worth = facts_now.multiplier * rate
    margin = margin_per_unit(
        fixed[run.period], facts_now.margin_rate, setup.entry, facts_now.multiplier
    )
    steps = size_steps(
        terms.risk_pct / 100.0 * run.value,
        setup.risk,
        worth,
        facts_now.lot,
        terms.max_quantity,
        run.value,
        margin * rate,
    )
    if steps <= 0:
        fate.reason = SIZE_ZERO
        return
    quantity = float(steps_to_quantity(steps, facts_now.lot))
    target = target_of(setup, facts_now.tick, terms)
    legs = plan_legs(
        setup, quantity, target, facts_now.tick, facts_now.lot, terms, parts, prices, stops
    )
    sent = 2
    for k in range(legs):
        if parts[k] > 0:
            sent += 1
    if rules.any != 0:
        code = guard_refusal(bar, setup, quantity, sent, timed, rules, market, run)
        if code != PASSED:
            fate.refused = code
            return
        guards.on_sent(bar.end, sent, run.guard)
    if is_stale:
        fate.refused = BY_STALE
        return
    steps = quantity_to_steps(quantity, run.step)
    for k in range(legs):
        parts[k] = quantity_to_steps(steps_to_quantity(parts[k], facts_now.lot), run.step)
    send(
        i, bar, setup, target, steps, legs, terms, market[0], parts, prices, stops,
        books, orders, run,
    )  # fmt: skip
    fate.taken = 1
    run.live = 1
    run.spread = nan


@inner
def guard_refusal(
    bar: Any, setup: Any, quantity: float, sent: int, timed: int, rules: Any, market: Any, run: Any
) -> int:
    """Return why the guard refuses an entry, PASSED if it does not."""
    code = guards.lock_refusal(run.guard)
    if code != PASSED:
        return int(code)
    code = guards.loss_refusal(run.value, rules, run.guard)
    if code != PASSED:
        return int(code)
    if timed != PASSED:
        return timed
    entry, limit_price = setup.entry, setup.entry
    if setup.kind == MARKET_SETUP:
        entry, limit_price = bar.close, nan
    worth = market[0].multiplier * market[0].fx
    return int(
        guards.size_refusal(
            quantity, entry, limit_price, setup.stop, int(setup.direction), bar.close, worth,
            sent, bar.end, run.value, rules, run.guard,
        )
    )  # fmt: skip


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
def is_at_work(books: Any) -> bool:
    """Say whether anything would be played on the next bar."""
    return bool(books[0].count > 0 or books[0].steps != 0)


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
def note_end(ended: int, code: int, was_filled: int, fates: Any, sent_setup: Any, run: Any) -> None:
    """Note that the entry of the setup at work filled, or why it ended without."""
    if run.bracket.filled != was_filled:
        fates[sent_setup[0]].filled = 1
    elif ended >= 0 and run.bracket.at_work != 0 and run.bracket.filled == 0:
        fates[sent_setup[0]].cancel = code
        run.bracket.at_work = 0


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
def drop_bracket(code: int, fates: Any, sent_setup: Any, run: Any) -> None:
    """Forget a setup whose entry was cancelled unfilled."""
    if run.bracket.at_work != 0 and run.bracket.filled == 0:
        fates[sent_setup[0]].cancel = code
        run.bracket.at_work = 0


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


@inner
def play(
    bars: Any,
    loud: Any,
    periods: Any,
    places: Any,
    acts: Any,
    act_reasons: Any,
    lower: Any,
    spans: Any,
    nights: Any,
    table: Any,
    fixed: Any,
    facts: Any,
    atrs: Any,
    at: Any,
    setups: Any,
    timed: Any,
    rates: Any,
    stale: Any,
    hours: Any,
    cancels: Any,
    cash: float,
    terms: Any,
    rules: Any,
    books: Any,
    orders: Any,
    limits: Any,
    trials: Any,
    events: Any,
    market: Any,
    runs: Any,
    parts: Any,
    prices: Any,
    stops: Any,
    marks: Any,
    is_stock: bool,
    stock: Any,
    trades: Any,
    fates: Any,
    day_equity: Any,
) -> int:
    """Run one parameter set over all bars; return how many trades were written."""
    run = runs[0]
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
    sent_setup = parts[len(parts) - 1 :]
    is_drilled = spans.shape[0] > 0
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
            roll(i, bar, periods, places, table, fixed, market, books, orders, events, rules,
                 limits, is_stock, stock[0], fates, sent_setup, run, trades,
                 day_equity)  # fmt: skip
            if is_stock:
                stock_step(i, bar, acts[i], act_reasons[i], rules, limits, market, stock[0],
                           books, orders, events, fates, sent_setup, run, trades)  # fmt: skip
            else:
                tola_step(i, bars, acts[i], act_reasons[i], lower, spans, nights, rules, limits,
                          trials, market, books, orders, events, marks, fates, sent_setup, run,
                          trades)  # fmt: skip
            run.spread = nan
        manage(i, bar, facts[i], atrs[i], cancels, fates, sent_setup, terms,
               table[run.period].tick, books, orders, events, run)  # fmt: skip
        while cursor < count and at[cursor] <= i:
            if at[cursor] < i:
                fates[cursor].reason = WARMUP if at[cursor] < terms.warmup else BUSY
            else:
                offer(
                    i, bar, setups[cursor], fates[cursor], facts[i], hours, timed[cursor],
                    rates[cursor], stale[cursor] != 0, terms, rules, table, fixed, market, parts,
                    prices, stops, books, orders, events, run,
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
    bars: Any,
    loud: Any,
    periods: Any,
    places: Any,
    acts: Any,
    act_reasons: Any,
    lower: Any,
    spans: Any,
    nights: Any,
    table: Any,
    fixed: Any,
    facts: Any,
    atrs: Any,
    at: Any,
    setups: Any,
    timed: Any,
    rates: Any,
    stale: Any,
    hours: Any,
    cancels: Any,
    cash: float,
    terms: Any,
    rules: Any,
    fresh: Any,
    books: Any,
    orders: Any,
    fresh_limits: Any,
    limits: Any,
    trials: Any,
    events: Any,
    market: Any,
    fresh_run: Any,
    runs: Any,
    parts: Any,
    prices: Any,
    stops: Any,
    marks: Any,
    is_stock: bool,
    fresh_stock: Any,
    stock: Any,
    trades: Any,
    counts: Any,
    keeps_trades: bool,
    fates: Any,
    day_equity: Any,
    summaries: Any,
) -> None:
    """Run every parameter set that shares these setups, hours and flat times.

    The arrays are described where they are made: `backtests.sweep.market`, `setups`, `settings`
    and `workspace`.

    Parameters
    ----------
    fresh, fresh_limits, fresh_run, fresh_stock : BOOK, LIMITS, RUN and STOCK as they are before the
        first bar. is_stock : by Backtrader's own fill rules.
    trades : room for the trades of one set, or of all with `keeps_trades`, one after the other.
    counts : written: how many trades each set made.
    fates : FATE array, shape (sets, setups), or one row that every set overwrites.
    day_equity : float64, shape (sets, days), or one row.
    """
    first = 0
    for k in range(terms.shape[0]):
        books[0] = fresh[0]
        limits[0] = fresh_limits[0]
        runs[0] = fresh_run[0]
        stock[0] = fresh_stock[0]
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
            bars, loud, periods, places, acts, act_reasons, lower, spans, nights, table, fixed,
            facts, atrs, at, setups, timed, rates, stale, hours, cancels, cash, terms[k], rules[k],
            books, orders, limits, trials, events, market, runs, parts, prices, stops,
            marks, is_stock, stock, room, fate, curve,
        )  # fmt: skip
        counts[k] = count
        sum_up(cash, room, count, fate, at.shape[0], runs[0], summaries[k])
        if keeps_trades:
            first += count
