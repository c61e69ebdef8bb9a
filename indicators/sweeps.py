"""Liquidity sweeps: a bar that trades through a level and closes back on its near side.

The primitives here are pure functions on three small records, so that a strategy can nest them:
RECENT (the last bars), LEVEL (one price that may be swept once) and HIT (what one bar swept on
one side). A sweep needs no history of the level: it is judged from the last bars alone.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from core.compile import kernel, record_dtype
from indicators import swings
from indicators.block import Block, Records
from indicators.frame import callable_module
from indicators.levels import PERIOD, reset_period, step_period, week_number
from indicators.line import KernelIndicator
from indicators.market_clock import DAY_RULES, trading_day, zoned_columns
from indicators.parameters import (
    Flag,
    ParamsArray,
    Real,
    Rules,
    Whole,
    params_dtype,
    read_params,
)
from indicators.zones import window_for

if TYPE_CHECKING:
    import pandas as pd

RECENT_BARS = 16
"""Bars RECENT remembers; `reclaim` may be at most RECENT_BARS - 1."""

NO_LEVEL, SWING, PREVIOUS_DAY, PREVIOUS_WEEK, SESSION, OPENING_RANGE, POOL = 0, 1, 2, 3, 4, 5, 6
"""What kind of level a LEVEL or HIT stands for."""

RECENT = record_dtype(
    [
        ("count", "i8"),
        ("low", "f8", (RECENT_BARS,)),
        ("high", "f8", (RECENT_BARS,)),
        ("close", "f8", (RECENT_BARS,)),
    ]
)
"""The last RECENT_BARS bars as rings; slot = bar index % RECENT_BARS; count = bars seen."""

LEVEL = record_dtype([("price", "f8"), ("origin", "i8"), ("kind", "i2"), ("active", "i1")])
"""One level. active: 1 until swept or withdrawn. origin: what it was made from (bar, day ...)."""

HIT = record_dtype(
    [
        ("count", "i8"),
        ("price", "f8"),
        ("extreme", "f8"),
        ("age", "i8"),
        ("origin", "i8"),
        ("kind", "i2"),
    ]
)
"""Levels one bar swept on one side.

