"""The live account: plans, tickets, freezes, and how long a position was without a stop."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from brokers.account import TradedAccount
from brokers.live_plan import LivePlan, LiveTicket, Part
from brokers.live_terms import LiveTerms
from brokers.orders import OrderBook, Whole, together
from brokers.other_hands import OtherHands
from brokers.port import Brackets
from core.errors import BrokerError
from core.events import AccountUpdate, PositionUpdate
from core.fx import FxRate, constant_rate
from core.instruments import Instrument
from core.orders import Fill, OrderKind
from core.ports import BREACH_DAY, BREACH_TRAIL


class LiveAccount(TradedAccount):
    """Plans on one live account; parameters and notes stand at `LiveBroker`.

    Attributes
    ----------
    terms : LiveTerms
    book : OrderBook
        All orders heard of, ours and others'.
    now : market time of the last thing heard, ns UTC. day_began : when its trading day was first
        heard of.
    protected_after : (plan_id, ns) of each time a position got its stop, newest last.
    hands : OtherHands
        What other hands hold on this account.
    on_fill : called with each fill booked.
    on_refused : called with each order the venue turned down, and with what it said.
    """

    port: Any
    outbox: Any
    capabilities: Any
    follows_path = True
    """The guard's `limits.low_equity` holds the lowest equity of every price heard."""

    ambiguous_bars = 0

    def __init__(self, cash: float, account_currency: str, terms: LiveTerms) -> None:
        self.terms = terms
        self.on_fill: Callable[[Fill], None] = lambda fill: None
        self.on_refused: Callable[[LiveTicket, str], None] = lambda ticket, said: None
        self.hands = OtherHands()
        super().__init__(cash, account_currency)

    def add_instrument(
        self, data: Any, instrument: Instrument, plan_id: str, fx: float | FxRate = 1.0
    ) -> None:
        """Let a feed be traded, as this plan's view of an instrument."""
        if not isinstance(fx, FxRate):
            fx = constant_rate(instrument.quote_currency, self.account_currency, float(fx))
        self.add_plan(LivePlan(data, instrument, plan_id, fx))
        self.hands.add_instrument(data, instrument, fx)

    def init(self) -> None:
        """Begin a session: flat, nothing heard. Called by Backtrader."""
        super().init()
        self.book = OrderBook()
        self.now = self.day_began = 0
        self.protected_after: deque[tuple[str, int]] = deque(maxlen=64)
        self.hands.reset()
        self._tickets: dict[str, LiveTicket] = {}
        self._by_ref: dict[int, LiveTicket] = {}
        self._order_count = 0
        self.venue_account: AccountUpdate | None = None
        self._flows: set[str] = set()
        self.venue_positions: dict[tuple[str, str], PositionUpdate] = {}

    # -- plans and orders --------------------------------------------------------------------

    @property
    def plans(self) -> Sequence[LivePlan]:
        """The plans of this account."""
        return self._plans

    def plan_named(self, plan_id: str) -> LivePlan | None:
        """Return the plan with an id, None without one."""
        for plan in self._plans:
            if plan.plan_id == plan_id:
                return plan  # type: ignore[no-any-return]
        return None

    def holds(self, symbol: str) -> bool:
        """Return whether a plan has a position in a symbol."""
        return any(plan.position_steps for plan in self._plans if plan.symbol == symbol)

    def tickets(self) -> list[LiveTicket]:
        """Return the orders that work, wait or are on their way, oldest first."""
        return [ticket for plan in self._plans for ticket in self.working_of(plan)]

    def working_of(self, plan: LivePlan) -> list[LiveTicket]:
        """Return a plan's orders that work, wait or are on their way, oldest first."""
        return list(plan.tickets.values())  # type: ignore[arg-type]

    def family_of(self, ticket: LiveTicket) -> list[LiveTicket]:
        """Return a bracket's orders, the parent first; an order alone is its own family."""
        return [self._tickets[order_id] for order_id in ticket.family]

    def ticket_of(self, order_id: str) -> LiveTicket | None:
        """Return the order that an id of ours (of any of its parts) stands for."""
        return self._tickets.get(order_id)

    def order_id_of(self, ref: int) -> str:
        """Return our id of the order Backtrader knows by a number, "" for none."""
        ticket = self._by_ref.get(ref)
        return "" if ticket is None else ticket.order_id

    def heard_of(self, ticket: LiveTicket) -> Whole:
        """Return what is known of an order: of all its parts together."""
        if len(ticket.parts) == 1:
            return together((self.book.sent(ticket.parts[0].order_id),))
        current = [self.book.sent(part.order_id) for part in ticket.current]
        retired = [self.book.sent(part.order_id) for part in ticket.parts if part.is_retired]
        return together(current, retired)

    def parts_at_work(self, ticket: LiveTicket) -> list[Part]:
        """Return the parts of an order of which more may fill."""
        return [part for part in ticket.parts if not self.book.sent(part.order_id).is_over]

    def is_done(self, ticket: LiveTicket) -> bool:
        """Whether no more of an order can fill, a change on its way included."""
        whole = self.heard_of(ticket)
        if not whole.is_over:
            return False
        grows = ticket.asked is not None and not whole.status.is_end
        return not grows or whole.filled >= (ticket.asked or 0.0) - 1e-9

    def get_orders_open(self, safe: bool = False) -> list[Any]:
        """Return the orders that work or wait (copies with `safe`)."""
        orders = [ticket.order for ticket in self.tickets()]
        return [order.clone() if safe else order for order in orders if order.alive()]

    def standing(self, strategy: Any) -> int:
        """Return 2 (orders may be at work): a live session skips no bar."""
        return 2

    def is_frozen(self, symbol: str) -> bool:
        """Whether an order of a symbol may or may not be at the venue: no new entry until known."""
        return any(
            self.book.sent(part.order_id).is_uncertain
            for ticket in self.tickets()
            if ticket.plan.symbol == symbol
            for part in ticket.parts
        )

    def forget(self, ticket: LiveTicket) -> None:
        """Note that an order is over; it stays known, for what may still be heard of it."""
        ticket.is_over = True
        ticket.plan.tickets.pop(int(ticket.order.ref), None)

    def note_live(self, plan: LivePlan) -> None:
        """Note whether a plan has a position or an order at work."""
        plan.live = plan.position_steps != 0 or bool(plan.tickets)

    def unapproved(self) -> BrokerError:
        """Return the error of an order that did not come through the guard."""
        return BrokerError(
            "the live broker takes approved orders only: "
            "use cerebro.setbroker(Guard(broker)) instead of cerebro.setbroker(broker)"
        )

    def note_restart(self) -> None:
        """The process that sent what is in flight has died: no answer to it will be heard."""
        self.settling.note_restart()
        if self.capabilities.takes_at_once:
            return
        self.position_prices.note_restart()
        for ticket in self.tickets():
            for part in ticket.current:
                part.is_orphan = self.book.sent(part.order_id).is_in_flight

    # -- protection --------------------------------------------------------------------------

    def look_at_protection(self, plan: LivePlan) -> None:
        """Note since when a position that needs a stop has none that covers it."""
        needed = plan.stopped_steps
        if not needed:
            plan.unprotected_since = None
            return
        covered = sum(self.covers(ticket) for ticket in self.working_of(plan) if ticket.is_stop)
        if covered < needed:
            if plan.unprotected_since is None:
                plan.unprotected_since = self.now
        elif plan.unprotected_since is not None:
            self.protected_after.append((plan.plan_id, self.now - plan.unprotected_since))
            plan.unprotected_since = None

    def covers(self, ticket: LiveTicket) -> int:
        """Return the lot steps that a stop covers at the venue, as far as the venue has said so."""
        if ticket.lost_at is not None or ticket.is_held or not ticket.is_accepted:
            return 0
        if ticket.is_native and self.capabilities.brackets is Brackets.ON_POSITION:
            stands = not self.capabilities.prices_follow_fill or ticket.parts[-1].price is not None
            return ticket.remaining if stands else 0
        at_venue = [self.book.sent(part.order_id) for part in ticket.parts]
        left = sum(order.quantity - order.filled for order in at_venue if order.is_alive)
        return int(ticket.plan.steps_of(left))

    @property
    def is_settled(self) -> bool:
        """Whether nothing is on its way: all we sent has been answered, what goes to the market at
        once has filled, and each position that needs a stop has it."""
        return not any(map(_is_on_its_way, self.tickets())) and not any(
            plan.unprotected_since is not None for plan in self._plans
        )

    def check_protection(self, now: int, limit_ns: int) -> list[LivePlan]:
        """Return the plans whose position has been without a working stop for longer than that.

        Time in which the market is shut does not count: nothing can happen then, nor be done.

        Parameters
        ----------
        now : market time, ns UTC.
        """
        return [
            plan
            for plan in self._plans
            if plan.unprotected_since is not None
            and now - plan.unprotected_since > limit_ns
            and not 0 < int(plan.cell["close_at"][0]) <= now
        ]

    # -- money -------------------------------------------------------------------------------

    def _roll_day(self, day: int) -> None:
        self._day, self.day_began = day, self.now
        for plan in self._plans:
            plan.begin_day(day, self.now)
            if plan.unprotected_since is not None:
                plan.unprotected_since = self.now
        self.hands.begin_day(day, self.now)
        if self._supervisor is not None:
            self._supervisor.on_day(day, self._value, self._balance)

    def _value_account(self) -> None:
        """Cache equity and cash; Backtrader asks for both several times a bar."""
        opened, margin = self.hands.open_pnl, self.hands.margin
        for plan in self._plans:
            opened += plan.open_pnl
            margin += plan.margin
        self._value = float(self._balance + opened)
        self._cash = float(self._value - margin)

    def pay(self, money: float) -> None:
        """Book money that leaves the account, or comes in if negative."""
        self._balance -= money
        self._value_account()

    def _watch_floors(self) -> None:
        """Test the guard's floors at this price; one met cancels, flattens and locks."""
        if self._supervisor is None:
            return
        limits, equity = self._supervisor.limits[0], self._value
        limits.low_equity = min(limits.low_equity, equity)
        if limits.trail_intraday and equity > limits.trail_peak:
            limits.trail_peak = equity
            floor = min(equity - limits.trail_amount, limits.trail_lock)
            limits.trail_floor = max(limits.trail_floor, floor)
        if limits.locked or equity > max(limits.day_floor, limits.trail_floor):
            return
        is_trail = limits.trail_floor > limits.day_floor
        limits.breach = BREACH_TRAIL if is_trail else BREACH_DAY
        limits.locked = 1
        limits.breach_equity, limits.breach_price = equity, float("nan")
        self.flatten("trailing_drawdown" if is_trail else "daily_loss")
        self._supervisor.on_breach(self.now)

    def flatten(self, reason: str) -> None:
        """Cancel every order and close every position at the next price."""
        raise NotImplementedError

    def log(
        self, ticket: LiveTicket, state: str, reason: str = "", price: float | None = None
    ) -> None:
        """Write one row of orders.csv; working orders stand in their plan's tickets."""
        if state == "submitted":
            ticket.plan.tickets[int(ticket.order.ref)] = ticket
        self.orders_log.add(ticket.order, state, self.now, reason, price)


def _is_on_its_way(ticket: LiveTicket) -> bool:
    if ticket.is_held:
        return False
    return not ticket.is_accepted or ticket.changing > 0 or ticket.kind is OrderKind.MARKET
