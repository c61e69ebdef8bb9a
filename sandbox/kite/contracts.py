"""What Kite lists of the sandbox's markets: the index, and the futures of three months."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from brokers.kite.wire import InstrumentRow
from core.calendar import day_date, day_number
from core.errors import ConfigError
from sandbox.course import Prices
from sandbox.orders import Contract

_SEGMENT = {"NSE": 1, "NFO": 2, "MCX": 7, "INDICES": 9}
"""The last byte of an instrument token."""
_MONTHS = 3


@dataclass(frozen=True, slots=True)
class _Family:
    """How a symbol of ours is listed. index : its tradingsymbol and exchange token."""

    name: str
    exchange: str
    index: tuple[str, int] | None = None


_NIFTY = _Family("NIFTY", "NFO", ("NIFTY 50", 1001))
_FAMILIES = {
    "NIFTY-FUT": _NIFTY,
    "NIFTY50": _NIFTY,
    "BANKNIFTY-FUT": _Family("BANKNIFTY", "NFO", ("NIFTY BANK", 1016)),
    "GOLDM": _Family("GOLDM", "MCX"),
}


@dataclass(frozen=True, slots=True)
class Listed:
    """One row of the list of contracts, and whose prices it has."""

    row: InstrumentRow
    symbol: str

    @property
    def key(self) -> str:
        """Its name in quotes and orders: NFO:NIFTY24SEPFUT."""
        return f"{self.row.exchange}:{self.row.tradingsymbol}"

    @property
    def is_index(self) -> bool:
        """Whether it cannot be traded."""
        return self.row.segment == "INDICES"

    @property
    def is_commodity(self) -> bool:
        """Whether it is MCX's."""
        return self.row.exchange == "MCX"


class ContractList:
    """The day's list, made anew for each trading day."""

    def __init__(self, prices: Iterable[Prices]) -> None:
        self._prices = list(prices)
        for item in self._prices:
            if item.symbol not in _FAMILIES:
                known = ", ".join(sorted(_FAMILIES))
                raise ConfigError(f"Kite does not trade {item.symbol}; it does {known}")
        self._by_key: dict[str, Listed] = {}
        self._by_token: dict[int, Listed] = {}
        self._of_day: list[Listed] = []

    def take_day(self, day: int) -> list[Contract]:
        """List what trades on a day; return the contracts, those that expired since included."""
        self._of_day = [item for prices in self._prices for item in _listed(prices, day)]
        for item in self._of_day:
            self._by_key[item.key] = self._by_token[item.row.instrument_token] = item
        return [
            Contract(item.key, item.symbol, _last_day(item))
            for item in self._of_day
            if not item.is_index
        ]

    def rows(self, exchange: str | None = None) -> list[InstrumentRow]:
        """Return the day's list, of one exchange or all."""
        return [item.row for item in self._of_day if exchange in (None, item.row.exchange)]

    def of_symbol(self, symbol: str) -> list[Listed]:
        """Return what is listed today and has the prices of a symbol."""
        return [item for item in self._of_day if item.symbol == symbol]

    def by_key(self, key: str) -> Listed | None:
        """Return what `EXCHANGE:SYMBOL`, or a token as text, names today; None for nothing."""
        found = self._by_token.get(int(key)) if key.isdigit() else self._by_key.get(key)
        return found if found in self._of_day else None

    def ever(self, key: str) -> Listed:
        """Return a contract that is or was listed, by its key."""
        return self._by_key[key]

    def by_token(self, token: int) -> Listed | None:
        """Return what a token names today, None for nothing."""
        found = self._by_token.get(token)
        return found if found in self._of_day else None


def _listed(prices: Prices, day: int) -> Iterator[Listed]:
    family, instrument = _FAMILIES[prices.symbol], prices.instrument
    if family.index is not None:
        name, exchange_token = family.index
        yield Listed(
            InstrumentRow(
                exchange_token * 256 + _SEGMENT["INDICES"], str(exchange_token), name, name, None,
                0.0, 0.0, 0, "EQ", "INDICES", "NSE",
            ),
            prices.symbol,
        )  # fmt: skip
    after = day
    for _ in range(_MONTHS):
        expiry = instrument.next_expiry(after, prices.calendar)
        if expiry is None:
            return
        when, facts = day_date(expiry), instrument.facts(day)
        symbol = f"{family.name}{when:%y}{when:%b}FUT".upper()
        exchange_token = 30_000 + zlib.crc32(symbol.encode()) % 30_000
        yield Listed(
            InstrumentRow(
                exchange_token * 256 + _SEGMENT[family.exchange], str(exchange_token), symbol,
                family.name, when, 0.0, facts.tick, round(facts.lot), "FUT",
                f"{family.exchange}-FUT", family.exchange,
            ),
            prices.symbol,
        )  # fmt: skip
        after = expiry + 1


def _last_day(item: Listed) -> int | None:
    return None if item.row.expiry is None else day_number(item.row.expiry)
