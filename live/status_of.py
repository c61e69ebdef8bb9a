"""A session's state as its status document."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from core.bars import format_timeframe
from core.calendar import day_date
from core.matching.prices_at import side_price
from core.orders import Role
from core.results import iso_time
from feeds.live import Difference, Hole
from live import monitor
from live.monitor import Status

_SECOND_NS = 1_000_000_000


def status_of(session: Any) -> Status:
    """Return how a session stands."""
    built = session.built
    broker, guard, engine = built.broker, built.guard, built.engine
    account = built.request
    return Status(
        mode=session.facts.mode,
        venue=built.port.capabilities.venue,
        account=session.folder.name,
        state=_state(session),
        currency=account.currency,
        started=session.started,
        market_time=engine.now,
        zone=built.plans[0].loaded.calendar.zone.name,
        equity=broker.getvalue(),
        balance=broker.balance,
        open_risk=_open_risk(broker),
        day=_day(guard, broker),
        plans=tuple(_plan(built, run) for run in built.plans),
        positions=tuple(_position(broker, plan) for plan in broker.plans if plan.position_steps),
        orders=tuple(_order(engine, ticket) for ticket in broker.tickets()),
        feeds=tuple(_feed(broker, engine, slot) for slot in engine.slots),
        last_signal=_last_signal(built),
        limits=tuple(
            monitor.LimitStatus(item.rule, item.used, item.limit, item.unit)
            for item in guard.headroom()
        ),
        blocks=tuple(_blocks(guard, broker)),
        requests=tuple(
            monitor.RequestStatus(item.window.name, item.used, item.window.count)
            for item in built.port.usage()
        ),
        counts=_counts(session),
        exit_reason=engine.exit_reason,
    )


def _state(session: Any) -> monitor.SessionState:
    blocks = session.built.guard.blocks
    told = monitor.SessionState(session.state)
    if told is not monitor.SessionState.LIVE:
        return told
    if session.built.guard.locked:
        return monitor.SessionState.LOCKED
    if "paused" in blocks:
        return monitor.SessionState.PAUSED
    if {slot.feed.state.value for slot in session.built.engine.slots} == {"live"}:
        return monitor.SessionState.LIVE
    return monitor.SessionState.GAP if session.was_live else monitor.SessionState.WARMING_UP


def _day(guard: Any, broker: Any) -> monitor.DayStatus:
    context, equity = guard.context, float(broker.getvalue())
    if context.day < 0:
        return monitor.DayStatus()
    floor = float(guard.limits[0].day_floor)
    start = float(context.day_start_equity)
    has_limit = floor > float("-inf")
    locks = [lock.rule for lock in context.locks.values()]
    return monitor.DayStatus(
        equity - start,
        start,
        start - floor if has_limit else None,
        max(equity - floor, 0.0) if has_limit else None,
        locks[0] if locks else "",
        day_date(context.day).isoformat(),
    )


def _open_risk(broker: Any) -> float | None:
    """Return the money lost if all that is open and may open were stopped out; None: no stop."""
    total = 0.0
    for plan in broker.plans:
        tickets = [ticket for ticket in broker.tickets() if ticket.plan is plan]
        stops = [float(ticket.order.created.price) for ticket in tickets if ticket.is_stop]
        if plan.position_steps and not stops:
            return None
        if plan.position_steps:
            sign = 1 if plan.position_steps > 0 else -1
            lost = sign * (float(plan.book.state.average) - stops[0])
            total += max(lost, 0.0) * abs(plan.size(plan.position_steps)) * plan.point_value
        for ticket in tickets:
            if ticket.is_entry and ticket.remaining:
                request = ticket.request
                if request.planned_stop is None or request.planned_entry is None:
                    return None
                lost = abs(request.planned_entry - request.planned_stop)
                total += lost * plan.size(abs(ticket.remaining)) * plan.point_value
    return total


def _blocks(guard: Any, broker: Any) -> Iterator[monitor.BlockStatus]:
    for plan_id in ("", *(plan.plan_id for plan in broker.plans)):
        for rule, detail in guard.blocks_of(plan_id).items():
            yield monitor.BlockStatus(rule, detail, plan_id)


def _plan(built: Any, run: Any) -> monitor.PlanStatus:
    plan_id = run.plan_id
    today = built.guard.context.day
    calendar = run.loaded.calendar
    trades = [trade for trade in built.broker.ledger.trades if trade.plan_id == plan_id]
    pnl = 0.0
    for trade in reversed(trades):
        if int(calendar.trading_days(_one(trade.exit_time))[0]) != today:
            break
        pnl += trade.pnl
    is_paused = "paused" in {**built.guard.blocks, **built.guard.blocks_of(plan_id)}
    return monitor.PlanStatus(
        plan_id,
        run.loaded.request.plan.strategy,
        run.loaded.request.instrument.symbol,
        format_timeframe(run.loaded.series.timeframe_ns),
        monitor.SessionState.PAUSED if is_paused else monitor.SessionState.LIVE,
        trades=len(trades),
        day_pnl=pnl,
    )


def _one(ns: int) -> Any:
    import numpy as np

    return np.array([ns], np.int64)


def _position(broker: Any, plan: Any) -> monitor.PositionStatus:
    stop = target = None
    for ticket in broker.tickets():
        if ticket.plan is plan and ticket.child is not None and not ticket.is_held:
            price = float(ticket.order.created.price)
            if ticket.child.role is Role.STOP:
                stop = price
            elif target is None:
                target = price
    state = plan.book.state
    trade = broker.ledger.open.get((plan.plan_id, plan.symbol))
    risk = 0.0
    if trade is not None and trade.planned.stop is not None and trade.planned.entry is not None:
        risk = abs(trade.planned.entry - trade.planned.stop) * trade.open_quantity
        risk *= trade.point_value
    since = plan.unprotected_since
    after = [ns for plan_id, ns in broker.protected_after if plan_id == plan.plan_id]
    waited = broker.now - since if since is not None else (after[-1] if after else 0)
    return monitor.PositionStatus(
        plan.plan_id,
        plan.symbol,
        "long" if plan.position_steps > 0 else "short",
        abs(plan.size(plan.position_steps)),
        float(state.average),
        float(plan.last_price),
        plan.open_pnl,
        stop,
        target,
        plan.needs_stop and since is None,
        waited / _SECOND_NS,
        plan.open_pnl / risk if risk else None,
    )


def _order(engine: Any, ticket: Any) -> monitor.OrderStatus:
    order = ticket.order
    price = order.created.price
    return monitor.OrderStatus(
        ticket.order_id,
        ticket.plan.plan_id,
        ticket.plan.symbol,
        "buy" if order.isbuy() else "sell",
        order.getordername().lower(),
        abs(float(order.created.size)),
        "held" if ticket.is_held else ("working" if ticket.is_accepted else "sent"),
        ticket.venue_order_id,
        abs(float(order.executed.size)),
        None if price is None else float(price),
    )


def _feed(broker: Any, engine: Any, slot: Any) -> monitor.FeedStatus:
    feed = slot.feed
    plan = next((item for item in broker.plans if item.data is slot.data), None)
    bid, ask = (None if plan is None else _side(plan, side) for side in (-1, 1))
    price = feed.last_price
    seen = feed.last_tick
    return monitor.FeedStatus(
        feed.symbol,
        format_timeframe(feed.timeframe_ns),
        feed.state.value,
        None if price != price else price,
        seen or None,
        (engine.now - seen) / _SECOND_NS if seen else None,
        len(slot.data),
        feed.left_out,
        feed.differing,
        bid,
        ask,
        feed.hole_count,
        _hole(feed.holes[-1]) if feed.holes else "",
        _difference(feed.differences[-1]) if feed.differences else "",
        feed.is_whole,
    )


def _hole(hole: Hole) -> str:
    return f"{iso_time(hole.start)} to {iso_time(hole.end)}: {hole.why}"


def _difference(difference: Difference) -> str:
    return f"{iso_time(difference.start)}: {difference.text}"


def _side(plan: Any, side: int) -> float | None:
    """Return what a sell (-1) gets, or a buy (1) pays, at the last price."""
    price = float(plan.last_price)
    if price != price:
        return None
    return float(side_price(price, side, plan.book.market[0], plan.book.state))


def _last_signal(built: Any) -> monitor.SignalStatus | None:
    newest = None
    for run in built.plans:
        rows = getattr(run.strategy, "setups_log", ())
        if rows and (newest is None or rows[-1].bar > newest[1].bar):
            newest = (run.plan_id, rows[-1])
    if newest is None:
        return None
    plan_id, row = newest
    return monitor.SignalStatus(
        row.bar, plan_id, row.side, row.pattern, bool(row.taken), row.reason or row.cancel
    )


def _counts(session: Any) -> monitor.CountStatus:
    built = session.built
    counts = built.engine.counts
    return monitor.CountStatus(
        counts.bars,
        counts.ticks,
        len(built.broker.ledger.trades),
        dict(built.guard.refused),
        max(counts.reconnects - 1, 0),
        sum(slot.feed.gaps for slot in built.engine.slots),
        len(session.missed_entries()),
    )
