"""Positions carried from a contract that is left into the next one: one act of two orders.

It is commanded twice, so that the record holds it and a restart goes on with it: `roll` closes the
position in the old contract and says what is to follow; `reopen`, once nothing of it is left,
opens the same in the new one, stop and targets moved by the difference of both prices. Both orders
go through the guard like any other. The strategy goes on managing its position.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from brokers.contracts import Contract
from brokers.rollover import Holding, RollAction, RollPrices, plan_rollover
from core.calendar import day_number
from core.errors import TolaError
from core.events import Command, ContractLeft, Event
from core.orders import Role

logger = logging.getLogger(__name__)

ROLL, REOPEN = "roll", "reopen"
KEEP = "keep"
LONGEST_NS = 15 * 60_000_000_000
"""A position that could not be closed by then is not opened again: its prices are of another time.
"""


class Rolls:
    """Rolls the positions of a session.

    Parameters
    ----------
    built : BuiltSession
    at_roll : roll, close (the position ends) or keep (it is only told of).
    command : puts a command into the sequence.
    answer : returns what the last command came to.
    tell : called with a text that a person should see.
    """

    def __init__(
        self,
        built: Any,
        at_roll: str,
        command: Callable[[str, Mapping[str, Any]], None],
        answer: Callable[[], Mapping[str, Any]],
        tell: Callable[[str], None],
    ) -> None:
        self._built = built
        self._at_roll = at_roll
        self._command = command
        self._answer = answer
        self._alert = tell
        self._left: dict[str, ContractLeft] = {}
        self._waiting: dict[str, tuple[int, dict[str, Any]]] = {}
        self._told: set[tuple[str, str]] = set()

    def hear(self, event: Event) -> None:
        """Take from the sequence what is left, and what has been commanded."""
        if isinstance(event, ContractLeft):
            self._left[event.symbol] = event
        elif isinstance(event, Command) and event.name == ROLL:
            given = dict(event.arguments)
            self._waiting[str(given["plan"])] = event.ts_event, given
        elif isinstance(event, Command) and event.name == REOPEN:
            self._waiting.pop(str(event.arguments["plan"]), None)

    @property
    def is_busy(self) -> bool:
        """Whether something is to be begun or gone on with."""
        return bool(self._left or self._waiting)

    def look(self) -> None:
        """Begin what is due, go on with what has begun."""
        for symbol, left in list(self._left.items()):
            del self._left[symbol]
            for plan in self._plans(symbol):
                if plan.position_steps and plan.plan_id not in self._waiting:
                    self._begin(plan, left)
        symbols = {str(given["symbol"]) for _, given in self._waiting.values()}
        for symbol in sorted(symbols):
            if not any(plan.position_steps or plan.tickets for plan in self._plans(symbol)):
                self._go_on(symbol)

    def _tell(self, text: str) -> None:
        logger.warning("rollover %s", text)
        self._alert(text)

    def _plans(self, symbol: str) -> list[Any]:
        return [plan for plan in self._built.broker.plans if plan.symbol == symbol]

    def _begin(self, plan: Any, left: ContractLeft) -> None:
        what = f"{plan.plan_id}: {plan.symbol} is held in {left.old}, {left.new} is traded now"
        if self._at_roll == KEEP:
            if (plan.plan_id, left.old) not in self._told:
                self._told.add((plan.plan_id, left.old))
                self._tell(f"{what}: close it before it expires")
            return
        try:
            given = self._planned(plan, left)
        except TolaError as fault:
            self._tell(f"{what}, and is not rolled yet: {fault}")
            return
        self._tell(str(given["text"]))
        self._command(ROLL, given)

    def _planned(self, plan: Any, left: ContractLeft) -> dict[str, Any]:
        """Return what is to be done, as the record keeps it."""
        broker = self._built.broker
        orders = broker.working_of(plan)
        stop = next((item.wanted_price for item in orders if item.is_stop), None)
        targets = [item for item in orders if item.role is Role.TARGET]
        facts = plan.facts
        old, new = (Contract(plan.symbol, name, name, "") for name in (left.old, left.new))
        steps = plan.position_steps
        done = plan_rollover(
            Holding(plan.symbol, 1 if steps > 0 else -1, plan.size(abs(steps)), stop, None,
                    plan.plan_id),
            old, new,
            RollPrices(left.old_price, left.new_price, left.old_time, left.new_time),
            day_number(datetime.fromtimestamp(left.ts_event / 1e9, UTC).date()),
            tick=facts.tick, lot=facts.lot, action=RollAction(self._at_roll),
        )  # fmt: skip
        moved = [
            {"price": round(item.wanted_price + done.price_difference, 10),
             "quantity": plan.size(item.remaining)}
            for item in targets
            if item.wanted_price is not None
        ]  # fmt: skip
        return {
            "plan": plan.plan_id,
            "symbol": plan.symbol,
            "old": left.old,
            "new": left.new,
            "side": "buy" if steps > 0 else "sell",
            "quantity": done.open_quantity,
            "price": left.new_price,
            "difference": done.price_difference,
            "stop": done.stop,
            "targets": moved,
            "text": done.describe(),
        }

    def _go_on(self, symbol: str) -> None:
        """Open in the new contract what was closed in the old one; nothing is held now."""
        rolled = getattr(self._built.port, "roll", None)
        if rolled is not None:
            rolled(symbol)
        now = self._built.engine.now
        for plan_id, (since, given) in list(self._waiting.items()):
            if given["symbol"] != symbol:
                continue
            if now - since > LONGEST_NS:
                given = {**given, "quantity": 0.0}
                self._tell(f"{plan_id}: closed too late to be opened again in {given['new']}")
            self._command(REOPEN, given)
            answer = self._answer()
            if not answer.get("done"):
                self._tell(f"{plan_id}: not opened again in {given['new']}: {answer.get('text')}")
