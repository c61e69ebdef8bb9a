"""The run folder a session leaves: the same tables, summary and report as a backtest's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backtests.engine import AccountRun
from backtests.request import BacktestRequest
from backtests.results.summary import summarize
from backtests.store import run_document, write_tables
from core.results import RunFolder, RunWriter, iso_time
from core.wording import plural
from live.session import SessionRequest, SessionResult


def store_session(
    result: SessionResult, asked: SessionRequest, whole: BacktestRequest, writer: RunWriter
) -> RunFolder:
    """Write a finished session with an open writer and publish it whole."""
    built = result.built
    run = AccountRun(built.request, list(built.plans), built.broker, built.guard, interrupted=False)
    write_tables(writer, [run])
    document = run_document(whole, [run])
    document["verb"] = "live"
    document["session"] = {
        "mode": result.facts.mode,
        "venue": result.facts.venue,
        "account": asked.folder.name,
        "session_id": result.facts.session_id,
        "journal": asked.journal_url or str(Path(asked.folder.journal)),
        "document": dict(result.facts.document),
    }
    writer.json("run.json", document)
    summary = summarize([run], {})
    summary["hands"] = _hands(result)
    summary["notes"] += [_hand_note(row) for row in summary["hands"]]
    summary["seconds"] = {"load": 0.0, "compile": 0.0, "run": 0.0, "report": 0.0}
    summary["bars_per_second"] = None
    summary["live"] = live_facts(result)
    writer.json("summary.json", summary)
    return writer.publish()


def _hands(result: SessionResult) -> list[dict[str, Any]]:
    """Return what came of orders by hand: figures of plans do not hold them.

    like : the plan whose market it is.
    """
    built = result.built
    ledger, account = built.broker.ledger, built.request
    traded = {fill.plan_id for fill in ledger.fills}
    like = {run.loaded.request.instrument.symbol: run.plan_id for run in reversed(built.plans)}
    rows = []
    for hand in built.hands:
        if hand.plan_id in traded:
            trades = [trade for trade in ledger.trades if trade.plan_id == hand.plan_id]
            left = built.broker.open_positions()
            rows.append({
                "plan_id": hand.plan_id, "account": account.name, "currency": account.currency,
                "like": like[hand.symbol], "trades": len(trades),
                "net_profit": sum(trade.pnl for trade in trades),
                "costs": dict(ledger.plan_costs[hand.plan_id]),
                "open_positions": [row for row in left if row["plan_id"] == hand.plan_id],
            })  # fmt: skip
    return rows


def _hand_note(row: Mapping[str, Any]) -> str:
    return (
        f"{row['plan_id']}: {plural(row['trades'], 'trade')} by hand, net "
        f"{row['net_profit']:+,.2f} {row['currency']}: in trades.csv and the account's equity, "
        "not in the figures of plans"
    )


def live_facts(result: SessionResult) -> dict[str, Any]:
    """Return what a session tells besides a backtest's figures."""
    built, engine = result.built, result.built.engine
    return {
        "mode": result.facts.mode,
        "venue": result.facts.venue,
        "account": result.facts.account,
        "bars": engine.counts.bars,
        "ticks": engine.counts.ticks,
        "trades": len(built.broker.ledger.trades),
        "net_profit": built.broker.getvalue() - built.request.cash,
        "refused": dict(built.guard.refused),
        "reconnects": max(engine.counts.reconnects - 1, 0),
        "gaps_filled": sum(slot.feed.gaps for slot in engine.slots),
        "missed_entries": [{**row, "bar": iso_time(row["bar"])} for row in result.missed],
        "recovered": None if result.recovered is None else result.recovered.events,
        "exit_reason": result.exit_reason,
    }


def live_document(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return what `live --json` prints: the session's facts, then the plans' figures."""
    return {"run": summary["run"], **summary["live"], "plans": summary["plans"],
            "files": summary["files"]}  # fmt: skip
