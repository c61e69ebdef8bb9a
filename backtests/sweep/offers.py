"""Setups offered at a close: why one is not taken, else its size, its legs and its orders."""

from __future__ import annotations

from math import isnan, nan
from typing import Any

from backtests.sweep import guard as guards
from backtests.sweep.orders import leave_opposite, plan_legs, send
from backtests.sweep.records import BY_STALE, PASSED
from core.compile import inner
from core.prices import quantity_to_steps, steps_to_quantity
from core.setups import MARKET_SETUP
from core.sizing import margin_per_unit, size_steps
from strategies.management import refusal, rounded_target
from strategies.words import OPPOSITE_CLOSE, SIZE_ZERO, SPREAD, TAKEN, WARMUP


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
