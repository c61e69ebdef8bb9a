"""What must hold after the last run, by reading files alone. Each check returns what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from core.results import iso_time
from tests.chaos.protection import Unprotected
from tests.chaos.record import Record
from tests.chaos.venue import OutsideBooks

EXPLAINED = ("never_arrived", "missed")
MOST_UNPROTECTED_SECS = 5.0
_PART = re.compile(r"x\d+$")


@dataclass
class Left:
    """All that is left of a seed.

    said : what the last session said of itself. proof : what `verify` found.
    whole : what a session said that was never killed.
    """

    books: OutsideBooks
    record: Record
    said: dict[str, Any]
    proof: dict[str, Any]
    whole: dict[str, Any]
    bare: Unprotected

    @property
    def lost_nothing(self) -> bool:
        """Whether every start went on at the market time of the record's end."""
        return not any(pause.is_gap for pause in self.record.pauses) and not self.record.late_bars


def faults_of(left: Left) -> list[str]:
    """Return everything that is wrong, in words."""
    return [words for check in _CHECKS for words in check(left)]


def _ids_are_used_once(left: Left) -> Iterator[str]:
    ids = Counter(order.order_id for order in left.books.orders if order.order_id)
    yield from (f"order {name} is {n} times in the ledger" for name, n in ids.items() if n > 1)
    sent = Counter(i for item in left.record.intents if item.verb == "submit" for i in item.ids)
    yield from (f"order {name} was intended {n} times" for name, n in sent.items() if n > 1)


def _orders_have_intents(left: Left) -> Iterator[str]:
    sent = {name for item in left.record.intents if item.verb == "submit" for name in item.ids}
    for order in left.books.orders:
        if order.author == "ours" and order.order_id not in sent:
            yield f"order {order.order_id} ({order.role}) is in the ledger without an intent"


def _intents_arrived_or_ended(left: Left) -> Iterator[str]:
    known = {order.order_id for order in left.books.orders}
    ended = {row["order_id"]: row for row in left.said["orders"]}  # the last state of each
    for item in left.record.intents:
        if item.verb != "submit":
            continue
        for name in item.ids:
            end = ended.get(name, {"state": "unknown to the run", "reason": ""})
            if name in known or name in left.record.refused:
                continue
            if not any(w in end["reason"] for w in EXPLAINED):
                yield f"intent {name} never arrived and is {end['state']} ({end['reason']})"


def _fills_are_booked_once(left: Left) -> Iterator[str]:
    def key(
        order_id: str, plan_id: str, side: int, quantity: float, price: float
    ) -> tuple[Any, ...]:
        parent = _PART.sub("", order_id)  # of an order that was sent in parts
        return parent, plan_id, side, round(quantity, 9), round(price, 9)

    ours = Counter(
        key(row["order_id"], row["plan_id"], row["side"], row["quantity"], row["price"])
        for row in left.record.bookings
    )
    known = {order.number: order.author for order in left.books.orders}
    theirs = Counter(
        key(fill.order_id, fill.plan_id, fill.side, fill.quantity, fill.price)
        for fill in left.books.fills
        if known.get(fill.order) == "ours"
    )
    for row, n in (theirs - ours).items():
        yield f"{n} fill(s) of the ledger not booked: {row}"
    for row, n in (ours - theirs).items():
        yield f"{n} fill(s) booked that the ledger has not: {row}"


def _positions_agree(left: Left) -> Iterator[str]:
    held: Counter[str] = Counter()
    for fill in left.books.fills:
        held[fill.plan_id] += fill.side * fill.quantity  # type: ignore[assignment]
    for plan_id in sorted({*held, *left.said["positions"]}):
        ours, theirs = left.said["positions"].get(plan_id, 0.0), round(held[plan_id], 9)
        if abs(ours - theirs) > 1e-9:
            yield f"plan {plan_id}: the ledger holds {theirs:g}, the run says {ours:g}"


def _money_agrees(left: Left) -> Iterator[str]:
    counted = left.books.cash + sum(fill.pnl - fill.costs for fill in left.books.fills)
    counted -= sum(paid for _, _, paid in left.books.paid)
    if abs(counted - left.books.balance) >= 0.005:
        yield f"the ledger's balance is {left.books.balance:.2f}, its rows make {counted:.2f}"
    if abs(left.said["balance"] - left.books.balance) >= 0.005:
        yield f"the run's balance is {left.said['balance']:.2f}, not {left.books.balance:.2f}"
    if not left.said["positions"] and abs(left.said["equity"] - left.books.balance) >= 0.005:
        yield f"the run's equity is {left.said['equity']:.2f}, not {left.books.balance:.2f}"


def _no_orphans(left: Left) -> Iterator[str]:
    held: Counter[str] = Counter()
    for fill in left.books.fills:
        held[fill.plan_id] += round(fill.side * fill.quantity * 1e6)  # type: ignore[assignment]
    numbers = {order.number: order for order in left.books.orders}
    ends_flat = not any(left.said["exit_reason"].startswith(w) for w in ("kept", "end of data"))
    for order in left.books.orders:
        if not order.is_alive:
            continue
        parent = numbers.get(order.parent)
        is_child = order.role in ("STOP", "TARGET")
        waits = parent is not None and parent.is_alive
        if is_child and not held[order.plan_id] and not waits:
            yield f"order {order.order_id} ({order.role}) works without a position"
        elif ends_flat and not held[order.plan_id]:
            yield f"order {order.order_id} ({order.role}) works after the end of a flat session"


def _stops_were_there(left: Left) -> Iterator[str]:
    if left.bare.longest > MOST_UNPROTECTED_SECS:
        yield f"a position had no working stop for {left.bare.longest:.1f} s of market time"


def _record_proves_the_run(left: Left) -> Iterator[str]:
    findings = left.proof["findings"]
    if left.whole["findings"]:
        first = left.whole["findings"][0]
        yield f"verify differs without kills: {first['plan']} {first['bar']}: {first['what']}"
        return
    if not findings:
        return
    first = findings[0]
    words = f"{first['plan']} {first['bar']}: {first['what']} ({len(findings)} findings)"
    gaps = [pause.before for pause in left.record.pauses if pause.is_gap] + left.record.late_bars
    if not gaps:
        yield f"verify: {words}"
    elif first["bar"] and first["bar"] < iso_time(min(gaps) - 300_000_000_000):
        yield f"verify, before anything was lost: {words}"


def _nothing_lost_means_nothing_changed(left: Left) -> Iterator[str]:
    if not left.lost_nothing:
        return
    ours, theirs = left.said["trades"], left.whole["trades"]
    for place in range(max(len(ours), len(theirs))):
        one = ours[place] if place < len(ours) else None
        other = theirs[place] if place < len(theirs) else None
        if one != other:
            yield f"trade {place + 1} differs without kills: {_short(one)} / {_short(other)}"
            return


def _short(trade: dict[str, Any] | None) -> str:
    if trade is None:
        return "none"
    names = ("plan_id", "entry_time", "exit_time", "side", "quantity", "entry_price", "exit_price")
    return " ".join(str(trade[name]) for name in names)


_CHECKS = (
    _ids_are_used_once,
    _orders_have_intents,
    _intents_arrived_or_ended,
    _fills_are_booked_once,
    _positions_agree,
    _money_agrees,
    _no_orphans,
    _stops_were_there,
    _record_proves_the_run,
    _nothing_lost_means_nothing_changed,
)
