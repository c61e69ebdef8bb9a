"""Kite closes intraday positions some minutes before the session does."""

from __future__ import annotations

from collections.abc import Callable

from core.orders import OrderKind, Side
from sandbox.course import BarsEnd
from sandbox.exchange import Exchange
from sandbox.orders import Author, OrderTerms

_MINUTE_NS = 60_000_000_000
_INTRADAY = "MIS"


class SquareOff:
    """Ends a symbol's MIS orders and positions, once a day.

    Parameters
    ----------
    minutes : before the session's close. number : returns the number of a new order.
    """

    def __init__(self, exchange: Exchange, minutes: int, number: Callable[[], int]) -> None:
        self._exchange = exchange
        self._before_ns = minutes * _MINUTE_NS
        self._number = number
        self._done: dict[str, int] = {}

    def take(self, step: BarsEnd) -> None:
        """Look whether it is time."""
        for symbol, _ in step.bars:
            day = self._exchange.day(symbol)
            is_due = step.ts >= self._exchange.session_close(symbol) - self._before_ns
            if is_due and self._done.get(symbol) != day:
                self._done[symbol] = day
                for name in self._exchange.accounts:
                    self._close(name, symbol)

    def _close(self, name: str, symbol: str) -> None:
        for order in list(self._exchange.working.values()):
            if order.account == name and self._is_meant(order.terms, symbol):
                self._exchange.cancel(name, order.number)
        for held in self._exchange.accounts[name].positions():
            side = Side.SELL if held.quantity > 0 else Side.BUY
            terms = OrderTerms(
                held.contract, side, abs(held.quantity), OrderKind.MARKET, product=held.product
            )
            if self._is_meant(terms, symbol):
                self._exchange.place(name, self._number(), terms, Author.EXCHANGE)

    def _is_meant(self, terms: OrderTerms, symbol: str) -> bool:
        contract = self._exchange.contracts[terms.contract]
        return terms.product == _INTRADAY and contract.symbol == symbol
