"""What a strategy read and asked for at each bar, noted while it runs."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import backtrader as bt
import numpy as np

from feeds import BulkData
from risk.guard import Guard
from strategies.base import SetupStrategy
from strategies.machine import FACTS

Array = np.ndarray[Any, np.dtype[Any]]

_SCALARS = (bool, int, float, str, type(None), np.bool_, np.int64, np.int32, np.float64)
_NOTHING = object()


@dataclass(frozen=True)
class Decision:
    """Something a strategy asked of its broker.

    bar : index of the bar it asked at. what : "buy", "sell", "cancel" or "change". terms : prices
    and sizes, None where not given. where : (file, line) of the strategy's own code, None unknown.
    """

    bar: int
    what: str
    terms: tuple[Any, ...]
    where: tuple[str, int] | None

    def words(self) -> str:
        """Return it for people."""
        kind, size, price = self.terms[:3]
        at = "" if price is None else f" at {price:.10g}"
        amount = "" if size is None else f" {abs(size):g}"
        return f"{self.what}{amount} {kind}{at}"


@dataclass
class Observed:
    """What one run showed, bar by bar.

    Attributes
    ----------
    files : source files of the strategy's own code.
    names : of readings: the lines of its indicators, in the order they were made.
    columns : each reading as it stood at the close of each bar.
    changes : of each plain attribute of a plain strategy (bar, value) where it changed.
    setups : of a setup machine: (bar, fields in the order of SETUP, None for nan) of each.
    decisions : oldest first. bars : how many bars were noted.
    """

    files: frozenset[str]
    names: list[str] = field(default_factory=list)
    columns: list[array[float]] = field(default_factory=list)
    changes: dict[str, list[tuple[int, Any]]] = field(default_factory=dict)
    decisions: list[Decision] = field(default_factory=list)
    setups: list[tuple[int, tuple[Any, ...]]] = field(default_factory=list)
    bars: int = 0
    lines: list[Any] = field(default_factory=list)
    makers: dict[str, Any] = field(default_factory=dict)
    _machine: Any = None
    _facts: bytearray = field(default_factory=bytearray)
    _last: dict[str, Any] = field(default_factory=dict)

    def open(self, strategy: Any) -> None:
        """Find the readings of a strategy that is about to run."""
        for name, maker, line in readings_of(strategy):
            self.names.append(name)
            self.makers[name] = maker
            self.lines.append(line)
            self.columns.append(array("d"))
        self._machine = strategy.machine if isinstance(strategy, SetupStrategy) else None

    def note(self, strategy: Any) -> None:
        """Note what stands at the close of the bar at hand, once a bar of the first data."""
        count = len(strategy.data0)
        if count == self.bars:
            return
        self.bars = count
        for column, line in zip(self.columns, self.lines, strict=True):
            column.append(line[0])
        if self._machine is None:
            self._note_attributes(vars(strategy), count - 1)
            return
        self._facts += self._machine.facts(count - 1).tobytes()
        for setup in self._machine.setups_at(count - 1):
            told = tuple(None if value != value else value for value in setup.item())
            self.setups.append((count - 1, told))

    def _note_attributes(self, values: Mapping[str, Any], bar: int) -> None:
        last = self._last
        for name, value in values.items():
            if type(value) in _SCALARS and last.get(name, _NOTHING) is not value:
                if name[0] != "_" and not _is_same(last.get(name, _NOTHING), value):
                    self.changes.setdefault(name, []).append((bar, value))
                last[name] = value

    def asked(self, owner: Any, what: str, terms: tuple[Any, ...]) -> None:
        """Note what the strategy asked for."""
        self.decisions.append(
            Decision(len(owner.data0) - 1, what, terms, own_line(self.files, sys._getframe(2)))
        )

    def table(self) -> dict[str, Array]:
        """Return every reading by name, shape (n,); those of a setup machine last."""
        found = {
            name: np.frombuffer(column, np.float64) if len(column) else np.zeros(0)
            for name, column in zip(self.names, self.columns, strict=True)
        }
        facts = np.frombuffer(bytes(self._facts), FACTS)
        if self._machine is not None:
            for name in FACTS.names or ():
                found[f"machine.{name}"] = facts[name].astype(np.float64)
        return found


def _is_same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and (one == other or (one != one and other != other))


def own_line(files: frozenset[str], frame: Any) -> tuple[str, int] | None:
    """Return the innermost line of these source files that a frame was called from."""
    while frame is not None:
        if frame.f_code.co_filename in files:
            return frame.f_code.co_filename, frame.f_lineno
        frame = frame.f_back
    return None


def readings_of(strategy: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, indicator, line) of every line that a strategy's indicators hold.

    A line is named by the strategy's attribute that holds its indicator and by its own name.
    Indicators that others are made of are no readings: over arrays Backtrader never moves them.
    """
    attributes = {id(value): name for name, value in vars(strategy).items()}
    taken: dict[str, int] = {}
    for indicator in strategy._lineiterators[bt.LineIterator.IndType]:
        for place, line in enumerate(_lines(indicator)):
            name = _line_name(indicator, attributes.get(id(indicator)), place)
            taken[name] = taken.get(name, 0) + 1
            yield (name if taken[name] == 1 else f"{name} ({taken[name]})"), indicator, line


