"""What a process of the harness does: one start of a session, or the proof of one that ended."""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import threading
import time
import traceback
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.events import (
    AccountUpdate,
    Answer,
    CashFlow,
    Execution,
    FloorMet,
    OrderUpdate,
    PositionUpdate,
    Snapshot,
)
from live import session as sessions
from live.journal import open_journal, store
from live.proof import verify
from live.recovery import starts_of
from tests.chaos import powercut
from tests.chaos.asking import ACCOUNT, request_of
from tests.chaos.points import Monitor
from tests.chaos.venue import get_venue

_REPLIES = (Answer, OrderUpdate, Execution, CashFlow, PositionUpdate, AccountUpdate, FloorMet,
            Snapshot)  # fmt: skip
_MINUTE_NS = 60_000_000_000


class StepClock:
    """A clock on the wall that moves by a step whenever the main thread looks at it.

    So what depends on it (looks at hands, commits nobody waits for) falls on the same events in
    each run of a seed.
    """

    def __init__(self, step: float) -> None:
        self._step, self._now = step, 1000.0
        self._main = threading.get_ident()

    def __call__(self) -> float:
        if threading.get_ident() == self._main:
            self._now += self._step
        return self._now


def run_session(task: dict[str, Any]) -> None:
    """Run one start of a session, to its death or its end; write what it says of itself."""
    folder, wanted = Path(task["folder"]), task["scenario"]
    if get_venue(task["venue"]).is_stepped:
        time.monotonic = StepClock(wanted["clock_step"])  # type: ignore[assignment]
    store.BLOCK_EVENTS = wanted["block_events"]
    monitor = Monitor(folder / "box.jsonl", task.get("point", ""), task.get("nth", 0))
    request = request_of(task)
    _watch(monitor, task)
    written: dict[str, int] = {}
    monitor.on_over = lambda: written.update(powercut.counted())
    session = sessions.Session(request)
    _plan_stop(session, wanted)
    result = session.run()
    counts = dict(monitor.counts) | {f"disk {kind}": n for kind, n in written.items()}
    left = _said(result) | {"counts": counts}
    part = folder / "result.part"
    part.write_text(json.dumps(left, default=str))
    part.rename(folder / "result.json")
    if result.failure is not None:
        traceback.print_exception(result.failure)
        raise result.failure


def _watch(monitor: Monitor, task: dict[str, Any]) -> None:
    """Put the monitor between a session and its journal, venue and engine."""
    plain_open = sessions.open_journal
    plain_builds = sessions.build_paper, sessions.build_on_market

    def opened(*given: Any, **named: Any) -> Any:
        journal = plain_open(*given, **named)
        monitor.watch_journal(journal)
        return journal

    def watched(plain: Any) -> Any:
        def built(*given: Any, **named: Any) -> Any:
            made = plain(*given, **named)
            monitor.watch_engine(made.engine, _REPLIES)
            return made

        return built

    down_ns = round(task.get("down_minutes", 0.0) * _MINUTE_NS)
    get_venue(task["venue"]).watch(monitor, down_ns)
    sessions.open_journal = opened
    sessions.build_paper, sessions.build_on_market = map(watched, plain_builds)


def _plan_stop(session: Any, wanted: dict[str, Any]) -> None:
    """Let a hand end the session when a share of the bars is over."""
    if wanted["stop_at"] is None:
        return
    ends = session.request.loaded[0].series.bars["end"]
    stop_at = int(ends[int(wanted["stop_at"] * (len(ends) - 1))])
    look, done = session._housekeep, []

    def housekeep() -> None:
        if session.built.engine.now >= stop_at and not done:
            done.append(True)
            session.command("stop", {"reason": "enough"}, "chaos")
        look()

    session._housekeep = housekeep


def _said(result: Any) -> dict[str, Any]:
    """Return what a session that ended says of itself."""
    broker = result.built.broker
    trades = []
    for trade in broker.ledger.trades:
        row = trade.row()
        for name in ("ambiguous", "trade_id"):  # plans that exit at one time are told in any order
            row.pop(name, None)
        trades.append(row)
    orders = [
        {"order_id": broker.order_id_of(row["order_id"]), "state": row["state"],
         "reason": row["reason"], "time": row["time"]}
        for row in broker.orders_log
    ]  # fmt: skip
    positions = {
        plan.plan_id: plan.size(plan.position_steps) for plan in broker.plans if plan.position_steps
    }
    return {
        "trades": trades,
        "orders": orders,
        "positions": positions,
        "hands": {plan.symbol: broker.hands.held(plan.symbol) for plan in broker.plans},
        "equity": broker.getvalue(),
        "balance": broker.balance,
        "missed": result.missed,
        "exit_reason": result.exit_reason,
        "bars": result.built.engine.counts.bars,
    }


def prove(task: dict[str, Any]) -> None:
    """Run `verify` over what a session left."""
    folder = Path(task["folder"])
    request = request_of(task)
    journal = open_journal(str(folder / "journal.sqlite"), ACCOUNT, read_only=True)
    try:
        chain = starts_of(journal.sessions(), journal.sessions()[-1].session_id)
        proof = verify(journal, chain, request.account, request.flats, None)
    finally:
        journal.close()
    rows = [{"bar": item.bar, "plan": item.plan_id, "what": item.what} for item in proof.findings]
    text = json.dumps({"findings": rows, "bars": proof.bars, "trades": proof.trades})
    (folder / "proof.json").write_text(text)


def warm(folder: Path, venue: str) -> None:
    """Load all that sessions need, so that processes forked from this one start at once."""
    from tests.chaos.scenario import scenario, write_inputs

    wanted = replace(scenario(0), strategy="busy", bars=80, two_plans=False, stop_at=None)
    folder.mkdir(parents=True, exist_ok=True)
    task = write_inputs(wanted, folder) | {"folder": str(folder), "venue": "paper"}
    for strategy in get_venue(venue).strategies:
        inner = folder / strategy
        inner.mkdir()
        wanted = replace(wanted, strategy=strategy, window=("2024-12-09", "2024-12-09"))
        task = write_inputs(wanted, inner) | {"folder": str(inner), "venue": "paper"}
        sessions.Session(request_of(task)).run()
        prove(task)
    get_venue(venue).warm(folder)


def main(task: dict[str, Any]) -> None:
    """Do a task and end this process."""
    code = 0
    faulthandler.enable()
    try:
        if "cut" in task:
            powercut.arm(**task["cut"])
        os.chdir(task["folder"])
        _TASKS[task["kind"]](task)
    except BaseException:
        traceback.print_exc()
        code = 1
    os._exit(code)


def _run_market(task: dict[str, Any]) -> None:
    from tests.chaos.kite_market import run_market

    run_market(task)


_TASKS = {"session": run_session, "prove": prove, "market": _run_market}

if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
