"""The one writer of a journal: what waits to be written, and commits that are counted.

Each commit moves a counter in the journal from the number the writer knows to the next. So a commit
whose answer was lost is found out with the next one (the counter has moved or not), what waits is
written once, and a second writer cannot slip in between: whoever finds a counter or a name that is
not its own stops.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from live.journal.database import Database
from live.journal.errors import BUSY, JournalError, understood
from live.journal.tables import EXECUTIONS, SEQUENCE, WRITER

logger = logging.getLogger(__name__)

FLUSH_SECS = 0.25
"""Least time between commits nobody waits for: each syncs the disk and makes a block."""
RETRY_SECS = 1.0
"""Pause after a failed commit before the next is tried unasked."""
_RETRY_SHARE = 5
"""That pause is at least so many times as long as the failure took: the engine has other work."""

INSERT_EXECUTION = sa.insert(EXECUTIONS)
_MINE = WRITER.c.writer_id == 1
_MOVE = (
    sa.update(WRITER)
    .where(
        _MINE,
        WRITER.c.token == sa.bindparam("mine"),
        WRITER.c.commits == sa.bindparam("before"),
    )
    .values(commits=sa.bindparam("after"), last_seq=sa.bindparam("last"))
)


@dataclass(frozen=True, slots=True)
class Write:
    """One statement and its values."""

    statement: sa.Executable
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What a commit of unknown end held.

    kept : how many of the waiting writes. undo : takes back what must not stay, as its caller was
    told that it is not written.
    """

    kept: int
    undo: Sequence[Write]


class Writer:
    """Takes the journal over from whoever had it, and commits what waits.

    Attributes
    ----------
    trouble : what made the last commit fail; None while all is well.
    is_synced : the last commit was waited for until the disk had it, and with it all before.

    Raises
    ------
    JournalError : the journal cannot be written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._token = uuid.uuid4().hex
        self._waiting: list[Write] = []
        self._unsure: _Attempt | None = None
        self.trouble: JournalError | None = None
        self._due_at = 0.0
        self.is_synced = True
        self._commits, self.written_seq = self._claim()

    @property
    def is_due(self) -> bool:
        """Whether a commit that nobody waits for is due."""
        return time.monotonic() >= self._due_at

    @property
    def has_waiting(self) -> bool:
        """Whether anything waits."""
        return bool(self._waiting)

    def add(self, statement: sa.Executable, values: Mapping[str, Any]) -> None:
        """Keep something to be written with the next commit that succeeds."""
        self._waiting.append(Write(statement, values))

    def commit(
        self,
        last_seq: int,
        extra: Sequence[Write] = (),
        undo: Sequence[Write] = (),
        *,
        sync: bool = True,
    ) -> None:
        """Write what waits, and `extra` with it.

        Parameters
        ----------
        last_seq : number of the last event that waits or is written.
        extra : is dropped if the commit fails. undo : removes it again, should it turn out later
            that the commit had gone through after all.
        sync : wait until the disk has it (`Database.writing`).

        Raises
        ------
        JournalError : nothing of it counts as written; what waits goes on waiting.
        """
        began = time.monotonic()
        try:
            with self._database.writing(sync) as connection:
                self._count(connection, last_seq)
                self._unsure = _Attempt(len(self._waiting), undo)
                self._execute(connection, [*self._waiting, *extra])
        except JournalError as trouble:
            self._note_trouble(trouble, time.monotonic() - began)
            raise
        self._settle(last_seq)
        self.is_synced = sync
        self._due_at = time.monotonic() + FLUSH_SECS
        if self.trouble is not None:
            logger.info("journal written again place=%s", self._database.place)
            self.trouble = None

    def _claim(self) -> tuple[int, int]:
        """Become the writer; return the number of commits and of the last event."""
        holder = f"process {os.getpid()} on {socket.gethostname()}"
        with self._database.writing() as connection, understood(self._database.place):
            row = connection.execute(sa.select(WRITER).where(_MINE)).one()
            last = connection.scalar(sa.select(sa.func.max(SEQUENCE.c.last_seq))) or 0
            connection.execute(
                sa.update(WRITER)
                .where(_MINE)
                .values(
                    token=self._token,
                    commits=row.commits + 1,
                    since=time.time_ns(),
                    holder=holder,
                )
            )
            return int(row.commits) + 1, max(int(row.last_seq), int(last))

    def _count(self, connection: sa.Connection, last_seq: int) -> None:
        """Move the counter on; find out what became of a commit whose answer was lost."""
        if self._move(connection, last_seq):
            return
        row = connection.execute(sa.select(WRITER).where(_MINE)).one()
        if row.token != self._token:
            raise JournalError(f"{self._database.place}: {row.holder}: {BUSY}")
        if self._unsure is None or row.commits != self._commits + 1:
            raise JournalError(
                f"{self._database.place}: commit {row.commits} where {self._commits} was the last: "
                "an older copy was put in its place; end the session and start it again"
            )
        undo = self._unsure.undo
        self._settle(int(row.last_seq))
        self._waiting[:0] = undo
        self._move(connection, last_seq)

    def _move(self, connection: sa.Connection, last_seq: int) -> bool:
        before = self._commits
        values = {"mine": self._token, "before": before, "after": before + 1, "last": last_seq}
        moved = connection.execute(_MOVE, values)
        return moved.rowcount == 1

    def _settle(self, last_seq: int) -> None:
        """Let go of what a commit has made safe."""
        if self._unsure is not None:
            del self._waiting[: self._unsure.kept]
        self._unsure = None
        self._commits += 1
        self.written_seq = last_seq

    def _execute(self, connection: sa.Connection, writes: Sequence[Write]) -> None:
        for statement, group in groupby(writes, key=lambda write: write.statement):
            if statement is not INSERT_EXECUTION:
                connection.execute(statement, [dict(write.values) for write in group])
                continue
            for write in group:
                self._insert_execution(connection, write)

    def _insert_execution(self, connection: sa.Connection, write: Write) -> None:
        try:
            connection.execute(write.statement, dict(write.values))
        except IntegrityError as cause:
            # It would stop all that waits for ever; the row that is there already stays.
            self._waiting = [other for other in self._waiting if other is not write]
            raise booked_twice(
                self._database.place, write.values["venue"], write.values["fill_id"]
            ) from cause

    def _note_trouble(self, trouble: JournalError, took_secs: float) -> None:
        if self.trouble is None:
            logger.error("journal not written, what waits is kept error=%s", trouble)
        self.trouble = trouble
        self._due_at = time.monotonic() + max(RETRY_SECS, _RETRY_SHARE * took_secs)


def booked_twice(place: str, venue: str, fill_id: str) -> JournalError:
    """Return the refusal of a fill that is in the journal already."""
    return JournalError(
        f"{place}: fill {fill_id!r} of {venue} is booked already and counts once: "
        "stop and compare positions with the venue"
    )
