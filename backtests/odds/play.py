"""Plays paths of trading days under account rules, compiled; the arithmetic is the guard's own."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any

import numpy as np

from backtests.odds.sample import Sample
from backtests.sweep.settings import rules_of
from core.compile import inner, record_dtype, unmanaged
from risk.arithmetic import (
    exceeds,
    falls_short,
    floor_of_day,
    floor_of_trail,
    given,
    has_fallen,
    has_won,
    least_limit,
)
from risk.settings import RiskSettings

Array = np.ndarray[Any, np.dtype[Any]]

UNFINISHED, PASSED, FAILED = 0, 1, 2

_LUCK = 1 << 20
"""Random numbers that decide which fills are missed; each path reads on from a place of its own."""
_STRIDE = 7919

OUTCOME = record_dtype(
    [
        ("state", "i8"),
        ("day", "i8"),
        ("equity", "f8"),
        ("lowest", "f8"),
        ("drawdown", "f8"),
        ("locked_days", "i8"),
        ("refused", "i8"),
        ("taken", "i8"),
    ]
)
"""What a path came to.

state : unfinished, passed (the target was met) or failed (the trailing floor was). day : trading
days until then. lowest : lowest equity, open trades included. drawdown : deepest fall from the
highest closed balance, as a share of it. locked_days : days on which the daily limit was met.
"""

TERMS = record_dtype(
    [
        ("cash", "f8"),
        ("target", "f8"),
        ("best_share", "f8"),
        ("missed", "f8"),
        ("more_costs", "f8"),
        ("more_ticks", "f8"),
        ("by_share", "i1"),
    ]
)
"""How paths are played. best_share : a passing account's best day, as a share of its profit (nan:
any). missed : share of trades whose fill is missed. more_costs, more_ticks : times its costs and
ticks a fill that each trade pays besides. by_share : a trade's money is its share of equity."""


TRADE = record_dtype(
    [(name, "f8") for name in ("pnl", "low", "high", "risk", "quantity", "costs", "tick_money")]
)
"""One trade of a sample, as `Sample` names its columns."""

PATH = record_dtype(
    [
        ("balance", "f8"),
        ("top", "f8"),
        ("trail_peak", "f8"),
        ("lock_level", "f8"),
        ("best_day", "f8"),
        ("lowest", "f8"),
        ("drawdown", "f8"),
        ("seen", "i8"),
        ("is_locked", "i1"),
    ]
)
"""A path at work. top : highest closed balance. seen : trades met so far, missed ones included.
is_locked : the last trade met the day's limit."""


@dataclass(frozen=True)
class Limits:
    """Account rules as paths are played under them, and where an account begins."""

    cash: float
    settings: RiskSettings | None = None


@dataclass(frozen=True)
class Played:
    """Paths that were played.

    outcomes : OUTCOME array, shape (p,). equity : closed balance after each trading day, shape
    (p, horizon); after the end of a path it stays; None where it was not kept.
    """

    outcomes: Array
    equity: Array | None = None


def play(
    sample: Sample,
    paths: Array,
    limits: Limits,
    *,
    order: Array | None = None,
    missed: float = 0.0,
    more_costs: float = 0.0,
    more_ticks: float = 0.0,
    keep_equity: bool = False,
    seed: int = 0,
) -> Played:
    """Play a sample's days under rules.

    Parameters
    ----------
    paths : int32 (p, horizon), places of days in the sample (`blocks.stationary_days`).
    order : int32 (p, trades); a path's n-th trade is trade order[n] instead (`blocks.shuffled`).
    missed : share of the trades left out by chance. more_costs : their costs are paid so many
        times more. more_ticks : ticks lost more at each of two fills.
    """
    settings = limits.settings
    rules = rules_of(settings, sample.symbol)
    terms = np.zeros(1, TERMS)
    record = terms[0]
    record.cash, record.missed = limits.cash, missed
    record.more_costs, record.more_ticks = more_costs, more_ticks
    record.by_share = sample.by_share
    record.target = nan if settings is None else given(settings.profit_target)
    share = None if settings is None else settings.consistency_pct
    record.best_share = nan if share is None else share / 100.0
    count, horizon = paths.shape
    outcomes = np.zeros(count, OUTCOME)
    equity = np.zeros((count if keep_equity else 0, horizon))
    luck = np.zeros(1, np.float32)
    if missed > 0.0:
        luck = np.random.default_rng(seed).random(_LUCK, np.float32)
    _play(
        sample.first, _trades(sample), sample.before, paths,
        np.zeros((0, 0), np.int32) if order is None else order, rules, terms, luck,
        np.zeros(1, PATH), outcomes, equity,
    )  # fmt: skip
    return Played(outcomes, equity if keep_equity else None)


def _trades(sample: Sample) -> Array:
    trades = np.zeros(len(sample), TRADE)
    for name in TRADE.names or ():
        trades[name] = getattr(sample, name)
    return trades


