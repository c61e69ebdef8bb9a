"""A session's orders, fills and faults against those of the backtest over its record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from core.ledger import TradeFill
from core.orders import Role
from core.results import iso_time
from live.halting import STRATEGY_ERROR
from live.proof.backtest import Proving
from live.proof.orders import SentOrder, children_sent, closes_apart, keeps_children_itself
from live.proof.record import Finding


def compare_orders(orders: Mapping[str, SentOrder], run: Proving) -> Iterator[Finding]:
    """Hold the entries each plan decided on against those the backtest made, one by one."""
    sent = [order for order in orders.values() if not order.reduces]
    are_apart = closes_apart(orders)
    made = [
        (start, request)
        for start, request, is_close in run.requests
        if not request.reduces and not (is_close and are_apart)
    ]
    for plan_id in run.plan_ids:
        yield from _compare_entries(
            [order for order in sent if order.first.plan_id == plan_id],
            [item for item in made if item[1].plan_id == plan_id],
            orders,
        )


def _compare_entries(
    sent: Sequence[SentOrder], made: Sequence[tuple[int, Any]], orders: Mapping[str, SentOrder]
) -> Iterator[Finding]:
    for place in range(max(len(sent), len(made))):
        if place >= len(sent):
            start, request = made[place]
            yield Finding(iso_time(start), request.plan_id, "the backtest enters, the session not")
            return
        first = sent[place].first
        if place >= len(made):
            when = iso_time(first.bar_start) if first.bar_start else ""
            yield Finding(when, first.plan_id, "the session entered, the backtest does not")
            return
        start, request = made[place]
        words = _order_differences(sent[place], start, request, orders)
        if words:
            yield Finding(iso_time(start), request.plan_id, f"{first.order_id}: {words}")


def _order_differences(
    order: SentOrder, start: int, request: Any, orders: Mapping[str, SentOrder]
) -> str:
    intent, document = order.first, order.first.document
    children, are_own = children_sent(order, len(request.children), orders)
    wanted: dict[str, Any] = {
        "side": int(request.side),
        "quantity": request.quantity,
        "kind": int(request.kind),
    }
    found: dict[str, Any] = {
        "side": document.get("side"),
        "quantity": order.quantity,
        "kind": document.get("kind"),
    }
    if children or not are_own or not keeps_children_itself(orders):
        wanted["children"] = [child.role.name.lower() for child in request.children]
        found["children"] = [Role(child["role"]).name.lower() for child in children]
    words = [
        f"{name} {found[name]} was sent, the backtest has {value}"
        for name, value in wanted.items()
        if found[name] != value
    ]
    if intent.bar_start and intent.bar_start != start:
        words.append(f"was sent on the bar of {iso_time(intent.bar_start)}")
    prices = [("price", request.price, document.get("price"))]
    if not are_own:  # else it may have been moved before it was sent
        for child, told in zip(request.children, children, strict=False):
            prices.append((child.role.name.lower(), child.price, told.get("price")))
    words += [
        f"{name} {told:g} was sent, the backtest has {own:g}"
        for name, own, told in prices
        if own is not None and told is not None and abs(own - told) > 1e-6 * abs(own)
    ]
    return ", ".join(words)


def compare_failures(exit_reason: str, failure: str) -> Iterator[Finding]:
    """Hold the fault a strategy ended the session with against the backtest's."""
    told = exit_reason.partition(STRATEGY_ERROR)[2]
    if told != failure:
        words = [text or "nothing" for text in (told, failure)]
        what = f"a strategy raised {words[0]} in the session, {words[1]} in the backtest"
        yield Finding("", "", what)


def compare_fills(fills: Sequence[Any], run: Proving) -> Iterator[Finding]:
    """Hold the fills each plan booked against the backtest's, one by one."""
    for plan_id in run.plan_ids:
        yield from _compare_fills_of(
            [item for item in fills if item.plan_id == plan_id],
            _whole([item for item in run.broker.ledger.fills if item.plan_id == plan_id]),
        )


def _whole(fills: Sequence[TradeFill]) -> list[TradeFill]:
    """Return fills with both parts of one that turned a position round as one, as it was booked."""
    found: list[TradeFill] = []
    for fill in fills:
        last = found[-1] if found else None
        if last is not None and _turns(last, fill):
            both = (last.quantity + fill.quantity, last.costs + fill.costs)
            found[-1] = replace(last, quantity=both[0], costs=both[1])
        else:
            found.append(fill)
    return found


def _turns(last: TradeFill, fill: TradeFill) -> bool:
    same = (last.order_id, last.time, last.price) == (fill.order_id, fill.time, fill.price)
    return same and fill.trade_id != last.trade_id


def _compare_fills_of(fills: Sequence[Any], made: Sequence[Any]) -> Iterator[Finding]:
    for place in range(max(len(fills), len(made))):
        if place >= len(fills):
            own = made[place]
            yield Finding(iso_time(own.bar_start), own.plan_id, f"a fill is missing: {_fill(own)}")
            return
        told = fills[place]
        if place >= len(made):
            text = f"{told.side.name.lower()} {told.quantity:g} @ {told.price:g}"
            yield Finding(iso_time(told.ts), told.plan_id, f"the backtest has no fill {text}")
            return
        own = made[place]
        words = _fill_differences(told, own)
        if words:
            yield Finding(iso_time(own.bar_start), own.plan_id, words)


def _fill(fill: Any) -> str:
    return f"{fill.side} {fill.quantity:g} @ {fill.price:g} ({fill.reason})"


def _fill_differences(told: Any, own: Any) -> str:
    pairs = [
        ("side", told.side.name.lower(), own.side),
        ("quantity", told.quantity, round(own.quantity, 9)),
        ("price", told.price, own.price),
        ("time", iso_time(told.ts), iso_time(own.time)),
        ("costs", round(sum(told.costs.values()), 2), round(own.costs, 2)),
    ]
    return ", ".join(
        f"{name} {mine} was booked, the backtest has {theirs}"
        for name, mine, theirs in pairs
        if mine != theirs
    )
