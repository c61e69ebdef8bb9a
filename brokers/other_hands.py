"""What is done on the account by others: their fills, and whose position they change.

A fill of no order of ours is the venue's own (it keeps stops and targets as prices of a position,
it closes at a floor), or another hand's. One that closes what exactly one plan holds is booked to
that plan; any other is a position of the other hand, and counts in the account's equity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from brokers.live_plan import LivePlan
from core.events import Execution
from core.fx import FxRate
from core.instruments import Instrument

HAND = "other hands"
"""Stands for a plan id where a fill belongs to none of ours."""


class OtherHands:
    """Fills that belong to no order of ours.

    Attributes
    ----------
    booked : costs of the fills that were booked, by fill id.
    """

    def __init__(self) -> None:
        self._plans: dict[str, LivePlan] = {}
        self.reset()

    def add_instrument(self, data: Any, instrument: Instrument, fx: FxRate) -> None:
        """Be able to value an instrument."""
        if instrument.symbol not in self._plans:
            self._plans[instrument.symbol] = LivePlan(data, instrument, HAND, fx)

    def reset(self) -> None:
        """Begin a session: nothing was done."""
        self.booked: dict[str, float] = {}
        for plan in self._plans.values():
            plan.reset(0.0, None)

    def begin_day(self, day: int, now: int) -> None:
        """Take the facts of a trading day."""
        for plan in self._plans.values():
            plan.begin_day(day, now)

    def mark(self, symbol: str, price: float, spread: float) -> bool:
        """Take a price; say whether it changed what is open."""
        plan = self._plans.get(symbol)
        if plan is None or not plan.position_steps:
            return False
        plan.mark(price, spread)
        return True

    @property
    def open_pnl(self) -> float:
        """Open P&L of what others hold, account currency."""
        return sum(plan.open_pnl for plan in self._plans.values() if plan.position_steps)

    @property
    def margin(self) -> float:
        """Margin that others' positions hold, account currency."""
        return sum(plan.margin for plan in self._plans.values() if plan.position_steps)

    def held(self, symbol: str) -> float:
        """Return the signed quantity others hold of an instrument, as far as it was heard."""
        plan = self._plans.get(symbol)
        return 0.0 if plan is None else plan.size(plan.position_steps)

    def closes(self, execution: Execution) -> float:
        """Return how much of a fill closes a position of theirs."""
        held = self.held(execution.symbol)
        if held * int(execution.side) >= 0:
            return 0.0
        return min(abs(held), execution.quantity)

    def note(self, execution: Execution) -> None:
        """Note that a fill is booked, with what it costs."""
        plan = self._plans.get(execution.symbol)
        told = execution.costs
        costs = 0.0 if told is None else sum(told.values())
        if told is None and plan is not None:
            costs = plan.charge(execution)
        self.booked[execution.fill_id] = costs

    def correct(self, execution: Execution) -> float:
        """Take the costs of a booked fill that are told later; return what they add."""
        costs = sum((execution.costs or {}).values())
        before, self.booked[execution.fill_id] = self.booked[execution.fill_id], costs
        return costs - before

    def book(self, execution: Execution, last_price: float, spread: float) -> float:
        """Book a fill as theirs; return the money it realised, account currency."""
        plan = self._plans.get(execution.symbol)
        if plan is None:
            return 0.0
        if last_price == last_price and not plan.position_steps:
            plan.mark(last_price, spread)
        costs = plan.charge(execution)
        event = plan.take_execution(execution, costs)
        plan.position_steps = event.steps
        return event.pnl - costs


def owner_of(execution: Execution, plans: Sequence[LivePlan]) -> LivePlan | None:
    """Return the one plan whose position a fill closes, None where it is none or not one alone."""
    side = int(execution.side)
    closed = [plan for plan in plans if plan.position_steps * side < 0]
    named = [
        plan
        for plan in closed
        if execution.position_id
        and (plan.plan_id == execution.position_id or execution.position_id in plan.positions)
    ]
    if named:
        return named[0] if len(named) == 1 else None
    by_symbol = [plan for plan in closed if plan.symbol == execution.symbol]
    return by_symbol[0] if len(by_symbol) == 1 else None


def split(execution: Execution, quantity: float) -> tuple[Execution | None, Execution | None]:
    """Return a fill as two, of `quantity` and of the rest; None for one of nothing."""
    if quantity <= 0.0:
        return None, execution
    rest = execution.quantity - quantity
    if rest <= 1e-9 * execution.quantity:
        return execution, None
    first, second = quantity / execution.quantity, rest / execution.quantity
    return (
        replace(execution, quantity=quantity, costs=_share(execution, first)),
        replace(
            execution,
            quantity=rest,
            costs=_share(execution, second),
            fill_id=f"{execution.fill_id}/rest",
        ),
    )


def _share(execution: Execution, share: float) -> dict[str, float] | None:
    if execution.costs is None:
        return None
    return {kind: money * share for kind, money in execution.costs.items()}
