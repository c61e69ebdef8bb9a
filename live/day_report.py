"""What is checked before a market opens, and what is told after it has closed."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.calendar import day_date
from core.results import json_text
from core.wording import plural

logger = logging.getLogger(__name__)

LEAST_FREE_MB = 200


def day_text(day: int) -> str:
    """Return a trading day's number as its date."""
    return day_date(day).isoformat()


def preflight(session: Any) -> list[str]:
    """Return what would keep the account from trading today, in words; nothing where all is well.

    Checked: the journal writes, the disk has room, feeds are connected, calendars know the year,
    no block is left on entries.
    """
    built = session.built
    faults = []
    trouble = session.journal.try_flush()
    if trouble is not None:
        faults.append(str(trouble))
    free = shutil.disk_usage(session.folder.path).free // 2**20
    if free < LEAST_FREE_MB:
        faults.append(f"{free} MB left on the disk: make room")
    for slot in built.engine.slots:
        if slot.feed.state.value == "waiting":
            faults.append(f"{slot.feed.symbol}: no prices, the connection is lost")
    day = max(built.guard.context.day, 0)
    for plan in built.plans:
        calendar = plan.loaded.calendar
        if day and calendar.missing_between(day_date(day), day_date(day + 7)):
            faults.append(f"calendar {calendar.name} lacks this year's holidays: add the year")
    faults += [f"entries are off: {rule} ({why})" for rule, why in built.guard.blocks.items()]
    return faults


def day_row(session: Any, day: int) -> dict[str, Any]:
    """Return a trading day in figures: equity, P&L, trades, refusals, what is open."""
    built = session.built
    context, broker = built.guard.context, built.broker
    trades = [
        trade
        for trade in broker.ledger.trades
        if int(built.plans[0].loaded.calendar.trading_days(_times(trade.exit_time))[0]) == day
    ]
    equity = float(broker.getvalue())
    return {
        "day": day_text(day),
        "account": session.folder.name,
        "currency": built.request.currency,
        "equity": round(equity, 2),
        "pnl": round(equity - context.day_start_equity, 2),
        "trades": len(trades),
        "won": sum(trade.pnl > 0 for trade in trades),
        "low_equity": round(float(built.guard.limits[0].low_equity), 2),
        "locked_by": [lock.rule for lock in context.locks.values()],
        "open": [plan.plan_id for plan in broker.plans if plan.position_steps],
    }


def _times(ns: int) -> Any:
    import numpy as np

    return np.array([ns], np.int64)


def day_line(row: Mapping[str, Any]) -> str:
    """Return a day's row in one line, for an alert."""
    locked = f", locked by {' '.join(row['locked_by'])}" if row["locked_by"] else ""
    held = f", open: {' '.join(row['open'])}" if row["open"] else ", flat"
    return (
        f"{row['day']} {row['account']}: {row['pnl']:+,.2f} {row['currency']}, "
        f"{plural(row['trades'], 'trade')} ({row['won']} won), equity {row['equity']:,.2f}"
        f"{held}{locked}"
    )


def append_day(path: Path, row: Mapping[str, Any]) -> None:
    """Add a day to the account's file of days; a full disk is logged and disturbs nothing."""
    try:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(json.loads(json_text(row))) + "\n")
    except OSError as fault:
        logger.warning("day not written path=%s error=%s", path, fault.strerror)
