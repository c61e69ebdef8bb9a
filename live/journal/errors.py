"""What can go wrong with a journal, and what to do about each."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from core.errors import TolaError


class JournalError(TolaError):
    """The journal cannot be read or written: says where, why and what to do."""


BUSY = "another process writes to it: end that session first"
DAMAGED = "the file is damaged: put it aside and restore a copy, nothing was changed"
GONE = "its tables are gone: restore a copy, or begin a new one"
SEE_LOG = "see the log of the session and of the database"
NO_SERVER = "check DATABASE_URL and that the server runs"
UNWRITABLE = "its folder must exist and be writable"

_BY_WORDS = (
    (("password", 'role "', "pg_hba.conf"), "check the user and password in DATABASE_URL"),
    (('" does not exist',), "there is no such database: create it, or mend DATABASE_URL"),
    (("locked", "locking protocol"), BUSY),
    (("not a database", "malformed", "not decode"), DAMAGED),
    (("readonly", "read-only", "unable to open", "permission denied"), UNWRITABLE),
    (("no such file",), UNWRITABLE),
    (("no such table", "no such column"), GONE),
    (("disk i/o", "input/output"), "the disk is full or fails: make room, and look after the disk"),
    (("full", "no space", "quota"), "make room on the disk"),
)
"""Words of SQLite, of the operating system and of a refused connection, first match."""

_BY_STATE = (
    ("08", NO_SERVER),
    ("57", NO_SERVER),
    ("23", "another hand changed it: end the session and restore a copy"),
    ("53100", "make room on the server's disk"),
    ("53300", "the server has no connection left: end other programs or raise max_connections"),
    ("25006", "this server takes no writes: connect to the primary one"),
    ("42501", "this user may not: grant it CREATE on the database and all on its own schemas"),
    ("3F", GONE),
    ("42P01", GONE),
    ("55P03", BUSY),
    ("XX", "the server's files are damaged: restore a copy"),
)
"""PostgreSQL's states (appendix A of its manual) by how they begin, first match."""


@contextlib.contextmanager
def explained(place: str) -> Iterator[None]:
    """Turn a database's or the disk's errors into ours, with what to do."""
    try:
        yield
    except (SQLAlchemyError, sqlite3.Error, OSError) as cause:
        origin = getattr(cause, "orig", None) or cause
        text = str(origin).strip() or type(origin).__name__
        raise JournalError(f"{place}: {text.splitlines()[0]}; {remedy(origin)}") from cause


@contextlib.contextmanager
def understood(place: str) -> Iterator[None]:
    """Call rows damaged that are not what was written."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as cause:
        raise JournalError(f"{place}: {cause}; {DAMAGED}") from cause


def remedy(cause: BaseException) -> str:
    """Return what to do about a database's error."""
    state = getattr(cause, "sqlstate", None)
    if state:
        return next((advice for start, advice in _BY_STATE if state.startswith(start)), SEE_LOG)
    words = str(cause).lower()
    for signs, advice in _BY_WORDS:
        if any(sign in words for sign in signs):
            return advice
    return NO_SERVER if type(cause).__module__.startswith("psycopg") else SEE_LOG
