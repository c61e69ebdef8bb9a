"""The Backtrader side of a setup machine: compiled over all bars in run-once, one bar in next."""

from __future__ import annotations

import array
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import backtrader as bt
import numpy as np

from core.bars import BAR
from core.calendar import Calendar
from core.schedule import FlatRule, apply_flat_times
from strategies.machine import OUT, Machine, Outcome, Records, run_machine

_EPOCH_DAY = 719163.0
"""Backtrader's day number of 1970-01-01."""
_MS_PER_DAY = 86_400_000
_NS_PER_MS = 1_000_000
_NS_PER_UNIT = {bt.TimeFrame.Seconds: 10**9, bt.TimeFrame.Minutes: 60 * 10**9}
_NS_PER_DAY = 86_400 * 10**9
_BEFORE_END_NS = 1_000
"""How long before its END a time surely lies in a bar: where a session ends the next day begins."""

_NO_SETUPS = np.zeros(0, OUT["setups"].base)


class BarReader:
    """Gives a feed's bars as annotated BAR records: its own, or built from its lines.

    Parameters
    ----------
    data : Backtrader data
        Feeds of ours carry `bars`. Of any other feed the stamp is taken for the bar's END.
    calendar : Calendar
        Annotates bars built from lines.
    flats : sequence of FlatRule
        Flat times for bars built from lines; our runner has filled those of our own feeds.
    """

    def __init__(self, data: Any, calendar: Calendar, flats: Sequence[FlatRule] = ()) -> None:
        self._data = data
        self._calendar = calendar
        self._flats = tuple(flats)
        self._day = -1

    def all(self, count: int) -> Records:
        """Return the first `count` bars of a preloaded feed."""
        own: Records | None = getattr(self._data, "bars", None)
        if own is not None and len(own) == count:
            return own
        columns = {
            name: np.frombuffer(getattr(self._data.lines, name).array, count=count)
            for name in ("datetime", "open", "high", "low", "close", "volume")
        }
        return self._build(columns, count)

    def ago(self, back: int) -> Records:
        """Return the bar `back` places before the newest delivered, as a 1-item array."""
        own: Records | None = getattr(self._data, "bars", None)
        index = len(self._data) - 1 - back
        if own is not None and index < len(own):
            return own[index : index + 1]
        columns = {
            name: np.array([getattr(self._data.lines, name)[-back]])
            for name in ("datetime", "open", "high", "low", "close", "volume")
        }
        return self._build(columns, 1)

    def day_of(self, end: float) -> int:
        """Return the trading day of the bar that ENDs at a Backtrader time, delivered or not yet.

        A live session hears of a fill before the bar around it is over.
        """
        own: Records | None = getattr(self._data, "bars", None)
        index = len(self._data) - 1
        is_delivered = index >= 0 and end == self._data.datetime[0]
        if is_delivered and own is not None and index < len(own):
            return int(own["day"][index])
        before = self._step_ns() if is_delivered else _BEFORE_END_NS
        milliseconds = round((end - _EPOCH_DAY) * _MS_PER_DAY)
        inside = np.array([milliseconds * _NS_PER_MS - before])
        return int(self._calendar.trading_days(inside)[0])

    def _build(self, columns: dict[str, Any], count: int) -> Records:
        bars = np.zeros(count, BAR)
        for name in ("open", "high", "low", "close", "volume"):
            bars[name] = columns[name]
        step = self._step_ns()
        milliseconds = np.round((columns["datetime"] - _EPOCH_DAY) * _MS_PER_DAY)
        bars["start"] = milliseconds.astype(np.int64) * _NS_PER_MS - step
        self._calendar.annotate(bars, step)
        if count == 1:
            # A single bar can't tell by itself whether it is the first of its day.
            is_first = int(bars["day"][0]) != self._day
            self._day = int(bars["day"][0])
            bars["flags"] = (bars["flags"] & ~np.uint16(8)) | np.uint16(8 if is_first else 0)
        apply_flat_times(bars, self._calendar, self._flats)
        return bars

    def _step_ns(self) -> int:
        unit = _NS_PER_UNIT.get(self._data._timeframe, _NS_PER_DAY)
        return int(unit * self._data._compression)


