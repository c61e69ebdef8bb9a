"""Fair value gaps and what becomes of them: touched, half filled, filled, inverted, dead.

A gap at middle bar m is known at m + 1. A zone stays in the state through its whole life:
a filled one may still invert (a close beyond it makes it act for the other side), and an
inverted one dies at the first later close back through it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import inlined, kernel, record_dtype
from indicators import atr as atr_block
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

TOUCHED, HALF, FILLED, INVERTED, ENDED = 0, 1, 2, 3, 4
"""Events of a zone's life in their order; also the queue in which a zone awaits each."""

CLOSED_BACK, MITIGATED, EXPIRED, DROPPED, JOINED = 1, 2, 3, 4, 5
"""Why a zone ended: a close back through an inverted one; mitigated with inversion off; older
than max_age; pushed out by max_zones; withdrawn into the zone that joined it."""

BY_TOUCH, BY_MID, BY_FULL, BY_THROUGH = 0, 1, 2, 3

RULES: Rules = {
    "mitigation": Choice("full", ("touch", "mid", "full", "through")),
    "inversion": Flag(True),
    "min_size": Real(0.0, 0.0, 1000.0),
    "auto_filter": Flag(False),
    "session_filter": Flag(False),
    "need_direction": Flag(True),
    "need_close_beyond": Flag(False),
    "join_consecutive": Flag(False),
    "max_age": Whole(100, 1, optional=True),
    "max_zones": Whole(20, 1, optional=True),
}
PARAMS = params_dtype(RULES)

ZONE = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("origin", "i4"),
        ("ended", "i4"),
        ("reached", "i4", (4,)),
        ("stage", "i1"),
        ("end_reason", "i1"),
    ]
)
"""One gap. origin : its middle bar (known one bar later). reached[TOUCHED..INVERTED], ended :
bar of each event, -1 while it has not happened. stage : the event it awaits, or ENDED + 1."""

GONE = ENDED + 1

CANDLE = record_dtype(
    [("open", "f8"), ("high", "f8"), ("low", "f8"), ("close", "f8"), ("day", "i8")]
)

SIDE_OUT = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("touched", "i2"),
        ("half", "i2"),
        ("filled", "i2"),
        ("inverted", "i2"),
        ("dead", "i2"),
    ]
)
"""One side's zones at one bar. top, bottom : the zone not yet mitigated whose next event is
nearest in price (NaN without one). touched ... dead : how many zones had that event now."""

OUT = record_dtype(
    [
        ("top", "f8"),
        ("bottom", "f8"),
        ("origin", "i8"),
        ("slot", "i8"),
        ("side", "i1"),
        ("bull", SIDE_OUT),
        ("bear", SIDE_OUT),
    ]
)
"""Facts known at one bar. side : +1 or -1 where a gap became known now, else 0; then top,
bottom, origin (its middle bar) and slot (its place in that side's zones), else NaN and -1."""


@lru_cache
def side_dtype(capacity: int = 32) -> np.dtype[Any]:
    """Return the record of one side's zones."""
    return record_dtype(
        [
            ("births", "i8"),
            ("dropped", "i8"),
            ("nearest", "i8"),
            ("is_changed", "i8"),
            ("zones", ZONE, (capacity,)),
            ("slots", kept.slots_dtype(capacity)),
            ("chain", kept.chain_dtype(capacity)),
            ("queues", kept.queue_dtype(capacity), (5,)),
        ]
    )


@lru_cache
def state_dtype(capacity: int = 32) -> np.dtype[Any]:
    """Return the state record, able to keep `capacity` zones a side (at least `max_zones`)."""
    return record_dtype(
        [
            ("count", "i8"),
            ("move_sum", "f8"),
            ("last_gap", "i8"),
            ("last_side", "i8"),
            ("last_slot", "i8"),
            ("candles", CANDLE, (4,)),
            ("bull", side_dtype(capacity)),
            ("bear", side_dtype(capacity)),
        ]
    )