count : how many (0: none, and nothing else is meant).
price, kind, origin : the reference level, the swept one nearest to the close.
age : t - t0 of the reference level, t0 the bar that first went through it.
extreme : lowest low (highest high) of t0..t.
"""


@kernel
def remember(bar: Any, recent: Any) -> None:
    """Put bar t into RECENT. Call it first, before any sweep test of bar t."""
    slot = recent.count % RECENT_BARS
    recent.low[slot] = bar.low
    recent.high[slot] = bar.high
    recent.close[slot] = bar.close
    recent.count += 1


@kernel
def low_sweep_age(recent: Any, price: float, max_age: int, penetration: float) -> int:
    """Return t - t0 if the last remembered bar sweeps a low at `price`, else -1.

    t0 is the earliest bar of the last `max_age` + 1 whose low is below `price` - `penetration`
    with no close above `price` from t0 to t - 1. The close of t must be above `price`.
    """
    newest = recent.count - 1
    if not recent.close[newest % RECENT_BARS] > price:
        return -1
    limit = min(max_age, newest)
    found = -1
    for age in range(limit + 1):
        slot = (newest - age) % RECENT_BARS
        if age > 0 and recent.close[slot] > price:
            break
        if recent.low[slot] < price - penetration:
            found = age
    return found


@kernel
def high_sweep_age(recent: Any, price: float, max_age: int, penetration: float) -> int:
    """Return t - t0 if the last remembered bar sweeps a high at `price`, else -1.

    The mirror of `low_sweep_age`.
    """
    newest = recent.count - 1
    if not recent.close[newest % RECENT_BARS] < price:
        return -1
    limit = min(max_age, newest)
    found = -1
    for age in range(limit + 1):
        slot = (newest - age) % RECENT_BARS
        if age > 0 and recent.close[slot] < price:
            break
        if recent.high[slot] > price + penetration:
            found = age
    return found


@kernel
def lowest_low(recent: Any, age: int) -> float:
    """Return the lowest low of the last `age` + 1 remembered bars."""
    newest = recent.count - 1
    value: float = recent.low[newest % RECENT_BARS]
    for back in range(1, age + 1):
        value = min(value, recent.low[(newest - back) % RECENT_BARS])
    return value


@kernel
def highest_high(recent: Any, age: int) -> float:
    """Return the highest high of the last `age` + 1 remembered bars."""
    newest = recent.count - 1
    value: float = recent.high[newest % RECENT_BARS]
    for back in range(1, age + 1):
        value = max(value, recent.high[(newest - back) % RECENT_BARS])
    return value


@kernel
def clear_hit(hit: Any) -> None:
    """Empty a HIT at the start of a bar."""
    hit.count = 0
    hit.price = np.nan
    hit.extreme = np.nan
    hit.age = -1
    hit.origin = -1
    hit.kind = 0


@kernel
def note_low(recent: Any, price: float, kind: int, origin: int, age: int, hit: Any) -> None:
    """Enter a swept low into HIT; of several the highest, nearest to the close, is kept."""
    if hit.count == 0 or price > hit.price:
        hit.price = price
        hit.kind = kind
        hit.origin = origin
        hit.age = age
        hit.extreme = lowest_low(recent, age)
    hit.count += 1


@kernel
def note_high(recent: Any, price: float, kind: int, origin: int, age: int, hit: Any) -> None:
    """Enter a swept high into HIT; of several the lowest, nearest to the close, is kept."""
    if hit.count == 0 or price < hit.price:
        hit.price = price
        hit.kind = kind
        hit.origin = origin
        hit.age = age
        hit.extreme = highest_high(recent, age)
    hit.count += 1


@kernel
def sweep_low(recent: Any, level: Any, max_age: int, penetration: float, hit: Any) -> bool:
    """Test one LEVEL below the market; a swept one is used up and entered into `hit`."""
    if level.active == 0:
        return False
    age = low_sweep_age(recent, level.price, max_age, penetration)
    if age < 0:
        return False
    level.active = 0
    note_low(recent, level.price, level.kind, level.origin, age, hit)
    return True


@kernel
def sweep_high(recent: Any, level: Any, max_age: int, penetration: float, hit: Any) -> bool:
    """Test one LEVEL above the market; a swept one is used up and entered into `hit`."""
    if level.active == 0:
        return False
    age = high_sweep_age(recent, level.price, max_age, penetration)
    if age < 0:
        return False
    level.active = 0
    note_high(recent, level.price, level.kind, level.origin, age, hit)
    return True


@kernel
def set_level(level: Any, price: float, kind: int, origin: int) -> None:
    """Make `level` a fresh unswept level; a NaN price makes it inactive."""
    level.price = price
    level.kind = kind
    level.origin = origin
    level.active = 0 if np.isnan(price) else 1


@kernel
def follow_level(level: Any, price: float, kind: int, origin: int, is_open: bool) -> None:
    """Keep `level` equal to a fact that changes now and then, such as the last swing.

    Another origin makes it fresh; the same origin keeps it used up once swept. With `is_open`
    false (a crossed swing) it is withdrawn until another origin comes.
    """
    if level.origin != origin or level.kind != kind:
        set_level(level, price, kind, origin)
    if not is_open:
        level.active = 0


RULES: Rules = {
    "reclaim": Whole(0, 0, RECENT_BARS - 1),
    "penetration": Real(0.0),
    "swing_levels": Flag(True),
    "day_levels": Flag(True),
    "week_levels": Flag(False),
    **DAY_RULES,
}
PARAMS = params_dtype(RULES)

OUT = record_dtype(
    [
        ("low_level", "f8"),
        ("low_depth", "f8"),
        ("low_count", "f8"),
        ("high_level", "f8"),
        ("high_depth", "f8"),
        ("high_count", "f8"),
    ]
)
"""Facts known at one bar: swept lows are bullish, swept highs bearish.

