"""Breakout: a close beyond the range of the last bars on raised volume, for any instrument.

`Breakout` runs inside Backtrader. `BreakoutStrategy` analyses a DataFrame without it, as the
older guides' snippet does. Both use the one machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.instruments import Instrument
from core.schedule import FlatRule
from indicators import atr
from indicators.sessions import in_window
from strategies import breakout_machine
from strategies.base import SetupStrategy, backtrader_params, with_common
from strategies.clock import parse_clock
from strategies.handling import Handling, Hours
from strategies.machine import Machine
from strategies.settings import Setting
from strategies.words import TAKEN, WINDOW

SIGNAL_SETTINGS = (
    Setting(
        "lookback", 20, "bars of the range", 1, breakout_machine.RING_BARS - 1, structural=True
    ),
    Setting("volume_threshold", 1.5, "least volume ratio", 0.01, 1000.0, structural=True),
    Setting("atr", 14, "ATR period, bars", 1, 500, structural=True),
    Setting("stop_mult", 1.5, "stop distance, ATRs", 0.01, 100.0, structural=True),
    Setting("rr", 2.0, "target distance in stop distances", 0.1, 100.0, structural=True),
    Setting("min_confidence", 0.5, "least confidence, 0 to 1", 0.0, 1.0, structural=True),
    Setting("cooldown", 5, "bars after a signal without another", 0, 10_000, structural=True),
    Setting("volume_required", True, "volume decides", structural=True),
)
"""What decides about a signal, with or without Backtrader."""

SETTINGS = with_common(
    *SIGNAL_SETTINGS,
    Setting("session", "", "HH:MM-HH:MM in the market's zone for entries; '' is any time"),
    Setting("flat_time", "", "HH:MM in flat_zone from which nothing is open; '' holds overnight"),
    Setting("flat_zone", "America/New_York", "zone of flat_time"),
    Setting("close_on_opposite", True, "an opposite signal closes the position"),
)


def nested_params(values: Mapping[str, Any], tick: float) -> np.ndarray[Any, Any]:
    """Return the machine's parameters as its nested 1-item record array."""
    params = np.zeros(1, breakout_machine.PARAMS)
    params["atr"] = atr.params(atr_period=values["atr"])
    for setting in SIGNAL_SETTINGS:
        if setting.name != "atr":
            params[setting.name] = values[setting.name]
    params["tick"] = tick
    return params


class Breakout(SetupStrategy):
    """Market entries on breakouts; positions may be held overnight.

    Notes
    -----
    Stop and target are planned on the signal's close and not moved by the fill. An opposite
    signal in a position closes it at the next open and is then forgotten.
    """

    name = "breakout"
    settings = SETTINGS
    warmup_bars = 100
    params = backtrader_params(SETTINGS)

    @classmethod
    def build_machine(cls, values: Mapping[str, Any], tick: float) -> Machine:
        """Return the breakout's machine."""
        params = nested_params(values, tick)
        return Machine(breakout_machine.run, breakout_machine.new_state(), params)

    @classmethod
    def count_machine(cls, counted: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the counts; `shifts` are closes beyond the range, on any volume."""
        steps = {"bars": counted["bars"], "shifts": counted["breaks"]}
        return steps, {name: counted[name] for name in ("low_volume", "low_confidence", "cooldown")}

    @classmethod
    def flat_rules(cls, values: Mapping[str, Any]) -> tuple[FlatRule, ...]:
        """Return the flat time, if one is set."""
        if not values["flat_time"]:
            return ()
        return (FlatRule("strategy", values["flat_time"], values["flat_zone"]),)

    @classmethod
    def check(cls, values: Mapping[str, Any], instrument: Instrument) -> None:
        """Refuse a session window that cannot be read."""
        super().check(values, instrument)
        session_window(values["session"])

    @classmethod
    def handling(cls, values: Mapping[str, Any]) -> Handling:
        """Return entries within the session window; without a flat time they outlive the day."""
        window = session_window(values["session"])
        return Handling(
            day_orders=bool(values["flat_time"]),
            closes_opposite=values["close_on_opposite"],
            hours=Hours() if window is None else SessionHours(*window),
        )


class SessionHours(Hours):
    """Entries only on bars that start within a window of the local day."""

    def __init__(self, start: int, end: int) -> None:
        self.start = start
        self.end = end

    def refusal(self, bar: Any, pattern: int) -> int:
        """Return WINDOW for a bar that starts outside the window."""
        return TAKEN if in_window(int(bar.minute), self.start, self.end) else WINDOW


def session_window(text: str) -> tuple[int, int] | None:
    """Return the setting `session` as minutes of the day, None for any time."""
    if not text:
        return None
    start, _, end = text.partition("-")
    return (
        parse_clock("breakout", "session", start.strip() or "?"),
        parse_clock("breakout", "session", end.strip() or "?"),
    )
