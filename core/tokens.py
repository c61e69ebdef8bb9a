"""Tokens that logins leave: a file each, outside the repository, for its owner's eyes alone."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from core.errors import ConfigError
from core.files import put_in_place
from core.log import register_secrets

_FOREIGN = re.compile(r"[^A-Za-z0-9_-]+")
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. made, expires : ns UTC; user : as the venue calls him."""

    value: str = field(repr=False)
    made: int
    expires: int
    user: str = ""

    def is_good(self, now: int) -> bool:
        """Whether it still lives at a time (ns UTC)."""
        return now < self.expires


def tokens_folder() -> Path:
    """Return this user's folder of tokens (not created), by platform convention."""
    override = os.environ.get("TOLA_TOKENS_DIR")
    if override:
        return Path(override)
    if sys.platform == "win32":
        base = Path(os.environ.get("APPDATA", Path.home() / "AppData" / "Roaming"))
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Application Support"
    else:
        base = Path(os.environ.get("XDG_STATE_HOME", Path.home() / ".local" / "state"))
    return base / "tola" / "tokens"


class TokenStore:
    """The tokens of this user's accounts.

    Parameters
    ----------
    folder : where they are; `tokens_folder` by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or tokens_folder()

    def path(self, venue: str, account: str = "") -> Path:
        """Return the file of an account's token."""
        name = "-".join(_FOREIGN.sub("_", part) for part in (venue, account) if part)
        return self.folder / f"{name}.json"

    def read(self, venue: str, account: str = "") -> Token | None:
        """Return an account's token, dead or alive; None where there is none.

        Raises
        ------
        ConfigError : others may read the file, or it is not what was written.
        """
        path = self.path(venue, account)
        try:
            with path.open(encoding="utf-8") as file:
                if os.name != "nt" and os.fstat(file.fileno()).st_mode & _OTHERS:
                    raise ConfigError(f"{path}: others may read this token: chmod 600 {path}")
                found = Token(**json.load(file))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as cause:
            raise ConfigError(
                f"{path} cannot be read ({type(cause).__name__}): python run.py login {venue}"
            ) from None
        register_secrets([found.value])
        return found

    def write(self, token: Token, venue: str, account: str = "") -> Path:
        """Keep a token, whole or not at all, readable by its owner alone; return its file.

        Raises
        ------
        OSError : the folder cannot be written.
        """
        register_secrets([token.value])
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.path(venue, account)
        handle, name = tempfile.mkstemp(dir=self.folder, suffix=".part")  # made for its owner alone
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                document = {"value": token.value, "made": token.made, "expires": token.expires,
                            "user": token.user}  # fmt: skip
                json.dump(document, file)
            put_in_place(Path(name), path)
        except OSError:
            Path(name).unlink(missing_ok=True)
            raise
        return path

    def forget(self, venue: str, account: str = "") -> None:
        """Remove an account's token; none is no fault."""
        self.path(venue, account).unlink(missing_ok=True)
