"""Exit plans: the legs a position leaves by, and the rule that moves its stop.

The plan is decided with the setup, for good. `stop_after` is the whole stop rule as one pure
kernel; the stop only ever moves to less risk.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from core.compile import kernel, shared
from core.errors import ConfigError
from core.orders import ExitPlan, StopRule, StopRuleKind, Target
from core.prices import quantity_to_steps, round_down, round_up, steps_to_quantity
from strategies.management import rounded_target

STOP_RULES = {
    "fixed": StopRuleKind.FIXED,
    "break_even": StopRuleKind.BREAK_EVEN,
    "trail_atr": StopRuleKind.TRAIL_ATR,
    "trail_swing": StopRuleKind.TRAIL_SWING,
    "trail_order_block": StopRuleKind.TRAIL_ORDER_BLOCK,
}
"""Names of the stop rules in settings."""

_FIXED = int(StopRuleKind.FIXED)
_BREAK_EVEN = int(StopRuleKind.BREAK_EVEN)
_TRAIL_ATR = int(StopRuleKind.TRAIL_ATR)
_TRAIL_SWING = int(StopRuleKind.TRAIL_SWING)


@dataclass(frozen=True, slots=True)
class Leg:
    """One exit leg in units of risk: leave `share` of the position at `at_r`.

    stop_to_r : where the stop goes the instant the leg fills (0 = the entry); None leaves it.
    """

    share: float
    at_r: float
    stop_to_r: float | None = None


def parse_legs(text: str) -> tuple[Leg, ...]:
    """Return the legs written as `SHARE@R[>R]`, parted by commas; '' gives none.

    `0.5@1>0,0.5@3` leaves half at 1R, then moves the stop to the entry, and the rest at 3R.

    Raises
    ------
    ConfigError : if a leg cannot be read, the shares sum to more than 1 or the R do not rise.
    """
    legs = tuple(_parse_leg(part, text) for part in text.split(",") if part.strip())
    if sum(leg.share for leg in legs) > 1.0 + 1e-9:
        raise ConfigError(f"legs={text!r}: the shares sum to more than 1")
    if any(after.at_r <= before.at_r for before, after in pairwise(legs)):
        raise ConfigError(f"legs={text!r}: expected the R of the legs to rise")
    return legs


def _parse_leg(part: str, text: str) -> Leg:
    share, _, rest = part.strip().partition("@")
    at_r, arrow, stop_to = rest.partition(">")
    try:
        leg = Leg(float(share), float(at_r), float(stop_to) if arrow else None)
    except ValueError as cause:
        raise ConfigError(
            f"legs={text!r}: cannot read {part.strip()!r}, expected SHARE@R or SHARE@R>R, "
            "such as 0.5@1>0,0.5@3"
        ) from cause
    if not 0.0 < leg.share <= 1.0 or not leg.at_r > 0.0:
        raise ConfigError(f"legs={text!r}: expected 0 < share <= 1 and R > 0 in {part.strip()!r}")
    if leg.stop_to_r is not None and not -1.0 <= leg.stop_to_r < leg.at_r:
        raise ConfigError(f"legs={text!r}: the stop of {part.strip()!r} must lie in [-1, its R)")
    return leg


def plan_exit(
    entry: float,
    stop: float,
    target: float,
    tick: float,
    legs: tuple[Leg, ...] = (),
    stop_rule: StopRule | None = None,
    flat_at: int | None = None,
) -> ExitPlan:
    """Return the exit plan of one setup, in prices.

    Parameters
    ----------
    entry, stop : price units, planned and rounded; their distance is 1R.
    target : the setup's own target, used where no legs are given; nan for none.
    tick : price step; targets and moved stops are rounded toward the entry.
    """
    direction = 1 if stop < entry else -1
    risk = abs(entry - stop)
    targets = []
    for leg in legs:
        price = rounded_target(entry, direction, leg.at_r * risk, tick)
        moved = None
        if leg.stop_to_r is not None:
            moved = rounded_target(entry, direction, leg.stop_to_r * risk, tick)
        targets.append(Target(leg.share, price, moved))
    if not legs and not np.isnan(target):
        targets.append(Target(1.0, target))
    return ExitPlan(tuple(targets), stop_rule or StopRule(), flat_at)


def leg_quantities(quantity: float, shares: tuple[float, ...], lot: float) -> tuple[float, ...]:
    """Return how much leaves by each leg, in whole lot steps.

    Each leg is rounded down; where the shares sum to 1 the last leg takes what is left. A leg
    may come out as 0: the position was too small to be split so.
    """
    parts = np.zeros(len(shares), np.int64)
    split_steps(quantity, np.array(shares), len(shares), lot, parts)
    return tuple(steps_to_quantity(int(part), lot) for part in parts)


@shared
def split_steps(quantity: float, shares: Any, count: int, lot: float, parts: Any) -> None:
    """Write how many lot steps leave by each of the first `count` legs (`leg_quantities`)."""
    taken = 0
    total = 0.0
    for k in range(count):
        parts[k] = quantity_to_steps(quantity * shares[k], lot)
        total += shares[k]
        taken += parts[k]
    if count > 0 and total > 1.0 - 1e-9:
        parts[count - 1] += quantity_to_steps(quantity, lot) - taken


@kernel
def stop_after(
    kind: int,
    trigger_r: float,
    distance: float,
    offset: float,
    direction: int,
    entry: float,
    risk: float,
    stop: float,
    close: float,
    atr: float,
    swing: float,
    block: float,
    tick: float,
) -> float:
    """Return where the stop stands after this bar's close; never further from the market.

    Parameters
    ----------
    kind, trigger_r, distance, offset : the StopRule. trigger_r is measured on the close.
    direction : +1 long, -1 short.
    entry : fill price; risk : planned |entry - stop|, price units.
    stop : price it stands at now.
    close, atr : of the bar just closed.
    swing : last confirmed swing low (longs) or high (shorts); block : far edge of the last
        active order block of the position's side; nan where there is none.
    tick : the new stop is rounded away from the market.

    Notes
    -----
    A stop that would stand at or beyond the close is not set: it would fill at once.
    """
    if kind == _FIXED or direction * (close - entry) < trigger_r * risk:
        return stop
    if kind == _BREAK_EVEN:
        wanted = entry + direction * offset
    elif kind == _TRAIL_ATR:
        wanted = close - direction * distance * atr
    elif kind == _TRAIL_SWING:
        wanted = swing - direction * offset
    else:
        wanted = block - direction * offset
    if np.isnan(wanted):
        return stop
    if direction > 0:
        wanted = round_down(wanted, tick)
        return wanted if stop < wanted and wanted < close else stop
    wanted = round_up(wanted, tick)
    return wanted if stop > wanted and wanted > close else stop


@shared
def break_even_offset(costs: float, quantity: float, point_value: float, tick: float) -> float:
    """Return the price distance that pays a round trip's costs, rounded up to the tick.

    Parameters
    ----------
    costs : account currency, entry and exit together, >= 0.
    point_value : account money per 1.0 price move of 1.0 quantity.
    """
    if not costs > 0.0:
        return 0.0
    return float(round_up(costs / (quantity * point_value), tick))


def moved_stop(
    rule: StopRule,
    direction: int,
    entry: float,
    risk: float,
    stop: float,
    bar: Any,
    facts: Any,
    tick: float,
) -> float:
    """Return `stop_after` for a rule, a BAR record and the machine's FACTS of that bar."""
    is_long = direction > 0
    return float(
        stop_after(
            int(rule.kind),
            rule.trigger_r,
            rule.distance,
            rule.offset,
            direction,
            entry,
            risk,
            stop,
            float(bar.close),
            float(facts.atr),
            float(facts.swing_low if is_long else facts.swing_high),
            float(facts.block_low if is_long else facts.block_high),
            tick,
        )
    )
