"""What a run came to: the summary object, from accounts that have run.

Keys besides those that `core/results` names. Times are ISO 8601 UTC, money is in account currency.

Of each plan, and of `totals` over all plans where marked *:

expectancy_r, expectancy_ci95, expectancy_method * : mean R, its 95 % interval [low, high], and how
    it was made.
expectancy_pnl, expectancy_pnl_ci95 : the same in money (in `totals` only with one currency).
trades_to_tell * : trades at which a mean of this size is told from zero.
power * : {alpha, power, trades, needed, detectable}: the same, and the smallest mean (R, or money
    where `verdict_on` is "money") that this many trades would tell from zero.
verdict, verdict_on * : the words, and what they judge: "r", or "money" where no trade had a stop.
funnel_text : the funnel in one line. funnel_names : its codes in plain words.
funnel_drop : the step that lost most, and why: {step: [from, to], before, after, lost_share,
    reason, settings, text}; None for a plain strategy.
buy_and_hold : {basis, quantity, notional, entry_price, exit_price, point_value, costs, net_profit,
    return_pct, max_drawdown_pct}; basis is full_notional (whole lots that the cash pays for) or
    one_lot. Its equity at a bar is cash + quantity x point_value x (close - entry_price).
trades_a_month *, longest_gap * {days, from, to}, longest_gap_days *.
longest_losing_streak * : {trades, pnl, r, from, to}, None without a loss.
ambiguous * : [{trade_id, plan_id, entry_time, exit_time, side, pnl, r_multiple, exit_reason}], the
    trades that `ambiguous_trades` counts.
news : {minutes_before, minutes_after, currencies, impact, events, known_from, known_to, inside,
    outside, not_covered}; inside and outside are {trades, net_profit, win_rate, expectancy_r,
    expectancy_ci95}; None without trades or events. In `totals` of several plans: inside, outside
    and not_covered, each plan's trades against its own market's news.
size_zero_cash_needed : {setups, priced, median, max, currency}: equity at which setups refused
    for size would have got one lot; None where none was.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backtests.engine import AccountRun, PlanRun
from backtests.results import metrics
from backtests.results.answers import (
    NewsParts,
    activity,
    ambiguous_trades,
    buy_and_hold,
    ids_before,
    news_parts,
    news_split,
    news_total,
    size_zero_figures,
)
from backtests.results.expectancy import sample_figures
from backtests.results.funnel_text import biggest_drop, funnel_line, plain_names
from core.bars import format_timeframe, parse_timeframe
from core.instruments import Instrument
from core.ledger import Trade
from core.matching.records import PRICE_SIDES
from core.results import iso_time
from core.schedule import late_days
from core.zones import NS_PER_DAY
from feeds.gaps import stray_text
from feeds.loading import read_as
from risk.settings import RiskSettings

Array = np.ndarray[Any, np.dtype[Any]]

FINER_TIMEFRAMES = ("30m", "15m", "5m", "3m", "1m")
"""What is advised where bars are too coarse for a flat time, coarsest first."""


def summarize(
    runs: Sequence[AccountRun], bands: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    """Return the summary of a run (core/results names its fields).

    Parameters
    ----------
    bands : mapping of plan_id to {"worst", "best"}
        Lowest and highest net profit of complete runs, where they were made.
    """
    plans = [
        _plan_summary(run, plan, bands.get(plan.plan_id), before)
        for run, before in zip(runs, ids_before(runs), strict=True)
        for plan in run.plans
    ]
    net: dict[str, float] = {}
    for run in runs:
        account = _account_curve(run)
        profit = float(account.equity[-1]) - account.cash_start if len(account.equity) else 0.0
        net[run.request.currency] = net.get(run.request.currency, 0.0) + profit
    summary: dict[str, Any] = {
        "mode": "backtest",
        "interrupted": any(run.interrupted for run in runs),
        "notes": [note for run in runs for note in _notes(run)],
        "accounts": [_account_summary(run) for run in runs],
        "plans": plans,
        "totals": {**_totals(runs, plans), "net_profit": net},
        "correlation": {
            run.request.name: metrics.daily_correlation(
                {plan.plan_id: plan_curve(run, plan) for plan in run.plans}
            )
            for run in runs
            if len(run.plans) > 1
        },
    }
    return {**plans[0], **summary} if len(plans) == 1 else summary


def _notes(run: AccountRun) -> list[str]:
    """Return what a reader must know before the figures."""
    notes = []
    if run.guard.is_empty:
        notes.append(
            f"account {run.request.name}: no risk rules: orders are not limited (--risk PRESET)"
        )
    for plan in run.plans:
        source, asked = plan.loaded.series.source, plan.loaded.request
        if source.get("named") and not asked.synthetic:
            notes.append(
                f"{plan.plan_id}: the file's name says {source['named']}; its bars are traded as "
                f"{asked.instrument.symbol}"
            )
        strays = stray_text(
            plan.loaded.series.bars, plan.loaded.calendar, str(source.get("zone_known", ""))
        )
        if strays and plan.loaded.series.timeframe_ns < NS_PER_DAY:
            notes.append(f"{plan.plan_id}: {strays}")
        late = late_text(plan.bars, plan.loaded.series.timeframe_ns)
        if late:
            notes.append(f"{plan.plan_id}: {late}")
        small = size_zero_text(size_zero_figures(plan.strategy, run.request.currency))
        if small:
            notes.append(f"{plan.plan_id}: {small}")
        unsure = unconfirmed_text(asked.instrument, plan.bars["day"])
        if unsure:
            notes.append(f"{plan.plan_id}: {unsure}")
        wrong = run.guard.wrong_stops[plan.plan_id]
        if wrong:
            entries = "entry was" if wrong == 1 else "entries were"
            notes.append(
                f"{plan.plan_id}: {wrong} {entries} sent with a stop on the wrong side (a buy's "
                "lies below its entry, a sell's above); a rule trade_risk (--risk gold_bot) "
                "refuses that"
            )
    return notes


def unconfirmed_text(instrument: Instrument, days: Array) -> str:
    """Say which facts of these days no primary source was seen for; "" if none."""
    names = {name for day in np.unique(days) for name in instrument.facts(int(day)).unconfirmed}
    if not names:
        return ""
    listed = ", ".join(sorted(name.replace("_", " ") for name in names))
    return (
        f"no primary source was seen for {instrument.symbol}'s {listed}: compare with your "
        "broker's (--instrument-set NAME=VALUE)"
    )


def size_zero_text(figures: Mapping[str, Any] | None) -> str:
    """Say what equity the setups refused for size would have needed; "" if none was."""
    if figures is None:
        return ""
    count, currency = figures["setups"], figures["currency"]
    text = f"{count} setup{'s' if count > 1 else ''} allowed less than one lot"
    if not figures["priced"]:
        return f"{text}: max_quantity is below it"
    if figures["priced"] == 1:
        return f"{text}: it takes {figures['max']:,.0f} {currency} of equity at this risk_pct"
    return (
        f"{text}: one lot takes {figures['median']:,.0f} {currency} of equity at this risk_pct "
        f"(median; the dearest {figures['max']:,.0f})"
    )


def late_text(bars: Array, timeframe_ns: int) -> str:
    """Say on how many days no bar begins from the flat time on, and what follows; "" if on none."""
    late = late_days(bars)
    if not len(late):
        return ""
    name = format_timeframe(timeframe_ns)
    text = (
        f"on {len(late)} of {len(np.unique(bars['day']))} days no {name} bar begins between the "
        "flat time and the close: what is open then leaves at the next trading day's first open"
    )
    left = late["close_at"] - late["flat_at"]
    if (left >= timeframe_ns).all():
        return f"{text} (the data lack those bars)"
    shortest = int(left.min())
    finer = [step for step in FINER_TIMEFRAMES if parse_timeframe(step) <= shortest]
    return f"{text}; --timeframe {finer[0]} has such a bar each day" if finer else text


def _account_curve(run: AccountRun) -> metrics.Curve:
    end, equity = run.broker.equity_curve
    day = _account_days(run, end)
    traded = day >= 0  # before, only further series had bars
    return metrics.Curve(run.request.cash, end[traded], equity[traded], day[traded])


def _account_days(run: AccountRun, end: Array) -> Array:
    """Return the account's trading day at each mark: the latest of its plans', -1 before any."""
    latest = np.full(len(end), -1, np.int64)
    for plan in run.plans:
        ends, days = (np.ascontiguousarray(plan.loaded.series.bars[key]) for key in ("end", "day"))
        rows = np.searchsorted(ends, end, "right") - 1
        np.maximum(latest, np.where(rows < 0, -1, days[rows]), out=latest)
    return np.maximum.accumulate(latest)


def plan_curve(run: AccountRun, plan: PlanRun) -> metrics.Curve:
    """Return a plan's own equity: the account's if it is alone, else made of its fills.

    In company (of other plans, or of hands in a session) a plan starts with the whole cash; its
    positions are marked at each close. What is no fill's (swap, a changed exchange rate) is booked
    when its trade closes.
    """
    fills = run.broker.ledger.fills
    if len(run.plans) == 1 and all(fill.plan_id == plan.plan_id for fill in fills):
        return _account_curve(run)
    bars, asked = plan.bars, plan.loaded.request
    fills = [fill for fill in run.broker.ledger.fills if fill.plan_id == plan.plan_id]
    value = np.array(
        [asked.instrument.facts(int(day)).multiplier for day in np.unique(bars["day"])]
    )[np.unique(bars["day"], return_inverse=True)[1]] * asked.fx.at(int(bars["end"][-1]))
    start, end = np.ascontiguousarray(bars["start"]), np.ascontiguousarray(bars["end"])
    flow, size = np.zeros(len(bars)), np.zeros(len(bars))
    booked: dict[int, float] = {}
    for fill in fills:
        i = int(np.searchsorted(start, fill.bar_start))
        signed = fill.quantity if fill.side == "buy" else -fill.quantity
        money = -signed * fill.price * value[i] - fill.costs
        flow[i] += money
        size[i] += signed
        booked[fill.trade_id] = booked.get(fill.trade_id, 0.0) + money
    for trade in run.broker.ledger.trades:
        if trade.plan_id == plan.plan_id:
            i = int(np.searchsorted(start, trade.exit_bar))
            flow[i] += trade.pnl - booked[trade.trade_id]
    held = np.cumsum(size)
    equity = run.request.cash + np.cumsum(flow) + held * _leaves_at(run, plan, held) * value
    return metrics.Curve(run.request.cash, end, equity, np.asarray(bars["day"]))


def _leaves_at(run: AccountRun, plan: PlanRun, held: Array) -> Array:
    """Return what a position would be left at at each close: on its own side of the spread."""
    bars = plan.bars
    if not getattr(run.broker, "follows_path", False):
        return np.array(bars["close"])
    buy_share, sell_share = PRICE_SIDES[plan.loaded.request.instrument.price_side]
    leaves: Array = bars["close"] + np.where(held < 0, buy_share, -sell_share) * bars["spread"]
    return leaves


def _account_summary(run: AccountRun) -> dict[str, Any]:
    curve = _account_curve(run)
    figures = metrics.curve_figures(curve)
    limits = run.guard.describe()
    return {
        "account": run.request.name,
        "currency": run.request.currency,
        "cash_start": run.request.cash,
        **figures,
        "plans": [plan.plan_id for plan in run.plans],
        "rules": limits,
        "refused": dict(run.guard.refused),
        "locks": [vars_of(event) for event in run.guard.events if event.action == "locked"],
        **_headroom(run),
    }


def vars_of(record: Any) -> dict[str, Any]:
    """Return a slotted record's fields, times as ISO 8601."""
    values = {name: getattr(record, name) for name in record.__slots__}
    return {**values, "ts": iso_time(values["ts"])} if "ts" in values else values


