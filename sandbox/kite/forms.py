"""Kite's order forms: what they ask for, and the rules by which Kite turns them down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import floor

from core.instruments import InstrumentFacts
from core.orders import OrderKind, Side, TimeInForce
from sandbox.exchange import Exchange
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.replies import wrong_input
from sandbox.kite.sessions import PRODUCTS
from sandbox.kite.settings import KiteSettings
from sandbox.orders import OrderTerms

Form = Mapping[str, str]

KINDS = {
    "MARKET": OrderKind.MARKET,
    "LIMIT": OrderKind.LIMIT,
    "SL": OrderKind.STOP_LIMIT,
    "SL-M": OrderKind.STOP,
}
NAMES = {kind: name for name, kind in KINDS.items()}
_LONGEST_TAG = 20
_MOST_SLICES = 20


class Forms:
    """Reads order forms by the rules of the day."""

    def __init__(self, exchange: Exchange, contracts: ContractList, settings: KiteSettings) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._settings = settings

    def read(self, variety: str, form: Form) -> list[OrderTerms]:
        """Return the orders a form asks for: one, or its slices.

        Raises
        ------
        KiteFault : Kite would not take it.
        """
        if variety not in ("regular", "amo"):
            raise wrong_input(f"variety {variety}: this sandbox takes regular and amo orders")
        listed, terms = self._read(form)
        facts = self._exchange.facts(listed.symbol)
        self._check_hours(listed, variety)
        self._check(listed, terms, facts)
        sizes = self._slices(terms.quantity, facts, form.get("autoslice", "") in ("true", "True"))
        return [replace(terms, quantity=size) for size in sizes]

    def changed(self, before: OrderTerms, filled: float, form: Form) -> OrderTerms:
        """Return what an order is to be after a form that changes it.

        Raises
        ------
        KiteFault : Kite would not take it.
        """
        kind = KINDS.get(form.get("order_type", NAMES[before.kind]))
        if kind is None:
            raise wrong_input("Invalid `order_type`.")
        trigger, limit = prices_of(before)
        if "price" in form:
            limit = _number(form, "price")
        if "trigger_price" in form:
            trigger = _number(form, "trigger_price")
        quantity = _number(form, "quantity") if "quantity" in form else before.quantity
        if "quantity" in form and not self._settings.quantity_is_total:
            quantity += filled
        price, limit_price = _placed(kind, trigger, limit)
        listed = self._contracts.ever(before.contract)
        protection = before.protection
        if kind is not before.kind or "market_protection" in form:
            protection = self._protection(form, kind, listed)
        after = replace(
            before, kind=kind, quantity=quantity, price=price, limit_price=limit_price,
            protection=protection, reference=self._reference(listed),
        )  # fmt: skip
        self._check(listed, after, self._exchange.facts(listed.symbol))
        return after

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
        limit = _number(form, "price") if form.get("price") else None
        trigger = _number(form, "trigger_price") if form.get("trigger_price") else None
        price, limit_price = _placed(kind, trigger, limit)
        return listed, OrderTerms(
            key, side, _number(form, "quantity"), kind, price, limit_price,
            time_in_force=TimeInForce.IOC if validity == "IOC" else TimeInForce.DAY,
            protection=protection, reference=self._reference(listed), product=product,
            tag=tag, fields={"validity": validity, "variety": form.get("variety", "regular"),
                             "protection": _plain(form, "market_protection")},
        )  # fmt: skip

    def _reference(self, listed: Listed) -> float | None:
        """Return the price that market protection counts from, None before the first."""
        last = self._exchange.last_price(listed.symbol)
        return last if last == last else None

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

    def _check(self, listed: Listed, terms: OrderTerms, facts: InstrumentFacts) -> None:
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
        if quantity > _MOST_SLICES * largest:
            raise wrong_input(f"An order may be sliced into {_MOST_SLICES} at most.")
        whole, rest = divmod(quantity, largest)
        return [largest] * int(whole) + ([rest] if rest else [])


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


def prices_of(terms: OrderTerms) -> tuple[float | None, float | None]:
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
