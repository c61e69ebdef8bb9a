"""What a search looks for: a figure of the summary, its direction, and what a set must meet."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.errors import ConfigError, near_name

Array = np.ndarray[Any, Any]
Figures = Mapping[str, float | None]

HIGHER, LOWER = "max", "min"

METRICS: dict[str, str] = {
    "trades": HIGHER,
    "net_profit": HIGHER,
    "return_pct": HIGHER,
    "equity_end": HIGHER,
    "max_drawdown_pct": LOWER,
    "sharpe": HIGHER,
    "sortino": HIGHER,
    "calmar": HIGHER,
    "profit_factor": HIGHER,
    "win_rate": HIGHER,
    "expectancy_r": HIGHER,
    "costs": LOWER,
    "ambiguous_trades": LOWER,
}
"""The figures that are kept of every set, by their names in a run's summary, and which way is
better. A figure that cannot be formed is None (nan in arrays)."""

PLACES = {name: place for place, name in enumerate(METRICS)}

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_CONSTRAINT = re.compile(r"\s*(\w+)\s*(>=|<=|>|<)\s*(\S+)\s*")


@dataclass(frozen=True)
class Objective:
    """A figure to make large or small. direction : "max" or "min"."""

    name: str
    direction: str

    @property
    def sign(self) -> float:
        """+1 where higher is better, else -1."""
        return 1.0 if self.direction == HIGHER else -1.0

    def told(self) -> str:
        """Return it in words."""
        return f"{self.name} ({'higher' if self.direction == HIGHER else 'lower'} is better)"


@dataclass(frozen=True)
class Constraint:
    """A bound on a figure; a figure that cannot be formed does not meet it."""

    name: str
    relation: str
    bound: float

    def met(self, figures: Array) -> Array:
        """Say of each row of figures, shape (n, len(METRICS)), whether it meets the bound."""
        met: Array = _COMPARE[self.relation](figures[:, PLACES[self.name]], self.bound)
        return met

    def excess(self, value: float | None) -> float:
        """Return by how much a figure misses the bound, 0 or less where it meets it."""
        if value is None:
            return 1.0 + abs(self.bound)
        missing = self.bound - value if self.relation[0] == ">" else value - self.bound
        return missing + 1e-9 if len(self.relation) == 1 else missing

    def told(self) -> str:
        """Return it as it may be written."""
        return f"{self.name}{self.relation}{self.bound:g}"


def read_objectives(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives written as `NAME`, `NAME:max` or `NAME:min`.

    Raises
    ------
    ConfigError : an unknown figure or direction, or one named twice.
    """
    found = []
    for text in texts:
        name, colon, direction = text.partition(":")
        if name not in METRICS:
            raise ConfigError(
                f"--objective {name!r} is no figure of a run{near_name(name, METRICS)}"
            )
        if colon and direction not in (HIGHER, LOWER):
            raise ConfigError(f"--objective {text}: expected {name}:max or {name}:min")
        found.append(Objective(name, direction or METRICS[name]))
    names = [objective.name for objective in found]
    if len(set(names)) < len(names):
        raise ConfigError(f"--objective {', '.join(names)}: name each figure once")
    return tuple(found)


def read_constraints(texts: Sequence[str]) -> tuple[Constraint, ...]:
    """Return the constraints written as `NAME>=NUMBER` (also `<=`, `>`, `<`).

    Raises
    ------
    ConfigError : an unknown figure, or text of another form.
    """
    found = []
    for text in texts:
        parts = _CONSTRAINT.fullmatch(text)
        try:
            if parts is None:
                raise ValueError(text)
            name, relation, bound = parts[1], parts[2], float(parts[3])
            if not math.isfinite(bound):
                raise ValueError(text)
        except ValueError as cause:
            raise ConfigError(
                f"--constraint {text!r}: expected NAME>=NUMBER, such as trades>=30 or "
                "max_drawdown_pct<=10"
            ) from cause
        if name not in METRICS:
            raise ConfigError(
                f"--constraint {text!r}: {name!r} is no figure of a run{near_name(name, METRICS)}"
            )
        found.append(Constraint(name, relation, bound))
    return tuple(found)


@dataclass(frozen=True)
class Goal:
    """All that decides which set is better.

    objectives : the first one ranks; more of them are for a search of a trade-off (NSGA-II).
    """

    objectives: tuple[Objective, ...]
    constraints: tuple[Constraint, ...] = ()

    @property
    def first(self) -> Objective:
        """The objective that ranks."""
        return self.objectives[0]

    def counts(self, figures: Array) -> Array:
        """Say of each set whether it may be the best: a known objective, all constraints met."""
        allowed = ~np.isnan(figures[:, [PLACES[item.name] for item in self.objectives]]).any(axis=1)
        for constraint in self.constraints:
            allowed &= constraint.met(figures)
        return np.asarray(allowed)

    def ranking(self, figures: Array) -> Array:
        """Return the places of the sets that count, the best first; of equals the earlier.

        Parameters
        ----------
        figures : ndarray of float64, shape (n, len(METRICS))
        """
        places = np.flatnonzero(self.counts(figures))
        values = figures[places, PLACES[self.first.name]] * -self.first.sign
        return np.asarray(places[np.argsort(values, kind="stable")])

    def front(self, figures: Array) -> Array:
        """Return the places no other set betters in every objective, in the order of `ranking`.

        With one objective those are the best and its equals.
        """
        order = self.ranking(figures)
        kept: list[int] = []
        signs = np.array([item.sign for item in self.objectives])
        columns = [PLACES[item.name] for item in self.objectives]
        values = figures[:, columns] * signs
        for place in order:
            others = values[kept]
            worse = (others >= values[place]).all(axis=1) & (others > values[place]).any(axis=1)
            if not worse.any():
                kept.append(int(place))
        return np.array(kept, np.int64)


def figures_row(figures: Figures) -> list[float | None]:
    """Return a set's figures in the order of METRICS."""
    return [figures.get(name) for name in METRICS]
