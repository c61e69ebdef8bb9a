"""Runs parameter sets over the days that windows are chosen on.

A set is run from a window's first day on with a fresh account, its machine having seen all earlier
bars: `warmup` says from which bar on setups are taken. No bar knows those after it, so what is
read of a run up to a window's last day is that window's, and windows that begin alike share a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backtests.search.runners import Given, Record, fault_text
from backtests.sweep import Prepared
from backtests.sweep.prepared import run_values
from backtests.walkforward.figures import part_figures
from backtests.walkforward.windows import Window
from core.errors import TolaError

Array = np.ndarray[Any, Any]

WINDOW = "window"
"""Beside a set's parameters: the place of the one window it is for; without, it is for all."""
_TOGETHER = 32


@dataclass(frozen=True)
class Spell:
    """A chosen set's days out of sample.

    equity : at each day's last close. figures : in the order of METRICS.
    """

    equity: Array
    figures: Sequence[float | None]


class WindowRunner:
    """A runner (`backtests.search.runners`) whose records hold the figures of windows in a row."""

    def __init__(self, prepared: Prepared, windows: Sequence[Window]) -> None:
        self.prepared, self.windows = prepared, list(windows)
        bars = prepared.market.bars
        firsts = np.flatnonzero(np.diff(bars["day"], prepend=-1))
        self.rows = np.append(firsts, len(bars))

    def run(self, table: Sequence[Given]) -> list[Record]:
        """Run sets; a record holds the figures of its window, or of all windows."""
        records: list[Record] = []
        for first in range(0, len(table), _TOGETHER):
            records += self._together(table[first : first + _TOGETHER])
        return records

    def _together(self, table: Sequence[Given]) -> list[Record]:
        faults: dict[int, str] = {}
        jobs: list[tuple[int, int, dict[str, Any]]] = []
        for place, given in enumerate(table):
            try:
                values = self.prepared.values(_params(given))
            except TolaError as fault:
                faults[place] = fault_text(fault)
                continue
            for start in sorted({window.first for window in self._windows(given)}):
                jobs.append((place, start, self._from(values, start)))
        results = run_values(
            self.prepared, [table[place] for place, _, _ in jobs], [v for _, _, v in jobs],
            keep_trades=True, keep_curve=True,
        )  # fmt: skip
        found = {(place, start): results.outcomes[k] for k, (place, start, _) in enumerate(jobs)}
        market = self.prepared.market
        return [
            Record(None, faults[place])
            if place in faults
            else Record(
                [
                    value
                    for window in self._windows(given)
                    for value in part_figures(
                        found[place, window.first], market.cash, market.days, self.rows,
                        window.first, window.middle,
                    )
                ]
            )
            for place, given in enumerate(table)
        ]  # fmt: skip

    def _windows(self, given: Given) -> list[Window]:
        return [self.windows[given[WINDOW]]] if WINDOW in given else self.windows

    def _from(self, values: dict[str, Any], day: int) -> dict[str, Any]:
        return {**values, "warmup": max(int(values["warmup"]), int(self.rows[day]))}

    def trade(self, given: Given, window: Window, cash: float) -> Spell:
        """Run a chosen set on the days of a window, beginning flat and with this cash."""
        market = replace(self.prepared.market, cash=cash)
        prepared = replace(self.prepared, market=market)
        values = self._from(prepared.values(given), window.middle)
        results = run_values(prepared, [given], [values], keep_trades=True, keep_curve=True)
        outcome = results.outcomes[0]
        assert outcome.day_equity is not None
        figures = part_figures(outcome, cash, market.days, self.rows, window.middle, window.last)
        return Spell(outcome.day_equity[window.middle : window.last], figures)

    def exits(self) -> list[int]:
        """Return the place of the day on which each trade of the plan as it is closed."""
        values = self.prepared.values({})
        results = run_values(self.prepared, [{}], [values], keep_trades=True)
        trades = results.outcomes[0].trades
        assert trades is not None
        places = np.searchsorted(self.rows, np.sort(trades["exit_row"]), "right") - 1
        return [int(place) for place in places]


def _params(given: Given) -> dict[str, Any]:
    return {name: value for name, value in given.items() if name != WINDOW}
