"""Reading the dated fact tables of `instruments.toml`, `charges.toml` and a user's own file.

A fact is one value for all time or a list of rows `{from, value, source, confirmed}`. Everything
wrong in a file is told in one message.
"""

from __future__ import annotations

import tomllib
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from core.calendar import day_number
from core.costs import COST
from core.errors import ConfigError, near_name

BUNDLED = tuple(
    Path(__file__).resolve().parent / name for name in ("instruments.toml", "charges.toml")
)

NAME_KEYS = ("description", "venue", "calendar", "quote_currency", "price_side", "charges")
OPTION_KEYS = ("proxy_for", "has_volume", "spread_by_hour")
NUMBER_KEYS = (
    "tick",
    "lot",
    "multiplier",
    "freeze_quantity",
    "margin_fixed",
    "margin_rate",
    "slippage_ticks",
    "spread",
    "expiry_weekday",
    "expiry_month_day",
)
COST_KEYS = tuple(name for name in COST.names or () if name != "freeze_quantity")
REQUIRED_KEYS = (
    "description",
    "calendar",
    "quote_currency",
    "charges",
    "tick",
    "lot",
    "multiplier",
)
PRICE_SIDES = ("bid", "ask", "mid", "last")

_MAY_BE_NEGATIVE = ("swap_long", "swap_short", "expiry_weekday", "swap_triple_weekday")
_MUST_BE_POSITIVE = ("tick", "lot", "multiplier")
_ALWAYS = -(10**9)
"""Day number of a row without a date."""


@dataclass(frozen=True)
class DatedFact:
    """One fact through time: `value[i]` holds from trading day `since[i]` on."""

    since: tuple[int, ...]
    values: tuple[float, ...]
    confirmed: tuple[bool, ...]

    def at(self, day: int) -> tuple[float, bool]:
        """Return the value of a day and whether its source is confirmed.

        Days before the first row take the first row's value, unconfirmed.
        """
        index = bisect_right(self.since, day) - 1
        if index < 0:
            return self.values[0], False
        return self.values[index], self.confirmed[index]

    def confirmed_only(self) -> DatedFact:
        """Return the fact without its unconfirmed rows; unchanged if nothing would be left."""
        kept = [index for index, known in enumerate(self.confirmed) if known]
        if not kept:
            return self
        return DatedFact(
            tuple(self.since[index] for index in kept),
            tuple(self.values[index] for index in kept),
            tuple(True for _ in kept),
        )


def constant(value: float) -> DatedFact:
    """Return a fact that holds for all time."""
    return DatedFact((_ALWAYS,), (value,), (True,))


@dataclass(frozen=True)
class InstrumentEntry:
    """One instrument as its tables describe it."""

    symbol: str
    names: Mapping[str, str]
    proxy_for: str | None
    has_volume: bool
    spread_by_hour: tuple[float, ...]
    facts: Mapping[str, DatedFact]


