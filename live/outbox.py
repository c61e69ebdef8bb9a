"""Where requests leave a session: written into the journal, then handed to the venue.

What is asked for while one event is applied is held until that is done, written in one commit and
then sent in its order: eight strategies that act on the close of one minute wait for one sync of
the disk, not the last of them for eight.

While a record is run through again (live/recovery.py) nothing is written or sent: each request is
held against the recorded one in its turn. What is left then of a process that died are requests
that were written and not answered, and requests that were decided and not written.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from brokers.port import OrderChangeRequest, VenueOrder
from core.errors import BrokerError, TolaError
from live.journal import Intent

logger = logging.getLogger(__name__)

LONGEST_HOLD_SECS = 0.01
"""Where strategies are still to be stepped, a request is held for as long as the last commit took,
and no longer than that: to wait for company pays only as long as a commit of its own would take."""


class IntentBook(Protocol):
    """The journal, as the outbox knows it."""

    @property
    def is_behind(self) -> bool:
        """Whether the last commit failed."""

    def intend(self, intent: Intent) -> None:
        """Write and sync an intent with every event before it; only then may it be sent."""

    def try_intend(self, intent: Intent) -> TolaError | None:
        """Write an intent that is sent in any case; return what is wrong."""

    def intend_all(
        self, intents: Sequence[Intent], must_leave: Sequence[bool]
    ) -> Sequence[TolaError | None]:
        """Write several intents in one commit; return what is wrong with each."""


DROPPED = "dropped"
"""Verb of the intent that stands for an order which was decided upon and never sent."""


class Diverged(TolaError):
    """A record run through again asked for something else than was recorded."""


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """Something to be asked of the venue.

    wanted : as the broker asked for it. opens : an entry, sent only if the journal has it.
    decided_at : market time, ns UTC (of a replay; 0 else).
    """

    intent: Intent
    send: Callable[[int], None]
    wanted: Any
    opens: bool
    decided_at: int = 0


class LiveOutbox:
    """Sends what the broker wants, journal first: an entry only if the journal has it.

    Parameters
    ----------
    journal : IntentBook, or None: nothing is kept.
    port : VenuePort
    only : the one class of port that requests may go to; a session on paper names the paper
        exchange, so that no order of it can leave the process. None: any.

    Raises
    ------
    BrokerError : the port is of another class; also when it has become so later.

    Attributes
    ----------
    unanswered : what a replayed record asked for and has no answer to.
    unsent : what the replay asked for beyond the record: decided, and never sent.
    on_refused : called with the order's id and why, where an entry could not be written.
    on_send : called with the verb and the order's id once a request may leave.
    on_match : called in a replay with each recorded intent and what is asked for in its place.
    """

    def __init__(
        self, journal: IntentBook | None, port: Any, only: type[Any] | None = None
    ) -> None:
        self._journal = journal
        self._port = port
        self._only = only
        self._check_port()
        self._numbers = itertools.count(1)
        self._held: list[Request] = []
        self._holds = 0
        self._held_since = self._commit_secs = 0.0
        self._recorded: deque[Intent] | None = None
        self._dropped: set[str] = set()
        self._market_time: Callable[[], int] = lambda: 0
        self.unanswered: list[Request] = []
        self.unsent: list[Request] = []
        self.on_refused: Callable[[str, str], None] = lambda order_id, why: None
        self.on_send: Callable[[str, str], None] = lambda verb, order_id: None
        self.on_match: Callable[[Intent, Intent], None] = lambda recorded, asked: None

    # -- what the broker asks for ------------------------------------------------------------

    def submit(self, order: VenueOrder, bar_start: int) -> None:
        """Send an order."""
        self._ask(
            "submit", order.order_id, order.plan_id, order.symbol, order,
            lambda number: self._port.submit(number, order), bar_start,
        )  # fmt: skip

    def modify(self, change: OrderChangeRequest, plan_id: str, symbol: str) -> None:
        """Change an order."""
        self._ask(
            "modify", change.order_id, plan_id, symbol, change,
            lambda number: self._port.modify(number, change),
        )  # fmt: skip

    def cancel(self, order_id: str, venue_order_id: str, plan_id: str, symbol: str) -> None:
        """Cancel an order."""
        ids = {"order_id": order_id, "venue_order_id": venue_order_id}
        self._ask(
            "cancel", order_id, plan_id, symbol, ids,
            lambda number: self._port.cancel(number, order_id, venue_order_id),
        )  # fmt: skip

    def close_position(self, symbol: str, position_id: str = "") -> None:
        """Close a whole position at the venue, whoever opened it."""
        self._ask(
            "close", "", "", symbol, {"position_id": position_id},
            lambda number: self._port.close_position(number, symbol, position_id),
        )  # fmt: skip

    def _ask(
        self,
        verb: str,
        order_id: str,
        plan_id: str,
        symbol: str,
        wanted: Any,
        send: Callable[[int], None],
        bar_start: int = 0,
    ) -> None:
        """Hold a request or let it leave; in a replay hold it against the record."""
        if self._recorded is not None and order_id in self._dropped and verb == "submit":
            return
        document = dict(wanted) if isinstance(wanted, Mapping) else _document(wanted)
        intent = Intent(
            verb, order_id, plan_id, symbol, document, bar_start=bar_start, made=time.time_ns()
        )
        opens = isinstance(wanted, VenueOrder) and not wanted.reduces
        request = Request(intent, send, wanted, opens, self._market_time())
        if self._recorded is not None:
            self._match(request, self._recorded)
        else:
            self.leave(request)

    def leave(self, request: Request) -> None:
        """Hold a request, or write it and send it."""
        if not self._held:
            self._held_since = time.monotonic()
        self._held.append(request)
        if not self._holds:
            self.send()

    def send_again(self, request: Request) -> None:
        """Send a request that is written already and is known not to have arrived."""
        intent = request.intent
        self.on_send(intent.verb, intent.order_id)
        request.send(next(self._numbers))
        logger.warning("%s sent again order=%s", intent.verb, intent.order_id)

    def drop(self, request: Request) -> None:
        """Write down that an order which was decided upon is not sent."""
        intent = request.intent
        if self._journal is not None:
            self._journal.try_intend(dataclasses.replace(intent, verb=DROPPED))
        logger.warning("%s not sent order=%s", intent.verb, intent.order_id)

    # -- holding back ------------------------------------------------------------------------

    def hold(self) -> None:
        """Hold what is asked for until `release`; may be nested."""
        self._holds += 1

    def release(self) -> None:
        """Send what is held."""
        self._holds -= 1
        self.send()

    def send(self) -> None:
        """Write what is held in one commit, and send it in the order it was asked for."""
        if not self._held:
            return
        self._check_port()
        held, self._held = self._held, []
        refused: list[Request] = []
        for request, trouble in zip(held, self._written(held), strict=True):
            intent = request.intent
            if trouble is not None and request.opens:
                self.on_refused(intent.order_id, f"journal: {trouble}")
                refused.append(request)
                continue
            self.on_send(intent.verb, intent.order_id)
            request.send(next(self._numbers))
            logger.info(
                "%s order=%s plan=%s symbol=%s",
                intent.verb, intent.order_id, intent.plan_id, intent.symbol,
            )  # fmt: skip
        for request in refused:
            self.drop(request)

    def send_if_due(self) -> None:
        """Send what is held if that was long enough; something slow may come next."""
        longest = min(self._commit_secs, LONGEST_HOLD_SECS)
        if self._held and time.monotonic() - self._held_since > longest:
            self.send()

    def drop_entries(self, why: str) -> None:
        """Refuse the entries that are held: their session is not in order any more."""
        held, self._held = self._held, []
        for request in held:
            if request.opens:
                self.on_refused(request.intent.order_id, why)
                self.drop(request)
            else:
                self._held.append(request)

    def _written(self, held: Sequence[Request]) -> Iterator[TolaError | None]:
        """Write intents; yield what is wrong with each."""
        journal = self._journal
        if journal is None:
            yield from [None] * len(held)
        elif len(held) == 1 or journal.is_behind:
            # One by one where the journal is in trouble: an exit must not wait for an entry.
            for request in held:
                yield self._write(journal, request)
        else:
            began = time.monotonic()
            faults = journal.intend_all(
                [request.intent for request in held], [not request.opens for request in held]
            )
            self._commit_secs = time.monotonic() - began
            yield from faults

    def _write(self, journal: IntentBook, request: Request) -> TolaError | None:
        began = time.monotonic()
        try:
            if not request.opens:
                return journal.try_intend(request.intent)
            journal.intend(request.intent)
        except TolaError as trouble:
            return trouble
        finally:
            self._commit_secs = time.monotonic() - began
        return None

    def _check_port(self) -> None:
        if self._only is not None and type(self._port) is not self._only:
            raise BrokerError(
                f"orders of this session go to {self._only.__name__} alone, not to "
                f"{type(self._port).__name__}: nothing was sent"
            )

    # -- replay ------------------------------------------------------------------------------

    def take_unsent(self) -> list[tuple[str, Any]]:
        """Return what the replay asked for beyond its record, once."""
        unsent, self.unsent = self.unsent, []
        return [(request.intent.verb, request.wanted) for request in unsent]

    def begin_replay(self, intents: Sequence[Intent], market_time: Callable[[], int]) -> None:
        """Hold what is asked for from now on against these instead of sending it."""
        self._recorded = deque(item for item in intents if item.verb != DROPPED)
        self._dropped = {item.order_id for item in intents if item.verb == DROPPED}
        self._market_time = market_time

    def end_replay(self) -> None:
        """Send again what is asked for.

        Raises
        ------
        Diverged : not all was asked for that is recorded.
        """
        recorded, self._recorded, self._market_time = self._recorded, None, lambda: 0
        if recorded:
            raise self._diverged(recorded[0], "does not")

    def hear_answer(self, verb: str, order_id: str) -> None:
        """Take from a replayed record that a request was answered."""
        for place, request in enumerate(self.unanswered):
            if (request.intent.verb, request.intent.order_id) == (verb, order_id):
                del self.unanswered[place]
                return

    def _match(self, request: Request, recorded: deque[Intent]) -> None:
        if not recorded:
            self.unsent.append(request)
            return
        expected, asked = recorded.popleft(), request.intent
        if (expected.verb, expected.order_id) != (asked.verb, asked.order_id):
            raise self._diverged(expected, f"asks to {asked.verb} {asked.order_id}")
        self.on_match(expected, asked)
        self.unanswered.append(request)

    def _diverged(self, expected: Intent, instead: str) -> Diverged:
        return Diverged(
            f"the record asked to {expected.verb} {expected.order_id}, run again it {instead}: "
            "the program, its settings or the strategy changed since; set them back, or begin a "
            "new record: --flatten closes what the old one left, --adopt takes it over as it is"
        )


def _document(wanted: Any) -> dict[str, Any]:
    """Return a request as plain data, without what is at its default."""
    values = {}
    for name, default in _fields_of(type(wanted)):
        value = getattr(wanted, name)
        if value != default:
            kind = type(value)
            values[name] = value if kind in _AS_THEY_ARE else _plain(value)
    return values


_AS_THEY_ARE = frozenset({str, float, int, type(None)})


_known_fields: dict[type[Any], tuple[tuple[str, Any], ...]] = {}


def _fields_of(kind: type[Any]) -> tuple[tuple[str, Any], ...]:
    """Return the names of a record's fields with their defaults."""
    fields = _known_fields.get(kind)
    if fields is None:
        found = tuple((item.name, item.default) for item in dataclasses.fields(kind))
        fields = _known_fields[kind] = found
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return _document(value)
    return int(value) if isinstance(value, int) else value
