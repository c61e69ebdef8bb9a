"""What a guard remembers from one session of an account to the next: the day, its locks, peaks.

A session that goes on from its record needs none of it; one that begins anew on the same account
does, or a restart would forget a lock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from risk.context import Lock
from risk.floors import write_floors
from risk.guard import Guard
from risk.rules import TrailingDrawdown
from risk.tightening import settings_of


def memory_of(guard: Guard) -> dict[str, Any]:
    """Return a guard's memory, fit for JSON; empty before its first trading day."""
    context = guard.context
    if context.day < 0:
        return {}
    limits = guard.limits[0]
    return {
        "day": context.day,
        "start_equity": context.start_equity,
        "start_balance": context.start_balance,
        "day_start_equity": context.day_start_equity,
        "day_start_balance": context.day_start_balance,
        "entries_today": dict(context.entries_today),
        "losses_row": dict(context.losses_row),
        "locks": [asdict(lock) for lock in context.locks.values()],
        "peaks": [
            max(rule.peak, float(limits.trail_peak)) if rule.is_intraday else rule.peak
            for rule in _trailing(guard)
        ],
        "low_equity": float(limits.low_equity),
        "tightened": [item.document() for item in guard.tightenings],
    }


def remember(guard: Guard, memory: Mapping[str, Any]) -> None:
    """Give a guard that has just started the memory of an earlier one of the same account."""
    if not memory:
        return
    context = guard.context
    context.day = int(memory["day"])
    for name in ("start_equity", "start_balance", "day_start_equity", "day_start_balance"):
        setattr(context, name, float(memory[name]))
    for rule in guard.rules:
        rule.start(context)
    context.entries_today = Counter(memory["entries_today"])
    context.losses_row = Counter(memory["losses_row"])
    context.locks = {
        (lock.rule, lock.plan): lock for lock in (Lock(**row) for row in memory["locks"])
    }
    for item in memory.get("tightened", ()):
        guard.tighten(settings_of(item), item["until_day"])
    for rule, peak in zip(_trailing(guard), memory["peaks"], strict=False):
        rule.peak = max(rule.peak, float(peak))
    guard.limits[0].low_equity = float(memory["low_equity"])
    write_floors(guard.limits, guard.rules, context)
    guard.inner.resume_day(context.day)
    guard.rewrite_locked()


def _trailing(guard: Guard) -> list[TrailingDrawdown]:
    return [rule for rule in guard.rules if isinstance(rule, TrailingDrawdown)]
