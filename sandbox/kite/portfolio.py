"""Kite's views of an account: position books, funds, what an order would block and cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from brokers.kite.wire import MarginSegment, OrderMargin, Position, Positions
from core.costs import charges_of
from core.orders import Side
from sandbox.account import Account
from sandbox.exchange import Exchange
from sandbox.kite.contracts import ContractList, Listed
from sandbox.kite.replies import wrong_input
from sandbox.orders import BoxFill

_SPAN_SHARE = 5 / 6
"""Part of a margin that is shown as SPAN; the rest as exposure."""


@dataclass(slots=True)
class _Flow:
    """What was bought or sold."""

    quantity: float = 0.0
    value: float = 0.0

    def add(self, quantity: float, price: float) -> None:
        self.quantity += quantity
        self.value += quantity * price

    @property
    def price(self) -> float:
        return self.value / self.quantity if self.quantity else 0.0


class Portfolio:
    """Works the views out of fills and books.

    Parameters
    ----------
    fills : all there were, oldest first (it grows).
    """

    def __init__(self, exchange: Exchange, contracts: ContractList, fills: list[BoxFill]) -> None:
        self._exchange = exchange
        self._contracts = contracts
        self._fills = fills

    # -- positions ---------------------------------------------------------------------------

    def positions(self, user: str) -> Positions:
        """Return what a user holds, and what was done today."""
        by_key: dict[tuple[str, str], list[BoxFill]] = {}
        for fill in self._fills:
            if fill.account == user:
                by_key.setdefault((fill.contract, fill.product), []).append(fill)
        net, day = [], []
        for (contract, product), fills in by_key.items():
            listed = self._contracts.ever(contract)
            began = self._exchange.day_began(listed.symbol)
            today = [fill for fill in fills if fill.ts >= began]
            earlier = [fill for fill in fills if fill.ts < began]
            carried, average = _carried(earlier)
            if carried or today:
                net.append(self._position(listed, product, carried, average, today))
            if today:
                day.append(self._position(listed, product, 0.0, 0.0, today))
        return Positions(tuple(net), tuple(day))

    def _position(
        self, listed: Listed, product: str, carried: float, average: float, fills: list[BoxFill]
    ) -> Position:
        shown = self._exchange.board.shown(listed.symbol)
        scale = self._exchange.facts(listed.symbol).multiplier
        bought, sold = _Flow(), _Flow()
        for fill in fills:
            (bought if fill.side is Side.BUY else sold).add(fill.quantity, fill.price)
        all_bought, all_sold = (
            _Flow(bought.quantity, bought.value),
            _Flow(sold.quantity, sold.value),
        )
        (all_bought if carried > 0 else all_sold).add(abs(carried), average)
        quantity = round(carried + bought.quantity - sold.quantity)
        last, close = shown.last, shown.previous_close
        value = (all_sold.value - all_bought.value) * scale
        pnl = value + quantity * last * scale
        marked = carried * (average - close) * scale
        held = _average(carried, average, fills)
        unrealised = quantity * (last - held) * scale
        flows = {
            "buy_quantity": all_bought.quantity, "buy_price": all_bought.price,
            "buy_value": all_bought.value * scale,
            "buy_m2m": (bought.value + max(carried, 0.0) * close) * scale,
            "sell_quantity": all_sold.quantity, "sell_price": all_sold.price,
            "sell_value": all_sold.value * scale,
            "sell_m2m": (sold.value + max(-carried, 0.0) * close) * scale,
            "day_buy_quantity": bought.quantity, "day_buy_price": bought.price,
            "day_buy_value": bought.value * scale, "day_sell_quantity": sold.quantity,
            "day_sell_price": sold.price, "day_sell_value": sold.value * scale,
        }  # fmt: skip
        return Position(
            listed.row.tradingsymbol, listed.row.exchange, listed.row.instrument_token, product,
            quantity, held if quantity else 0.0, scale, round(carried), close, last, value, pnl,
            pnl + marked, unrealised, pnl - unrealised, flows,
        )  # fmt: skip

    # -- funds -------------------------------------------------------------------------------

    def margins(self, user: str) -> dict[str, MarginSegment]:
        """Return a user's funds: one purse, shown under equity, or commodity where only MCX trades.

        The other segment stands there with nothing in it.
        """
        account = self._exchange.accounts[user]
        purse = self._segment(account)
        nothing = MarginSegment(0.0)
        only_mcx = all(row.exchange == "MCX" for row in self._contracts.rows())
        if only_mcx:
            return {"equity": nothing, "commodity": purse}
        return {"equity": purse, "commodity": nothing}

    def _segment(self, account: Account) -> MarginSegment:
        margin = account.margin(self._exchange)
        net = account.equity - margin
        available = {
            "cash": account.cash, "opening_balance": account.cash, "live_balance": net,
            "adhoc_margin": 0.0, "collateral": 0.0, "intraday_payin": 0.0,
        }  # fmt: skip
        utilised = {
            "debits": account.cash - net, "span": margin * _SPAN_SHARE,
            "exposure": margin * (1 - _SPAN_SHARE), "m2m_unrealised": account.unrealised,
            "m2m_realised": account.realised - account.costs,
        }  # fmt: skip
        return MarginSegment(net, True, available, utilised)

    def order_margins(self, orders: Iterable[Mapping[str, Any]]) -> list[OrderMargin]:
        """Return what each of some orders would block and cost.

        Raises
        ------
        KiteFault : one names no contract.
        """
        return [self._order_margin(order) for order in orders]

    def _order_margin(self, order: Mapping[str, Any]) -> OrderMargin:
        listed = self.listed_of(order)
        facts = self._exchange.facts(listed.symbol)
        quantity = _quantity(order)
        price = _price(order, "price") or self._exchange.last_price(listed.symbol)
        total = facts.margin_per_unit(price) * quantity
        return OrderMargin(
            listed.row.tradingsymbol, listed.row.exchange, total, total * _SPAN_SHARE,
            total * (1 - _SPAN_SHARE), charges=self.charges(order),
        )  # fmt: skip

    def basket(self, user: str, orders: list[Mapping[str, Any]]) -> tuple[float, float]:
        """Return the margin of orders one by one, and of all that would be open together."""
        initial = sum(item.total for item in self.order_margins(orders))
        net: dict[str, float] = {}
        for held in self._exchange.accounts[user].positions():
            net[held.contract] = net.get(held.contract, 0.0) + held.quantity
        for order in orders:
            key = self.listed_of(order).key
            sign = 1.0 if order.get("transaction_type") == "BUY" else -1.0
            net[key] = net.get(key, 0.0) + sign * _quantity(order)
        final = 0.0
        for key, quantity in net.items():
            symbol = self._contracts.ever(key).symbol
            price = self._exchange.last_price(symbol)
            final += abs(quantity) * self._exchange.facts(symbol).margin_per_unit(price)
        return initial, final

    def charges(self, order: Mapping[str, Any]) -> dict[str, float]:
        """Return the charges of an order by Kite's names, their total with them."""
        listed = self.listed_of(order)
        facts = self._exchange.facts(listed.symbol)
        price = (
            _price(order, "average_price")
            or _price(order, "price")
            or self._exchange.last_price(listed.symbol)
        )
        is_buy = order.get("transaction_type") == "BUY"
        paid = charges_of(facts.cost[0], is_buy, _quantity(order), price, facts.multiplier)
        named = {
            "transaction_tax": paid.get("stt", 0.0) + paid.get("ctt", 0.0),
            "exchange_turnover_charge": paid.get("exchange", 0.0),
            "sebi_turnover_charge": paid.get("sebi", 0.0),
            "brokerage": paid.get("brokerage", 0.0) + paid.get("commission", 0.0),
            "stamp_duty": paid.get("stamp", 0.0),
            "gst": paid.get("gst", 0.0),
        }
        return {**named, "total": sum(named.values())}

    def listed_of(self, order: Mapping[str, Any]) -> Listed:
        """Return the contract a JSON order names.

        Raises
        ------
        KiteFault : it names none.
        """
        found = self._contracts.by_key(f"{order.get('exchange')}:{order.get('tradingsymbol')}")
        if found is None or found.is_index:
            raise wrong_input("Invalid `tradingsymbol`.")
        return found


def _carried(fills: list[BoxFill]) -> tuple[float, float]:
    """Return the signed quantity that fills leave, and its average price."""
    quantity = sum(fill.side * fill.quantity for fill in fills)
    return round(quantity, 9), _average(0.0, 0.0, fills)


def _average(quantity: float, average: float, fills: list[BoxFill]) -> float:
    """Return the average price of what is held after fills: what opens it counts."""
    for fill in fills:
        signed = fill.side * fill.quantity
        after = quantity + signed
        if quantity * signed >= 0:
            average = (average * abs(quantity) + fill.price * fill.quantity) / abs(after)
        elif after * quantity < 0:
            average = fill.price
        quantity = after
    return average if abs(quantity) > 1e-9 else 0.0


def _quantity(order: Mapping[str, Any]) -> float:
    value = _price(order, "quantity")
    if value <= 0:
        raise wrong_input("Invalid `quantity`.")
    return value


def _price(order: Mapping[str, Any], name: str) -> float:
    try:
        return float(order.get(name) or 0.0)
    except (TypeError, ValueError):
        raise wrong_input(f"Invalid `{name}`.") from None
