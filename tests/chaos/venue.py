"""The seam to a venue: how it is started, how its port is watched, what it says from outside."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.points import Monitor

ALIVE = ("SENT", "UNKNOWN", "RECEIVED", "HELD", "WORKING")


@dataclass(frozen=True)
class OutsideOrder:
    """An order as the venue's own books have it. began, ended : market time, ns; None: it works."""

    number: int
    order_id: str
    author: str
    plan_id: str
    side: int
    quantity: float
    role: str
    parent: int
    status: str
    filled: float
    made: int
    changed: int

    @property
    def is_alive(self) -> bool:
        return self.status in ALIVE


@dataclass(frozen=True)
class OutsideFill:
    """An execution as the venue's own books have it."""

    number: int
    order: int
    order_id: str
    plan_id: str
    side: int
    quantity: float
    price: float
    ts: int
    reason: str
    costs: float
    pnl: float
    symbol: str
    position_id: str


@dataclass
class OutsideBooks:
    """A venue's own books, read without the program that is being judged."""

    orders: list[OutsideOrder]
    fills: list[OutsideFill]
    cash: float
    balance: float
    now: int
    paid: list[tuple[int, str, float]] = field(default_factory=list)


class Venue:
    """What the harness needs of a venue; a further one is a further class.

    Attributes
    ----------
    name : as in chaos.json. files : names of its files that a power cut here concerns.
    """

    name = ""
    files: tuple[str, ...] = ()

    def start(self, folder: Path) -> None:
        """Start it, before the first process of a seed."""

    def stop(self) -> None:
        """Stop it, after the last one."""

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """In the process that will die: watch its port; let market time pass before it goes on."""
        raise NotImplementedError

    def outside(self, folder: Path) -> OutsideBooks:
        """Read its books."""
        raise NotImplementedError


class Paper(Venue):
    """The paper exchange, which lives in the process that dies; its ledger lives on."""

    name = "paper"
    files = ("paper.sqlite",)

    def watch(self, monitor: Monitor, down_ns: int) -> None:
        """Watch port and ledger of the session that is built next."""
        from brokers.paper.ledger import PaperLedger
        from brokers.paper.venue import PaperVenue
        from live import session

        resumed = [0]

        def resume_time(venue: Any) -> int:
            return max(plain_resume(venue), resumed[0]) + down_ns

        def recover(built: Any, *given: Any) -> Any:
            result = plain_recover(built, *given)
            resumed[0] = built.engine.now
            monitor.pass_by("recover after")
            return result

        plain_resume, plain_recover = PaperVenue.resume_time.fget, session.recover
        PaperVenue.resume_time = property(resume_time)
        session.recover = recover
        _after_init(PaperVenue, monitor.watch_port)
        _after_init(PaperLedger, monitor.watch_ledger)

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


def _after_init(kind: type[Any], watch: Callable[[Any], None]) -> None:
    """Watch each object of a class; the class stays the same."""
    plain = kind.__init__

    def init(thing: Any, *given: Any, **named: Any) -> None:
        plain(thing, *given, **named)
        watch(thing)

    kind.__init__ = init


VENUES: dict[str, type[Venue]] = {"paper": Paper}
