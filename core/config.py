"""Plans, accounts and settings: `tola.toml`, then the environment, then the command line.

Each value remembers where it came from. Everything wrong is told in one message; unknown names
suggest near ones. Credentials are kept apart and never shown or stored.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from core.config_fields import DEFAULT_CASH
from core.errors import ConfigError
from core.log import redact

DEFAULT_FILE = "tola.toml"
OVERRIDING = ("env", "flag", "file name", "file bars")
"""Sources whose values displace what defaults and the settings file say."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a value came from.

    source : default, file, env or flag; `file name` and `file bars` for what a price file told by
    its name and its bars. origin : the file's name, the variable or the flag.
    previous : the value it displaced, None if there was none.
    """

    value: Any
    source: str
    origin: str
    previous: Provenance | None = None

    def describe(self) -> str:
        """Return it in words: `5m (flag --timeframe; tola.toml says 15m)`."""
        text = f"{_shown(self.value)} ({self.source} {self.origin}".rstrip()
        if self.previous is not None and self.previous.source != "default":
            text += f"; {self.previous.origin} says {_shown(self.previous.value)}"
        return text + ")"


@dataclass(frozen=True)
class Plan:
    """What trades: one strategy on one instrument. None means: not stated.

    data : price files; empty: the bundled prices. further : series name to file (`with`).
    risk : a preset's name; None: the strategy's own parameters make the rules.
    first, last : trading dates, both included. cash_share : of the account's cash.
    """

    name: str
    strategy: str
    instrument: str
    timeframe: str
    data: tuple[str, ...] = ()
    further: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)
    risk: str | None = None
    account: str | None = None
    tz: str | None = None
    stamp: str = "start"
    first: date | None = None
    last: date | None = None
    cash: float | None = None
    cash_share: float = 1.0
    currency: str | None = None
    instrument_set: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Account:
    """An account at a venue, or the imagined one of a backtest.

    opposite : what happens to a plan's order against another plan's position: net, refuse, queue.
    symbols : the venue's own name of a symbol of ours, where it is not the usual one.
    options : the venue's own settings.
    live : fields of [live] that hold otherwise on this account.
    """

    name: str
    venue: str = "backtest"
    environment: str = "paper"
    currency: str | None = None
    cash: float | None = None
    read_only: bool = False
    opposite: str = "net"
    symbols: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    live: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Group:
    """Accounts whose limits hold together; None: no such limit.

    members : their folders' names. currency : of the money here.
    daily_loss, open_risk : money. gold_ounces : troy ounces long, or short, together.
    """

    name: str
    members: tuple[str, ...]
    currency: str
    daily_loss: float | None = None
    open_risk: float | None = None
    gold_ounces: float | None = None


@dataclass(frozen=True)
class Settings:
    """How runs are made, for every plan.

    volume_share : largest share of a bar's volume one order may take; None: no limit.
    news_spread : the spread's factor in the minutes around scheduled news; 1: no wider.
    out : run folder; None: the next one in `runs/`. instruments, calendar : the user's own files.
    unconfirmed : whether facts without a primary source are used or their predecessors.
    """

    intrabar: str = "worst"
    fills: str = "tola"
    limit_fill: str = "touch"
    volume_share: float | None = None
    news_spread: float = 1.0
    costs: bool = True
    margin: bool = True
    band: bool = False
    report: bool = True
    out: str | None = None
    unconfirmed: str = "use"
    instruments: str | None = None
    calendar: str | None = None
    log_level: str = "INFO"
    paper_trading: bool = True
    database_url: str | None = None
    secrets: str = "env"


@dataclass(frozen=True)
class LiveSettings:
    """How a session on a clock is run.

    Attributes
    ----------
    speed : float or "max"
        How many times faster than the clock recorded prices are played; "max": without waiting.
    history_bars : int
        Bars of history asked for before the first live one.
    entry_age_secs : float
        How long after its END a bar may still bring entries.
    stale_secs : float
        A feed silent for so long in an open market has a gap.
    unprotected_secs : float
        A position so long without a working stop is closed.
    reconnect_interval, max_retries : float, int
        Seconds between attempts at a lost connection, and how many before it is given up.
    retry_delay, burst_size : float, int
        Seconds before a refused question is asked again; most questions at once.
    at_end : str or None
        keep or flatten what is open when the session ends; None: flatten on paper, keep on a real
        account.
    at_roll : str
        What becomes of a position whose contract is left for the next one: roll (closed and opened
        again there), close, or keep (it is only told of).
    foreign : str
        What orders and fills of another hand lead to: count, pause (no entry on that instrument)
        or halt (no entry at all).
    restores_stops : bool
        A stop that another hand moved to more risk goes back; else it is only told of.
    balance_tolerance : float or None
        Account money by which the venue's balance may differ from ours; None: not compared.
    slippage_ticks : float or None
        Ticks by which a fill of a real account may be worse than the model before `verify` fails;
        None: it is only told.
    settle_secs : float
        An order that was never answered has never arrived once two snapshots in a row, asked for
        so long after it was sent, lack it.
    mend_secs : float
        A stop that ended unasked is put back after so long.
    close_retry_secs : float
        A close that was refused is asked for again after so long.
    bar_settle_secs, bar_patience_secs : float
        How long after its end a bar of history is asked for first, and may be missing.
    history_retry_secs, history_tries, history_answer_secs : float, int, float
        Pause between two requests for the same bars, how many may fail, and when one without an
        answer has failed.
    clock_error_secs : float
        How far this computer's clock may be behind the venue's.
    hole_bars : int or None
        Bars after a hole until entries are on again; None: as many as the warm-up has.
    check_every_bars : int
        How often built bars are compared with the venue's history; 0: never.
    latency_ms : float
        How long an order takes to the paper venue.
    brackets, positions : str
        How the paper venue behaves: native or kept stops and targets; netting or hedging.
    """

    speed: float | str = 1.0
    history_bars: int = 1000
    entry_age_secs: float = 10.0
    stale_secs: float = 30.0
    unprotected_secs: float = 5.0
    reconnect_interval: float = 5.0
    max_retries: int = 10
    retry_delay: float = 1.0
    burst_size: int = 10
    at_end: str | None = None
    at_roll: str = "roll"
    foreign: str = "pause"
    restores_stops: bool = True
    balance_tolerance: float | None = 1.0
    slippage_ticks: float | None = None
    settle_secs: float = 10.0
    mend_secs: float = 2.0
    close_retry_secs: float = 5.0
    bar_settle_secs: float = 2.0
    bar_patience_secs: float = 30.0
    history_retry_secs: float = 1.0
    history_tries: int = 5
    history_answer_secs: float = 30.0
    clock_error_secs: float = 2.0
    hole_bars: int | None = None
    check_every_bars: int = 0
    latency_ms: float = 0.0
    brackets: str = "native"
    positions: str = "netting"


@dataclass(frozen=True)
class AlertSettings:
    """Who is told what a session does.

    services : addresses as the apprise package reads them. ping : an address that is asked for
    every `ping_secs` while the session is well; None: none. Both are credentials.
    per_minute : most alerts of a kind in a minute.
    """

    services: tuple[str, ...] = field(default=(), repr=False)
    ping: str | None = field(default=None, repr=False)
    ping_secs: float = 60.0
    per_minute: float = 1.0


BUNDLED_PLANS: dict[str, dict[str, Any]] = {
    "gold": {"strategy": "gold_smc", "instrument": "MGC", "timeframe": "15m"},
    "nifty": {"strategy": "nifty_smc", "instrument": "NIFTY-FUT", "timeframe": "5m"},
}
"""What runs without a `tola.toml`, on the bundled prices."""


@dataclass(frozen=True)
class Known:
    """Names other packages know, to check against; None leaves a kind unchecked.

    strategies : parameter names by strategy. presets : risk presets.
    check_zone : raises ConfigError for a zone that price files may not be in.
    """

    strategies: Mapping[str, Collection[str]] | None = None
    presets: Collection[str] | None = None
    check_zone: Callable[[str], object] | None = None


@dataclass(frozen=True)
class Config:
    """The whole configuration of one command.

    selected : the plans this command works on. fx : pair to rate or file.
    risk : the user's own presets as they stand in [risk.NAME]. credentials : by variable name.
    venues : the venues' own settings as they stand in [venues.NAME].
    provenance : dotted name ('plans.gold.timeframe') to where its value came from.
    """

    plans: Mapping[str, Plan]
    selected: tuple[Plan, ...]
    accounts: Mapping[str, Account]
    settings: Settings
    fx: Mapping[str, float | str]
    risk: Mapping[str, Mapping[str, Any]]
    provenance: Mapping[str, Provenance]
    path: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)
    live: LiveSettings = LiveSettings()
    alerts: AlertSettings = AlertSettings()
    groups: Mapping[str, Group] = field(default_factory=dict)
    venues: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def overrides(self) -> list[str]:
        """Return a line for each value that a variable, a flag or a price file set."""
        return [
            f"{name} = {origin.describe()}"
            for name, origin in sorted(self.provenance.items())
            if origin.source in OVERRIDING
        ]

    def stored(self) -> dict[str, dict[str, Any]]:
        """Return every value with source and origin, fit for JSON (no credential is among them)."""
        return {
            name: {"value": _plain(at.value), "source": at.source, "origin": at.origin}
            for name, at in sorted(self.provenance.items())
        }

    def account_for(self, plan: Plan, quote_currency: str) -> Account:
        """Return a plan's account with its currency and cash settled.

        Currency: the plan's, the account's, else the instrument's quote currency. Cash: the
        plan's, the account's, else USD 100,000 or INR 2,000,000.
        """
        account = self.accounts.get(plan.account or "", Account(plan.account or "backtest"))
        code = plan.currency or account.currency or quote_currency
        cash = plan.cash or account.cash or DEFAULT_CASH.get(code)
        if cash is None:
            raise ConfigError(
                f"plan {plan.name}: no starting cash for an account in {code}; set cash = AMOUNT"
            )
        values = {name: getattr(account, name) for name in Account.__dataclass_fields__}
        return Account(**{**values, "currency": code, "cash": cash})


def _shown(value: Any) -> str:
    """Return a value as one prints it: tables as KEY=VALUE, passwords in addresses cut out."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return redact(str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def load(
    path: str | Path = DEFAULT_FILE,
    *,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, Any] | None = None,
    select: Sequence[str] = (),
    known: Known | None = None,
    derived: Mapping[str, Provenance] | None = None,
) -> Config:
    """Return the configuration of one command, checked.

    Parameters
    ----------
    path : str or Path
        The TOML file; only the default name may be absent (then the bundled plans stand in).
    env : mapping, optional
        Environment variables; the process's own by default. `.env` beside the file fills gaps.
    flags : mapping, optional
        Fields of plans, settings and [live] by name from the command line (None: not given). A plan
        field goes to every selected plan; tables (`params`, `with`, `instrument_set`) are merged
        key by key and may be lists of KEY=VALUE.
    select : sequence of str
        Plan or strategy names (or `file.py:Class`); none: every plan.
    known : Known, optional
        Names to check against.
    derived : mapping, optional
        Plan fields that a price file told: they displace defaults, nothing the user wrote.

    Raises
    ------
    ConfigError : one message with every fault.
    """
    from core.config_load import Loader

    document, present = _read_document(Path(path))
    variables = {**_read_dotenv(Path(path).parent / ".env"), **(os.environ if env is None else env)}
    loader = Loader(
        document,
        str(path) if present else None,
        variables,
        dict(flags or {}),
        known or Known(),
        derived or {},
    )
    return loader.load(select)


