"""What came of the orders a hand touched, in words and as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from core.orders import OrderKind
from live.controls import Watched
from live.given import Told, shown

_DOES, _DID = {True: "buy", False: "sell"}, {True: "bought", False: "sold"}
_LOST = ("rejected", "margin")


def is_settled(item: Watched) -> bool:
    """Whether it is known what came of what was wanted of an order."""
    ticket = item.ticket
    if ticket.is_over:
        return True
    if item.wanted == "order":  # one that waits for its price is answered once it works
        return bool(ticket.request.kind is not OrderKind.MARKET and ticket.is_accepted)
    return item.wanted == "modify" and _has_changed(item)


def told_of(watched: Sequence[Watched]) -> Told:
    """Return what came of orders: `text` for people, `orders` for programs.

    Where all were turned down the outcome is a refusal.
    """
    rows = [_row(item) for item in watched]
    ended = [item for item in watched if item.wanted == "cancel"]
    texts = [
        _TEXTS[item.wanted](item, row)
        for item, row in zip(watched, rows, strict=True)
        if item.wanted != "cancel" or len(ended) == 1
    ]
    if len(ended) > 1:
        gone = sum(item.ticket.is_over for item in ended)
        texts.append(f"cancelled {gone} of {len(ended)} orders")
    told: Told = {"text": "; ".join(texts), "orders": rows}
    if all(row["state"] in _LOST for row in rows):
        told |= {"done": False, "outcome": "refused", "rule": rows[0]["reason"]}
    return told


def _has_changed(item: Watched) -> bool:
    created = item.ticket.order.created
    now = {"price": created.price, "limit_price": created.pricelimit, "size": abs(created.size)}
    return all(abs((now[name] or 0.0) - value) < 1e-9 for name, value in item.terms.items())


def _row(item: Watched) -> Told:
    ticket = item.ticket
    order, executed = ticket.order, ticket.order.executed
    state = "working" if ticket.is_accepted else "sent"
    return {
        "order_id": ticket.order_id,
        "plan": ticket.plan.plan_id,
        "symbol": ticket.plan.symbol,
        "side": _DOES[bool(order.isbuy())],
        "quantity": abs(float(order.created.size)),
        "filled": abs(float(executed.size)),
        "price": float(executed.price) if executed.size else None,
        "state": _end_of(order) if ticket.is_over else state,
        "reason": str(order.info.get("reason") or ""),
    }


def _end_of(order: Any) -> str:
    name = str(order.getstatusname()).lower()
    return {"canceled": "cancelled", "completed": "filled"}.get(name, name)


def _filled(row: Told) -> str:
    return f"{shown(row['filled'])} {row['symbol']} @ {shown(row['price'])}"


def _close_text(item: Watched, row: Told) -> str:
    if row["filled"]:
        return f"closed {_filled(row)}"
    why = f": {row['reason']}" if item.ticket.is_over and row["reason"] else ""
    return f"close of {shown(row['quantity'])} {row['symbol']} {row['state']}{why}"


def _cancel_text(item: Watched, row: Told) -> str:
    name = f"order {row['order_id']}"
    if not item.ticket.is_over:
        return f"cancel of {name} sent, not confirmed yet"
    if not row["filled"]:
        return f"{name} cancelled"
    rest = "" if row["state"] == "filled" else ", the rest is cancelled"
    return f"{name} had filled: {_DID[item.ticket.order.isbuy()]} {_filled(row)}{rest}"


def _modify_text(item: Watched, row: Told) -> str:
    terms = ", ".join(f"{name} {shown(value)}" for name, value in item.terms.items())
    text = f"order {row['order_id']}: {terms}"
    if _has_changed(item):
        return text
    if item.ticket.is_over:
        return f"{text} came too late: {row['state']}"
    return f"{text} sent, not confirmed yet"


def _order_text(item: Watched, row: Told) -> str:
    request, is_buy = item.ticket.request, bool(item.ticket.order.isbuy())
    terms = [f"order {row['order_id']}"]
    terms += [f"{child.role.name.lower()} {shown(child.price)}" for child in request.children]
    if row["filled"]:
        return f"{_DID[is_buy]} {_filled(row)} ({', '.join(terms)})"
    wanted = f"{_DOES[is_buy]} {shown(row['quantity'])} {row['symbol']}"
    if request.price is not None:
        wanted += f" {request.kind.name.lower()} {shown(request.price)}"
    if item.ticket.is_over:
        return f"{wanted} {row['state']}: {row['reason']}"
    return f"{wanted} {row['state']} ({', '.join(terms)})"


_TEXTS: dict[str, Callable[[Watched, Told], str]] = {
    "close": _close_text,
    "cancel": _cancel_text,
    "modify": _modify_text,
    "order": _order_text,
}
