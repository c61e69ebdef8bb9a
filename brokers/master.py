"""A venue's list of contracts, by our symbols: which contract is meant on which day.

A venue gives its rows and a mapping from a row to a `Contract`; the rest is the same for all. A
list is of one day and is not trusted for long: lots change, ids are given to other contracts after
an expiry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from brokers.contracts import Contract, Difference, differences_of
from core.calendar import Calendar, day_date, day_number, get_calendar
from core.errors import ConfigError, near_name
from core.instruments import Instrument, get_instrument
from core.rolls import RollRule
from core.zones import find_zone

Row = TypeVar("Row")

_FAULTS_KEPT = 20


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a list of contracts comes from.

    Attributes
    ----------
    venue, scope : whose; the scope parts lists of one venue (an account, an environment) where
        they differ, "" where there is one for all.
    day : trading-day number it is of. fetched : ns UTC. source : its address, without secrets.
    rows : how many it had. asked : the symbols it was searched for.
    faults : rows that could not be read, the first few.
    stale_for : days it is behind the day it was wanted for.
    """

    venue: str
    scope: str
    day: int
    fetched: int
    source: str
    rows: int
    asked: tuple[str, ...]
    faults: tuple[str, ...] = ()
    stale_for: int = 0

    def describe(self) -> str:
        """Return `bazaar 2026-09-02 (fetched 03:00 UTC from ADDRESS, 91,000 rows)`."""
        when = datetime.fromtimestamp(self.fetched / 1e9, UTC)
        old = f", {self.stale_for} days old" if self.stale_for else ""
        return (
            f"{self.venue} {day_date(self.day)} (fetched {when:%Y-%m-%d %H:%M} UTC "
            f"from {self.source}, {self.rows:,} rows{old})"
        )


@dataclass(frozen=True, slots=True)
class Roll:
    """A trading day on which another contract is traded than before."""

    day: int
    old: Contract
    new: Contract


