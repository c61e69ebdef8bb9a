"""Gold's setups for many structural sets: what they share is worked out once.

Three layers, each remembered under the settings it depends on: the gaps (of none); levels, sweeps,
structure, order blocks and breaker patterns; ATR and displacement. Over them each set runs the two
patterns, by the same kernels as the machine, and only on bars on which a pattern has something to
do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.compile import kernel, record_dtype, unmanaged
from core.recent import Recent, room_for
from indicators import atr, displacement, dxy, fvg, sweeps
from strategies import gold_blocks, gold_breaker, gold_machine, gold_sweep
from strategies.machine import FACTS, OUT, Records, clear_out

_SIDE = record_dtype([("created_top", "f8"), ("created_bottom", "f8")])

VIEW = record_dtype(
    [
        ("t", "i8"),
        ("in_zone", "i1"),
        ("low_hit", sweeps.HIT),
        ("high_hit", sweeps.HIT),
        ("atr_now", record_dtype([("atr", "f8")])),
        ("displacement_now", record_dtype([("side", "i1")])),
        ("structure_now", record_dtype([("bull", "i1"), ("bear", "i1")])),
        ("order_blocks_now", record_dtype([("bull", _SIDE), ("bear", _SIDE)])),
        (
            "pattern_now",
            record_dtype(
                [
                    ("side", "i1"),
                    ("top", "f8"),
                    ("bottom", "f8"),
                    ("first_price", "f8"),
                    ("first_origin", "i8"),
                ]
            ),
        ),
        ("pivot_close", "f8"),
        ("pivot_swept", "i1"),
        ("bias_before", "i1"),
    ]
)
"""What the patterns read of `gold_blocks.STATE` at one bar, by the same names."""

GAP = record_dtype([("side", "i1"), ("top", "f8"), ("bottom", "f8"), ("open_until", "i8")])
"""The gap whose middle is a bar, side 0 for none. open_until : last bar at whose close it was
kept and not filled."""

LAYER_SETTINGS = (
    "left",
    "right",
    "sweep_reclaim",
    "levels",
    "pool_tolerance",
    "dxy_threshold",
    "dxy_missing",
)
"""Settings that the middle layer depends on."""


@kernel
def _note_open(side: Any, t: int, gaps: Any) -> None:
    """Note of every gap of a side that is kept and not filled that it was so at bar t."""
    slot = side.chain.newest - 1
    while slot >= 0:
        zone = side.zones[slot]
        if zone.reached[fvg.FILLED] < 0:
            gaps[zone.origin].open_until = t
        slot = side.chain.older[slot] - 1


@kernel
def write_gaps(bars: Any, state: Any, params: Any, reach: Any, now: Any, gaps: Any) -> None:
    """Write the gaps of a series by their middle bars, and how long each stood open."""
    for t in range(bars.shape[0]):
        fvg.step(bars[t], reach[0], state[0], params[0], now[0])
        if now[0].side != 0:
            gap = gaps[t - 1]
            gap.side = now[0].side
            gap.top = now[0].top
            gap.bottom = now[0].bottom
        _note_open(state[0].bull, t, gaps)
        _note_open(state[0].bear, t, gaps)


@kernel
def write_reach(
    bars: Any, average: Any, average_params: Any, params: Any, reach: Any, moved: Any, atrs: Any,
    sides: Any,
) -> None:  # fmt: skip
    """Write the ATR and the side of a displacement of every bar."""
    for t in range(bars.shape[0]):
        atr.step(bars[t], average[0], average_params[0], reach[0])
        displacement.step(bars[t], reach[0], params[0], moved[0])
        atrs[t] = reach[0].atr
        sides[t] = moved[0].side


@kernel
def _copy_hit(source: Any, target: Any) -> None:
    target.count = source.count
    target.price = source.price
    target.extreme = source.extreme


@kernel
def _look(state: Any, view: Any) -> None:
    """Write what the patterns will read of the blocks at this bar."""
    view.t = state.t
    _copy_hit(state.low_hit, view.low_hit)
    _copy_hit(state.high_hit, view.high_hit)
    view.structure_now.bull = state.structure_now.bull
    view.structure_now.bear = state.structure_now.bear
    made, seen = state.order_blocks_now, view.order_blocks_now
    seen.bull.created_top = made.bull.created_top
    seen.bull.created_bottom = made.bull.created_bottom
    seen.bear.created_top = made.bear.created_top
    seen.bear.created_bottom = made.bear.created_bottom
    found = view.pattern_now
    found.side = state.pattern_now.side
    found.top = state.pattern_now.top
    found.bottom = state.pattern_now.bottom
    found.first_price = state.pattern_now.first_price
    found.first_origin = state.pattern_now.first_origin
    view.pivot_close = state.pivot_close
    view.pivot_swept = state.pivot_swept
    view.bias_before = state.bias_before


@unmanaged
def write_views(
    bars: Any, further: Any, state: Any, params: Any, views: Any, facts: Any, wakes: Any
) -> None:
    """Run the middle layer over every bar.

    Parameters
    ----------
    state, params : gold_blocks.STATE and PARAMS, one item each.
    views, facts : VIEW and FACTS arrays, shape (n,); the ATR is not filled.
    wakes : int8, 1 where a level was swept or a breaker pattern completed.
    """
    blocks = state[0]
    taken = 0
    for t in range(bars.shape[0]):
        bar = bars[t]
        while taken < further.shape[0] and further[taken].end <= bar.end:
            dxy.step_further(further[taken], blocks.dxy, params[0].dxy)
            taken += 1
        gold_blocks.step_liquidity(bar, blocks, params[0])
        gold_blocks.step_structure(bar, blocks, params[0])
        dxy.step(bar, blocks.dxy, params[0].dxy, blocks.dxy_now)
        _look(blocks, views[t])
        gold_machine.write_facts(blocks, facts[t])
        has_hit = blocks.low_hit.count > 0 or blocks.high_hit.count > 0
        wakes[t] = 1 if has_hit or blocks.pattern_now.side != 0 else 0


@kernel
def follow_wakes(wakes: Any, upcoming: Any) -> None:
    """Write for each bar the first one from it on that may wake a pattern; n for none."""
    n = wakes.shape[0]
    after = n
    for back in range(n):
        t = n - 1 - back
        if wakes[t] != 0:
            after = t
        upcoming[t] = after


@kernel
def _show_gap(idea: Any, t: int, gaps: Any, fvgs: Any) -> None:
    """Put the newest open gap of a shifted idea, if there is one, where its pattern looks."""
    side = fvgs.bull if idea.side > 0 else fvgs.bear
    side.chain.newest = 0
    origin = idea.shifted_at
    while origin > idea.swept_at:
        gap = gaps[origin]
        if gap.side == idea.side and gap.open_until >= t:
            zone = side.zones[0]
            zone.origin = origin
            zone.top = gap.top
            zone.bottom = gap.bottom
            zone.reached[fvg.FILLED] = -1
            side.chain.newest = 1
            side.chain.older[0] = 0
            return
        origin -= 1


@unmanaged
def run_patterns(
    bars: Any, views: Any, upcoming: Any, gaps: Any, atrs: Any, sides: Any, state: Any, params: Any,
    fvgs: Any, out: Any, at: Any, setups: Any,
) -> int:  # fmt: skip
    """Run both patterns over the layers; return how many setups were written.

    Parameters
    ----------
    state, params : gold_machine.STATE and PARAMS, one item each; the state is fresh.
    fvgs, out : scratch: one fvg.STATE and one OUT.
    at, setups : rows and SETUP records of what is emitted.
    """
    machine, asked = state[0], params[0]
    count = 0
    n = bars.shape[0]
    t = 0
    while t < n:
        is_idle = machine.sweep.phase == gold_sweep.IDLE and machine.breaker.side == 0
        if is_idle:
            t = upcoming[t]
            if t >= n:
                break
        bar, view = bars[t], views[t]
        view.in_zone = 1 if gold_blocks.in_kill_zone(bar.minute, asked.blocks) else 0
        view.atr_now.atr = atrs[t]
        view.displacement_now.side = sides[t]
        clear_out(out[0])
        if asked.use_sweep_choch:
            if machine.sweep.phase == gold_sweep.SHIFTED:
                _show_gap(machine.sweep, t, gaps, fvgs[0])
            gold_sweep.step(bar, view, fvgs[0], machine.sweep, asked.sweep, out[0], machine.funnel)
        if asked.use_breaker:
            gold_breaker.step(bar, view, machine.breaker, asked.breaker, out[0], machine.funnel)
        for k in range(out[0].count):
            at[count] = t
            setups[count] = out[0].setups[k]
            count += 1
        t += 1
    return count


class GoldLayers:
    """Setups of gold_smc over one series, for one structural set after another.

    Parameters
    ----------
    bars, further : BAR arrays. tick : price step, the same on all days.
    nested_params : gives the machine's parameters of settings.

    Notes
    -----
    Ask for sets that agree in `LAYER_SETTINGS` one after the other: the middle layer of the last
    one alone is remembered.
    """

    def __init__(self, bars: Records, further: Records, tick: float, nested_params: Any) -> None:
        self.bars = bars
        self.further = further
        self.tick = tick
        self._params = nested_params
        count = len(bars)
        self._gaps = np.zeros(count, GAP)
        write_gaps(
            bars, np.zeros(1, fvg.STATE), fvg.params(), np.zeros(1, atr.OUT),
            np.zeros(1, fvg.OUT), self._gaps,
        )  # fmt: skip
        self._views = np.zeros(count, VIEW)
        self._facts = np.zeros(count, FACTS)
        self._upcoming = np.zeros(count, np.int32)
        self._layer: tuple[Any, ...] | None = None
        self._reaches: Recent[tuple[Any, ...], tuple[Records, Records]] = Recent(
            room_for(9 * count)
        )
        self._at = np.zeros(2 * count, np.int64)
        self._setups = np.zeros(2 * count, OUT["setups"].base)

    def find(self, values: Mapping[str, Any]) -> tuple[Records, Records, Records, Records]:
        """Return rows, setups (SETUP), facts (FACTS) and ATRs of a structural set.

        The facts are overwritten when a set of another middle layer is asked for.
        """
        params = self._params(values, self.tick)
        self._take_layer(values, params)
        atrs, sides = self._reach(values, params)
        count = run_patterns(
            self.bars, self._views, self._upcoming, self._gaps, atrs, sides,
            gold_machine.new_state(), params, np.zeros(1, fvg.STATE), np.zeros(1, OUT), self._at,
            self._setups,
        )  # fmt: skip
        return self._at[:count].copy(), self._setups[:count].copy(), self._facts, atrs

    def _take_layer(self, values: Mapping[str, Any], params: Records) -> None:
        key = tuple(values[name] for name in LAYER_SETTINGS)
        if key == self._layer:
            return
        state = np.zeros(1, gold_blocks.STATE)
        gold_blocks.reset(state[0])
        state["atr_now"]["atr"] = state["atr_now"]["before"] = np.nan
        wakes = np.zeros(len(self.bars), np.int8)
        self._facts[:] = 0
        write_views(
            self.bars, self.further, state, params["blocks"], self._views, self._facts, wakes
        )
        follow_wakes(wakes, self._upcoming)
        self._layer = key

    def _reach(self, values: Mapping[str, Any], params: Records) -> tuple[Records, Records]:
        key = (values["atr"], values["disp_k"])
        if key not in self._reaches:
            count = len(self.bars)
            atrs, sides = np.zeros(count), np.zeros(count, np.int8)
            blocks = params["blocks"]
            write_reach(
                self.bars, np.zeros(1, atr.STATE), blocks["atr"], blocks["displacement"],
                np.zeros(1, atr.OUT), np.zeros(1, displacement.OUT), atrs, sides,
            )  # fmt: skip
            self._reaches[key] = (atrs, sides)
        return self._reaches[key]
