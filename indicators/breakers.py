"""Breaker blocks by pattern, and mitigation blocks.

Three accepted pivots L1, H1, L2 and then a close above H1. With L2 below L1 liquidity was taken
and the zone is a bullish breaker; with L2 at or above L1 it is a mitigation block. Bearish
mirrored. (The simple breaker, a broken order block, lives in `order_blocks`.)
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import swings
from indicators import zones as kept
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import ON_PRICES, KernelIndicator, draw_zones
from indicators.parameters import NO_LIMIT, ParamsArray, Rules, Whole, params_dtype, read_params

if TYPE_CHECKING:
    import pandas as pd

RULES: Rules = {"max_breakers": Whole(10, 1, optional=True)}
PARAMS = params_dtype(RULES)

BREAKER, MITIGATION = 1, 2
"""Kinds of zone: liquidity was taken before the break, or not."""

CLOSED_BEYOND, DROPPED = 1, 2
"""Why a zone ended: a close beyond its far side; pushed out by max_breakers."""

CANDLE = record_dtype([("bar", "i8"), ("low", "f8"), ("high", "f8")])

SEEN = record_dtype([("bar", CANDLE), ("up", CANDLE), ("down", CANDLE)])
"""A bar of the ring with the last bar at or before it that closed up, and down (-1 none)."""

POINT = record_dtype(
    [("price", "f8"), ("origin", "i8"), ("side", "i8"), ("bar", CANDLE), ("block", CANDLE)]
)
"""An accepted pivot. bar : its own bar. block : the last bar at or before it that closed toward
it (up for a high, down for a low)."""

PATTERN_OUT = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("origin", "i8"),
        ("first_price", "f8"),
        ("first_origin", "i8"),
        ("broken_price", "f8"),
        ("broken_origin", "i8"),
        ("last_price", "f8"),
        ("last_origin", "i8"),
        ("side", "i1"),
        ("mitigation", "i1"),
    ]
)
"""A pattern completed at this bar.

side : +1 or -1 for a breaker, else 0. mitigation : +1 or -1 for a mitigation block, else 0.
top, bottom, origin : the zone and its bar (NaN and -1 without one).
first, broken, last : the pivots L1, H1, L2 (bearish: H1, L1, H2), price and bar.
"""


@lru_cache
def pattern_dtype(window: int = 64) -> np.dtype[Any]:
    """Return the pattern's state; `window` bars (a power of two) must exceed swings' `right`."""
    return record_dtype(
        [
            ("count", "i8"),
            ("accepted", "i8"),
            ("is_spent", "i8"),
            ("seen", SEEN, (window,)),
            ("points", POINT, (4,)),
        ]
    )


PATTERN_STATE = pattern_dtype()
"""Zeros are a fresh state. points : ring of the last accepted pivots. is_spent : the present
triple has completed already."""

ZONE = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("origin", "i4"),
        ("born", "i4"),
        ("ended", "i4"),
        ("kind", "i1"),
        ("end_reason", "i1"),
        ("is_alive", "i1"),
    ]
)
"""origin : the zone's bar. born : the bar that completed the pattern. ended : -1 while alive."""

SIDE_OUT = record_dtype([("top", "f8"), ("bottom", "f8"), ("kind", "i1"), ("dead", "i2")])
"""top, bottom, kind : the living zone nearest to dying (NaN, 0 without one). dead : how many
zones died at this bar."""

OUT = record_dtype([("pattern", PATTERN_OUT), ("bull", SIDE_OUT), ("bear", SIDE_OUT)])


@lru_cache
def side_dtype(capacity: int = 32) -> np.dtype[Any]:
    """Return the record of one side's zones."""
    return record_dtype(
        [
            ("births", "i8"),
            ("dropped", "i8"),
            ("zones", ZONE, (capacity,)),
            ("slots", kept.slots_dtype(capacity)),
            ("chain", kept.chain_dtype(capacity)),
            ("queue", kept.queue_dtype(capacity)),
        ]
    )


@lru_cache
def state_dtype(capacity: int = 32, window: int = 64) -> np.dtype[Any]:
    """Return the state of the pattern and its zones, `capacity` a side."""
    side = side_dtype(capacity)
    return record_dtype([("pattern", pattern_dtype(window)), ("bull", side), ("bear", side)])


STATE = state_dtype()
"""Zeros are a fresh state."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters: `max_breakers` (10 a side; None for no limit)."""
    return read_params("breakers", RULES, values)


