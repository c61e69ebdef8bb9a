"""The breakout's machine: a close beyond the range of the last bars, on raised volume."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.compile import kernel, record_dtype
from core.prices import round_down, round_up
from core.setups import MARKET_SETUP
from indicators import atr as atr_block
from strategies.machine import clear_out, new_setup
from strategies.management import rounded_stop
from strategies.words import BREAKOUT

RING_BARS = 512
"""Bars the machine remembers; `lookback` may be at most RING_BARS - 1."""

SIGNAL, NO_BREAK, LOW_VOLUME, LOW_CONFIDENCE, COOLDOWN, WARMUP = range(6)
REASONS = ("breakout", "no_break", "low_volume", "low_confidence", "cooldown", "warmup")
"""Why a bar is a signal or not; the index is `READING.reason`."""

PARAMS = record_dtype(
    [
        ("atr", atr_block.PARAMS),
        ("lookback", "i8"),
        ("cooldown", "i8"),
        ("volume_threshold", "f8"),
        ("stop_mult", "f8"),
        ("rr", "f8"),
        ("min_confidence", "f8"),
        ("tick", "f8"),
        ("volume_required", "i1"),
    ]
)

FUNNEL = record_dtype(
    [
        ("bars", "i8"),
        ("breaks", "i8"),
        ("low_volume", "i8"),
        ("low_confidence", "i8"),
        ("cooldown", "i8"),
        ("emitted", "i8"),
    ]
)

STATE = record_dtype(
    [
        ("atr", atr_block.STATE),
        ("atr_now", atr_block.OUT),
        ("count", "i8"),
        ("last_emitted", "i8"),
        ("high", "f8", (RING_BARS,)),
        ("low", "f8", (RING_BARS,)),
        ("volume", "f8", (RING_BARS,)),
        ("funnel", FUNNEL),
    ]
)

READING = record_dtype(
    [
        ("signal", "i1"),
        ("reason", "i1"),
        ("entry", "f8"),
        ("stop", "f8"),
        ("target", "f8"),
        ("confidence", "f8"),
        ("level", "f8"),
        ("volume_ratio", "f8"),
        ("atr", "f8"),
    ]
)
"""One bar's reading. signal : +1, -1, 0. Prices are unrounded and NaN without a signal; level is
the range's edge that was passed (NaN if none), volume_ratio this bar's volume against the mean
of the bars before."""


def new_state() -> np.ndarray[Any, Any]:
    """Return a fresh 1-item STATE."""
    state = np.zeros(1, STATE)
    state["last_emitted"] = -1
    return state


@kernel
def _look_back(state: Any, lookback: int) -> tuple[float, float, float]:
    """Return highest high, lowest low and mean volume of the last `lookback` bars remembered."""
    newest = state.count - 1
    high = state.high[newest % RING_BARS]
    low = state.low[newest % RING_BARS]
    total = 0.0
    for back in range(lookback):
        slot = (newest - back) % RING_BARS
        high = max(high, state.high[slot])
        low = min(low, state.low[slot])
        total += state.volume[slot]
    return high, low, total / lookback


@kernel
def _confidence(bar: Any, direction: int, ratio: float, threshold: float, reach: float) -> float:
    """Return how convincing a break is, 0..1; reach is |close - level| in ATRs."""
    span = bar.high - bar.low
    place = 0.5
    if span > 0.0:
        place = (bar.close - bar.low) / span if direction > 0 else (bar.high - bar.close) / span
    strength = 0.4 * min(ratio / (2.0 * threshold), 1.0) + 0.3 * min(reach, 1.0) + 0.3 * place
    return round(strength * 10000.0) / 10000.0


@kernel
def _clear(reading: Any) -> None:
    reading.signal = 0
    reading.reason = NO_BREAK
    reading.entry = np.nan
    reading.stop = np.nan
    reading.target = np.nan
    reading.confidence = 0.0
    reading.level = np.nan
    reading.volume_ratio = np.nan


@kernel
def _judge(bar: Any, state: Any, params: Any, reading: Any) -> int:
    """Fill the reading of a warm bar up to its reason; return the side that was passed."""
    high, low, mean_volume = _look_back(state, params.lookback)
    ratio = bar.volume / mean_volume if mean_volume > 0.0 else np.nan
    reading.volume_ratio = ratio
    if bar.close > high:
        direction = 1
        reading.level = high
    elif bar.close < low:
        direction = -1
        reading.level = low
    else:
        return 0
    if params.volume_required:
        if not ratio >= params.volume_threshold:
            reading.reason = LOW_VOLUME
            return direction
    elif np.isnan(ratio):
        ratio = 1.5
    atr = state.atr_now.atr
    reach = abs(bar.close - reading.level) / atr if atr > 0.0 else 1.0
    reading.confidence = _confidence(bar, direction, ratio, params.volume_threshold, reach)
    if reading.confidence < params.min_confidence:
        reading.reason = LOW_CONFIDENCE
    elif state.last_emitted >= 0 and state.count - state.last_emitted <= params.cooldown:
        reading.reason = COOLDOWN
    else:
        reading.reason = SIGNAL
    return direction


@kernel
def _count(reason: int, funnel: Any) -> None:
    funnel.breaks += 1
    if reason == LOW_VOLUME:
        funnel.low_volume += 1
    elif reason == LOW_CONFIDENCE:
        funnel.low_confidence += 1
    elif reason == COOLDOWN:
        funnel.cooldown += 1
    else:
        funnel.emitted += 1


@kernel
def read_bar(bar: Any, state: Any, params: Any, reading: Any) -> None:
    """Advance by one bar and write its reading."""
    atr_block.step(bar, state.atr, params.atr, state.atr_now)
    state.funnel.bars += 1
    _clear(reading)
    reading.atr = state.atr_now.atr
    if state.count < params.lookback or np.isnan(reading.atr):
        reading.reason = WARMUP
    else:
        direction = _judge(bar, state, params, reading)
        if direction != 0:
            _count(reading.reason, state.funnel)
        if reading.reason == SIGNAL:
            distance = params.stop_mult * reading.atr
            reading.signal = direction
            reading.entry = bar.close
            reading.stop = bar.close - direction * distance
            reading.target = bar.close + direction * params.rr * distance
            state.last_emitted = state.count
        else:
            reading.confidence = 0.0
    slot = state.count % RING_BARS
    state.high[slot] = bar.high
    state.low[slot] = bar.low
    state.volume[slot] = bar.volume
    state.count += 1


@kernel
def step(bar: Any, state: Any, params: Any, reading: Any, out: Any) -> None:
    """Advance by one bar; a signal becomes a market setup with its prices on the tick."""
    read_bar(bar, state, params, reading)
    clear_out(out)
    out.facts.atr = reading.atr
    if reading.signal == 0:
        return
    setup = new_setup(out, MARKET_SETUP, reading.signal, BREAKOUT)
    setup.entry = reading.entry
    setup.stop = rounded_stop(reading.stop, reading.signal, params.tick)
    if reading.signal > 0:
        setup.target = round_down(reading.target, params.tick)
    else:
        setup.target = round_up(reading.target, params.tick)
    setup.risk = abs(setup.entry - setup.stop)
    setup.atr = reading.atr
    setup.confidence = reading.confidence
    setup.level = reading.level
    setup.origin = state.count - 1


@kernel
def run(bars: Any, further: Any, state: Any, params: Any, outs: Any) -> int:
    """Step every bar; the breakout has no further series."""
    reading = np.zeros(1, READING)
    for i in range(bars.shape[0]):
        step(bars[i], state[0], params[0], reading[0], outs[i])
    return 0


@kernel
def run_readings(bars: Any, state: Any, params: Any, readings: Any) -> None:
    """Write the reading of every bar."""
    for i in range(bars.shape[0]):
        read_bar(bars[i], state[0], params[0], readings[i])
