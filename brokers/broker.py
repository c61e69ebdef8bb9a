"""The live broker: Backtrader's broker protocol over any venue's port.

It takes approved orders, sends them through the session's outbox (journal first), and hears what
the venue says. What is known of an order is a join of everything heard (`brokers.orders`); what
Backtrader was told of it is on its ticket; the difference is told next. Position, balance and
equity are our own books, filled by the engine's own arithmetic, so that paper equals a backtest
and a venue's figures are something to compare with, not to depend on.

Only the engine's thread calls it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

import backtrader as bt
import numpy as np

from brokers.hearing import HearingAccount
from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.live_terms import LiveTerms
from brokers.oco import OcoGroups
from brokers.port import OrderChangeRequest, VenueOrder
from brokers.sending import priced
from brokers.time_rules import time_is_over
from core.orders import (
    Approved,
    ChildRequest,
    OrderChange,
    OrderKind,
    OrderRequest,
    Role,
    Side,
)

logger = logging.getLogger(__name__)

UNSUPPORTED = (bt.Order.Close, bt.Order.StopTrailLimit)
"""Backtrader's order types that no venue of ours has; they are rejected, never approximated."""

_ROLE_NAMES = {role: role.name.lower() for role in Role}


class Outbox(Protocol):
    """Where requests leave: each is written into the journal before the venue gets it.

    on_refused : called with an order's id and why, where it was not sent and never will be.
    """

    on_refused: Callable[[str, str], None]

    def submit(self, order: VenueOrder, bar_start: int) -> None:
        """Send an order."""

    def modify(self, change: OrderChangeRequest, plan_id: str, symbol: str) -> None:
        """Change an order."""

    def cancel(self, order_id: str, venue_order_id: str, plan_id: str, symbol: str) -> None:
        """Cancel an order."""

    def close_position(self, symbol: str, position_id: str = "") -> None:
        """Close a whole position at the venue, whoever opened it."""