def new_state(params: ParamsArray, count: int, right: int) -> np.ndarray[Any, Any]:
    """Return a fresh 1-item state; `count` bars bound the zones where all are kept."""
    limit = min(int(params["max_breakers"][0]), max(count, 1))
    return np.zeros(1, state_dtype(kept.capacity_for(limit), kept.window_for(right + 2)))


@inlined
def _set(candle: Any, bar: int, low: float, high: float) -> None:
    candle.bar = bar
    candle.low = low
    candle.high = high


@inlined
def _see(bar: Any, state: Any) -> None:
    """Take this bar into the ring."""
    t = state.count
    mask = len(state.seen) - 1
    now = state.seen[t & mask]
    before = state.seen[(t - 1) & mask]
    _set(now.bar, t, bar.low, bar.high)
    if bar.close > bar.open:
        _set(now.up, t, bar.low, bar.high)
    elif t == 0:
        _set(now.up, -1, 0.0, 0.0)
    else:
        _set(now.up, before.up.bar, before.up.low, before.up.high)
    if bar.close < bar.open:
        _set(now.down, t, bar.low, bar.high)
    elif t == 0:
        _set(now.down, -1, 0.0, 0.0)
    else:
        _set(now.down, before.down.bar, before.down.low, before.down.high)


@inlined
def _take_pivot(swing: Any, state: Any) -> None:
    """Follow the zigzag: append the newly accepted pivot or let it replace the last."""
    if swing.event == swings.APPENDED:
        state.accepted += 1
    elif swing.event != swings.REPLACED:
        return
    state.is_spent = 0
    point = state.points[state.accepted & 3]
    seen = state.seen[swing.origin & (len(state.seen) - 1)]
    point.side = swing.pivot
    point.origin = swing.origin
    point.price = swing.ph if swing.pivot > 0 else swing.pl
    block = seen.up if swing.pivot > 0 else seen.down
    _set(point.bar, seen.bar.bar, seen.bar.low, seen.bar.high)
    _set(point.block, block.bar, block.low, block.high)


@kernel
def _write_completion(first: Any, broken: Any, last: Any, sign: int, out: Any) -> None:
    """Write the completed triple and its zone."""
    zone = broken.block if broken.block.bar >= first.origin else broken.bar
    out.top = zone.high
    out.bottom = zone.low
    out.origin = zone.bar
    out.first_price = first.price
    out.first_origin = first.origin
    out.broken_price = broken.price
    out.broken_origin = broken.origin
    out.last_price = last.price
    out.last_origin = last.origin
    if sign * last.price < sign * first.price:
        out.side = sign
    else:
        out.mitigation = sign


@kernel
def step_pattern(bar: Any, swing: Any, state: Any, out: Any) -> None:
    """Advance the pattern by one bar, after the swings of this bar (`swing`: swings.OUT).

    A triple completes once, at the first close strictly beyond its middle pivot, whether or not
    that level was crossed before. A replaced pivot makes a new triple.
    """
    _see(bar, state)
    _take_pivot(swing, state)
    out.side = 0
    out.mitigation = 0
    out.top = np.nan
    out.bottom = np.nan
    out.origin = -1
    out.first_price = np.nan
    out.first_origin = -1
    out.broken_price = np.nan
    out.broken_origin = -1
    out.last_price = np.nan
    out.last_origin = -1
    if state.accepted >= 3 and not state.is_spent:
        last = state.points[state.accepted & 3]
        broken = state.points[(state.accepted - 1) & 3]
        first = state.points[(state.accepted - 2) & 3]
        sign = -last.side
        if sign * bar.close > sign * broken.price:
            state.is_spent = 1
            _write_completion(first, broken, last, sign, out)
    state.count += 1


@inlined
def _end(side: Any, slot: int, reason: int, t: int, params: Any) -> None:
    """End a zone that stands in no queue any more."""
    zone = side.zones[slot]
    zone.is_alive = 0
    zone.ended = t
    zone.end_reason = reason
    kept.unlink(side.chain, slot)
    if params.max_breakers != NO_LIMIT:
        kept.give_slot(side.slots, slot)


@kernel
def _drop(side: Any, slot: int, t: int, params: Any) -> None:
    kept.withdraw(side.queue, slot)
    _end(side, slot, DROPPED, t, params)
    side.dropped += 1


