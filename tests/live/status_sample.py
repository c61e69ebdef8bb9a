"""One session's status with everything in it, for the tests of what shows or stores it."""

import time
from dataclasses import replace

from live.monitor import (
    AlertStatus,
    CountStatus,
    DayStatus,
    FeedStatus,
    LimitStatus,
    OrderStatus,
    PlanStatus,
    PositionStatus,
    RequestStatus,
    SessionState,
    SignalStatus,
    Status,
)

SECOND = 10**9
NOW = 1_757_946_902 * SECOND
"""2025-09-15 14:35:02 UTC, 09:35:02 in Chicago."""

FULL = Status(
    mode="paper",
    venue="sandbox",
    account="demo",
    state=SessionState.LIVE,
    currency="USD",
    started=NOW - 3600 * SECOND,
    market_time=NOW,
    zone="America/Chicago",
    equity=99_880.0,
    balance=99_862.0,
    open_risk=129.0,
    day=DayStatus(-120.0, 100_000.0, 800.0, 680.0, date="2025-09-15"),
    plans=(PlanStatus("gold", "gold_smc", "MGC", "15m", trades=2, day_pnl=-120.0),),
    positions=(
        PositionStatus(
            "gold", "MGC", "long", 3, 2412.4, 2413.0, 18.0, 2408.1, 2421.0, True, 0.004, 0.14
        ),
    ),
    orders=(
        OrderStatus("17", "gold", "MGC", "sell", "stop", 3, "working", "v17", 0, 2408.1, 12.0),
        OrderStatus("18", "gold", "MGC", "sell", "limit", 3, "working", "v18", 0, 2421.0, 12.0),
    ),
    feeds=(
        FeedStatus(
            "MGC",
            "15m",
            "live",
            2413.0,
            NOW,
            0.2,
            312,
            4,
            1,
            2413.0,
            2413.2,
            last_difference="2025-09-15T14:00:00Z: high 2414.1 here, 2414.2 at the venue",
        ),
    ),
    last_signal=SignalStatus(
        NOW - 302 * SECOND, "gold", "short", "fvg", False, "daily_loss: 240 against a limit of 200"
    ),
    limits=(
        LimitStatus("daily_loss", 120, 800, "USD"),
        LimitStatus("trades a day", 4, 5, "trades"),
    ),
    requests=(RequestStatus("orders", 3, 10),),
    counts=CountStatus(312, 10_245, 4, {"daily_loss": 2, "no_stop": 1}, 1, 1, 0),
    alerts=(AlertStatus(NOW - 300 * SECOND, "fill", "buy 3 MGC @ 2412.4"),),
)


def sample(**changes):
    """Return the full status, written just now, with some fields changed."""
    return replace(FULL, **{"wall_time": time.time_ns(), **changes})
