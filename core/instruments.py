"""Instruments: what one unit is worth, the steps it trades in and what it costs, by date.

Facts that change (lot, tick, freeze quantity, expiry weekday, charges) are dated tables in
`instruments.toml` and `charges.toml`; a user's file is merged over ours, key by key. A run may
override single facts (`--instrument-set lot=75`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from core.calendar import Calendar, day_date, day_number
from core.costs import no_costs
from core.errors import ConfigError, near_name
from core.fact_tables import (
    COST_KEYS,
    NUMBER_KEYS,
    PRICE_SIDES,
    DatedFact,
    InstrumentEntry,
    check_number,
    constant,
    load_entries,
)
from core.sizing import margin_per_unit


@dataclass(frozen=True, slots=True)
class InstrumentFacts:
    """The facts of one instrument on one trading day; all money in quote currency.

    Quantities are in lots (XAUUSD, FX), contracts (MGC, GC, GOLDM) or units (NSE futures).

    tick : price step. lot : quantity step (0.01 lots, 1 contract, 75 units).
    multiplier : quote money per 1.0 price move of 1.0 quantity.
    freeze_quantity : largest quantity of one order (inf: no limit); a larger one is sent in slices.
    margin_fixed, margin_rate : initial margin as money per 1.0 of quantity and as a share of
        notional; the two add up.
    slippage_ticks : against us on market and stop fills.
    spread, spread_by_hour : ask minus bid in price units; 24 values by hour of the market's zone
        win over the constant where they are given.
    price_side : what the bars hold: bid, ask, mid or last.
    expiry_weekday : weekday of which the month's last is the expiry (Monday = 0); -1 none.
    expiry_month_day : day of the month of the expiry; 0 none.
    cost : one-item COST array (pass `facts.cost[0]` to kernels); read-only.
    unconfirmed : facts whose value of this day no primary source was seen for.
    """

    symbol: str
    tick: float
    lot: float
    multiplier: float
    freeze_quantity: float
    margin_fixed: float
    margin_rate: float
    slippage_ticks: float
    spread: float
    spread_by_hour: tuple[float, ...]
    price_side: str
    expiry_weekday: int
    expiry_month_day: int
    cost: np.ndarray[Any, Any]
    unconfirmed: tuple[str, ...] = ()

    def margin_per_unit(self, price: float) -> float:
        """Return the initial margin per 1.0 of quantity at a price, in quote currency."""
        return margin_per_unit(self.margin_fixed, self.margin_rate, price, self.multiplier)

    def margin_per_lot(self, price: float) -> float:
        """Return the initial margin of one quantity step at a price, in quote currency."""
        return self.margin_per_unit(price) * self.lot


_DEFAULTS = {
    "freeze_quantity": 0.0,
    "margin_fixed": 0.0,
    "margin_rate": 0.0,
    "slippage_ticks": 0.0,
    "spread": 0.0,
    "expiry_weekday": -1.0,
    "expiry_month_day": 0.0,
}
_COST_FACTS = ("slippage_ticks", "spread", *COST_KEYS)
_MARGIN_FACTS = ("margin_fixed", "margin_rate")


@dataclass(frozen=True)
class Instrument:
    """One tradable thing under the project's own symbol.

    calendar : name for `core.calendar.get_calendar`.
    proxy_for : the instrument whose facts these are, where an index's bars stand in for a future.
    has_volume : False for an index, whose bars carry none.
    table : its dated facts by name. overrides : what a run set by hand, as given.
    """

    symbol: str
    description: str
    calendar: str
    quote_currency: str
    venue: str
    price_side: str
    proxy_for: str | None
    has_volume: bool
    spread_by_hour: tuple[float, ...]
    table: Mapping[str, DatedFact]
    overrides: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def currencies(self) -> frozenset[str]:
        """The codes whose news moves it: its quote currency, and the first half of a pair."""
        pair = {self.symbol[:3]} if len(self.symbol) == 6 and self.symbol.isalpha() else set()
        return frozenset({self.quote_currency} | pair)

    def facts(self, day: int) -> InstrumentFacts:
        """Return the facts of a trading day (days since 1970-01-01).

        The same object comes back for every day between two changes, so `is` tells a change.
        """
        index = bisect_right(self._changes, day)
        known = self._by_period.get(index)
        if known is None:
            known = self._by_period[index] = self._facts(day)
        return known

    @cached_property
    def _changes(self) -> list[int]:
        return sorted({day for fact in self.table.values() for day in fact.since})

    @cached_property
    def _by_period(self) -> dict[int, InstrumentFacts]:
        return {}

    def _facts(self, day: int) -> InstrumentFacts:
        values = dict(_DEFAULTS)
        unconfirmed = []
        for name, fact in self.table.items():
            values[name], known = fact.at(day)
            if not known and values[name] != 0:
                unconfirmed.append(name)
        cost = no_costs()
        for name in COST_KEYS:
            if name in values:
                cost[name] = values.pop(name)
        freeze = values.pop("freeze_quantity")
        cost["freeze_quantity"] = freeze
        cost.flags.writeable = False
        return InstrumentFacts(
            symbol=self.symbol,
            freeze_quantity=freeze or float("inf"),
            spread_by_hour=self.spread_by_hour,
            price_side=self.price_side,
            cost=cost,
            unconfirmed=tuple(sorted(unconfirmed)),
            expiry_weekday=int(values.pop("expiry_weekday")),
            expiry_month_day=int(values.pop("expiry_month_day")),
            **values,
        )

    def without_costs(self) -> Instrument:
        """Return the instrument with commission, charges, spread, slippage and swap at 0."""
        table = {name: fact for name, fact in self.table.items() if name not in _COST_FACTS}
        return replace(self, table=table, spread_by_hour=())

    def without_margin(self) -> Instrument:
        """Return the instrument with no margin asked (`--no-margin`)."""
        table = {name: fact for name, fact in self.table.items() if name not in _MARGIN_FACTS}
        return replace(self, table=table)

    def confirmed_only(self) -> Instrument:
        """Return the instrument with unconfirmed rows dropped where an earlier one can stand in."""
        table = {name: fact.confirmed_only() for name, fact in self.table.items()}
        return replace(self, table=table)

    def next_expiry(self, day: int, calendar: Calendar) -> int | None:
        """Return the trading-day number of the first monthly expiry on or after a day.

        A holiday moves it to the session before. None where the instrument does not expire.
        """
        month = day_date(day).replace(day=1)
        for _ in range(3):
            planned = self._planned_expiry(month)
            if planned is None:
                return None
            sessions = calendar.sessions(planned - timedelta(days=10), planned)
            if sessions and sessions[-1].day >= day:
                return sessions[-1].day
            month = (month + timedelta(days=32)).replace(day=1)
        return None

    def _planned_expiry(self, month: date) -> date | None:
        """Return a month's expiry date before holidays are looked at."""
        facts = self.facts(day_number(month + timedelta(days=27)))
        if facts.expiry_month_day:
            return month.replace(day=facts.expiry_month_day)
        if facts.expiry_weekday < 0:
            return None
        last = (month + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        return last - timedelta(days=(last.weekday() - facts.expiry_weekday) % 7)


def instrument_names(user_file: str | None = None) -> list[str]:
    """Return the symbols of all known instruments."""
    return sorted(load_entries(user_file, _modified(user_file)))


def get_instrument(
    symbol: str,
    overrides: Mapping[str, Any] | None = None,
    user_file: str | None = None,
) -> Instrument:
    """Return an instrument by project symbol.

    Parameters
    ----------
    symbol : str
        XAUUSD, MGC, NIFTY-FUT, ...
    overrides : mapping, optional
        Facts that hold for all dates instead of their tables (`{"lot": 75}`, text or numbers):
        any number in `core.fact_tables`, any rate of COST, or price_side.
    user_file : str, optional
        A TOML file merged over the bundled tables.

    Raises
    ------
    ConfigError : unknown symbol or faulty overrides (all in one message, with near names).
    """
    entries = load_entries(user_file, _modified(user_file))
    if symbol not in entries:
        raise ConfigError(f"instrument {symbol!r} is unknown{near_name(symbol, entries)}")
    return _overridden(_from_entry(entries[symbol]), overrides or {})


def _modified(user_file: str | None) -> int:
    try:
        return Path(user_file).stat().st_mtime_ns if user_file else 0
    except OSError:
        return 0


def _from_entry(entry: InstrumentEntry) -> Instrument:
    names = entry.names
    return Instrument(
        symbol=entry.symbol,
        description=names["description"],
        calendar=names["calendar"],
        quote_currency=names["quote_currency"],
        venue=names.get("venue", ""),
        price_side=names.get("price_side", "last"),
        proxy_for=entry.proxy_for,
        has_volume=entry.has_volume,
        spread_by_hour=entry.spread_by_hour,
        table=dict(entry.facts),
    )


def _overridden(instrument: Instrument, overrides: Mapping[str, Any]) -> Instrument:
    table, faults = dict(instrument.table), []
    taken: dict[str, float | str] = {}
    side = instrument.price_side
    for name, given in overrides.items():
        if name == "price_side" and given in PRICE_SIDES:
            side = taken[name] = str(given)
            continue
        fault = _override_fault(name, given)
        if fault:
            faults.append(f"  {name}={given}: {fault}")
            continue
        taken[name] = float(given)
        table[name] = constant(float(given))
    if faults:
        raise ConfigError("\n".join([f"instrument {instrument.symbol}: wrong overrides", *faults]))
    hours = () if "spread" in taken else instrument.spread_by_hour
    return replace(instrument, table=table, overrides=taken, price_side=side, spread_by_hour=hours)


def _override_fault(name: str, given: Any) -> str | None:
    known = (*NUMBER_KEYS, *COST_KEYS, "price_side")
    if name == "price_side":
        return f"expected one of {', '.join(PRICE_SIDES)}"
    if name not in known:
        return f"no such fact{near_name(name, known)}"
    try:
        return check_number(name, float(given))
    except (TypeError, ValueError):
        return "not a number"


def fill_spread(
    bars: np.ndarray[Any, Any],
    instrument: Instrument,
    wide: Iterable[tuple[int, int, float]] = (),
) -> None:
    """Fill `spread` of annotated BARs where the source gave none (0 or NaN), in place.

    Parameters
    ----------
    bars : ndarray of BAR, shape (n,)
        Annotated (`day` and `minute` are read); a positive spread of the source is kept.
    instrument : Instrument
        Its spread by hour of the market's zone, else its constant.
    wide : iterable of (start, end, factor)
        Times (ns UTC, half-open) around news at which bars that overlap have a wider spread.
    """
    if len(bars) == 0:
        return
    days, period = np.unique(bars["day"], return_inverse=True)
    constants = np.array([instrument.facts(int(day)).spread for day in days])
    modelled = constants[period]
    if instrument.spread_by_hour:
        modelled = np.array(instrument.spread_by_hour)[bars["minute"] // 60]
    given = bars["spread"] > 0
    spread = np.where(given, bars["spread"], modelled)
    for start, end, factor in wide:
        low = np.searchsorted(bars["end"], start, side="right")
        high = np.searchsorted(bars["start"], end, side="left")
        spread[low:high] *= factor
    bars["spread"] = spread