STATE = state_dtype()
"""Zeros are a fresh state."""


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `mitigation` ("full"): which event ends a zone as a gap: touch, mid, full, or through (price
    strictly beyond its far side). `inversion` (True): go on to inversion. `min_size` (0): least
    height in ATRs of the bar before. `auto_filter` (False): the middle bar's move must exceed
    twice the mean move. `session_filter` (False): all three bars on one trading day.
    `need_direction` (True): the middle bar closes in the gap's direction. `need_close_beyond`
    (False): it closes beyond the first bar's extreme. `join_consecutive` (False).
    `max_age` (100 bars), `max_zones` (20 a side): None for no limit; with `max_zones=None` ended
    zones stay readable in the state.
    """
    return read_params("fvg", RULES, values)


def new_state(params: ParamsArray, count: int) -> np.ndarray[Any, Any]:
    """Return a fresh 1-item state; `count` bars bound the zones where all are kept."""
    limit = int(params["max_zones"][0])
    return np.zeros(1, state_dtype(kept.capacity_for(min(limit, max(count, 1)))))


@inlined
def _trigger(zone: Any, stage: int, sign: int) -> float:
    """Return the price, mirrored for bearish zones, that brings the zone's next event."""
    near = zone.top if sign > 0 else -zone.bottom
    far = zone.bottom if sign > 0 else -zone.top
    if stage == TOUCHED:
        return float(near)
    if stage == HALF:
        return float((near + far) / 2.0)
    if stage == ENDED:
        return float(-near)
    return float(far)


@inlined
def _close_zone(side: Any, slot: int, reason: int, t: int, params: Any) -> None:
    """End a zone that stands in no queue any more."""
    zone = side.zones[slot]
    zone.stage = GONE
    zone.ended = t
    zone.end_reason = reason
    kept.unlink(side.chain, slot)
    if params.max_zones != NO_LIMIT:
        kept.give_slot(side.slots, slot)


@kernel
def _retire(side: Any, slot: int, reason: int, t: int, params: Any) -> None:
    """End a zone that waits for its next event."""
    kept.withdraw(side.queues[side.zones[slot].stage], slot)
    _close_zone(side, slot, reason, t, params)
    side.is_changed = 1


@inlined
def _count(stage: int, out: Any) -> None:
    if stage == TOUCHED:
        out.touched += 1
    elif stage == HALF:
        out.half += 1
    elif stage == FILLED:
        out.filled += 1
    elif stage == INVERTED:
        out.inverted += 1


@inlined
def _is_reached(zone: Any, stage: int, sign: int, reach: float, close: float, params: Any) -> bool:
    """Say whether this bar brings the zone's event of this stage."""
    trigger = _trigger(zone, stage, sign)
    if stage == INVERTED:
        return close < trigger
    if stage == FILLED and params.mitigation == BY_THROUGH:
        return reach < trigger
    return reach <= trigger


@kernel
def _advance(
    side: Any, slot: int, sign: int, reach: float, close: float, t: int, params: Any, out: Any
) -> None:
    """Give a zone taken from its queue the event it awaited, and those this bar brings at once."""
    zone = side.zones[slot]
    stage = zone.stage + 0
    side.is_changed = 1
    while stage < ENDED:
        zone.reached[stage] = t
        _count(stage, out)
        if stage == min(params.mitigation, BY_FULL) and not params.inversion:
            _close_zone(side, slot, MITIGATED, t, params)
            return
        stage += 1
        if stage == ENDED or not _is_reached(zone, stage, sign, reach, close, params):
            zone.stage = stage
            kept.enqueue(side.queues[stage], _trigger(zone, stage, sign), slot)
            return
    out.dead += 1
    _close_zone(side, slot, CLOSED_BACK, t, params)


@inlined
def _live(side: Any, sign: int, reach: float, close: float, t: int, params: Any, out: Any) -> None:
    """Move one side's zones on by a bar; prices are mirrored for the bearish side."""
    out.touched = 0
    out.half = 0
    out.filled = 0
    out.inverted = 0
    out.dead = 0
    slot = kept.oldest(side.chain)
    while slot >= 0 and t - side.zones[slot].origin - 1 > params.max_age:
        _retire(side, slot, EXPIRED, t, params)
        slot = kept.oldest(side.chain)
    for stage in range(ENDED + 1):
        price = reach
        if stage >= INVERTED:
            price = close if stage == INVERTED else -close
        is_strict = stage >= INVERTED or (stage == FILLED and params.mitigation == BY_THROUGH)
        slot = kept.reached(side.queues[stage], price, is_strict)
        while slot >= 0:
            _advance(side, slot, sign, reach, close, t, params, out)
            slot = kept.reached(side.queues[stage], price, is_strict)


