"""Kite's order desk: forms become orders by Kite's rules, and orders become Kite's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from brokers.kite.wire import Order, Trade, ist_text
from core.events import OrderStatus
from core.orders import OrderKind
from sandbox.exchange import Exchange
from sandbox.kite.contracts import ContractList
from sandbox.kite.forms import NAMES, Form, Forms, prices_of
from sandbox.kite.replies import KiteFault, of_refusal
from sandbox.kite.settings import KiteSettings
from sandbox.orders import Author, BoxFill, BoxOrder, OrderTerms, Refused

_ENDS = {
    OrderStatus.FILLED: "COMPLETE",
    OrderStatus.CANCELLED: "CANCELLED",
    OrderStatus.EXPIRED: "CANCELLED",
    OrderStatus.REJECTED: "REJECTED",
}
TOLD = ("COMPLETE", "CANCELLED", "REJECTED", "UPDATE")
"""States that postbacks and the stream tell of; placing alone is not told."""


class Desk:
    """Takes Kite's order requests.

    Parameters
    ----------
    number : returns the number of a new order.
    tell : called with the user and the row of an order that postbacks would tell of.

    Attributes
    ----------
    history : by order number, the row of every state it was in, oldest first.
    fills : of all orders, oldest first.
    """

    def __init__(
        self,
        exchange: Exchange,
        contracts: ContractList,
        settings: KiteSettings,
        number: Callable[[], int],
        tell: Callable[[str, Order], None],
    ) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._settings = settings
        self.forms = Forms(exchange, contracts, settings)
        self._number = number
        self._tell = tell
        self.history: dict[int, list[Order]] = {}
        self.fills: list[BoxFill] = []
        self._changes: dict[int, int] = {}

    # -- requests ----------------------------------------------------------------------------

    def place(self, user: str, variety: str, form: Form) -> list[int]:
        """Take an order form; return the numbers of its orders, several where it was sliced.

        Raises
        ------
        KiteFault : Kite would not take it.
        """
        wanted = self.forms.read(variety, form)
        return [self._place(user, terms, variety) for terms in wanted]

    def _place(self, user: str, terms: OrderTerms, variety: str) -> int:
        number, account = self._number(), self._exchange.accounts[user]
        if self._settings.margin_refusal == "error":
            trial = BoxOrder(number, user, Author.CLIENT, terms, self._exchange.now)
            short = account.shortfall(self._exchange, trial)
            if short > 0:
                raise KiteFault("MarginException", f"Insufficient funds: {short:.2f} is missing.")
        self._exchange.place(user, number, terms, waits_for_open=variety == "amo")
        return number

    def modify(self, user: str, number: int, form: Form) -> None:
        """Change an order.

        Raises
        ------
        KiteFault : it cannot be changed.
        """
        order = self.order(user, number)
        if order.changes >= self._settings.max_modifications:
            raise KiteFault("OrderException", "Maximum allowed order modifications exceeded.")
        after = self.forms.changed(order.terms, order.filled, form)
        try:
            self._exchange.change(
                user, number, kind=after.kind, quantity=after.quantity, price=after.price,
                limit_price=after.limit_price, protection=after.protection,
                reference=after.reference,
            )  # fmt: skip
        except Refused as refused:
            raise of_refusal(refused) from None

    def cancel(self, user: str, number: int) -> None:
        """Cancel an order.

        Raises
        ------
        KiteFault : it cannot be cancelled.
        """
        self.order(user, number)
        try:
            self._exchange.cancel(user, number)
        except Refused as refused:
            raise of_refusal(refused) from None

    def order(self, user: str, number: int) -> BoxOrder:
        """Return a user's order.

        Raises
        ------
        KiteFault : there is none.
        """
        try:
            return self._exchange.order(user, number)
        except Refused:
            raise KiteFault("OrderException", "Couldn't find that `order_id`.", 404) from None

    # -- what became of orders ---------------------------------------------------------------

    def order_changed(self, order: BoxOrder) -> None:
        """Note the state an order has entered, and those Kite shows on the way to it."""
        rows = self.history.setdefault(order.number, [])
        before = rows[-1] if rows else None
        for status in self._statuses(order, before):
            rows.append(self._row(order, status))
        self._changes[order.number] = order.changes
        now = rows[-1]
        is_part = (
            now.status == "OPEN"
            and before is not None
            and (now.filled_quantity > before.filled_quantity)
        )
        is_changed = (
            before is not None
            and before.status in ("OPEN", "TRIGGER PENDING")
            and ("MODIFIED" in [row.status for row in rows[-2:-1]])
        )
        if now.status in TOLD:
            self._tell(order.account, now)
        elif is_part or is_changed:
            self._tell(order.account, self._row(order, "UPDATE"))

    def _statuses(self, order: BoxOrder, before: Order | None) -> Iterator[str]:
        if order.status is OrderStatus.RECEIVED:
            yield "AMO REQ RECEIVED" if order.waits_for_open else "PUT ORDER REQ RECEIVED"
            return
        shown = "" if before is None else before.status
        if shown in ("PUT ORDER REQ RECEIVED", "AMO REQ RECEIVED"):
            yield "VALIDATION PENDING"
            if order.status is OrderStatus.REJECTED:
                yield "REJECTED"
                return
            yield "OPEN PENDING"
        resting = self._resting(order)
        if order.status is OrderStatus.WORKING:
            if order.changes > self._changes.get(order.number, 0):
                yield from ("MODIFY VALIDATION PENDING", "MODIFY PENDING", "MODIFIED")
            yield resting
            return
        if order.status is OrderStatus.FILLED and shown == "TRIGGER PENDING":
            yield "OPEN"
        if order.status is OrderStatus.CANCELLED:
            yield "CANCEL PENDING"
        yield _ENDS[order.status]

    def _resting(self, order: BoxOrder) -> str:
        is_stop = order.terms.kind in (OrderKind.STOP, OrderKind.STOP_LIMIT)
        return "TRIGGER PENDING" if is_stop and not order.is_triggered else "OPEN"

    def _row(self, order: BoxOrder, status: str) -> Order:
        terms, fields = order.terms, order.terms.fields
        listed = self._contracts.ever(terms.contract)
        trigger, limit = prices_of(terms)
        name = NAMES[terms.kind]
        protection = float(fields.get("protection", 0.0))
        if self._settings.shows_protected_as_limit and protection and name == "MARKET":
            name, protection = "LIMIT", 0.0
        left = round(order.left)
        is_gone = status in ("CANCELLED", "REJECTED")
        at_exchange = status not in (
            "PUT ORDER REQ RECEIVED", "AMO REQ RECEIVED", "VALIDATION PENDING", "OPEN PENDING",
            "REJECTED",
        )  # fmt: skip
        return Order(
            str(order.number), status, listed.row.exchange, listed.row.tradingsymbol,
            listed.row.instrument_token, terms.side.name, name, terms.product,
            round(terms.quantity), str(fields.get("variety", "regular")),
            str(fields.get("validity", "DAY")), limit or 0.0, trigger or 0.0,
            round(order.average, 6), round(order.filled),
            # A cancelled order shows its remainder twice.
            pending_quantity=0 if status == "REJECTED" else left,
            cancelled_quantity=left if is_gone else 0,
            market_protection=protection,
            exchange_order_id=str(10**15 + order.number % 10**13) if at_exchange else None,
            status_message=(order.reason or None) if status == "REJECTED" else None,
            status_message_raw=(order.reason or None) if status == "REJECTED" else None,
            order_timestamp=order.changed + self._exchange.skew_ns,
            exchange_update_timestamp=order.changed + self._exchange.skew_ns if at_exchange else 0,
            exchange_timestamp=order.changed + self._exchange.skew_ns if at_exchange else 0,
            modified=order.changes > 0,
            tag=terms.tag or None, tags=(terms.tag,) if terms.tag else (),
            guid=f"guid{order.number % 10**9}", placed_by=order.account,
        )  # fmt: skip

    def book(self, user: str) -> list[Order]:
        """Return the day's orders of a user as they stand."""
        return [
            rows[-1] for number, rows in self.history.items()
            if self._exchange.orders[number].account == user and self._is_of_day(number)
        ]  # fmt: skip

    def _is_of_day(self, number: int) -> bool:
        order = self._exchange.orders[number]
        symbol = self._exchange.contracts[order.terms.contract].symbol
        return order.is_working or order.changed >= self._exchange.day_began(symbol)

    def trades(self, user: str, number: int | None = None) -> list[Trade]:
        """Return the day's fills of a user, of one order or all."""
        return [
            self._trade(fill) for fill in self.fills
            if fill.account == user and fill.order and number in (None, fill.order)
            and (number is not None or self._is_of_day(fill.order))
        ]  # fmt: skip

    def _trade(self, fill: BoxFill) -> Trade:
        row = self._contracts.ever(fill.contract).row
        ts = fill.ts + self._exchange.skew_ns
        number = 9_999_999 + self._settings.first_number + fill.number
        return Trade(
            str(number), str(fill.order), row.exchange, row.tradingsymbol,
            row.instrument_token, fill.side.name, fill.product, round(fill.quantity), fill.price,
            ts, str(10**15 + fill.order % 10**13), ts, (ist_text(ts) or "")[11:],
        )  # fmt: skip
