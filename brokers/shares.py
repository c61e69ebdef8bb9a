"""Which parts an order of ours is sent in: slices, and on a hedging account what each closes.

A position of a plan may be several at a hedging venue, and an order there closes the one it names.
A part is no larger than one order may be, nor than what it can close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.port import PositionMode
from core.orders import OrderKind

_NO_LIMIT = 10**15


@dataclass(frozen=True, slots=True)
class Share:
    """A part of an order before it is sent. opens : it may open a position."""

    steps: int
    position_id: str
    opens: bool


class Shares:
    """Divides the orders of one account.

    Parameters
    ----------
    account : LiveAccount
    """

    def __init__(self, account: Any) -> None:
        self._account = account

    def of(self, ticket: LiveTicket, steps: int) -> list[Share]:
        """Return the parts that so many lot steps of an order are sent in."""
        plan, left = ticket.plan, steps
        shares = []
        if self._account.capabilities.position_mode is not PositionMode.NETTING:
            for position_id, held in self._closable(ticket):
                part = min(left, held)
                shares += self._sliced(plan, part, position_id, False)
                left -= part
        return shares + self._sliced(plan, left, "", ticket.is_entry)

    def _closable(self, ticket: LiveTicket) -> list[tuple[str, int]]:
        """Return the positions an order may close, with what is left of each.

        A bracket's stop (or target) takes what its entry opened first, then what no other bracket's
        stop (target) is on: what is left of another bracket keeps its own. All else closes the
        oldest first.
        """
        plan = ticket.plan
        taken = self._taken(ticket, of_exits=True)
        own = self._account.family_of(ticket)[0].position_ids if ticket.child is not None else ()
        left = {
            position_id: abs(held) - taken.get(position_id, 0)
            for position_id, held in plan.positions.items()
            if held * int(ticket.side) < 0
        }
        order = sorted(left, key=lambda position_id: position_id not in own)  # stable: oldest first
        covered = self._taken(ticket, of_exits=False) if ticket.child is not None else {}
        shared = {name: min(left[name], covered.get(name, 0)) for name in order}
        free = [(name, left[name] - shared[name]) for name in order]
        return [item for item in (*free, *shared.items()) if item[1] > 0]

    def _taken(self, ticket: LiveTicket, *, of_exits: bool) -> dict[str, int]:
        """Return what other orders close of each position.

        of_exits : market exits on their way and the order's own other parts; else other brackets'
            children of its kind, which wait for the same lots.
        """
        account, taken = self._account, dict[str, int]()
        for other in account.working_of(ticket.plan):
            is_exit = other is ticket or (other.child is None and other.kind is OrderKind.MARKET)
            is_rival = other is not ticket and other.child is not None and other.role is ticket.role
            if is_exit if of_exits else is_rival:
                for part in account.parts_at_work(other):
                    if not part.is_retired:
                        left = self.left_of(ticket, part)
                        taken[part.position_id] = taken.get(part.position_id, 0) + left
        return taken

    def left_of(self, ticket: LiveTicket, part: Part) -> int:
        """Return what of a part has not filled yet, in lot steps."""
        known = self._account.book.sent(part.order_id)
        return int(ticket.plan.steps_of(known.quantity - known.filled))

    def _sliced(self, plan: LivePlan, steps: int, position_id: str, opens: bool) -> list[Share]:
        """Return shares of at most the instrument's freeze quantity."""
        most = self._most_steps(plan)
        sizes = [most] * (steps // most) + [steps % most]
        return [Share(size, position_id, opens) for size in sizes if size]

    def _most_steps(self, plan: LivePlan) -> int:
        """Return the lot steps one order may hold."""
        freeze = plan.facts.freeze_quantity
        return max(1, plan.steps_of(freeze)) if isfinite(freeze) else _NO_LIMIT

    def needs_more(self, ticket: LiveTicket, parts: Sequence[Part], steps: int) -> bool:
        """Whether one order cannot be made that large: by its limit, or by what it may close."""
        grows = any(steps > self.left_of(ticket, part) for part in parts)
        if not grows or steps > self._most_steps(ticket.plan):
            return grows
        taken = self._taken(ticket, of_exits=False)
        held = {name: abs(steps) for name, steps in ticket.plan.positions.items()}
        names = [part.position_id for part in parts if part.position_id]
        return any(steps > held.get(name, 0) - taken.get(name, 0) for name in names)

    def cuts(self, ticket: LiveTicket, parts: Sequence[Part], over: int) -> list[int]:
        """Return by how many lot steps each part shrinks so that `over` are gone."""
        lefts = [self.left_of(ticket, part) for part in parts]
        cuts = [0] * len(parts)
        positions = ticket.plan.positions
        idle = [
            left - abs(positions.get(part.position_id, 0)) if part.position_id else 0
            for part, left in zip(parts, lefts, strict=True)
        ]
        for most in (idle, lefts):
            for place in reversed(range(len(parts))):
                cut = max(0, min(over, most[place] - cuts[place]))
                cuts[place] += cut
                over -= cut
        return cuts
