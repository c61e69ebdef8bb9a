"""A journal's copy in a file of its own, proved before anything is taken out of the journal."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from core.files import put_in_place
from live.journal.codec import DamagedBlock, decode_events
from live.journal.database import Database
from live.journal.errors import JournalError, explained
from live.journal.sqlite import SqliteFile
from live.journal.tables import META, METADATA, SEQUENCE, WRITER

_ROWS = 64
"""Rows copied at once: blocks are large."""


def write_archive(source: Database, path: Path, last_seq: int) -> None:
    """Copy a whole journal to a file that is not there yet.

    Raises
    ------
    JournalError : the file is there, cannot be written, or the copy does not hold every event.
    """
    part = path.with_name(path.name + "-part")
    with explained(str(path)):
        if path.exists():
            raise JournalError(f"{path}: is there already: name another file")
        part.unlink(missing_ok=True)
        try:
            _write_copy(source, part, last_seq)
            put_in_place(part, path)
        finally:
            for ending in ("", "-writer"):
                part.with_name(part.name + ending).unlink(missing_ok=True)


def _write_copy(source: Database, part: Path, last_seq: int) -> None:
    target = SqliteFile(part, source.account, read_only=False)
    try:
        target.open()
        with source.reading() as old, target.writing() as new:
            for table in METADATA.sorted_tables:
                _copy_table(old, new, table)
        _check(target, last_seq)
    finally:
        target.close()


def _copy_table(old: sa.Connection, new: sa.Connection, table: sa.Table) -> None:
    if table in (META, WRITER):
        new.execute(sa.delete(table))
    rows = old.execute(sa.select(table), execution_options={"yield_per": _ROWS})
    for some in rows.mappings().partitions():
        new.execute(sa.insert(table), [dict(row) for row in some])


def _check(target: Database, last_seq: int) -> None:
    """See that the copy holds every event, whole."""
    with target.reading() as connection:
        expected = None
        query = sa.select(SEQUENCE).order_by(SEQUENCE.c.first_seq)
        for row in connection.execute(query, execution_options={"yield_per": _ROWS}):
            try:
                count = sum(1 for _ in decode_events(row.block))
            except DamagedBlock as cause:
                raise _incomplete(target, row.first_seq, str(cause)) from cause
            if row.first_seq != (expected or row.first_seq) or (
                count != row.last_seq - row.first_seq + 1
            ):
                raise _incomplete(target, expected or row.first_seq, "events are missing")
            expected = row.last_seq + 1
        if expected is not None and expected != last_seq + 1:
            raise _incomplete(target, expected, "events are missing")


def _incomplete(target: Database, seq: int, why: str) -> JournalError:
    return JournalError(
        f"{target.place}: not archived, from event {seq} on {why}: "
        "put the journal aside as it is, and begin a new one"
    )