def _headroom(run: AccountRun) -> dict[str, Any]:
    """Return the daily limit with the day nearest to it, and the nearest approach to a floor."""
    analysis = run.plans[0].strategy.analyzers.daily_loss.get_analysis()
    nearest = analysis["nearest"] or {}
    floors = [
        floor_headroom(limits, run.request.cash, analysis["days"]) for limits in run.request.limits
    ]
    return {
        "daily_limit": nearest.get("limit"),
        "daily_headroom": nearest.get("headroom"),
        "nearest_day": nearest.get("day"),
        "floor_headroom": min((room for room in floors if room is not None), default=None),
    }


def floor_headroom(
    limits: RiskSettings, cash: float, days: Sequence[Mapping[str, Any]]
) -> float | None:
    """Return how near equity came to a floor that trails the end-of-day balance.

    Each day's floor is set by the best start of a day so far, where the account is flat; None
    without such a rule (an intraday floor moves inside the bars and is the guard's to report).
    """
    amount = limits.trailing_drawdown
    if amount is None or limits.trailing_mode != "end_of_day" or not days:
        return None
    offset = limits.trailing_lock_offset
    lock = np.inf if offset is None else cash + offset
    starts = np.maximum.accumulate([max(cash, day["start_equity"]) for day in days])
    lows = np.array([day["low_equity"] for day in days])
    return float(np.min(lows - np.minimum(starts - amount, lock)))


