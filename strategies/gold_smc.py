"""Gold by smart money concepts: sweep, change of character, retrace; and the breaker block.

For spot gold, MGC and GC on 15 or 5 minute bars. With the dollar index as a further series
(`--with DXY=FILE`) its trend must not stand against the trade.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from core.compile import kernel, shared
from core.errors import ConfigError
from core.instruments import Instrument
from core.schedule import FlatRule
from indicators import atr, displacement, dxy, fvg, order_blocks, structure, swings
from indicators.sweeps import RECENT_BARS
from strategies import gold_blocks, gold_machine, gold_sweep
from strategies.base import SetupStrategy, backtrader_params, with_common
from strategies.clock import parse_clock
from strategies.gold_shared import LAYER_SETTINGS, GoldLayers
from strategies.handling import Codes, Handling, Hours
from strategies.machine import Machine
from strategies.management import near_kill_zone
from strategies.settings import Setting
from strategies.words import BLOCK_DXY, CANCEL_TIME, KEEP, SWEEP_CHOCH, TAKEN, TIME

NEW_YORK = "America/New_York"
FRIDAY = 4
REOPENING, REOPENED = 18 * 60, 18 * 60 + 15
"""Minutes of the New York day between which no entry is made after the daily break."""
KILL_ZONE_GRACE = 60
"""Minutes after a kill zone for which an entry of pattern 1 may still work."""
NO_CLOCK = -1

SHUT = (
    "",
    "late on Friday",
    "from the flat time on",
    "at the reopening",
    "far from the kill zones",
)
"""Why the clock lets no entry be made, by the code of `shut_code`."""

SETTINGS = with_common(
    Setting("left", 3, "bars lower on the left of a swing high", 1, 15, structural=True),
    Setting("right", 3, "bars not higher on its right", 1, RECENT_BARS - 1, structural=True),
    Setting("atr", 14, "ATR period, bars", 1, 500, structural=True),
    Setting(
        "killzones",
        ("london", "new_york"),
        "kill zones (New York time) whose sweeps count; none: every hour",
        choices=tuple(gold_blocks.KILL_ZONES),
        structural=True,
    ),
    Setting(
        "levels",
        gold_blocks.LEVEL_KINDS,
        "levels whose sweeps count: previous day, Asia session, last swing, equal highs/lows",
        choices=gold_blocks.LEVEL_KINDS,
        structural=True,
    ),
    Setting(
        "patterns",
        ("sweep_choch", "breaker"),
        "patterns that run",
        choices=("sweep_choch", "breaker"),
        structural=True,
    ),
    Setting("sweep_reclaim", 0, "bars a sweep may take to close back", 0, 15, structural=True),
    Setting("max_shift_bars", 12, "bars from sweep to shift", 1, 1000, structural=True),
    Setting("disp_k", 1.0, "displacement: body in ATRs", 0.0, 100.0, structural=True),
    Setting(
        "entry_mode",
        "fvg_mid",
        "where the limit is placed",
        choices=gold_sweep.ENTRY_MODES,
        structural=True,
    ),
    Setting("allow_bos", False, "a break with the trend is a shift too", structural=True),
    Setting(
        "abort_atr", 1.0, "close beyond the level, ATRs, that aborts", 0.0, 100.0, structural=True
    ),
    Setting("max_retest_bars", 20, "bars a breaker waits for its retest", 1, 1000, structural=True),
    Setting("pool_tolerance", 0.1, "equal highs: share of ATR(200)", 0.0, 10.0, structural=True),
    Setting("stop_buf", 0.10, "stop beyond the extreme, ATRs", 0.0, 10.0, structural=True),
    Setting("min_risk", 0.5, "smallest risk, ATRs", 0.0, 100.0, structural=True),
    Setting("max_risk", 3.0, "largest risk, ATRs", 0.0, 100.0, structural=True, above="min_risk"),
    Setting(
        "dxy_threshold", -0.3, "correlation above which it is neutral", -1.0, 1.0, structural=True
    ),
    Setting(
        "dxy_missing",
        "pass",
        "what a missing dollar index does",
        choices=("pass", "block"),
        structural=True,
    ),
    Setting("dxy", True, "the dollar filter is on"),
    Setting("order_bars", 10, "bars a limit may work", 1, 1000),
    Setting("max_trades_day", 2, "entries filled a trading day; 0: no limit", 0, 1000),
    Setting("flat_time", "16:45", "New York time from which nothing is open"),
    Setting("friday_end", "12:00", "New York time on Friday from which no entry is made"),
)


def _nested_params(values: Mapping[str, Any], tick: float) -> np.ndarray[Any, Any]:
    """Return the machine's parameters as its nested 1-item record array."""
    params = np.zeros(1, gold_machine.PARAMS)
    blocks = params["blocks"]
    blocks["atr"] = atr.params(atr_period=values["atr"])
    blocks["long_atr"] = atr.params(atr_period=gold_blocks.LONG_ATR)
    blocks["swings"] = swings.params(left=values["left"], right=values["right"])
    blocks["structure"] = structure.params()
    blocks["displacement"] = displacement.params(disp_k=values["disp_k"])
    blocks["fvg"] = fvg.params()
    blocks["order_blocks"] = order_blocks.params()
    blocks["dxy"] = dxy.params(threshold=values["dxy_threshold"], missing=values["dxy_missing"])
    blocks["zones"] = kill_zones(values["killzones"])
    blocks["use_zones"] = bool(values["killzones"])
    blocks["sweep_reclaim"] = values["sweep_reclaim"]
    blocks["pool_tolerance"] = values["pool_tolerance"]
    for kind in gold_blocks.LEVEL_KINDS:
        blocks[f"use_{kind}"] = kind in values["levels"]
    for part in (params["sweep"], params["breaker"]):
        part["stop_buffer"] = values["stop_buf"]
        part["min_risk"] = values["min_risk"]
        part["max_risk"] = values["max_risk"]
        part["tick"] = tick
    sweep = params["sweep"]
    sweep["max_shift_bars"] = values["max_shift_bars"]
    sweep["entry_mode"] = gold_sweep.ENTRY_MODES.index(values["entry_mode"])
    sweep["abort_atr"] = values["abort_atr"]
    sweep["allow_bos"] = values["allow_bos"]
    params["breaker"]["max_retest_bars"] = values["max_retest_bars"]
    params["use_sweep_choch"] = "sweep_choch" in values["patterns"]
    params["use_breaker"] = "breaker" in values["patterns"]
    return params


