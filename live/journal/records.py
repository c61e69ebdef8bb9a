"""What a journal is given and returns, besides events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.orders import Side


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """What one start of the engine was; `document` holds all it takes to run it again."""

    mode: str
    venue: str
    account: str
    document: Mapping[str, Any] = field(default_factory=dict)
    session_id: int = 0
    first_seq: int = 0
    began: int = 0
    ended: int | None = None
    exit_reason: str = ""


@dataclass(frozen=True, slots=True)
class Intent:
    """One thing asked of the venue, as written before it was sent.

    verb : submit, modify, cancel, close. after_seq : the last event known when it was made.
    bar_start : START of the bar it was decided on, ns UTC; 0 outside of bars.
    """

    verb: str
    order_id: str
    plan_id: str
    symbol: str
    document: Mapping[str, Any]
    after_seq: int = 0
    bar_start: int = 0
    made: int = 0


@dataclass(frozen=True, slots=True)
class BookedFill:
    """One fill the engine booked; with its venue a fill_id is booked once in an account's life.

    Where a venue's numbers begin anew each day, the adapter makes the day a part of fill_id.
    ts : ns UTC. costs : account money by kind. after_seq : the event that told of it.
    """

    fill_id: str
    venue: str
    order_id: str
    plan_id: str
    symbol: str
    side: Side
    quantity: float
    price: float
    ts: int
    costs: Mapping[str, float] = field(default_factory=dict)
    after_seq: int = 0
    session_id: int = 0
