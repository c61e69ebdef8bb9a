"""Fills of orders that are not known to be ours: whose are they?

An order of ours may be at the venue under an id we were not told yet; the venue fills prices of a
position by an order nobody sent; it closes at a floor; another hand trades. Only once it cannot be
the first is a fill placed, and then as what fits first in that row.
"""

from __future__ import annotations

from typing import Any

from brokers.live_plan import LivePlan
from brokers.on_position import PRICE_REASONS
from brokers.other_hands import owner_of, split
from brokers.port import Brackets
from brokers.reconcile import UnknownExecution
from core.events import Execution


class Strangers:
    """Places the fills of strangers on one account.

    Parameters
    ----------
    account : HearingAccount

    Attributes
    ----------
    waiting : fills by id, with the time of hearing, whose order may yet turn out to be ours, or
        that may close what an entry of ours has filled.
    """

    def __init__(self, account: Any) -> None:
        self._account = account
        self.reset()

    def reset(self) -> None:
        """Begin a session: no fill waits."""
        self.waiting: dict[str, tuple[int, Execution]] = {}

    def hear(self, execution: Execution) -> None:
        """Take a fill of no order that is known to be ours."""
        account = self._account
        if execution.fill_id not in account.hands.booked:
            self.waiting.setdefault(execution.fill_id, (account.now, execution))
        elif execution.costs is not None:
            account.pay(account.hands.correct(execution))

    def place(self) -> None:
        """Place the fills that can wait no longer, or need not."""
        account = self._account
        for heard_at, first_told in list(self.waiting.values()):
            known = account.book.at_venue(first_told.venue_order_id)
            execution = known.execution(first_told.fill_id)
            is_ours = account.ticket_known(known) is not None
            if not is_ours and self._waits(execution, heard_at):
                continue
            del self.waiting[execution.fill_id]
            if not is_ours:
                self._place(execution)

    def _waits(self, execution: Execution, heard_at: int) -> bool:
        """Whether something may yet be heard that says whose a fill is."""
        if self._may_be_ours(execution):
            return True
        is_fresh = self._account.now - heard_at < self._account.terms.mend_ns
        return bool(is_fresh and self._may_close(execution))

    def _may_be_ours(self, execution: Execution) -> bool:
        """Whether an order of ours may be at the venue under the id of a stranger's."""
        account = self._account
        return any(
            not part.venue_order_id and account.book.sent(part.order_id).is_in_flight
            for ticket in account.tickets()
            if ticket.plan.symbol == execution.symbol
            and ticket.side is execution.side
            and not ticket.is_native
            for part in ticket.current
        )

    def _may_close(self, execution: Execution) -> bool:
        """Whether an entry's fill that is not told yet would let a fill close, not open."""
        account = self._account
        if owner_of(execution, account.plans) is not None:
            return False
        if account.hands.closes(execution) and execution.reason not in PRICE_REASONS:
            return False
        return any(
            ticket.is_entry and ticket.side is not execution.side and not account.is_done(ticket)
            for ticket in account.tickets()
            if ticket.plan.symbol == execution.symbol
        )

    # -- placing -----------------------------------------------------------------------------

    def _place(self, execution: Execution) -> None:
        """Book a fill: the venue's own, a close of one plan's position, or another hand's."""
        account = self._account
        if self._is_price_of_position(execution):
            return
        account.hands.note(execution)
        theirs, rest = split(execution, account.hands.closes(execution))
        if theirs is not None:
            self._book_theirs(theirs)
        owner = None if rest is None else owner_of(rest, account.plans)
        if rest is not None and owner is not None and owner.steps_of(rest.quantity):
            held = owner.size(abs(owner.position_steps))
            closing, rest = split(rest, min(held, rest.quantity))
            if closing is not None:
                self._book_closed(owner, closing)
        if rest is not None:
            self._book_theirs(rest)

    def _is_price_of_position(self, execution: Execution) -> bool:
        """Book a fill that is a stop or a target of ours, kept by the venue as a price."""
        account = self._account
        if account.capabilities.brackets is not Brackets.ON_POSITION:
            return False
        owner = owner_of(execution, account.plans)
        child = None if owner is None else account.position_prices.claim(execution, owner)
        if child is None:
            return False
        account.position_prices.learn(child, execution)
        account.tell(child)
        return True

    def _book_closed(self, plan: LivePlan, execution: Execution) -> None:
        """Book a fill that closed (a part of) a plan's position without an order of ours."""
        account = self._account
        reason = execution.reason or "closed_elsewhere"
        ticket = account.forced_exit(plan, execution.side, execution.quantity, reason)
        ticket.is_sent = True
        account.accept(ticket)
        account.tell_execution(ticket, execution)
        if not execution.reason:
            self._say(execution, plan.plan_id)

    def _book_theirs(self, execution: Execution) -> None:
        """Book a fill as another hand's own; it counts in the account's equity."""
        account = self._account
        plan = next((item for item in account.plans if item.symbol == execution.symbol), None)
        price = float("nan") if plan is None else plan.last_price
        spread = 0.0 if plan is None else float(plan.cell["spread"][0])
        account.pay(-account.hands.book(execution, price, spread))
        self._say(execution, "")

    def _say(self, execution: Execution, plan_id: str) -> None:
        account = self._account
        account.on_foreign(execution)
        account.note(
            UnknownExecution(
                execution.fill_id, execution.side, execution.quantity, execution.price,
                symbol=execution.symbol, plan_id=plan_id,
            )
        )  # fmt: skip
