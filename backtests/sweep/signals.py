"""Compiled runs of strategies that, whenever flat, send a market bracket on a signal.

A `SignalRule` says where the signals are, once for each set of its structural settings; stops and
targets are multiples of a distance it gives with them. They run under Backtrader's own fill rules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from backtests.sweep.records import SUMMARY
from backtests.sweep.stock_loop import (
    ACCOUNT,
    BRACKET_TRADE,
    CONTRACT,
    follow,
    play_brackets,
    sum_brackets,
)
from core.errors import ConfigError
from core.recent import BUDGET_BYTES, Recent, room_for
from strategies.settings import Setting, read_settings

Array = np.ndarray[Any, Any]

_SIGNAL_BYTES, _TABLE_BYTES = 13, 8
"""What `Signals` and a table of an indicator take a bar."""


@dataclass(frozen=True)
class Columns:
    """Prices of a series, float64 of shape (n,) each, oldest first, and tables made of them."""

    open: Array
    high: Array
    low: Array
    close: Array
    _tables: Recent[tuple[Any, ...], Array] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        room = room_for(_TABLE_BYTES * len(self.close), BUDGET_BYTES // 4)
        object.__setattr__(self, "_tables", Recent(room))

    @classmethod
    def of(cls, bars: Array) -> Columns:
        """Return the columns of a BAR array."""
        return cls(*(np.ascontiguousarray(bars[name]) for name in ("open", "high", "low", "close")))

    def table(self, key: tuple[Any, ...], make: Callable[[], Array]) -> Array:
        """Return an indicator's values, made once for all sets that share it.

        Parameters
        ----------
        key : its name and parameters. make : called where it is not remembered.

        Returns
        -------
        ndarray, shape (n,)
            Not to be written to.
        """
        if key not in self._tables:
            self._tables[key] = make()
        return self._tables[key]


@dataclass(frozen=True)
class Signals:
    """Where a rule would enter, were it flat.

    sides : int8 (n,): +1 and -1 where it sends a market order at the close, else 0.
    distance : float64 (n,), price units, read where there is a signal.
    """

    sides: Array
    distance: Array
    upcoming: Array = field(init=False)

    def __post_init__(self) -> None:
        upcoming = np.empty(len(self.sides), np.int32)
        follow(self.sides, upcoming)
        object.__setattr__(self, "upcoming", upcoming)


@dataclass(frozen=True)
class Bracket:
    """What is sent on a signal: stop and target in distances from that close, and the size."""

    stop: float
    target: float
    size: float


class SignalRule:
    """A strategy as arrays. Subclass it, list the settings, and say signals and bracket.

    Attributes
    ----------
    name : as in messages.
    settings : tuple of Setting; the structural ones decide about the signals.
    """

    name: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = ()

    @classmethod
    def signals(cls, columns: Columns, values: Mapping[str, Any]) -> Signals:
        """Return where it would enter. Item i must not read prices after bar i.

        What other sets share, such as an ATR, is asked of `columns.table`.
        """
        raise NotImplementedError

    @classmethod
    def bracket(cls, values: Mapping[str, Any]) -> Bracket:
        """Return what is sent on a signal."""
        raise NotImplementedError


@dataclass(frozen=True)
class Terms:
    """The account and the contract; as Backtrader's `setcommission` takes them.

    cash : at the start. mult : money per 1.0 price move of 1.0. commission : per unit and side.
    margin : money one unit binds, > 0 (a futures contract).
    """

    cash: float
    mult: float
    commission: float
    margin: float


@dataclass
class SignalEngine:
    """Runs parameter sets of a rule over one series.

    Signals of structural sets and the columns' tables are remembered for as long as the engine
    lives, within a bound, so that sets in any order share them.
    """

    rule: type[SignalRule]
    columns: Columns
    terms: Terms
    _signals: Recent[tuple[Any, ...], Signals] = field(init=False)

    def __post_init__(self) -> None:
        count = len(self.columns.close)
        self.columns = replace(self.columns)  # its tables begin empty
        self._signals = Recent(room_for(_SIGNAL_BYTES * count))
        self._structural = [item.name for item in self.rule.settings if item.structural]
        self._trades = np.zeros(count // 2 + 1, BRACKET_TRADE)
        self._account = np.zeros(1, ACCOUNT)

    def run(self, table: Sequence[Mapping[str, Any]], *, is_marked: bool = True) -> Array:
        """Run parameter sets; return their SUMMARY records, shape (k,), in their order.

        is_marked : equity and drawdown look at every close; False: at closed trades only.

        Raises
        ------
        ConfigError : a set is not allowed, or its entries cannot be paid for.
        """
        summaries = np.zeros(len(table), SUMMARY)
        for place, given in enumerate(table):
            values = self.values(given)
            count, contract = self._play(values, is_marked)
            out = summaries[place : place + 1]
            sum_brackets(self._trades, count, contract, self._account, out)
        return summaries

    def trades(self, given: Mapping[str, Any]) -> tuple[Array, float]:
        """Return one set's closed trades (BRACKET_TRADE) and the account's value at the end."""
        count, _ = self._play(self.values(given), True)
        return self._trades[:count].copy(), float(self._account["value"][0])

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings of a set, checked."""
        return read_settings(self.rule.name, self.rule.settings, given)

    def signals_of(self, values: Mapping[str, Any]) -> Signals:
        """Return the signals of a structural set, made once."""
        key = tuple(values[name] for name in self._structural)
        if key not in self._signals:
            self._signals[key] = self.rule.signals(self.columns, values)
        return self._signals[key]

    def _play(self, values: Mapping[str, Any], is_marked: bool) -> tuple[int, Array]:
        signals, bracket = self.signals_of(values), self.rule.bracket(values)
        columns, terms = self.columns, self.terms
        contract = np.zeros(1, CONTRACT)
        contract[0] = (
            bracket.size, terms.mult, terms.commission * bracket.size, terms.margin, terms.cash,
        )  # fmt: skip
        self._account[:] = 0
        count = play_brackets(
            columns.open, columns.high, columns.low, columns.close, signals.sides,
            signals.upcoming, signals.distance, bracket.stop, bracket.target, contract, is_marked,
            self._account, self._trades,
        )  # fmt: skip
        if self._account["lacks_cash"][0]:
            raise ConfigError(
                f"{self.rule.name}: cash does not carry an entry of {bracket.size:g}; "
                "Backtrader would reject orders there: run it in Backtrader, or with more cash"
            )
        return count, contract
