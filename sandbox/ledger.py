"""The sandbox's own books on disk, for comparison from outside while it runs.

An SQLite file of plain rows: orders and every state they were in, fills, requests as they arrived,
faults that struck. It is written as things happen and never read by the sandbox.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

from core.errors import ConfigError
from core.sqlite import explained, files_of, open_database
from sandbox.orders import BoxFill, BoxOrder

_SCHEMA = """
CREATE TABLE orders (
    order_id TEXT PRIMARY KEY, account TEXT NOT NULL, author TEXT NOT NULL, tag TEXT NOT NULL,
    contract TEXT NOT NULL, product TEXT NOT NULL, side TEXT NOT NULL, quantity REAL NOT NULL,
    kind TEXT NOT NULL, price REAL, limit_price REAL, status TEXT NOT NULL, filled REAL NOT NULL,
    average REAL NOT NULL, reason TEXT NOT NULL, made INTEGER NOT NULL, changed INTEGER NOT NULL
);
CREATE INDEX orders_tag ON orders (tag);
CREATE TABLE states (
    order_id TEXT NOT NULL, ts INTEGER NOT NULL, status TEXT NOT NULL, filled REAL NOT NULL,
    reason TEXT NOT NULL
);
CREATE TABLE fills (
    fill_id INTEGER PRIMARY KEY, order_id TEXT NOT NULL, account TEXT NOT NULL,
    contract TEXT NOT NULL, product TEXT NOT NULL, side TEXT NOT NULL, quantity REAL NOT NULL,
    price REAL NOT NULL, ts INTEGER NOT NULL, costs REAL NOT NULL, pnl REAL NOT NULL
);
CREATE TABLE requests (
    wall REAL NOT NULL, ts INTEGER NOT NULL, account TEXT NOT NULL, endpoint TEXT NOT NULL,
    status INTEGER NOT NULL, fault TEXT NOT NULL
);
CREATE TABLE faults (ts INTEGER NOT NULL, kind TEXT NOT NULL, struck TEXT NOT NULL);
"""

_CHANGING = (
    "quantity", "kind", "price", "limit_price", "status", "filled", "average", "reason", "changed",
)  # fmt: skip


class Ledger:
    """Writes what happens at the exchange and on the wire.

    Parameters
    ----------
    path : a new file; None keeps all in memory.

    Raises
    ------
    ConfigError : the file is there already, or cannot be made.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._lock = threading.Lock()
        if path is not None and path.exists():
            raise ConfigError(f"ledger {path}: is there already; name a new file or move it aside")
        with explained(f"ledger {path}", ConfigError):
            self._file = open_database(path, synchronous="OFF")
            self._file.executescript(_SCHEMA)

    def order(self, order: BoxOrder) -> None:
        """Write an order as it stands, and the state it has entered."""
        terms, state = order.terms, order.states[-1]
        self._put(
            "orders",
            (
                str(order.number), order.account, order.author.value, terms.tag, terms.contract,
                terms.product, terms.side.name, terms.quantity, terms.kind.name, terms.price,
                terms.limit_price, order.status.name, order.filled, order.average, order.reason,
                order.made, order.changed,
            ),
            "ON CONFLICT (order_id) DO UPDATE SET "
            + ", ".join(f"{name} = excluded.{name}" for name in _CHANGING),
        )  # fmt: skip
        self._put(
            "states", (str(order.number), state.ts, state.status.name, state.filled, state.reason)
        )

    def fill(self, fill: BoxFill) -> None:
        """Write a fill."""
        self._put(
            "fills",
            (
                fill.number, str(fill.order), fill.account, fill.contract, fill.product,
                fill.side.name, fill.quantity, fill.price, fill.ts, fill.costs, fill.pnl,
            ),
        )  # fmt: skip

    def request(
        self, wall: float, ts: int, account: str, endpoint: str, status: int, fault: str
    ) -> None:
        """Write a request: when it came, and the HTTP status it was answered with (0: not)."""
        self._put("requests", (wall, ts, account, endpoint, status, fault))

    def fault(self, kind: str, struck: str, ts: int) -> None:
        """Write a fault that struck, and what it struck."""
        self._put("faults", (ts, str(kind), struck))

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table's rows as dicts, in the order they were written."""
        if table not in ("orders", "states", "fills", "requests", "faults"):
            raise ValueError(f"no table {table!r}")
        with self._lock:
            found = self._file.execute(f"SELECT * FROM {table} ORDER BY rowid")
            names = [column[0] for column in found.description]
            return [dict(zip(names, row, strict=True)) for row in found]

    def _put(self, table: str, row: tuple[Any, ...], rule: str = "") -> None:
        marks = ", ".join("?" * len(row))
        with self._lock:
            self._file.execute(f"INSERT INTO {table} VALUES ({marks}) {rule}", row)

    def discard(self) -> None:
        """Let go of the file and remove it: nothing was ever written."""
        self.close()
        if self.path is not None:
            for part in files_of(self.path):
                part.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the file; safe to call again."""
        self._file.close()
