"""How a setup machine is run: compiled over a whole series, or one bar at a time.

A machine is one composed kernel that sees prices and structural settings only. Every machine
writes the same OUT record, so everything after it (management, reports, the sweep) is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.bars import BAR
from core.compile import kernel, record_dtype
from core.setups import SETUP

Records = np.ndarray[Any, Any]

SETUPS_A_BAR = 2
"""A bar emits at most one setup per pattern, and no machine has more than two patterns."""

FACTS = record_dtype(
    [
        ("atr", "f8"),
        ("swing_low", "f8"),
        ("swing_high", "f8"),
        ("block_low", "f8"),
        ("block_high", "f8"),
        ("choch", "i1"),
        ("blocked_long", "u1"),
        ("blocked_short", "u1"),
        ("special", "i1"),
    ]
)
"""What the management layer must know of a bar besides its prices.

atr : ATR at the close, price units, NaN before it exists.
swing_low, swing_high : last accepted swings known at the close, NaN before the first.
block_low, block_high : lower edge of the newest bullish, upper edge of the newest bearish order
    block, NaN before the first or where the machine keeps none.
choch : side of a change of character at this bar, 0 none.
blocked_long, blocked_short : bits of the filters a side fails (words.BLOCK_TREND, BLOCK_DXY).
special : 1 in a session that allows no entries.
"""

BORN = record_dtype(
    [
        ("gap_side", "i1"),
        ("block_side", "i1"),
        ("has_range", "i1"),
        ("gap_top", "f8"),
        ("gap_bottom", "f8"),
        ("block_top", "f8"),
        ("block_bottom", "f8"),
        ("block_origin", "i8"),
        ("range_high", "f8"),
        ("range_low", "f8"),
    ]
)
"""What became known at a bar and is drawn on reports; management does not read it.

gap_* : a fair value gap, side +1, -1 or 0 for none. block_* : an order block and its bar.
range_* : a session or opening range that was completed, where has_range is 1.
"""

OUT = record_dtype(
    [("facts", FACTS), ("born", BORN), ("count", "i8"), ("setups", SETUP, (SETUPS_A_BAR,))]
)
"""One bar's result. count : setups emitted at this bar's close, in the order they are offered."""

PIECE_BARS = 4096
"""Bars run at once, so that the wide OUT records stay in cache and are not kept."""


@kernel
def clear_out(out: Any) -> None:
    """Empty an OUT record at the start of a bar."""
    out.count = 0
    out.facts.atr = np.nan
    out.facts.swing_low = np.nan
    out.facts.swing_high = np.nan
    out.facts.block_low = np.nan
    out.facts.block_high = np.nan
    out.facts.choch = 0
    out.facts.blocked_long = 0
    out.facts.blocked_short = 0
    out.facts.special = 0
    out.born.gap_side = 0
    out.born.block_side = 0
    out.born.has_range = 0


@kernel
def write_zones(gap: Any, blocks: Any, born: Any) -> None:
    """Write the gap (fvg.OUT) and the order block (order_blocks.OUT) that were born at a bar."""
    if gap.side != 0:
        born.gap_side = gap.side
        born.gap_top = gap.top
        born.gap_bottom = gap.bottom
    made = blocks.bull if blocks.bull.created else blocks.bear
    if made.created:
        born.block_side = 1 if blocks.bull.created else -1
        born.block_top = made.created_top
        born.block_bottom = made.created_bottom
        born.block_origin = made.origin


@kernel
def write_range(high: float, low: float, born: Any) -> None:
    """Write a range completed at a bar."""
    born.has_range = 1
    born.range_high = high
    born.range_low = low


@kernel
def new_setup(out: Any, kind: int, direction: int, pattern: int) -> Any:
    """Append an empty setup to OUT and return its record."""
    setup = out.setups[out.count]
    setup.kind = kind
    setup.direction = direction
    setup.pattern = pattern
    setup.entry = np.nan
    setup.stop = np.nan
    setup.target = np.nan
    setup.risk = np.nan
    setup.atr = np.nan
    setup.confidence = np.nan
    setup.zone_top = np.nan
    setup.zone_bottom = np.nan
    setup.level = np.nan
    setup.sweep_extreme = np.nan
    setup.origin = -1
    setup.refusal = 0
    out.count += 1
    return setup


@dataclass(frozen=True)
class Machine:
    """Kernels and records of one strategy's machine, ready to run from its first bar.

    Attributes
    ----------
    run : kernel(bars, further, state, params, outs) -> int
        Steps every bar; before each, every further bar completed by its END. Returns how many
        further bars were taken. May be called again with the bars that follow.
    state, params : 1-item arrays.
    take_further : kernel(bars, state, params)
        Takes completed bars of the further series; None for a machine without one.
    tick_paths : where the price step stands in the parameters, as paths of field names.
    """

    run: Callable[..., int]
    state: Records
    params: Records
    take_further: Callable[..., None] | None = None
    tick_paths: tuple[tuple[str, ...], ...] = (("tick",),)

    def set_tick(self, tick: float) -> None:
        """Set the price step from the next bar on."""
        for path in self.tick_paths:
            record = self.params
            for name in path[:-1]:
                record = record[name]
            record[path[-1]] = tick

    def funnel(self) -> dict[str, int]:
        """Return the machine's counters so far, by name."""
        record = self.state[0].funnel
        return {name: int(record[name]) for name in record.dtype.names}


