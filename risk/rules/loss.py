"""Rules of money lost or won: the day, the drawdown, the streak, the best day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from core.orders import Fill, OrderRequest
from risk.arithmetic import (
    floor_of_day,
    floor_of_trail,
    given,
    has_fallen,
    has_lost,
    has_won,
    least_limit,
)
from risk.rules.base import Headroom, Refusal, Rule
from risk.settings import RiskSettings

if TYPE_CHECKING:
    from risk.context import GuardContext


class DailyLoss(Rule):
    """Flatten and lock when the loss since the day's start reaches the limit.

    Tested on equity (open profit included) inside every bar by the matching engine. The day
    turns where the instrument's calendar turns it (gold 18:00 New York, NSE at midnight IST).
    """

    name = "daily_loss"

    def __init__(
        self, money: float | None = None, percent: float | None = None, basis: str = "equity"
    ) -> None:
        self.money = money
        self.percent = percent
        self.basis = basis

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> DailyLoss | None:
        """Return the rule, None where neither money nor percent is limited."""
        if settings.daily_loss is None and settings.daily_loss_pct is None:
            return None
        return cls(settings.daily_loss, settings.daily_loss_pct, settings.daily_loss_basis)

    def describe(self) -> str:
        """Return the rule in one line."""
        parts = [] if self.money is None else [f"{self.money:g}"]
        parts += [] if self.percent is None else [f"{self.percent:g} %"]
        return f"daily_loss {' or '.join(parts)} from the day's starting {self.basis}"

    def base(self, context: GuardContext) -> float:
        """Return what the day's loss is measured from, account currency."""
        if self.basis == "balance":
            return context.day_start_balance
        return context.day_start_equity

    def limit(self, context: GuardContext) -> float:
        """Return the loss allowed today, account currency."""
        return least_limit(given(self.money), given(self.percent), self.base(context))

    def floor(self, context: GuardContext) -> float:
        """Return the equity at or below which the limit is met."""
        return floor_of_day(self.base(context), self.limit(context))

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse when the loss is there already (a run that starts below the floor)."""
        base, equity, limit = self.base(context), context.equity, self.limit(context)
        is_lost = has_lost(base, equity, limit)
        return Refusal(self.name, limit, base - equity) if is_lost else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return today's loss against the limit."""
        lost = max(self.base(context) - context.equity, 0.0)
        return Headroom(self.name, self.limit(context), lost, "money")


class TrailingDrawdown(Rule):
    """End trading for good when equity falls to a floor that trails the highest mark.

    end_of_day: floor = highest balance at a day's end - amount, worked out between trading days.
    intraday: the highest equity counts, open profit included, at every point of a bar's path.
    The floor never falls; it stops rising at the starting balance + `lock_offset`.
    """

    name = "trailing_drawdown"

    def __init__(
        self, amount: float, mode: str = "end_of_day", lock_offset: float | None = None
    ) -> None:
        self.amount = amount
        self.is_intraday = mode == "intraday"
        self.lock_offset = lock_offset
        self.peak = 0.0
        self.lock_level = np.inf

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> TrailingDrawdown | None:
        """Return the rule, None where drawdown is not limited."""
        if settings.trailing_drawdown is None:
            return None
        return cls(
            settings.trailing_drawdown, settings.trailing_mode, settings.trailing_lock_offset
        )

    def describe(self) -> str:
        """Return the rule in one line."""
        mode = "intraday equity" if self.is_intraday else "end-of-day balance"
        lock = "" if self.lock_offset is None else f", locks at start {self.lock_offset:+g}"
        return f"trailing_drawdown {self.amount:g} below the highest {mode}{lock}"

    def start(self, context: GuardContext) -> None:
        """Set the first floor below the starting balance."""
        self.peak = context.start_balance
        offset = self.lock_offset
        self.lock_level = np.inf if offset is None else context.start_balance + offset

    def go_on_from(self, other: Rule) -> None:
        """Trail the same highest mark."""
        if isinstance(other, TrailingDrawdown) and other.is_intraday == self.is_intraday:
            self.peak = max(self.peak, other.peak)

    def floor(self) -> float:
        """Return the equity at or below which the account is finished."""
        return floor_of_trail(self.peak, self.amount, self.lock_level)

    def before_day(self, limits: np.ndarray[Any, Any], context: GuardContext) -> None:
        """Take over the peak the engine saw inside the bars of the day that ends."""
        if self.is_intraday:
            self.peak = max(self.peak, float(limits[0].trail_peak))

    def on_day(self, context: GuardContext) -> None:
        """Raise the floor to the balance (intraday: equity) the last day ended with."""
        mark = context.day_start_equity if self.is_intraday else context.day_start_balance
        self.peak = max(self.peak, mark)

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse when equity is at the floor already."""
        equity, floor = context.equity, self.floor()
        return Refusal(self.name, floor, equity) if has_fallen(equity, floor) else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return the fall from the peak against the amount between peak and floor."""
        floor = self.floor()
        return Headroom(self.name, self.peak - floor, self.peak - context.equity, "money")


class LossesInRow(Rule):
    """End the day's entries after so many losing trades in a row (17.4a, 25: by exit day)."""

    name = "losses"

    def __init__(self, largest: int) -> None:
        self.largest = largest

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> LossesInRow | None:
        """Return the rule, None where streaks are not limited."""
        return None if settings.max_losses_row is None else cls(settings.max_losses_row)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"losses {self.largest} in a row end the day's entries"

    def on_fill(self, fill: Fill, context: GuardContext) -> Refusal | None:
        """Lock once the streak is complete."""
        return self.used_up(context)

    def used_up(self, context: GuardContext) -> Refusal | None:
        """Say whether the streak is complete."""
        streak = context.losses_row[self.plan]
        return Refusal(self.name, self.largest, streak) if streak >= self.largest else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return the streak against its limit."""
        return Headroom(self.name, self.largest, context.losses_row[self.plan], "trades")


class Consistency(Rule):
    """End the day's entries when its profit reaches a share of the account's profit target.

    A prop firm's consistency rule compares the best day with the target; a day that goes beyond
    raises the target, so the guard stops opening trades there. Open trades run on.
    """

    name = "consistency"

    def __init__(self, percent: float, target: float) -> None:
        self.largest = percent / 100.0 * target

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> Consistency | None:
        """Return the rule, None where the best day is not limited."""
        if settings.consistency_pct is None or settings.profit_target is None:
            return None
        return cls(settings.consistency_pct, settings.profit_target)

    def describe(self) -> str:
        """Return the rule in one line."""
        return f"consistency no entry after {self.largest:g} won in a day"

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Refuse when the day, open profit included, has won enough."""
        start, equity = context.day_start_equity, context.equity
        is_won = has_won(start, equity, self.largest)
        return Refusal(self.name, self.largest, equity - start) if is_won else None

    def headroom(self, context: GuardContext) -> Headroom:
        """Return today's profit against the largest one."""
        won = max(context.equity - context.day_start_equity, 0.0)
        return Headroom(self.name, self.largest, won, "money")
