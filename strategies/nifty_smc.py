"""Nifty futures by smart money concepts: sweep of a day level, break, retest of its order block.

For 5 or 3 minute bars of the future or of the index standing in for it. Intraday only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.errors import ConfigError
from core.instruments import Instrument
from core.schedule import FlatRule
from indicators import atr, displacement, fvg, order_blocks, structure, swings
from indicators.sweeps import RECENT_BARS
from strategies import nifty_machine
from strategies.base import SetupStrategy, backtrader_params, with_common
from strategies.clock import parse_clock
from strategies.handling import Codes, Handling, Hours
from strategies.machine import Machine
from strategies.settings import Setting
from strategies.words import BLOCK_TREND, CANCEL_WINDOW, KEEP, TAKEN, WINDOW

KOLKATA = "Asia/Kolkata"

SETTINGS = with_common(
    Setting("left", 2, "bars lower on the left of a swing high", 1, 15, structural=True),
    Setting("right", 2, "bars not higher on its right", 1, 15, structural=True),
    Setting("atr", 14, "ATR period, bars, through days", 1, 500, structural=True),
    Setting(
        "levels",
        ("opening", "day"),
        "levels whose sweeps count: opening range, previous day",
        choices=("opening", "day"),
        structural=True,
    ),
    Setting("session_start", "09:15", "start of the session, exchange time", structural=True),
    Setting(
        "opening_end", "09:30", "end of the opening range; sweeps count from it", structural=True
    ),
    Setting("entry_end", "14:30", "no sweep and no entry from then on", structural=True),
    Setting("latest_first_bar", "09:20", "a later first bar makes a day special", structural=True),
    Setting(
        "sweep_reclaim",
        2,
        "bars a sweep may take to close back",
        0,
        RECENT_BARS - 1,
        structural=True,
    ),
    Setting("max_bos_bars", 15, "bars from sweep to break", 1, 1000, structural=True),
    Setting("stop_buf", 0.1, "stop beyond the extreme, ATRs", 0.0, 10.0, structural=True),
    Setting("stop_ticks", 2, "but at least so many ticks", 0, 1000, structural=True),
    Setting("min_risk", 0.3, "smallest risk, ATRs", 0.0, 100.0, structural=True),
    Setting("max_risk", 2.5, "largest risk, ATRs", 0.0, 100.0, structural=True, above="min_risk"),
    Setting("trend", True, "trade only on the day average's side"),
    Setting("ob_touch_bars", 15, "bars a limit may work", 1, 1000),
    Setting("max_trades_day", 3, "entries filled a trading day; 0: no limit", 0, 1000),
    Setting("max_losses_row", 2, "losing trades in a row a day; 0: no limit", 0, 1000),
    Setting("daily_loss_pct", 1.5, "loss of a day that locks it, % of equity; 0: none", 0.0, 50.0),
    Setting("square_off", "15:15", "exchange time from which nothing is open"),
)


def _clock(values: Mapping[str, Any], name: str) -> int:
    return parse_clock("nifty_smc", name, values[name])


def _nested_params(values: Mapping[str, Any], tick: float) -> np.ndarray[Any, Any]:
    """Return the machine's parameters as its nested 1-item record array."""
    params = np.zeros(1, nifty_machine.PARAMS)
    params["atr"] = atr.params(atr_period=values["atr"])
    params["swings"] = swings.params(left=values["left"], right=values["right"])
    params["structure"] = structure.params()
    params["displacement"] = displacement.params()
    params["fvg"] = fvg.params(session_filter=True)
    params["order_blocks"] = order_blocks.params()
    for name in ("session_start", "opening_end", "entry_end", "latest_first_bar"):
        params[name] = _clock(values, name)
    for name in ("sweep_reclaim", "max_bos_bars", "stop_ticks", "min_risk", "max_risk"):
        params[name] = values[name]
    params["stop_buffer"] = values["stop_buf"]
    params["tick"] = tick
    params["use_opening"] = "opening" in values["levels"]
    params["use_day"] = "day" in values["levels"]
    return params