def _lines(indicator: Any) -> list[Any]:
    if isinstance(indicator, bt.linebuffer.LineBuffer):
        return [indicator]
    return [indicator.lines[place] for place in range(indicator.size())]


def _line_name(indicator: Any, attribute: str | None, place: int) -> str:
    kind = type(indicator).__name__.strip("_")
    if isinstance(indicator, bt.linebuffer.LineBuffer):
        return attribute or kind
    return f"{attribute or kind}.{indicator.lines._getlinealias(place)}"


class Watcher(bt.Analyzer):  # type: ignore[misc]
    """Notes each bar after the strategy has seen it."""

    params = (("observed", None),)

    def start(self) -> None:
        """Find the readings."""
        self.p.observed.open(self.strategy)

    def prenext(self) -> None:
        """Note a bar of the warm-up."""
        self.next()

    def next(self) -> None:
        """Note a bar."""
        self.p.observed.note(self.strategy)


class WatchedGuard(Guard):
    """A guard that notes what is asked of it before it judges."""

    observed: Observed | None = None

    def buy(self, owner: Any, data: Any, size: float, **given: Any) -> Any:
        """Note and take a buy order."""
        self._note_order(owner, "buy", size, given)
        return super().buy(owner, data, size, **given)

    def sell(self, owner: Any, data: Any, size: float, **given: Any) -> Any:
        """Note and take a sell order."""
        self._note_order(owner, "sell", size, given)
        return super().sell(owner, data, size, **given)

    def cancel(self, order: Any) -> bool:
        """Note and cancel."""
        self._noted(order.owner, "cancel", (order.getordername(), None, order.created.price))
        return super().cancel(order)

    def modify(
        self,
        order: Any,
        price: float | None = None,
        size: float | None = None,
        limit_price: float | None = None,
    ) -> bool:
        """Note and change."""
        self._noted(order.owner, "change", (order.getordername(), size, price, limit_price))
        return super().modify(order, price, size, limit_price)

    def _note_order(self, owner: Any, what: str, size: float, given: Mapping[str, Any]) -> None:
        kind = given.get("exectype") or bt.Order.Market
        names = ("price", "plimit", "trailamount", "trailpercent")
        terms = (bt.Order.ExecTypes[kind], size, *(given.get(name) for name in names))
        self._noted(owner, what, terms)

    def _noted(self, owner: Any, what: str, terms: tuple[Any, ...]) -> None:
        if self.observed is not None and owner is not None:
            self.observed.asked(owner, what, terms)


class GrowingData(BulkData):
    """Bars one at a time: what comes after the current bar cannot be reached through it."""

    _shows_all = True

    def __init__(self, series: Any = None, **given: Any) -> None:
        super().__init__(series, **given)
        self.p.dataname = self._dataname = None
        self._shows_all = False

    @property
    def series(self) -> Any:
        """The series up to the current bar; without the finer bars it was built from."""
        whole = self._whole
        if self._shows_all:
            return whole
        return replace(whole, bars=whole.bars[: len(self)], lower=None)

    @series.setter
    def series(self, whole: Any) -> None:
        self._whole = whole

    @property
    def symbol(self) -> str:
        """The instrument's symbol."""
        return str(self._whole.symbol)

    @property
    def bars(self) -> Array:
        """The BAR records up to the current one."""
        return self._bars[: len(self)]

    @property
    def all_bars(self) -> Array:
        """All BAR records, for the broker that plays them."""
        return self._bars

    def _start(self) -> None:
        self._shows_all = True
        super()._start()
        self._shows_all = False
