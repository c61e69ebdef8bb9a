"""One setup at work: its entry order, stop and targets, from sending to the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import backtrader as bt

from core.orders import ExitPlan
from core.setups import LIMIT_SETUP, MARKET_SETUP, STOP_SETUP
from strategies.exits import leg_quantities
from strategies.funnel import SetupRow

_EXECUTION = {
    MARKET_SETUP: bt.Order.Market,
    LIMIT_SETUP: bt.Order.Limit,
    STOP_SETUP: bt.Order.Stop,
}


@dataclass(slots=True)
class Bracket:
    """Orders of one setup, and what the management layer must remember of it.

    direction : +1 long, -1 short. risk : planned |entry - stop|, price units.
    sweep_extreme : a close beyond it withdraws the entry; nan where it does not.
    sent_at : bar index of the setup. order_bars : bars the entry may work, 0 without end.
    stop_price : where the stop is sent to. entry_price : average fill price, nan before.
    day_only, flat_reason : keywords of the entry, see `core.orders.OrderRequest`.
    """

    row: SetupRow
    direction: int
    pattern: int
    plan: ExitPlan
    quantity: float
    risk: float
    target: float
    sweep_extreme: float
    sent_at: int
    order_bars: int
    stop_price: float
    day_only: bool
    flat_reason: str
    entry_price: float = float("nan")
    entry: Any = None
    stop: Any = None
    targets: list[Any] = field(default_factory=list)

    @property
    def is_filled(self) -> bool:
        """Whether any of the entry was filled."""
        return self.entry_price == self.entry_price

    @property
    def children(self) -> list[Any]:
        """The stop and the targets."""
        return [self.stop, *self.targets]

    def send(self, strategy: Any, setup: Any, lot: float) -> None:
        """Send the entry, its stop for the whole, and a limit for each leg of at least one lot."""
        is_long = self.direction > 0
        enter, leave = strategy.buy, strategy.sell
        if not is_long:
            enter, leave = leave, enter
        data = strategy.data0
        self.entry = enter(
            data=data,
            size=self.quantity,
            price=None if setup.kind == MARKET_SETUP else float(setup.entry),
            exectype=_EXECUTION[int(setup.kind)],
            transmit=False,
            reason="entry",
            pattern=self.row.pattern,
            planned_entry=float(setup.entry),
            planned_stop=float(setup.stop),
            flat_at=self.plan.flat_at,
            flat_reason=self.flat_reason,
            day_only=self.day_only,
        )
        targets = self.plan.targets
        parts = leg_quantities(self.quantity, tuple(leg.share for leg in targets), lot)
        legs = [(leg, part) for leg, part in zip(targets, parts, strict=True) if part > 0.0]
        self.stop = leave(
            data=data,
            parent=self.entry,
            size=self.quantity,
            price=self.stop_price,
            exectype=bt.Order.Stop,
            transmit=not legs,
            reason="stop",
        )
        for place, (leg, part) in enumerate(legs, start=1):
            target = leave(
                data=data,
                parent=self.entry,
                size=part,
                price=leg.price,
                exectype=bt.Order.Limit,
                transmit=place == len(legs),
                stop_to=leg.stop_to,
                reason="target",
            )
            self.targets.append(target)

    def carry(self, entry: Any, stop: Any, targets: list[Any], difference: float) -> None:
        """Take the orders of the next contract, whose prices are higher by a difference."""
        self.entry, self.stop, self.targets = entry, stop, targets
        self.entry_price += difference
        self.target += difference
        self.sweep_extreme += difference
        self.stop_price += difference


@dataclass(slots=True)
class DayTally:
    """A count that belongs to one trading day and starts anew with the next."""

    day: int = -1
    count: int = 0

    def of(self, day: int) -> int:
        """Return the count of a day."""
        return self.count if day == self.day else 0

    def set(self, day: int, count: int) -> None:
        """Set the count of a day; earlier days are forgotten."""
        self.day = day
        self.count = count

    def add(self, day: int) -> None:
        """Count one more on a day."""
        self.set(day, self.of(day) + 1)
