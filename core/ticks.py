"""The tick record: one price as a venue told it, and what a stream of them means.

Two tick models (docs/decisions/fills.md): `trades`, prices jump from one to the next; `path`,
consecutive prices of one replayed bar are the ends of a continuous walk.
"""

from __future__ import annotations

from core.compile import record_dtype

TRADE = 1
"""Flag: something was traded at this price; the price counts in bars."""
OPENS_BAR = 2
"""Flag: first price of a replayed bar; the step to it is a jump in either tick model."""

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
