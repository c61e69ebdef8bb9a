"""The words a setup's fate is told in, and their codes in kernels and records."""

from __future__ import annotations

PATTERNS = ("", "sweep_choch", "breaker", "sweep_bos_ob", "sweep_bos_fvg", "breakout")
"""Names of the patterns; the index is `SETUP.pattern`."""
NO_PATTERN, SWEEP_CHOCH, BREAKER, SWEEP_BOS_OB, SWEEP_BOS_FVG, BREAKOUT = range(6)

REFUSALS = (
    "",
    "busy",
    "locked",
    "max_trades",
    "losses",
    "time",
    "window",
    "special",
    "trend",
    "dxy",
    "spread",
    "size_zero",
    "opposite_close",
    "no_stop",
    "warmup",
)
"""Why a setup was not taken. Those up to `size_zero` stand in the order they are tested."""
(
    TAKEN,
    BUSY,
    LOCKED,
    MAX_TRADES,
    LOSSES,
    TIME,
    WINDOW,
    SPECIAL_DAY,
    TREND,
    DXY,
    SPREAD,
    SIZE_ZERO,
    OPPOSITE_CLOSE,
    NO_STOP,
    WARMUP,
) = range(15)

CANCELS = ("", "order_bars", "target_first", "choch", "close_beyond_s", "time", "window")
"""Why a working entry was withdrawn, in the order tested."""
KEEP, ORDER_BARS, TARGET_FIRST, CHOCH, CLOSE_BEYOND_S, CANCEL_TIME, CANCEL_WINDOW = range(7)

BLOCK_TREND, BLOCK_DXY = 1, 2
"""Bits of a side's filters that fail at a bar (`OUT.blocked_long`, `OUT.blocked_short`)."""
