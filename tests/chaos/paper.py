"""The paper exchange as a venue of the harness: it lives in the process that dies."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from tests.chaos import scenario as scenarios
from tests.chaos.points import Monitor
from tests.chaos.scenario import Scenario
from tests.chaos.venue import (
    OutsideBooks,
    OutsideFill,
    OutsideOrder,
    Venue,
    after_init,
    watch_recovery,
)


class Paper(Venue):
    """The paper exchange; its ledger lives on."""

    name = "paper"
    strategies = ("busy", "gold_smc")

    def scenario(self, seed: int) -> Scenario:
        """Return what a seed stands for."""
        return scenarios.scenario(seed)

    def write_inputs(self, wanted: Scenario, folder: Path) -> dict[str, Any]:
        """Write prices and settings; return what a process needs to run the session."""
        return scenarios.write_inputs(wanted, folder)

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """Watch port and ledger of the session that is built next."""
        from brokers.paper.ledger import PaperLedger
        from brokers.paper.venue import PaperVenue

        resumed = [0]

        def resume_time(venue: Any) -> int:
            return max(plain_resume(venue), resumed[0]) + down_ns

        def hear(built: Any) -> None:
            resumed[0] = built.engine.now

        plain_resume = PaperVenue.resume_time.fget
        PaperVenue.resume_time = property(resume_time)
        watch_recovery(monitor, hear)
        after_init(PaperVenue, monitor.watch_port)
        after_init(PaperLedger, monitor.watch_ledger)

    def outside(self, folder: Path) -> OutsideBooks:
        """Read the ledger as any program that knows SQLite could."""
        file = sqlite3.connect(f"{(folder / 'paper.sqlite').as_uri()}?mode=ro", uri=True)
        try:
            orders = file.execute(
                "SELECT number, coalesce(order_id, ''), author, plan_id, side, quantity, role, "
                "parent, status, filled, made, changed FROM orders ORDER BY number"
            ).fetchall()
            fills = file.execute(
                """SELECT number, "order", coalesce(order_id, ''), plan_id, side, quantity, price,
                ts, reason, costs, pnl, symbol, position_id FROM fills ORDER BY number"""
            ).fetchall()
            paid = file.execute("SELECT ts, kind, paid FROM cash ORDER BY rowid").fetchall()
            account = file.execute("SELECT cash, balance, now FROM account").fetchone()
        finally:
            file.close()
        return OutsideBooks(
            [OutsideOrder(*row) for row in orders], [OutsideFill(*row) for row in fills],
            *(account or (0.0, 0.0, 0)), paid,
        )  # fmt: skip