@unmanaged
def _play(
    first: Array,
    trades: Array,
    before: Array,
    paths: Array,
    order: Array,
    rules: Array,
    terms: Array,
    luck: Array,
    states: Array,
    outcomes: Array,
    equity: Array,
) -> None:
    rule, term, state = rules[0], terms[0], states[0]
    for path in range(len(paths)):
        out = outcomes[path]
        _begin(term.cash, rule, state)
        for step in range(paths.shape[1]):
            if out.state == UNFINISHED:
                day = paths[path, step]
                _play_day(
                    path, first[day], first[day + 1], trades, before, order, rule, term, luck,
                    state, out,
                )  # fmt: skip
                if out.state != UNFINISHED:
                    out.day = step + 1
            if len(equity) > 0:
                equity[path, step] = state.balance
        out.equity = state.balance
        out.lowest = state.lowest
        out.drawdown = state.drawdown


@inner
def _begin(cash: float, rule: Any, state: Any) -> None:
    """Begin a path with this money."""
    state.balance = cash
    state.top = cash
    state.trail_peak = cash
    state.lock_level = inf if isnan(rule.lock_offset) else cash + rule.lock_offset
    state.best_day = 0.0
    state.lowest = cash
    state.drawdown = 0.0
    state.seen = 0


@inner
def _play_day(
    path: int,
    begin: int,
    stop: int,
    trades: Array,
    before: Array,
    order: Array,
    rule: Any,
    term: Any,
    luck: Array,
    state: Any,
    out: Any,
) -> None:
    """Play a trading day's trades; end the path where the account passes or fails."""
    start = state.balance
    day_floor = -inf
    limit = least_limit(rule.daily_money, rule.daily_percent, start)
    if limit == limit:
        day_floor = floor_of_day(start, limit)
    entries = 0
    losses = 0
    for place in range(begin, stop):
        item = place
        if len(order) > 0:
            item = order[path, state.seen]
        state.seen += 1
        if term.missed > 0.0 and luck[(path * _STRIDE + state.seen) % len(luck)] < term.missed:
            continue
        if not isnan(rule.consistency) and has_won(start, state.balance, rule.consistency):
            break
        if 0 < rule.max_trades <= entries or 0 < rule.max_losses <= losses:
            break
        trade = trades[item]
        scale = state.balance / before[item] if term.by_share else 1.0
        if _is_refused(trade.risk * scale, trade.quantity * scale, state.balance, rule):
            out.refused += 1
            continue
        entries += 1
        money = _take(trade, scale, day_floor, rule, term, state, out)
        losses = losses + 1 if money < 0.0 else 0
        if out.state != UNFINISHED or state.is_locked:
            break
    out.taken += entries
    state.best_day = max(state.best_day, state.balance - start)
    if not rule.trail_intraday:
        state.trail_peak = max(state.trail_peak, state.balance)
    if out.state == UNFINISHED and not isnan(term.target):
        needed = term.target
        if not isnan(term.best_share):
            needed = max(needed, state.best_day / term.best_share)
        if state.balance - term.cash >= needed:
            out.state = PASSED


@inner
def _take(
    trade: Any, scale: float, day_floor: float, rule: Any, term: Any, state: Any, out: Any
) -> float:
    """Take a trade's result, or what it had at the floor it met first; return the money."""
    balance = state.balance
    paid = term.more_costs * trade.costs + 2.0 * term.more_ticks * trade.tick_money
    money: float = (trade.pnl - paid) * scale
    worst = balance + min(trade.low * scale, money)
    if rule.trail_intraday:
        state.trail_peak = max(state.trail_peak, balance + trade.high * scale)
    trail_floor = -inf
    if not isnan(rule.trail_amount):
        trail_floor = floor_of_trail(state.trail_peak, rule.trail_amount, state.lock_level)
    floor = max(day_floor, trail_floor)
    if worst <= floor:
        money = min(floor - balance, 0.0)
        worst = min(floor, balance)
    state.balance = balance + money
    state.lowest = min(state.lowest, worst)
    if state.top > 0.0:
        state.drawdown = max(state.drawdown, (state.top - worst) / state.top)
    state.top = max(state.top, state.balance)
    state.is_locked = 0
    if has_fallen(worst, trail_floor):
        out.state = FAILED
    elif worst <= day_floor:
        out.locked_days += 1
        state.is_locked = 1
    return money


@inner
def _is_refused(risk: float, quantity: float, balance: float, rule: Any) -> bool:
    """Say whether the guard would refuse a trade for its risk or its size."""
    limit = least_limit(rule.trade_money, rule.trade_percent, balance)
    if limit == limit and (isnan(risk) or exceeds(risk, limit)):
        return True
    size = quantity * rule.weight
    if not isnan(rule.min_quantity) and falls_short(size, rule.min_quantity):
        return True
    return not isnan(rule.max_quantity) and exceeds(size, rule.max_quantity)
