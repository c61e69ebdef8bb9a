"""Order blocks: the last extreme bar before a structure break, and what becomes of it.

A block is created by the break at bar t and known then. It is active, then touched, then broken:
a broken block is a simple breaker, the same zone acting for the other side, until price runs
through its far side too.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from math import inf
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import atr as atr_block
from indicators import displacement as displacement_block
from indicators import extremes, swings
from indicators import structure as structure_block
from indicators import zones as kept
from indicators.block import Block, Records, nested
from indicators.frame import callable_module, columns_frame
from indicators.line import ON_PRICES, KernelIndicator, draw_zones
from indicators.parameters import (
    NO_LIMIT,
    Choice,
    Flag,
    ParamsArray,
    Real,
    Rules,
    Whole,
    params_dtype,
    read_params,
)

if TYPE_CHECKING:
    import pandas as pd

TOUCHED, BROKEN, DEAD = 0, 1, 2
"""Events of a block's life in their order; also the queue in which it awaits each."""
GONE = DEAD + 1

RUN_THROUGH, DROPPED = 1, 2
"""Why a block ended: price ran through the breaker's far side; pushed out by max_blocks."""

RULES: Rules = {
    "block": Choice("extreme", ("extreme", "last_opposite", "body", "lux")),
    "close_mitigation": Flag(False),
    "need_displacement": Flag(False),
    "max_height": Real(inf, 0.0),
    "max_blocks": Whole(10, 1, optional=True),
}
PARAMS = params_dtype(RULES)

ZONE = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("volume", "f8"),
        ("percentage", "f8"),
        ("origin", "i4"),
        ("born", "i4"),
        ("reached", "i4", (2,)),
        ("ended", "i4"),
        ("stage", "i1"),
        ("end_reason", "i1"),
    ]
)
"""One block. origin : its bar. born : the breaking bar that created it (again). reached[TOUCHED],
reached[BROKEN], ended : bar of each event, -1 while it has not happened. stage : the event it
awaits, or GONE. volume : of the breaking bar and the two before. percentage : 100 times the
smaller share of it over the larger."""

SIDE_OUT = record_dtype(
    [
        ("created_top", "f8"),
        ("created_bottom", "f8"),
        ("volume", "f8"),
        ("percentage", "f8"),
        ("origin", "i8"),
        ("slot", "i8"),
        ("top", "f8"),
        ("bottom", "f8"),
        ("breaker_top", "f8"),
        ("breaker_bottom", "f8"),
        ("touched", "i2"),
        ("broken", "i2"),
        ("dead", "i2"),
        ("created", "i1"),
    ]
)
"""One side's blocks at one bar.

created : 1 if a block was created (again) now; then created_top, created_bottom, volume,
    percentage, origin (its bar) and slot, else NaN and -1.
top, bottom : the unbroken block whose next event is nearest in price, NaN without one.
breaker_top, breaker_bottom : the nearest broken block of this side; it acts for the other side.
touched, broken, dead : how many blocks had that event now.
"""

OUT = record_dtype([("bull", SIDE_OUT), ("bear", SIDE_OUT)])


@lru_cache
def side_dtype(capacity: int = 32) -> np.dtype[Any]:
    """Return the record of one side's blocks."""
    return record_dtype(
        [
            ("births", "i8"),
            ("dropped", "i8"),
            ("last_origin", "i8"),
            ("last_slot", "i8"),
            ("last_displacement", "i8"),
            ("zones", ZONE, (capacity,)),
            ("slots", kept.slots_dtype(capacity)),
            ("active", kept.chain_dtype(capacity)),
            ("breakers", kept.chain_dtype(capacity)),
            ("queues", kept.queue_dtype(capacity), (3,)),
        ]
    )


@lru_cache
def state_dtype(capacity: int = 32, window: int = 64) -> np.dtype[Any]:
    """Return the state record.

    `capacity` holds the unbroken and the broken blocks of a side; `window` bars (a power of two)
    must exceed the swings' `right`.
    """
    return record_dtype(
        [
            ("count", "i8"),
            ("volumes", "f8", (2,)),
            ("search", extremes.search_dtype(window)),
            ("bull", side_dtype(capacity)),
            ("bear", side_dtype(capacity)),
        ]
    )


