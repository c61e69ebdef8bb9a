"""Orders as a session asked for them, from the intents of its journal."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from brokers.orders import NEVER_ARRIVED
from core.results import iso_time
from live.journal import Intent
from live.outbox import DROPPED
from live.proof.record import Finding

_PART = re.compile(r"x\d+$")
"""What follows the id of an order whose further parts were sent as orders of their own."""


def closes_apart(orders: Mapping[str, SentOrder]) -> bool:
    """Whether each part of an order says itself what it closes: on a hedging account."""
    return any(order.first.document.get("position_id") for order in orders.values())


@dataclass
class SentOrder:
    """An order as it was asked for, whole or in parts.

    first : the intent of its first part. reduces : none of them opens. parts : their order ids.
    is_sent : one of them was written to be sent.
    """

    first: Any
    quantity: float = 0.0
    reduces: bool = True
    parts: list[str] = field(default_factory=list)
    is_sent: bool = False

    def add(self, intent: Intent) -> None:
        """Take a part; one that was withheld counts as long as it has not been sent after all."""
        self.is_sent = self.is_sent or intent.verb != DROPPED
        self.reduces = self.reduces and bool(intent.document.get("reduces"))
        if intent.order_id not in self.parts:
            self.parts.append(intent.order_id)
            self.quantity = round(self.quantity + intent.document["quantity"], 9)


def orders_of(intents: Sequence[Intent]) -> dict[str, SentOrder]:
    """Return what was to be submitted, by order id without the number of a part, oldest first.

    Ids are counted up: what was withheld is written down later than what was sent beside it.
    """
    orders: dict[str, SentOrder] = {}
    for item in intents:
        is_withheld = item.verb == DROPPED and not item.document.get("reduces")
        if item.verb == "submit" or is_withheld:
            order_id = _PART.sub("", item.order_id)
            orders.setdefault(order_id, SentOrder(item)).add(item)
    return dict(sorted(orders.items(), key=lambda entry: (len(entry[0]), entry[0])))


def entry_ids(orders: Mapping[str, SentOrder]) -> dict[str, list[str]]:
    """Return by plan the ids of the entries: commands name orders by them."""
    ids: dict[str, list[str]] = {}
    for order_id, order in orders.items():
        if not order.reduces:
            ids.setdefault(order.first.plan_id, []).append(order_id)
    return ids


def withheld_of(orders: Mapping[str, SentOrder], refusals: Mapping[str, str]) -> dict[str, str]:
    """Return the entries of which no part ever reached the venue, with why."""
    found = {}
    for order_id, order in orders.items():
        is_lost = all(refusals.get(part) == NEVER_ARRIVED for part in order.parts)
        if not order.reduces and (is_lost or not order.is_sent):
            found[order_id] = refusals.get(order_id, "not sent")
    return found


def as_finding(intent: Intent, why: str) -> Finding:
    """Return an entry that was withheld as something to tell."""
    when = iso_time(intent.bar_start) if intent.bar_start else ""
    return Finding(when, intent.plan_id, f"entry {intent.order_id} did not reach the venue: {why}")


def children_sent(
    order: SentOrder, count: int, orders: Mapping[str, SentOrder]
) -> tuple[list[Mapping[str, Any]], bool]:
    """Return an entry's children as they were sent, and whether they were orders of their own.

    Where the venue keeps none they are sent once the entry has filled, under the ids after its own.
    """
    along = list(order.first.document.get("children", ()))
    number = re.search(r"\d+$", order.first.order_id)
    if along or number is None:
        return along, False
    head, digits = order.first.order_id[: number.start()], number.group()
    ids = [f"{head}{int(digits) + k:0{len(digits)}d}" for k in range(1, count + 1)]
    own = [orders[order_id].first.document for order_id in ids if order_id in orders]
    return own, True


def keeps_children_itself(orders: Mapping[str, SentOrder]) -> bool:
    """Whether stops and targets were orders of the session's own."""
    return not any(order.first.document.get("children") for order in orders.values())
