"""How far a search is, on a terminal: the best sets so far, its rate, and the time left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, TextIO

from backtests.search.objective import Goal
from backtests.search.space import Space, text_of
from backtests.search.sweeping import Watcher
from backtests.search.table import Table
from backtests.search.text import figure_text

_EVERY_SECS = 0.25
_ROWS = 5
_RATE_SECS = 5.0
_BAR = 24


class View(Watcher):
    """A table that is drawn anew on stderr; without a terminal, or not wanted, it says nothing."""

    def __init__(self, stream: TextIO, *, wanted: bool) -> None:
        self.active = wanted and stream.isatty()
        self._stream = stream
        self._live: Any = None
        self._note = ""
        self._shown = 0.0
        self._rates: list[tuple[float, int]] = []

    def begin(self, space: Space, goal: Goal, total: int, currency: str) -> None:
        """Learn what is searched."""
        self._space, self._goal = space, goal
        self._total, self._currency = total, currency

    def __enter__(self) -> View:
        if self.active:
            from rich.console import Console
            from rich.live import Live

            from core.terminal import wants_color

            console = Console(
                file=self._stream, force_terminal=True, no_color=not wants_color(self._stream),
                markup=False, emoji=False, highlight=False,
            )  # fmt: skip
            self._live = Live(console=console, auto_refresh=False, transient=True)
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def note(self, line: str) -> None:
        """Say what is under way, beneath the table."""
        self._note = line
        if self._live is not None:
            from rich.text import Text

            self._live.update(Text(line, "dim"), refresh=True)

    def watch(self, table: Table, run: int) -> None:
        """Draw what has come; cheap to call often."""
        now = time.monotonic()
        if self._live is None or now - self._shown < _EVERY_SECS:
            return
        self._shown = now
        self._rates.append((now, run))
        while now - self._rates[0][0] > _RATE_SECS:
            self._rates.pop(0)
        self._live.update(self._drawn(table, run), refresh=True)

    def _drawn(self, table: Table, run: int) -> Any:
        from rich.console import Group
        from rich.table import Table as Grid
        from rich.text import Text

        names = [axis.name for axis in self._space.axes]
        figures = list(
            dict.fromkeys(
                [*(item.name for item in self._goal.objectives), "trades", "net_profit",
                 "max_drawdown_pct"]
            )
        )  # fmt: skip
        grid = Grid(box=None, pad_edge=False)
        for name in (*names, *figures):
            grid.add_column(name, justify="right", no_wrap=True)
        for row in self._best(table):
            told = table.told(row)
            grid.add_row(
                *(text_of(table.sets[row][name]) for name in names),
                *(figure_text(name, told[name], self._currency) for name in figures),
            )
        state, note = Text(self._state(int(table.done.sum()), run)), Text(self._note, "dim")
        return Group(state, grid, note) if self._note else Group(state, grid)

    def _best(self, table: Table) -> Sequence[int]:
        return [int(row) for row in self._goal.ranking(table.figures)[:_ROWS]]

    def _state(self, done: int, run: int) -> str:
        share = done / self._total if self._total else 0.0
        bar = ("#" * round(share * _BAR)).ljust(_BAR, ".")
        (then, before), (now, _) = self._rates[0], self._rates[-1]
        rate = (run - before) / (now - then) if now > then else 0.0
        left = f"  {(self._total - done) / rate:,.0f} s left  {rate:,.0f}/s" if rate else ""
        return f"[{bar}] {done:,} of {self._total:,}{left}"