def _read_document(path: Path) -> tuple[dict[str, Any], bool]:
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows editors write the mark
        return tomllib.loads(text), True
    except FileNotFoundError as cause:
        if path.name == DEFAULT_FILE:
            return {}, False
        raise ConfigError(
            f"settings file {path}: not found; python run.py init makes one"
        ) from cause
    except tomllib.TOMLDecodeError as cause:
        hint = "; write Windows paths in single quotes, or with /" if "\\" in text else ""
        raise ConfigError(f"settings file {path}: not valid TOML: {cause}{hint}") from cause
    except UnicodeDecodeError as cause:
        raise ConfigError(f"settings file {path}: not UTF-8: save it as such") from cause
    except OSError as cause:
        raise ConfigError(f"settings file {path}: cannot be read: {cause}") from cause


def _read_dotenv(path: Path) -> dict[str, str]:
    """Return the KEY=VALUE lines of a `.env` file; an absent file is an empty one."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as cause:
        raise ConfigError(f"{path}: cannot be read: {cause}") from cause
    pairs = {}
    for line in lines:
        name, sign, value = line.strip().removeprefix("export ").partition("=")
        if sign and not name.lstrip().startswith("#"):
            pairs[name.strip()] = _unquoted(value.strip())
    return pairs


def _unquoted(value: str) -> str:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return value[1:-1]
    return value.split(" #", 1)[0].rstrip()