def _plan_summary(
    run: AccountRun, plan: PlanRun, band: Mapping[str, float] | None, before: int
) -> dict[str, Any]:
    """Return a plan's figures; `before` is what trades.csv adds to the account's trade ids."""
    ledger, bars = run.broker.ledger, plan.bars
    trades = [trade for trade in ledger.trades if trade.plan_id == plan.plan_id]
    pnl, r_multiples = _pnl_and_r(trades)
    first, last = _span(plan)
    return {
        **_identity(run, plan),
        "bars": len(bars),
        "first": iso_time(first),
        "last": iso_time(last),
        "cash_start": run.request.cash,
        **metrics.curve_figures(plan_curve(run, plan)),
        **metrics.trade_figures(pnl, r_multiples),
        "gross_profit": float(pnl[pnl > 0].sum() + sum(t.costs for t in trades if t.pnl > 0)),
        "costs": dict(ledger.plan_costs.get(plan.plan_id, {})),
        "ambiguous_trades": sum(trade.ambiguous for trade in trades),
        "ambiguous": ambiguous_trades(trades, before),
        **activity(trades, first, last),
        "buy_and_hold": buy_and_hold(run, plan),
        "news": news_split(_news_parts(run, plan)),
        "band": None if band is None else dict(band),
        "open_positions": [
            row for row in run.broker.open_positions() if row["plan_id"] == plan.plan_id
        ],
        **_funnel(plan, _refused(run, plan)),
        "size_zero_cash_needed": size_zero_figures(plan.strategy, run.request.currency),
        "risk": _risk(run, plan),
    }


