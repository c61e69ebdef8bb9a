"""One setup at work: its entry order, stop and targets, from sending to the way out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from core.orders import ExitPlan
from strategies.funnel import SetupRow


@dataclass(slots=True)
class Bracket:
    """Orders of one setup, and what the management layer must remember of it.

    direction : +1 long, -1 short. risk : planned |entry - stop|, price units.
    sweep_extreme : a close beyond it withdraws the entry; nan where it does not.
    sent_at : bar index of the setup. order_bars : bars the entry may work, 0 without end.
    entry_price : average fill price, nan before. stop_price : where the stop stands now.
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
