"""Where requests leave a session: written into the journal, then handed to the venue.

While a record is run through again (live/recovery.py) nothing is written or sent: each request is
held against the recorded one in its turn.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from brokers.port import OrderChangeRequest, VenueOrder
from core.errors import TolaError
from live.journal import Intent

logger = logging.getLogger(__name__)


class IntentBook(Protocol):
    """The journal, as the outbox knows it."""

    def intend(self, intent: Intent) -> None:
        """Write and sync an intent with every event before it; only then may it be sent."""

    def try_intend(self, intent: Intent) -> TolaError | None:
        """Write an intent that is sent in any case; return what is wrong."""


class Diverged(TolaError):
    """A record run through again asked for something else than was recorded."""


class LiveOutbox:
    """Sends what the broker wants, journal first: an entry only if the journal has it.

    Parameters
    ----------
    journal : IntentBook, or None: nothing is kept.
    port : VenuePort

    Attributes
    ----------
    recorded : intents a replayed record must ask for, in order; None while live.
    unsent : what the replay asked for beyond the record: decided, and never sent.
    on_refused : called with the order's id and why, where an entry could not be written.
    on_send : called with the verb and the order's id once a request may leave.
    """

    def __init__(self, journal: IntentBook | None, port: Any) -> None:
        self._journal = journal
        self._port = port
        self._numbers = itertools.count(1)
        self.recorded: deque[Intent] | None = None
        self.unsent: list[tuple[str, Any]] = []
        self.on_refused: Callable[[str, str], None] = lambda order_id, why: None
        self.on_send: Callable[[str, str], None] = lambda verb, order_id: None

    def submit(self, order: VenueOrder, bar_start: int) -> None:
        """Send an order."""
        if self._leaves("submit", order.order_id, order.plan_id, order.symbol, order, bar_start):
            self._port.submit(next(self._numbers), order)

    def modify(self, change: OrderChangeRequest, plan_id: str, symbol: str) -> None:
        """Change an order."""
        if self._leaves("modify", change.order_id, plan_id, symbol, change):
            self._port.modify(next(self._numbers), change)

    def cancel(self, order_id: str, venue_order_id: str, plan_id: str, symbol: str) -> None:
        """Cancel an order."""
        ids = {"order_id": order_id, "venue_order_id": venue_order_id}
        if self._leaves("cancel", order_id, plan_id, symbol, ids):
            self._port.cancel(next(self._numbers), order_id, venue_order_id)

    def _leaves(
        self,
        verb: str,
        order_id: str,
        plan_id: str,
        symbol: str,
        wanted: Any,
        bar_start: int = 0,
    ) -> bool:
        """Write the intent and say whether to send; in a replay hold it against the record."""
        if self.recorded is not None:
            self._match(verb, order_id, wanted)
            return False
        document = dict(wanted) if isinstance(wanted, Mapping) else _document(wanted)
        intent = Intent(
            verb, order_id, plan_id, symbol, document, bar_start=bar_start, made=time.time_ns()
        )
        if not self._write(intent, wanted):
            return False
        logger.info("%s order=%s plan=%s symbol=%s", verb, order_id, plan_id, symbol)
        self.on_send(verb, order_id)
        return True

    def _write(self, intent: Intent, wanted: Any) -> bool:
        """Write an intent; an entry that cannot be written is refused, all else leaves anyway."""
        if self._journal is None:
            return True
        opens = isinstance(wanted, VenueOrder) and not wanted.reduces
        if not opens:
            self._journal.try_intend(intent)
            return True
        try:
            self._journal.intend(intent)
        except TolaError as trouble:
            self.on_refused(intent.order_id, f"journal: {trouble}")
            return False
        return True

    def take_unsent(self) -> list[tuple[str, Any]]:
        """Return what the replay asked for beyond its record, once."""
        unsent, self.unsent = self.unsent, []
        return unsent

    def _match(self, verb: str, order_id: str, wanted: Any) -> None:
        assert self.recorded is not None
        if not self.recorded:
            self.unsent.append((verb, wanted))
            return
        expected = self.recorded.popleft()
        if (expected.verb, expected.order_id) != (verb, order_id):
            raise Diverged(
                f"the record asked to {expected.verb} {expected.order_id}, run again it asks to "
                f"{verb} {order_id}: the program, its settings or the strategy changed since; "
                "close the session's positions by hand, or go on with --adopt"
            )


def _document(wanted: Any) -> dict[str, Any]:
    """Return a request as plain data, without what is at its default."""
    values = {}
    for item in dataclasses.fields(wanted):
        value = getattr(wanted, item.name)
        if value != item.default:
            values[item.name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _document(value)
    return int(value) if isinstance(value, int) else value