def _pnl_and_r(trades: Sequence[Trade]) -> tuple[Array, Array]:
    """Return the money of all trades, and the R of those that had a stop."""
    measured = [trade.r_multiple for trade in trades if trade.r_multiple is not None]
    return np.array([trade.pnl for trade in trades]), np.array(measured)


def _span(plan: PlanRun) -> tuple[int, int]:
    """Return START of a plan's first bar and END of its last, ns UTC."""
    bars = plan.bars
    return (int(bars["start"][0]), int(bars["end"][-1])) if len(bars) else (0, 0)


def _funnel(plan: PlanRun, refused: Mapping[str, int]) -> dict[str, Any]:
    """Return the funnel as counts, as a line, and its biggest drop."""
    funnel = getattr(plan.strategy, "funnel", {})
    rows = getattr(plan.strategy, "setups_log", ())
    reasons = Counter(row.reason for row in rows if row.reason)
    cancels = Counter(row.cancel for row in rows if row.cancel)
    return {
        "funnel": funnel,
        "funnel_text": funnel_line(funnel, refused),
        "funnel_names": plain_names(funnel),
        "funnel_drop": biggest_drop(funnel, plan.loaded.request.params, reasons, cancels),
        "refused": dict(refused),
    }


def _news_parts(run: AccountRun, plan: PlanRun) -> NewsParts | None:
    trades = [trade for trade in run.broker.ledger.trades if trade.plan_id == plan.plan_id]
    return news_parts(trades, plan.loaded.request.instrument, run.request.limits)


