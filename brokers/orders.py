"""What is known of orders at a venue: a join of everything heard, so disorder cannot matter.

Streams repeat themselves, overtake each other and fall silent. So nothing here is a transition
that must come in its turn: an order is the highest status heard, the newest terms heard and the
set of executions heard. Joining is commutative, associative and idempotent; the same things heard
in any order, any number of times, end in the same book.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from core.events import Answer, Execution, OrderStatus, OrderUpdate, Outcome, Verb

_DUST = 1e-9
"""Quantities nearer than this share of each other are equal."""

_ANSWERED = {
    Outcome.ACCEPTED: OrderStatus.RECEIVED,
    Outcome.REFUSED: OrderStatus.REFUSED,
    Outcome.UNKNOWN: OrderStatus.UNKNOWN,
}

Term = tuple[int, float]
"""One term of an order with the version that set it; the higher version holds."""
UNHEARD: Term = (-1, 0.0)

Heard = OrderUpdate | Execution | Answer
"""The events that tell of an order."""


@dataclass(frozen=True, slots=True)
class KnownOrder:
    """Everything heard of one order.

    Attributes
    ----------
    order_id : ours, "" for an order that is not. venue_order_ids : every id heard for it.
    status, reason : the highest heard, and the text that came with it.
    ordered, price, limit_price : terms with the version that set them.
    refusal : text of the no its sending was answered with (or of the evidence that it never
        arrived); None without one. It stays, whatever life is heard of after it.
    reported : the most the venue called filled.
    executions : each once, by time. filled : their quantity.
    parent_id, tag, symbol, side : as told, "" and 0 where they were not.
    """

    order_id: str = ""
    venue_order_ids: frozenset[str] = frozenset()
    status: OrderStatus = OrderStatus.CREATED
    reason: str = ""
    refusal: str | None = None
    ordered: Term = UNHEARD
    price: Term = UNHEARD
    limit_price: Term = UNHEARD
    reported: float = 0.0
    executions: tuple[Execution, ...] = ()
    parent_id: str = ""
    tag: str = ""
    symbol: str = ""
    side: int = 0
    filled: float = field(init=False, repr=False, compare=False, default=0.0)

    def __post_init__(self) -> None:
        if self.executions:
            total = sum([execution.quantity for execution in self.executions])
            object.__setattr__(self, "filled", total)

    def join(self, other: KnownOrder) -> KnownOrder:
        """Return what both together know."""
        status, reason = max((self.status, self.reason), (other.status, other.reason))
        return KnownOrder(
            order_id=max(self.order_id, other.order_id),
            venue_order_ids=self.venue_order_ids | other.venue_order_ids,
            status=status,
            reason=reason,
            refusal=_highest(self.refusal, other.refusal),
            ordered=max(self.ordered, other.ordered),
            price=max(self.price, other.price),
            limit_price=max(self.limit_price, other.limit_price),
            reported=max(self.reported, other.reported),
            executions=_union(self.executions, other.executions),
            parent_id=max(self.parent_id, other.parent_id),
            tag=max(self.tag, other.tag),
            symbol=max(self.symbol, other.symbol),
            side=max(self.side, other.side, key=lambda side: (abs(side), side)),
        )

    @property
    def quantity(self) -> float:
        """Quantity ordered, as last changed; 0 where none was heard."""
        return self.ordered[1]

    def execution(self, fill_id: str) -> Execution:
        """Return the fill with an id, as it is known best."""
        return next(item for item in self.executions if item.fill_id == fill_id)

    @property
    def average_price(self) -> float:
        """Average price of the executions heard, nan without one."""
        filled = self.filled
        if not filled:
            return float("nan")
        return sum(item.quantity * item.price for item in self.executions) / filled

    @property
    def missing(self) -> float:
        """Quantity the venue calls filled whose executions were not heard: ask for them."""
        called = self.reported
        if self.status is OrderStatus.FILLED:
            called = max(called, self.quantity)
        left = called - self.filled
        return left if left > _DUST * max(called, 1.0) else 0.0

    @property
    def is_filled(self) -> bool:
        """Whether the executions heard fill it."""
        quantity = self.quantity
        return quantity > 0 and self.filled >= quantity * (1.0 - _DUST)

    @property
    def is_overfilled(self) -> bool:
        """Whether more was executed than was ordered."""
        return self.quantity > 0 and self.filled > self.quantity * (1.0 + _DUST)

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected of it: filled, or ended with all executions heard."""
        return self.is_filled or (self.status.is_end and not self.missing)

    @property
    def is_alive(self) -> bool:
        """Whether the venue has it, and more of it may fill."""
        return OrderStatus.RECEIVED <= self.status <= OrderStatus.WORKING and not self.is_over

    @property
    def is_uncertain(self) -> bool:
        """Whether it may or may not be at the venue: its instrument takes no new entry."""
        return self.status is OrderStatus.UNKNOWN

    @property
    def is_in_flight(self) -> bool:
        """Whether it was sent and nothing was heard of it that tells its fate."""
        return self.status <= OrderStatus.UNKNOWN

    @property
    def lives_though_refused(self) -> bool:
        """Whether it showed life at the venue that had said no to it."""
        return self.refusal is not None and (self.is_alive or bool(self.executions))


