"""The folder of one account: where its session keeps what must outlive the process."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import ConfigError

ACCOUNTS = Path("accounts")
"""Folder of all accounts' folders, under the working directory; ignored by git."""

LONGEST_NAME = 64
_OWNER_ONLY = 0o700
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_FOREIGN = re.compile(r"[^A-Za-z0-9_.-]+")
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)
"""Names that Windows keeps for devices, with any ending."""


@dataclass(frozen=True, slots=True)
class AccountFolder:
    """One account's folder and the names of what lies in it.

    Attributes
    ----------
    name : str
        The account's name in `tola.toml`, which is the folder's too.
    path : Path
        The folder itself.
    """

    name: str
    path: Path

    @property
    def lock(self) -> Path:
        """Who runs a session on this account (`live/lock.py`)."""
        return self.path / "lock"

    @property
    def journal(self) -> Path:
        """What the engine consumed and asked for (`live/journal`)."""
        return self.path / "journal.sqlite"

    @property
    def paper(self) -> Path:
        """The paper venue's own books."""
        return self.path / "paper.sqlite"

    @property
    def status(self) -> Path:
        """How the session stands (`live/monitor.py`)."""
        return self.path / "status.json"

    @property
    def commands(self) -> Path:
        """Requests of other processes, and their answers (`live/mailbox.py`)."""
        return self.path / "commands"

    @property
    def kill(self) -> Path:
        """The kill switch: pressed while this file exists (`live/kill.py`)."""
        return self.path / "KILL"

    @property
    def log(self) -> Path:
        """The session's log."""
        return self.path / "session.log"

    def make(self) -> AccountFolder:
        """Make the folder where it is missing, for its owner's eyes only; return itself.

        Raises
        ------
        ConfigError : it cannot be made, or a folder whose name differs only in letters' case is
            there: Windows and macOS take the two for one.
        """
        self._refuse_twin()
        try:
            for folder in (self.path.parent, self.path, self.commands):
                folder.mkdir(mode=_OWNER_ONLY, exist_ok=True)
            with contextlib.suppress(PermissionError):  # another's folder, lent to us
                self.path.chmod(_OWNER_ONLY)
        except OSError as cause:
            raise ConfigError(
                f"account {self.name}: its folder {self.path.as_posix()} cannot be made "
                f"({cause.strerror}): run where you may write, or move what is in the way"
            ) from cause
        return self

    def _refuse_twin(self) -> None:
        for other in account_names(self.path.parent):
            if other != self.name and other.casefold() == self.name.casefold():
                raise ConfigError(
                    f"account {self.name}: an account {other} is there, and some systems do not "
                    "tell capital letters from small ones: choose a name that differs in more"
                )


def account_folder(name: str, root: Path = ACCOUNTS) -> AccountFolder:
    """Return the folder of an account; nothing is made yet.

    Raises
    ------
    ConfigError : the name is none that every file system takes; proposes one that is.
    """
    fault = _fault(name)
    if fault:
        raise ConfigError(f"account {name!r}: {fault}; call it {_proposal(name)!r}, for example")
    return AccountFolder(name, root / name)


def account_names(root: Path = ACCOUNTS) -> list[str]:
    """Return the accounts that have a folder, in alphabetical order."""
    try:
        return sorted(entry.name for entry in os.scandir(root) if entry.is_dir())
    except FileNotFoundError:
        return []
    except OSError as cause:
        raise ConfigError(f"{root.as_posix()}: cannot be read ({cause.strerror})") from cause


def _fault(name: str) -> str:
    if not _NAME.fullmatch(name):
        return (
            "its name is a folder's name too: "
            "letters a to z, digits, - _ and . are allowed, a letter or digit first"
        )
    if name.endswith("."):
        return "Windows drops a dot at the end"
    if _DEVICES.fullmatch(name):
        return "Windows keeps this name for a device"
    if len(name) > LONGEST_NAME:
        return f"longer than {LONGEST_NAME} letters"
    return ""


def _proposal(name: str) -> str:
    clean = _FOREIGN.sub("_", name).strip("_.-")[:LONGEST_NAME].rstrip(".")
    return f"account_{clean}".rstrip("_") if not clean or _DEVICES.fullmatch(clean) else clean
