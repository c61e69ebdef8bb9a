"""Limits made stricter by hand while an account trades; they hold until the next trading day.

What the settings file says is the loosest an account ever trades with. Within a trading day a
limit only ever gets stricter: nobody makes room for himself after a loss.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from core.errors import ConfigError, RiskRefused, near_name
from risk.rules import Rule
from risk.settings import RiskSettings, from_mapping

_TERMS: dict[str, tuple[str, ...]] = {
    "daily_loss": ("daily_loss_basis",),
    "daily_loss_pct": ("daily_loss_basis",),
    "trade_risk": ("assume_stop_ticks",),
    "trade_risk_pct": ("assume_stop_ticks",),
    "max_open_risk": ("assume_stop_ticks",),
    "max_open_risk_pct": ("assume_stop_ticks",),
    "max_quantity": ("quantity_weights", "quantity_scope"),
    "min_quantity": ("quantity_weights", "quantity_scope"),
    "max_trades_day": (),
    "max_losses_row": (),
    "trailing_drawdown": ("trailing_mode", "trailing_lock_offset"),
    "price_collar_pct": (),
    "orders_per_minute": (),
}
"""The limits that can be tightened, each with the settings that say what its number means."""

TIGHTENABLE = tuple(_TERMS)
_OF_THE_ACCOUNT = ("daily_loss", "daily_loss_pct", "trailing_drawdown")
"""Never a single plan's."""
_WHOLE = ("max_trades_day", "max_losses_row", "orders_per_minute")
ONLY_TIGHTEN = "hard limits only tighten until the next trading day"


@dataclass
class Tightening:
    """A source of limits added by hand.

    rules : made of it. until_day : trading day whose beginning ends it; None before the first.
    """

    settings: RiskSettings
    rules: list[Rule]
    until_day: int | None

    def document(self) -> dict[str, Any]:
        """Return it as plain data, without what is at its default."""
        plain = RiskSettings()
        values = {
            item.name: getattr(self.settings, item.name)
            for item in fields(RiskSettings)
            if getattr(self.settings, item.name) != getattr(plain, item.name)
        }
        return {"settings": values, "until_day": self.until_day}


def settings_of(document: dict[str, Any]) -> RiskSettings:
    """Return the settings of a `Tightening.document`."""
    values = dict(document["settings"])
    return from_mapping(values, name=str(values.pop("name", "")))


def limit_in_force(sources: Iterable[RiskSettings], name: str, plan: str = "") -> float | None:
    """Return the strictest value of a limit that holds for a plan ("": for the account)."""
    values = [
        getattr(source, name)
        for source in sources
        if getattr(source, name) is not None and _holds_for(source, name, plan)
    ]
    return (max if name == "min_quantity" else min)(values, default=None)


def tightened(
    sources: Sequence[RiskSettings], name: str, value: Any, plan: str = ""
) -> RiskSettings:
    """Return what to add to the sources in force so that one limit is stricter.

    Parameters
    ----------
    value : a number, or its text. plan : only its orders are limited; "": all of the account's.

    Raises
    ------
    ConfigError : no such limit, or no number it could be.
    RiskRefused : the value in force is stricter.
    """
    if name not in _TERMS:
        raise ConfigError(f"limit {name!r}{near_name(name, TIGHTENABLE)}")
    wanted = _number(name, value)
    now = limit_in_force(sources, name, plan)
    is_looser = now is not None and (wanted < now if name == "min_quantity" else wanted > now)
    if is_looser:
        raise RiskRefused(name, float(now or 0.0), float(wanted), ONLY_TIGHTEN)
    base = _base(sources, name, plan)
    given: dict[str, Any] = {term: getattr(base, term) for term in _TERMS[name]}
    given[name] = wanted
    whose = None if name in _OF_THE_ACCOUNT or not plan else plan
    return RiskSettings(name="by hand", plan=whose, **given)


def _holds_for(source: RiskSettings, name: str, plan: str) -> bool:
    return name in _OF_THE_ACCOUNT or source.plan in (None, plan)


def _base(sources: Sequence[RiskSettings], name: str, plan: str) -> RiskSettings:
    """Return the source whose terms a new value is read by: the strictest that has such a limit."""
    limit = limit_in_force(sources, name, plan)
    own = [item for item in sources if _holds_for(item, name, plan)]
    for source in own:
        if limit is not None and getattr(source, name) == limit:
            return source
    return own[0] if own else RiskSettings()


def _number(name: str, value: Any) -> float | int:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{name}={value!r}: expected a number > 0") from None
    return int(number) if name in _WHOLE and number == int(number) else number
