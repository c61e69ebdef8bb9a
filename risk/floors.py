"""The equity floors of the rules, as the matching engine tests them inside a bar."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from risk.context import GuardContext
from risk.rules import DailyLoss, Rule, TrailingDrawdown


def write_floors(
    limits: np.ndarray[Any, Any], rules: Sequence[Rule], context: GuardContext
) -> None:
    """Write the strictest floors in force; a rule that has locked needs none until its reset."""
    record = limits[0]
    daily = [rule for rule in rules if isinstance(rule, DailyLoss)]
    floor = max((rule.floor(context) for rule in daily), default=-np.inf)
    record.day_floor = -np.inf if (DailyLoss.name, "") in context.locks else floor
    trailing = [rule for rule in rules if isinstance(rule, TrailingDrawdown)]
    if not trailing or (TrailingDrawdown.name, "") in context.locks:
        record.trail_floor = -np.inf
        record.trail_intraday = 0
        return
    strictest = max(trailing, key=lambda rule: rule.floor())
    record.trail_floor = strictest.floor()
    record.trail_amount = strictest.amount
    record.trail_lock = strictest.lock_level
    record.trail_peak = strictest.peak
    record.trail_intraday = int(strictest.is_intraday)