STATE = state_dtype()
"""Zeros are a fresh state."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `block` ("extreme"): which bar makes the zone: extreme, last_opposite, body (of the extreme
    bar), lux. `close_mitigation` (False): a body, not a wick, breaks a block.
    `need_displacement` (False): a displacement bar between the block and the break. `max_height`
    (inf): in ATRs. `max_blocks` (10): unbroken blocks a side, and as many broken ones; None for
    no limit, then ended blocks stay readable in the state.
    """
    return read_params("order_blocks", RULES, values)


def new_state(params: ParamsArray, count: int, right: int) -> np.ndarray[Any, Any]:
    """Return a fresh 1-item state; `count` bars bound the blocks where all are kept."""
    limit = min(int(params["max_blocks"][0]), max(count, 1))
    dtype = state_dtype(kept.capacity_for(2 * limit), kept.window_for(right + 2))
    return np.zeros(1, dtype)


@inlined
def _trigger(zone: Any, stage: int, sign: int) -> float:
    """Return the price, mirrored for bearish blocks, that brings the block's next event."""
    near = zone.top if sign > 0 else -zone.bottom
    if stage == TOUCHED:
        return float(near)
    if stage == DEAD:
        return float(-near)
    return float(zone.bottom if sign > 0 else -zone.top)


@inlined
def _close_zone(side: Any, slot: int, reason: int, t: int, params: Any) -> None:
    """End a block that stands in no queue and no chain any more."""
    zone = side.zones[slot]
    zone.stage = GONE
    zone.ended = t
    zone.end_reason = reason
    if params.max_blocks != NO_LIMIT:
        kept.give_slot(side.slots, slot)


@kernel
def _detach(side: Any, slot: int) -> None:
    """Take a block out of its queue and its chain."""
    stage = side.zones[slot].stage
    kept.withdraw(side.queues[stage], slot)
    if stage == DEAD:
        kept.unlink(side.breakers, slot)
    else:
        kept.unlink(side.active, slot)


@kernel
def _drop_oldest(side: Any, chain: Any, t: int, params: Any) -> None:
    slot = kept.oldest(chain)
    _detach(side, slot)
    _close_zone(side, slot, DROPPED, t, params)
    side.dropped += 1


@kernel
def _break(side: Any, slot: int, sign: int, t: int, params: Any, out: Any) -> None:
    """Turn a block, taken from its queue, into a breaker."""
    zone = side.zones[slot]
    zone.reached[BROKEN] = t
    zone.stage = DEAD
    out.broken += 1
    kept.unlink(side.active, slot)
    if side.breakers.count >= params.max_blocks:
        _drop_oldest(side, side.breakers, t, params)
    kept.link(side.breakers, slot)
    kept.enqueue(side.queues[DEAD], _trigger(zone, DEAD, sign), slot)


@inlined
def _live(
    side: Any, sign: int, reach: float, back: float, deep: float, t: int, params: Any, out: Any
) -> None:
    """Move one side's blocks on by a bar; prices are mirrored for the bearish side.

    reach : the bar's extreme toward the blocks. deep : the price that must pass a block's far
    side to break it. back : the bar's other extreme, which kills breakers born before it.
    """
    out.touched = 0
    out.broken = 0
    out.dead = 0
    slot = kept.reached(side.queues[DEAD], -back, True)
    while slot >= 0:
        out.dead += 1
        kept.unlink(side.breakers, slot)
        _close_zone(side, slot, RUN_THROUGH, t, params)
        slot = kept.reached(side.queues[DEAD], -back, True)
    slot = kept.reached(side.queues[TOUCHED], reach, False)
    while slot >= 0:
        out.touched += 1
        zone = side.zones[slot]
        zone.reached[TOUCHED] = t
        zone.stage = BROKEN
        kept.enqueue(side.queues[BROKEN], _trigger(zone, BROKEN, sign), slot)
        slot = kept.reached(side.queues[TOUCHED], reach, False)
    slot = kept.reached(side.queues[BROKEN], deep, True)
    while slot >= 0:
        _break(side, slot, sign, t, params, out)
        slot = kept.reached(side.queues[BROKEN], deep, True)


