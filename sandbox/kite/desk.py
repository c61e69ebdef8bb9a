"""Kite's order desk: forms become orders by Kite's rules, and orders become Kite's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from math import floor

from brokers.kite.wire import Order, Trade, ist_text
from core.events import OrderStatus
from core.instruments import InstrumentFacts
from core.orders import OrderKind, Side, TimeInForce
from sandbox.exchange import Exchange
from sandbox.faults import ORDER, FaultPlan, Kind
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.replies import KiteFault, of_refusal, wrong_input
from sandbox.kite.sessions import PRODUCTS
from sandbox.kite.settings import KiteSettings
from sandbox.orders import Author, BoxFill, BoxOrder, OrderTerms, Refused

Form = Mapping[str, str]

KINDS = {
    "MARKET": OrderKind.MARKET,
    "LIMIT": OrderKind.LIMIT,
    "SL": OrderKind.STOP_LIMIT,
    "SL-M": OrderKind.STOP,
}
_NAMES = {kind: name for name, kind in KINDS.items()}
_ENDS = {
    OrderStatus.FILLED: "COMPLETE",
    OrderStatus.CANCELLED: "CANCELLED",
    OrderStatus.EXPIRED: "CANCELLED",
    OrderStatus.REJECTED: "REJECTED",
}
TOLD = ("COMPLETE", "CANCELLED", "REJECTED", "UPDATE")
"""States that postbacks and the stream tell of; placing alone is not told."""
_LONGEST_TAG = 20
_MOST_SLICES = 20


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
        plan: FaultPlan,
        number: Callable[[], int],
        tell: Callable[[str, Order], None],
    ) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._settings = settings
        self._plan = plan
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
        if variety not in ("regular", "amo"):
            raise wrong_input(f"variety {variety}: this sandbox takes regular and amo orders")
        listed, terms = self._read(form)
        facts = self._exchange.facts(listed.symbol)
        self._check_hours(listed, variety)
        self._check_prices(listed, terms, facts)
        sizes = self._slices(terms.quantity, facts, form.get("autoslice", "") in ("true", "True"))
        made = []
        for size in sizes:
            made.append(self._place(user, replace(terms, quantity=size), variety, facts))
        return made

    def _place(self, user: str, terms: OrderTerms, variety: str, facts: InstrumentFacts) -> int:
        number, account = self._number(), self._exchange.accounts[user]
        fault = self._plan.strike(ORDER, terms.kind.name.lower(), self._exchange.now)
        if fault is not None and fault.kind is Kind.REJECT:
            self._exchange.reject(user, number, terms, fault.text or "RMS: as the plan says")
            return number
        held_back = 0.0
        if fault is not None:
            first = max(facts.lot, floor(fault.share * terms.quantity / facts.lot) * facts.lot)
            held_back = max(0.0, terms.quantity - first)
        if self._settings.margin_refusal == "error":
            trial = BoxOrder(number, user, Author.CLIENT, terms, self._exchange.now)
            short = account.shortfall(self._exchange, trial)
            if short > 0:
                raise KiteFault("MarginException", f"Insufficient funds: {short:.2f} is missing.")
        self._exchange.place(
            user, number, terms, held_back=held_back, waits_for_open=variety == "amo"
        )
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
        before = order.terms
        kind = KINDS.get(form.get("order_type", _NAMES[before.kind]))
        if kind is None:
            raise wrong_input("Invalid `order_type`.")
        trigger, limit = _prices_of(before)
        if "price" in form:
            limit = _number(form, "price")
        if "trigger_price" in form:
            trigger = _number(form, "trigger_price")
        quantity = _number(form, "quantity") if "quantity" in form else before.quantity
        if "quantity" in form and not self._settings.quantity_is_total:
            quantity += order.filled
        trigger, limit = _placed(kind, trigger, limit)
        after = replace(before, kind=kind, quantity=quantity, price=trigger, limit_price=limit)
        listed = self._contracts.ever(before.contract)
        self._check_prices(listed, after, self._exchange.facts(listed.symbol))
        try:
            self._exchange.change(
                user, number, kind=kind, quantity=quantity, price=after.price,
                limit_price=after.limit_price,
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

    # -- reading forms -----------------------------------------------------------------------

    def _read(self, form: Form) -> tuple[Listed, OrderTerms]:
        """Return what a form names and asks for."""
        key = f"{_text(form, 'exchange')}:{_text(form, 'tradingsymbol')}"
        listed = self._contracts.by_key(key)
        if listed is None or key.isdigit():
            raise wrong_input(
                "The instrument you are placing an order for has either expired or does not exist."
            )
        if listed.is_index:
            raise wrong_input("An index cannot be traded.")
        kind = KINDS.get(_text(form, "order_type"))
        side = {"BUY": Side.BUY, "SELL": Side.SELL}.get(_text(form, "transaction_type"))
        validity = form.get("validity", "DAY")
        product = _text(form, "product")
        if kind is None or side is None or validity not in ("DAY", "IOC", "TTL"):
            raise wrong_input("Invalid `order_type`, `transaction_type` or `validity`.")
        if product not in PRODUCTS:
            raise wrong_input("Invalid `product`.")
        if product == "CNC":
            raise wrong_input("Derivatives cannot be bought as CNC; use NRML or MIS.")
        tag = form.get("tag", "")
        if len(tag) > _LONGEST_TAG:
            raise wrong_input(f"`tag` should be at most {_LONGEST_TAG} characters.")
        protection = self._protection(form, kind, listed)
        last = self._exchange.last_price(listed.symbol)
        limit = _number(form, "price") if form.get("price") else None
        trigger = _number(form, "trigger_price") if form.get("trigger_price") else None
        price, limit_price = _placed(kind, trigger, limit)
        return listed, OrderTerms(
            key, side, _number(form, "quantity"), kind, price, limit_price,
            time_in_force=TimeInForce.IOC if validity == "IOC" else TimeInForce.DAY,
            protection=protection, reference=last if last == last else None, product=product,
            tag=tag, fields={"validity": validity, "variety": form.get("variety", "regular"),
                             "protection": _plain(form, "market_protection")},
        )  # fmt: skip

    def _protection(self, form: Form, kind: OrderKind, listed: Listed) -> float | None:
        """Return the share an order may slip, None for any."""
        if kind not in (OrderKind.MARKET, OrderKind.STOP):
            return None
        given = _plain(form, "market_protection")
        if given == 0.0:
            if self._settings.requires_protection:
                raise wrong_input(
                    "Market orders without market protection are not allowed via API. "
                    "Set `market_protection`."
                )
            return None
        if given == -1.0:
            last = self._exchange.last_price(listed.symbol)
            return next(share for below, share in self._settings.protection if not last >= below)
        if not 0.0 < given <= 100.0:
            raise wrong_input("Invalid `market_protection`.")
        return given / 100.0

    def _check_hours(self, listed: Listed, variety: str) -> None:
        is_open = self._exchange.is_open(listed.symbol)
        if variety == "regular" and not is_open:
            raise wrong_input("Markets are closed right now. Use `amo` to place an order.")
        if variety == "amo" and is_open:
            raise wrong_input("After market orders cannot be placed while the market is open.")

    def _check_prices(self, listed: Listed, terms: OrderTerms, facts: InstrumentFacts) -> None:
        if terms.quantity <= 0 or abs(terms.quantity / facts.lot % 1.0) > 1e-9:
            raise wrong_input(f"Quantity should be in multiples of {facts.lot:g}.")
        for price in (terms.price, terms.limit_price):
            if price is None:
                continue
            if price <= 0 or abs(price / facts.tick - round(price / facts.tick)) > 1e-6:
                raise wrong_input(f"Tick size for this instrument is {facts.tick:g}.")
            low, high = self.band(listed)
            if not low <= price <= high:
                raise wrong_input(f"Price is outside the circuit limits {low:g} to {high:g}.")
        trigger, limit = terms.price, terms.limit_price
        if trigger is not None and limit is not None and terms.side * (limit - trigger) < 0:
            raise wrong_input("Trigger price is on the wrong side of the limit price.")
        last = self._exchange.last_price(listed.symbol)
        if terms.kind not in (OrderKind.STOP, OrderKind.STOP_LIMIT) or trigger is None:
            return
        if self._settings.refuses_passed_trigger and terms.side * (trigger - last) < 0:
            word = ("buy", "below") if terms.side is Side.BUY else ("sell", "above")
            raise wrong_input(
                f"Trigger price for stoploss {word[0]} orders cannot be {word[1]} the last "
                f"price {last:g}."
            )

    def band(self, listed: Listed) -> tuple[float, float]:
        """Return the lowest and highest price of the day."""
        board = self._exchange.board
        close = board.shown(listed.symbol).previous_close
        tick = self._exchange.facts(listed.symbol).tick
        share = self._settings.circuit_share
        low, high = (round(close * (1 + sign * share) / tick) * tick for sign in (-1, 1))
        return round(low, 6), round(high, 6)

    def _slices(self, quantity: float, facts: InstrumentFacts, slices: bool) -> list[float]:
        if quantity <= facts.freeze_quantity:
            return [quantity]
        if not slices:
            raise wrong_input(
                f"Quantity is above the freeze quantity {facts.freeze_quantity:g}. Use `autoslice`."
            )
        largest = floor(facts.freeze_quantity / facts.lot) * facts.lot
        whole, rest = divmod(quantity, largest)
        sizes = [largest] * int(whole) + ([rest] if rest else [])
        if len(sizes) > _MOST_SLICES:
            raise wrong_input(f"An order may be sliced into {_MOST_SLICES} at most.")
        return sizes

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
        trigger, limit = _prices_of(terms)
        name = _NAMES[terms.kind]
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
        return Trade(
            str(10_000_000 + fill.number), str(fill.order), row.exchange, row.tradingsymbol,
            row.instrument_token, fill.side.name, fill.product, round(fill.quantity), fill.price,
            ts, str(10**15 + fill.order % 10**13), ts, (ist_text(ts) or "")[11:],
        )  # fmt: skip


def _placed(
    kind: OrderKind, trigger: float | None, limit: float | None
) -> tuple[float | None, float | None]:
    """Return price and limit price as the exchange has them, of Kite's trigger and limit.

    Raises
    ------
    KiteFault : one that the kind needs is missing.
    """
    if kind is OrderKind.MARKET:
        return None, None
    if kind is OrderKind.LIMIT:
        if limit is None:
            raise wrong_input("LIMIT orders need a `price`.")
        return limit, None
    if trigger is None:
        raise wrong_input("Stoploss orders need a `trigger_price`.")
    if kind is OrderKind.STOP:
        return trigger, None
    if limit is None:
        raise wrong_input("SL orders need a `price`.")
    return trigger, limit


def _prices_of(terms: OrderTerms) -> tuple[float | None, float | None]:
    """Return an order's trigger and limit as Kite tells them."""
    if terms.kind is OrderKind.LIMIT:
        return None, terms.price
    return terms.price, terms.limit_price


def _text(form: Form, name: str) -> str:
    if not form.get(name):
        raise wrong_input(f"`{name}` is required.")
    return form[name]


def _number(form: Form, name: str) -> float:
    try:
        value = float(form.get(name, ""))
    except ValueError:
        raise wrong_input(f"Invalid `{name}`.") from None
    if not abs(value) < 1e12:
        raise wrong_input(f"Invalid `{name}`.")
    return value


def _plain(form: Form, name: str) -> float:
    return _number(form, name) if form.get(name) else 0.0
