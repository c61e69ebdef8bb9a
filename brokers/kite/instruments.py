"""The contracts of a day: fetched once each morning, kept on disk, looked up by our symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from brokers.contracts import Contract
from brokers.errors import OutcomeUnknown
from brokers.kite import wire
from brokers.kite.config import KiteConfig
from brokers.kite.mapping import MAPPING_VERSION, contract_of, symbol_of
from brokers.master import ContractMaster, Origin, list_day, read_rows
from brokers.master_cache import MasterCache, load_master
from core.calendar import day_date
from core.errors import ConfigError
from core.rolls import RollRule

ZONE = "Asia/Kolkata"
READY_MINUTE = 8 * 60 + 30
"""Minute of the day from which the day's own list is there (docs, market-quotes)."""
EXCHANGES = {"NIFTY-FUT": "NFO", "BANKNIFTY-FUT": "NFO", "GOLDM": "MCX", "NIFTY50": "NSE"}
"""Where a symbol's contracts are listed."""

Fetch = Callable[[str], list[wire.InstrumentRow]]


def today(now: int) -> int:
    """Return the day, as a trading-day number, that the newest list is of at a time (ns UTC)."""
    return list_day(now, ZONE, READY_MINUTE)


def load_contracts(
    config: KiteConfig,
    symbols: Iterable[str],
    now: int,
    fetch: Fetch,
    folder: Path | None = None,
) -> ContractMaster:
    """Return the contracts of a moment's day; asked of the venue once a day.

    Parameters
    ----------
    now : ns UTC. fetch : returns an exchange's rows. folder : where lists are kept.

    Raises
    ------
    ConfigError : the venue trades no such symbol. BrokerError : the list cannot be had.
    """
    wanted = sorted(set(symbols))
    unknown = [symbol for symbol in wanted if symbol not in EXCHANGES]
    if unknown:
        known = ", ".join(sorted(EXCHANGES))
        raise ConfigError(f"kite: {', '.join(unknown)} is not traded there; it has {known}")
    day = today(now)
    rule = RollRule(config.roll_sessions)
    origin = Origin("kite", scope_of(config), day, now, f"{config.api_root}/instruments", 0, ())

    def mapping(row: wire.InstrumentRow) -> Contract | None:
        symbol = symbol_of(row)
        if symbol is None or config.names.get(symbol, row.tradingsymbol) != row.tradingsymbol:
            return None
        return contract_of(row, config.units.get(symbol, 1.0))

    def ask() -> ContractMaster:
        places = sorted({EXCHANGES[symbol] for symbol in wanted})
        rows = [row for place in places for row in fetch(place)]
        master = read_rows(rows, mapping, wanted, origin, rule)
        missing = [symbol for symbol in wanted if symbol not in master.symbols]
        if missing:
            raise OutcomeUnknown(
                f"the list of {day_date(day)} has no contract of "
                + ", ".join(f"{name} ({config.names.get(name, 'any')})" for name in missing),
                venue="kite",
                operation="instruments",
            )
        return master

    own = [f"{name}={value:g}" for name, value in sorted(config.units.items())]
    own += [f"{name}={value}" for name, value in sorted(config.names.items())]
    cache = MasterCache(
        "kite", scope_of(config), f"{MAPPING_VERSION} {','.join(own)}".strip(), folder
    )
    return load_master(
        cache, day, wanted, ask, make=lambda told, items: ContractMaster(told, items, rule)
    )


def scope_of(config: KiteConfig) -> str:
    """Return what parts lists of different servers; the venue's own has none."""
    return "" if config.api_root == KiteConfig().api_root else config.api_root.partition("://")[2]
