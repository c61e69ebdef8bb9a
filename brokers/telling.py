"""What Backtrader, the ledger and the guard are told of orders: the difference to what is known.

What is known of an order is a join of everything heard (`brokers.orders`), so it does not depend on
the order of hearing. What Backtrader was told is on its ticket. Statuses only rise: Submitted,
Accepted, Partial, then an end; a fill after an end is told as a fill, and an order filled to the
last is Completed whatever was said before.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

import backtrader as bt

from brokers.brackets import KeptBrackets
from brokers.live_account import LiveAccount
from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.live_terms import LiveTerms
from brokers.moves import Move, judge_price
from brokers.oco import OcoGroups
from brokers.orders import NEVER_ARRIVED, KnownOrder, Whole, refused
from brokers.sending import Sender
from core.events import Execution, OrderStatus
from core.matching.records import Event
from core.orders import Fill, Role

logger = logging.getLogger(__name__)

_ROLE_NAMES = {role: role.name.lower() for role in Role}
_MARGIN_WORDS = ("margin", "insufficient", "not enough", "funds")
_WITH_PARENT = "parent_refused"
"""Why a leg is turned down whose entry was."""
_NAN = float("nan")


class TellingAccount(LiveAccount):
    """An account that tells Backtrader what has become of its orders."""

    oco: OcoGroups
    undoing: list[LiveTicket]
    """Orders the venue has though it had said no to them: their end is asked for again."""

    def __init__(self, cash: float, account_currency: str, terms: LiveTerms) -> None:
        self.sender = Sender(self)
        self.brackets = KeptBrackets(self)
        super().__init__(cash, account_currency, terms)

    def flatten_plan(self, plan: LivePlan, reason: str) -> None:
        """Cancel a plan's orders and close its position at the next price."""
        raise NotImplementedError

    def close_plan(
        self, plan: LivePlan, reason: str, share: float = 1.0, steps: int | None = None
    ) -> None:
        """Close (a share, or so many lot steps, of) a plan's position by a market order."""
        raise NotImplementedError

    def note_move(self, ticket: LiveTicket, move: Move) -> None:
        """Take note of an order that another hand moved."""
        raise NotImplementedError

    def cancel_ticket(self, ticket: LiveTicket, reason: str) -> bool:
        """Ask for an order's end; False if it has ended or was asked before."""
        raise NotImplementedError

    # -- from what is known ------------------------------------------------------------------

    def tell(self, ticket: LiveTicket) -> None:
        """Tell Backtrader what is known of an order and it was not told yet."""
        goes_on = self.sender.follow(ticket)
        whole = self.heard_of(ticket)
        self._tell_accepted(ticket, whole)
        if not ticket.is_over:
            self._tell_terms(ticket)
        self._tell_executions(ticket, whole)
        is_refused = whole.refusal is not None
        if (is_refused or self.is_done(ticket)) and not goes_on:
            self._tell_end(ticket, whole)
        if is_refused:
            self._undo(ticket, whole)
        if ticket.child is None:
            self._tell_held_back(ticket)
        elif ticket.is_stop:
            self.look_at_protection(ticket.plan)

    def _tell_executions(self, ticket: LiveTicket, whole: Whole) -> None:
        ticket.held_back = False
        for execution in whole.executions:
            if execution.fill_id in ticket.told:
                self._correct(ticket, execution)
            elif self._counts_elsewhere(ticket, execution):
                continue
            elif self._comes_too_early(ticket, execution):
                ticket.held_back = True
            else:
                self.tell_execution(ticket, execution)

    def _tell_held_back(self, parent: LiveTicket) -> None:
        """Tell fills of children that waited for what is now known of their parent."""
        for child in self.family_of(parent)[1:]:
            if child.parts and (child.held_back or child.waits_to_end):
                self.tell(child)

    def _tell_accepted(self, ticket: LiveTicket, whole: Whole) -> None:
        if not ticket.is_accepted and (whole.is_alive or whole.executions):
            self.accept(ticket)
        if ticket.is_held and whole.is_working and not ticket.is_over:
            self.activate(ticket)

    def accept(self, ticket: LiveTicket) -> None:
        """Tell that the venue has an order; one that was told ended stays so."""
        ticket.is_accepted = True
        if ticket.end_state:
            return
        ticket.order.accept(self)
        self.log(ticket, "accepted")
        self._notify(ticket.order)

    def activate(self, ticket: LiveTicket) -> None:
        """Note that a child works: it waits for its parent no more."""
        ticket.is_held = False
        ticket.order.activate()
        self.look_at_protection(ticket.plan)

    # -- terms -------------------------------------------------------------------------------

    def _tell_terms(self, ticket: LiveTicket) -> None:
        """Show where an order stands at the venue and what is left of it."""
        news = [(part, known) for part in ticket.current if (known := self._news_of(part))]
        if not news:
            return
        price = limit = None
        for part, known in news:
            if known.ordered[0] >= 0 and known.quantity == ticket.asked:
                ticket.asked = None
            price = self._judged(ticket, part, known)
            limit = part.limit_price = known.limit_price[1] if known.limit_price[0] >= 0 else None
        left = self._left(ticket)
        if limit == ticket.order.created.pricelimit:
            limit = None
        if left == ticket.remaining and price is None and limit is None:
            return
        self.show(ticket, left, price, limit)
        self.brackets.align(ticket)

    def _news_of(self, part: Part) -> KnownOrder | None:
        """Return what is known of an order whose terms have changed since they were looked at."""
        known = self.book.sent(part.order_id)
        version = max(known.ordered[0], known.price[0], known.limit_price[0])
        if version <= part.version:
            return None
        part.version = version
        return known

    def _judged(self, ticket: LiveTicket, part: Part, known: KnownOrder) -> float | None:
        """Return the price to show where an order has come to stand, None where it has not moved.

        A price we did not ask for is another hand's: its move is judged.
        """
        if known.price[0] < 0:
            return None
        price, before, part.price = known.price[1], part.price, known.price[1]
        family, restores = self.family_of(ticket), self.terms.restores_stops
        move = judge_price(ticket, family, before, price, restores)
        if move is not None:
            self.note_move(ticket, move)
            if move.is_undone:
                return None
        return None if price == ticket.order.created.price else price

    def _left(self, ticket: LiveTicket) -> int:
        """Return the lot steps of an order that may still be told as filled."""
        total = 0.0
        for part in ticket.parts:
            known = self.book.sent(part.order_id)
            total += known.filled if part.is_retired else max(known.quantity, known.filled)
        if ticket.asked is not None:
            total = max(total, ticket.asked)
        if ticket.replacing is not None:
            return ticket.replacing - ticket.executed_steps
        return max(0, int(ticket.plan.steps_of(total)) - ticket.executed_steps)

    def show(
        self, ticket: LiveTicket, remaining: int, price: float | None, limit: float | None
    ) -> None:
        """Show on a Backtrader order what is left of it and where it stands."""
        shown_price, shown_limit = (_NAN if item is None else item for item in (price, limit))
        ticket.plan.show(ticket, remaining, shown_price, shown_limit)
        self.log(ticket, "changed")

    # -- fills -------------------------------------------------------------------------------

    def _counts_elsewhere(self, ticket: LiveTicket, execution: Execution) -> bool:
        """Whether a fill was booked before it was known whose it is, or is less than a lot step."""
        if execution.fill_id in self.hands.booked:
            return True
        if not ticket.plan.steps_of(execution.quantity):
            logger.error(
                "fill below a lot step left out order=%s fill=%s quantity=%s",
                ticket.order_id, execution.fill_id, execution.quantity,
            )  # fmt: skip
            return True
        return False

    def _comes_too_early(self, ticket: LiveTicket, execution: Execution) -> bool:
        """Whether a child's fill is told before the fill of its parent that it closes.

        It waits: booked now it would seem to turn the position round.
        """
        if ticket.child is None:
            return False
        parent = self.family_of(ticket)[0]
        if not parent.parts or self.is_done(parent):
            return False
        return bool(ticket.plan.steps_of(execution.quantity) > parent.open_steps)

    def tell_execution(self, ticket: LiveTicket, execution: Execution) -> None:
        """Book one fill everywhere it counts: ledger, order, position, notification, guard."""
        plan, order = ticket.plan, ticket.order
        before = plan.position_steps
        costs = plan.charge(execution)
        event = plan.take_execution(execution, costs)
        self._balance += event.pnl - costs
        start, plan.told_end = plan.bar_of(execution.ts_event)
        fill = self._fill(ticket, execution, event, before, start)
        ticket.told[execution.fill_id] = fill.costs
        self.ledger.book(
            fill,
            point_value=plan.point_value,
            planned=plan.planned(ticket.request),
            adverse=event.adverse,
            favourable=event.favourable,
        )
        order.addinfo(reason=fill.reason, ambiguous=False, ts_event=execution.ts_event)
        ticket.note_position(execution.position_id)
        self._execute(ticket, event, before)
        plan.told_end = 0
        plan.position_steps = event.steps
        self._value_account()
        state = "filled" if not ticket.remaining else "partial"
        self.log(ticket, state, fill.reason, execution.price)
        self._note_position(ticket, event, before)
        self._notify(order)
        self.on_fill(fill)
        if self._supervisor is not None:
            self._supervisor.on_fill(fill, self._value)

    def _execute(self, ticket: LiveTicket, event: Event, before: int) -> None:
        """Show a fill on its Backtrader order; one that had ended shows its end still."""
        plan, order = ticket.plan, ticket.order
        ended = order.status if ticket.end_state else None
        if event.quantity > ticket.remaining:
            plan.show(ticket, event.quantity, _NAN)
        plan.execute(ticket, event, before)
        if not ticket.remaining:
            ticket.end_state = "filled"
            self.forget(ticket)
        elif ended is not None:
            order.status = ended

    def _fill(
        self, ticket: LiveTicket, execution: Execution, event: Event, before: int, start: int
    ) -> Fill:
        plan = ticket.plan
        opens = abs(event.steps) > abs(before) or before * event.steps < 0
        role = ticket.role if opens or ticket.role is not Role.ENTRY else Role.EXIT
        self._fill_count += 1
        return Fill(
            fill_id=self._fill_count,
            order_id=int(ticket.order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=execution.side,
            quantity=execution.quantity,
            price=execution.price,
            ts_event=execution.ts_event,
            bar_start=start,
            role=role,
            reason=execution.reason or ticket.reason or _ROLE_NAMES[role],
            costs=dict(plan.charges(execution)),
        )

    def _correct(self, ticket: LiveTicket, execution: Execution) -> None:
        """Book what a later telling of a known fill says differently: its costs, its time."""
        plan = ticket.plan
        booked = ticket.told[execution.fill_id]
        self._balance += plan.correct_execution(execution)
        if execution.costs is None or dict(execution.costs) == booked:
            return
        ticket.told[execution.fill_id] = dict(execution.costs)
        for kind, money in _differences(booked, execution.costs):
            self._balance -= money
            self.ledger.charge(plan.plan_id, plan.symbol, kind, money, self.now)
        self._value_account()

    def _note_position(self, ticket: LiveTicket, event: Event, before: int) -> None:
        """Follow what a fill did to the position: its terms, its protection, its children."""
        plan, now = ticket.plan, event.steps
        opened = _opened(before, event)
        if now == 0:
            plan.note_flat()
        elif opened:
            plan.note_opened(ticket.request, before * now <= 0)
        self._count_open(ticket, event, opened)
        if opened:
            self._close_unwelcome(ticket)
        self.brackets.after_fill(ticket)
        self.oco.after_fill(ticket)
        if now == 0 and (ticket.child is not None or ticket.is_forced):
            self._end_closes(ticket)
        self.look_at_protection(plan)
        self.note_live(plan)

    def _count_open(self, ticket: LiveTicket, event: Event, opened: int) -> None:
        """Count what the bracket of an order holds open."""
        plan = ticket.plan
        if ticket.child is not None:
            parent = self.family_of(ticket)[0]
            parent.open_steps = max(0, parent.open_steps - event.quantity)
        elif opened and len(ticket.family) > 1:
            ticket.open_steps += opened
            if not any(parent is ticket for parent in plan.brackets):
                plan.brackets.append(ticket)
        plan.trim_brackets()

    # -- fills nobody wanted -----------------------------------------------------------------

    def _close_unwelcome(self, ticket: LiveTicket) -> None:
        """Close what an order filled that it should not have, each lot step once."""
        plan = ticket.plan
        if not ticket.is_entry:
            self.close_plan(plan, "overfill")
            return
        over = plan.size(ticket.executed_steps) - ticket.welcome - ticket.flattened
        steps = plan.steps_of(max(0.0, over))
        if steps and plan.position_steps * int(ticket.side) > 0:
            ticket.flattened += plan.size(steps)
            self.close_plan(plan, ticket.unwanted or "overfill", steps=steps)

    def _end_closes(self, done: LiveTicket) -> None:
        """End the strategy's closes on their way of a position that another exit has closed.

        Its stop may have filled while it decided: what such a close fills would turn it round.
        """
        for ticket in self.working_of(done.plan):
            if ticket.only_closes and ticket.side is done.side:
                self.refuse_fills(ticket, "overfill", ticket.plan.size(ticket.executed_steps))
                self.cancel_ticket(ticket, "position_closed")

    def refuse_fills(self, ticket: LiveTicket, reason: str, welcome: float) -> None:
        """Let what an entry fills beyond a quantity be closed at once."""
        if ticket.is_entry:
            ticket.unwanted = ticket.unwanted or reason
            ticket.welcome = min(ticket.welcome, welcome)

    def _undo(self, ticket: LiveTicket, whole: Whole) -> None:
        """Undo what an order does at the venue that had said no: it counts as rejected."""
        late = whole.refusal == NEVER_ARRIVED
        self.refuse_fills(ticket, "late_fill" if late else "refused_fill", 0.0)
        if ticket.is_entry and whole.executions:
            self._close_unwelcome(ticket)
        if whole.is_alive:
            self.undoing = [item for item in self.undoing if item is not ticket] + [ticket]
            self.sender.cancel(ticket)
        for child in self.family_of(ticket)[1:]:
            if child.is_native and child.parts and self.heard_of(child).refusal is None:
                self.book.learn(refused(child.order_id, _WITH_PARENT))
                self.tell(child)

    # -- ends --------------------------------------------------------------------------------

    def _tell_end(self, ticket: LiveTicket, whole: Whole) -> None:
        """Tell that an order ended (what is left of it); a stop is put back first."""
        if not ticket.remaining:
            self.complete(ticket)
            return
        if self.brackets.may_not_end(ticket, whole):
            return
        said = whole.reason if whole.refusal is None else whole.refusal
        state = self._end_of(ticket, whole, said)
        if ticket.end_state == state:
            return
        self.end(ticket, state, ticket.end_reason or said or state)
        if state in ("rejected", "margin"):
            logger.info(
                "order turned down (%s) order=%s plan=%s symbol=%s: %s",
                state, ticket.order_id, ticket.plan.plan_id, ticket.plan.symbol, said,
            )  # fmt: skip
            if said != _WITH_PARENT:
                self.on_refused(ticket, said)
        self.refuse_fills(ticket, "late_fill", ticket.plan.size(ticket.executed_steps))
        self._after_end(ticket)

    def _end_of(self, ticket: LiveTicket, whole: Whole, said: str) -> str:
        """Return what Backtrader calls an order's end."""
        states = {OrderStatus.EXPIRED: "expired", OrderStatus.CANCELLED: "cancelled"}
        state = "rejected" if whole.refusal is not None else states.get(whole.status, "rejected")
        if state == "rejected" and any(word in said.lower() for word in _MARGIN_WORDS):
            return "margin"
        if state == "cancelled" and self._is_expired(ticket):
            return "expired"
        return state

    def _is_expired(self, ticket: LiveTicket) -> bool:
        """Whether a cancelled order ended by its time: by our rule, or unasked at the close."""
        return ticket.end_reason == "expired" or self.sender.ends_with_session(ticket)

    def complete(self, ticket: LiveTicket) -> None:
        """Tell that nothing is left of an order whose last fill was told as a part."""
        if ticket.end_state == "filled":
            return
        if ticket.remaining:
            self.show(ticket, 0, None, None)
        ticket.end_state = "filled"
        ticket.order.completed()
        self.log(ticket, "filled")
        self.forget(ticket)
        self._notify(ticket.order)
        self._after_end(ticket)

    def end(self, ticket: LiveTicket, state: str, reason: str) -> None:
        """Tell that an order ended with something left of it."""
        order = ticket.order
        order.addinfo(reason=reason)
        if state == "expired":
            order.executed.dt = ticket.plan.now_day
            order.status = bt.Order.Expired
        elif state == "margin":
            order.margin()
        elif state == "cancelled":
            order.cancel()
        else:
            order.reject(self)
        ticket.end_state = state
        ticket.lost_at = None
        self.log(ticket, state, reason)
        self.forget(ticket)
        self._notify(order)

    def _after_end(self, ticket: LiveTicket) -> None:
        """Let a parent that opened nothing take its children along, and see what is uncovered."""
        plan = ticket.plan
        if ticket.child is None:
            self.brackets.after_parent_end(ticket)
        if ticket.is_forced and ticket.remaining and plan.position_steps:
            plan.leaving, plan.left_at = plan.leaving or ticket.request.reason, self.now
        self.look_at_protection(plan)
        self.note_live(plan)


def _opened(before: int, event: Event) -> int:
    """Return how many lot steps of a fill opened or added to the position."""
    if before * event.side >= 0:
        return event.quantity
    return max(0, event.quantity - abs(before))


def _differences(booked: Mapping[str, float], told: Mapping[str, float]) -> list[tuple[str, float]]:
    """Return by kind what costs told later add to those booked."""
    kinds = sorted({*booked, *told})
    found = [(kind, told.get(kind, 0.0) - booked.get(kind, 0.0)) for kind in kinds]
    return [(kind, money) for kind, money in found if money]
