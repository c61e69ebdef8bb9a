"""What the guard did, for reports: one record for each refusal, breach, lock and release."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """One act of the guard.

    ts : ns UTC. action : refused, breach, locked, unlocked, flatten, tighten (stops), tightened and
    loosened (limits).
    limit, value : in the rule's unit (money, quantity, count, percent, price).
    plan_id, side, kind, quantity, price : of a refused order. day : trading-day number.
    """

    ts: int
    rule: str
    action: str
    limit: float
    value: float
    symbol: str = ""
    order_id: int = 0
    detail: str = ""
    plan_id: str = ""
    side: str = ""
    kind: str = ""
    quantity: float = 0.0
    price: float | None = None
    day: int = -1
