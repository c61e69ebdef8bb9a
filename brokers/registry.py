"""Which venues there are: an entry each, and nothing of a venue is loaded before it is used.

An entry says what a command must know before it may touch a venue: how one logs in, which
variables hold its credentials, what has to be installed, and the names of two functions that are
imported when they are called. A further venue is a folder and an entry here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from importlib.util import find_spec
from typing import Any

from brokers.port import Capabilities, VenuePort
from core.config import Account, LiveSettings
from core.config_fields import CREDENTIALS
from core.errors import ConfigError, near_name
from core.events import Event
from core.log import register_secrets


class Login(Enum):
    """How one gets into a venue.

    NONE : there is nothing to log in to.
    LASTING_TOKEN : a token that does not expire is all.
    KEY : the program logs in by itself with a key, as often as it must.
    TOTP : password and one-time code, each day; a program can do it.
    REQUEST_TOKEN : a page in the browser, each day; the address it ends on holds a token to trade
        for the real one.
    OAUTH : the same with a redirect to an address of ours.
    """

    NONE = "none"
    LASTING_TOKEN = "lasting token"
    KEY = "key"
    TOTP = "one-time code"
    REQUEST_TOKEN = "request token"
    OAUTH = "oauth"

    @property
    def needs_person(self) -> bool:
        """Whether somebody must be at a browser for it."""
        return self in (Login.REQUEST_TOKEN, Login.OAUTH)


class Need(Enum):
    """When a credential must be there.

    ALWAYS : nothing works without it. LOGIN : only to log in. FROM_LOGIN : the login leaves it;
    without it, log in. OPTIONAL : the venue has a default.
    """

    ALWAYS = "always"
    LOGIN = "login"
    FROM_LOGIN = "from login"
    OPTIONAL = "optional"


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # the package it is in is not there either
        return False


@dataclass(frozen=True, slots=True)
class Credential:
    """One thing a venue wants to know of its user.

    name : what the venue's own configuration calls it. variable : where it is looked up.
    is_secret : False for a number or an address that may be shown.
    """

    name: str
    variable: str
    need: Need = Need.ALWAYS
    is_secret: bool = True


@dataclass(frozen=True)
class Credentials:
    """What was found of a venue's credentials for one account.

    values : by name. missing : variables of those that must always be there.
    missing_for_login : of those that logging in needs. needs_login : what the login leaves is not
        there.
    """

    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    missing: tuple[str, ...] = ()
    missing_for_login: tuple[str, ...] = ()
    needs_login: bool = False


@dataclass(frozen=True)
class PortRequest:
    """What a venue's port is made of.

    Attributes
    ----------
    account : as in tola.toml.
    credentials : read anew before each login: a token may have been renewed since the last one.
    keep : puts what a login or a refresh left where the next `credentials` finds it. A refresh
        token that is good for one use must be kept before anything else is done. None: nowhere.
    live : how often lost connections and refused questions are tried again, and the like.
    symbols : the project's symbols that will be traded or watched.
    emit : takes each event, from any thread; usually the inbox's `put`.
    options : the venue's own settings (addresses, a product, a region).
    """

    account: Account
    live: LiveSettings
    symbols: tuple[str, ...]
    emit: Callable[[Event], None]
    credentials: Callable[[], Credentials] = Credentials
    keep: Callable[[Mapping[str, str]], None] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Venue:
    """One venue, as far as it is known without loading it.

    Attributes
    ----------
    name, title : in settings, and for people.
    capabilities : module:function that returns its `Capabilities`; imports no SDK.
    port : module:function from a `PortRequest` to its `VenuePort`; "" where `live/build` joins it.
    extra : of the installation, with the modules it brings.
    environments : what an account there may be besides paper.
    log_in : module:function from a `brokers.logins.LoginRequest` to a `Token`; "" where a program
        needs no person for it.
    check_login : module:function from an `ExamineRequest` to the user's name at the venue: it asks
        whether the token lives. examine : to `Finding`s, of all that trading needs.
    clock : module:function from the venue's settings to what tells its market's time (ns UTC); "":
        this computer's.
    history : module:function from a `brokers.fetching.FetchRequest` to a `VenueHistory`.
    """

    name: str
    title: str
    capabilities: str
    port: str = ""
    extra: str = ""
    modules: tuple[str, ...] = ()
    login: Login = Login.NONE
    credentials: tuple[Credential, ...] = ()
    environments: tuple[str, ...] = ()
    log_in: str = ""
    check_login: str = ""
    examine: str = ""
    clock: str = ""
    history: str = ""

    @property
    def is_real(self) -> bool:
        """Whether orders leave this computer."""
        return bool(self.environments)

    def missing_modules(self) -> list[str]:
        """Return the modules it needs that are not installed; none of them is imported."""
        return [name for name in self.modules if not _is_installed(name)]

    def credentials_of(self, account: str, look_up: Callable[[str], str | None]) -> Credentials:
        """Return the credentials of an account; secrets are cut out of every log from here on.

        Parameters
        ----------
        account : str
            Its name: `VARIABLE__ACCOUNT` is looked up before `VARIABLE`, so that several accounts
            at one venue each have their own.
        look_up : callable
            A variable's value from the environment, a vault or a keyring; None or "" for none.
        """
        values: dict[str, str] = {}
        absent: dict[Need, list[str]] = {need: [] for need in Need}
        for item in self.credentials:
            own = look_up(own_variable(item.variable, account))
            value = (own or look_up(item.variable) or "").strip()
            if value:
                values[item.name] = value
            else:
                absent[item.need].append(item.variable)
        register_secrets(
            values[item.name] for item in self.credentials if item.is_secret and item.name in values
        )
        return Credentials(
            values,
            tuple(absent[Need.ALWAYS]),
            tuple(absent[Need.ALWAYS] + absent[Need.LOGIN]),
            bool(absent[Need.FROM_LOGIN]),
        )

    def load_capabilities(self) -> Capabilities:
        """Return the table of what it can do; its folder is imported, no SDK is."""
        found: Capabilities = self._load(self.capabilities)()
        return found

    def load(self, place: str) -> Callable[..., Any]:
        """Return one of its functions, named `module:function`.

        Raises
        ------
        ConfigError : what it needs is not installed, or does not load.
        """
        missing = self.missing_modules()
        if missing:
            raise ConfigError(self._not_installed(", ".join(missing)))
        try:
            for name in self.modules:
                importlib.import_module(name)
        except ImportError as cause:
            raise ConfigError(self._not_installed(str(cause))) from cause
        return self._load(place)

    def make_port(self, request: PortRequest) -> VenuePort:
        """Return its port for one account, not yet connected.

        Raises
        ------
        ConfigError : what it needs is not installed, or its port is made elsewhere.
        """
        if not self.port:
            raise ConfigError(f"venue {self.name}: it has no port of its own, a session makes it")
        made: VenuePort = self.load(self.port)(request)
        return made

    def _load(self, place: str) -> Callable[..., Any]:
        module, _, name = place.partition(":")
        try:
            found: Callable[..., Any] = getattr(importlib.import_module(module), name)
        except ImportError as cause:
            raise ConfigError(self._not_installed(str(cause))) from cause
        return found

    def _not_installed(self, what: str) -> str:
        remedy = f': python -m pip install ".[{self.extra}]"' if self.extra else ""
        return f"venue {self.name} cannot be loaded ({what}){remedy}"


_ENTRIES = (
    Venue("paper", "fills in this program, without money", "brokers.paper:paper_capabilities"),
    Venue(
        "kite",
        "Zerodha Kite",
        "brokers.kite:kite_capabilities",
        port="brokers.kite.make:make_port",
        log_in="brokers.kite.login:log_in",
        check_login="brokers.kite.login:check_login",
        examine="brokers.kite.doctor:examine",
        clock="brokers.kite.clock:venue_clock",
        history="brokers.kite.fetch:open_history",
        extra="kite",
        modules=("kiteconnect", "twisted", "autobahn"),
        login=Login.REQUEST_TOKEN,
        credentials=(
            Credential("api_key", "ZERODHA_API_KEY"),
            Credential("api_secret", "ZERODHA_API_SECRET", Need.LOGIN),
            Credential("access_token", "ZERODHA_ACCESS_TOKEN", Need.FROM_LOGIN),
            Credential("account_id", "ZERODHA_USER_ID", Need.OPTIONAL, is_secret=False),
        ),
        environments=("live",),
    ),
)

VENUES: dict[str, Venue] = {entry.name: entry for entry in _ENTRIES}
"""The venues of this version, by name."""


def get_venue(name: str) -> Venue:
    """Return a venue by name.

    Raises
    ------
    ConfigError : this version has none of that name; says which there are, and near names.
    """
    if name in VENUES:
        return VENUES[name]
    available = ", ".join(sorted(VENUES))
    if name in CREDENTIALS:
        raise ConfigError(f"venue {name}: not part of this version yet; available: {available}")
    near = near_name(name, {*VENUES, *CREDENTIALS}).partition(" (known")[0]
    raise ConfigError(f"venue {name!r} is unknown{near}; available: {available}")


def own_variable(variable: str, account: str) -> str:
    """Return the variable that holds a credential for one account alone: `NAME__ACCOUNT`."""
    clean = "".join(letter if letter.isalnum() else "_" for letter in account.upper())
    return f"{variable}__{clean}"


@dataclass(frozen=True, slots=True)
class VenueCheck:
    """Whether a venue could be used now, for people who ask before they start.

    missing_modules, missing : what is not installed and which variables are not set.
    remedy : what to do about the first of them, "" where nothing is to be done.
    """

    venue: Venue
    missing_modules: tuple[str, ...]
    missing: tuple[str, ...]
    needs_login: bool
    remedy: str

    @property
    def is_ready(self) -> bool:
        """Whether nothing is to be done before it is used."""
        return not self.remedy


def check_venues(
    look_up: Callable[[str], str | None], names: Sequence[str] = (), account: str = ""
) -> list[VenueCheck]:
    """Return what stands between us and each venue; nothing is imported or sent."""
    wanted = [get_venue(name) for name in names] or list(VENUES.values())
    return [_check(venue, look_up, account) for venue in wanted]


def _check(venue: Venue, look_up: Callable[[str], str | None], account: str) -> VenueCheck:
    modules = tuple(venue.missing_modules())
    found = venue.credentials_of(account, look_up)
    missing = found.missing_for_login if found.needs_login else found.missing
    remedy = ""
    if modules:
        remedy = f'python -m pip install ".[{venue.extra}]"'
    elif missing:
        remedy = f"set {', '.join(missing)} in the environment or in .env"
    elif found.needs_login:
        remedy = f"python run.py login {venue.name}"
    return VenueCheck(venue, modules, missing, found.needs_login, remedy)
