"""What a block's parameters may be: rules that check them and the record they become.

A block states its parameters once, as a mapping of name to rule. The kernel's PARAMS record, the
defaults of its Backtrader line and the error a wrong value raises all come from that mapping.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.compile import record_dtype
from core.errors import ConfigError, near_name

NO_LIMIT = 1 << 62
"""What a kernel reads where the user said None: no limit."""


@dataclass(frozen=True)
class Whole:
    """A whole number in low..high; where `optional`, None means no limit (NO_LIMIT)."""

    default: int
    low: int = 0
    high: int = 1_000_000_000
    optional: bool = False

    field = "i8"

    def read(self, value: Any) -> int:
        """Return the number, or raise ValueError telling what is allowed."""
        if value is None and self.optional:
            return NO_LIMIT
        none = " or None" if self.optional else ""
        if isinstance(value, bool) or value != value or int(value) != value:
            raise ValueError(f"a whole number from {self.low} to {self.high}{none}")
        if not self.low <= value <= self.high:
            raise ValueError(f"{self.low} to {self.high}{none}")
        return int(value)


@dataclass(frozen=True)
class Real:
    """A finite (or, where `high` is inf, infinite) number in low..high."""

    default: float
    low: float = 0.0
    high: float = math.inf

    field = "f8"

    def read(self, value: Any) -> float:
        """Return the number, or raise ValueError telling what is allowed."""
        number = float(value)
        if not self.low <= number <= self.high:
            raise ValueError(f"{self.low:g} to {self.high:g}")
        return number


@dataclass(frozen=True)
class Flag:
    """Yes or no."""

    default: bool

    field = "i1"

    def read(self, value: Any) -> int:
        """Return 1 or 0, or raise ValueError telling what is allowed."""
        if value not in (True, False, 0, 1):
            raise ValueError("True or False")
        return int(value)


@dataclass(frozen=True)
class Choice:
    """One of a few names; the kernel sees its position in `names`."""

    default: str
    names: tuple[str, ...]

    field = "i1"

    def read(self, value: Any) -> int:
        """Return the position of the name, or raise ValueError listing the names."""
        if value not in self.names:
            raise ValueError(" | ".join(self.names) + near_name(str(value), self.names))
        return self.names.index(value)


Rule = Whole | Real | Flag | Choice
Rules = Mapping[str, Rule]
ParamsArray = np.ndarray[Any, Any]


def params_dtype(rules: Rules) -> np.dtype[Any]:
    """Return the record a kernel reads these parameters from."""
    return record_dtype([(name, rule.field) for name, rule in rules.items()])


def defaults(rules: Rules) -> tuple[tuple[str, Any], ...]:
    """Return (name, default) pairs, the form a Backtrader `params` declaration takes."""
    return tuple((name, rule.default) for name, rule in rules.items())


def merge(blocks: Mapping[str, Rules]) -> dict[str, Rule]:
    """Return the rules of several blocks as one flat mapping (names must not clash)."""
    flat: dict[str, Rule] = {}
    for rules in blocks.values():
        for name, rule in rules.items():
            if name in flat and flat[name] != rule:
                raise ValueError(f"two blocks disagree about parameter {name!r}")
            flat[name] = rule
    return flat


def read_params(block: str, rules: Rules, values: Mapping[str, Any]) -> ParamsArray:
    """Return checked parameters as a 1-item array of the block's PARAMS record.

    Raises
    ------
    ConfigError : naming every unknown or wrong field, its value and what is allowed.
    """
    return read_nested_params(block, {"only": rules}, values)["only"]


def read_nested_params(
    block: str, parts: Mapping[str, Rules], values: Mapping[str, Any]
) -> ParamsArray:
    """Return flat values as a 1-item array with one sub-record per part.

    A name that several parts know goes to each of them.

    Raises
    ------
    ConfigError : naming every unknown or wrong field, its value and what is allowed.
    """
    record = np.zeros(1, record_dtype([(part, params_dtype(parts[part])) for part in parts]))
    rules_by_name = merge(parts)
    faults = [
        f"{block}: unknown parameter {name!r}{near_name(name, rules_by_name)}"
        for name in values
        if name not in rules_by_name
    ]
    for name, rule in rules_by_name.items():
        value = values.get(name, rule.default)
        try:
            number = rule.read(value)
        except (TypeError, ValueError, OverflowError) as cause:
            allowed = cause if isinstance(cause, ValueError) else "a number"
            faults.append(f"{block}: {name}={value!r}: expected {allowed}")
            continue
        for part, rules in parts.items():
            if name in rules:
                record[part][name] = number
    if faults:
        raise ConfigError("\n".join(faults))
    return record
