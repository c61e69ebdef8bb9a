"""A sandbox's ledger as the outside books of an account at Kite."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.calendar import get_calendar
from core.orders import Role
from tests.chaos.venue import OutsideBooks, OutsideFill, OutsideOrder

CASH = 5_000_000.0
_SYMBOL = "NIFTY-FUT"
_SIDES = {"BUY": 1, "SELL": -1}
_NOBODY = {"plan_id": "", "role": ""}
_CLOSING = {"plan_id": "", "role": "EXIT"}
"""What closes a whole position, whoever opened it, has no id of ours."""
_WEEK_NS = 7 * 86_400 * 1_000_000_000
_NIGHTS = 9


def read_books(ledger: Path, journal: Path) -> OutsideBooks:
    """Read a ledger; whose its orders are, and what for, is known by their tags."""
    sent = _sent(journal)
    file = sqlite3.connect(f"{ledger.as_uri()}?mode=ro", uri=True)
    file.row_factory = sqlite3.Row
    try:
        rows = file.execute("SELECT * FROM orders ORDER BY made, order_id").fetchall()
        fills = file.execute("SELECT * FROM fills ORDER BY fill_id").fetchall()
        now = file.execute("SELECT max(ts) FROM requests").fetchone()[0] or 0
    finally:
        file.close()
    orders = {
        row["order_id"]: _order(number, row, _known(row, sent))
        for number, row in enumerate(rows, 1)
    }
    done = list(_shared_out(_fill(row, orders[row["order_id"]]) for row in fills))
    balance = CASH + sum(fill.pnl - fill.costs for fill in done)
    now = max([now, *(fill.ts for fill in done)])
    return OutsideBooks(list(orders.values()), done, CASH, balance, now, shut=_nights(now))


def _known(row: Any, sent: Mapping[str, Mapping[str, str]]) -> Mapping[str, str]:
    is_closing = row["author"] == "client" and not row["tag"]
    return _CLOSING if is_closing else sent.get(row["tag"], _NOBODY)


def _order(number: int, row: Any, known: Mapping[str, str]) -> OutsideOrder:
    author = "ours" if row["author"] == "client" else row["author"]
    return OutsideOrder(
        number, row["tag"], author, known["plan_id"], _SIDES[row["side"]], row["quantity"],
        known["role"], 0, row["status"], row["filled"], row["made"], row["changed"],
    )  # fmt: skip


def _fill(row: Any, order: OutsideOrder) -> OutsideFill:
    return OutsideFill(
        row["fill_id"], order.number, order.order_id, order.plan_id, _SIDES[row["side"]],
        row["quantity"], row["price"], row["ts"], "", row["costs"], row["pnl"], _SYMBOL, "",
    )  # fmt: skip


def _shared_out(fills: Iterable[OutsideFill]) -> Iterator[OutsideFill]:
    """Yield fills; what another hand filled against a plan's position closes that, up to flat."""
    held: Counter[str] = Counter()
    for fill in fills:
        if not fill.plan_id:
            against = [plan for plan, size in held.items() if size * fill.side < 0]
            for plan_id in against[:1]:
                closed = min(abs(held[plan_id]), round(fill.quantity))
                yield replace(fill, plan_id=plan_id, quantity=float(closed))
                held[plan_id] += fill.side * closed
                fill = replace(fill, quantity=fill.quantity - closed)
            if not fill.quantity:
                continue
        held[fill.plan_id] += fill.side * round(fill.quantity)
        yield fill


def _sent(journal: Path) -> dict[str, dict[str, str]]:
    """Return plan and role of each order whose sending was written down, by its id."""
    file = sqlite3.connect(f"{journal.as_uri()}?mode=ro", uri=True)
    try:
        rows = file.execute(
            "SELECT order_id, plan_id, document FROM intents WHERE verb = 'submit'"
        ).fetchall()
    finally:
        file.close()
    return {
        order_id: {"plan_id": plan_id, "role": Role(json.loads(document)["role"]).name}
        for order_id, plan_id, document in rows
    }


def _nights(until: int) -> Sequence[tuple[int, int]]:
    """Return the times in which NSE is shut, around a week that ends then."""
    calendar = get_calendar("NSE")
    place = int(calendar.opens.searchsorted(until - _WEEK_NS))
    closes = calendar.closes[place : place + _NIGHTS]
    opens = calendar.opens[place + 1 : place + 1 + _NIGHTS]
    return [(int(close), int(opens)) for close, opens in zip(closes, opens, strict=True)]


def requests_at_venue(box: Path) -> int:
    """Return how many order requests had been sent and not been answered at the last death."""
    out: Counter[int] = Counter()
    for line in box.read_text().splitlines() if box.exists() else ():
        row = json.loads(line)
        if "begun" in row:
            out.clear()
        for name, way in (("sent", 1), ("got", -1)):
            if name in row:
                out[row[name]] += way
    return sum(out.values())
