"""What a session writes down for people, and alerts them of: the guard's acts, fills, feeds, days.

It reads and tells; whatever is to be done it leaves to the session. A record that is run through
again has told all this before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from brokers.live_plan import LiveTicket
from core.orders import Fill
from live.account_folder import AccountFolder
from live.build import BuiltSession
from live.day_report import append_day, day_line, day_text
from live.journal import Journal, SessionFacts
from live.journal.records import BookedFill

logger = logging.getLogger(__name__)

_ALERTED = {"refused": "refused", "locked": "lock", "breach": "lock"}
"""Acts of the guard a person is told of at once, as which kind of alert."""


class Scribe:
    """Writes one session down.

    Parameters
    ----------
    facts : of the session that writes. first_id : id of the first session of the record it goes on
        with. booked : the fills that were booked when it began.
    alert : called with (kind, text) for what a person should know.
    """

    def __init__(
        self,
        built: BuiltSession,
        journal: Journal,
        folder: AccountFolder,
        facts: SessionFacts,
        first_id: int,
        booked: frozenset[str],
        alert: Callable[[str, str], None],
    ) -> None:
        self._built = built
        self._journal = journal
        self._folder = folder
        self._facts = facts
        self._first_id = first_id
        self._booked = booked
        self._alert = alert
        self._guard_told = 0
        self._feed_states: dict[str, str] = {}
        self._was_live = False

    def note(self, kind: str, document: Mapping[str, Any], plan_id: str = "") -> None:
        """Write something down."""
        if not self._built.engine.replaying:
            self._journal.note(kind, document, ts=self._built.engine.now, plan_id=plan_id)

    def tell_guard(self) -> None:
        """Write down what the guard did since the last event, and alert of it."""
        events = self._built.guard.events
        for event in events[self._guard_told :]:
            if self._built.engine.replaying:
                continue
            text = f"{event.rule} {event.action}: {event.value:g} against {event.limit:g}"
            text += f" ({event.detail})" if event.detail else ""
            logger.info("guard %s plan=%s symbol=%s", text, event.plan_id, event.symbol)
            self.note(event.action, asdict(event), event.plan_id)
            if event.action in _ALERTED:
                self._alert(_ALERTED[event.action], f"{event.plan_id} {text}".strip())
        self._guard_told = len(events)

    def tell_feeds(self) -> bool:
        """Alert where prices go missing, note where they are back.

        Returns whether all of them have ever come at once.
        """
        states = {slot.feed.state.value for slot in self._built.engine.slots}
        self._was_live = self._was_live or states == {"live"}
        for slot in self._built.engine.slots:
            now = slot.feed.state.value
            before = self._feed_states.get(slot.name)
            self._feed_states[slot.name] = now
            if before == "live" and now != "live":
                self._alert("gap", f"{slot.feed.symbol}: prices are missing, entries are off")
            elif before not in (None, "live") and now == "live":
                logger.info("feed live symbol=%s", slot.feed.symbol)
        return self._was_live

    def tell_preflight(self, day: int, faults: list[str]) -> None:
        """Tell what would keep the account from trading on a day."""
        self.note("preflight", {"day": day_text(day), "faults": faults})
        for fault in faults:
            self._alert("error", f"before the open: {fault}")

    def tell_day(self, row: dict[str, Any]) -> None:
        """Tell a trading day in figures."""
        self.note("day", row)
        append_day(self._folder.path / "days.jsonl", row)
        self._alert("end_of_day", day_line(row))

    def tell_fill(self, fill: Fill) -> None:
        """Book a fill; in a replay only what a process that died had no time to book."""
        engine = self._built.engine
        number = f"{self._first_id}-{fill.fill_id}"
        if engine.replaying and number in self._booked:
            return
        order_id = self._built.broker.order_id_of(fill.order_id)
        self._journal.execution(
            BookedFill(
                number, self._facts.venue, order_id, fill.plan_id, fill.symbol, fill.side,
                fill.quantity, fill.price, fill.ts_event, fill.costs, engine.seq,
            )
        )  # fmt: skip
        text = f"{fill.plan_id} {fill.side.name.lower()} {fill.quantity:g} @ {fill.price:g}"
        logger.info("filled order=%s %s reason=%s", order_id, text, fill.reason)
        self._alert("fill", f"{text} ({fill.reason})")

    def tell_refused(self, ticket: LiveTicket, said: str) -> None:
        """Alert of an order the venue turned down."""
        if self._built.engine.replaying:
            return
        plan, request = ticket.plan, ticket.request
        what = f"{plan.plan_id} {request.side.name.lower()} {request.quantity:g} {plan.symbol}"
        self._alert("refused", f"{what}: {self._facts.venue} turned it down: {said}")
