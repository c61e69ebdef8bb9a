"""The contracts of a trading day: which one a symbol is, and what the venue's names are of ours."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from brokers.contracts import Contract
from brokers.kite.client import KiteClient
from brokers.kite.config import KiteConfig
from brokers.kite.instruments import load_contracts, today
from brokers.master import ContractMaster
from core.instruments import get_instrument

logger = logging.getLogger(__name__)


class TradingDay:
    """The day's contracts of what an account trades; any thread may ask.

    Another day may bring other contracts, and other tokens of the same ones.

    Parameters
    ----------
    symbols : what will be traded or watched; more are added as they are asked for.
    known : of the day; None: the venue is asked.
    clock : the market's time, ns UTC.
    changed : called once other contracts may be traded than before.

    Attributes
    ----------
    contracts : the list in use, None before there is one.
    traded : what each symbol is now, as far as it is known.
    holds : whether a symbol is held, where the venue's own positions do not count.
    left : by symbol, the contract that is held though the next one, named second, has replaced it.
    """

    def __init__(
        self,
        config: KiteConfig,
        client: KiteClient,
        symbols: Sequence[str],
        clock: Callable[[], int],
        known: ContractMaster | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._config = config
        self._client = client
        self._symbols = tuple(symbols)
        self._clock = clock
        self._changed = changed
        self._learning = threading.Lock()
        self.traded: dict[str, Contract] = {}
        self.holds: Callable[[str], bool] | None = None
        self.left: dict[str, tuple[Contract, Contract]] = {}
        self.contracts = known

    @property
    def number(self) -> int:
        """The trading-day number of the list in use, 0 before there is one."""
        return 0 if self.contracts is None else self.contracts.origin.day

    def is_over(self, now: int) -> bool:
        """Whether the list in use is of a day before that of a time (ns UTC)."""
        return self.contracts is not None and self.number < today(now)

    def learn(self) -> None:
        """Know the day's contracts.

        Raises
        ------
        ConfigError : the venue trades no such symbol. VenueError : the list cannot be had.
        """
        with self._learning:
            now = self._clock()
            known = None if self.is_over(now) else self.contracts
            if not self._symbols or (known is not None and self.traded):
                return
            fetch = self._client.get_instruments
            found = known or load_contracts(self._config, self._symbols, now, fetch)
            logger.info("contracts known origin=%s", found.origin.describe())
            self.left = {}
            traded = {symbol: self._choose(symbol, found) for symbol in found.symbols}
            for symbol in found.symbols:
                for difference in found.differences(symbol, found.origin.day):
                    logger.warning("contract %s", difference.describe())
            self.contracts, self.traded = found, traded
        self._changed()

    def _choose(self, symbol: str, found: ContractMaster) -> Contract:
        """Return the contract of the day; while an earlier one is held, that one to its end.

        What is held of a later month is somebody else's: it was never the front month of ours.
        """
        front = found.contract_on(symbol, found.origin.day)
        for contract in found.contracts(symbol):
            if contract.venue_symbol == front.venue_symbol:
                break
            if self._is_held(contract):
                logger.warning(
                    "a position stays in its contract symbol=%s contract=%s front=%s",
                    symbol, contract.describe(), front.describe(),
                )  # fmt: skip
                self.left[symbol] = contract, front
                return contract
        old = self.traded.get(symbol)
        if old is not None and old.venue_symbol != front.venue_symbol:
            logger.info("another contract is traded symbol=%s to=%s", symbol, front.describe())
        return front

    def _is_held(self, contract: Contract) -> bool:
        if self.holds is not None:
            return self.holds(contract.symbol)
        return any(
            row.quantity and row.tradingsymbol == contract.venue_symbol
            for row in self._client.get_positions().net
        )

    def roll(self, symbol: str) -> None:
        """Trade the next contract from now on: nothing is held in the one before it any more."""
        with self._learning:
            found = self.left.pop(symbol, None)
            if found is None:
                return
            self.traded = {**self.traded, symbol: found[1]}
        logger.info("another contract is traded symbol=%s to=%s", symbol, found[1].describe())
        self._changed()

    def contract(self, symbol: str) -> Contract:
        """Return what a symbol is at the venue today; waits for the venue where it must.

        Raises
        ------
        ConfigError : it has no contract. BrokerError : the contracts are not known yet.
        """
        found = self.traded.get(symbol)
        if found is None:
            if symbol not in self._symbols:
                self._symbols = (*self._symbols, symbol)
                self.contracts = None
            self.learn()
            found = self.traded[symbol]
        return found

    def named(self, exchange: str, venue_symbol: str) -> Contract | None:
        """Return the contract of a name of the venue's, None where it is none of ours."""
        if self.contracts is None:
            return None
        for contract in self.contracts.all:
            if (contract.exchange, contract.venue_symbol) == (exchange, venue_symbol):
                return contract
        return None

    def symbol_of(self, exchange: str, venue_symbol: str) -> tuple[str, float]:
        """Return our symbol of the venue's, with its units; its own name for another contract.

        A month that is not the one traded now is another contract: what is held of it is no part
        of the position that is traded.
        """
        contract = self.named(exchange, venue_symbol)
        if contract is None:
            return f"{exchange}:{venue_symbol}", 1.0
        if contract is not self.contract(contract.symbol):
            return f"{exchange}:{venue_symbol}", contract.venue_units
        return contract.symbol, contract.venue_units

    def tick(self, contract: Contract) -> float:
        """Return a contract's tick: the venue's, else that of our table."""
        if contract.tick is not None:
            return contract.tick
        return get_instrument(contract.symbol).facts(self.number).tick

    def freeze_quantity(self, contract: Contract) -> float:
        """Return the most of a contract that one order may be of, in our quantity; inf: any."""
        return get_instrument(contract.symbol).facts(self.number).freeze_quantity
