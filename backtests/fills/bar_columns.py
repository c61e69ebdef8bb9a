"""A plan's bars as the fill engine reads them: columns by row, and rows by time."""

from __future__ import annotations

from typing import Any

import numpy as np

from core.bars import BAR, spans_within
from core.matching.book import NO_NIGHTS, NO_SPANS, Array
from core.matching.nights import swap_nights
from core.ticks import TICK, Tape
from risk.moment import bar_of, bars_to_play

NO_TICKS = np.zeros(0, TICK)


class BarColumns:
    """What the bars of a feed need besides themselves, by row.

    A plain feed (no BAR records) has one row, read from its lines bar by bar.

    Attributes
    ----------
    is_plain : it is such a feed.
    bars : BAR array. start, end, day, spread : its columns.
    lower, spans : bars of a finer file (else `bars`) and each bar's items in it (`walk_bars`).
    prices, price_spans : traded ticks of a tape, and each bar's items in them; none without one.
    marks : float64 of shape (2, n); where the engine writes its marks of bars played ahead.
    """

    def __init__(self, data: Any, lower: Array | None, tape: Tape | None = None) -> None:
        bars = bars_to_play(data)
        self.is_plain = bars is None
        self.bars: Array = np.zeros(1, BAR) if bars is None else bars
        self.lower, self.spans = self.bars, NO_SPANS
        self._nights: Array | None = None
        self.marks = np.empty((2, len(self.bars)))
        self._take_times()
        if lower is not None and not self.is_plain:
            self.lower, self.spans = lower, spans_within(self.bars, lower["start"])
        self.prices, self.price_spans = NO_TICKS, NO_SPANS
        if tape is not None and not self.is_plain:
            traded = tape.of_trades()
            self.prices, self.price_spans = traded.ticks, traded.spans(self.bars)

    def _take_times(self) -> None:
        self.end = np.ascontiguousarray(self.bars["end"])
        # As int64 like the days asked for: a search in int32 would convert the column each time.
        self.day = np.ascontiguousarray(self.bars["day"], np.int64)
        self.start, self.spread = self.bars["start"], self.bars["spread"]

    def read_line(self, data: Any, spread: float) -> None:
        """Read the current bar of a plain feed."""
        self.bars[0] = bar_of(data)
        self.bars["spread"] = spread
        self._take_times()

    def nights(self, triple_weekday: int) -> Array:
        """Return the weighted swap nights before and inside each bar, shape (n, 2)."""
        if self.is_plain:
            return NO_NIGHTS
        if self._nights is None:
            self._nights = np.ascontiguousarray(np.array(swap_nights(self.bars, triple_weekday)).T)
        return self._nights

    def ticks_of(self, row: int) -> tuple[int, int]:
        """Return first and last (not included) of a bar's traded ticks in `prices`."""
        if not len(self.price_spans):
            return 0, 0
        first, stop = self.price_spans[row].tolist()
        return first, stop

    def last_spread(self, row: int) -> float:
        """Return the spread in force at a bar's close: the last told inside it, else the bar's."""
        for items, spans in ((self.prices, self.price_spans), (self.lower, self.spans)):
            if len(spans):
                first, stop = spans[row].tolist()
                told = items["spread"][first:stop]
                told = told[~np.isnan(told)]
                if len(told):
                    return float(told[-1])
        return float(self.spread.item(row))

    def is_last_of_session(self, row: int) -> bool:
        """Whether the session is over at the END of a bar."""
        return bool(self.end[row] >= self.bars["close_at"][row])

    def row_of_day_after(self, day: int) -> int:
        """Return the first row of a later trading day."""
        return int(self.day.searchsorted(day, "right"))

    def row_ending_after(self, ts: int) -> int:
        """Return the first row that ends after a time."""
        return int(self.end.searchsorted(ts, "right"))
