"""`live`: a session of one account, on paper over replayed prices unless the gate is passed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from backtests.request import AccountRequest, BacktestRequest
from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from brokers.access import access_to
from brokers.port import Brackets
from core.config import load
from core.errors import ConfigError, StrategyError, TolaError
from core.results import RunFolder, RunWriter
from core.wording import plural
from live.account_folder import account_folder
from live.gate import Admission, Asked, admit, is_real_account, known_accounts, paper_folder
from live.group_limits import GroupLimits
from live.group_watch import limits_of
from live.session import Session, SessionRequest, SessionResult
from live.settings import session_terms, settings_of
from live.start_up import Remedy
from live.verbs.venue_market import (
    DEFAULT_VENUE,
    SANDBOX,
    OpenSandbox,
    check_venue,
    on_market,
    open_for,
    sandbox_market,
    venue_market,
    with_venue_cash,
)

RUNS = Path("runs")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h|d)?$")
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}

Draw = Callable[[RunFolder], Mapping[str, Any]]


def live(
    names: Sequence[str],
    flags: Mapping[str, Any],
    config: str,
    draw: Draw | None,
    *,
    account: str | None = None,
    paper: bool = False,
    confirm: str | None = None,
    ask: Callable[[str], str] | None = None,
    lasts: str | None = None,
    venue: str | None = None,
    open_sandbox: OpenSandbox | None = None,
    quiet: bool = False,
    adopt: bool = False,
    flatten: bool = False,
) -> Outcome:
    """Run a session and leave its run folder: on paper, unless the gate lets it to a venue.

    Parameters
    ----------
    names : plans or strategies of one account; none: the first account's.
    flags : fields of plans and settings by name, None where not given.
    draw : writes the report; None: none is drawn.
    account : an account of the settings; any other name is a paper account's folder.
    paper, confirm, ask : what the gate is told (`live.gate.Asked`).
    lasts : how long it may run (`90s`, `2m`, `1h`).
    venue : whose prices it follows; None: the plans' own prices are replayed.
    open_sandbox : starts a sandbox of the venue, which replays the plans' prices.
    adopt, flatten : what is done where the venue's books differ from ours at the start.

    Raises
    ------
    TolaError : the account is held or killed, settings or data are at fault.
    """
    from core.log import configure
    from live.alerts import Alerts
    from live.view import View

    remedy = _remedy(adopt, flatten)
    if account == "":
        raise ConfigError("--account: a name is missing")
    whole, names, flags = _routed(names, flags, config, account)
    chosen, left_out = _one_account(whole, names)
    seconds = None if lasts is None else parse_duration(lasts)
    admission = admit(
        Asked(account, paper, confirm, ask, flags), whole.origins, has_rules=bool(chosen.limits),
        look_up=_credential(config),
    )  # fmt: skip
    name = admission.folder or account or _own_folder(chosen, whole)
    at_end = "flatten" if admission.venue is None else "keep"
    asked = _session_request(whole, chosen, names, flags, config, name, seconds, at_end)
    asked = replace(asked, remedy=remedy)
    with ExitStack() as stack:
        configure("WARNING", brief=True)
        if admission.venue is not None:
            asked, told = _for_real(asked, whole, admission, venue, open_sandbox, config)
            left_out += told
        else:
            asked = _on_market(asked, whole, account, venue, open_sandbox, config, stack)
        asked.folder.make()
        mode = "PAPER" if asked.market is None else asked.market.mode.upper()
        alerts = stack.enter_context(Alerts.of(whole.alerts, f"{mode} {asked.folder.name}"))
        view = stack.enter_context(View())
        for line in left_out:
            view.say(line)
        show = (lambda status: None) if quiet else _shower(view, alerts)
        result = _run(Session(asked, show, alerts.send))
    if result.failure is not None and any(plan.strategy is None for plan in result.built.plans):
        raise _not_begun(result.failure) from result.failure
    folder, summary = _stored(result, asked, whole, draw)
    if result.failure is not None:
        raise _explained(result, folder) from result.failure
    return _outcome(result, summary, folder)


def _run(session: Session) -> SessionResult:
    """Run a session; say what a second Ctrl-C leaves behind."""
    try:
        return session.run()
    except KeyboardInterrupt as cause:
        name = session.folder.name
        raise TolaError(
            f"account {name}: broken off before it was flat: a position may be open; its record is "
            "kept, and the next start goes on from it: " + command_line(["live", "--account", name])
        ) from cause


def _on_market(
    asked: SessionRequest,
    whole: BacktestRequest,
    account: str | None,
    venue: str | None,
    open_sandbox: OpenSandbox | None,
    config: str,
    stack: ExitStack,
) -> SessionRequest:
    """Return the request on a venue's market, or a sandbox's, where one is asked for."""
    if open_sandbox is not None:
        name = venue or DEFAULT_VENUE
        is_paced = whole.origins["live.speed"]["source"] != "default"
        speed = asked.terms.speed if is_paced else None
        opened = open_for(open_sandbox, name, asked.loaded, asked.terms, asked.account.cash, speed)
        stack.callback(opened.close)
        options = load(config).venues.get(name, {})
        return on_market(asked, sandbox_market(opened, name, account, whole.live, options))
    if account == SANDBOX:
        raise ConfigError("account sandbox: --sandbox starts the sandbox it is at")
    if venue is None:
        return asked
    access = access_to(venue, account, config)
    return on_market(asked, venue_market(access, whole.live, fills_on_paper=True))


def _for_real(
    asked: SessionRequest,
    whole: BacktestRequest,
    admission: Admission,
    venue: str | None,
    open_sandbox: OpenSandbox | None,
    config: str,
) -> tuple[SessionRequest, list[str]]:
    """Return the request on the venue of a real account, and what a person should read first."""
    assert admission.venue is not None and admission.account is not None
    name, at = admission.account.name, admission.venue.name
    if open_sandbox is not None:
        raise ConfigError(f"account {name} is a real one: --sandbox has its own account")
    if venue is not None and venue != at:
        raise ConfigError(f"account {name} is at {at}, not at {venue}: leave --venue out")
    access = access_to(at, name, config)
    market = venue_market(access, whole.live, fills_on_paper=False)
    told = check_venue(access)
    asked, cash = with_venue_cash(on_market(asked, market), market, access)
    return asked, [*told, cash]


def _routed(
    names: Sequence[str], flags: Mapping[str, Any], config: str, account: str | None
) -> tuple[BacktestRequest, Sequence[str], Mapping[str, Any]]:
    """Return the request with the plans on the account that was named, where settings know it."""
    from backtests.resolve import resolve

    whole = resolve(names, flags, config)
    if account is None or account not in known_accounts(whole.origins):
        return whole, names, flags
    if not names and not flags.get("strategy"):
        names = [plan.plan.name for plan in whole.plans if plan.plan.account == account]
        if not names:
            raise ConfigError(
                f"account {account}: no plan names it: which one? "
                + command_line(["live", "PLAN", "--account", account])
            )
    flags = {**flags, "account": account}
    return resolve(names, flags, config), names, flags


def _remedy(adopt: bool, flatten: bool) -> Remedy:
    if adopt and flatten:
        raise ConfigError("--adopt and --flatten: choose one: what is not ours stays, or is closed")
    return Remedy.ADOPT if adopt else Remedy.FLATTEN if flatten else Remedy.NONE


def _credential(config: str) -> Callable[[str], str | None]:
    """Return what finds a credential in the environment or in `.env`."""
    found: dict[str, str] = {}

    def look_up(name: str) -> str | None:
        if not found:
            found.update(load(config).credentials)
        return os.environ.get(name) or found.get(name)

    return look_up


def _account_of(chosen: AccountRequest) -> str | None:
    """Return the account of the settings that the plans are on, None for none."""
    return next((plan.plan.account for plan in chosen.plans if plan.plan.account), None)


def _own_folder(chosen: AccountRequest, whole: BacktestRequest) -> str:
    """Return the folder of a paper session for which no account was named."""
    own = _account_of(chosen)
    if own is None:
        return "paper-" + "-".join(plan.plan_id for plan in chosen.plans)
    return paper_folder(own) if is_real_account(own, whole.origins) else own


def _shower(view: Any, alerts: Any) -> Callable[[Any], None]:
    from live.monitor import to_document

    def show(status: Any) -> None:
        alerts.beat()
        view.show(to_document(replace(status, alerts=alerts.recent())))

    return show


def parse_duration(text: str) -> float:
    """Return a duration such as 90s, 2m or 1h in seconds.

    Raises
    ------
    ConfigError : it cannot be read.
    """
    found = _DURATION.match(text.strip().lower())
    if not found or float(found[1]) <= 0.0:
        raise ConfigError(f"--for {text}: expected a time such as 90s, 2m or 1h")
    return float(found[1]) * _UNITS[found[2]]


def _one_account(whole: BacktestRequest, names: Sequence[str]) -> tuple[AccountRequest, list[str]]:
    """Return the account to run; a process runs one."""
    first, *others = whole.accounts
    if others and names:
        lines = [f"  {item.name}: {' '.join(p.plan_id for p in item.plans)}"
                 for item in whole.accounts]  # fmt: skip
        raise ConfigError(
            "one process runs one account, and these plans are of several: start each by itself\n"
            + "\n".join(lines)
        )
    left_out = [
        f"{' '.join(plan.plan_id for plan in item.plans)}: another account ({item.currency}); "
        f"run it beside this one: {command_line(['live', *(p.plan_id for p in item.plans)])}"
        for item in others
    ]
    return first, left_out


def _session_request(
    whole: BacktestRequest,
    chosen: AccountRequest,
    names: Sequence[str],
    flags: Mapping[str, Any],
    config: str,
    name: str,
    seconds: float | None,
    at_end: str,
) -> SessionRequest:
    """Return what a session is made of; `at_end` is what becomes of positions unless told."""
    from backtests.runner import flats_of, load_account

    settings = settings_of(whole.live, whole.origins, _account_of(chosen))
    loaded = load_account(chosen, whole)
    return SessionRequest(
        chosen,
        loaded,
        [flats_of(plan.request, chosen) for plan in loaded],
        session_terms(settings, whole.origins),
        account_folder(name),
        whole.settings.database_url,
        settings.at_end or at_end,
        seconds,
        groups=_groups(whole),
        document={
            "names": list(names),
            "flags": {key: _plain(value) for key, value in flags.items() if value is not None},
            "config": config,
            "settings": whole.origins,
        },
    )


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value


def _groups(whole: BacktestRequest) -> dict[str, GroupLimits]:
    """Return the limits of the groups; an exchange rate must be a number: prices are no file."""
    fx = {pair: rate for pair, rate in whole.fx.items() if not isinstance(rate, str)}
    return {name: limits_of(group, fx) for name, group in whole.groups.items()}


def _stored(
    result: SessionResult, asked: SessionRequest, whole: BacktestRequest, draw: Draw | None
) -> tuple[RunFolder, dict[str, Any]]:
    from backtests.runner import finish
    from live.results import store_session

    with RunWriter(RUNS) as writer:
        folder = store_session(result, asked, whole, writer)
    return folder, finish(folder, draw if whole.settings.report else None)


def _explained(result: SessionResult, folder: RunFolder) -> TolaError:
    failure = result.failure
    if isinstance(failure, TolaError):
        return failure
    assert failure is not None
    bars = [f"{plan.plan_id} bar {len(plan.bars)}" for plan in result.built.plans]
    return StrategyError(
        f"a strategy raised {_fault(failure)} ({', '.join(bars)}); "
        f"entries stopped, positions were closed; the record is in {folder.path.as_posix()}"
    )


def _not_begun(failure: BaseException) -> TolaError:
    if isinstance(failure, TolaError):
        return failure
    return StrategyError(
        f"a strategy raised {_fault(failure)} before the first bar; nothing was traded"
    )


def _fault(failure: BaseException) -> str:
    """Return what was raised, and at which line of which file."""
    import traceback

    said = str(failure)
    text = f"{type(failure).__name__}: {said}" if said else type(failure).__name__
    frames = traceback.extract_tb(failure.__traceback__)
    return f"{text} at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else text


def _outcome(result: SessionResult, summary: dict[str, Any], folder: RunFolder) -> Outcome:
    from live.results import live_document

    facts = summary["live"]
    built = result.built
    left = sum(bool(plan.position_steps) for plan in built.broker.plans)
    state = f"{plural(left, 'position')} open" if left else "flat"
    currency = built.request.currency
    lines = [
        f"{result.exit_reason}: {state}, journal closed",
        f"{facts['mode'].upper()} {' '.join(p.plan_id for p in built.plans)}  "
        f"{plural(facts['bars'], 'bar')}  {plural(facts['trades'], 'trade')}  "
        f"net {facts['net_profit']:+,.2f} {currency}",
    ]
    if left and facts["mode"] == "live" and built.broker.capabilities.brackets is Brackets.NONE:
        lines.append(
            "nobody cancels its target when its stop fills, or its stop when its target does, "
            "until the session is started again: what is left would open a position"
        )
    if result.differences:
        lines += ["no entries were taken, the venue's books differ from ours:"]
        lines += [f"  {text}" for text in result.differences]
        lines += ["  --adopt accepts what the venue holds, --flatten closes what is not ours"]
    if facts["missed_entries"]:
        missed = plural(len(facts["missed_entries"]), "entry", "entries")
        lines.append(f"missed while prices were away: {missed}")
    files = summary["files"]
    if "report" in files:
        lines.append(f"report {files['report']}")
    failed = result.exit_reason.startswith("killed") or bool(result.differences)
    return Outcome(
        live_document(summary),
        lines,
        command_line(["verify", folder.name]),
        lines[:2],
        FAILED if failed else DONE,
    )