*_level : the swept level nearest to the close, NaN without a sweep. *_depth : how far price went
beyond it, price units. *_count : levels swept by this bar."""

_SWING, _DAY, _WEEK = 0, 1, 2


@lru_cache
def state_dtype(window: int = 64) -> np.dtype[Any]:
    """Return the state of the standalone block; `window` as for `swings.state_dtype`."""
    return record_dtype(
        [
            ("recent", RECENT),
            ("swings", swings.state_dtype(window)),
            ("swing", swings.OUT),
            ("day", PERIOD),
            ("week", PERIOD),
            ("lows", LEVEL, (3,)),
            ("highs", LEVEL, (3,)),
            ("low_hit", HIT),
            ("high_hit", HIT),
        ]
    )


def params(**values: Any) -> ParamsArray:
    """Return checked parameters.

    `reclaim` (0): bars after the first one beyond the level by which a close must be back.
    `penetration` (0): least distance beyond the level, price units. `swing_levels` (True),
    `day_levels` (True), `week_levels` (False): which levels count. `day_shift_minutes` (0).
    """
    return read_params("sweeps", RULES, values)


def new_state(params: ParamsArray, count: int = 0) -> Records:
    """Return a fresh 1-item state for the nested parameters of the standalone block."""
    made = np.zeros(1, state_dtype(window_for(swings.window(params["swings"]))))
    reset_period(made[0].day)
    reset_period(made[0].week)
    return made


@kernel
def _roll_periods(bar: Any, state: Any, params: Any) -> None:
    """Renew day and week levels at the START of the bar."""
    day = trading_day(bar, params.day_shift_minutes)
    step_period(bar, day, state.day)
    step_period(bar, week_number(day), state.week)
    if params.day_levels and state.day.rolled:
        set_level(state.lows[_DAY], state.day.previous_low, PREVIOUS_DAY, day)
        set_level(state.highs[_DAY], state.day.previous_high, PREVIOUS_DAY, day)
    if params.week_levels and state.week.rolled:
        set_level(state.lows[_WEEK], state.week.previous_low, PREVIOUS_WEEK, day)
        set_level(state.highs[_WEEK], state.week.previous_high, PREVIOUS_WEEK, day)


@kernel
def _renew_swings(bar: Any, swing: Any, state: Any) -> None:
    """Take over the active swing levels known now; a close beyond one ends it."""
    low, high = state.lows[_SWING], state.highs[_SWING]
    follow_level(low, swing.zz_low, SWING, swing.zz_low_origin, not bar.close < swing.zz_low)
    follow_level(high, swing.zz_high, SWING, swing.zz_high_origin, not bar.close > swing.zz_high)


@kernel
def _write_sweeps(state: Any, out: Any) -> None:
    low, high = state.low_hit, state.high_hit
    out.low_level = low.price
    out.low_depth = low.price - low.extreme
    out.low_count = low.count
    out.high_level = high.price
    out.high_depth = high.extreme - high.price
    out.high_count = high.count


@kernel
def step(bar: Any, state: Any, swing_params: Any, params: Any, out: Any) -> None:
    """Advance the standalone block by one bar: sweeps first, then the swings known now."""
    remember(bar, state.recent)
    _roll_periods(bar, state, params)
    clear_hit(state.low_hit)
    clear_hit(state.high_hit)
    for i in range(3):
        sweep_low(state.recent, state.lows[i], params.reclaim, params.penetration, state.low_hit)
        sweep_high(state.recent, state.highs[i], params.reclaim, params.penetration, state.high_hit)
    if params.swing_levels:
        swings.step(bar, state.swings, swing_params, state.swing)
        _renew_swings(bar, state.swing, state)
    _write_sweeps(state, out)


@kernel
def run(bars: Any, state: Any, params: Any, out: Any) -> None:
    """Step every bar; may be called again with the bars that follow."""
    for i in range(len(bars)):
        step(bars[i], state[0], params[0].swings, params[0].sweeps, out[i])


BLOCK = Block(
    name="sweeps",
    run=run,
    parts={"swings": swings.RULES, "sweeps": RULES},
    out=OUT,
    state=new_state,
    columns={name: (name,) for name in OUT.names or ()},
)


class Sweeps(KernelIndicator):
    """Sweeps of the last swings and of the previous day's and week's extremes."""

    block = BLOCK
    lines = tuple(BLOCK.columns)
    params = BLOCK.line_params()
    plotinfo = {"subplot": False}  # noqa: RUF012  (the form Backtrader reads)
    plotlines = {  # noqa: RUF012
        "low_level": {"marker": "^", "color": "green", "ls": ""},
        "high_level": {"marker": "v", "color": "red", "ls": ""},
        "low_depth": {"_plotskip": True},
        "low_count": {"_plotskip": True},
        "high_depth": {"_plotskip": True},
        "high_count": {"_plotskip": True},
    }


def sweeps(frame: pd.DataFrame, *, zone: str | None = None, **values: Any) -> pd.DataFrame:
    """Return sweeps (see `OUT`) for a DataFrame of bars indexed by START.

    Parameters
    ----------
    zone : str, optional
        IANA zone whose midnight (plus `day_shift_minutes`) parts the days.
    **values
        Parameters of `swings.params` and `sweeps.params`.
    """
    return zoned_columns(BLOCK, frame, zone, values)


callable_module(__name__)
