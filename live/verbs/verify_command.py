"""`verify`: prove a session by feeding what it consumed to the backtest."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backtests.verbs.outcome import DONE, FAILED, Outcome, command_line
from core.config_fields import ACCOUNT_LIVE_FIELDS
from core.errors import ConfigError, TolaError
from core.results import RunFolder, find_run, json_text
from core.wording import plural

if TYPE_CHECKING:
    from backtests.request import AccountRequest, BacktestRequest
    from core.schedule import FlatRule
    from live.journal import Journal, SessionFacts

logger = logging.getLogger(__name__)

RUNS = Path("runs")
VERIFIED = "verified.json"
SHOWN = 10
"""Differences printed; all of them stand in the JSON document."""


def verify(wanted: str) -> Outcome:
    """Verify a session's run.

    Raises
    ------
    ConfigError : the run is no session's, or its settings have changed since.
    JournalError : its journal is missing or damaged.
    """
    from backtests.resolve import resolve
    from backtests.runner import flats_of
    from live.journal import open_journal
    from live.proof import verify as prove
    from live.recovery import starts_of

    folder = find_run(wanted, RUNS)
    folder.check_trades("verify")
    facts = folder.run.get("session")
    if facts is None:
        raise ConfigError(f"run {folder.name} is a backtest: verify proves sessions (live)")
    document = facts["document"]
    whole = resolve(document["names"], document["flags"], document["config"])
    changed = _changed(document["settings"], whole.origins)
    if changed:
        raise ConfigError(
            f"run {folder.name}: settings differ from those it ran with: {', '.join(changed[:5])}; "
            "set them back to verify it"
        )
    plans = [row["plan_id"] for row in folder.run["plans"]]
    account = next(
        item for item in whole.accounts if [plan.plan_id for plan in item.plans] == plans
    )
    journal = open_journal(facts["journal"], facts["account"], read_only=True)
    try:
        chain = starts_of(journal.sessions(), int(facts["session_id"]))
        # A journal begun anew counts its sessions anew too: the prefix of orders tells them apart.
        if not chain or chain[-1].document["prefix"] != document["prefix"]:
            raise TolaError(
                f"run {folder.name}: {facts['journal']} does not hold its session, another journal "
                "is there now: restore a copy of the one it wrote"
            )
        flats = [flats_of(plan, account) for plan in account.plans]
        if facts["mode"] == "live":
            said = _fed(journal, chain, whole, account, flats, folder.name)
        else:
            done = prove(journal, chain, account, flats, whole.settings.calendar)
            said = _outcome(done, folder.name)
    finally:
        journal.close()
    _keep(folder, said.document)
    return said


def _keep(folder: RunFolder, document: dict[str, Any]) -> None:
    """Note in the run folder what was proved, for `ready`; one that cannot be written stays as is.

    slippage : fills of a real account, and by how many ticks they were worse than the model.
    """
    ticks = [row["ticks"] for row in document.get("slippage", ()) if row["ticks"] == row["ticks"]]
    mean = sum(ticks) / len(ticks) if ticks else None
    told = {
        "identical": document["identical"],
        "beyond": document.get("beyond", 0),
        "slippage": {"fills": len(ticks), "mean_ticks": mean},
    }
    try:
        (folder.path / VERIFIED).write_text(json_text(told) + "\n", encoding="utf-8")
    except OSError as error:
        logger.warning("what was proved is not noted in %s (%s)", folder.path, error.strerror)


def _fed(
    journal: Journal,
    chain: Sequence[SessionFacts],
    whole: BacktestRequest,
    account: AccountRequest,
    flats: Sequence[Sequence[FlatRule]],
    name: str,
) -> Outcome:
    """Prove a session on a real account: decisions must follow, slippage stay in the band."""
    from backtests.runner import load_account
    from live.proof import verify_fed
    from live.settings import session_terms, settings_of

    settings = settings_of(whole.live, whole.origins, account.plans[0].plan.account)
    done = verify_fed(
        journal, chain, account, load_account(account, whole), flats,
        session_terms(settings, whole.origins), whole.settings.calendar,
    )  # fmt: skip
    most = settings.slippage_ticks
    beyond = [row for row in done.slippage if most is not None and not row.ticks <= most]
    document = {
        "identical": done.is_identical,
        "bars": done.bars,
        "orders": done.orders,
        "fills": done.fills,
        "findings": [vars(item) for item in done.findings],
        "slippage_ticks": most,
        "beyond": len(beyond),
        "slippage": [asdict(row) for row in done.slippage],
    }
    counts = f"{plural(done.bars, 'bar')}, {plural(done.orders, 'order')}, "
    counts += f"{plural(done.fills, 'fill')} of the venue"
    lines = [f"{'IDENTICAL' if done.is_identical else 'DIFFERENT'} decisions  {counts}"]
    lines += [f"  {item.describe()}" for item in done.findings[:SHOWN]]
    ticks = sorted(row.ticks for row in done.slippage)
    if ticks:
        band = "no band is set" if most is None else f"at most {most:g} allowed"
        middle = ticks[len(ticks) // 2]
        lines.append(f"slippage   median {middle:+.1f} ticks, worst {ticks[-1]:+.1f}; {band}")
    lines += [f"  {row.describe()}" for row in (beyond or done.slippage)[:SHOWN]]
    failed = not done.is_identical or bool(beyond)
    step = ["why", name] if failed else ["runs", "show", name]
    return Outcome(document, lines, command_line(step), exit_code=FAILED if failed else DONE)


def _changed(before: dict[str, Any], now: Any) -> list[str]:
    """Return the names of settings that matter and are not what they were."""
    return [
        name
        for name in sorted(set(before) | set(now))
        if not name.startswith(_CHANGE_NOTHING)
        and not _is_live(name)
        and before.get(name, {}).get("value") != now.get(name, {}).get("value")
    ]


_CHANGE_NOTHING = (
    "live.", "alerts.", "groups.", "settings.out", "settings.report", "settings.paper_trading",
)  # fmt: skip
"""Beginnings of settings that a proof does not depend on: what they led to is in the record."""


def _is_live(name: str) -> bool:
    """Whether a setting is an account's own field of [live]."""
    section, _, rest = name.partition(".")
    return section == "accounts" and rest.rpartition(".")[2] in ACCOUNT_LIVE_FIELDS


def _outcome(done: Any, name: str) -> Outcome:
    document = {
        "identical": done.is_identical,
        "bars": done.bars,
        "orders": done.orders,
        "trades": done.trades,
        "fills": done.fills,
        "findings": [vars(item) for item in done.findings],
        "withheld": [vars(item) for item in done.withheld],
    }
    withheld = [item.describe() for item in done.withheld]
    counts = f"{plural(done.bars, 'bar')}, {plural(done.orders, 'order')}, "
    counts += plural(done.trades, "trade")
    if done.is_identical:
        lines = [f"IDENTICAL  {counts}, 0 of {plural(done.fills, 'fill')} differ", *withheld]
        return Outcome(document, lines, command_line(["runs", "show", name]), exit_code=DONE)
    shown = [item.describe() for item in done.findings[:SHOWN]]
    more = len(done.findings) - len(shown)
    lines = [f"DIFFERENT  {counts}; the first difference:", *(f"  {line}" for line in shown)]
    if more > 0:
        lines.append(f"  (+{more} more, with --json)")
    lines += withheld
    return Outcome(document, lines, command_line(["why", name]), exit_code=FAILED)
