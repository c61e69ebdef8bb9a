"""SQLite files of our own: opening them, writing in one piece, and what their errors mean."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from core.errors import TolaError

Synchronous = Literal["FULL", "NORMAL", "OFF"]
"""What outlives what: FULL the loss of power, NORMAL the death of the process, OFF nothing."""

_PARTS = ("", "-wal", "-shm")

_BY_WORDS = (
    ("locked", "another process uses it: end that one, or wait for it"),
    ("not a database", "it is none of ours, or damaged: move it aside"),
    ("malformed", "it is damaged: restore a copy of it, or move it aside"),
    ("readonly", "its folder must be writable"),
    ("unable to open", "its folder must be there and writable"),
    ("full", "make room on the disk"),
    ("disk i/o", "the disk is full or fails: make room, and look after the disk"),
)


def open_database(
    path: Path | None,
    *,
    synchronous: Synchronous = "NORMAL",
    wait_secs: float = 0.0,
    read_only: bool = False,
) -> sqlite3.Connection:
    """Open a file, making it where it is not there; transactions are begun by hand.

    Readers and its writer never wait for each other (a write-ahead log). The connection may be
    used in any thread, in one at a time.

    Parameters
    ----------
    path : None keeps all in memory.
    wait_secs : how long another's lock is waited for.
    read_only : nothing is made or changed.

    Raises
    ------
    sqlite3.Error : it cannot be opened, or is no database.
    """
    name = ":memory:" if path is None else str(path)
    if path is not None and read_only:
        name = f"{path.absolute().as_uri()}?mode=ro"
    base = sqlite3.connect(
        name, timeout=wait_secs, isolation_level=None, check_same_thread=False, uri=read_only
    )
    if read_only:
        return base
    try:
        base.execute("PRAGMA journal_mode=WAL")
        base.execute(f"PRAGMA synchronous={synchronous}")
    except BaseException:
        base.close()
        raise
    return base


@contextlib.contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """Keep all that is written within, or, if it fails or the process dies, nothing of it."""
    base.execute("BEGIN")
    try:
        yield
        base.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            base.rollback()
        raise


@contextlib.contextmanager
def explained(place: str, error: type[TolaError] = TolaError) -> Iterator[None]:
    """Turn SQLite's errors into one of ours that says what to do."""
    try:
        yield
    except sqlite3.Error as cause:
        text = str(cause)
        advice = next((told for sign, told in _BY_WORDS if sign in text.lower()), "")
        raise error(f"{place}: {text}" + (f"; {advice}" if advice else "")) from cause


def files_of(path: Path) -> list[Path]:
    """Return the files that a database in use consists of."""
    return [path.with_name(path.name + ending) for ending in _PARTS]
