"""The lock of an account: one session at a time, and who it is can be read by all.

It is the operating system's own file lock (flock; on Windows a locked byte), so it ends with the
process that holds it, however that ends. The file stays and says who holds it; it is never
deleted, for a lock on a deleted file keeps nobody out. On file systems without locks (some
network drives) a second file stands for the lock, and is worth what its process still runs.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import TolaError
from core.processes import is_running
from core.results import iso_time
from live.account_folder import AccountFolder

PATIENCE_SECS = 0.5
"""A reader takes the lock for some microseconds to see whether it is free: tried again so long."""
_PAUSE_SECS = 0.05

_HELD = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL, errno.EIO)
"""What file systems say that have no locks."""

if sys.platform == "win32":
    import msvcrt

    _LOCKED_BYTE = 1 << 30
    """Nobody may read a locked byte there: this one lies far behind the text."""

    def _take(file: int, *, shared: bool = False) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)

    def _give_back(file: int) -> None:
        os.lseek(file, _LOCKED_BYTE, os.SEEK_SET)
        msvcrt.locking(file, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _take(file: int, *, shared: bool = False) -> None:
        """Lock an open file, or raise OSError at once."""
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)

    def _give_back(file: int) -> None:
        """End the lock, for copies of the open file in forked processes too."""
        fcntl.flock(file, fcntl.LOCK_UN)


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds an account: its process, since when (ISO 8601 UTC), and what it runs."""

    account: str
    pid: int
    host: str
    since: str
    mode: str
    plans: tuple[str, ...]

    @property
    def is_gone(self) -> bool:
        """Whether its process has ended; of another computer's that cannot be known."""
        return self.host == socket.gethostname() and not is_running(self.pid)

    def describe(self) -> str:
        """Return `process PID on HOST since TIME (paper gold)`."""
        what = " ".join((self.mode, *self.plans))
        return f"process {self.pid} on {self.host} since {self.since} ({what})"