@kernel
def _slot_for_new(side: Any, t: int, params: Any) -> int:
    """Return a slot for a new zone, dropping the oldest where the side is full."""
    if params.max_zones == NO_LIMIT:
        slot = side.births % len(side.zones)
        if side.births >= len(side.zones) and side.zones[slot].stage != GONE:
            _retire(side, slot, DROPPED, t, params)
            side.dropped += 1
        return int(slot)
    while side.chain.count >= params.max_zones:
        _retire(side, kept.oldest(side.chain), DROPPED, t, params)
        side.dropped += 1
    return kept.take_slot(side.slots)


@kernel
def _add(side: Any, sign: int, top: float, bottom: float, t: int, params: Any) -> int:
    """Keep a new zone known at t; return its slot."""
    slot = _slot_for_new(side, t, params)
    zone = side.zones[slot]
    zone.top = top
    zone.bottom = bottom
    zone.origin = t - 1
    zone.ended = -1
    for event in range(4):
        zone.reached[event] = -1
    zone.stage = TOUCHED
    zone.end_reason = 0
    side.births += 1
    side.is_changed = 1
    kept.link(side.chain, slot)
    kept.enqueue(side.queues[TOUCHED], _trigger(zone, TOUCHED, sign), slot)
    return slot


@inlined
def _gap_side(bar: Any, first: Any, middle: Any, params: Any) -> int:
    """Return the side of the gap these three bars leave, 0 if none, size not yet asked."""
    side = 0
    if first.high < bar.low:
        side = 1
    elif first.low > bar.high:
        side = -1
    if side == 0:
        return 0
    if params.need_direction and not side * middle.close > side * middle.open:
        return 0
    extreme = first.high if side > 0 else first.low
    if params.need_close_beyond and not side * middle.close > side * extreme:
        return 0
    if params.session_filter and not first.day == middle.day == bar.day:
        return 0
    return side


@inlined
def _is_large(top: float, bottom: float, middle: Any, atr: Any, state: Any, params: Any) -> bool:
    """Say whether a gap passes the size filters; a bound that can't be tested yet is failed."""
    if params.min_size > 0.0 and not top - bottom >= params.min_size * atr.before:
        return False
    if params.auto_filter:
        move = abs(middle.close - middle.open) / middle.open
        return bool(move > 2.0 * state.move_sum / state.count)
    return True


@kernel
def _withdraw_joined(state: Any, t: int, params: Any) -> None:
    """End the zone of the bar before, which the new one of the same side has swallowed."""
    side = state.bull if state.last_side > 0 else state.bear
    zone = side.zones[state.last_slot]
    if zone.origin == t - 2:
        if zone.stage != GONE:
            _retire(side, state.last_slot, JOINED, t, params)
        else:
            zone.end_reason = JOINED


@inlined
def _detect(bar: Any, atr: Any, t: int, state: Any, params: Any, out: Any) -> None:
    """Find the gap known at this bar, keep it and write it out."""
    first = state.candles[(t - 2) & 3]
    middle = state.candles[(t - 1) & 3]
    sign = _gap_side(bar, first, middle, params)
    if sign == 0:
        return
    bottom = first.high if sign > 0 else bar.high
    top = bar.low if sign > 0 else first.low
    if not _is_large(top, bottom, middle, atr, state, params):
        return
    side = state.bull if sign > 0 else state.bear
    if params.join_consecutive and state.last_gap == t - 1 and state.last_side == sign:
        before = side.zones[state.last_slot]
        top = max(top, before.top)
        bottom = min(bottom, before.bottom)
        _withdraw_joined(state, t, params)
    slot = _add(side, sign, top, bottom, t, params)
    state.last_gap = t
    state.last_side = sign
    state.last_slot = slot
    out.side = sign
    out.top = top
    out.bottom = bottom
    out.origin = t - 1
    out.slot = slot


