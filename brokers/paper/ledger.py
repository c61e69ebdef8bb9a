"""The paper exchange's own books on disk: orders, fills, and the state it goes on from.

Everything it tells anyone is committed here first, so an engine that dies finds on its return what
a venue would show it, and its journal can be compared with this file from outside.
"""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from core.errors import BrokerError

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY, order_id TEXT UNIQUE, plan_id TEXT NOT NULL, symbol TEXT NOT NULL,
    side INTEGER NOT NULL, quantity REAL NOT NULL, kind TEXT NOT NULL, role TEXT NOT NULL,
    price REAL, parent INTEGER NOT NULL, status TEXT NOT NULL, filled REAL NOT NULL,
    reason TEXT NOT NULL, made INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS fills (
    fill_id TEXT PRIMARY KEY, number INTEGER NOT NULL, order_id TEXT NOT NULL,
    plan_id TEXT NOT NULL, symbol TEXT NOT NULL, side INTEGER NOT NULL, quantity REAL NOT NULL,
    price REAL NOT NULL, ts INTEGER NOT NULL, reason TEXT NOT NULL, adverse REAL, favourable REAL
);
CREATE TABLE IF NOT EXISTS state (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_ORDER = (
    "number", "order_id", "plan_id", "symbol", "side", "quantity", "kind", "role", "price",
    "parent", "status", "filled", "reason", "made",
)  # fmt: skip
_FILL = (
    "fill_id", "number", "order_id", "plan_id", "symbol", "side", "quantity", "price", "ts",
    "reason", "adverse", "favourable",
)  # fmt: skip


class PaperLedger:
    """Orders, fills and state of one paper account, in an SQLite file or in memory.

    Parameters
    ----------
    path : file; None keeps all in memory, and an account ends with its process.

    Raises
    ------
    BrokerError : the file cannot be opened or is none of ours.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        try:
            self._file = sqlite3.connect(
                ":memory:" if path is None else path, check_same_thread=False
            )
            self._file.execute("PRAGMA journal_mode=WAL")
            self._file.execute("PRAGMA synchronous=FULL")
            self._file.executescript(_SCHEMA)
        except sqlite3.Error as cause:
            raise BrokerError(
                f"{path}: the paper account's ledger cannot be opened ({cause}); move the file "
                "aside to begin a new paper account"
            ) from cause

    def order(self, **row: Any) -> None:
        """Note an order, or what has become of it."""
        self._put("orders", _ORDER, row)

    def update(self, number: int, **changed: Any) -> None:
        """Change fields of an order."""
        names = ", ".join(f"{name} = ?" for name in changed)
        self._file.execute(
            f"UPDATE orders SET {names} WHERE number = ?", (*changed.values(), number)
        )

    def fill(self, **row: Any) -> None:
        """Note a fill."""
        self._put("fills", _FILL, row)

    def _put(self, table: str, columns: tuple[str, ...], row: dict[str, Any]) -> None:
        marks = ", ".join("?" * len(columns))
        self._file.execute(
            f"INSERT INTO {table} VALUES ({marks})", tuple(row[name] for name in columns)
        )

    def save(self, state: dict[str, Any]) -> None:
        """Commit what was noted together with the state to go on from."""
        self._file.execute("INSERT OR REPLACE INTO state VALUES ('state', ?)", (json.dumps(state),))
        self._file.commit()

    def load(self) -> dict[str, Any] | None:
        """Return the state last saved, None for a new account."""
        row = self._file.execute("SELECT value FROM state WHERE name = 'state'").fetchone()
        return None if row is None else dict(json.loads(row[0]))

    def orders(self) -> list[dict[str, Any]]:
        """Return all orders ever taken, oldest first."""
        return self._rows("orders", _ORDER, "number")

    def fills(self) -> list[dict[str, Any]]:
        """Return all fills, oldest first."""
        return self._rows("fills", _FILL, "rowid")

    def _rows(self, table: str, columns: tuple[str, ...], order: str) -> list[dict[str, Any]]:
        found = self._file.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY {order}")
        return [dict(zip(columns, row, strict=True)) for row in found]

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
