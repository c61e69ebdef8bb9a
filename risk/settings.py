"""What a guard is told: one frozen object of limits, checked when it is made.

Every limit is a number above zero or None. None means "no such limit" and nothing else does:
`daily_loss=0` is refused, so a forgotten or mistyped value never switches a limit off.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import ConfigError, near_name

_MONEY = ("daily_loss", "trade_risk", "trailing_drawdown", "max_open_risk", "profit_target")
_PERCENT = (
    "daily_loss_pct",
    "trade_risk_pct",
    "max_open_risk_pct",
    "price_collar_pct",
    "consistency_pct",
)
_QUANTITY = ("max_quantity", "min_quantity")
_COUNT = ("assume_stop_ticks", "max_trades_day", "max_losses_row", "orders_per_minute")
_MINUTES = (
    "flat_entry_minutes",
    "early_close_minutes",
    "news_minutes_before",
    "news_minutes_after",
)
_CHOICES = {
    "daily_loss_basis": ("equity", "balance"),
    "trailing_mode": ("end_of_day", "intraday"),
    "quantity_scope": ("symbol", "account"),
    "news": ("block", "flatten", "tighten"),
    "news_impact": ("low", "medium", "high"),
    "opposite_plans": ("net", "refuse", "queue"),
}


@dataclass(frozen=True, kw_only=True)
class RiskSettings:
    """Limits of one source: a preset, a plan, a flag. None switches a limit off.

    Money is in account currency, percentages are of equity, quantities in lots, contracts or
    units as the instrument trades, clock times are "HH:MM" in the zone named beside them.

    Attributes
    ----------
    plan : limit only this plan's orders, by its own trades; None: the whole account. The day's
        loss and profit, the drawdown and rules of time are always the account's.
    daily_loss, daily_loss_pct : loss since the day's start that flattens and locks the day.
        `daily_loss_basis` says from what: "equity" (open profit included) or "balance" at the
        last mark before the roll. Percentages are of that base.
    trade_risk, trade_risk_pct : largest |planned entry - initial stop| x quantity x point value
        of one entry. An entry without a stop is refused, unless `assume_stop_ticks` gives the
        distance to count instead.
    max_quantity, min_quantity : position an entry may reach, and the least one it may leave,
        in units of `quantity_weights` (symbol -> weight; absent symbols weigh 1), per symbol or
        summed over the account (`quantity_scope`).
    max_trades_day : filled entries a trading day, counted on the day of the fill.
    max_losses_row : losing trades in a row, by the day they close; the streak ends each day.
    trailing_drawdown : fall from the highest balance (`trailing_mode` end_of_day) or equity
        (intraday) that ends the account. The floor never falls and stops rising at the starting
        balance + `trailing_lock_offset` (None: it rises for ever).
    max_open_risk, max_open_risk_pct : sum over open and working entries of money lost at the stop.
    price_collar_pct : farthest an entry's price may lie from the last close.
    orders_per_minute : orders (children counted) sent within 60 s.
    window : "HH:MM-HH:MM" in `window_zone`, outside which no entry is taken or works; several
        are separated by commas; one that ends before it starts spans midnight.
    flat_by : clock time in `flat_zone` by which every position is closed and order cancelled;
        on an early close `early_close_minutes` before the calendar's close, if that is earlier.
        Entries stop `flat_entry_minutes` before it.
    consistency_pct, profit_target : a day's profit of that share of the target ends its entries.
    news : what happens from `news_minutes_before` to `news_minutes_after` an event of
        `news_currencies` with at least `news_impact`: "block" takes and leaves no entry working,
        "flatten" also closes positions, "tighten" also halves each stop's distance.
        Events are the built-in list and those of `news_file` (CSV or ICS).
    opposite_plans : an entry against another plan's position on its symbol is netted (both are
        held), refused, or queued until the other plan is flat.
    """

    name: str = ""
    plan: str | None = None
    daily_loss: float | None = None
    daily_loss_pct: float | None = None
    daily_loss_basis: str = "equity"
    trade_risk: float | None = None
    trade_risk_pct: float | None = None
    assume_stop_ticks: int | None = None
    max_quantity: float | None = None
    min_quantity: float | None = None
    quantity_weights: Mapping[str, float] = field(default_factory=dict)
    quantity_scope: str = "symbol"
    max_trades_day: int | None = None
    max_losses_row: int | None = None
    trailing_drawdown: float | None = None
    trailing_mode: str = "end_of_day"
    trailing_lock_offset: float | None = None
    max_open_risk: float | None = None
    max_open_risk_pct: float | None = None
    price_collar_pct: float | None = None
    orders_per_minute: int | None = None
    window: str | None = None
    window_zone: str = "UTC"
    flat_by: str | None = None
    flat_zone: str = "UTC"
    flat_entry_minutes: int = 0
    early_close_minutes: int = 15
    consistency_pct: float | None = None
    profit_target: float | None = None
    news: str | None = None
    news_minutes_before: int = 5
    news_minutes_after: int = 5
    news_currencies: tuple[str, ...] = ("USD",)
    news_impact: str = "high"
    news_file: str | None = None
    opposite_plans: str = "net"

    def __post_init__(self) -> None:
        faults = _faults(self)
        if faults:
            where = f"risk settings {self.name!r}" if self.name else "risk settings"
            raise ConfigError(f"{where}: " + "; ".join(faults))


def from_mapping(values: Mapping[str, Any], *, name: str = "") -> RiskSettings:
    """Return settings from a table of `tola.toml`; `preset` names the one it starts from.

    Raises
    ------
    ConfigError : naming every unknown key and every wrong value in one message.
    """
    from risk.presets import get_preset

    given = dict(values)
    preset = given.pop("preset", None)
    base = {} if preset is None else _as_dict(get_preset(str(preset)))
    known = {item.name for item in fields(RiskSettings)} - {"name"}
    unknown = [
        f"{key} is no risk setting{near_name(key, known)}" for key in given if key not in known
    ]
    merged = {**base, **{key: value for key, value in given.items() if key in known}}
    if isinstance(merged.get("news_currencies"), list):
        merged["news_currencies"] = tuple(merged["news_currencies"])
    merged["name"] = name or base.get("name", "")
    try:
        settings = RiskSettings(**merged)
    except ConfigError as cause:
        raise ConfigError("; ".join([str(cause), *unknown])) from None
    if unknown:
        raise ConfigError(f"risk settings {name!r}: " + "; ".join(unknown))
    return settings


def parse_window(text: str) -> list[tuple[int, int]]:
    """Return "09:30-14:30, 18:00-02:00" as pairs of minutes of the day."""
    pairs = []
    for part in text.split(","):
        start, _, end = part.strip().partition("-")
        pairs.append((parse_clock(start), parse_clock(end)))
    return pairs


def parse_clock(text: str) -> int:
    """Return "HH:MM" as a minute of the day.

    Raises
    ------
    ValueError : if the text is no time of day.
    """
    hours, colon, minutes = text.strip().partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and len(minutes) == 2):
        raise ValueError(f"{text!r}: expected a time of day such as 15:10")
    value = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or value >= 24 * 60:
        raise ValueError(f"{text!r}: expected a time of day from 00:00 to 23:59")
    return value


def _as_dict(settings: RiskSettings) -> dict[str, Any]:
    return {item.name: getattr(settings, item.name) for item in fields(settings)}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _faults(settings: RiskSettings) -> list[str]:
    """Return what is wrong with the settings, one text a fault."""
    return (
        _number_faults(settings)
        + _choice_faults(settings)
        + _clock_faults(settings)
        + _pair_faults(settings)
    )


def _number_faults(settings: RiskSettings) -> list[str]:
    faults = []
    for key in (*_MONEY, *_PERCENT, *_QUANTITY, *_COUNT):
        value = getattr(settings, key)
        if value is None:
            continue
        top = 100.0 if key in _PERCENT else math.inf
        whole = key in _COUNT
        fits = _is_number(value) and 0 < value <= top and (not whole or value == int(value))
        if not fits:
            kind = "a whole number > 0" if whole else "a number > 0"
            limit = " and <= 100" if key in _PERCENT else ""
            faults.append(f"{key}={value!r}: expected {kind}{limit}; leave it out for no limit")
    for key in _MINUTES:
        value = getattr(settings, key)
        if not (_is_number(value) and value >= 0 and value == int(value)):
            faults.append(f"{key}={value!r}: expected a whole number of minutes >= 0")
    for symbol, weight in settings.quantity_weights.items():
        if not (_is_number(weight) and weight > 0):
            faults.append(f"quantity_weights[{symbol!r}]={weight!r}: expected a number > 0")
    offset = settings.trailing_lock_offset
    if offset is not None and not _is_number(offset):
        faults.append(f"trailing_lock_offset={offset!r}: expected a number, or none for no lock")
    return faults


def _choice_faults(settings: RiskSettings) -> list[str]:
    faults = []
    for key, allowed in _CHOICES.items():
        value = getattr(settings, key)
        if value is None and key == "news":
            continue
        if value not in allowed:
            faults.append(f"{key}={value!r}: expected one of {', '.join(allowed)}")
    return faults


def _clock_faults(settings: RiskSettings) -> list[str]:
    faults = []
    for key, parse in (("flat_by", parse_clock), ("window", parse_window)):
        value = getattr(settings, key)
        if value is not None:
            try:
                parse(value)
            except ValueError as cause:
                faults.append(f"{key}={cause}")
    for key in ("flat_zone", "window_zone"):
        value = getattr(settings, key)
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError, TypeError):
            faults.append(f"{key}={value!r}: expected a zone such as America/Chicago")
    return faults


def _pair_faults(settings: RiskSettings) -> list[str]:
    """Return faults of settings that must fit one another."""
    faults = []
    low, high = settings.min_quantity, settings.max_quantity
    if _is_number(low) and _is_number(high) and low > high:  # type: ignore[operator]
        faults.append(f"min_quantity={low!r} is above max_quantity={high!r}")
    if (settings.consistency_pct is None) != (settings.profit_target is None):
        faults.append("consistency_pct and profit_target: give both or neither")
    if settings.news_file is not None and settings.news is None:
        faults.append("news_file is given but news is off: expected block, flatten or tighten")
    return faults