class ContractMaster:
    """The contracts of one venue that the project can trade.

    Parameters
    ----------
    origin : Origin
    contracts : sequence of Contract
    rule : when a contract is left for the next one.
    instruments, calendars : where our own facts come from, by name.
    """

    def __init__(
        self,
        origin: Origin,
        contracts: Sequence[Contract],
        rule: RollRule | None = None,
        instruments: Callable[[str], Instrument] = get_instrument,
        calendars: Callable[[str], Calendar] = get_calendar,
    ) -> None:
        self.origin = origin
        self.rule = rule or RollRule()
        self._instruments = instruments
        self._calendars = calendars
        self._by_symbol: dict[str, list[Contract]] = {}
        self._by_id: dict[str, Contract] = {}
        for contract in sorted(contracts, key=lambda item: item.order):
            self._by_symbol.setdefault(contract.symbol, []).append(contract)
            self._by_id[contract.venue_id] = contract

    @property
    def symbols(self) -> list[str]:
        """The project's symbols that it has a contract of."""
        return sorted(self._by_symbol)

    @property
    def all(self) -> list[Contract]:
        """Every contract, by symbol and expiry."""
        return [item for symbol in self.symbols for item in self._by_symbol[symbol]]

    def contracts(self, symbol: str) -> list[Contract]:
        """Return a symbol's contracts, nearest expiry first.

        Raises
        ------
        ConfigError : it has none; says which symbols it has.
        """
        if symbol in self._by_symbol:
            return list(self._by_symbol[symbol])
        faults = self.origin.faults
        unread = f"; {len(faults)} rows could not be read, such as {faults[0]}" if faults else ""
        near = near_name(symbol, self._by_symbol) if self._by_symbol else ""
        raise ConfigError(f"{self._where()} has no {symbol}{near}{unread}")

    def by_id(self, venue_id: str) -> Contract | None:
        """Return the contract the venue calls so, None for one that is none of ours."""
        return self._by_id.get(venue_id)

    def symbol_of(self, venue_id: str) -> str:
        """Return our symbol for a venue's id; the id itself where it is none of ours."""
        found = self._by_id.get(venue_id)
        return venue_id if found is None else found.symbol

    def contract_on(self, symbol: str, day: int) -> Contract:
        """Return the contract traded on a trading day, by the roll rule.

        Raises
        ------
        ConfigError : there is none for that day, or more than one could be meant.
        """
        known = self.contracts(symbol)
        dated = [item for item in known if item.expiry is not None]
        if day < self.origin.day and any(item.expires for item in known):
            raise ConfigError(
                f"{self._where()} no longer has what expired before it: "
                f"the {symbol} of {day_date(day)} is not known"
            )
        if dated:
            return self._one_of(symbol, self._front(symbol, dated, day))
        if any(item.expires for item in known):
            return self._one_of(symbol, self._marked(symbol, known, day))
        return self._one_of(symbol, known)

    def next_roll(self, symbol: str, day: int) -> Roll | None:
        """Return the next day after `day` on which another contract is traded.

        None: it does not expire, or neither its expiry nor a later contract is known.
        """
        old = self.contract_on(symbol, day)
        later = [item for item in self.contracts(symbol) if item.order > old.order]
        if old.expiry is None or not later:
            return None
        first = self.rule.first_day_of_next(old.expiry, self._calendar(symbol))
        return Roll(first, old, self.contract_on(symbol, first))

    def differences(
        self, symbol: str, day: int, instrument: Instrument | None = None
    ) -> list[Difference]:
        """Return by name where the day's contract is not as our dated table says.

        Parameters
        ----------
        instrument : with what the run set by hand; None: the table alone.
        """
        ours = instrument or self._instruments(symbol)
        contract = self.contract_on(symbol, day)
        expiry = None
        if contract.expiry is not None:
            month = day_number(day_date(contract.expiry).replace(day=1))
            expiry = ours.next_expiry(month, self._calendars(ours.calendar))
        facts = ours.facts(day)
        return differences_of(contract, self.origin.venue, facts, ours.quote_currency, expiry)

    def _front(self, symbol: str, dated: Sequence[Contract], day: int) -> list[Contract]:
        calendar = self._calendar(symbol)
        for contract in dated:
            assert contract.expiry is not None
            if self.rule.last_day(contract.expiry, calendar) >= day:
                return [item for item in dated if item.expiry == contract.expiry]
        raise ConfigError(
            f"{self._where()} has no {symbol} for {day_date(day)}: its last is "
            f"{dated[-1].describe()}; a newer list is needed"
        )

    def _marked(self, symbol: str, known: Sequence[Contract], day: int) -> list[Contract]:
        """Return what the venue itself marks as the contract of its list's day."""
        marked = [item for item in known if item.is_front]
        if day != self.origin.day or not marked:
            told = f"marks one for {day_date(self.origin.day)} alone" if marked else "marks none"
            raise ConfigError(
                f"{self._where()} tells no expiry of {symbol} and {told}: "
                f"the contract of {day_date(day)} is not known"
            )
        return marked

    def _one_of(self, symbol: str, found: Sequence[Contract]) -> Contract:
        if len(found) == 1:
            return found[0]
        names = ", ".join(sorted(item.venue_symbol for item in found))
        raise ConfigError(
            f"{self._where()}: {names} could each be {symbol}: name one in the settings"
        )

    def _calendar(self, symbol: str) -> Calendar:
        return self._calendars(self._instruments(symbol).calendar)

    def _where(self) -> str:
        return f"the contract list of {self.origin.venue} of {day_date(self.origin.day)}"


def read_rows(
    rows: Iterable[Row],
    mapping: Callable[[Row], Contract | None],
    symbols: Iterable[str],
    origin: Origin,
    rule: RollRule | None = None,
) -> ContractMaster:
    """Return the master of a venue's rows.

    Parameters
    ----------
    rows : as the venue's `wire` reads them.
    mapping : the venue's; None for a row that is none of the project's symbols. A row it cannot
        read (ValueError, KeyError, TypeError) is kept by number as a fault and left out.
    symbols : those wanted; contracts of others are left out.
    origin : `rows`, `asked` and `faults` are filled here.
    """
    wanted = frozenset(symbols)
    found: dict[Contract, None] = {}
    faults: list[str] = []
    count = 0
    for row in rows:
        count += 1
        try:
            contract = mapping(row)
        except (ValueError, KeyError, TypeError) as fault:
            if len(faults) < _FAULTS_KEPT:
                faults.append(f"row {count}: {type(fault).__name__} {fault}")
            continue
        if contract is not None and contract.symbol in wanted:
            found[contract] = None
    told = replace(origin, rows=count, asked=tuple(sorted(wanted)), faults=tuple(faults))
    return ContractMaster(told, list(found), rule)


def list_day(now: int, zone: str, ready_minute: int = 0) -> int:
    """Return the day, as a trading-day number, that a venue's newest list is of.

    Parameters
    ----------
    now : ns UTC. zone : of the venue's market, an IANA name.
    ready_minute : minute of the local day from which the day's own list is there.
    """
    local = datetime.fromtimestamp(now / 1e9, find_zone(zone))
    today = day_number(local.date())
    return today if local.hour * 60 + local.minute >= ready_minute else today - 1
