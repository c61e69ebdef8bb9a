"""A venue's own books against ours: what differs, by name.

Pure functions: `compare` looks at a snapshot and at what the broker believes, and acts on nothing.
A failed snapshot is unknown, never flat: it is not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from core.events import OrderStatus, OrderUpdate, PositionUpdate, Snapshot
from core.orders import Role, Side

_DUST = 1e-9


@dataclass(frozen=True, slots=True)
class Difference:
    """Base of all differences. plan_id : whose, "" where it is no plan's."""

    symbol: str = field(default="", kw_only=True)
    plan_id: str = field(default="", kw_only=True)

    def describe(self) -> str:
        """Return one line for a person."""
        raise NotImplementedError

    @property
    def _whose(self) -> str:
        return " ".join(part for part in (self.plan_id, self.symbol) if part) + ": "

    @property
    def is_foreign(self) -> bool:
        """Whether another hand made it."""
        return False


@dataclass(frozen=True, slots=True)
class MissingOrder(Difference):
    """An order of ours that should work is not among the venue's."""

    order_id: str
    role: Role

    def describe(self) -> str:
        """Return one line for a person."""
        return f"{self._whose}the venue does not have our {self.role.name.lower()} {self.order_id}"


@dataclass(frozen=True, slots=True)
class StopMissing(Difference):
    """A position's protecting stop is not among the venue's orders, nor on its position."""

    order_id: str
    quantity: float

    def describe(self) -> str:
        """Return one line for a person."""
        return f"{self._whose}no stop at the venue for {self.quantity:g} ({self.order_id} is gone)"


@dataclass(frozen=True, slots=True)
class UnknownOrder(Difference):
    """An order works that is none of ours; it is left alone."""

    venue_order_id: str
    side: Side | None
    quantity: float | None
    price: float | None

    def describe(self) -> str:
        """Return one line for a person."""
        side = "order" if self.side is None else self.side.name.lower()
        size = "" if self.quantity is None else f" {self.quantity:g}"
        price = "" if self.price is None else f" @ {self.price:g}"
        return f"{self._whose}{side}{size}{price} ({self.venue_order_id}) is not ours"

    @property
    def is_foreign(self) -> bool:
        """Whether another hand made it."""
        return True


@dataclass(frozen=True, slots=True)
class TermsDiffer(Difference):
    """An order of ours stands at the venue with other terms than we asked for."""

    order_id: str
    term: str
    ours: float
    theirs: float

    def describe(self) -> str:
        """Return one line for a person."""
        return f"{self._whose}{self.order_id} has {self.term} {self.theirs:g}, not {self.ours:g}"


@dataclass(frozen=True, slots=True)
class StopMoved(Difference):
    """Another hand moved a protecting stop. is_undone : it is sent back."""

    order_id: str
    ours: float
    theirs: float
    adds_risk: bool
    is_undone: bool = False

    def describe(self) -> str:
        """Return one line for a person."""
        risk = "more" if self.adds_risk else "less"
        what = "restored" if self.is_undone else "left there"
        return (
            f"{self._whose}stop {self.order_id} moved from {self.ours:g} to {self.theirs:g}: "
            f"{risk} risk, {what}"
        )

    @property
    def is_foreign(self) -> bool:
        """Whether another hand made it."""
        return True


@dataclass(frozen=True, slots=True)
class PositionDiffers(Difference):
    """Signed quantities of an instrument differ, and no fill that was told explains it."""

    ours: float
    theirs: float

    @property
    def is_foreign(self) -> bool:
        """Whether another hand made it: nothing we know of did."""
        return True

    def describe(self) -> str:
        """Return one line for a person."""
        return (
            f"{self._whose}the venue holds {self.theirs:g}, our books {self.ours:g} "
            f"({self.theirs - self.ours:+g})"
        )


@dataclass(frozen=True, slots=True)
class UnknownExecution(Difference):
    """A fill of no order of ours. plan_id : whose position it closed, "" for none."""

    fill_id: str
    side: Side
    quantity: float
    price: float

    def describe(self) -> str:
        """Return one line for a person."""
        what = "closed by another hand" if self.plan_id else "filled for another hand"
        return f"{self._whose}{self.side.name.lower()} {self.quantity:g} @ {self.price:g} {what}"

    @property
    def is_foreign(self) -> bool:
        """Whether another hand made it."""
        return True


@dataclass(frozen=True, slots=True)
class BalanceDiffers(Difference):
    """Balances differ by more than is tolerated, account currency."""

    ours: float
    theirs: float

    def describe(self) -> str:
        """Return one line for a person."""
        return (
            f"balance: the venue says {self.theirs:.2f}, our books {self.ours:.2f} "
            f"({self.theirs - self.ours:+.2f})"
        )