@kernel
def _slot_for_new(side: Any, t: int, params: Any) -> int:
    """Return a slot for a new zone, dropping the oldest where the side is full."""
    if params.max_breakers == NO_LIMIT:
        slot = side.births % len(side.zones)
        if side.births >= len(side.zones) and side.zones[slot].is_alive:
            _drop(side, slot, t, params)
        return int(slot)
    if side.chain.count >= params.max_breakers:
        _drop(side, kept.oldest(side.chain), t, params)
    return kept.take_slot(side.slots)


@kernel
def _add(side: Any, sign: int, pattern: Any, t: int, params: Any) -> None:
    """Keep the zone of a pattern completed now."""
    slot = _slot_for_new(side, t, params)
    zone = side.zones[slot]
    zone.top = pattern.top
    zone.bottom = pattern.bottom
    zone.origin = pattern.origin
    zone.born = t
    zone.ended = -1
    zone.kind = BREAKER if pattern.side != 0 else MITIGATION
    zone.end_reason = 0
    zone.is_alive = 1
    side.births += 1
    kept.link(side.chain, slot)
    kept.enqueue(side.queue, zone.bottom if sign > 0 else -zone.top, slot)


@inlined
def _live(side: Any, close: float, t: int, params: Any, out: Any) -> None:
    """End the zones this close lies beyond; prices are mirrored for the bearish side."""
    out.dead = 0
    slot = kept.reached(side.queue, close, True)
    while slot >= 0:
        _end(side, slot, CLOSED_BEYOND, t, params)
        out.dead += 1
        slot = kept.reached(side.queue, close, True)


@inlined
def _write_nearest(side: Any, out: Any) -> None:
    out.top = np.nan
    out.bottom = np.nan
    out.kind = 0
    if side.queue.count > 0:
        zone = side.zones[side.queue.items[side.queue.count - 1].slot]
        out.top = zone.top
        out.bottom = zone.bottom
        out.kind = zone.kind


@kernel
def step(bar: Any, swing: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar, after its swings: the zones' life, then the pattern completed now.

    A bullish zone dies at a close below its bottom, a bearish one at a close above its top.
    """
    t = state.pattern.count
    _live(state.bull, bar.close, t, params, out.bull)
    _live(state.bear, -bar.close, t, params, out.bear)
    step_pattern(bar, swing, state.pattern, out.pattern)
    sign = out.pattern.side + out.pattern.mitigation
    if sign > 0:
        _add(state.bull, 1, out.pattern, t, params)
    elif sign < 0:
        _add(state.bear, -1, out.pattern, t, params)
    _write_nearest(state.bull, out.bull)
    _write_nearest(state.bear, out.bear)


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step swings and patterns over every bar; nested records as in PARTS."""
    for i in range(len(bars)):
        swings.step(bars[i], state[0].swings, params[0].swings, out[i].swings)
        step(bars[i], out[i].swings, state[0].breakers, params[0].breakers, out[i].breakers)


PARTS: Mapping[str, Rules] = {"swings": swings.RULES, "breakers": RULES}


def _line_state(params: ParamsArray, count: int) -> Records:
    right = int(params["swings"]["right"][0])
    zones = new_state(params["breakers"], count, right).dtype
    return np.zeros(
        1, nested({"swings": swings.new_state(params["swings"]).dtype, "breakers": zones})
    )


_PATTERN = ("side", "mitigation", "top", "bottom", "origin")

BLOCK = Block(
    name="breakers",
    run=run,
    parts=PARTS,
    out=nested({"swings": swings.OUT, "breakers": OUT}),
    state=_line_state,
    columns={
        **{
            "breaker" if name == "side" else name: ("breakers", "pattern", name)
            for name in _PATTERN
        },
        **{
            f"{side}_{name}": ("breakers", side, name)
            for side in ("bull", "bear")
            for name in ("top", "bottom", "kind", "dead")
        },
    },
)


class Breakers(KernelIndicator):
    """Breaker and mitigation blocks by pattern.

    `breaker`, `mitigation` (+1, -1, 0) mark the bar that completes a pattern, with its zone in
    `top`, `bottom`; `bull_top` ... hold each side's living zone nearest to dying.
    """

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES
    plotlines = draw_zones(BLOCK, "teal", "firebrick", ":")


def breakers(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return patterns per bar; columns as `Breakers`' lines, parameters of PARTS by name."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
