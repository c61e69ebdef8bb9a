"""Changes of working orders: a stop only to less risk, an entry only within the rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from core.orders import OrderChange, OrderRequest
from risk.context import GuardContext
from risk.groups import Group, is_stop
from risk.rules import Refusal, Rule

_DUST = 1e-9


def judge_entry(
    request: OrderRequest, rules: Sequence[Rule], context: GuardContext
) -> tuple[Refusal | None, Rule | None]:
    """Return the first refusal of an entry and the rule it came from (None for a lock)."""
    lock = context.lock_on(request.plan_id)
    if lock is not None:
        return Refusal(lock.rule, lock.limit, lock.value, "locked"), None
    for rule in rules:
        if rule.plan and rule.plan != request.plan_id:
            continue
        refusal = rule.check(request, context)
        if refusal is not None:
            return refusal, rule
    return None, None


def judge_change(
    order: Any, change: OrderChange, rules: Sequence[Rule], context: GuardContext
) -> Refusal | None:
    """Return why a change is refused, None if it may be made.

    A stop that protects a position (or will: a bracket's) never moves to more risk, whatever the
    rules; an exit never grows beyond the position; an entry is judged as if it were new.
    """
    group = _group_of(order, context)
    is_exit = order.parent is not None or _is_exit(order, group, context)
    if is_exit and is_stop(order) and change.price is not None:
        old = float(order.created.price)
        if (change.price - old) * (1 if order.isbuy() else -1) > _DUST:
            return Refusal("stop_widening", old, change.price, "a stop moves only to less risk")
    if is_exit or group is None or group.request is None:
        return None if order.parent is not None else _exit_size(order, change, is_exit, context)
    return _judge_entry(group, change, rules, context)


def _group_of(order: Any, context: GuardContext) -> Group | None:
    for group in context.live_groups():
        if any(item.ref == order.ref for item in group.orders):
            return group
    return None


def _is_exit(order: Any, group: Group | None, context: GuardContext) -> bool:
    if group is not None and group.request is not None:
        return group.request.reduces
    return bool(float(context.broker.getposition(order.data).size) * order.size < 0)


def _exit_size(
    order: Any, change: OrderChange, is_exit: bool, context: GuardContext
) -> Refusal | None:
    if not is_exit or change.quantity is None:
        return None
    held = abs(float(context.broker.getposition(order.data).size))
    if change.quantity <= held + _DUST:
        return None
    return Refusal("exit_size", held, change.quantity, "an exit may not exceed the position")


def _judge_entry(
    group: Group, change: OrderChange, rules: Sequence[Rule], context: GuardContext
) -> Refusal | None:
    """Judge a working entry as changed, without counting it twice; note its new terms."""
    assert group.request is not None
    old = group.request
    request = replace(
        old,
        price=old.price if change.price is None else change.price,
        limit_price=old.limit_price if change.limit_price is None else change.limit_price,
        quantity=old.quantity if change.quantity is None else change.quantity,
    )
    context.working.remove(group)
    try:
        refusal, _ = judge_entry(request, rules, context)
        if refusal is None:
            group.request = request
        return refusal
    finally:
        context.working.append(group)


def tightened_stops(
    symbol: str, bar: np.record, context: GuardContext
) -> Iterator[tuple[Any, OrderChange]]:
    """Yield each open bracket's stop of a symbol with half its distance from the price.

    The price is the beginning bar's open where it is known, else the last close.
    """
    for group in context.live_groups():
        stop = group.stop_order()
        if group.request is None or group.request.symbol != symbol or stop is None:
            continue
        if not float(group.parent.executed.size):
            continue
        price = float(bar.open)
        if price != price:
            price = context.price(symbol, group.request.plan_id)
        level = (price + float(stop.created.price)) / 2.0
        level = context.on_tick(level, symbol, round_up=stop.isbuy())
        if (level - float(stop.created.price)) * (1 if stop.isbuy() else -1) < 0:
            yield stop, OrderChange(int(stop.ref), price=level)
