"""Plays paths of trading days under account rules, compiled; the arithmetic is the guard's own."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan
from typing import Any

import numpy as np

from backtests.odds.sample import Sample
from backtests.sweep.settings import rules_of
from core.compile import kernel, record_dtype
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
    no_order = np.zeros((0, 0), np.int32)
    _play(
        sample.first, sample.pnl, sample.low, sample.high, sample.risk, sample.quantity,
        sample.costs, sample.tick_money, sample.before, paths,
        no_order if order is None else order, rules, terms, luck, outcomes, equity,
    )  # fmt: skip
    return Played(outcomes, equity if keep_equity else None)


@kernel
def _play(
    first: Array,
    pnl: Array,
    low: Array,
    high: Array,
    risk: Array,
    quantity: Array,
    costs: Array,
    tick_money: Array,
    before: Array,
    paths: Array,
    order: Array,
    rules: Array,
    terms: Array,
    luck: Array,
    outcomes: Array,
    equity: Array,
) -> None:
    rule, term = rules[0], terms[0]
    horizon = paths.shape[1]
    for path in range(len(paths)):
        out = outcomes[path]
        balance = term.cash
        top = balance
        trail_peak = balance
        lock_level = inf if isnan(rule.lock_offset) else term.cash + rule.lock_offset
        best_day = 0.0
        lowest = balance
        drawdown = 0.0
        seen = 0
        state = UNFINISHED
        for step in range(horizon):
            if state != UNFINISHED:
                if len(equity) > 0:
                    equity[path, step] = balance
                continue
            day = paths[path, step]
            start = balance
            day_floor = -inf
            limit = least_limit(rule.daily_money, rule.daily_percent, start)
            if limit == limit:
                day_floor = floor_of_day(start, limit)
            entries = 0
            losses = 0
            for place in range(first[day], first[day + 1]):
                item = place
                if len(order) > 0:
                    item = order[path, seen]
                seen += 1
                if term.missed > 0.0:
                    at = (path * _STRIDE + seen) % len(luck)
                    if luck[at] < term.missed:
                        continue
                if not isnan(rule.consistency) and has_won(start, balance, rule.consistency):
                    break
                if rule.max_trades > 0 and entries >= rule.max_trades:
                    break
                if rule.max_losses > 0 and losses >= rule.max_losses:
                    break
                scale = 1.0
                if term.by_share:
                    scale = balance / before[item]
                if _is_refused(risk[item] * scale, quantity[item] * scale, balance, rule):
                    out.refused += 1
                    continue
                entries += 1
                paid = term.more_costs * costs[item] + 2.0 * term.more_ticks * tick_money[item]
                money = (pnl[item] - paid) * scale
                worst = balance + min(low[item] * scale, money)
                peak = trail_peak
                if rule.trail_intraday:
                    peak = max(peak, balance + high[item] * scale)
                    trail_peak = peak
                trail_floor = -inf
                if not isnan(rule.trail_amount):
                    trail_floor = floor_of_trail(peak, rule.trail_amount, lock_level)
                floor = max(day_floor, trail_floor)
                if worst <= floor:
                    money = min(floor - balance, 0.0)
                    worst = min(floor, balance)
                balance += money
                lowest = min(lowest, worst)
                if top > 0.0:
                    drawdown = max(drawdown, (top - worst) / top)
                top = max(top, balance)
                losses = losses + 1 if money < 0.0 else 0
                if has_fallen(worst, trail_floor):
                    state = FAILED
                    break
                if worst <= day_floor:
                    out.locked_days += 1
                    break
            out.taken += entries
            best_day = max(best_day, balance - start)
            if not rule.trail_intraday:
                trail_peak = max(trail_peak, balance)
            if state == UNFINISHED and not isnan(term.target):
                profit = balance - term.cash
                needed = term.target
                if not isnan(term.best_share):
                    needed = max(needed, best_day / term.best_share)
                if profit >= needed:
                    state = PASSED
            if state != UNFINISHED:
                out.day = step + 1
            if len(equity) > 0:
                equity[path, step] = balance
        out.state = state
        out.equity = balance
        out.lowest = lowest
        out.drawdown = drawdown


@kernel
def _is_refused(risk: float, quantity: float, balance: float, rule: Any) -> bool:
    """Say whether the guard would refuse a trade for its risk or its size."""
    limit = least_limit(rule.trade_money, rule.trade_percent, balance)
    if limit == limit and (isnan(risk) or exceeds(risk, limit)):
        return True
    size = quantity * rule.weight
    if not isnan(rule.min_quantity) and falls_short(size, rule.min_quantity):
        return True
    return not isnan(rule.max_quantity) and exceeds(size, rule.max_quantity)
