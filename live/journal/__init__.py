"""The journal of an account: everything its engine consumed, and every order before it was sent.

One numbered sequence of events, from which a session can be run again to where it stopped, and
the rows a person asks for: intents, executions, what the guard did. SQLite by default, PostgreSQL
by `DATABASE_URL`. It stores and returns; it decides nothing.
"""

from live.journal.codec import decode_events, encode_event
from live.journal.store import Intent, Journal, JournalError, SessionFacts, open_journal

__all__ = [
    "Intent",
    "Journal",
    "JournalError",
    "SessionFacts",
    "decode_events",
    "encode_event",
    "open_journal",
]