class MachineLine(bt.Indicator):  # type: ignore[misc]
    """What a strategy's machine says about each bar of its first data.

    The line `setups` holds how many setups each bar emits. The strategy reads the rest by bar
    index: `facts`, `setups_at`, `bar`.

    Parameters
    ----------
    build : callable() -> Machine
        Makes the machine in its fresh state.
    reader : BarReader
        Of the first data.
    others : sequence of (data, BarReader)
        Further series; at most one.
    tick_of : callable(day) -> float
        Price step in force on a trading day.
    """

    lines: Any = ("setups",)
    params = (("build", None), ("reader", None), ("others", ()), ("tick_of", None))
    plotinfo: ClassVar[dict[str, Any]] = {"plot": False}

    def __init__(self, *_: Any, **__: Any) -> None:
        self._build: Callable[[], Machine] = self.p.build
        self._tick_of: Callable[[int], float] = self.p.tick_of
        self.machine = self._build()
        self._bars: Records = np.zeros(0, BAR)
        self._outcome: Outcome | None = None
        self._out = np.zeros(1, OUT)
        self._stepped = 0
        self._further_seen = 0
        self._day = -1
        super().__init__()

    def preonce(self, start: int, end: int) -> None:
        """Do nothing: a machine has no bars before its first."""

    def oncestart(self, start: int, end: int) -> None:
        """Do nothing: Backtrader calls this besides `once` when the minimum period is 1."""

    def once(self, start: int, end: int) -> None:
        """Run the compiled machine over every bar, from a fresh state."""
        self.machine = self._build()
        self._bars = self.p.reader.all(end)
        further = None
        for data, reader in self.p.others:
            further = reader.all(data.buflen())
        self._outcome = run_machine(self.machine, self._bars, further, self._tick_of)
        counts = np.zeros(end)
        for index, setups in self._outcome.setups.items():
            counts[index] = len(setups)
        self.lines.setups.array[:end] = array.array("d", counts.tobytes())

    def next(self) -> None:
        """Step the machine over the newest bar, once however often it is asked."""
        count = len(self)
        if count == self._stepped:
            return
        self._stepped = count
        self.collect_further()
        self._bars = self.p.reader.ago(0)
        day = int(self._bars["day"][0])
        if day != self._day:
            self._day = day
            self.machine.set_tick(self._tick_of(day))
        none = self._bars[:0]
        machine = self.machine
        machine.run(self._bars, none, machine.state, machine.params, self._out)
        self.lines.setups[0] = float(self._out["count"][0])

    def collect_further(self) -> None:
        """Hand the machine every bar of the further series delivered since the last call.

        Backtrader delivers a bar no later than the first bar of the first data with the same or
        a later END, so each is complete when that bar is stepped.
        """
        if self._outcome is not None:
            return
        machine = self.machine
        for data, reader in self.p.others:
            fresh = len(data) - self._further_seen
            self._further_seen += fresh
            for back in range(fresh - 1, -1, -1):
                machine.take_further(reader.ago(back), machine.state, machine.params)

    def emits(self) -> Records | None:
        """Return for every bar whether it emits a setup; None in next mode, bar by bar."""
        if self._outcome is None:
            return None
        emits = np.zeros(len(self._bars), np.bool_)
        emits[list(self._outcome.setups)] = True
        return emits

    def has_setups(self, index: int) -> bool:
        """Say whether bar `index` emits anything."""
        if self._outcome is not None:
            return index in self._outcome.setups
        return bool(self._out["count"][0])

    def setups_at(self, index: int) -> Records:
        """Return the setups bar `index` emits (in next mode: the newest bar only)."""
        if self._outcome is not None:
            return self._outcome.setups.get(index, _NO_SETUPS)
        setups: Records = self._out["setups"][0]
        return setups[: int(self._out["count"][0])]

    def facts(self, index: int) -> Any:
        """Return the FACTS of bar `index` (in next mode: the newest bar only)."""
        if self._outcome is not None:
            return self._outcome.facts[index]
        return self._out["facts"][0]

    def bar(self, index: int) -> Any:
        """Return the BAR record of bar `index` (in next mode: the newest bar only)."""
        if self._outcome is not None:
            return self._bars[index]
        return self._bars[0]
