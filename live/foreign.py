"""What other hands on the account lead to: entries off on an instrument, or altogether."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from brokers.live_terms import Foreign
from brokers.reconcile import Difference
from core.events import Command

RULE = "foreign"
"""Rule of the blocks that another hand leads to; `resume` takes them back."""


class ForeignActs:
    """Makes of each act of another hand a command of the record.

    It is told of acts in the middle of an event, and again where a record is run through: what it
    leads to is commanded between events, unless the record holds that command.

    Parameters
    ----------
    broker : LiveBroker
    command : puts a command into the sequence.
    """

    def __init__(self, broker: Any, command: Callable[[str, Mapping[str, Any]], None]) -> None:
        self._broker = broker
        self._command = command
        self._waiting: list[dict[str, Any]] = []

    def note(self, act: Foreign, what: Difference) -> None:
        """Take an act with what it shall lead to."""
        if act is Foreign.COUNT:
            return
        plans = [""] if act is Foreign.HALT or not what.symbol else self._plans_on(what.symbol)
        for plan_id in plans:
            block = {"rule": RULE, "detail": what.describe()}
            self._waiting.append(block | {"plan": plan_id} if plan_id else block)

    def _plans_on(self, symbol: str) -> list[str]:
        return [plan.plan_id for plan in self._broker.plans if plan.symbol == symbol]

    def hear(self, command: Command) -> None:
        """Take from the sequence that a block was commanded."""
        if command.name == "block" and dict(command.arguments) in self._waiting:
            self._waiting.remove(dict(command.arguments))

    def look(self) -> None:
        """Command what acts lead to."""
        for block in list(self._waiting):
            self._command("block", block)

    def forget(self) -> None:
        """Lead to nothing more: a person has accepted what was done."""
        self._waiting.clear()
