"""The fault matrix: every kind of fault at every step of an order's life.

A cell is a fault of the sandbox's plan and a step; or the reason why the one cannot meet the other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

STEPS = (
    "place entry", "entry fill", "place stop", "place target", "modify stop", "cancel",
    "stop fill", "close", "poll", "history", "stream",
)  # fmt: skip
"""Steps of an order's life, and what goes on beside it."""

_REQUESTS = {
    "place entry": "orders.place.market", "entry fill": "orders.trades",
    "place stop": "orders.place.stop", "place target": "orders.place.limit",
    "modify stop": "orders.modify", "cancel": "orders.cancel", "stop fill": "orders.trades",
    "close": "orders.place.market", "poll": "orders", "history": "historical",
}  # fmt: skip
"""The request of a step."""
_TOLD = ("entry fill", "modify stop", "cancel", "stop fill", "close")
"""Steps of which a message of the stream tells."""
_KINDS = {"place entry": "market", "place stop": "stop", "place target": "limit", "close": "market"}
_FILLS = {"entry fill": "market", "stop fill": "stop", "close": "market"}
_HELD = ("modify stop", "cancel", "stop fill", "close", "poll", "history", "stream")
"""Steps before which a position is open."""

_STREAM: Mapping[str, dict[str, Any]] = {
    "drop": {}, "delay": {"secs": 3.0}, "duplicate": {}, "reorder": {}, "truncate": {"size": 9},
    "half_open": {}, "cut": {},
}  # fmt: skip
_OPENING: Mapping[str, dict[str, Any]] = {
    "refuse 503": {"kind": "refuse", "status": 503, "count": 3},
    "refuse 403": {"kind": "refuse", "status": 403, "count": 1},
}
_REQUEST: Mapping[str, dict[str, Any]] = {
    "status 403": {"kind": "status", "status": 403, "error": "TokenException"},
    "status 429": {"kind": "status", "status": 429, "error": "NetworkException"},
    "status 503": {"kind": "status", "status": 503, "error": "html"},
    "status 502 done": {"kind": "status", "status": 502, "error": "html", "handled": True},
    "lose": {}, "no_answer": {}, "slow": {"secs": 2.0}, "cut_answer": {"size": 9},
}  # fmt: skip
_MARKET: Mapping[str, dict[str, Any]] = {
    "expire_token": {}, "skew": {"secs": 30.0},
    "hand close": {"kind": "hand", "action": "close"},
    "hand cancel": {"kind": "hand", "action": "cancel"},
    "hand sell": {"kind": "hand", "action": "sell", "quantity": 25},
}  # fmt: skip

FAULTS = (*_STREAM, *_OPENING, *_REQUEST, "reject", "partial", *_MARKET, "kill")
LOGINS = ("refuse 403", "status 403", "expire_token")
"""Faults after which somebody has to log in again."""


@dataclass(frozen=True)
class Cell:
    """One fault at one step.

    plan : the faults of it, as the sandbox takes them. cuts : the stream breaks, for what happens
    when it is opened again. why_not : why the fault cannot meet the step.
    """

    fault: str
    step: str
    plan: tuple[dict[str, Any], ...] = field(default=())
    why_not: str = ""


def cells() -> Iterator[Cell]:
    """Yield the whole matrix."""
    for fault in FAULTS:
        for step in STEPS:
            yield _cell(fault, step)


def _cell(fault: str, step: str) -> Cell:
    if fault == "kill":
        return Cell(fault, step)
    for table, make in (
        (_STREAM, _of_stream), (_OPENING, _of_opening), (_REQUEST, _of_request),
        (_MARKET, _of_market), ({"reject": {}, "partial": {}}, _of_order),
    ):  # fmt: skip
        if fault in table:
            made = make(step, {"kind": fault, **table[fault]})
            return Cell(fault, step, why_not=made) if isinstance(made, str) else Cell(
                fault, step, tuple(made)
            )  # fmt: skip
    raise AssertionError(fault)


_Made = list[dict[str, Any]] | str
_CUT = {"kind": "cut", "on": "price", "count": 1}


def _of_stream(step: str, fault: dict[str, Any]) -> _Made:
    if step == "stream":
        is_end = fault["kind"] in ("cut", "half_open")
        return [fault | {"on": "price", "count": 1 if is_end else 20}]
    if step in _TOLD:
        return [fault | {"on": "order", "count": 1}]
    if step in ("place entry", "place stop", "place target"):
        return "no message tells that an order was placed"
    return "it is asked for, no message brings it"


def _of_opening(step: str, fault: dict[str, Any]) -> _Made:
    if step not in _HELD:
        return "no stream is opened then: see those with an open position"
    return [fault, _CUT]


def _of_request(step: str, fault: dict[str, Any]) -> _Made:
    if step == "stream":
        return "a stream is no request: see refuse"
    made = fault | {"on": _REQUESTS[step], "count": 3 if step == "poll" else 1}
    return [made, _CUT] if step == "history" else [made]


def _of_order(step: str, fault: dict[str, Any]) -> _Made:
    if fault["kind"] == "partial":
        if step not in _FILLS:
            return "nothing fills then"
        skip = int(step == "close")  # the entry is at market, too
        return [fault | {"on": _FILLS[step], "skip": skip, "count": 1, "share": 0.5}]
    if step not in _KINDS:
        return "no order comes to the exchange then"
    return [fault | {"on": _KINDS[step], "count": 1, "text": "rejected by the exchange"}]


def _of_market(step: str, fault: dict[str, Any]) -> _Made:
    is_hand = fault["kind"] == "hand"
    if is_hand and step not in _HELD:
        return "there is nothing yet that another hand could end"
    return [fault, _CUT] if step == "history" else [fault]