def asked_for(order_id: str, quantity: float) -> KnownOrder:
    """Return what is known of an order that is being sent; any word of the venue outranks it."""
    return KnownOrder(order_id, status=OrderStatus.SENT, ordered=(-1, quantity))


NEVER_ARRIVED = "never_arrived"
"""Refusal of an order that the venue's own order book lacks long after its sending."""


def refused(order_id: str, why: str) -> KnownOrder:
    """Return what is known of an order of which something else than its answer says no."""
    return KnownOrder(order_id, status=OrderStatus.REFUSED, reason=why, refusal=why)


def gone(order_id: str) -> KnownOrder:
    """Return what the venue's order book tells of an order that it had and lacks."""
    return KnownOrder(order_id, status=OrderStatus.CANCELLED, reason="not_at_venue")


def heard_of(event: Heard) -> KnownOrder:
    """Return what one event alone tells of its order."""
    ids = frozenset({event.venue_order_id} - {""})
    if isinstance(event, Answer):
        if event.verb is not Verb.SUBMIT:
            return KnownOrder(event.order_id, ids)
        refusal = event.reason if event.outcome is Outcome.REFUSED else None
        return KnownOrder(event.order_id, ids, _ANSWERED[event.outcome], event.reason, refusal)
    if isinstance(event, Execution):
        return KnownOrder(
            event.order_id,
            ids,
            OrderStatus.WORKING,
            executions=(event,),
            tag=event.tag,
            symbol=event.symbol,
            side=int(event.side),
        )
    return KnownOrder(
        event.order_id,
        ids,
        event.status,
        event.reason,
        ordered=_term(event.version, event.quantity),
        price=_term(event.version, event.price),
        limit_price=_term(event.version, event.limit_price),
        reported=event.filled,
        parent_id=event.parent_id,
        tag=event.tag,
        symbol=event.symbol,
        side=0 if event.side is None else int(event.side),
    )


def _highest(one: str | None, other: str | None) -> str | None:
    if one is None or other is None:
        return other if one is None else one
    return max(one, other)


def _term(version: int, value: float | None) -> Term:
    return UNHEARD if value is None else (version, value)


def _union(one: tuple[Execution, ...], other: tuple[Execution, ...]) -> tuple[Execution, ...]:
    """Return the executions of both, each once, in an order that does not depend on theirs."""
    if not one or not other:
        return one or other
    found = {item.fill_id: item for item in one}
    for item in other:
        held = found.get(item.fill_id, item)
        found[item.fill_id] = max(held, item, key=_telling)
    return tuple(sorted(found.values(), key=_when))


def _telling(execution: Execution) -> tuple[bool, int, str]:
    """Rank two tellings of one fill: the one with costs, then the later one, says more."""
    costs = execution.costs
    return costs is not None, execution.ts_event, repr(execution)


class Whole(NamedTuple):
    """What is known of several orders at the venue that carry one order of ours.

    executions : of all of them, each once, by time. filled : their quantity. missing : quantity
        called filled whose executions were not heard.
    is_alive : the venue has one of which more may fill. is_working : one works, or has filled.
    is_over : nothing more is expected of any. status, reason : the highest heard of those that are
        not filled.
    refusal : text of the no, where the venue said no to every one of them.
    """

    executions: tuple[Execution, ...]
    filled: float
    missing: float
    status: OrderStatus
    reason: str
    refusal: str | None
    is_alive: bool
    is_working: bool
    is_over: bool
    is_uncertain: bool


