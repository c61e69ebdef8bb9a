"""From a strategy's settings and a guard's limits to the records a compiled run reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backtests.sweep.records import MAX_LEGS, RULES, TERMS
from core.errors import ConfigError
from core.orders import StopRuleKind
from risk.arithmetic import given
from risk.settings import RiskSettings
from strategies.exits import STOP_RULES, parse_legs
from strategies.handling import Handling

Array = np.ndarray[Any, Any]


def terms_of(values: Mapping[str, Any], handling: Handling) -> Array:
    """Return the management settings of one parameter set as a one-item TERMS array.

    Raises
    ------
    ConfigError : more exit legs than a compiled run has room for.
    """
    terms = np.zeros(1, TERMS)
    record = terms[0]
    for name in ("rr", "risk_pct", "max_spread_risk", "stop_distance", "stop_trigger_r",
                 "max_trades_day", "max_losses_row", "warmup"):  # fmt: skip
        record[name] = values[name]
    record.max_quantity = values["max_quantity"] or np.inf
    record.order_bars = handling.order_bars
    record.filters = handling.filters
    record.watches_choch = handling.watches_choch
    record.day_orders = handling.day_orders
    record.closes_opposite = handling.closes_opposite
    record.stop_kind = STOP_RULES[values["stop_rule"]]
    record.pays_costs = 1
    if values["be_at_1r"]:
        record.stop_kind, record.pays_costs = StopRuleKind.BREAK_EVEN, 0
        record.stop_trigger_r = 1.0
    _write_legs(values["legs"], record)
    return terms


def _write_legs(text: str, record: Any) -> None:
    legs = parse_legs(text)
    if len(legs) > MAX_LEGS:
        raise ConfigError(f"legs={text!r}: a sweep takes up to {MAX_LEGS} legs")
    record.legs = len(legs)
    record.share[0] = 1.0
    for place, leg in enumerate(legs):
        record.share[place] = leg.share
        record.at_r[place] = leg.at_r
        record.stop_to_r[place] = given(leg.stop_to_r)


def rules_of(limits: RiskSettings | None, symbol: str) -> Array:
    """Return a guard's limits as a one-item RULES array; None: an empty rule set."""
    rules = np.zeros(1, RULES)
    record = rules[0]
    source = RiskSettings() if limits is None else limits
    record.daily_money, record.daily_percent = (
        given(source.daily_loss),
        given(source.daily_loss_pct),
    )
    record.on_balance = source.daily_loss_basis == "balance"
    record.trail_amount = given(source.trailing_drawdown)
    record.trail_intraday = source.trailing_mode == "intraday"
    record.lock_offset = given(source.trailing_lock_offset)
    record.consistency = _largest_day(source)
    record.trade_money, record.trade_percent = (
        given(source.trade_risk),
        given(source.trade_risk_pct),
    )
    record.max_quantity, record.min_quantity = (
        given(source.max_quantity),
        given(source.min_quantity),
    )
    record.weight = source.quantity_weights.get(symbol, 1.0)
    record.open_money = given(source.max_open_risk)
    record.open_percent = given(source.max_open_risk_pct)
    record.collar = given(source.price_collar_pct)
    record.max_trades = source.max_trades_day or 0
    record.max_losses = source.max_losses_row or 0
    record.order_rate = source.orders_per_minute or 0
    record.of_plan = bool(source.plan)
    record.any = limits is not None and has_rules(source)
    return rules


def _largest_day(source: RiskSettings) -> float:
    if source.consistency_pct is None or source.profit_target is None:
        return float("nan")
    return source.consistency_pct / 100.0 * source.profit_target


def has_rules(source: RiskSettings) -> bool:
    """Say whether a source limits anything."""
    from risk.rules import build_rules

    return bool(build_rules([source]))
