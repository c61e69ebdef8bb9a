"""Going on where a process died: the recorded sequence is run through the same code again.

What the engine does follows from its events alone, so after the record it stands where it stood:
strategies, setups that were armed, brackets, locks, counters. Requests made on the way are held
against the recorded intents instead of being sent. What the venue did meanwhile is then asked of
it, and bars that were missed come from its history.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from brokers.orders import NEVER_ARRIVED
from core.events import Answer, Outcome, Verb
from live.journal import Journal, SessionFacts
from live.outbox import Request

MISSED = "missed"
"""Why an entry that was decided upon before a death is not sent after it: it came too late."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    events : how many were run through. intents : requests that matched their record.
    unanswered : requests of the record that have no answer in it.
    unsent : requests the record did not reach: decided, and never sent.
    market_time : where the record ended, ns UTC.
    """

    events: int
    intents: int
    unanswered: int
    unsent: int
    market_time: int


def chain_of(sessions: Sequence[SessionFacts]) -> list[SessionFacts]:
    """Return the starts that the next one must go on from, oldest first; none to begin anew.

    A start goes on from the last one if that did not end, or ended with something left open.
    """
    last = sessions[-1] if sessions else None
    if last is None or (last.ended is not None and not last.exit_reason.startswith("kept")):
        return []
    return starts_of(sessions, last.session_id)


def starts_of(sessions: Sequence[SessionFacts], session_id: int) -> list[SessionFacts]:
    """Return a start with all it went on from, oldest first."""
    by_id = {item.session_id: item for item in sessions}
    chain: list[SessionFacts] = []
    last = by_id.get(session_id)
    while last is not None:
        chain.append(last)
        before = last.document.get("continues")
        last = by_id.get(int(before)) if before else None
    return chain[::-1]


def recover(
    built: Any, journal: Journal, chain: Sequence[SessionFacts], until: int | None = None
) -> Recovered:
    """Run a chain's record through a session that stands but has consumed nothing.

    Parameters
    ----------
    until : number of the last event of the record; None: all there is.

    Raises
    ------
    Diverged : run again, something else was asked for than was recorded.
    JournalError : a part of the record is damaged or missing.
    """
    intents = [intent for item in chain for intent in journal.intents(item.session_id)]
    engine, outbox = built.engine, built.outbox
    outbox.begin_replay(intents, lambda: engine.now)
    engine.replaying = True
    count = 0
    try:
        for seq, event in journal.events(chain[0].first_seq):
            if until is not None and seq > until:
                break
            engine.replay(seq, event)
            count += 1
            if isinstance(event, Answer):
                outbox.hear_answer(event.verb.name.lower(), event.order_id)
    finally:
        engine.replaying = False
    outbox.end_replay()
    return Recovered(count, len(intents), len(outbox.unanswered), len(outbox.unsent), engine.now)


def settle_requests(built: Any) -> None:
    """Come to terms with the requests of a process that died; a snapshot has been heard.

    An order the snapshot lacks has not arrived and is sent again: an entry only while it is fresh,
    none whose reason to be is gone. On a wire it may still be on its way: there it is never sent
    again, later snapshots settle its fate, and a stop gets a successor with an id of its own
    (`brokers.settling`). A change or a cancel may be asked for twice without harm. Whatever is not
    sent is answered by an event, so that a record run through again knows it.
    """
    outbox = built.outbox
    # One without an id of ours was to end what is another's: a person asks for that anew.
    unanswered = [item for item in outbox.unanswered if item.intent.order_id]
    unsent = [item for item in outbox.unsent if item.intent.order_id]
    outbox.unanswered, outbox.unsent = [], []
    for request in unanswered:
        _settle_unanswered(built, request)
    for request in unsent:
        if request.intent.verb == "submit" and not _is_wanted(built, request):
            outbox.drop(request)
            _answer(built, request, Outcome.REFUSED, MISSED)
        else:
            outbox.leave(request)
    built.engine.settle()


def _settle_unanswered(built: Any, request: Request) -> None:
    known = built.broker.book.sent(request.intent.order_id)
    if request.intent.verb != "submit":
        if known.is_over:
            _answer(built, request, Outcome.REFUSED, "its order has ended")
        else:
            built.outbox.send_again(request)
    elif not known.is_in_flight:
        _answer(built, request, Outcome.ACCEPTED)
    elif not built.port.capabilities.takes_at_once:
        return
    elif _is_wanted(built, request):
        built.outbox.send_again(request)
    else:
        _answer(built, request, Outcome.REFUSED, NEVER_ARRIVED)


def _is_wanted(built: Any, request: Request) -> bool:
    """Whether an order that has not arrived is still to be sent."""
    engine = built.engine
    ticket = built.broker.ticket_of(request.intent.order_id)
    if ticket is None or ticket.is_over or ticket.cancel_wanted:
        return False
    if request.opens:
        return bool(engine.now - request.decided_at <= engine.entry_age_ns)
    return bool(ticket.plan.position_steps)


def _answer(built: Any, request: Request, outcome: Outcome, reason: str = "") -> None:
    """Let the sequence tell what became of a request."""
    engine, intent = built.engine, request.intent
    verb = Verb[intent.verb.upper()]
    engine.consume(Answer(0, verb, outcome, intent.order_id, reason=reason, ts_event=engine.now))