@kernel
def _slot_for_new(side: Any, t: int, params: Any) -> int:
    """Return a slot for a new block, dropping the oldest where the side is full."""
    if params.max_blocks == NO_LIMIT:
        slot = side.births % len(side.zones)
        if side.births >= len(side.zones) and side.zones[slot].stage != GONE:
            _detach(side, slot)
            _close_zone(side, slot, DROPPED, t, params)
            side.dropped += 1
        return int(slot)
    if side.active.count >= params.max_blocks:
        _drop_oldest(side, side.active, t, params)
    return kept.take_slot(side.slots)


@kernel
def _place(side: Any, origin: int, t: int, params: Any) -> int:
    """Return the slot for a block of this bar: its old one if it still lives, else a new one."""
    slot = side.last_slot
    if side.births > 0 and side.last_origin == origin and side.zones[slot].stage != GONE:
        _detach(side, slot)
        if side.active.count >= params.max_blocks:
            _drop_oldest(side, side.active, t, params)
    else:
        slot = _slot_for_new(side, t, params)
        side.births += 1
    side.last_slot = slot
    side.last_origin = origin
    return int(slot)


@inlined
def _write_volume(zone: Any, sign: int, volume: float, state: Any) -> None:
    """Write the block's volume figures from the breaking bar and the two before it."""
    newer = volume + state.volumes[(state.count - 1) & 1]
    older = state.volumes[state.count & 1]
    zone.volume = newer + older
    largest = max(newer, older)
    zone.percentage = 100.0 * min(newer, older) / largest if largest > 0.0 else 100.0


@kernel
def _create(
    bar: Any, sign: int, atr: float, run: Any, side: Any, state: Any, params: Any, out: Any
) -> None:
    """Create the block of a structure break at this bar, unless a filter refuses it."""
    t = state.count
    found = extremes.answer(run, state.search, params.block)
    candle = found.candle
    top = candle.high
    bottom = candle.low
    if params.block == extremes.BODY:
        top = max(candle.open, candle.close)
        bottom = min(candle.open, candle.close)
    if params.need_displacement and side.last_displacement <= found.bar:
        return
    if params.max_height != np.inf and not top - bottom <= params.max_height * atr:
        return
    slot = _place(side, found.bar, t, params)
    zone = side.zones[slot]
    zone.top = top
    zone.bottom = bottom
    zone.origin = found.bar
    zone.born = t
    zone.reached[TOUCHED] = -1
    zone.reached[BROKEN] = -1
    zone.ended = -1
    zone.end_reason = 0
    zone.stage = TOUCHED
    _write_volume(zone, sign, bar.volume, state)
    kept.link(side.active, slot)
    kept.enqueue(side.queues[TOUCHED], _trigger(zone, TOUCHED, sign), slot)
    out.created = 1
    out.created_top = top
    out.created_bottom = bottom
    out.volume = zone.volume
    out.percentage = zone.percentage
    out.origin = found.bar
    out.slot = slot


@inlined
def _clear(out: Any) -> None:
    out.created = 0
    out.created_top = np.nan
    out.created_bottom = np.nan
    out.volume = np.nan
    out.percentage = np.nan
    out.origin = -1
    out.slot = -1


