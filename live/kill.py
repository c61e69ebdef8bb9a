"""The kill switch: a file. While it is there an account does not trade, in any process."""

from __future__ import annotations

import contextlib
import getpass
import json
import logging
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from core.errors import ConfigError, TolaError
from core.files import sync_folder
from core.log import redact
from core.results import iso_time

logger = logging.getLogger(__name__)

_LOOK_SECS = 0.25


@dataclass(frozen=True, slots=True)
class KillNote:
    """Why the switch was pressed, by whom and when (ISO 8601 UTC); empty where nobody said."""

    reason: str = ""
    author: str = ""
    time: str = ""


class KillSwitch:
    """One account's kill switch. It outlives the session, and only a typed release ends it.

    The file's presence is what counts, not what is in it: anyone who may write the folder can
    press it with no program at all.

    Parameters
    ----------
    path : Path
        The account's `KILL` file.
    account : str
        Its name, which a release must be given.
    """

    def __init__(self, path: Path, account: str) -> None:
        self._path = path
        self._account = account
        self._pressed = False
        self._next_look = 0.0
        self._in_sight = True

    @property
    def is_pressed(self) -> bool:
        """Whether it is pressed; cheap enough for every cycle (a look each 250 ms).

        Where the look itself fails (a drive that is away) what was last seen stays true.
        """
        now = time.monotonic()
        if now >= self._next_look:
            self._next_look = now + _LOOK_SECS
            try:
                self._path.lstat()
            except (FileNotFoundError, NotADirectoryError):
                self._see(pressed=False)
            except OSError as fault:
                self._say_unseen(fault)
            else:
                self._see(pressed=True)
        return self._pressed

    def press(self, reason: str, author: str = "") -> None:
        """Press it; pressed already, it stays as it is, with its first reason.

        Raises
        ------
        TolaError : the file cannot be made.
        """
        note = KillNote(redact(reason), author or _user(), iso_time(time.time_ns()))
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            self._see(pressed=True)
            return
        except OSError as cause:
            raise TolaError(
                f"account {self._account}: the kill switch {self._path.as_posix()} cannot be "
                f"pressed ({cause.strerror}): end the session's process, or flatten at the venue"
            ) from cause
        self._see(pressed=True)
        try:
            with contextlib.suppress(OSError):  # on a full disk an empty file is as good
                os.write(file, (json.dumps(asdict(note)) + "\n").encode())
                os.fsync(file)
        finally:
            os.close(file)
        sync_folder(self._path.parent)

    def note(self) -> KillNote:
        """Return what was said when it was pressed; all empty where that cannot be read."""
        try:
            found = json.loads(self._path.read_bytes())
            return KillNote(**{key: str(value) for key, value in found.items()})
        except (OSError, ValueError, TypeError, AttributeError):
            return KillNote()

    def release(self, typed: str) -> bool:
        """Let the account trade again; say whether the switch was pressed at all.

        Parameters
        ----------
        typed : str
            The account's name, as a person typed it.

        Raises
        ------
        ConfigError : another name was typed.
        TolaError : the file cannot be removed.
        """
        if typed != self._account:
            raise ConfigError(
                f"release {typed!r}: to let it trade again, type the account's name: "
                f"{self._account}"
            )
        try:
            self._path.unlink()
        except FileNotFoundError:
            was_pressed = False
        except OSError as cause:
            raise TolaError(
                f"account {self._account}: {self._path.as_posix()} cannot be removed "
                f"({cause.strerror}), so the account stays killed"
            ) from cause
        else:
            was_pressed = True
        self._see(pressed=False)
        return was_pressed

    def _say_unseen(self, fault: OSError) -> None:
        if self._in_sight:
            logger.warning("the kill switch cannot be seen error=%s", fault.strerror)
        self._in_sight = False

    def _see(self, *, pressed: bool) -> None:
        self._pressed = pressed
        self._in_sight = True
        self._next_look = time.monotonic() + _LOOK_SECS


def _user() -> str:
    """Return who runs this process, "" where the system does not say."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
