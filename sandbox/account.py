"""An account at the exchange: its books, its money, the margin it holds and still has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import inf
from typing import Protocol

from core.errors import ConfigError
from core.instruments import InstrumentFacts
from core.matching.live_book import LiveBook
from core.orders import Side
from sandbox.orders import BoxFill, BoxOrder, Contract


class Market(Protocol):
    """What an account asks of its exchange."""

    contracts: dict[str, Contract]

    @property
    def working(self) -> dict[int, BoxOrder]:
        """Orders that may fill, by number."""

    def facts(self, symbol: str) -> InstrumentFacts:
        """Return a symbol's facts of the day."""

    def last_price(self, symbol: str) -> float:
        """Return a symbol's last price, nan before the first."""


@dataclass(frozen=True, slots=True)
class AccountTerms:
    """How an account behaves.

    cash : money at the start. hedging : each entry is a position of its own; else one a contract
    and product. margin_share : by product, the part of the instrument's margin that it asks for.
    """

    cash: float = 1_000_000.0
    hedging: bool = False
    margin_share: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.cash < inf:
            raise ConfigError(f"cash={self.cash:g}: expected 0 or more")


@dataclass(frozen=True, slots=True)
class Held:
    """A position. quantity : signed. average : its price. pnl : open, account money."""

    contract: str
    product: str
    position_id: str
    quantity: float
    average: float
    pnl: float


_Key = tuple[str, str, str]


class Account:
    """One client's account.

    Attributes
    ----------
    cash : at the start of the day, what was paid in since included.
    realised, costs : of the day, account money; both go into `cash` when the next one begins.
    """

    def __init__(self, name: str, terms: AccountTerms | None = None) -> None:
        self.name = name
        self.terms = terms or AccountTerms()
        self.cash = self.terms.cash
        self.realised = self.costs = 0.0
        self._books: dict[_Key, LiveBook] = {}
        self._keys: dict[str, _Key] = {}
        self._by_symbol: dict[str, list[LiveBook]] = defaultdict(list)

    # -- books -------------------------------------------------------------------------------

    def book(self, order: BoxOrder, stand: LiveBook) -> LiveBook:
        """Return the book an order belongs to, made beside one that stands in the market."""
        key = self._key(order)
        if key not in self._books:
            book = stand.fork("|".join((self.name, *key)), self.name, None)
            self._books[key], self._keys[book.key] = book, key
            self._by_symbol[book.symbol].append(book)
        return self._books[key]

    def _key(self, order: BoxOrder) -> _Key:
        terms = order.terms
        own = str(order.parent or order.number) if self.terms.hedging else ""
        position = terms.position_id or own
        return terms.contract, terms.product, position

    def books_of(self, symbol: str) -> list[LiveBook]:
        """Return the books that a symbol's prices concern."""
        return self._by_symbol[symbol]

    def contract_of(self, book: LiveBook) -> str:
        """Return the contract of a book."""
        return self._keys[book.key][0]

    def product_of(self, book: LiveBook) -> str:
        """Return the product of a book."""
        return self._keys[book.key][1]

    def positions(self) -> list[Held]:
        """Return what is open."""
        return [
            Held(*key, book.quantity, book.average, book.open_pnl)
            for key, book in self._books.items()
            if book.steps
        ]

    # -- money -------------------------------------------------------------------------------

    def note_fill(self, fill: BoxFill) -> None:
        """Book a fill's money."""
        self.realised += fill.pnl
        self.costs += fill.costs

    def begin_day(self) -> None:
        """Let what was earned and paid become cash."""
        self.cash += self.realised - self.costs
        self.realised = self.costs = 0.0

    def pay_in(self, amount: float) -> None:
        """Take money in, or (negative) out."""
        self.cash += amount

    @property
    def unrealised(self) -> float:
        """Open P&L of all positions."""
        return sum(book.open_pnl for book in self._books.values())

    @property
    def equity(self) -> float:
        """Cash, what the day brought, and open P&L."""
        return self.cash + self.realised - self.costs + self.unrealised

    def margin(self, market: Market, beside: BoxOrder | None = None) -> float:
        """Return the margin that positions and working orders hold.

        beside : an order that is counted as if it worked.

        Notes
        -----
        Of a contract and product it is that of the larger of what would be open if all buys, or
        all sells, were filled.
        """
        held: dict[tuple[str, str], float] = defaultdict(float)
        for (contract, product, _), book in self._books.items():
            held[contract, product] += book.quantity
        buys: dict[tuple[str, str], float] = defaultdict(float)
        sells: dict[tuple[str, str], float] = defaultdict(float)
        for order in self._working(market, beside):
            side = buys if order.terms.side is Side.BUY else sells
            side[order.terms.contract, order.terms.product] += order.left
        total = 0.0
        for key in {*held, *buys, *sells}:
            most = max(abs(held[key] + buys[key]), abs(held[key] - sells[key]))
            if most:
                total += most * self._margin_per_unit(market, *key)
        return total

    def _working(self, market: Market, beside: BoxOrder | None) -> Iterator[BoxOrder]:
        for order in market.working.values():
            if order.account == self.name and not (order.terms.reduces or order.parent):
                yield order
        if beside is not None and beside.number not in market.working:
            yield beside

    def _margin_per_unit(self, market: Market, contract: str, product: str) -> float:
        symbol = market.contracts[contract].symbol
        price = market.last_price(symbol)
        share = (self.terms.margin_share or {}).get(product, 1.0)
        return market.facts(symbol).margin_per_unit(price) * share if price == price else 0.0

    def shortfall(self, market: Market, order: BoxOrder) -> float:
        """Return the money that lacks for an order, 0 or less where there is enough.

        An order that only shrinks a position lacks nothing.
        """
        key = order.terms.contract, order.terms.product
        held = sum(b.quantity for (c, p, _), b in self._books.items() if (c, p) == key)
        if held * order.terms.side < 0 and order.terms.quantity <= abs(held):
            return 0.0
        return self.margin(market, order) - self.equity