def together(orders: Sequence[KnownOrder], retired: Sequence[KnownOrder] = ()) -> Whole:
    """Return what is known of orders that are one of ours.

    Parameters
    ----------
    orders : those that carry it now. retired : those whose place they took.
    """
    if len(orders) == 1 and not retired:
        return _alone(orders[0])
    everything = [*retired, *orders]
    told = [order.executions for order in everything]
    refusals = [order.refusal for order in orders]
    refusal = max((text for text in refusals if text is not None), default=None)
    unfilled = [order for order in orders if not order.is_filled] or orders
    status, reason = max((order.status, order.reason) for order in unfilled)
    return Whole(
        tuple(sorted((item for part in told for item in part), key=_when)),
        sum(order.filled for order in everything),
        sum(order.missing for order in everything),
        status,
        reason,
        None if None in refusals else refusal,
        any(order.is_alive for order in everything),
        any(_has_worked(order) for order in everything),
        all(order.is_over for order in everything),
        any(order.is_uncertain for order in everything),
    )


def _alone(order: KnownOrder) -> Whole:
    return Whole(
        order.executions,
        order.filled,
        order.missing,
        order.status,
        order.reason,
        order.refusal,
        order.is_alive,
        _has_worked(order),
        order.is_over,
        order.is_uncertain,
    )


def _has_worked(order: KnownOrder) -> bool:
    return order.status is OrderStatus.WORKING or bool(order.executions)


def _when(execution: Execution) -> tuple[int, str]:
    return execution.ts_event, execution.fill_id


class OrderBook:
    """All orders heard of, ours and others', each under every id it is known by.

    An event may come before the answer that ties its venue id to our order; both are then two
    orders until something names both ids, and one from that moment on.
    """

    def __init__(self) -> None:
        self._orders: dict[int, KnownOrder] = {}
        self._place: dict[tuple[str, str], int] = {}
        self._count = 0

    def __iter__(self) -> Iterator[KnownOrder]:
        return iter(self._orders.values())

    def __len__(self) -> int:
        return len(self._orders)

    def hear(self, event: Heard) -> tuple[KnownOrder, KnownOrder]:
        """Take an event; return what was known of its order before, and what is known now."""
        return self.learn(heard_of(event))

    def learn(self, news: KnownOrder) -> tuple[KnownOrder, KnownOrder]:
        """Join knowledge of an order; return what was known before, and what is known now.

        Raises
        ------
        ValueError : it names no id: nothing says which order it tells of.
        """
        keys = _keys(news)
        if not keys:
            raise ValueError(f"an order without any id: {news}")
        places = sorted({self._place[key] for key in keys if key in self._place})
        if not places:
            self._count += 1
            return KnownOrder(), self._put(self._count, news)
        before = self._orders[places[0]]
        for place in places[1:]:
            before = before.join(self._orders.pop(place))
        return before, self._put(places[0], before.join(news))

    def _put(self, place: int, order: KnownOrder) -> KnownOrder:
        self._orders[place] = order
        for key in _keys(order):
            self._place[key] = place
        return order

    def ours(self, order_id: str) -> KnownOrder | None:
        """Return what is known of an order of ours, None if nothing is."""
        return self._find(("ours", order_id))

    def sent(self, order_id: str) -> KnownOrder:
        """Return what is known of an order that was sent."""
        return self._orders[self._place["ours", order_id]]

    def at_venue(self, venue_order_id: str) -> KnownOrder | None:
        """Return what is known of the order the venue calls so, None if nothing is."""
        return self._find(("venue", venue_order_id))

    def foreign(self) -> list[KnownOrder]:
        """Return the orders no id of ours was heard for: by another hand, or not yet answered."""
        return [order for order in self if not order.order_id]

    def uncertain(self) -> list[KnownOrder]:
        """Return the orders that were sent and never answered in any way."""
        return [order for order in self if order.is_uncertain]

    def _find(self, key: tuple[str, str]) -> KnownOrder | None:
        place = self._place.get(key)
        return None if place is None else self._orders[place]


def _keys(order: KnownOrder) -> list[tuple[str, str]]:
    ours = [("ours", order.order_id)] if order.order_id else []
    return ours + [("venue", item) for item in sorted(order.venue_order_ids)]
