"""The gate to a real account: what must be so before a session may send an order to a venue.

A session is on paper unless everything says otherwise: the account's settings, the environment,
and a person who names the account once more. Each refusal says what stands in the way and what to
do about it; nothing is started, asked or sent before the gate is passed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from brokers.registry import VENUES, Venue, get_venue, own_variable
from core.config import Account
from core.config_fields import PAPER_FIELDS
from core.errors import ConfigError, near_name

SUFFIX_LENGTH = 4
_IMAGINED = ("backtest", *(name for name, venue in VENUES.items() if not venue.is_real))
"""Venues without money."""
_PAPER_FLAGS = {
    "data": "--data", "from": "--from", "to": "--to", "cash": "--cash", "costs": "--no-costs",
    "margin": "--no-margin",
}  # fmt: skip
"""Flags that only recorded prices or an imagined account can follow."""

Origins = Mapping[str, Mapping[str, Any]]
"""Values with their sources by dotted name, as `Config.stored` gives them."""


@dataclass(frozen=True)
class Admission:
    """How a session may run: on paper, or for real at a venue.

    folder : name of the folder that keeps what outlives it; None: as the session likes.
    """

    account: Account | None = None
    venue: Venue | None = None
    folder: str | None = None

    @property
    def is_real(self) -> bool:
        """Whether orders go to a venue."""
        return self.venue is not None


@dataclass(frozen=True)
class Asked:
    """What the command line says of the account.

    Attributes
    ----------
    account : its name; None: none is named, the session is on paper.
    paper : paper fills were asked for, whatever the account.
    confirm : the account's last characters as given; None: to be typed.
    ask : puts a question to a person at a terminal; None: there is none.
    flags : the other flags, None where not given.
    """

    account: str | None = None
    paper: bool = False
    confirm: str | None = None
    ask: Callable[[str], str] | None = None
    flags: Mapping[str, Any] | None = None


def known_accounts(origins: Origins) -> dict[str, Account]:
    """Return the accounts of the settings file as they were read."""
    tables: dict[str, dict[str, Any]] = {}
    names = {item.name for item in fields(Account)}
    for dotted, at in origins.items():
        section, _, rest = dotted.partition(".")
        name, _, key = rest.rpartition(".")
        if section == "accounts" and key in names:
            tables.setdefault(name, {})[key] = at["value"]
    return {name: Account(name, **table) for name, table in tables.items()}


def admit(
    asked: Asked,
    origins: Origins,
    *,
    has_rules: bool,
    look_up: Callable[[str], str | None] = lambda name: None,
) -> Admission:
    """Return how the session may run.

    Parameters
    ----------
    origins : all settings with their sources.
    has_rules : the guard has limits to enforce.
    look_up : a credential's value, for the account's number at the venue.

    Raises
    ------
    ConfigError : the account is a real one and something forbids it, or it is not known and sounds
        like one.
    """
    accounts = known_accounts(origins)
    account = accounts.get(asked.account or "")
    if account is None:
        _refuse_slip(asked, accounts)
        return Admission()
    if account.venue in _IMAGINED:
        return Admission(account)
    told = origins.get(f"accounts.{account.name}.environment")
    if asked.paper or (told is not None and account.environment == "paper"):
        return Admission(account, None, paper_folder(account.name))
    venue = get_venue(account.venue)
    _check_account(account, venue, is_told=told is not None)
    _check_settings(account, asked, origins)
    _check_environment(account, origins)
    if not has_rules:
        raise ConfigError(
            f"account {account.name}: no risk rules, and a real account needs some: --risk PRESET"
        )
    _check_confirmed(account, venue, asked, look_up)
    return Admission(account, venue, account.name)


def paper_folder(name: str) -> str:
    """Return the folder of paper fills on a real account: never the account's own record."""
    return f"paper-{name}"


def is_real_account(name: str, origins: Origins) -> bool:
    """Whether the settings put an account at a venue with money."""
    account = known_accounts(origins).get(name)
    return account is not None and account.venue not in _IMAGINED


