"""Random parameter sets, limits and instruments for comparing compiled runs with Backtrader's."""

from __future__ import annotations

import random
from typing import Any

from risk.presets import PRESETS
from risk.settings import RiskSettings

LEGS = ("", "", "0.5@1>0,0.5@3", "0.34@0.8,0.33@1.6>0.5,0.33@2.4", "0.6@1.5>0")
STOPS = ("fixed", "fixed", "break_even", "trail_atr", "trail_swing", "trail_order_block")


def common(chance: random.Random) -> dict[str, Any]:
    """Draw the settings all strategies have."""
    return {
        "rr": round(chance.uniform(0.8, 4.0), 2),
        "risk_pct": round(chance.choice((0.2, 0.5, 1.0, 2.5)), 2),
        "daily_loss_pct": chance.choice((0.0, 0.3, 0.8, 2.0)),
        "max_trades_day": chance.choice((0, 1, 2, 3)),
        "max_losses_row": chance.choice((0, 1, 2)),
        "max_quantity": chance.choice((0.0, 0.0, 2.0)),
        "max_spread_risk": chance.choice((0.0, 0.05, 0.2)),
        "legs": chance.choice(LEGS),
        "be_at_1r": chance.random() < 0.2,
        "stop_rule": chance.choice(STOPS),
        "stop_trigger_r": chance.choice((0.0, 0.5, 1.0)),
        "stop_distance": chance.choice((0.5, 1.0, 2.0)),
        "warmup": chance.choice((0, 0, 500)),
    }


def gold(chance: random.Random) -> dict[str, Any]:
    """Draw a set of gold_smc."""
    swing = chance.choice((2, 3, 5))
    return common(chance) | {
        "left": swing,
        "right": swing,
        "atr": chance.choice((10, 14, 20)),
        "killzones": chance.choice(((), ("london", "new_york"), ("asia", "ny_afternoon"))),
        "levels": chance.choice(
            (("day", "session", "swing", "pool"), ("swing",), ("day", "pool"), ("session", "swing"))
        ),
        "patterns": chance.choice((("sweep_choch", "breaker"), ("sweep_choch",), ("breaker",))),
        "sweep_reclaim": chance.choice((0, 0, 2, 5)),
        "max_shift_bars": chance.choice((6, 12, 24)),
        "disp_k": chance.choice((0.5, 1.0, 1.5)),
        "entry_mode": chance.choice(("fvg_mid", "fvg_top", "ob_top")),
        "allow_bos": chance.random() < 0.4,
        "abort_atr": chance.choice((0.5, 1.0, 3.0)),
        "max_retest_bars": chance.choice((5, 20, 60)),
        "pool_tolerance": chance.choice((0.05, 0.1, 0.3)),
        "stop_buf": chance.choice((0.0, 0.1, 0.3)),
        "min_risk": chance.choice((0.2, 0.5)),
        "max_risk": chance.choice((2.0, 3.0, 8.0)),
        "dxy_threshold": chance.choice((-0.3, 0.0)),
        "dxy_missing": chance.choice(("pass", "block")),
        "dxy": chance.random() < 0.6,
        "order_bars": chance.choice((3, 10, 40)),
        "flat_time": chance.choice(("16:45", "11:00", "15:10", "")),
        "friday_end": chance.choice(("12:00", "")),
    }


def nifty(chance: random.Random) -> dict[str, Any]:
    """Draw a set of nifty_smc."""
    swing = chance.choice((2, 3, 4))
    return common(chance) | {
        "left": swing,
        "right": swing,
        "atr": chance.choice((10, 14, 20)),
        "levels": chance.choice((("opening", "day"), ("opening",), ("day",))),
        "entry_end": chance.choice(("14:30", "12:00")),
        "sweep_reclaim": chance.choice((0, 2, 4)),
        "max_bos_bars": chance.choice((8, 15, 30)),
        "stop_buf": chance.choice((0.0, 0.1, 0.3)),
        "stop_ticks": chance.choice((0, 2, 10)),
        "min_risk": chance.choice((0.1, 0.3)),
        "max_risk": chance.choice((2.5, 5.0)),
        "trend": chance.random() < 0.5,
        "ob_touch_bars": chance.choice((5, 15, 40)),
        "square_off": chance.choice(("15:15", "14:45", "")),
    }


def breakout(chance: random.Random) -> dict[str, Any]:
    """Draw a set of breakout."""
    return common(chance) | {
        "lookback": chance.choice((5, 20, 50)),
        "volume_threshold": chance.choice((0.8, 1.5)),
        "volume_required": chance.random() < 0.5,
        "atr": chance.choice((7, 14)),
        "stop_mult": chance.choice((0.7, 1.5, 3.0)),
        "min_confidence": chance.choice((0.2, 0.5)),
        "cooldown": chance.choice((0, 5)),
        "session": chance.choice(("", "08:00-15:00", "20:00-04:00")),
        "flat_time": chance.choice(("", "", "16:00")),
        "close_on_opposite": chance.random() < 0.7,
        "daily_loss_pct": chance.choice((0.3, 0.8, 2.0)),
    }


DRAW = {"gold_smc": gold, "nifty_smc": nifty, "breakout": breakout}


def limits(chance: random.Random, zone: str) -> RiskSettings | None:
    """Draw the guard's limits: a shipped preset or some of each kind; None: the strategy's own."""
    if chance.random() < 0.25:
        return None
    if chance.random() < 0.3:
        return PRESETS[chance.choice(sorted(PRESETS))]
    drawn: dict[str, Any] = {
        "daily_loss": chance.choice((None, 300.0, 800.0, 20_000.0)),
        "daily_loss_pct": chance.choice((None, 0.4, 1.0)),
        "daily_loss_basis": chance.choice(("equity", "balance")),
        "trade_risk": chance.choice((None, 400.0, 2_000.0)),
        "trade_risk_pct": chance.choice((None, 0.5, 1.0)),
        "max_quantity": chance.choice((None, 3.0, 500.0)),
        "min_quantity": chance.choice((None, 0.05)),
        "max_trades_day": chance.choice((None, 1, 2)),
        "max_losses_row": chance.choice((None, 1, 2)),
        "trailing_drawdown": chance.choice((None, None, 2_000.0, 60_000.0)),
        "trailing_mode": chance.choice(("end_of_day", "intraday")),
        "trailing_lock_offset": chance.choice((None, 0.0, 500.0)),
        "max_open_risk": chance.choice((None, 900.0)),
        "price_collar_pct": chance.choice((None, 0.15)),
        "orders_per_minute": chance.choice((None, None, 3)),
        "window": chance.choice((None, None, "03:00-15:00,18:00-20:00")),
        "window_zone": zone,
        "flat_by": chance.choice((None, None, "15:10")),
        "flat_zone": zone,
        "flat_entry_minutes": chance.choice((0, 30)),
        "news": chance.choice((None, None, "block", "flatten", "tighten")),
        "name": "drawn",
    }
    if chance.random() < 0.3:
        drawn |= {"consistency_pct": 50.0, "profit_target": chance.choice((800.0, 6_000.0))}
    if zone == "Asia/Kolkata":
        for name in ("daily_loss", "trade_risk", "trailing_drawdown", "max_open_risk",
                     "trailing_lock_offset"):  # fmt: skip
            drawn[name] = drawn[name] and drawn[name] * 25.0
        drawn["max_quantity"] = drawn["max_quantity"] and drawn["max_quantity"] * 75.0
        drawn["window"] = drawn["window"] and "09:30-13:30"
    return RiskSettings(**drawn)
