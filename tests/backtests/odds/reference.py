"""One path played by the guard's own rule classes, in plain Python."""

from __future__ import annotations

from types import SimpleNamespace

from risk.rules import Consistency, DailyLoss, TrailingDrawdown


def walk(days, cash, settings):
    """Play days of trades (pnl, low, high); return (state, day, balance).

    State is "passed", "failed" or "unfinished".
    """
    context = SimpleNamespace(
        start_balance=cash, start_equity=cash, equity=cash,
        day_start_equity=cash, day_start_balance=cash,
    )  # fmt: skip
    daily = DailyLoss.from_settings(settings)
    trail = TrailingDrawdown.from_settings(settings)
    largest = Consistency.from_settings(settings)
    if trail is not None:
        trail.start(context)
    best_day = 0.0
    for number, trades in enumerate(days, start=1):
        context.day_start_equity = context.day_start_balance = context.equity
        if trail is not None:
            trail.on_day(context)
        for pnl, low, high in trades:
            if largest is not None and largest.check(None, context) is not None:
                break
            before = context.equity
            floors = [-float("inf")]
            if daily is not None:
                floors.append(daily.floor(context))
            if trail is not None:
                if trail.is_intraday:
                    trail.peak = max(trail.peak, before + max(high, pnl))
                floors.append(trail.floor())
            met = before + min(low, pnl) <= max(floors)
            context.equity = min(max(floors), before) if met else before + pnl
            context.low = context.equity if met else before + min(low, pnl)
            if trail is not None and context.low <= trail.floor():
                return "failed", number, context.equity
            if met:
                break
        best_day = max(best_day, context.equity - context.day_start_equity)
        if settings.profit_target is not None:
            profit = context.equity - cash
            share = settings.consistency_pct
            if profit >= settings.profit_target and (
                share is None or best_day <= share / 100.0 * profit
            ):
                return "passed", number, context.equity
    return "unfinished", 0, context.equity