@dataclass(frozen=True, slots=True)
class BelievedOrder:
    """An order of ours as the broker believes it to stand.

    venue_order_ids : every id of the venue's heard for it. quantity : what is left of it.
    price : where it is to stand. is_shown : the venue's order book would list it. is_settled :
    nothing asked of it is in flight. heard_at : of its last sign of life, ns UTC.
    on_position : it is a price of a position.
    """

    order_id: str
    venue_order_ids: frozenset[str]
    plan_id: str
    symbol: str
    role: Role
    quantity: float
    price: float | None
    is_shown: bool = True
    is_settled: bool = True
    heard_at: int = 0
    on_position: bool = False


@dataclass(frozen=True, slots=True)
class Believed:
    """What the broker believes of the account.

    orders : those that work. ours : every order id of ours, ended ones too.
    positions : signed quantity by symbol, other hands' included where they were heard of.
    unsettled : symbols of which something is in flight, so that their positions may differ.
    balance_tolerance : None: balances are not compared.
    """

    orders: tuple[BelievedOrder, ...] = ()
    ours: frozenset[str] = frozenset()
    positions: Mapping[str, float] = field(default_factory=dict)
    unsettled: frozenset[str] = frozenset()
    balance: float = 0.0
    balance_tolerance: float | None = None


def compare(snapshot: Snapshot, believed: Believed) -> list[Difference]:
    """Return what differs between a venue's books and ours; a failed snapshot is not compared."""
    if snapshot.error:
        return []
    return [
        *_missing(snapshot, believed),
        *_unknown(snapshot, believed),
        *_positions(snapshot, believed),
        *_balance(snapshot, believed),
    ]


def quantities_of(snapshot: Snapshot, believed: Believed) -> list[Difference]:
    """Return which orders have another quantity left than was believed before the snapshot.

    Prices are judged where they are heard (`brokers.moves`).
    """
    found: list[Difference] = []
    for order in believed.orders:
        update = find_order(snapshot, order)
        if update is None or not order.is_settled or update.status.is_end:
            continue
        if update.quantity is not None:
            left = update.quantity - update.filled
            if abs(left - order.quantity) > _DUST * max(1.0, order.quantity):
                named = {"symbol": order.symbol, "plan_id": order.plan_id}
                found.append(TermsDiffer(order.order_id, "quantity", order.quantity, left, **named))
    return found


def find_order(snapshot: Snapshot, order: BelievedOrder) -> OrderUpdate | None:
    """Return what a snapshot says of an order of ours, None where it lacks it."""
    for update in snapshot.orders:
        if order.order_id in (update.order_id, update.tag):
            return update
        if update.venue_order_id in order.venue_order_ids:
            return update
    return None


def _missing(snapshot: Snapshot, believed: Believed) -> Iterator[Difference]:
    for order in believed.orders:
        if order.heard_at >= snapshot.asked_at or not order.is_settled:
            continue
        named = {"symbol": order.symbol, "plan_id": order.plan_id}
        if order.on_position:
            if order.role is Role.STOP and _has_lost_stop(snapshot, order):
                yield StopMissing(order.order_id, order.quantity, **named)
        elif order.is_shown and find_order(snapshot, order) is None:
            if order.role is Role.STOP:
                yield StopMissing(order.order_id, order.quantity, **named)
            else:
                yield MissingOrder(order.order_id, order.role, **named)


def _has_lost_stop(snapshot: Snapshot, order: BelievedOrder) -> bool:
    """Whether the venue holds positions of an order's symbol and none of them has a stop."""
    held = [item for item in snapshot.positions if item.symbol == order.symbol and item.quantity]
    return bool(held) and all(item.stop is None for item in held)


def _unknown(snapshot: Snapshot, believed: Believed) -> Iterator[Difference]:
    known = {item for order in believed.orders for item in order.venue_order_ids}
    for update in snapshot.orders:
        is_ours = update.order_id in believed.ours or update.tag in believed.ours
        if is_ours or update.venue_order_id in known or update.status >= OrderStatus.EXPIRED:
            continue
        yield UnknownOrder(
            update.venue_order_id, update.side, update.quantity, update.price, symbol=update.symbol
        )


def _positions(snapshot: Snapshot, believed: Believed) -> Iterator[Difference]:
    theirs = net_positions(snapshot.positions)
    for symbol in sorted({*theirs, *believed.positions}):
        ours, held = believed.positions.get(symbol, 0.0), theirs.get(symbol, 0.0)
        if symbol not in believed.unsettled and abs(ours - held) > _DUST * max(1.0, abs(held)):
            yield PositionDiffers(ours, held, symbol=symbol)


def net_positions(positions: tuple[PositionUpdate, ...]) -> dict[str, float]:
    """Return the signed quantity of each symbol, over all its positions."""
    net: dict[str, float] = {}
    for item in positions:
        net[item.symbol] = net.get(item.symbol, 0.0) + item.quantity
    return net


def _balance(snapshot: Snapshot, believed: Believed) -> Iterator[Difference]:
    account, most = snapshot.account, believed.balance_tolerance
    if account is None or most is None or believed.unsettled:
        return
    if abs(account.balance - believed.balance) > most:
        yield BalanceDiffers(believed.balance, account.balance)
