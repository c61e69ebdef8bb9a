"""A session's status in words, made from its document alone (live/monitor.py)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from backtests.results.summary_text import money

Document = Mapping[str, Any]

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
_MOST_NAMES = 3


def line(document: Document) -> str:
    """Return the session on one line.

    `PAPER gold MGC | day -$120 of -$800 | long 3 @ 2412.4 stop 2408.1 (protected after 4 ms) |
    feed 0.2 s old | 09:35:02 Chicago`, with its state after the name where it is not simply live.
    """
    parts = [
        f"{mode(document)} {subject(document)}",
        remark(document),
        f"day {day(document)}",
        holdings(document),
        feed_age(document),
        clock(document, document.get("market_time")),
    ]
    return clean(" | ".join(part for part in parts if part))


def mode(document: Document) -> str:
    """Return PAPER, SANDBOX or LIVE; whatever is neither of the first is called LIVE."""
    return {"paper": "PAPER", "sandbox": "SANDBOX"}.get(str(document.get("mode")), "LIVE")


def subject(document: Document) -> str:
    """Return what is traded: `gold MGC`, `gold, nifty`, `5 plans`; else the account's name."""
    plans = document.get("plans") or []
    if not plans:
        return str(document.get("account", ""))
    if len(plans) == 1:
        return f"{plans[0]['plan_id']} {plans[0]['symbol']}"
    if len(plans) > _MOST_NAMES:
        return f"{len(plans)} plans"
    return ", ".join(plan["plan_id"] for plan in plans)


def remark(document: Document) -> str:
    """Return what is out of the ordinary: STALE, a state other than live, entries off; or ""."""
    if document.get("stale"):
        return f"STALE: {document.get('stale_reason', '')}"
    state = str(document.get("state", ""))
    off = _entries_off(document)
    if state == "live":
        return off
    by = (document.get("day") or {}).get("locked_by") if state == "locked" else ""
    why = document.get("exit_reason") if state == "ended" else ""
    return state.upper() + (f" by {by}" if by else f": {why}" if why else "")


def _entries_off(document: Document) -> str:
    """Return why no entry is taken, "" where entries are on; a plan's own block names it."""
    texts = [
        " ".join(part for part in (one.get("plan_id"), one["rule"]) if part)
        + (f" ({one['detail']})" if one.get("detail") else "")
        for one in document.get("blocks") or []
    ]
    return f"ENTRIES OFF: {'; '.join(texts)}" if texts else ""


def day(document: Document) -> str:
    """Return the day's P&L against its limit: `-$120 of -$800`."""
    found = document.get("day") or {}
    currency = document.get("currency", "")
    text = money(found.get("pnl"), currency)
    limit = found.get("limit")
    return f"{text} of {money(-limit, currency)}" if limit else text


def holdings(document: Document) -> str:
    """Return the positions, each with its protection; `flat`, and what may change that."""
    positions = document.get("positions") or []
    if positions:
        named = len(document.get("plans") or []) > 1
        return "; ".join(_holding(position, named=named) for position in positions)
    orders = len(document.get("orders") or [])
    return f"flat, {counted(orders, 'order')}" if orders else "flat"


def _holding(position: Document, *, named: bool) -> str:
    lead = f"{position['plan_id']} {position['symbol']} " if named else ""
    stop = f" stop {number(position['stop'])}" if position.get("stop") is not None else ""
    return f"{lead}{size(position)}{stop} ({protection(position)})"


def size(position: Document) -> str:
    """Return `long 3 @ 2412.4`."""
    return (
        f"{position['side']} {number(position['quantity'])} @ {number(position['average_price'])}"
    )


def protection(position: Document) -> str:
    """Return `protected after 4 ms`, or NO STOP and for how long it has been missed."""
    secs = position.get("unprotected_secs") or 0.0
    if not position.get("protected"):
        return f"NO STOP for {span(secs)}" if secs else "NO STOP"
    return f"protected after {span(secs)}" if secs else "protected"


def feed_age(document: Document) -> str:
    """Return how old the oldest price is, or what ails a feed: `feed 0.2 s old`."""
    feeds = document.get("feeds") or []
    if not feeds:
        return "no feed"
    ill = [feed for feed in feeds if feed.get("state") != "live"]
    if ill:
        return f"feed {ill[0]['symbol']} {ill[0]['state']}"
    ages = [feed["age_secs"] for feed in feeds if feed.get("age_secs") is not None]
    return f"feed {span(max(ages))} old" if ages else "feed without a price yet"


def clock(document: Document, time: str | None) -> str:
    """Return a time of the document as the market's people read it: `09:35:02 Chicago`."""
    if not time:
        return ""
    name = str(document.get("zone") or "UTC")
    try:
        zone = ZoneInfo(name)
        there = datetime.fromisoformat(time).astimezone(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return time
    return f"{there:%H:%M:%S} {name.rpartition('/')[2].replace('_', ' ')}"


def number(value: float | None) -> str:
    """Return a price or a quantity without needless digits."""
    return "-" if value is None else f"{value:.10g}"


def amount(value: float | None, currency: str) -> str:
    """Return money to the cent, without a sign where it is not below 0: `$100,120.50`."""
    if value is None:
        return "-"
    sign = "-" if round(value, 2) < 0 else ""
    text = f"{abs(value):,.2f}"
    return f"{sign}${text}" if currency == "USD" else f"{sign}{text} {currency}"


def span(secs: float) -> str:
    """Return a length of time in its handiest unit: `4 ms`, `0.2 s`, `34 s`, `3 min`, `2.5 h`."""
    if secs < 0.0995:
        return f"{secs * 1000:.0f} ms"
    if secs < 9.95:
        return f"{secs:.1f} s"
    if secs < 120:
        return f"{secs:.0f} s"
    return f"{secs / 60:.0f} min" if secs < 7200 else f"{secs / 3600:.1f} h"


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: `1 order`, `2 orders`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def clean(text: str) -> str:
    """Return a text without control characters: what a venue says must not steer a terminal."""
    return _CONTROL.sub(" ", text)


def change_key(document: Document) -> Sequence[Any]:
    """Return what makes a new line worth saying at once: state, positions, locks, a signal."""
    positions = [
        (p["plan_id"], p["side"], p["quantity"], p.get("stop"), p.get("protected"))
        for p in document.get("positions") or []
    ]
    return (
        remark(document).partition(":")[0],
        positions,
        [order["order_id"] for order in document.get("orders") or []],
        [feed.get("state") for feed in document.get("feeds") or []],
        document.get("last_signal"),
    )
