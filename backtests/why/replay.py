"""A finished run's machine, run again from the stored bars up to any one of them."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

import strategies
from backtests.store import code_version
from backtests.usercode import is_file_name
from backtests.why.when import Bars
from core.bars import BAR, parse_timeframe
from core.calendar import get_calendar
from core.errors import TolaError
from core.instruments import Instrument, fill_spread, get_instrument
from core.results import RunFolder
from core.schedule import apply_flat_times
from core.wording import plural
from strategies.base import SetupStrategy
from strategies.machine import Machine, Records, run_machine
from strategies.sight import Moment, Sight
from strategies.words import PATTERNS

SIGHTS = {"gold_smc": "gold_sight", "nifty_smc": "nifty_sight", "breakout": "breakout_sight"}
"""Strategies whose machine can be looked into, and the module that does."""


@dataclass
class Replay:
    """One plan of a run, ready to be looked at.

    Attributes
    ----------
    plan : its object in run.json. bars : annotated as the run had them.
    strategy : class of ours, None for a user's own file.
    values : its settings. instrument : with the run's overrides.
    further : completed bars of the further series, empty without one.
    differs : what is not as it was when the run was made, one text each.
    """

    plan: Mapping[str, Any]
    bars: Bars
    strategy: type[SetupStrategy] | None
    values: Mapping[str, Any]
    instrument: Instrument
    further: Records
    differs: list[str] = field(default_factory=list)

    def looks(self, indices: Sequence[int]) -> Iterator[tuple[Moment, Sight, Records]]:
        """Yield bar after bar what the machine saw, with its setups; `indices` follow each other.

        Nothing where the strategy has no machine that can be looked into.
        """
        sight = _sight_of(self.strategy)
        if sight is None or self.strategy is None:
            return
        machine = self.strategy.build_machine(self.values, self._tick_of(0))
        first, records = int(indices[0]), self.bars.records
        self._advance(machine, 0, first)
        for index in indices:
            before = machine.state.copy()
            outcome = self._advance(machine, int(index), int(index) + 1)
            moment = Moment(
                int(index),
                records[index],
                before,
                machine.state,
                machine.params,
                outcome.facts[0],
                self.values,
                self._namer(int(index)),
            )
            yield moment, sight.look(moment), outcome.setups.get(0, _NO_SETUPS)

    def check_setups(self, stored: Sequence[tuple[int, str, float]], last: int) -> str:
        """Run the machine to bar `last` and compare its setups with those the run stored.

        Parameters
        ----------
        stored : START of the bar (ns UTC), pattern and entry of each setup up to that bar.

        Returns
        -------
        str
            "" if all are the same, else the first difference.
        """
        if self.strategy is None:
            return ""
        records = self.bars.records[: last + 1]
        machine = self.strategy.build_machine(self.values, self._tick_of(0))
        found = run_machine(machine, records, self.further, self._tick_of).setups
        mine = [
            (int(records["start"][index]), PATTERNS[setup["pattern"]], float(setup["entry"]))
            for index, emitted in sorted(found.items())
            for setup in emitted
        ]
        for one, other in zip(mine, stored, strict=False):
            if one[:2] != other[:2] or abs(one[2] - other[2]) > 1e-6 * abs(one[2]):
                return f"the setup of {self._time_text(other[0])} is not found again"
        if len(mine) != len(stored):
            return f"{plural(len(mine), 'setup')} found again, the run stored {len(stored)}"
        return ""

    def _time_text(self, ns: int) -> str:
        return f"{self.bars.local(ns):%Y-%m-%d %H:%M}"

    def _advance(self, machine: Machine, first: int, last: int) -> Any:
        records, further = self.bars.records, self.further
        taken = 0
        if first > 0 and len(further):
            end = records["end"][first - 1]
            taken = int(np.searchsorted(further["end"], end, side="right"))
        return run_machine(machine, records[first:last], further[taken:], self._tick_of)

    def _tick_of(self, day: int) -> float:
        return self.instrument.facts(day).tick

    def _namer(self, index: int) -> Callable[[int], str]:
        """Return what names other bars beside this one: the clock, with the date if it differs."""
        here = self.bars.label(index)[:10]

        def name(other: int) -> str:
            if not 0 <= other < len(self.bars.records):
                return "?"
            text = self.bars.label(other)
            return text[11:] if text[:10] == here else text[5:]

        return name


_NO_SETUPS: Records = np.zeros(0, np.int8)


def _sight_of(strategy: type[SetupStrategy] | None) -> ModuleType | None:
    name = None if strategy is None else SIGHTS.get(strategy.name)
    return None if name is None else importlib.import_module(f"strategies.{name}")


def open_replay(folder: RunFolder, plan_id: str) -> Replay:
    """Return a plan of a run with its bars, settings and further series.

    Raises
    ------
    TolaError : the run folder lacks something.
    """
    document = folder.run
    plan = next(item for item in document["plans"] if item["plan_id"] == plan_id)
    summary = next(item for item in folder.summary["plans"] if item["plan_id"] == plan_id)
    stored = {name: item["value"] for name, item in document["settings"].items()}
    instrument = _instrument(plan, stored)
    own = None if is_file_name(plan["strategy"]) else strategies.get(plan["strategy"])
    strategy = own if own is not None and issubclass(own, SetupStrategy) else None
    values: Mapping[str, Any] = plan["params"]
    if strategy is not None:
        values = strategy.read(plan["params"])
    records = _bars(folder, plan, instrument, stored, strategy, values)
    differs = _code_differs(document) + _file_differs(plan["data"])
    further = np.zeros(0, BAR)
    if strategy is not None and strategy.further:
        further, missing = _further(plan)
        differs += missing
    bars = Bars(records, summary["zone"])
    return Replay(plan, bars, strategy, values, instrument, further, differs)


def _instrument(plan: Mapping[str, Any], stored: Mapping[str, Any]) -> Instrument:
    own = stored.get("settings.instruments")
    instrument = get_instrument(plan["instrument"], plan["instrument_set"], own)
    if stored.get("settings.unconfirmed") == "skip":
        instrument = instrument.confirmed_only()
    if stored.get("settings.costs") is False:
        instrument = instrument.without_costs()
    return instrument.without_margin() if stored.get("settings.margin") is False else instrument


def _bars(
    folder: RunFolder,
    plan: Mapping[str, Any],
    instrument: Instrument,
    stored: Mapping[str, Any],
    strategy: type[SetupStrategy] | None,
    values: Mapping[str, Any],
) -> Records:
    """Return the stored bars as BAR records with all that the calendar knows of them."""
    frame = folder.bars(plan["plan_id"])
    records: Records = np.zeros(len(frame), BAR)
    for name in ("start", "open", "high", "low", "close", "volume"):
        records[name] = frame[name].to_numpy()
    calendar = get_calendar(instrument.calendar, stored.get("settings.calendar"))
    calendar.annotate(records, parse_timeframe(plan["timeframe"]))
    if "spread" in frame:
        records["spread"], records["flat_at"] = frame["spread"], frame["flat_at"]
    else:
        fill_spread(records, instrument)
        rules = strategy.flat_rules(values) if strategy is not None else ()
        apply_flat_times(records, calendar, rules)
    records["end"], records["day"] = frame["end"], frame["day"]
    return records


def _code_differs(document: Mapping[str, Any]) -> list[str]:
    then, now = document["code_version"], code_version()
    return [] if then == now else [f"the code has changed since the run ({then}, now {now})"]


def _file_differs(data: Mapping[str, Any]) -> list[str]:
    """Say whether the run's price file is another one now; the stored bars are used anyhow."""
    path = Path(str(data.get("path") or ""))
    if not data.get("sha256") or not path.is_file():
        return [f"the price file {path} is gone; the run's own bars are used"]
    if _sha256(path) == data["sha256"]:
        return []
    return [f"the price file {path} has changed since the run; the run's own bars are used"]


def _sha256(path: Path) -> str:
    import hashlib

    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _further(plan: Mapping[str, Any]) -> tuple[Records, list[str]]:
    """Return the further series' bars; they are read again from their file."""
    import feeds

    nothing = np.zeros(0, BAR)
    for name, source in plan["further"].items():
        path = Path(str(source.get("path") or ""))
        unknown = f"{name} cannot be shown and its filter is taken as missing"
        if not path.is_file():
            return nothing, [f"{path} is gone: {unknown}"]
        if source.get("sha256") and _sha256(path) != source["sha256"]:
            return nothing, [f"{path} has changed since the run: {unknown}"]
        try:
            return feeds.load(str(path), symbol=name).bars, []
        except TolaError as error:
            return nothing, [f"{error}: {unknown}"]
    return nothing, []
