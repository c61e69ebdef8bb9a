"""The orders of a paper account: who made them, how they stand, which ids were ever used."""

from __future__ import annotations

from collections.abc import Iterator

from brokers.paper.ledger import PaperLedger
from brokers.paper.orders import Author, PaperOrder, order_of
from brokers.paper.turn import Turn
from core.events import OrderStatus
from core.matching.live_book import LiveBook
from core.orders import OrderKind, Role, Side

_ALIVE = ("RECEIVED", "HELD", "WORKING")


class OrderRoll:
    """Orders that have not ended, by number and by the client's id; the others are in the ledger.

    Attributes
    ----------
    now : market time, ns UTC; set by the exchange. count : numbers given so far.
    """

    def __init__(self, ledger: PaperLedger, turn: Turn) -> None:
        self._ledger = ledger
        self._turn = turn
        self._orders: dict[int, PaperOrder] = {}
        self._numbers: dict[str, int] = {}
        self.now = 0
        self.count = ledger.numbers_from

    def __iter__(self) -> Iterator[PaperOrder]:
        return iter(self._orders.values())

    def __len__(self) -> int:
        return len(self._orders)

    def get(self, number: int) -> PaperOrder | None:
        """Return an order that has not ended, None for any other number."""
        return self._orders.get(number)

    def number_of(self, order_id: str) -> int:
        """Return the number of the order a client id was ever given to, 0 for none."""
        if not order_id:
            return 0
        return self._numbers.get(order_id) or self._ledger.number_of(order_id)

    def since(self, ts: int) -> list[PaperOrder]:
        """Return the orders that have not ended and those that ended since, oldest first.

        Without those of the exchange's own.
        """
        found = {order.number: order for order in self}
        for row in self._ledger.orders("changed >= ? AND author != 'exchange'", (ts,)):
            found.setdefault(row["number"], order_of(row))
        return [found[number] for number in sorted(found)]

    def take(
        self,
        author: Author,
        book: LiveBook,
        *,
        side: Side,
        quantity: float,
        kind: OrderKind,
        role: Role,
        order_id: str = "",
        price: float | None = None,
        limit_price: float | None = None,
        parent: int = 0,
        status: OrderStatus = OrderStatus.WORKING,
        reason: str = "",
    ) -> PaperOrder:
        """Give an order a number and keep it; its quantity in whole lots."""
        self.count += 1
        order = PaperOrder(
            self.count, order_id, author, book.key, book.plan_id, book.symbol, side,
            book.size(book.steps_of(quantity)), kind, role, price, limit_price, parent, status,
            0.0, reason, 0, self.now, self.now,
        )  # fmt: skip
        self._keep(order)
        self._note(order)
        return order

    def set_status(self, order: PaperOrder, status: OrderStatus, reason: str = "") -> None:
        """Note what has become of an order."""
        order.status = status
        order.reason = reason or order.reason
        self._note(order)
        if status.is_end:
            self._orders.pop(order.number, None)
            self._numbers.pop(order.order_id, None)

    def note_terms(self, order: PaperOrder, book: LiveBook) -> None:
        """Take an order's terms from its book: what is left of it, and where it stands."""
        slot = book.book.slot(order.number)
        if slot is None:
            return
        self.note_change(order, book.size(int(slot.quantity)), float(slot.price), float(slot.limit))

    def note_change(
        self, order: PaperOrder, left: float, price: float, limit: float = float("nan")
    ) -> None:
        """Take new terms of an order: what is left of it, and where it stands (NaN: as it did)."""
        order.quantity = round(order.filled + left, 9)
        order.price = order.price if price != price else price
        order.limit_price = order.limit_price if limit != limit else limit
        order.version += 1
        self._note(order)

    def tell(self, order: PaperOrder) -> None:
        """Tell how an order stands."""
        self._turn.tell(order.update(self.now))

    def restore(self, count: int) -> None:
        """Take up the orders that had not ended."""
        self.count = count
        marks = ", ".join("?" * len(_ALIVE))
        for row in self._ledger.orders(f"status IN ({marks})", _ALIVE):
            self._keep(order_of(row))

    def _keep(self, order: PaperOrder) -> None:
        self._orders[order.number] = order
        if order.order_id:
            self._numbers[order.order_id] = order.number

    def _note(self, order: PaperOrder) -> None:
        order.changed = self.now
        self._turn.note_order(order)
