"""What happens at the paper exchange between two commits: first written, then told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from brokers.paper.ledger import AccountRow, Entry, PaperLedger
from brokers.paper.orders import PaperOrder
from core.errors import BrokerError
from core.events import CashFlow, Event, Execution
from core.matching.live_book import KeptBook


class Turn:
    """Gathers rows and events until they are committed together.

    Attributes
    ----------
    is_changed : something is to be written.
    sent, arrived : requests that began, and ended, being on their way.
    """

    def __init__(self, ledger: PaperLedger, emit: Callable[[Event], None]) -> None:
        self._ledger = ledger
        self._emit = emit
        self._told: list[Event] = []
        self._has_failed = False
        self._begin()

    def _begin(self) -> None:
        self.is_changed = False
        self._orders: dict[int, PaperOrder] = {}
        self._fills: list[tuple[Any, ...]] = []
        self._cash: list[tuple[Any, ...]] = []
        self._gone: list[str] = []
        self.sent: list[tuple[int, int, str]] = []
        self.arrived: list[int] = []

    # -- what happens ------------------------------------------------------------------------

    def tell(self, event: Event) -> None:
        """Tell an event once all before it is committed."""
        self._told.append(event)

    def note_order(self, order: PaperOrder) -> None:
        """Write how an order stands when the turn ends."""
        self.is_changed = True
        self._orders[order.number] = order

    def note_fill(
        self, number: int, order: PaperOrder, execution: Execution, costs: float, pnl: float
    ) -> None:
        """Write a fill, and tell it."""
        self.is_changed = True
        self._fills.append(
            (
                number, order.number, order.order_id or None, order.plan_id, order.symbol,
                int(execution.side), execution.quantity, execution.price, execution.ts_event,
                execution.reason, execution.position_id, costs, pnl, execution.adverse,
                execution.favourable,
            )
        )  # fmt: skip
        self._told.append(execution)

    def note_cash(self, flow: CashFlow) -> None:
        """Write money that belongs to no fill, and tell it."""
        self.is_changed = True
        self._cash.append((flow.ts_event, flow.kind, flow.paid, flow.plan_id, flow.symbol))
        self._told.append(flow)

    def note_gone(self, book: str) -> None:
        """Write that a book is no more."""
        self.is_changed = True
        self._gone.append(book)

    # -- its end -----------------------------------------------------------------------------

    def commit(self, account: AccountRow, books: Iterable[KeptBook]) -> None:
        """Write all of it in one transaction.

        Raises
        ------
        BrokerError : it could not be written. Nothing is told, and nothing more can be done.
        """
        if self._has_failed:
            raise BrokerError(
                "the paper account's ledger could not be written before: what is on it is not what "
                "was done since; end the session and start it again"
            )
        entry = Entry(
            account, [order.row() for order in self._orders.values()], self._fills, self._cash,
            [tuple(book) for book in books], self._gone, self.sent, self.arrived,
        )  # fmt: skip
        try:
            self._ledger.write(entry)
        except BrokerError:
            self._has_failed = True
            self._told.clear()
            raise
        self._begin()

    def tell_all(self) -> None:
        """Tell what happened, in order."""
        told, self._told = self._told, []
        for event in told:
            self._emit(event)
