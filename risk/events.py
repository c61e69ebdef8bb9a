"""What the guard did, for reports: one record for each refusal, breach, lock and release."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GuardEvent:
    """One act of the guard.

    ts : ns UTC. action : refused, breach, locked, unlocked, flatten, tighten.
    limit, value : in the rule's unit (money, quantity, count, percent, price).
    """

    ts: int
    rule: str
    action: str
    limit: float
    value: float
    symbol: str = ""
    order_id: int = 0
    detail: str = ""
