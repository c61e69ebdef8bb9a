"""Answers a trader asks of a finished run besides its profit: against holding, when, how often.

Each function takes closed trades (`core.ledger.Trade`) or an account's run and returns plain
data for summary.json; the text is made elsewhere.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backtests.engine import AccountRun, PlanRun
from backtests.results import metrics
from backtests.results.expectancy import mean_interval
from core.costs import charge
from core.instruments import Instrument
from core.ledger import Trade
from core.matching.records import PRICE_SIDES
from core.prices import quantity_to_steps, steps_to_quantity
from core.results import iso_time
from core.zones import NS_PER_DAY, NS_PER_MINUTE
from risk.news import NewsEvent, events_of
from risk.settings import RiskSettings

Array = np.ndarray[Any, np.dtype[Any]]

DAYS_A_MONTH = 30.436875
NEWS_MINUTES = 30
"""Minutes before and after an event that count as news, unless the account's rule names others."""


def activity(trades: Sequence[Trade], first: int, last: int) -> dict[str, Any]:
    """Return how often a plan traded and its longest pause and losing streak.

    Parameters
    ----------
    trades : closed trades.
    first, last : ns UTC, ends of the data; they bound the pauses.
    """
    months = (last - first) / NS_PER_DAY / DAYS_A_MONTH
    gap = longest_gap([trade.entry_time for trade in trades], first, last)
    return {
        "trades_a_month": len(trades) / months if months > 0 else None,
        "longest_gap": gap,
        "longest_gap_days": gap["days"],
        "longest_losing_streak": longest_losing_streak(trades),
    }


def longest_gap(entry_times: Iterable[int], first: int, last: int) -> dict[str, Any]:
    """Return the longest time without an entry; the ends of the data count as entries."""
    marks = np.array([first, *sorted(entry_times), last], np.int64)
    at = int(np.argmax(np.diff(marks)))
    begin, end = int(marks[at]), int(marks[at + 1])
    return {"days": (end - begin) / NS_PER_DAY, "from": iso_time(begin), "to": iso_time(end)}


def longest_losing_streak(trades: Sequence[Trade]) -> dict[str, Any] | None:
    """Return the longest run of losing trades, in the order they closed; None without a loss."""
    best: list[Trade] = []
    run: list[Trade] = []
    for trade in sorted(trades, key=lambda trade: (trade.exit_time, trade.trade_id)):
        run = [*run, trade] if trade.pnl < 0.0 else []
        best = run if len(run) > len(best) else best
    if not best:
        return None
    measured = [trade.r_multiple for trade in best if trade.r_multiple is not None]
    return {
        "trades": len(best),
        "pnl": sum(trade.pnl for trade in best),
        "r": sum(measured) if measured else None,
        "from": iso_time(best[0].entry_time),
        "to": iso_time(best[-1].exit_time),
    }


def ambiguous_trades(trades: Iterable[Trade], before: int = 0) -> list[dict[str, Any]]:
    """Return the trades that the order of extremes inside a bar changed, as trades.csv names them.

    before : what trades.csv adds to this account's trade ids.
    """
    return [
        {
            "trade_id": trade.trade_id + before,
            "plan_id": trade.plan_id,
            "entry_time": iso_time(trade.entry_time),
            "exit_time": iso_time(trade.exit_time),
            "side": trade.side,
            "pnl": trade.pnl,
            "r_multiple": trade.r_multiple,
            "exit_reason": trade.exit_reason,
        }
        for trade in trades
        if trade.ambiguous
    ]


def ids_before(runs: Iterable[AccountRun]) -> list[int]:
    """Return what is added to each account's trade ids, so that they go on through all accounts."""
    before, added = 0, []
    for run in runs:
        added.append(before)
        before += max((fill.trade_id for fill in run.broker.ledger.fills), default=0)
    return added


def buy_and_hold(run: AccountRun, plan: PlanRun) -> dict[str, Any] | None:
    """Return what holding the plan's instrument over the same bars came to.

    As many whole lots as the plan's cash pays for without leverage, bought at the first open and
    marked at the last close less what leaving costs; one lot where the cash pays for none.
    Commission and charges of both fills and the spread count; swap, rollover and dividends do not.
    """
    bars, asked = plan.bars, plan.loaded.request
    if not len(bars):
        return None
    facts, last_facts = (asked.instrument.facts(int(bars["day"][at])) for at in (0, -1))
    rate, last_rate = (float(asked.fx.at(int(bars["end"][at]))) for at in (0, -1))
    follows = getattr(run.broker, "follows_path", False)
    buys, sells = PRICE_SIDES[asked.instrument.price_side] if follows else (0.0, 0.0)
    entry = float(bars["open"][0] + buys * bars["spread"][0])
    worth = facts.multiplier * rate
    lots = quantity_to_steps(run.request.cash / (entry * worth), facts.lot)
    quantity = float(steps_to_quantity(max(lots, 1), facts.lot))
    leaves = bars["close"] - sells * bars["spread"]
    paid = charge(facts.cost[0], True, quantity, entry, facts.multiplier) * rate
    left = charge(last_facts.cost[0], False, quantity, float(leaves[-1]), facts.multiplier)
    rates = np.full(len(bars), rate)
    if last_rate != rate:
        rates = np.array([asked.fx.at(int(end)) for end in bars["end"].tolist()])
    equity = run.request.cash - paid + quantity * facts.multiplier * rates * (leaves - entry)
    equity[-1] -= left * last_rate
    profit = float(equity[-1]) - run.request.cash
    return {
        "basis": "full_notional" if lots else "one_lot",
        "quantity": quantity,
        "notional": quantity * entry * worth,
        "entry_price": entry,
        "exit_price": float(leaves[-1]),
        "point_value": worth,
        "costs": float(paid + left * last_rate),
        "net_profit": profit,
        "return_pct": 100.0 * profit / run.request.cash,
        "max_drawdown_pct": metrics.max_drawdown_pct(run.request.cash, equity),
    }


