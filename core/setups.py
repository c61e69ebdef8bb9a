"""Setups: what a strategy's setup machine emits, before orders, sizes and filters exist."""

from __future__ import annotations

from core.compile import record_dtype

SETUP = record_dtype(
    [
        ("kind", "i1"),
        ("direction", "i1"),
        ("pattern", "i2"),
        ("entry", "f8"),
        ("stop", "f8"),
        ("target", "f8"),
        ("risk", "f8"),
        ("atr", "f8"),
        ("confidence", "f8"),
        ("zone_top", "f8"),
        ("zone_bottom", "f8"),
        ("level", "f8"),
        ("sweep_extreme", "f8"),
        ("origin", "i8"),
        ("refusal", "i2"),
    ]
)
"""One setup, known at the close of its bar.

kind : 0 none, 1 market at the next open, 2 limit, 3 stop.
direction : +1 long, -1 short.
entry : order price rounded to the tick; for a market entry the close it was planned on.
stop, target : rounded; target is nan where the plan computes it in the management layer.
risk : |entry - stop| in price units after rounding.
origin : bar index at which the pattern began (for drawing).
refusal : a structural refusal found by the machine itself (0 none), logged and never taken.
"""

NO_SETUP, MARKET_SETUP, LIMIT_SETUP, STOP_SETUP = 0, 1, 2, 3