class NiftySmc(SetupStrategy):
    """Intraday limits at the order block (or gap) of a break that follows a sweep.

    Notes
    -----
    Everything is squared off at 15:15, or 15 minutes before an early close. Saturdays, Sundays
    and days that begin late allow no entries but feed the indicators.
    """

    name = "nifty_smc"
    settings = SETTINGS
    warmup_bars = 750
    flat_reason = "square_off"
    range_names = ("OR high", "OR low")
    params = backtrader_params(SETTINGS)

    @classmethod
    def build_machine(cls, values: Mapping[str, Any], tick: float) -> Machine:
        """Return the machine of the one pattern."""
        params = _nested_params(values, tick)
        return Machine(nifty_machine.run, nifty_machine.new_state(), params)

    @classmethod
    def count_machine(cls, counted: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the pattern's counts; `shifts` are its structure breaks."""
        steps = {name: counted[name] for name in ("bars", "in_window", "sweeps")}
        steps["shifts"] = counted["breaks"]
        steps["zones"] = counted["breaks"] - counted["no_zone"]
        return steps, {"no_zone": counted["no_zone"], "risk_bounds": counted["risk"]}

    @classmethod
    def flat_rules(cls, values: Mapping[str, Any]) -> tuple[FlatRule, ...]:
        """Return the square-off time."""
        if not values["square_off"]:
            return ()
        return (FlatRule("strategy", values["square_off"], KOLKATA),)

    @classmethod
    def check(cls, values: Mapping[str, Any], instrument: Instrument) -> None:
        """Refuse a market other than NSE's, and clock times out of order or unreadable."""
        super().check(values, instrument)
        if instrument.calendar != "NSE":
            raise ConfigError(
                f"nifty_smc: instrument={instrument.symbol}: its market keeps the hours of "
                f"{instrument.calendar}, expected one of NSE (NIFTY-FUT, BANKNIFTY-FUT, NIFTY50)"
            )
        pairs = [("opening_end", "entry_end")]
        if "opening" in values["levels"]:
            pairs.append(("session_start", "opening_end"))
        if values["square_off"]:
            pairs.append(("opening_end", "square_off"))
        faults = [
            f"nifty_smc: {later}={values[later]!r}: expected a time later than "
            f"{earlier}={values[earlier]!r}"
            for earlier, later in pairs
            if not _clock(values, earlier) < _clock(values, later)
        ]
        start, latest = values["session_start"], values["latest_first_bar"]
        if _clock(values, "latest_first_bar") < _clock(values, "session_start"):
            faults.append(
                f"nifty_smc: latest_first_bar={latest!r}: expected session_start={start!r} or later"
            )
        if faults:
            raise ConfigError("; ".join(faults))

    @classmethod
    def handling(cls, values: Mapping[str, Any]) -> Handling:
        """Return limits for so many bars, within the entry window."""
        return Handling(
            order_bars=values["ob_touch_bars"],
            filters=BLOCK_TREND if values["trend"] else 0,
            hours=EntryWindow(_clock(values, "entry_end")),
        )


class EntryWindow(Hours):
    """No entry from a minute of the local day on, by a bar's END."""

    def __init__(self, entry_end: int) -> None:
        self.entry_end = entry_end

    def is_over(self, bars: Any) -> Any:
        """Say of one bar, or of each, whether the window is over at its close."""
        return bars["end_minute"] >= self.entry_end

    def refusal(self, bar: Any, pattern: int) -> int:
        """Return WINDOW from the end of the entry window on."""
        return WINDOW if self.is_over(bar) else TAKEN

    def cancel(self, bar: Any, pattern: int) -> int:
        """Return CANCEL_WINDOW from the end of the entry window on."""
        return CANCEL_WINDOW if self.is_over(bar) else KEEP

    def refusals(self, bars: Any, pattern: int) -> Codes:
        """Return `refusal` of every bar."""
        return np.where(self.is_over(bars), WINDOW, TAKEN).astype(np.int8)

    def cancels(self, bars: Any, pattern: int) -> Codes:
        """Return `cancel` of every bar."""
        return np.where(self.is_over(bars), CANCEL_WINDOW, KEEP).astype(np.int8)
