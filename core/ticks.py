"""The tick record: one price as a venue told it, and what a stream of them means.

Two tick models (docs/decisions/fills.md): `trades`, prices jump from one to the next; `path`,
consecutive prices of one replayed bar are the ends of a continuous walk.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from core.bars import spans_within
from core.compile import record_dtype

TickModel = Literal["path", "trades"]
"""What the prices of a stream are."""

TRADE = 1
"""Flag: something was traded at this price; the price counts in bars."""
OPENS_BAR = 2
"""Flag: first price of a replayed bar; the step to it is a jump in either tick model."""

CLOSES = 4
"""Flag, on tapes alone: before this price a hand ended the plan's orders and its position."""

TICK = record_dtype(
    [
        ("ts_event", "i8"),
        ("ts_init", "i8"),
        ("price", "f8"),
        ("volume", "f8"),
        ("bid", "f8"),
        ("ask", "f8"),
        ("spread", "f8"),
        ("flags", "u2"),
    ]
)
"""One tick.

ts_event, ts_init : ns UTC, the venue's time and ours.
price : last traded price, or the side of the quote the instrument's bars are made of; quote
    currency.
volume : traded since the tick before; 0 where the venue tells none.
bid, ask : nan where the venue tells none.
spread : ask minus bid, price units; nan where none is told (the instrument's model holds then).
flags : TRADE, OPENS_BAR. A tick without TRADE only tells the time and the quote.
"""


@dataclass(frozen=True, eq=False)
class Tape:
    """Recorded ticks of one instrument, and what their prices are.

    ticks : TICK array; kept in order of `ts_event`, those of one time as they came.
    model : trades, every price is a jump; path, the prices of a replayed bar are walked between.
    """

    ticks: np.ndarray[Any, Any]
    model: TickModel

    def __post_init__(self) -> None:
        if self.model not in get_args(TickModel):
            raise ValueError(f"model={self.model!r}: expected path or trades")
        order = np.argsort(self.ticks["ts_event"], kind="stable")
        object.__setattr__(self, "ticks", self.ticks[order])

    @property
    def is_discrete(self) -> bool:
        """Whether its prices jump from one to the next."""
        return self.model == "trades"

    def of_trades(self) -> Tape:
        """Return the tape of its prices, without the ticks that only tell time and quote."""
        return Tape(self.ticks[(self.ticks["flags"] & TRADE) != 0], self.model)

    def spans(self, bars: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Return first and last (not included) of the ticks of each bar, int64 of shape (n, 2).

        A bar's ticks are those with START <= `ts_event` < END.
        """
        return spans_within(bars, self.ticks["ts_event"])
