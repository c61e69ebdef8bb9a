"""What one backtest is: the flags as typed, and the resolved request the runner takes."""

from __future__ import annotations

import calendar
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from core.errors import ConfigError, near_name

if TYPE_CHECKING:
    from core.fx import FxRate
    from core.instruments import Instrument
    from risk.settings import RiskSettings

INTRABAR = ("worst", "nearest", "best", "drill")
FILLS = ("tola", "backtrader")
BAND = ("worst", "nearest", "best")


@dataclass(frozen=True)
class Flags:
    """The flags of `backtest`, as typed; None or empty means "not given"."""

    plans: tuple[str, ...] = ()
    strategy: str | None = None
    data: tuple[str, ...] = ()
    instrument: str | None = None
    timeframe: str | None = None
    tz: str | None = None
    further: tuple[str, ...] = ()
    start: str | None = None
    end: str | None = None
    cash: float | None = None
    settings: tuple[str, ...] = ()
    risk: str | None = None
    intrabar: str | None = None
    fills: str | None = None
    costs: bool = True
    margin: bool = True
    instrument_set: tuple[str, ...] = ()
    band: bool = False
    out: str | None = None
    report: bool = True
    config: str = "tola.toml"


@dataclass(frozen=True)
class PlanRequest:
    """One strategy on one instrument, all values settled.

    Attributes
    ----------
    plan_id : str
        Its name in the run folder.
    strategy : str
        A bundled strategy's name, or path/to/file.py:Class.
    instrument : Instrument
        With the run's overrides, costs and margin as asked.
    data, tz : str
        The price file and the zone of its stamps (None: found out).
    timeframe : str, optional
        Bars to build from the file's; None keeps them.
    further : mapping of str to str
        Further series by name: their files.
    params : mapping
        The strategy's parameters that differ from its defaults.
    synthetic : bool
        The prices are generated.
    """

    plan_id: str
    strategy: str
    instrument: Instrument
    data: str
    timeframe: str | None = None
    tz: str | None = None
    further: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    fx: FxRate | None = None
    synthetic: bool = False


@dataclass(frozen=True)
class AccountRequest:
    """Plans that share one account: one cash, one guard, one equity curve.

    risk : the guard's limits; None is an empty rule set.
    """

    name: str
    currency: str
    cash: float
    plans: tuple[PlanRequest, ...]
    risk: RiskSettings | None = None


@dataclass(frozen=True)
class BacktestRequest:
    """A whole backtest.

    Attributes
    ----------
    start, end : date, optional
        First and last trading day, both included.
    intrabar, fills : str
        One of INTRABAR and of FILLS.
    settings : mapping of str to {"value", "from"}
        Every value of the run with its origin, for run.json.
    """

    accounts: tuple[AccountRequest, ...]
    start: date | None = None
    end: date | None = None
    intrabar: str = "worst"
    fills: str = "tola"
    costs: bool = True
    margin: bool = True
    band: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plans(self) -> list[PlanRequest]:
        """All plans of all accounts, in order."""
        return [plan for account in self.accounts for plan in account.plans]


def parse_pairs(flag: str, items: Sequence[str]) -> dict[str, str]:
    """Return NAME=VALUE flags as a mapping.

    Raises
    ------
    ConfigError : an item without '=', an empty side, a name given twice.
    """
    pairs: dict[str, str] = {}
    for item in items:
        name, sign, value = item.partition("=")
        if not sign or not name.strip() or not value.strip():
            raise ConfigError(f"{flag} {item}: expected NAME=VALUE")
        if name.strip() in pairs:
            raise ConfigError(f"{flag} {item}: {name.strip()} is given twice")
        pairs[name.strip()] = value.strip()
    return pairs


def parse_value(text: str) -> Any:
    """Return a flag's value as TOML reads it (3, 0.5, true, [1, 2]); other text stays text."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def parse_day(flag: str, text: str | None, *, last: bool = False) -> date | None:
    """Return a day from 2025, 2025-09 or 2025-09-15.

    last : take the last day of a year or month instead of the first.
    """
    if text is None:
        return None
    parts = re.fullmatch(r"(\d{4})(?:-(\d{1,2}))?(?:-(\d{1,2}))?", text)
    if parts:
        year, month = int(parts[1]), int(parts[2] or (12 if last else 1))
        try:
            end = calendar.monthrange(year, month)[1] if last else 1
            return date(year, month, int(parts[3] or end))
        except (ValueError, calendar.IllegalMonthError):
            pass
    raise ConfigError(f"{flag} {text}: expected a day such as 2025, 2025-09 or 2025-09-15")


def one_of(flag: str, value: str, known: Sequence[str]) -> str:
    """Return the value if it is known, else raise with the near one."""
    if value not in known:
        raise ConfigError(f"{flag} {value}: unknown{near_name(value, known)}")
    return value
