"""Going on where a process died: the recorded sequence is run through the same code again.

What the engine does follows from its events alone, so after the record it stands where it stood:
strategies, setups that were armed, brackets, locks, counters. Requests made on the way are held
against the recorded intents instead of being sent. What the venue did meanwhile is then asked of
it, and bars that were missed come from its history.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from live.journal import Journal, SessionFacts


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a recovery did.

    events : how many were run through. intents : requests that matched their record.
    unsent : requests the record did not reach: decided, and never sent.
    market_time : where the record ended, ns UTC.
    """

    events: int
    intents: int
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


def recover(built: Any, journal: Journal, chain: Sequence[SessionFacts]) -> Recovered:
    """Run a chain's record through a session that stands but has consumed nothing.

    Raises
    ------
    Diverged : run again, something else was asked for than was recorded.
    JournalError : a part of the record is damaged or missing.
    """
    intents = [intent for item in chain for intent in journal.intents(item.session_id)]
    engine, outbox = built.engine, built.outbox
    outbox.recorded = deque(intents)
    engine.replaying = True
    count = 0
    try:
        for seq, event in journal.events(chain[0].first_seq):
            engine.replay(seq, event)
            count += 1
    finally:
        engine.replaying = False
    left = len(outbox.recorded)
    outbox.recorded = None
    return Recovered(count, len(intents) - left, len(outbox.unsent), engine.now)