class AccountLock:
    """Keeps a second session away from an account.

    Parameters
    ----------
    folder : AccountFolder
        The account's folder; it must be there.
    mode : str
        paper or live.
    plans : sequence of str
        What the session runs, to tell whoever asks.
    """

    def __init__(self, folder: AccountFolder, mode: str, plans: Sequence[str]) -> None:
        self._folder = folder
        self._path = folder.lock
        since = iso_time(time.time_ns() // 10**9 * 10**9)
        self.holder = Holder(
            folder.name, os.getpid(), socket.gethostname(), since, mode, tuple(plans)
        )
        self._file: int | None = None
        self._stand_in: _StandIn | None = None

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        TolaError : another session has it: says who; or its file cannot be written.
        """
        if self._file is not None:
            return
        try:
            file = _open(self._path)
        except OSError as cause:
            raise TolaError(
                f"account {self._folder.name}: {self._path.as_posix()} cannot be opened "
                f"({cause.strerror}): it must be writable by whoever runs the session"
            ) from cause
        try:
            self._lock(file)
            _write(file, self.holder)
        except BaseException:
            self._drop_stand_in()
            os.close(file)
            raise
        self._file = file

    def _lock(self, file: int) -> None:
        end = time.monotonic() + PATIENCE_SECS
        while True:
            try:
                _take(file)
            except OSError as fault:
                if fault.errno in _HELD and time.monotonic() < end:
                    time.sleep(_PAUSE_SECS)
                    continue
                if fault.errno in _HELD:
                    raise self._refusal(_read(self._path)) from fault
                if fault.errno not in _NO_LOCKS:
                    raise
                self._stand_in = _StandIn(self._path, self.holder)
                other = self._stand_in.take()
                if other is not None:
                    raise self._refusal(other, self._stand_in.path) from fault
            return

    def _refusal(self, holder: Holder | None, stand_in: Path | None = None) -> TolaError:
        by = holder.describe() if holder is not None else "another process"
        text = f"account {self._folder.name} is held by {by}: "
        text += "end it, or ask it: python run.py status"
        if stand_in is not None:
            text += f"; if it is gone for good, delete {stand_in.as_posix()}"
        return TolaError(text)

    def release(self) -> None:
        """Let others in; the file stays, empty. Harmless when nothing is held."""
        file, self._file = self._file, None
        if file is None:
            return
        with contextlib.suppress(OSError):
            os.ftruncate(file, 0)
        self._drop_stand_in()
        with contextlib.suppress(OSError):
            _give_back(file)
        os.close(file)

    def _drop_stand_in(self) -> None:
        stand_in, self._stand_in = self._stand_in, None
        if stand_in is not None:
            stand_in.drop()

    @property
    def is_held(self) -> bool:
        """Whether it is ours, and its file still the one that others would try to lock."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), self._path.stat())
        except OSError:
            return False

    def __enter__(self) -> AccountLock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def read_holder(folder: AccountFolder) -> Holder | None:
    """Return who holds an account now, None where nobody does.

    A holder that has not yet said who it is (the first microseconds) is process 0 on host "?".
    """
    end = time.monotonic() + PATIENCE_SECS
    while True:
        holder = _look(folder)
        if holder is None or not holder.is_gone or time.monotonic() > end:
            return holder
        time.sleep(_PAUSE_SECS)  # a dead one's name: it is another reader who has the lock


def _look(folder: AccountFolder) -> Holder | None:
    try:
        file = _open(folder.lock, make=False)
    except OSError:
        return None
    try:
        _take(file, shared=True)
        _give_back(file)
    except OSError as fault:
        if fault.errno in _HELD:
            return _read(folder.lock) or Holder(folder.name, 0, "?", "?", "?", ())
        return _StandIn(folder.lock, None).standing()
    finally:
        os.close(file)
    return None


def _open(path: Path, *, make: bool = True) -> int:
    binary = getattr(os, "O_BINARY", 0)
    return os.open(path, os.O_RDWR | binary | (os.O_CREAT if make else 0), 0o600)


def _write(file: int, holder: Holder) -> None:
    os.lseek(file, 0, os.SEEK_SET)
    os.ftruncate(file, 0)
    os.write(file, _text(holder))


def _text(holder: Holder) -> bytes:
    return (json.dumps(asdict(holder)) + "\n").encode()


def _read(path: Path) -> Holder | None:
    """Return the holder that a file names, None where it names none (yet)."""
    try:
        found = json.loads(path.read_bytes())
        return Holder(**{**found, "plans": tuple(found["plans"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None


class _StandIn:
    """A file whose presence is the lock, where the file system has none of its own.

    A killed process leaves it; it counts no more once that process is gone. Of a process on
    another computer nothing can be known, so its file counts.
    """

    def __init__(self, lock: Path, holder: Holder | None) -> None:
        self.path = lock.with_name(lock.name + ".pid")
        self._holder = holder

    def standing(self) -> Holder | None:
        """Return who holds it and still lives."""
        holder = _read(self.path)
        return None if holder is None or holder.is_gone else holder

    def take(self) -> Holder | None:
        """Take it and return None, or return who has it."""
        assert self._holder is not None
        while (other := self.standing()) is None:
            fresh = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}")
            fresh.write_bytes(_text(self._holder))
            try:
                if self._place(fresh):
                    return None
            finally:
                fresh.unlink(missing_ok=True)
        return other

    def _place(self, fresh: Path) -> bool:
        """Give a written file the name, whole or not at all; a dead one's file is moved away."""
        with contextlib.suppress(FileNotFoundError):
            dead = fresh.with_name(fresh.name + ".dead")
            if self.standing() is None:
                self.path.rename(dead)
                dead.unlink()
        try:
            os.link(fresh, self.path)
        except FileExistsError:
            return False
        except OSError:  # no hard links either
            try:
                file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                return False
            os.write(file, fresh.read_bytes())
            os.close(file)
        return True

    def drop(self) -> None:
        """Take the file away if it is ours."""
        if _read(self.path) == self._holder:
            self.path.unlink(missing_ok=True)
