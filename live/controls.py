"""What a `Command` does: hands on the session, the session's own decisions among them.

Everything that is not a consequence of prices or the venue comes through here as an event, so that
a record run through again does it again at the same place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from core.errors import ConfigError, near_name
from core.events import Command


class Controls:
    """Applies commands to a built session.

    Parameters
    ----------
    built : BuiltSession
    on_stop : called with the reason when a command ends the session.

    Attributes
    ----------
    answer : what the last command came to, for whoever asked.
    """

    def __init__(self, built: Any, on_stop: Callable[[str], None]) -> None:
        self._built = built
        self._on_stop = on_stop
        self.answer: dict[str, Any] = {}

    def apply(self, command: Command) -> None:
        """Carry a command out; one that cannot be is answered with why, and changes nothing."""
        act = _ACTS.get(command.name)
        try:
            if act is None:
                raise ConfigError(f"command {command.name!r}{near_name(command.name, _ACTS)}")
            self.answer = {"done": True, **(act(self, command.arguments) or {})}
        except ConfigError as fault:
            self.answer = {"done": False, "error": str(fault)}

    # -- acts --------------------------------------------------------------------------------

    def _block(self, given: Mapping[str, Any]) -> None:
        self._built.guard.block(str(given["rule"]), str(given.get("detail", "")))

    def _unblock(self, given: Mapping[str, Any]) -> None:
        self._built.guard.unblock(str(given["rule"]))

    def _pause(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._built.guard.block("paused", str(given.get("reason") or "paused by hand"))
        return {"entries": "off"}

    def _resume(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._built.guard.unblock("paused")
        left = self._built.guard.blocks
        return {"entries": "off" if left else "on", "blocked_by": left}

    def _flatten(self, given: Mapping[str, Any]) -> dict[str, Any]:
        reason = str(given.get("reason") or "flatten")
        plans = self._plans(given)
        for plan in plans:
            self._built.broker.flatten_plan(plan, reason)
        return {"plans": [plan.plan_id for plan in plans]}

    def _close(self, given: Mapping[str, Any]) -> dict[str, Any]:
        share = float(given.get("share", 1.0))
        if not 0.0 < share <= 1.0:
            raise ConfigError(f"share={share:g}: expected 0 < share <= 1")
        plans = [plan for plan in self._plans(given) if plan.position_steps]
        if not plans:
            raise ConfigError("nothing to close: no position is open")
        for plan in plans:
            self._built.broker.close_plan(plan, str(given.get("reason") or "by_hand"), share)
        return {"plans": [plan.plan_id for plan in plans]}

    def _cancel(self, given: Mapping[str, Any]) -> dict[str, Any]:
        ticket = self._ticket(given)
        self._built.guard.cancel(ticket.order)
        return {"order_id": ticket.order_id}

    def _modify(self, given: Mapping[str, Any]) -> dict[str, Any]:
        ticket = self._ticket(given)
        wanted = {
            name: float(given[key])
            for name, key in (("price", "price"), ("size", "quantity"), ("limit_price", "limit"))
            if given.get(key) is not None
        }
        if not wanted:
            raise ConfigError("modify: name a price, a limit or a quantity")
        if not self._built.guard.modify(ticket.order, **wanted):
            last = self._built.guard.events[-1]
            raise ConfigError(
                f"refused by {last.rule}: {last.value:g} against {last.limit:g} ({last.detail})"
            )
        return {"order_id": ticket.order_id}

    def _stop(self, given: Mapping[str, Any]) -> dict[str, Any]:
        reason = str(given.get("reason") or "stopped")
        self._on_stop(reason)
        return {"reason": reason}

    # -- what is meant -----------------------------------------------------------------------

    def _plans(self, given: Mapping[str, Any]) -> list[Any]:
        plans = list(self._built.broker.plans)
        wanted = given.get("plan")
        if not wanted:
            return plans
        found = [plan for plan in plans if wanted in (plan.plan_id, plan.symbol)]
        if not found:
            known = [plan.plan_id for plan in plans]
            raise ConfigError(f"plan {wanted!r}{near_name(str(wanted), known)}")
        return found

    def _ticket(self, given: Mapping[str, Any]) -> Any:
        wanted = str(given.get("order_id", ""))
        tickets = self._built.broker.tickets()
        for ticket in tickets:
            if wanted in (ticket.order_id, ticket.venue_order_id):
                return ticket
        known = [ticket.order_id for ticket in tickets]
        raise ConfigError(f"order {wanted!r} is not working{near_name(wanted, known)}")


_ACTS: dict[str, Callable[[Controls, Mapping[str, Any]], dict[str, Any] | None]] = {
    "block": Controls._block,
    "unblock": Controls._unblock,
    "pause": Controls._pause,
    "resume": Controls._resume,
    "flatten": Controls._flatten,
    "close": Controls._close,
    "cancel": Controls._cancel,
    "modify": Controls._modify,
    "stop": Controls._stop,
}