@inlined
def _write_nearest(side: Any, out: Any) -> None:
    """Write the unbroken and the broken block whose next event is nearest in price."""
    out.top = np.nan
    out.bottom = np.nan
    out.breaker_top = np.nan
    out.breaker_bottom = np.nan
    best = -np.inf
    for stage in range(DEAD):
        queue = side.queues[stage]
        if queue.count > 0 and queue.items[queue.count - 1].price > best:
            best = queue.items[queue.count - 1].price
            zone = side.zones[queue.items[queue.count - 1].slot]
            out.top = zone.top
            out.bottom = zone.bottom
    queue = side.queues[DEAD]
    if queue.count > 0:
        zone = side.zones[queue.items[queue.count - 1].slot]
        out.breaker_top = zone.top
        out.breaker_bottom = zone.bottom


@kernel
def step(
    bar: Any,
    atr: Any,
    displacement: Any,
    swing: Any,
    structure: Any,
    state: Any,
    params: Any,
    out: Any,
) -> None:
    """Advance by one bar, after this bar's structure: the life of blocks, then new ones.

    Parameters
    ----------
    atr, displacement, swing, structure : records of those blocks' OUT for this bar.

    Notes
    -----
    The life of blocks known before does not depend on this bar's gaps or breaks, so doing it
    here equals doing it before them.
    """
    t = state.count
    low_body = min(bar.open, bar.close) if params.close_mitigation else bar.low
    high_body = max(bar.open, bar.close) if params.close_mitigation else bar.high
    _live(state.bull, 1, bar.low, bar.high, low_body, t, params, out.bull)
    _live(state.bear, -1, -bar.high, -bar.low, -high_body, t, params, out.bear)
    _clear(out.bull)
    _clear(out.bear)
    if displacement.side > 0:
        state.bull.last_displacement = t
    elif displacement.side < 0:
        state.bear.last_displacement = t
    extremes.follow_swing(swing, state.search, params.block)
    if structure.bull:
        _create(bar, 1, atr.atr, state.search.bull, state.bull, state, params, out.bull)
    if structure.bear:
        _create(bar, -1, atr.atr, state.search.bear, state.bear, state, params, out.bear)
    _write_nearest(state.bull, out.bull)
    _write_nearest(state.bear, out.bear)
    extremes.take(bar, state.search, params.block)
    state.volumes[t & 1] = bar.volume
    state.count += 1


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step structure and blocks over every bar; nested records as in PARTS."""
    for i in range(len(bars)):
        bar = bars[i]
        was = state[0]
        how = params[0]
        now = out[i]
        atr_block.step(bar, was.atr, how.atr, now.atr)
        displacement_block.step(bar, now.atr, how.displacement, now.displacement)
        swings.step(bar, was.swings, how.swings, now.swings)
        structure_block.step(
            bar, now.swings, now.displacement, was.structure, how.structure, now.structure
        )
        step(
            bar,
            now.atr,
            now.displacement,
            now.swings,
            now.structure,
            was.order_blocks,
            how.order_blocks,
            now.order_blocks,
        )


PARTS: Mapping[str, Rules] = {**structure_block.PARTS, "order_blocks": RULES}


def _line_state(params: ParamsArray, count: int) -> Records:
    right = int(params["swings"]["right"][0])
    blocks = new_state(params["order_blocks"], count, right).dtype
    chain = structure_block.chain_state(params)
    return np.zeros(1, nested({**chain, "order_blocks": blocks}))


BLOCK = Block(
    name="order_blocks",
    run=run,
    parts=PARTS,
    out=nested({**structure_block.CHAIN_OUT, "order_blocks": OUT}),
    state=_line_state,
    columns={
        f"{side}_{name}": ("order_blocks", side, name)
        for side in ("bull", "bear")
        for name in SIDE_OUT.names or ()
        if name != "slot"
    },
)


class OrderBlocks(KernelIndicator):
    """Order blocks and simple breakers; lines are each side's SIDE_OUT.

    `bull_created` marks the bar of a new block, `bull_top`, `bull_bottom` the nearest unbroken
    one, `bull_breaker_top`, `bull_breaker_bottom` the nearest broken one (it acts bearish).
    """

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES
    plotlines = draw_zones(BLOCK, "seagreen", "indianred")


def order_blocks(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return blocks per bar; columns as `OrderBlocks`' lines, parameters of PARTS by name."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