@inlined
def _write_nearest(side: Any, params: Any, out: Any) -> None:
    """Write the zone, not yet mitigated, whose next event is nearest in price."""
    if side.is_changed:
        side.is_changed = 0
        side.nearest = -1
        best = -np.inf
        for stage in range(min(params.mitigation, BY_FULL) + 1):
            queue = side.queues[stage]
            if queue.count > 0 and queue.items[queue.count - 1].price > best:
                best = queue.items[queue.count - 1].price
                side.nearest = queue.items[queue.count - 1].slot
    out.top = np.nan
    out.bottom = np.nan
    if side.chain.count > 0 and side.nearest >= 0:
        zone = side.zones[side.nearest]
        out.top = zone.top
        out.bottom = zone.bottom


@kernel
def step(bar: Any, atr: Any, state: Any, params: Any, out: Any) -> None:
    """Advance by one bar: the life of the zones known before it, then the gap it completes.

    Parameters
    ----------
    atr : record of atr.OUT of this bar (read only where `min_size` is above 0).
    """
    t = state.count
    _live(state.bull, 1, bar.low, bar.close, t, params, out.bull)
    _live(state.bear, -1, -bar.high, -bar.close, t, params, out.bear)
    out.side = 0
    out.top = np.nan
    out.bottom = np.nan
    out.origin = -1
    out.slot = -1
    if t >= 2:
        _detect(bar, atr, t, state, params, out)
    _write_nearest(state.bull, params, out.bull)
    _write_nearest(state.bear, params, out.bear)
    candle = state.candles[t & 3]
    candle.open = bar.open
    candle.high = bar.high
    candle.low = bar.low
    candle.close = bar.close
    candle.day = bar.day
    state.move_sum += abs(bar.close - bar.open) / bar.open
    state.count += 1


@kernel
def newest_unfilled(side: Any, first_origin: int, last_origin: int) -> int:
    """Return the slot of the newest zone not yet filled with first <= origin <= last, else -1."""
    slot = kept.newest(side.chain)
    while slot >= 0 and side.zones[slot].origin >= first_origin:
        zone = side.zones[slot]
        if zone.origin <= last_origin and zone.reached[FILLED] < 0:
            return slot
        slot = kept.older_than(side.chain, slot)
    return -1


@kernel
def run(bars: Records, state: Records, params: Records, out: Records) -> None:
    """Step the gaps, and the ATR where they ask for it, over every bar; nested as in PARTS."""
    for i in range(len(bars)):
        if params[0].fvg.min_size > 0.0:
            atr_block.step(bars[i], state[0].atr, params[0].atr, out[i].atr)
        step(bars[i], out[i].atr, state[0].fvg, params[0].fvg, out[i].fvg)


PARTS: Mapping[str, Rules] = {"atr": atr_block.RULES, "fvg": RULES}


def _line_state(params: ParamsArray, count: int) -> Records:
    gaps = new_state(params["fvg"], count).dtype
    return np.zeros(1, nested({"atr": atr_block.STATE, "fvg": gaps}))


_EVENTS = ("touched", "half", "filled", "inverted", "dead")

BLOCK = Block(
    name="fvg",
    run=run,
    parts=PARTS,
    out=nested({"atr": atr_block.OUT, "fvg": OUT}),
    state=_line_state,
    columns={
        "fvg": ("fvg", "side"),
        "top": ("fvg", "top"),
        "bottom": ("fvg", "bottom"),
        "origin": ("fvg", "origin"),
        **{
            f"{side}_{name}": ("fvg", side, name)
            for side in ("bull", "bear")
            for name in ("top", "bottom", *_EVENTS)
        },
    },
)


class FVG(KernelIndicator):
    """Fair value gaps: `fvg` (+1, -1, 0) with its zone on the bar it is known.

    `bull_top` ... `bear_bottom` hold each side's open zone whose next event is nearest;
    `bull_touched` ... count the zones that had that event on the bar.
    """

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = ON_PRICES
    plotlines = draw_zones(BLOCK, "seagreen", "indianred", "--")


def fvg(frame: pd.DataFrame, **values: Any) -> pd.DataFrame:
    """Return gaps per bar; columns as `FVG`'s lines, parameters as in `params`, `atr_period`."""
    return columns_frame(BLOCK, frame, values)


callable_module(__name__)
