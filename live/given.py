"""Arguments of a command, read with care: they come from other processes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Any

from core.errors import ConfigError

Given = Mapping[str, Any]
Told = dict[str, Any]


def word(given: Given, name: str) -> str:
    """Return a word that must be there."""
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{name}={value!r}: expected a word")
    return value


def number(given: Given, name: str, default: float) -> float:
    """Return a finite number."""
    value = given.get(name, default)
    try:
        found = float(value)
    except (TypeError, ValueError):
        found = float("nan")
    if isinstance(value, bool) or not isfinite(found):
        raise ConfigError(f"{name}={value!r}: expected a number")
    return found


def price(given: Given, name: str) -> float:
    """Return a price above 0."""
    found = number(given, name, 0.0)
    if not found > 0.0:
        raise ConfigError(f"{name}={found:g}: expected a price above 0")
    return found


def quantity_of(given: Given, plan: Any) -> float:
    """Return a quantity in whole lots of a plan's instrument."""
    quantity, lot = number(given, "quantity", 0.0), float(plan.facts.lot)
    if not quantity > 0.0:
        raise ConfigError(f"quantity={quantity:g}: expected more than 0")
    if abs(round(quantity / lot) * lot - quantity) > 1e-9 * quantity:
        raise ConfigError(f"quantity={quantity:g}: {plan.symbol} trades in steps of {lot:g}")
    return quantity


def shown(value: Any) -> str:
    """Return a value for people: a number without needless digits, none for None."""
    if value is None:
        return "none"
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return f"{value:.10g}" if is_number else str(value)


def names(plans: Sequence[Any]) -> str:
    """Return the plans' names."""
    return ", ".join(plan.plan_id for plan in plans)


def counted(count: int, one: str, more: str) -> str:
    """Return a count with its noun."""
    return f"{count} {one if count == 1 else more}"


def refusal_text(rule: str, limit: float, value: float, detail: str) -> str:
    """Return a refusal for people: rule, value and limit where they say something, and why."""
    text = f"refused by {rule}"
    if isfinite(value) and (limit or value):
        text += f": {value:.10g} against a limit of {limit:.10g}"
        return f"{text} ({detail})" if detail else text
    if limit and isfinite(limit):
        detail += f" (limit {limit:.10g})"
    return f"{text}: {detail}" if detail else text
