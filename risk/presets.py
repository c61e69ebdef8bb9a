"""Risk presets as data. Programs change: every number may be overridden by a plan's own table."""

from __future__ import annotations

from core.errors import ConfigError, near_name
from risk.settings import RiskSettings

_MICROS = {"MGC": 1.0, "GC": 10.0, "XAUUSD": 10.0}
"""Position size in micro contracts of 10 oz: a GC contract and a spot lot are 100 oz."""


def _topstep(
    name: str, micros: float, daily: float, trailing: float, target: float
) -> RiskSettings:
    """Topstep Combine figures: positions in micros, balance trailed at the end of each day."""
    return RiskSettings(
        name=name,
        daily_loss=daily,
        max_quantity=micros,
        quantity_weights=_MICROS,
        quantity_scope="account",
        trailing_drawdown=trailing,
        trailing_mode="end_of_day",
        trailing_lock_offset=0.0,
        flat_by="15:10",
        flat_zone="America/Chicago",
        flat_entry_minutes=10,
        consistency_pct=50.0,
        profit_target=target,
    )


PRESETS: dict[str, RiskSettings] = {
    settings.name: settings
    for settings in (
        _topstep("topstep_50k", 50, 1_000, 2_000, 3_000),
        _topstep("topstep_100k", 100, 2_000, 3_000, 6_000),
        _topstep("topstep_150k", 150, 3_000, 4_500, 9_000),
        RiskSettings(
            name="gold_bot",
            daily_loss=800,
            trade_risk=500,
            min_quantity=2,
            max_quantity=50,
            quantity_weights=_MICROS,
        ),
        RiskSettings(
            name="nifty_intraday",
            daily_loss_pct=1.5,
            trade_risk_pct=1.0,
            max_trades_day=3,
            max_losses_row=2,
            flat_by="15:15",
            flat_zone="Asia/Kolkata",
            flat_entry_minutes=30,
        ),
    )
}


def get_preset(name: str) -> RiskSettings:
    """Return a preset by name.

    Raises
    ------
    ConfigError : for an unknown name, suggesting the near one.
    """
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"unknown risk preset {name!r}{near_name(name, PRESETS)}") from None