def _refuse_slip(asked: Asked, accounts: Mapping[str, Account]) -> None:
    """Raise where a name is no account of the settings but nearly that of a real one."""
    if asked.account is None or asked.paper:
        return
    real = [name for name, account in accounts.items() if account.venue not in _IMAGINED]
    near = near_name(asked.account, real) if real else ""
    if "did you mean" in near:
        raise ConfigError(
            f"account {asked.account!r} is not in [accounts]{near}; "
            "--paper begins a paper account of that name"
        )


def _check_account(account: Account, venue: Venue, *, is_told: bool) -> None:
    where = f"account {account.name}"
    allowed = " or ".join(f'"{name}"' for name in venue.environments)
    if not is_told:
        raise ConfigError(
            f"{where}: environment is not set: {allowed} in [accounts.{account.name}] for a real "
            "account, or --paper for paper fills"
        )
    if account.environment not in venue.environments:
        raise ConfigError(
            f"{where}: environment={account.environment}: {venue.name} has {allowed}; "
            "--paper for paper fills"
        )
    if account.read_only:
        raise ConfigError(
            f"{where} is read-only: no session can trade on it; read_only = false in "
            f"[accounts.{account.name}] lets it, --paper for paper fills"
        )


def _check_settings(account: Account, asked: Asked, origins: Origins) -> None:
    """Raise, naming each, where settings hold that only a paper venue can follow."""
    flags = asked.flags or {}
    found = [flag for name, flag in _PAPER_FLAGS.items() if flags.get(name) is not None]
    for name in PAPER_FIELDS:
        at = origins.get(f"live.{name}", {})
        if at.get("source", "default") != "default":
            is_flag = at["source"] == "flag"
            found.append(at["origin"] if is_flag else f"[live] {name} = {at['value']}")
    if found:
        raise ConfigError(
            f"account {account.name} is a real one, and these hold on paper alone: "
            f"{', '.join(found)}: leave them out, or --paper for paper fills"
        )


def _check_environment(account: Account, origins: Origins) -> None:
    at = origins.get("settings.paper_trading", {})
    if at.get("value") is not False:
        raise ConfigError(
            f"account {account.name} is a real one: set PAPER_TRADING=False in the environment or "
            "in .env to trade on it, or --paper for paper fills"
        )
    if at.get("source") != "env":
        raise ConfigError(
            f"account {account.name} is a real one: paper_trading = false counts in the "
            "environment or in .env alone (PAPER_TRADING=False), not in a settings file"
        )


def _check_confirmed(
    account: Account, venue: Venue, asked: Asked, look_up: Callable[[str], str | None]
) -> None:
    """Raise unless a person named the account once more by its last characters."""
    whole, where = _number_of(account, venue, look_up)
    wanted = whole[-SUFFIX_LENGTH:]
    what = f"the last {len(wanted)} characters of {where}"
    given = asked.confirm
    if given is None and asked.ask is not None:
        given = asked.ask(
            f"REAL {account.environment} account {account.name} at {venue.title}. "
            f"To trade on it, type {what}"
        )
    if given is None:
        raise ConfigError(
            f"account {account.name} is a real one and there is no terminal to ask: "
            f"--confirm SUFFIX with {what}"
        )
    if given.strip().casefold() != wanted.casefold():
        raise ConfigError(
            f"account {account.name}: {given.strip()!r} is not {what}: nothing was started"
        )


def _number_of(
    account: Account, venue: Venue, look_up: Callable[[str], str | None]
) -> tuple[str, str]:
    """Return the account's number at the venue where one is set, else its name; and which."""
    for item in venue.credentials:
        if item.name == "account_id":
            for variable in (own_variable(item.variable, account.name), item.variable):
                value = (look_up(variable) or "").strip()
                if value:
                    return value, variable
    return account.name, f"the account's name, {account.name}"