@dataclass(frozen=True)
class NewsParts:
    """Trades that were open around scheduled news, and the others.

    before, after : minutes around an event. events : those that counted, oldest first.
    not_covered : trades outside the span of the events known, in neither part.
    """

    before: int
    after: int
    events: list[NewsEvent]
    impact: str
    inside: list[Trade]
    outside: list[Trade]
    not_covered: list[Trade]


def news_parts(
    trades: Sequence[Trade], instrument: Instrument, limits: Sequence[RiskSettings]
) -> NewsParts | None:
    """Part trades by whether they were open around scheduled news; None without trades or events.

    A trade is inside if any of its life, as its bars tell it, lies in the minutes around an event.

    Parameters
    ----------
    instrument : whose currencies' events count.
    limits : the account's; a rule about news names its own minutes, currencies and file.
    """
    rule = next((limit for limit in limits if limit.news is not None), None)
    events = sorted(events_of(rule, instrument.currencies), key=lambda event: event.ts)
    if not trades or not events:
        return None
    before = after = NEWS_MINUTES
    if rule is not None:
        before, after = rule.news_minutes_before, rule.news_minutes_after
    times = sorted({event.ts for event in events})
    parts: dict[str, list[Trade]] = {"inside": [], "outside": [], "not_covered": []}
    for trade in trades:
        parts[_part(trade, times, before * NS_PER_MINUTE, after * NS_PER_MINUTE)].append(trade)
    impact = "high" if rule is None else rule.news_impact
    return NewsParts(before, after, events, impact, **parts)


def news_split(parts: NewsParts | None) -> dict[str, Any] | None:
    """Return the results inside and outside news as plain data; None without parts."""
    if parts is None:
        return None
    return {
        "minutes_before": parts.before,
        "minutes_after": parts.after,
        "currencies": sorted({event.currency for event in parts.events}),
        "impact": parts.impact,
        "events": len({event.ts for event in parts.events}),
        "known_from": iso_time(parts.events[0].ts),
        "known_to": iso_time(parts.events[-1].ts),
        "inside": part_figures(parts.inside),
        "outside": part_figures(parts.outside),
        "not_covered": len(parts.not_covered),
    }


def news_total(plans: Iterable[NewsParts | None], one_currency: bool) -> dict[str, Any] | None:
    """Return the results of several plans inside and outside the news of each one's own market.

    one_currency : their money may be added up; else `net_profit` is None.
    """
    known = [parts for parts in plans if parts is not None]
    if not known:
        return None
    inside = part_figures([trade for parts in known for trade in parts.inside])
    outside = part_figures([trade for parts in known for trade in parts.outside])
    if not one_currency:
        inside["net_profit"] = outside["net_profit"] = None
    return {
        "inside": inside,
        "outside": outside,
        "not_covered": sum(len(parts.not_covered) for parts in known),
    }


def _part(trade: Trade, times: Sequence[int], before_ns: int, after_ns: int) -> str:
    if trade.exit_time < times[0] - before_ns or trade.entry_time > times[-1] + after_ns:
        return "not_covered"
    at = bisect_left(times, trade.entry_time - after_ns)
    is_inside = at < len(times) and times[at] - before_ns <= trade.exit_time
    return "inside" if is_inside else "outside"


def part_figures(trades: Sequence[Trade]) -> dict[str, Any]:
    """Return the few figures that compare a part of the trades with the rest."""
    pnl = np.array([trade.pnl for trade in trades])
    measured = np.array([t.r_multiple for t in trades if t.r_multiple is not None])
    interval = mean_interval(measured)
    return {
        "trades": len(trades),
        "net_profit": float(pnl.sum()),
        "win_rate": metrics.win_rate(pnl),
        "expectancy_r": float(np.mean(measured)) if len(measured) else None,
        "expectancy_ci95": None if interval is None else list(interval),
    }


def size_zero_figures(strategy: Any, currency: str) -> dict[str, Any] | None:
    """Return the equity that setups refused for size would have needed for one lot.

    None where no setup was refused so. `priced` of `setups` have a figure: where the largest
    quantity allowed is below a lot, no cash helps.
    """
    asked: list[float | None] = getattr(strategy, "size_zero_cash", [])
    if not asked:
        return None
    known = [value for value in asked if value is not None]
    return {
        "setups": len(asked),
        "priced": len(known),
        "median": float(np.median(known)) if known else None,
        "max": max(known, default=None),
        "currency": currency,
    }
