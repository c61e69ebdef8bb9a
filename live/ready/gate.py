"""The checks of one plan, in the order a plan comes by them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.identity import identity_of, what_differs
from backtests.request import AccountRequest, BacktestRequest, PlanRequest
from backtests.results.summary import plain_params
from backtests.verbs.outcome import command_line
from brokers.access import access_to
from brokers.registry import VENUES
from core.calendar import get_calendar
from core.config import Config
from core.errors import TolaError
from core.wording import plural
from live.ready.checks import Check, failed, inapplicable, passed
from live.ready.records import SessionRecord, newest_walk_forward, read_audit, sessions_of
from strategies.base import SetupStrategy

PAPER_DAYS = 5
_AXIS = "rr=1:3:0.5"
"""What a walk-forward may vary of every setup machine: how far the target lies."""


def examine(
    request: BacktestRequest,
    config: Config,
    runs: Path,
    *,
    paper_days: int = PAPER_DAYS,
    again: Sequence[str] = (),
    on_market: Sequence[str] = (),
) -> list[Check]:
    """Look at everything one plan should have before it trades for real.

    Parameters
    ----------
    request : of that plan alone. config : the settings it was read from. runs : the run folders.
    paper_days : verified trading days on paper that are asked for.
    again : words that a command needs to mean this very plan. on_market : the same for a session.
    """
    account, plan = request.accounts[0], request.plans[0]
    sessions = [item for item in sessions_of(runs, plan.plan_id) if _is_of_this_plan(item, plan)]
    return [
        _audit(plan, runs, again),
        _walk_forward(plan, runs, again),
        _paper(plan, request, sessions, paper_days, on_market),
        _slippage(plan, request, sessions),
        _limits(account, plan),
        _token(plan, config),
    ]


def _is_of_this_plan(session: SessionRecord, plan: PlanRequest) -> bool:
    """Say whether a session traded the plan as it is now: strategy and parameters."""
    now = {name: _plain(value) for name, value in plain_params(plan.params).items()}
    then = {name: _plain(value) for name, value in session.params.items()}
    return session.strategy == plan.plan.strategy and then == now


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, list | tuple) else value


def _audit(plan: PlanRequest, runs: Path, again: Sequence[str]) -> Check:
    name = "audit"
    remedy = command_line(["audit", plan.plan.name, *again])
    told = read_audit(runs, plan.plan_id)
    if told is None:
        return failed(name, "no audit", remedy)
    changed = what_differs(told["identity"], identity_of(plan))
    if changed:
        more = f" (+{len(changed) - 2} more)" if len(changed) > 2 else ""
        return failed(name, f"audit is out of date: {', '.join(changed[:2])}{more}", remedy)
    if not told["clean"]:
        first = told["findings"][0]["place"] or told["findings"][0]["kind"]
        text = f"audit found {plural(len(told['findings']), 'thing')}, first {first}"
        return failed(name, text, remedy)
    return passed(name, f"clean over {plural(told['bars'], 'bar')} to {told['last'][:10]}")


def _walk_forward(plan: PlanRequest, runs: Path, again: Sequence[str]) -> Check:
    name = "out of sample"
    if not issubclass(plan.strategy, SetupStrategy):
        return inapplicable(
            name,
            f"{plan.strategy.__name__} is a plain Backtrader strategy, which no walk-forward can "
            "run: its days on paper are all it shows out of sample (a setup machine is walked, "
            "docs/sweep.md)",
        )
    remedy = command_line(["walkforward", plan.plan.name, "--grid", _AXIS, *again])
    found = newest_walk_forward(runs, plan.plan_id)
    if found is None:
        return failed(name, "no walk-forward", remedy)
    run, summary = found
    changed = what_differs(summary["identity"], identity_of(plan)) if "identity" in summary else []
    if changed:
        return failed(name, f"walk-forward {run} is out of date: {changed[0]}", remedy)
    told: Mapping[str, Any] = summary.get("out_of_sample") or {}
    profit, sharpe = told.get("net_profit"), told.get("sharpe")
    if profit is None:
        return failed(name, f"walk-forward {run} tells no out-of-sample profit", remedy)
    if told.get("trades") == 0:
        return failed(name, f"walk-forward {run} traded nothing out of sample", remedy)
    figures = f"{profit:+,.0f}" + ("" if sharpe is None else f", Sharpe {sharpe:.2f}")
    if not profit > 0.0:
        return failed(name, f"walk-forward {run} lost out of sample ({figures})", remedy)
    return passed(name, f"walk-forward {run}: {figures}")


def _paper(
    plan: PlanRequest,
    request: BacktestRequest,
    sessions: Sequence[SessionRecord],
    wanted: int,
    again: Sequence[str],
) -> Check:
    name = "paper days"
    calendar = get_calendar(plan.instrument.calendar, request.settings.calendar)
    paper = [item for item in sessions if item.mode == "paper"]
    lived: set[int] = set()
    unproved: set[int] = set()
    for item in paper:
        (lived if item.is_verified else unproved).update(item.days_lived(calendar))
    if len(lived) >= wanted:
        return passed(name, f"{len(lived)} of {wanted} verified")
    text = f"paper days {len(lived)} of {wanted}"
    waiting = unproved - lived
    if waiting:
        names = [item.name for item in paper if not item.is_verified]
        return failed(name, f"{text} ({len(waiting)} more not verified)",
                      command_line(["verify", names[-1]]))  # fmt: skip
    replayed = {day for item in paper for day in item.days} - lived
    if replayed and not lived:
        text += " (days replayed do not count)"
    return failed(name, text, command_line(["live", plan.plan.name, *again]))


def _slippage(
    plan: PlanRequest, request: BacktestRequest, sessions: Sequence[SessionRecord]
) -> Check:
    """Compare what fills of a real account lost with what a backtest of the plan assumes."""
    name = "slippage"
    assumed = float(plan.instrument.facts(2**30).slippage_ticks)
    band = request.live.slippage_ticks
    allowed = assumed if band is None else float(band)
    measured = [item.verified["slippage"] for item in sessions
                if item.mode == "live" and item.verified is not None
                and item.verified.get("slippage", {}).get("fills")]  # fmt: skip
    if measured:
        fills = sum(int(row["fills"]) for row in measured)
        mean = sum(row["mean_ticks"] * row["fills"] for row in measured) / fills
        text = f"{mean:+.2f} ticks a fill over {plural(fills, 'fill')}, {allowed:g} assumed"
        if mean > allowed:
            return failed(name, f"slippage {text}",
                          f"set slippage_ticks of {plan.instrument.symbol} to what is measured "
                          "(instrument_set), then backtest and audit again")  # fmt: skip
        return passed(name, text)
    if assumed > 0.0:
        return passed(name, f"{assumed:g} ticks a fill assumed; none measured on an account yet")
    return failed(
        name, f"slippage of {plan.instrument.symbol} is taken as 0 and none was measured",
        f"assume some: [plans.{plan.plan.name}] instrument_set = {{ slippage_ticks = 1 }}",
    )  # fmt: skip


def _limits(account: AccountRequest, plan: PlanRequest) -> Check:
    name = "limits"
    for limits in account.limits:
        of_day = limits.daily_loss is not None or limits.daily_loss_pct is not None
        if of_day or limits.trailing_drawdown is not None:
            from risk.rules import build_rules

            rules = [rule.describe() for rule in build_rules([limits])]
            return passed(name, f"{limits.name or plan.plan_id}: {rules[0]}"
                          + (f" (+{len(rules) - 1} more)" if len(rules) > 1 else ""))  # fmt: skip
    return failed(name, "no limit on a day's loss", f"[plans.{plan.plan.name}] risk = a preset")


def _token(plan: PlanRequest, config: Config) -> Check:
    """Look at the login of the plan's account, as `doctor VENUE` does."""
    name = "token"
    account = config.accounts.get(plan.plan.account or "")
    if account is None or account.venue not in VENUES:
        text = "no account at a venue"
        real = ", ".join(venue.name for venue in VENUES.values() if venue.is_real)
        remedy = f'[accounts.NAME] venue = {real}; [plans.{plan.plan.name}] account = "NAME"'
        return failed(name, text, remedy)
    venue = VENUES[account.venue]
    login = command_line(["login", venue.name, "--account", account.name])
    try:
        access = access_to(venue.name, account.name, config)
        credentials = access.credentials()
        if credentials.missing:
            return failed(name, f"no {', '.join(credentials.missing)} for {venue.title}",
                          "set it in the environment or in .env")  # fmt: skip
        if credentials.needs_login:
            return failed(name, f"no token for {venue.title}", login)
        if not venue.examine:
            return passed(name, f"{venue.title}: nothing to log in to")
        findings = venue.load(venue.examine)(access.examined())
    except TolaError as error:
        return failed(name, f"{venue.title}: {error}", command_line(["doctor", venue.name]))
    grave = next((item for item in findings if item.is_grave), None)
    if grave is not None:
        return failed(name, f"{venue.title}: {grave.name}: {grave.text}", grave.remedy or login)
    return passed(name, f"{venue.title}, account {account.name}")