def kill_zones(names: tuple[str, ...]) -> np.ndarray[Any, Any]:
    """Return named kill zones as rows of start and end minutes, unused rows -1."""
    zones = np.full((gold_blocks.ZONE_SLOTS, 2), -1, np.int64)
    for row, name in enumerate(dict.fromkeys(names)):
        zones[row] = gold_blocks.KILL_ZONES[name]
    return zones


class GoldSmc(SetupStrategy):
    """Two patterns on gold: `sweep_choch` (limit in the gap) and `breaker` (market on a retest).

    Notes
    -----
    Signals at a bar's close, orders from the next bar on. One position at a time; everything is
    flat at 16:45 New York or earlier where a preset or an early close asks for it.
    """

    name = "gold_smc"
    settings = SETTINGS
    further = ("DXY",)
    warmup_bars = 1500
    range_names = ("Asia high", "Asia low")
    layer_settings = LAYER_SETTINGS
    params = backtrader_params(SETTINGS)

    @classmethod
    def build_machine(cls, values: Mapping[str, Any], tick: float) -> Machine:
        """Return both patterns over one set of blocks."""
        return Machine(
            gold_machine.run,
            gold_machine.new_state(),
            _nested_params(values, tick),
            gold_machine.take_further,
            (("sweep", "tick"), ("breaker", "tick")),
        )

    @classmethod
    def layers(cls, bars: Any, further: Any, tick: float) -> GoldLayers:
        """Return the layers that structural sets share."""
        return GoldLayers(bars, further, tick, _nested_params)

    @classmethod
    def count_machine(cls, counted: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return both patterns' counts; a breaker's zone counts once it was retested."""
        retested = counted["emitted_breaker"] + counted["breaker_risk"]
        steps = {name: counted[name] for name in ("bars", "in_window", "sweeps")}
        steps["shifts"] = counted["shifts"] + counted["breaker_completions"]
        steps["zones"] = counted["shifts"] - counted["no_zone"] + retested
        drops = {
            "no_zone": counted["no_zone"],
            "no_retest": counted["breaker_completions"] - retested,
            "risk_bounds": counted["risk"] + counted["breaker_risk"],
        }
        return steps, drops

    @classmethod
    def flat_rules(cls, values: Mapping[str, Any]) -> tuple[FlatRule, ...]:
        """Return the daily flat time, if there is one."""
        if not values["flat_time"]:
            return ()
        return (FlatRule("strategy", values["flat_time"], NEW_YORK),)

    @classmethod
    def check(cls, values: Mapping[str, Any], instrument: Instrument) -> None:
        """Refuse a market whose clock is not New York's: sessions would be read wrongly."""
        super().check(values, instrument)
        from core.calendar import get_calendar

        zone = get_calendar(instrument.calendar).zone.name
        if zone != NEW_YORK:
            raise ConfigError(
                f"gold_smc: instrument={instrument.symbol}: its market runs on {zone}, expected "
                f"one on {NEW_YORK} (XAUUSD, MGC, GC, XAGUSD, EURUSD)"
            )
        parse_clock("gold_smc", "friday_end", values["friday_end"])

    @classmethod
    def handling(cls, values: Mapping[str, Any]) -> Handling:
        """Return limits for so many bars, withdrawn on a change of character against them."""
        friday_end = parse_clock(cls.name, "friday_end", values["friday_end"])
        return Handling(
            order_bars=values["order_bars"],
            watches_choch=True,
            filters=BLOCK_DXY if values["dxy"] else 0,
            hours=GoldHours(kill_zones(values["killzones"]), friday_end),
        )


@shared
def shut_code(bar: Any, pattern: int, zones: Any, friday_end: int) -> int:
    """Return why no entry may be made at a bar's close (an index into SHUT), 0 if one may.

    Parameters
    ----------
    zones : kill zones that pattern 1 keeps near to, as `kill_zones` gives them; none: anywhere.
    friday_end : minute of New York's Friday from which there are no entries, NO_CLOCK for none.
    """
    minute = bar.end_minute
    if bar.end_weekday == FRIDAY and friday_end > NO_CLOCK and friday_end <= minute:
        return 1
    if bar.end >= bar.flat_at:
        return 2
    if minute >= REOPENING and minute < REOPENED:
        return 3
    if pattern != SWEEP_CHOCH or zones[0, 0] < 0:
        return 0
    return 0 if near_kill_zone(minute, zones, KILL_ZONE_GRACE) else 4


@kernel
def _shut_bars(bars: Any, pattern: int, zones: Any, friday_end: int, code: int, out: Any) -> None:
    """Write a code at every bar at whose close no entry may be made."""
    for i in range(bars.shape[0]):
        if shut_code(bars[i], pattern, zones, friday_end) != 0:
            out[i] = code


class GoldHours(Hours):
    """No entry late on Friday, from the flat time to the reopening, far from the kill zones."""

    def __init__(self, zones: np.ndarray[Any, Any], friday_end: int) -> None:
        self.zones = zones
        self.friday_end = friday_end

    def reason(self, bar: Any, pattern: int) -> str:
        """Return why no entry may be made at a bar's close, "" if one may."""
        return SHUT[shut_code(bar, pattern, self.zones, self.friday_end)]

    def refusal(self, bar: Any, pattern: int) -> int:
        """Return TIME where no entry may be made."""
        return TIME if self.reason(bar, pattern) else TAKEN

    def cancel(self, bar: Any, pattern: int) -> int:
        """Return CANCEL_TIME on the same bars."""
        return CANCEL_TIME if self.reason(bar, pattern) else KEEP

    def refusals(self, bars: Any, pattern: int) -> Codes:
        """Return `refusal` of every bar."""
        return self._codes(bars, pattern, TIME)

    def cancels(self, bars: Any, pattern: int) -> Codes:
        """Return `cancel` of every bar."""
        return self._codes(bars, pattern, CANCEL_TIME)

    def _codes(self, bars: Any, pattern: int, code: int) -> Codes:
        out = np.zeros(len(bars), np.int8)
        _shut_bars(bars, pattern, self.zones, self.friday_end, code, out)
        return out
