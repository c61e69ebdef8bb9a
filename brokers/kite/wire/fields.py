"""Single fields of a JSON row: read with a clear word on what is wrong with one."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from brokers.kite.wire.errors import WireError, shown

Row = Mapping[str, Any]

LARGEST = 2**53
"""Whole numbers beyond it do not survive a double, which is what JSON has."""


def row_of(value: object, what: str) -> Row:
    """Return a JSON object."""
    if not isinstance(value, Mapping):
        raise WireError(f"{what}: expected an object, read {shown(value)}")
    return value


def rows_of(value: object, what: str) -> list[Any]:
    """Return a JSON list."""
    if not isinstance(value, list):
        raise WireError(f"{what}: expected a list, read {shown(value)}")
    return value


def text(row: Row, name: str, default: str | None = None) -> str:
    """Return a text; a number counts as one (ids come as either)."""
    value = row.get(name)
    if value is None and default is not None:
        return default
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise WireError(f"{name}={shown(value)}: expected a text")
    return str(value)


def text_or_none(row: Row, name: str) -> str | None:
    """Return a text, None where there is none."""
    return None if row.get(name) is None else text(row, name)


def number(row: Row, name: str, default: float | None = None) -> float:
    """Return a finite number; a text that is one counts (CSV)."""
    value = row.get(name)
    if (value is None or value == "") and default is not None:
        return default
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise WireError(f"{name}={shown(value)}: expected a number") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise WireError(f"{name}={shown(value)}: expected a number")
    if (isinstance(value, int) and abs(value) > LARGEST) or not isfinite(value):
        raise WireError(f"{name}={shown(value)}: expected a number")
    return float(value)


def whole(row: Row, name: str, default: int | None = None) -> int:
    """Return a whole number; 75.0 counts as one."""
    value = number(row, name, None if default is None else float(default))
    if not value.is_integer() or abs(value) > LARGEST:
        raise WireError(f"{name}={shown(row.get(name))}: expected a whole number")
    return int(value)


def flag(row: Row, name: str) -> bool:
    """Return whether a field is there and true."""
    return bool(row.get(name))


def numbers(row: Row, name: str) -> dict[str, float]:
    """Return an object of numbers, {} where there is none."""
    inner = row.get(name)
    if inner is None:
        return {}
    found = row_of(inner, name)
    return {str(key): number(found, key, 0.0) for key in found}
