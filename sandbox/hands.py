"""Another hand on an account: orders, changes and closes that are not the client's."""

from __future__ import annotations

from collections.abc import Callable, Collection

from core.errors import ConfigError, near_name
from core.orders import OrderKind, Side, TimeInForce
from sandbox.exchange import Exchange
from sandbox.faults import Fault
from sandbox.orders import Author, BoxOrder, OrderTerms


class Hand:
    """Acts on an account as its owner does at the venue's own screen.

    Parameters
    ----------
    number : returns the number of a new order. product : of orders for which none is named.
    """

    def __init__(self, exchange: Exchange, number: Callable[[], int], product: str) -> None:
        self._exchange = exchange
        self._number = number
        self._product = product

    def place(
        self,
        account: str,
        contract: str,
        side: Side,
        quantity: float,
        kind: OrderKind = OrderKind.MARKET,
        price: float | None = None,
        limit_price: float | None = None,
        product: str = "",
    ) -> BoxOrder:
        """Place an order; see its `status` and `reason` for what became of it.

        Raises
        ------
        ConfigError : there is no such account or contract.
        """
        self._require("account", account, self._exchange.accounts)
        self._require("contract", contract, self._exchange.contracts)
        terms = OrderTerms(
            contract, side, quantity, kind, price, limit_price,
            time_in_force=TimeInForce.DAY, product=product or self._product,
        )  # fmt: skip
        return self._exchange.place(account, self._number(), terms, Author.HAND)

    def close(self, account: str, contract: str = "") -> list[BoxOrder]:
        """Close an account's positions at market, those of one contract or all."""
        self._require("account", account, self._exchange.accounts)
        held = self._exchange.accounts[account].positions()
        return [
            self.place(
                account, item.contract, Side.SELL if item.quantity > 0 else Side.BUY,
                abs(item.quantity), product=item.product,
            )
            for item in held
            if contract in ("", item.contract)
        ]  # fmt: skip

    def cancel(self, account: str, number: int = 0) -> list[BoxOrder]:
        """Cancel a working order, or (0) all of the account."""
        wanted = [
            order
            for order in list(self._exchange.working.values())
            if order.account == account and number in (0, order.number)
        ]
        return [self._exchange.cancel(account, order.number) for order in wanted]

    def modify(self, account: str, number: int, price: float) -> BoxOrder:
        """Move a working order's price."""
        return self._exchange.change(account, number, price=price)

    @staticmethod
    def _require(what: str, name: str, known: Collection[str]) -> None:
        if name not in known:
            raise ConfigError(f"another hand: {what} {name!r} is not there{near_name(name, known)}")

    def act(self, fault: Fault) -> None:
        """Do what a fault plan says; an account it does not name is the first."""
        account = fault.account or next(iter(self._exchange.accounts))
        match fault.action:
            case "buy" | "sell":
                side = Side.BUY if fault.action == "buy" else Side.SELL
                contract = fault.contract or next(iter(self._exchange.contracts))
                kind = OrderKind.MARKET if fault.price is None else OrderKind.LIMIT
                self.place(account, contract, side, fault.quantity, kind, fault.price)
            case "close":
                self.close(account, fault.contract)
            case "cancel":
                self.cancel(account)
            case "modify":
                for order in list(self._exchange.working.values()):
                    if order.account == account and fault.price is not None:
                        self.modify(account, order.number, fault.price)
