"""Stops and targets that a venue keeps as two prices of a position, without orders of their own.

The children are ours alone: they are accepted with their entry and work from its fill. When the
venue fills one it tells of an order nobody sent; which of the two it was is said by its reason, or
by its price.
"""

from __future__ import annotations

from typing import Any

from brokers.live_plan import LivePlan, LiveTicket
from brokers.moves import is_near, judge_price
from brokers.orders import KnownOrder
from core.events import Execution, OrderStatus, PositionUpdate
from core.orders import Role

PRICE_REASONS = ("stop", "target")
"""What a venue says of a fill of a position's price, where it says it."""

_NEAR_SHARE = 0.05
"""A fill this share of the way between stop and target from one of them is that one's."""
_NEAR_TICKS = 5


class PositionBrackets:
    """Follows the prices of positions on one account.

    Parameters
    ----------
    account : TellingAccount
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self._is_to_repeat = False

    def note_restart(self) -> None:
        """Who was told the prices of entries that still wait has died."""
        self._is_to_repeat = self._account.capabilities.prices_follow_fill

    def repeat(self) -> None:
        """Tell the prices of entries that wait once more, after a restart."""
        if not self._is_to_repeat:
            return
        self._is_to_repeat = False
        account = self._account
        for ticket in list(account.tickets()):
            if ticket.child is not None or ticket.is_over or not ticket.is_accepted:
                continue
            children = [item for item in account.family_of(ticket)[1:] if not item.is_over]
            if children and children[0].is_native and not account.is_done(ticket):
                account.sender.change(children[0])

    def children_of(self, plan: LivePlan) -> list[LiveTicket]:
        """Return the children that are prices of the plan's open position."""
        return [
            ticket
            for ticket in self._account.working_of(plan)
            if ticket.is_native and self._account.family_of(ticket)[0].open_steps
        ]

    def follow(self, parent: LiveTicket) -> None:
        """Tell of the children what follows from their entry: accepted with it, working from it."""
        account = self._account
        for child in account.family_of(parent)[1:]:
            if child.is_over or not child.is_native:
                continue
            if parent.is_accepted and not child.is_accepted:
                account.accept(child)
            if parent.open_steps and child.is_held:
                account.activate(child)
                self._hear_again(child.plan)

    def _hear_again(self, plan: LivePlan) -> None:
        """Look at what was told of a position before the fill that opened it."""
        for (symbol, _), update in list(self._account.venue_positions.items()):
            if symbol == plan.symbol and update.quantity and update.stop is not None:
                self.hear(plan, update)

    def claim(self, execution: Execution, plan: LivePlan) -> LiveTicket | None:
        """Return the child that a fill of the venue's own order is, None if it is none."""
        children = {child.child.role: child for child in self.children_of(plan) if child.child}
        if execution.reason in PRICE_REASONS:
            return children.get(Role.STOP if execution.reason == "stop" else Role.TARGET)
        found = [
            child
            for child in children.values()
            if child.wanted_price is not None and self._is_its_price(child, execution, plan)
        ]
        found.sort(key=lambda child: abs(execution.price - (child.wanted_price or 0.0)))
        return found[0] if found else None

    def _is_its_price(self, child: LiveTicket, execution: Execution, plan: LivePlan) -> bool:
        """Whether a fill's price is that of a stop or target, or beyond it."""
        price = child.wanted_price or 0.0
        away = (execution.price - price) * int(child.side)
        is_beyond = away >= 0.0 if child.is_stop else away <= 0.0
        near = max(_NEAR_TICKS * plan.facts.tick, _NEAR_SHARE * abs(price - plan.average))
        return is_beyond or abs(away) <= near

    def learn(self, child: LiveTicket, execution: Execution) -> None:
        """Know a fill of the venue's own order as the child's."""
        ids = frozenset({execution.venue_order_id} - {""})
        self._account.book.learn(
            KnownOrder(
                child.parts[-1].order_id,
                ids,
                OrderStatus.WORKING,
                executions=(execution,),
                symbol=execution.symbol,
                side=int(execution.side),
            )
        )

    def hear(self, plan: LivePlan, update: PositionUpdate) -> None:
        """Compare a position's two prices with its children."""
        for child in self.children_of(plan):
            told = update.stop if child.is_stop else update.target
            if child.changing and not is_near(child, told, child.wanted_price):
                continue  # not yet what was asked for
            if told is None:
                self._is_gone(child)
            else:
                self._stands_at(child, told)

    def _is_gone(self, child: LiveTicket) -> None:
        """The position has lost a price: a stop is put back, a target ends."""
        account = self._account
        if child.cancel_wanted or not child.is_stop:
            account.end(child, "cancelled", child.end_reason or "not_at_venue")
        else:
            account.brackets.miss(child)

    def _stands_at(self, child: LiveTicket, price: float) -> None:
        """The position has a price: show it, or judge whose it is."""
        account, part = self._account, child.parts[-1]
        if child.lost_at is not None:
            account.brackets.found(child)
        before, part.price = part.price, price
        if before is None:
            account.look_at_protection(child.plan)
        restores = account.terms.restores_stops
        move = judge_price(child, account.family_of(child), before, price, restores)
        if move is not None:
            account.note_move(child, move)
            if move.is_undone:
                return
        if not is_near(child, price, float(child.order.created.price)):
            account.show(child, child.remaining, price, None)
        account.brackets.align(child)
