"""What the breakout's machine sees at one bar, in words."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR
from strategies import breakout_machine as machine
from strategies.breakout import session_window
from strategies.sight import SIDES, Filter, Level, Moment, Pattern, Sight, price_text


def look(moment: Moment) -> Sight:
    """Return what stood and what happened at a bar."""
    reading = _reading(moment)
    levels = _range(moment.before[0], int(moment.values["lookback"]))
    reason = int(reading["reason"])
    text = _told(moment, reading)
    sight = Sight(
        levels=[
            Level(f"highest of {moment.values['lookback']} bars", "high", levels[0], "in force"),
            Level(f"lowest of {moment.values['lookback']} bars", "low", levels[1], "in force"),
        ]
        if levels
        else [],
        patterns=[Pattern("breakout", machine.REASONS[reason], text, _needs(moment))],
        filters=_filters(moment, reading),
        stopped="" if reason == machine.SIGNAL else text,
    )
    if reading["level"] == reading["level"]:
        way = "above" if moment.bar["close"] > reading["level"] else "below"
        sight.events.append(f"closed {way} the range's edge {price_text(reading['level'])}")
    return sight


def _reading(moment: Moment) -> Any:
    """Return the READING of this bar, by stepping the state before it once more."""
    bars, readings = np.zeros(1, BAR), np.zeros(1, machine.READING)
    bars[0] = moment.bar
    machine.run_readings(bars, moment.before.copy(), moment.params, readings)
    return readings[0]


def _range(state: Any, lookback: int) -> tuple[float, float, float] | None:
    """Return highest high, lowest low and mean volume of the bars a close is measured by."""
    count = int(state["count"])
    if count < lookback:
        return None
    slots = [(count - 1 - back) % machine.RING_BARS for back in range(lookback)]
    high, low, volume = (state[name][slots] for name in ("high", "low", "volume"))
    return float(high.max()), float(low.min()), float(volume.mean())


def _told(moment: Moment, reading: Any) -> str:
    reason, values = int(reading["reason"]), moment.values
    if reason == machine.WARMUP:
        return f"the first {values['lookback']} bars make the range"
    if reason == machine.NO_BREAK:
        return f"closed inside the range of the last {values['lookback']} bars"
    ratio = float(reading["volume_ratio"])
    if reason == machine.LOW_VOLUME:
        had = "no volume in the data" if ratio != ratio else f"volume {ratio:.2f} times the mean"
        return f"closed beyond the range, but {had}, asked {values['volume_threshold']:g}"
    if reason == machine.LOW_CONFIDENCE:
        return f"closed beyond the range with a confidence below {values['min_confidence']:g}"
    if reason == machine.COOLDOWN:
        return f"closed beyond the range within {values['cooldown']} bars of the last signal"
    return (
        f"{SIDES[int(reading['signal'])]} signal: stop {price_text(reading['stop'])}, target "
        f"{price_text(reading['target'])}, confidence {reading['confidence']:.2f}"
    )


def _needs(moment: Moment) -> tuple[str, ...]:
    """Return what the next bar would need for a signal."""
    state, values = moment.now[0], moment.values
    found = _range(state, int(values["lookback"]))
    if found is None:
        return (f"{int(values['lookback']) - int(state['count'])} more bars",)
    high, low, volume = found
    needs = [f"a close above {price_text(high)} (long) or below {price_text(low)} (short)"]
    if values["volume_required"]:
        needs.append(f"a volume of {values['volume_threshold'] * volume:,.0f} or more")
    last = int(state["last_emitted"])
    left = int(values["cooldown"]) - (int(state["count"]) - 1 - last) if last >= 0 else 0
    if left > 0:
        needs.append(f"the cooldown to end, in {left} bars")
    return tuple(needs)


def _filters(moment: Moment, reading: Any) -> list[Filter]:
    ratio = float(reading["volume_ratio"])
    had = "unknown" if ratio != ratio else f"{ratio:.2f} times the mean of the range"
    asked = f"asked {moment.values['volume_threshold']:g}"
    if not moment.values["volume_required"]:
        asked = "not asked for"
    found = [Filter("volume", f"{had}, {asked}")]
    window = session_window(moment.values["session"])
    if window is not None:
        found.append(Filter("window", f"entries on bars that start in {moment.values['session']}"))
    return found
