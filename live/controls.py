"""What a `Command` does: hands on the session, the session's own decisions among them.

Everything that is not a consequence of prices or the venue comes through here as an event, so that
a record run through again does it again at the same place. `verify` runs the same code on the
backtest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, Protocol

from core.errors import ConfigError, RiskRefused, TolaError, near_name
from core.events import Command
from core.orders import OrderKind
from core.results import iso_time
from live.changes import Changes
from live.foreign import RULE as FOREIGN
from live.given import Given, Told, counted, names, number, refusal_text, word
from live.hand_orders import HandOrders
from live.hands import HAND, Hand
from live.reopening import reopen

ROLLING = "rolling"
"""Rule that keeps a plan from entries while its position is between two contracts."""


class Stage(Protocol):
    """What commands act on: a session, or the backtest that proves one."""

    guard: Any
    broker: Any

    @property
    def plans(self) -> Sequence[Any]:
        """The runs of plans (`PlanRun`)."""

    @property
    def hands(self) -> Sequence[Hand]:
        """What hands trade by."""


@dataclass(frozen=True)
class Watched:
    """An order that was touched, and what was wanted of it: close, order, cancel or modify."""

    ticket: Any
    wanted: str
    terms: Given = field(default_factory=dict)


class Controls:
    """Applies commands to a built session.

    Parameters
    ----------
    stage : BuiltSession
    on_stop : called with the reason when a command ends the session.

    Attributes
    ----------
    answer : what the last command came to, for whoever asked: `done`, `outcome` (done, refused,
        failed, wrong) and `text`; of a refusal `rule`, `limit` and `value`.
    watched : orders whose fate the answer may wait for.
    """

    def __init__(self, stage: Stage, on_stop: Callable[[str], None]) -> None:
        self._stage = stage
        self._on_stop = on_stop
        self._orders = HandOrders(stage)
        self._changes = Changes(stage)
        self.answer: Told = {}
        self.watched: list[Watched] = []

    def complete(self, name: str, arguments: Given, now: int, gaps: Given) -> Told:
        """Return a request's arguments with what the record shall hold besides.

        That is the bar it acts from, a setting's old value, and what forbids an order now.

        Parameters
        ----------
        now : market time, ns UTC.
        gaps : why a symbol's prices are not to be traded on: symbol -> text.
        """
        given = dict(arguments)
        if name == "set":
            given["old"] = self._changes.value_of(given)
            given["bar"] = self._bar(given, now)
        if name == "order":
            given["bar"] = self._bar(given, now)
            missing = [gaps[hand.symbol] for hand in self._orders.meant(given)
                       if hand.symbol in gaps]  # fmt: skip
            if missing:
                given["gap"] = missing[0]
        return given

    def apply(self, command: Command) -> None:
        """Carry a command out; one that cannot be is answered with why, and changes nothing."""
        act = _ACTS.get(command.name)
        self.watched = []
        try:
            if act is None:
                raise ConfigError(f"command {command.name!r}{near_name(command.name, _ACTS)}")
            self.answer = {"done": True, "outcome": "done", **act(self, command.arguments)}
        except RiskRefused as refused:
            rule, limit, value = refused.rule, refused.limit, refused.value
            text = refusal_text(rule, limit, value, refused.detail)
            self.answer = {
                "done": False, "outcome": "refused", "text": text, "error": text, "rule": rule,
                "limit": _finite(limit), "value": _finite(value),
            }  # fmt: skip
        except TolaError as fault:
            kind, text = "wrong" if isinstance(fault, ConfigError) else "failed", str(fault)
            self.answer = {"done": False, "outcome": kind, "text": text, "error": text}

    # -- entries off and on ------------------------------------------------------------------

    def _block(self, given: Given) -> Told:
        plan_id = str(given.get("plan", ""))
        self._stage.guard.block(word(given, "rule"), str(given.get("detail", "")), plan_id)
        return {"text": "entries off"}

    def _unblock(self, given: Given) -> Told:
        self._stage.guard.unblock(word(given, "rule"), str(given.get("plan", "")))
        return {"text": "block taken back"}

    def _pause(self, given: Given) -> Told:
        """Take no entry, and leave none working; positions and their orders stay."""
        guard, why = self._stage.guard, str(given.get("reason") or "paused by hand")
        plans = self._plans(given)
        for plan_id in [plan.plan_id for plan in plans] if given.get("plan") else [""]:
            guard.block("paused", why, plan_id)
        ended = [item for item in self._tickets() if item.is_entry and item.plan in plans]
        for ticket in ended:
            guard.cancel(ticket.order)
        whose = f" of {names(plans)}" if given.get("plan") else ""
        more = f"; {counted(len(ended), 'working entry', 'working entries')} cancelled"
        return {
            "text": f"entries{whose} off{more if ended else ''}",
            "plans": [plan.plan_id for plan in plans],
            "cancelled": [ticket.order_id for ticket in ended],
        }

    def _resume(self, given: Given) -> Told:
        guard, plans = self._stage.guard, self._plans(given)
        ids = [plan.plan_id for plan in plans]
        for plan_id in ids if given.get("plan") else ["", *ids]:
            guard.unblock("paused", plan_id)
            guard.unblock(FOREIGN, plan_id)
        left = guard.blocks
        whose = f" of {names(plans)}" if given.get("plan") else ""
        text = f"entries{whose} on"
        if left:
            why = [f"{rule} ({detail})" if detail else rule for rule, detail in left.items()]
            text = f"entries stay off: {'; '.join(why)}"
        return {"text": text, "blocked_by": left, "plans": [plan.plan_id for plan in plans]}

    # -- out of positions --------------------------------------------------------------------

    def _flatten(self, given: Given) -> Told:
        reason = str(given.get("reason") or "flatten")
        plans, broker = self._plans(given), self._stage.broker
        before = self._tickets()
        for plan in plans:
            broker.flatten_plan(plan, reason)
        self._watch_new(before)
        ended = [item for item in before if item.plan in plans and not _is_close(item)]
        self.watched += [Watched(ticket, "cancel") for ticket in ended]
        text = "asked to be flat" if self.watched else "nothing to flatten"
        return {"text": text, "plans": [plan.plan_id for plan in plans]}

    def _close(self, given: Given) -> Told:
        share = number(given, "share", 1.0)
        if not 0.0 < share <= 1.0:
            raise ConfigError(f"share={share:g}: expected 0 < share <= 1")
        chosen = self._plans(given)
        plans = [plan for plan in chosen if plan.position_steps]
        if not plans:
            whose = f" of {names(chosen)}" if given.get("plan") else ""
            raise TolaError(f"nothing to close: no position{whose} is open")
        before = self._tickets()
        for plan in plans:
            self._stage.broker.close_plan(plan, str(given.get("reason") or "by_hand"), share)
        self._watch_new(before)
        text = "sent" if self.watched else "is being closed already"
        return {"text": text, "plans": [plan.plan_id for plan in plans]}

    def _roll(self, given: Given) -> Told:
        """Close what is held in a contract that is left; `reopen` follows once it is."""
        (plan,) = self._plans({"plan": word(given, "plan")})
        self._stage.guard.block(ROLLING, "its position is being rolled", plan.plan_id)
        self._stage.broker.close_plan(plan, "roll")
        return {"text": str(given.get("text", "")), "plan": plan.plan_id}

    def _reopen(self, given: Given) -> Told:
        self._stage.guard.unblock(ROLLING, word(given, "plan"))
        return reopen(self._stage, given)

    def _clear(self, given: Given) -> Told:
        """End what is not ours: an order by the venue's id of it, else a position."""
        order = str(given.get("venue_order_id", ""))
        self._stage.broker.clear(word(given, "symbol"), order, str(given.get("position_id", "")))
        return {"text": "asked"}

    def _watch_new(self, before: Sequence[Any]) -> None:
        known = {ticket.order_id for ticket in before}
        for ticket in self._tickets():
            if ticket.order_id not in known:
                self.watched.append(Watched(ticket, "close"))

    # -- orders, settings, the end -----------------------------------------------------------

    def _order(self, given: Given) -> Told:
        ticket, told = self._orders.order(given)
        self.watched = [] if ticket is None else [Watched(ticket, "order")]
        return told

    def _cancel(self, given: Given) -> Told:
        ticket = self._orders.cancel(given)
        self.watched = [Watched(ticket, "cancel")]
        return {"text": "asked", "order_id": ticket.order_id}

    def _modify(self, given: Given) -> Told:
        ticket, terms = self._orders.modify(given)
        self.watched = [Watched(ticket, "modify", terms)]
        return {"text": "asked", "order_id": ticket.order_id}

    def _set(self, given: Given) -> Told:
        return self._changes.change(given)

    def _stop(self, given: Given) -> Told:
        reason = str(given.get("reason") or "stopped")
        self._on_stop(reason)
        return {"text": "the session ends", "reason": reason}

    # -- what is meant -----------------------------------------------------------------------

    def _tickets(self) -> list[Any]:
        return list(self._stage.broker.tickets())

    def _plans(self, given: Given) -> list[Any]:
        """Return the plans that are meant: by name, by symbol (`hand`: all of hands), or all."""
        plans = list(self._stage.broker.plans)
        wanted = str(given.get("plan") or "")
        if not wanted:
            return plans
        by_hand = {hand.plan_id for hand in self._stage.hands}
        found = [
            plan
            for plan in plans
            if wanted in (plan.plan_id, plan.symbol) or (wanted == HAND and plan.plan_id in by_hand)
        ]
        if not found:
            known = {plan.plan_id for plan in plans} | {plan.symbol for plan in plans}
            raise ConfigError(f"plan {wanted!r}{near_name(wanted, known)}")
        return found

    def _bar(self, given: Given, now: int) -> str:
        """Return START of the bar a command acts from: that of the bar being traded."""
        plans = list(self._stage.broker.plans)
        wanted = str(given.get("plan") or "")
        meant = [plan for plan in plans if wanted in ("", plan.plan_id, plan.symbol)]
        cell = (meant or plans)[0].cell[0]
        if not int(cell["end"]):
            return ""
        return iso_time(int(cell["start"] if int(cell["end"]) > now else cell["end"]))


def _is_close(ticket: Any) -> bool:
    """Whether an order closes a position at market already: to be flat it may stay."""
    return bool(ticket.request.reduces and ticket.request.kind is OrderKind.MARKET)


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None


_ACTS: dict[str, Callable[[Controls, Given], Told]] = {
    "block": Controls._block,
    "unblock": Controls._unblock,
    "pause": Controls._pause,
    "resume": Controls._resume,
    "flatten": Controls._flatten,
    "close": Controls._close,
    "roll": Controls._roll,
    "reopen": Controls._reopen,
    "clear": Controls._clear,
    "order": Controls._order,
    "cancel": Controls._cancel,
    "modify": Controls._modify,
    "set": Controls._set,
    "stop": Controls._stop,
}
