"""The journal of an account: everything its engine consumed, and every order before it was sent.

One numbered sequence of events, from which a session can be run again to where it stopped, and
the rows a person asks for: intents, booked fills, what the guard did. SQLite by default, PostgreSQL
by `DATABASE_URL`. It stores and returns; it decides nothing.
"""

from live.journal.codec import decode_events, encode_event
from live.journal.errors import JournalError
from live.journal.records import BookedFill, Intent, SessionFacts
from live.journal.store import Journal, list_accounts, open_journal

__all__ = [
    "BookedFill",
    "Intent",
    "Journal",
    "JournalError",
    "SessionFacts",
    "decode_events",
    "encode_event",
    "list_accounts",
    "open_journal",
]
