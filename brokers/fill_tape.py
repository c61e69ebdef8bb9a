"""Executions of one position in the order they happened, whatever order they were told in.

What a partial exit earns depends on what was held at that moment. Streams overtake each other, so
a fill may be told after one that came later; the position is then booked again from where the tape
begins, and ends as if all had been told in their turn.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from core.events import Execution


@dataclass(frozen=True, slots=True)
class TapeRow:
    """One execution as it is booked.

    steps : never signed, in lot steps. step_value : account money per 1.0 price move of one step
    when it was booked.
    """

    ts_event: int
    fill_id: str
    side: int
    steps: int
    price: float
    step_value: float

    @classmethod
    def of(cls, execution: Execution, steps: int, step_value: float) -> TapeRow:
        """Return the row of an execution."""
        return cls(
            execution.ts_event,
            execution.fill_id,
            int(execution.side),
            steps,
            execution.price,
            step_value,
        )

    @property
    def place(self) -> tuple[int, str]:
        """What rows are ordered by."""
        return self.ts_event, self.fill_id


class FillTape:
    """Rows by time since a moment at which steps and average of the position were known.

    Attributes
    ----------
    realised : what the rows have earned before costs, account currency; the owner keeps it.
    """

    def __init__(self) -> None:
        self.begin(0, 0.0)

    def __len__(self) -> int:
        return len(self.rows)

    def begin(self, steps: int, average: float) -> None:
        """Forget all rows: the position is this from now on."""
        self.rows: list[TapeRow] = []
        self.steps, self.average = steps, average
        self.realised = 0.0

    def add(self, row: TapeRow) -> bool:
        """Put a row in its place; say whether it is the last."""
        rows = self.rows
        if not rows or rows[-1].place <= row.place:
            rows.append(row)
            return True
        rows.insert(bisect_left(rows, row.place, key=lambda item: item.place), row)
        return False

    @property
    def is_mixed(self) -> bool:
        """Whether of a position opened at several prices a part is closed: which, is a convention.

        By the average, first in first out, or each for itself, venues realise other money; together
        with what is still open it is the same.
        """
        steps, prices, is_reduced = self.steps, {self.average} if self.steps else set(), False
        for row in self.rows:
            if steps * row.side < 0:
                is_reduced = True
                turned = row.steps > abs(steps)
            else:
                turned = steps == 0
                prices.add(row.price)
            steps += row.side * row.steps
            if turned or not steps:
                prices, is_reduced = ({row.price} if steps else set()), False
        return is_reduced and len(prices) > 1

    def row(self, fill_id: str) -> TapeRow | None:
        """Return the row of a fill, None where the tape does not reach back to it."""
        return next((item for item in self.rows if item.fill_id == fill_id), None)

    def change(self, row: TapeRow) -> None:
        """Put a row in the place of the one with its fill id."""
        self.rows = [item for item in self.rows if item.fill_id != row.fill_id]
        self.add(row)