class LiveBroker(HearingAccount):
    """A Backtrader broker on a live account; put a `Guard` in front of it.

    Parameters
    ----------
    port : VenuePort
        Its capabilities decide what is asked of the venue and what is kept here.
    outbox : Outbox
    cash : balance at the session's start, account currency.
    account_currency : str
    order_prefix : str
        Begins every order id of ours: the venue's client tags of two accounts never meet.
    terms : LiveTerms
        Waits and tolerances, and what other hands lead to.

    Notes
    -----
    `order.executed.dt` is END of the bar that holds the fill, as in a backtest;
    `order.info.ts_event` is the venue's own time in ns. `order.info.reason` says why an order
    filled or ended.
    """

    def __init__(
        self,
        port: Any,
        outbox: Outbox,
        cash: float = 100_000.0,
        account_currency: str = "USD",
        order_prefix: str = "t",
        terms: LiveTerms | None = None,
    ) -> None:
        self.port = port
        self.outbox = outbox
        self.capabilities = port.capabilities
        self._prefix = order_prefix
        self.oco = OcoGroups(self)
        super().__init__(cash, account_currency, terms or LiveTerms())

    def init(self) -> None:
        """Begin a session: flat, nothing heard. Called by Backtrader."""
        super().init()
        self.brackets.reset()
        self.oco.reset()
        self.undoing = []

    # -- orders ------------------------------------------------------------------------------

    def buy(self, *_: Any, **__: Any) -> Any:
        """Refuse: orders come through the guard.

        Raises
        ------
        BrokerError : always.
        """
        raise self.unapproved()

    sell = buy
    submit = buy

    def submit_approved(self, approved: Approved[OrderRequest], orders: Sequence[Any]) -> None:
        """Send an approved group: the parent, with its children where the venue keeps them."""
        request = approved.request
        plan = self._plan(orders[0].data)
        tickets = self._tickets_of(plan, request, orders)
        refusal = self._refusal(plan, request, orders)
        if refusal:
            for ticket in tickets:
                self.end(ticket, "rejected", refusal)
            return
        is_close = request.kind is OrderKind.MARKET and not request.children
        tickets[0].only_closes = is_close and self._shrinks(plan, request)
        plan.owner = orders[0].owner
        plan.live = True
        first = None if request.oco is None else self._by_ref.get(request.oco)
        self.oco.join(tickets[0], first)
        self.sender.send_group(tickets)

    def _tickets_of(
        self, plan: LivePlan, request: OrderRequest, orders: Sequence[Any]
    ) -> list[LiveTicket]:
        children: list[ChildRequest | None] = [None, *request.children]
        ids = [self._next_id() for _ in orders]
        tickets = []
        for order, child, order_id in zip(orders, children, ids, strict=True):
            ticket = LiveTicket(
                order,
                request,
                child,
                plan.steps_of(request.quantity if child is None else child.quantity),
                order_id,
                plan,
                tuple(ids),
                sent_day=plan.day,
                is_held=child is not None,
            )
            tickets.append(ticket)
            self._tickets[order_id] = ticket
            self._by_ref[int(order.ref)] = ticket
            self.orders_log.begin(order, plan.plan_id, plan.symbol, _ROLE_NAMES[ticket.role])
            order.addcomminfo(plan.commission)
            order.addinfo(order_id=order_id)
            order.submit(self)
            self.log(ticket, "submitted")
            self._notify(order)
        return tickets

    def _next_id(self) -> str:
        self._order_count += 1
        return f"{self._prefix}{self._order_count:06d}"

    def order_ids(self) -> Iterable[str]:
        """Return every order id of ours, those of ended orders too."""
        return self._tickets

    def note_part(self, ticket: LiveTicket, part: Part) -> None:
        """Know which order of ours an order at the venue carries."""
        self._tickets[part.order_id] = ticket

    def _refusal(self, plan: LivePlan, request: OrderRequest, orders: Sequence[Any]) -> str:
        if any(order.exectype in UNSUPPORTED for order in orders):
            return "unsupported_order_type"
        unable = self.sender.refusal(request)
        if unable:
            return unable
        if request.quantity < plan.step * (1 - 1e-9):
            return "size_zero"
        if self._is_closed_anyway(plan, request):
            return "being_closed"
        if request.reduces or self._shrinks(plan, request):
            steps = plan.steps_of(request.quantity)
            is_denied = request.kind is OrderKind.MARKET and steps > self.held_at_venue(plan)
            return "not_at_venue" if is_denied else ""
        if self.is_frozen(plan.symbol):
            return "order_uncertain"
        return "fx_stale" if plan.fx_rate.is_stale(self.now) else ""

    def _shrinks(self, plan: LivePlan, request: OrderRequest) -> bool:
        """Whether an order only makes the position smaller, whoever says so."""
        held = plan.position_steps * int(request.side)
        return held < 0 and plan.steps_of(request.quantity) <= -held

    def _is_closed_anyway(self, plan: LivePlan, request: OrderRequest) -> bool:
        """Whether exits that nobody's strategy asked for close already what an order would close.

        Its strategy has not heard of them yet. Both together would turn the position round.
        """
        forced = sum(
            ticket.remaining
            for ticket in self.working_of(plan)
            if ticket.is_forced and ticket.side is request.side
        )
        held = abs(plan.position_steps)
        steps = plan.steps_of(request.quantity)
        return bool(forced) and self._shrinks(plan, request) and steps + forced > held

    def modify_approved(self, approved: Approved[OrderChange], order: Any) -> None:
        """Change a working order; nothing happens if it has ended."""
        change = approved.request
        ticket = self._by_ref.get(int(order.ref))
        if ticket is None or ticket.is_over:
            return
        tick, kind, side = ticket.plan.facts.tick, ticket.kind, ticket.side
        price = priced(change.price, kind, ticket.role, side, tick)
        limit = priced(change.limit_price, OrderKind.LIMIT, ticket.role, side, tick)
        if not ticket.is_sent:
            ticket.wanted_price = ticket.wanted_price if price is None else price
            ticket.wanted_limit = ticket.wanted_limit if limit is None else limit
            self.show(ticket, ticket.remaining, price, limit)
            return
        steps = None
        if change.quantity is not None:
            steps = ticket.plan.steps_of(change.quantity) - ticket.executed_steps
        self.sender.change(ticket, steps=steps, price=price, limit=limit)

    def cancel(self, order: Any) -> bool:
        """Ask for an order's end; False if it has ended or was asked before."""
        ticket = self._by_ref.get(int(order.ref))
        return ticket is not None and self.cancel_ticket(ticket, "")

    def cancel_ticket(self, ticket: LiveTicket, reason: str) -> bool:
        """Ask for an order's end; False if it has ended or was asked before.

        Where the venue did not do what was asked before, it is asked again.
        """
        if ticket.is_over:
            return False
        if ticket.cancel_wanted:
            if ticket.lost_at is None:
                self.sender.cancel(ticket)
            return False
        ticket.end_reason = ticket.end_reason or reason
        if not ticket.is_sent:
            self.end(ticket, "cancelled", reason or "cancelled")
            return True
        if ticket.lost_at is not None or ticket.waits_to_end:
            ticket.cancel_wanted = True
            self.tell(ticket)
            return True
        self.sender.cancel(ticket)
        return True

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        for plan in self._plans:
            self.flatten_plan(plan, reason)

    def flatten_plan(self, plan: LivePlan, reason: str) -> None:
        """Cancel a plan's orders and close its position at the next price."""
        for ticket in self.working_of(plan):
            if not (ticket.request.reduces and ticket.request.kind is OrderKind.MARKET):
                self.refuse_fills(ticket, reason, plan.size(ticket.executed_steps))
                self.cancel_ticket(ticket, reason)
        self.close_plan(plan, reason)

    def close_plan(
        self, plan: LivePlan, reason: str, share: float = 1.0, steps: int | None = None
    ) -> None:
        """Close (a share, or so many lot steps, of) a plan's position by a market order.

        Nothing is sent for what such orders on their way will close anyway, nor for what the venue
        says not to hold: an exit of it would open a position. Closed whole, positions of a hedging
        account that stand against each other are closed, too.
        """
        held = min(abs(plan.position_steps), self.held_at_venue(plan))
        if held < abs(plan.position_steps):
            logger.warning(
                "the venue holds another position plan=%s ours=%g theirs=%g",
                plan.plan_id, plan.size(plan.position_steps), self.settling.contested[plan.symbol],
            )  # fmt: skip
        side = Side.BUY if plan.position_steps < 0 else Side.SELL
        wanted = max(1, round(held * share)) if steps is None else steps
        self._close_steps(plan, side, min(held - self._closing(plan, side), wanted), reason)
        if share == 1.0 and steps is None and plan.paired_steps:
            self._close_pairs(plan, reason)

    def held_at_venue(self, plan: LivePlan) -> int:
        """Return how many lot steps on a plan's side the venue holds; all, where nobody doubts it.

        Fills can get lost for good: those of a past day, of which a venue tells nothing any more.
        """
        theirs = self.settling.contested.get(plan.symbol)
        if theirs is None:
            return abs(plan.position_steps)
        side = 1 if plan.position_steps > 0 else -1
        return max(0, int(plan.steps_of(abs(theirs)))) if theirs * side > 0 else 0

    def _close_pairs(self, plan: LivePlan, reason: str) -> None:
        """Close what a plan holds long and short at once, which its net position does not show."""
        long = sum(steps for steps in plan.positions.values() if steps > 0)
        short = long - sum(plan.positions.values())
        left = min(long - self._closing(plan, Side.SELL), short - self._closing(plan, Side.BUY))
        for side in (Side.SELL, Side.BUY):
            self._close_steps(plan, side, left, reason)

    def _closing(self, plan: LivePlan, side: Side) -> int:
        """Return how many lot steps market exits on their way will close."""
        return sum(
            ticket.remaining
            for ticket in self.working_of(plan)
            if ticket.request.reduces and ticket.kind is OrderKind.MARKET and ticket.side is side
        )

    def _close_steps(self, plan: LivePlan, side: Side, steps: int, reason: str) -> None:
        if steps > 0:
            self.sender.send_group([self.forced_exit(plan, side, plan.size(steps), reason)])

    def clear(self, symbol: str, venue_order_id: str = "", position_id: str = "") -> None:
        """Let the venue end what is not ours, as a person asked: an order, else a position."""
        if venue_order_id:
            self.outbox.cancel("", venue_order_id, "", symbol)
        else:
            self.outbox.close_position(symbol, position_id)

    def forced_exit(self, plan: LivePlan, side: Side, quantity: float, reason: str) -> LiveTicket:
        """Return an exit that no strategy asked for, as a real order."""
        kind = bt.BuyOrder if side is Side.BUY else bt.SellOrder
        order = kind(owner=plan.owner, data=plan.data, size=quantity, exectype=bt.Order.Market)
        order.addinfo(reason=reason)
        request = OrderRequest(
            order_id=int(order.ref),
            plan_id=plan.plan_id,
            symbol=plan.symbol,
            side=side,
            quantity=quantity,
            kind=OrderKind.MARKET,
            reduces=True,
            reason=reason,
        )
        (ticket,) = self._tickets_of(plan, request, [order])
        ticket.is_forced = True
        return ticket

    def settle_unsent(self, verb: str, wanted: Any, now: int, age_ns: int) -> None:
        """Send what was decided before a restart and never left; an entry only while it is fresh.

        Parameters
        ----------
        verb, wanted : the request, as the outbox was asked for it (a cancel: its ids by name).
        now : market time, ns UTC. age_ns : how old an entry may be.
        """
        ids = wanted if isinstance(wanted, Mapping) else {"order_id": wanted.order_id}
        ticket = self._tickets.get(str(ids["order_id"]))
        part = None if ticket is None else ticket.part(str(ids["order_id"]))
        if ticket is None or part is None:
            return
        plan = ticket.plan
        if verb == "modify":
            self.outbox.modify(wanted, plan.plan_id, plan.symbol)
        elif verb == "cancel":
            self.outbox.cancel(part.order_id, part.venue_order_id, plan.plan_id, plan.symbol)
        elif part.opens and now - part.sent_at > age_ns:
            self.outbox.on_refused(part.order_id, "too_late")
        else:
            part.sent_at = now
            self.outbox.submit(wanted, plan.start)

    # -- the market's course -----------------------------------------------------------------

    def begin_bar(self, plan: LivePlan, cell: np.record) -> None:
        """A plan's bar begins: the day rolls, rules of time act, orders whose time is over end."""
        self.now = max(self.now, int(cell.start))
        plan.cell[0] = cell
        day = int(cell.day)
        if day > self._day:
            self._roll_day(day)
        elif plan.day != day:
            plan.begin_day(day, int(cell.start))
        if self._supervisor is not None:
            self._supervisor.on_bar_start(plan.symbol, plan.cell[0])
        for ticket in self.working_of(plan):
            reason = time_is_over(ticket, cell, self._is_locked)
            if reason:
                self.cancel_ticket(ticket, reason)
            if ticket.cancel_wanted and not ticket.is_over and ticket.lost_at is None:
                self.sender.cancel(ticket)  # the venue may have said no to it
        self.undoing = [ticket for ticket in self.undoing if self.parts_at_work(ticket)]
        for ticket in self.undoing:
            self.sender.cancel(ticket)
        if (plan.position_steps or plan.paired_steps) and int(cell.start) >= plan.flat_at:
            self.close_plan(plan, plan.flat_reason)

    def pass_time(self, now: int) -> None:
        """Time has passed, with or without a price: leave what is to be flat by now.

        An order to a venue is on its way for a while, and the next price may be long in coming.
        """
        self.now = max(self.now, now)
        for plan in self._plans:
            is_due = plan.flat_at <= now < int(plan.cell["close_at"][0])
            if is_due and (plan.position_steps or plan.paired_steps):
                if plan.leaving:
                    self._close_again(plan)
                else:
                    self.close_plan(plan, plan.flat_reason)

    @property
    def _is_locked(self) -> bool:
        return self._supervisor is not None and bool(self._supervisor.limits[0].locked)

    def mark(self, symbol: str, price: float, spread: float, ts: int) -> None:
        """Take a price of a symbol; where the venue does not watch the guard's floors, do it."""
        self.now = max(self.now, ts)
        moved = False
        for plan in self._plans:
            if plan.symbol == symbol:
                held = float(plan.cell["spread"][0]) if spread != spread else spread
                plan.mark(price, held, ts)
                moved = moved or plan.position_steps != 0
                if plan.leaving:
                    self._close_again(plan)
        moved = self.hands.mark(symbol, price, 0.0 if spread != spread else spread) or moved
        if moved:
            self._value_account()
            if not self.capabilities.keeps_floors:
                self._watch_floors()
        if self.brackets.lost or self.brackets.uneven:
            self._mend()
        if self.strangers.waiting:
            self.strangers.place()

    def _close_again(self, plan: LivePlan) -> None:
        """Ask again for a close that was refused."""
        if plan.position_steps and self.now - plan.left_at >= self.terms.retry_ns:
            plan.left_at = self.now
            self.close_plan(plan, plan.leaving)

    def _mend(self) -> None:
        """Put back stops that vanished; a venue that closes at a floor has ended them itself."""
        if not (self.capabilities.keeps_floors and self._is_locked):
            self.brackets.mend(self.now, self.terms.mend_ns)

    def finish_bar(self, plan: LivePlan, bar: np.record) -> None:
        """A plan's bar is over and told: note the equity at its END."""
        self.now = max(self.now, int(bar.end))
        for other in self._plans:  # history: a hand may order before the first live bar
            if other.symbol == plan.symbol and not other.start:
                other.begin_day(int(bar.day), int(bar.start))
        self._ends.append(int(bar.end))
        self._equities.append(self._value)
