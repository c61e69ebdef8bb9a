"""Terms of time of an order that we keep ourselves, whatever a venue keeps."""

from __future__ import annotations

from typing import Any

from brokers.live_plan import LiveTicket
from core.bars import NEVER_NS
from core.orders import TimeInForce


def time_is_over(ticket: LiveTicket, cell: Any, locked: bool) -> str:
    """Return why an order may not work in the bar that begins, "" if it may.

    Parameters
    ----------
    cell : BAR record of the bar: START, END and day hold.
    locked : no entry may work.
    """
    request = ticket.request
    if ticket.child is not None:
        return ""
    ends = request.expires if request.time_in_force is TimeInForce.GTD else None
    if ends is not None and int(cell["end"]) > ends:
        return "expired"
    is_another_day = int(cell["day"]) != ticket.sent_day and ticket.sent_day >= 0
    if request.time_in_force is TimeInForce.DAY and is_another_day:
        return "expired"
    if request.reduces:
        return ""
    if request.day_only and is_another_day:
        return "another_day"
    if int(cell["start"]) >= (request.flat_at or NEVER_NS):
        return "flat_time"
    return "locked" if locked else ""