@dataclass
class Outcome:
    """What a machine said about every bar of a series.

    facts : ndarray of FACTS, shape (n,).
    setups : bar index -> its setups (ndarray of SETUP, shape (k,)), only where there are some.
    born : ndarray of BORN, shape (n,), if it was asked for.
    """

    facts: Records
    setups: dict[int, Records] = field(default_factory=dict)
    born: Records | None = None


def run_machine(
    machine: Machine,
    bars: Records,
    further: Records | None = None,
    tick_of: Callable[[int], float] | None = None,
    *,
    keep_born: bool = False,
) -> Outcome:
    """Run a machine over a whole series.

    Parameters
    ----------
    machine : Machine
        Its state is advanced by all bars.
    bars : ndarray of BAR, shape (n,)
    further : ndarray of BAR, shape (m,), optional
        The further series; a bar of it is taken before the first bar whose END is not earlier.
    tick_of : callable(day) -> float, optional
        Price step in force on a trading day; None keeps the one in the parameters.
    keep_born : bool
        Keep what each bar gave birth to, for drawing.
    """
    others = np.zeros(0, BAR) if further is None else further
    count = len(bars)
    outcome = Outcome(np.zeros(count, FACTS), born=np.zeros(count, BORN) if keep_born else None)
    outs = np.zeros(min(count, PIECE_BARS), OUT)
    taken = 0
    for first, last in _pieces(bars, machine, tick_of):
        piece = outs[: last - first]
        taken += machine.run(bars[first:last], others[taken:], machine.state, machine.params, piece)
        outcome.facts[first:last] = piece["facts"]
        if outcome.born is not None:
            outcome.born[first:last] = piece["born"]
        for offset in np.flatnonzero(piece["count"]):
            emitted = piece[offset]
            outcome.setups[first + int(offset)] = emitted["setups"][: emitted["count"]].copy()
    return outcome


def _pieces(
    bars: Records, machine: Machine, tick_of: Callable[[int], float] | None
) -> Iterator[tuple[int, int]]:
    """Yield the bounds of the pieces to run, setting the tick in force before each."""
    starts = [0]
    if tick_of is not None and len(bars):
        days, firsts = np.unique(bars["day"], return_index=True)
        ticks = np.array([tick_of(int(day)) for day in days])
        machine.set_tick(float(ticks[0]))
        starts += [int(firsts[i]) for i in np.flatnonzero(ticks[1:] != ticks[:-1]) + 1]
    for start, stop in zip(starts, [*starts[1:], len(bars)], strict=True):
        if start > 0 and tick_of is not None:
            machine.set_tick(tick_of(int(bars["day"][start])))
        for first in range(start, stop, PIECE_BARS):
            yield first, min(first + PIECE_BARS, stop)
