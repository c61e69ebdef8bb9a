"""What a command needs before it may speak to a venue: account, credentials, settings, token."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from brokers.logins import ExamineRequest, account_credentials
from brokers.registry import Credentials, Venue, get_venue
from core.config import Account, Config, load
from core.errors import ConfigError, near_name
from core.secrets import LookUp, secret_lookup
from core.tokens import Token, TokenStore


@dataclass(frozen=True)
class Access:
    """One account at a venue, as a command means it.

    account : its name in the settings, "" where they name none. options : of [venues.NAME], those
    of the account over them. entry : the account as the settings have it, None without a name.
    """

    venue: Venue
    account: str
    options: Mapping[str, Any]
    look_up: LookUp
    tokens: TokenStore
    entry: Account | None = None

    def credentials(self) -> Credentials:
        """Return what is found of the account's credentials now."""
        return account_credentials(self.venue, self.account, self.look_up, self.tokens, self.now())

    def keep(self, values: Mapping[str, str]) -> None:
        """Keep what a login left: `access_token`, `made` and `expires` (ns UTC), `user`."""
        token = Token(
            values["access_token"], int(values["made"]), int(values["expires"]), values["user"]
        )
        self.tokens.write(token, self.venue.name, self.account)

    def now(self) -> int:
        """Return the market's time, ns UTC."""
        return self._clock()

    @cached_property
    def _clock(self) -> Callable[[], int]:
        """What tells the market's time; one for all who ask, as it remembers what it was told."""
        if not self.venue.clock:
            return time.time_ns
        made: Callable[[], int] = self.venue.load(self.venue.clock)(self.options)
        return made

    def examined(self) -> ExamineRequest:
        """Return what the venue is examined with."""
        token = self.tokens.read(self.venue.name, self.account)
        return ExamineRequest(self.account, self.credentials(), self.options, token)


def access_to(
    venue: str, account: str | None, settings: str | Config, tokens: Path | None = None
) -> Access:
    """Return the access to a venue's account.

    Parameters
    ----------
    account : None: the only one of the settings that is at this venue, else none.
    settings : the settings file, or what was read of it.

    Raises
    ------
    ConfigError : no such venue or account; the account is at another venue; several could be meant.
    """
    config = load(settings) if isinstance(settings, str) else settings
    entry = get_venue(venue)
    name = _account_at(entry, account, config)
    look_up = secret_lookup(config.settings.secrets, config.credentials)
    known = config.accounts.get(name)
    options = {**config.venues.get(venue, {}), **(known.options if known else {})}
    return Access(entry, name, options, look_up, TokenStore(tokens), known)


def _account_at(venue: Venue, account: str | None, config: Config) -> str:
    there = [name for name, item in config.accounts.items() if item.venue == venue.name]
    if account is None:
        if len(there) > 1:
            raise ConfigError(
                f"{venue.name}: which account? name one with --account: {', '.join(sorted(there))}"
            )
        return there[0] if there else ""
    if account not in config.accounts:
        near = near_name(account, there) if there else "; [accounts] has none at this venue"
        raise ConfigError(f"account {account!r} is not in the settings{near}")
    if account not in there:
        other = config.accounts[account].venue
        raise ConfigError(f"account {account} is at {other}, not at {venue.name}")
    return account