_SAMPLE_KEYS = tuple(sample_figures(np.zeros(0), np.zeros(0)))


def _sample_of(plan: Mapping[str, Any]) -> dict[str, Any]:
    """Return a plan's own sample figures: those of the whole where it is alone."""
    return {key: plan[key] for key in _SAMPLE_KEYS}


def _totals(runs: Sequence[AccountRun], plans: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return what all plans' trades show together; R has no currency, money only where one has."""
    trades = [trade for run in runs for trade in run.broker.ledger.trades]
    spans = [_span(plan) for run in runs for plan in run.plans if len(plan.bars)]
    first = min((begin for begin, _ in spans), default=0)
    last = max((end for _, end in spans), default=0)
    pnl, r_multiples = _pnl_and_r(trades)
    figures = sample_figures(pnl, r_multiples) if len(plans) > 1 else _sample_of(plans[0])
    habits = activity(trades, first, last)
    if len({run.request.currency for run in runs}) > 1:
        figures |= {"expectancy_pnl": None, "expectancy_pnl_ci95": None}
        if habits["longest_losing_streak"]:
            habits["longest_losing_streak"]["pnl"] = None
        if figures["verdict_on"] == "money":
            figures |= {"verdict": "no verdict over several currencies", "trades_to_tell": None}
    return {
        "trades": len(trades),
        "win_rate": metrics.win_rate(pnl),
        **figures,
        **habits,
        "ambiguous_trades": sum(plan["ambiguous_trades"] for plan in plans),
        "ambiguous": [row for plan in plans for row in plan["ambiguous"]],
        "news": _news_total(runs, plans),
    }


def _news_total(
    runs: Sequence[AccountRun], plans: Sequence[Mapping[str, Any]]
) -> dict[str, Any] | None:
    if len(plans) == 1:
        alone: dict[str, Any] | None = plans[0]["news"]
        return alone
    parts = [_news_parts(run, plan) for run in runs for plan in run.plans]
    return news_total(parts, len({run.request.currency for run in runs}) == 1)


def _identity(run: AccountRun, plan: PlanRun) -> dict[str, Any]:
    asked, series = plan.loaded.request, plan.loaded.series
    source = series.source
    return {
        "plan_id": plan.plan_id,
        "account": run.request.name,
        "currency": run.request.currency,
        "strategy": asked.plan.strategy,
        "instrument": asked.instrument.symbol,
        "timeframe": format_timeframe(series.timeframe_ns),
        "zone": plan.loaded.calendar.zone.name,
        "synthetic": asked.synthetic or bool(source.get("synthetic")),
        "proxy_for": source.get("proxy_for") or asked.instrument.proxy_for,
        "params": plain_params(asked.params),
        "data_sha256": source.get("sha256"),
        "data_read": "" if asked.synthetic else data_text(source),
        "flat": plan.loaded.schedule.header(),
    }


def data_text(source: Mapping[str, Any]) -> str:
    """Return the run's file and how it was read; nothing where bars came from no file."""
    if "zone_known" not in source:
        return ""
    more = len(source.get("files", ())) - 1
    others = f" and {more} more" if more > 0 else ""
    return f"{Path(str(source.get('path', ''))).name}{others}: {read_as(source)}"


def plain_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters a user can set (not the objects the runner hands over)."""
    return {
        name: value for name, value in params.items() if name not in ("instrument", "fx", "plan_id")
    }


def _refused(run: AccountRun, plan: PlanRun) -> dict[str, int]:
    counts: dict[str, int] = {}
    for event in run.guard.events:
        if event.action == "refused" and event.plan_id == plan.plan_id:
            counts[event.rule] = counts.get(event.rule, 0) + 1
    return counts


def _risk(run: AccountRun, plan: PlanRun) -> dict[str, Any]:
    """Return what the analyzers found, without the rows that stand in tables of their own."""
    analyzers = plan.strategy.analyzers
    daily, trade = analyzers.daily_loss.get_analysis(), analyzers.trade_risk.get_analysis()
    return {
        "daily_loss": {key: value for key, value in daily.items() if key != "days"},
        "trade_risk": {key: value for key, value in trade.items() if key != "trades"},
    }
