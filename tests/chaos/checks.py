"""What must hold after the last run, by reading files alone. Each check returns what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.instruments import get_instrument
from core.results import iso_time
from tests.chaos.protection import Unprotected
from tests.chaos.record import Record
from tests.chaos.venue import OutsideBooks

EXPLAINED = ("never_arrived", "missed", "too_late")
"""Why an order that was decided upon is not at the venue; one that was to end has other reasons."""
NEVER = 1 << 62
_BAR_NS = 300_000_000_000
MOST_UNPROTECTED_SECS = 5.0
_PART = re.compile(r"x\d+$")
_ID = re.compile(r"[0-9a-f]{6}-\d{6}")


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
    def lost_from(self) -> int:
        """Market time (ns) from which on the run need not be what it is without kills.

        A bar was lost or late, market time passed, or a request that had been decided upon never
        left (what the strategy heard of it then differs).
        """
        record = self.record
        times = [pause.before for pause in record.pauses if pause.is_gap] + record.late_bars
        times += [row["time"] for row in self.said["orders"] if row["reason"] in EXPLAINED]
        return min(times, default=NEVER)


Check = Callable[[Left], Iterator[str]]


def faults_of(left: Left, checks: Sequence[Check] = ()) -> list[str]:
    """Return everything that is wrong, in words, by all checks or by some."""
    return [words for check in checks or _CHECKS for words in check(left)]


def _ids_are_used_once(left: Left) -> Iterator[str]:
    ids = Counter(order.order_id for order in left.books.orders if order.order_id)
    yield from (f"order {name} is {n} times in the ledger" for name, n in ids.items() if n > 1)
    sent = Counter(i for item in left.record.intents if item.verb == "submit" for i in item.ids)
    yield from (f"order {name} was intended {n} times" for name, n in sent.items() if n > 1)


def _orders_have_intents(left: Left) -> Iterator[str]:
    sent = {name for item in left.record.intents if item.verb == "submit" for name in item.ids}
    # what closes a whole position, whoever opened it, has no id of ours
    closings = sum(item.verb == "close" for item in left.record.intents)
    for order in left.books.orders:
        if order.author == "ours" and order.order_id not in sent:
            if not order.order_id and closings:
                closings -= 1
                continue
            yield f"order {order.order_id} ({order.role}) is in the ledger without an intent"


def _intents_arrived_or_ended(left: Left) -> Iterator[str]:
    # what never arrived may have a successor: another part of the same order
    known = {order.order_id for order in left.books.orders}
    arrived = {_PART.sub("", name) for name in known}
    ended = {row["order_id"]: row for row in left.said["orders"]}  # the last state of each
    for item in left.record.intents:
        if item.verb != "submit":
            continue
        # children share the end of an entry that is not at the venue
        ends = EXPLAINED if item.order_id in known else (*EXPLAINED, "parent_refused")
        for name in item.ids:
            end = ended.get(name, {"state": "unknown to the run", "reason": ""})
            if _PART.sub("", name) in arrived or name in left.record.refused:
                continue
            if end["state"] != "rejected" and not any(w in end["reason"] for w in ends):
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
    # what another hand closes of a plan is booked under an id that no order has
    for fill in left.books.fills:
        if known.get(fill.order) == "hand":
            told = (fill.side, round(fill.quantity, 9), round(fill.price, 9))
            theirs.update([row for row in ours - theirs if row[2:] == told][:1])
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
    wanted = left.books.balance + _paired_pnl(left.books)
    for name in ("balance",) if left.said["positions"] else ("balance", "equity"):
        if abs(left.said[name] - wanted) >= 0.005:
            yield f"the run's {name} is {left.said[name]:.2f}, not {wanted:.2f}"


def _paired_pnl(books: OutsideBooks) -> float:
    """Return what positions that stand against each other have earned whatever the price is.

    To the run they are closed. Each was opened by one order, at one price.
    """
    held: dict[tuple[str, str], list[float]] = {}
    for fill in books.fills:
        entry = held.setdefault((fill.plan_id, fill.position_id), [0.0, fill.price, 0.0])
        entry[0] = round(entry[0] + fill.side * fill.quantity, 9)
        entry[2] = get_instrument(fill.symbol).facts(0).multiplier
    plans: Counter[str] = Counter()
    for (plan_id, _), (size, _, _) in held.items():
        plans[plan_id] += size  # type: ignore[assignment]
    return -sum(
        size * price * multiplier
        for (plan_id, _), (size, price, multiplier) in held.items()
        if not round(plans[plan_id], 9)
    )


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
    """What `verify` finds must be found without kills, too, or have to do with what was lost.

    Without kills it finds nothing where the venue keeps brackets. Stops kept by us are placed at
    the price that filled the entry, where the backtest's work on the way there already; and a
    hedging account closes two positions with two fills.
    """
    if not left.whole["is_repeatable"]:
        return
    known = [_plain(finding) for finding in left.whole["findings"]]
    if known and left.whole["is_provable"]:
        yield f"verify differs without kills: {known[0]}"
    lost_from = left.lost_from - _BAR_NS
    found = [item for item in left.proof["findings"] if _plain(item) not in known]
    if known and left.lost_from != NEVER:  # what was lost shifts all that follows the first of them
        found = [item for item in found if item["bar"] < left.whole["findings"][0]["bar"]]
    if found and (not found[0]["bar"] or lost_from > _ns_of(found[0]["bar"])):
        first = found[0]
        lost = "nothing" if left.lost_from == NEVER else f"from {iso_time(left.lost_from)} on"
        where = f"{first['plan']} {first['bar']}"
        yield f"verify: {where}: {first['what']} ({len(found)} findings; lost: {lost})"


def _plain(finding: dict[str, Any]) -> str:
    """Return a finding without order ids: they begin otherwise in each session."""
    return f"{finding['plan']} {finding['bar']}: {_ID.sub('', finding['what'])}"


def _ns_of(text: str) -> int:
    return int(np.datetime64(text.removesuffix("Z"), "ns").astype(np.int64))


def _trades_are_those_of_a_run_without_kills(left: Left) -> Iterator[str]:
    """Up to what was lost they are the very trades; when a hand ends a session it is not bound to.

    A start more moves the events at which a session looks at its hands.
    """
    if not left.whole["is_repeatable"]:
        return
    until = left.lost_from
    ours, theirs = (
        sorted(
            (
                trade
                for trade in said["trades"]
                if _ns_of(trade["exit_time"]) < until - _BAR_NS
                and trade["exit_reason"] != "session_end"
            ),
            key=lambda trade: (trade["exit_time"], trade["plan_id"], trade["entry_time"]),
        )
        for said in (left.said, left.whole)
    )
    for place in range(max(len(ours), len(theirs))):
        one = ours[place] if place < len(ours) else None
        other = theirs[place] if place < len(theirs) else None
        if one != other:
            yield f"trade {place + 1}: {_short(one)}; without kills: {_short(other)}"
            return


def _short(trade: dict[str, Any] | None) -> str:
    if trade is None:
        return "none"
    names = ("plan_id", "entry_time", "exit_time", "side", "quantity", "entry_price",
             "exit_price", "exit_reason")  # fmt: skip
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
    _trades_are_those_of_a_run_without_kills,
)


def _net_positions_agree(left: Left) -> Iterator[str]:
    """All of the account together: what other hands hold is known, and is theirs."""
    theirs = sum(fill.side * fill.quantity for fill in left.books.fills)
    ours = sum(left.said["positions"].values()) + sum(left.said["hands"].values())
    if abs(ours - theirs) > 1e-9:
        yield f"the ledger holds {theirs:g}, the run says {ours:g}"


MATRIX_CHECKS = (
    _ids_are_used_once,
    _orders_have_intents,
    _intents_arrived_or_ended,
    _fills_are_booked_once,
    _net_positions_agree,
    _no_orphans,
)
"""What must hold of a session whose orders a hand gave, beside other hands."""

NIGHT_CHECKS = (
    _ids_are_used_once,
    _orders_have_intents,
    _intents_arrived_or_ended,
    _net_positions_agree,
    _no_orphans,
    _stops_were_there,
)
"""What must hold where a night passed: what was filled before it unseen is in no record."""