def check_number(name: str, value: Any) -> str | None:
    """Return what is wrong with a fact's value, None if nothing is.

    A tick is an integer ratio: `1 / tick` whole below 1, the tick whole from 1 on; so is a lot.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return f"{value!r} is not a number"
    if name in _MUST_BE_POSITIVE and value <= 0:
        return f"{value!r}: expected more than 0"
    if value < 0 and name not in _MAY_BE_NEGATIVE:
        return f"{value!r}: expected 0 or more"
    if name in ("tick", "lot"):
        ratio = 1.0 / value if value < 1 else float(value)
        if abs(ratio - round(ratio)) > 1e-6:
            return f"{value!r}: expected a whole number or 1 divided by one, such as 0.05"
    if name in ("expiry_weekday", "swap_triple_weekday") and value not in range(-1, 7):
        return f"{value!r}: expected a weekday 0 (Monday) to 6, or -1 for none"
    return None


@lru_cache(maxsize=8)
def load_entries(user_file: str | None, _modified_ns: int = 0) -> dict[str, InstrumentEntry]:
    """Return all instruments, the user's file merged over the bundled ones.

    Raises
    ------
    ConfigError : naming every fault of the user's file.
    """
    instruments: dict[str, dict[str, Any]] = {}
    charges: dict[str, dict[str, Any]] = {}
    faults: list[str] = []
    for path in (*BUNDLED, *([Path(user_file)] if user_file else [])):
        document = _read(path)
        _merge(instruments, document.pop("instruments", {}), "instruments", faults)
        _merge(charges, document.pop("charges", {}), "charges", faults)
        faults += [f"  [{key}]: expected [instruments.NAME] or [charges.NAME]" for key in document]
    tables = {name: _parse_charges(name, table, faults) for name, table in charges.items()}
    entries = {name: _parse_entry(name, instruments, tables, faults) for name in instruments}
    if faults:
        where = user_file or "bundled instruments"
        raise ConfigError("\n".join([f"{where}: {len(faults)} faults", *sorted(set(faults))]))
    return {name: entry for name, entry in entries.items() if entry is not None}


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as stream:
            return tomllib.load(stream)
    except OSError as cause:
        raise ConfigError(f"instrument file {path}: {cause.strerror or cause}") from cause
    except tomllib.TOMLDecodeError as cause:
        raise ConfigError(f"instrument file {path}: not valid TOML: {cause}") from cause


def _merge(into: dict[str, dict[str, Any]], tables: Any, kind: str, faults: list[str]) -> None:
    if not isinstance(tables, dict):
        faults.append(f"  {kind}: expected tables [{kind}.NAME]")
        return
    for name, table in tables.items():
        if isinstance(table, dict):
            into[name] = {**into.get(name, {}), **table}
        else:
            faults.append(f"  {kind}.{name}: expected a table [{kind}.{name}]")


def _unknown(where: str, table: Iterable[str], known: tuple[str, ...]) -> list[str]:
    return [f"  {where}.{key}: unknown{near_name(key, known)}" for key in table if key not in known]


def _parse_charges(name: str, table: dict[str, Any], faults: list[str]) -> dict[str, DatedFact]:
    where = f"charges.{name}"
    faults += _unknown(where, table, (*COST_KEYS, "description"))
    facts = {"swap_triple_weekday": constant(-1)}
    for key in COST_KEYS:
        if key in table:
            facts[key] = _parse_fact(f"{where}.{key}", key, table[key], faults)
    return facts


def _parse_entry(
    symbol: str,
    instruments: Mapping[str, dict[str, Any]],
    charges: Mapping[str, dict[str, DatedFact]],
    faults: list[str],
) -> InstrumentEntry | None:
    where, own = f"instruments.{symbol}", instruments[symbol]
    proxy_for = own.get("proxy_for")
    if proxy_for is not None and proxy_for not in instruments:
        faults.append(f"  {where}.proxy_for: {proxy_for!r} is no instrument")
        return None
    table = {**instruments[proxy_for], **own} if proxy_for else own
    faults += _unknown(where, own, (*NAME_KEYS, *OPTION_KEYS, *NUMBER_KEYS))
    missing = [key for key in REQUIRED_KEYS if key not in table]
    faults += [f"  {where}.{key}: missing" for key in missing]
    names = {key: str(table[key]) for key in NAME_KEYS if key in table}
    if names.get("price_side", "last") not in PRICE_SIDES:
        faults.append(f"  {where}.price_side: expected one of {', '.join(PRICE_SIDES)}")
    if "charges" in table and names["charges"] not in charges:
        faults.append(f"  {where}.charges: no such table{near_name(names['charges'], charges)}")
    facts = dict(charges.get(names.get("charges", ""), {}))
    for key in NUMBER_KEYS:
        if key in table:
            facts[key] = _parse_fact(f"{where}.{key}", key, table[key], faults)
    hours = table.get("spread_by_hour", [])
    if len(hours) not in (0, 24) or any(check_number("spread", hour) for hour in hours):
        faults.append(f"  {where}.spread_by_hour: expected 24 spreads of 0 or more")
    volume = bool(table.get("has_volume", True))
    return InstrumentEntry(symbol, names, proxy_for, volume, tuple(map(float, hours)), facts)


def _parse_fact(where: str, key: str, value: Any, faults: list[str]) -> DatedFact:
    if not isinstance(value, list):
        fault = check_number(key, value)
        if fault:
            faults.append(f"  {where}: {fault}")
            return constant(1.0)
        return constant(float(value))
    rows = [_parse_row(where, key, row, index, faults) for index, row in enumerate(value)]
    good = [row for row in rows if row is not None]
    if any(later[0] <= earlier[0] for earlier, later in pairwise(good)):
        faults.append(f"  {where}: rows must be in order of their dates, each date once")
    if not good:
        faults.append(f"  {where}: expected at least one row")
        return constant(1.0)
    since, values, confirmed = zip(*good, strict=True)
    return DatedFact(since, values, confirmed)


def _parse_row(
    where: str, key: str, row: Any, index: int, faults: list[str]
) -> tuple[int, float, bool] | None:
    if not isinstance(row, dict) or "value" not in row:
        faults.append(f"  {where}: row {index + 1} needs a value")
        return None
    faults += _unknown(where, row, ("from", "value", "source", "confirmed"))
    fault = check_number(key, row["value"])
    since = row.get("from")
    if since is None and index > 0:
        fault = "only the first row may be without a date"
    elif since is not None and (isinstance(since, datetime) or not isinstance(since, date)):
        fault = f"from = {since!r} is not a date such as 2025-04-15"
    if fault:
        faults.append(f"  {where}: row {index + 1}: {fault}")
        return None
    day = _ALWAYS if since is None else day_number(since)
    return day, float(row["value"]), bool(row.get("confirmed", True))
