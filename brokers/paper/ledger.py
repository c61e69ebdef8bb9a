"""The paper exchange's own books on disk: orders, fills, money, and the state it goes on from.

Everything it tells anyone is committed here first, in one transaction with the state to go on
from. So an engine that dies at any instruction finds on its return what a venue would show it, and
its journal can be compared with this file from outside.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from core.bars import BAR
from core.errors import BrokerError
from core.matching.records import BOOK, ORDER
from core.sqlite import open_database

LEDGER_VERSION = 1
"""Of the tables below; grows with every change of them."""

_APPLICATION = 0x546F6C61
"""Marks an SQLite file as a paper ledger (`PRAGMA application_id`): 'Tola'."""

ORDER_COLUMNS = (
    "number", "order_id", "author", "book", "plan_id", "symbol", "side", "quantity", "kind",
    "role", "price", "limit_price", "parent", "status", "filled", "reason", "version", "made",
    "changed",
)  # fmt: skip
"""An order: `number` is the exchange's, `order_id` the client's (NULL for none); `author` is ours,
hand or exchange; `parent` the number of the order it hangs on, 0 for none; times are ns UTC."""
FILL_COLUMNS = (
    "number", "order", "order_id", "plan_id", "symbol", "side", "quantity", "price", "ts",
    "reason", "position_id", "costs", "pnl", "adverse", "favourable",
)  # fmt: skip
CASH_COLUMNS = ("ts", "kind", "paid", "plan_id", "symbol")

_SCHEMA = """
CREATE TABLE account (
    one INTEGER PRIMARY KEY CHECK (one = 1), layout TEXT NOT NULL, positions TEXT NOT NULL,
    cash REAL NOT NULL, balance REAL NOT NULL, now INTEGER NOT NULL, orders INTEGER NOT NULL,
    fills INTEGER NOT NULL
);
CREATE TABLE orders (
    number INTEGER PRIMARY KEY, order_id TEXT UNIQUE, author TEXT NOT NULL, book TEXT NOT NULL,
    plan_id TEXT NOT NULL, symbol TEXT NOT NULL, side INTEGER NOT NULL, quantity REAL NOT NULL,
    kind TEXT NOT NULL, role TEXT NOT NULL, price REAL, limit_price REAL, parent INTEGER NOT NULL,
    status TEXT NOT NULL, filled REAL NOT NULL, reason TEXT NOT NULL, version INTEGER NOT NULL,
    made INTEGER NOT NULL, changed INTEGER NOT NULL
);
CREATE INDEX orders_changed ON orders (changed);
CREATE TABLE fills (
    number INTEGER PRIMARY KEY, "order" INTEGER NOT NULL REFERENCES orders (number), order_id TEXT,
    plan_id TEXT NOT NULL, symbol TEXT NOT NULL, side INTEGER NOT NULL, quantity REAL NOT NULL,
    price REAL NOT NULL, ts INTEGER NOT NULL, reason TEXT NOT NULL, position_id TEXT NOT NULL,
    costs REAL NOT NULL, pnl REAL NOT NULL, adverse REAL NOT NULL, favourable REAL NOT NULL
);
CREATE INDEX fills_ts ON fills (ts);
CREATE TABLE cash (
    ts INTEGER NOT NULL, kind TEXT NOT NULL, paid REAL NOT NULL, plan_id TEXT NOT NULL,
    symbol TEXT NOT NULL
);
CREATE TABLE books (
    book TEXT PRIMARY KEY, plan_id TEXT NOT NULL, symbol TEXT NOT NULL, marks TEXT NOT NULL,
    state BLOB NOT NULL, slots BLOB NOT NULL, bar BLOB NOT NULL
);
CREATE TABLE transit (number INTEGER PRIMARY KEY, due INTEGER NOT NULL, body TEXT NOT NULL);
"""


@cache
def _layout() -> str:
    """Return a short name of the records that `books` holds as bytes."""
    shape = repr([record.descr for record in (BOOK, ORDER, BAR)])
    return hashlib.sha256(shape.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class AccountRow:
    """The account as it stands: money, time, and how many orders and fills it has counted.

    positions : netting or hedging. cash : what it began with.
    """

    positions: str
    cash: float
    balance: float
    now: int
    orders: int
    fills: int


@dataclass(slots=True)
class Entry:
    """What one commit writes; rows are tuples in the order of the columns.

    orders : new or changed. books : (book, plan, symbol, marks, state, slots, bar).
    gone : books that are no more. sent, arrived : requests on their way, and those no longer.
    """

    account: AccountRow
    orders: Sequence[tuple[Any, ...]] = ()
    fills: Sequence[tuple[Any, ...]] = ()
    cash: Sequence[tuple[Any, ...]] = ()
    books: Sequence[tuple[Any, ...]] = ()
    gone: Sequence[str] = ()
    sent: Sequence[tuple[int, int, str]] = ()
    arrived: Sequence[int] = ()


class PaperLedger:
    """Orders, fills and state of one paper account, in an SQLite file or in memory.

    One process writes it: as long as it is open nobody else can open it but to read.

    Parameters
    ----------
    path : file; None keeps all in memory, and an account ends with its process.
    synced : what is committed outlives the machine, too; else only the process (and costs less).
    read_only : look at a file that may be in use; nothing can be written.
    numbers_from : orders and fills of a new account are numbered from beyond this: where a record
        knows those of an account whose file is gone, a number must not mean two things.

    Raises
    ------
    BrokerError : the file cannot be opened, is damaged, in use, of another version or none of ours.
    """

    def __init__(
        self,
        path: Path | None = None,
        *,
        synced: bool = True,
        read_only: bool = False,
        numbers_from: int = 0,
    ) -> None:
        self.path = path
        self.numbers_from = numbers_from
        self._is_open = True
        self._writes = not read_only
        with self._explained("opened"):
            self._file = open_database(
                path, synchronous="FULL" if synced else "NORMAL", read_only=read_only
            )
        try:
            with self._explained("read"):
                self._check()
        except BrokerError:
            self.close()
            raise

    # -- opening -----------------------------------------------------------------------------

    def _check(self) -> None:
        """Take the file for ourselves, and see that it is one of ours, whole and of this version.

        The write lock is never let go while the file is open: a second writer fails at once.
        """
        if self._writes:
            self._file.execute("BEGIN IMMEDIATE")
        is_new = not self._file.execute("SELECT 1 FROM sqlite_master").fetchone()
        if is_new and self._writes:
            for statement in _SCHEMA.split(";")[:-1]:
                self._file.execute(statement)
            self._file.execute(f"PRAGMA application_id={_APPLICATION}")
            self._file.execute(f"PRAGMA user_version={LEDGER_VERSION}")
            self._commit()
            return
        (application,) = self._file.execute("PRAGMA application_id").fetchone()
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        if application != _APPLICATION:
            raise self._error("is not a paper account's ledger", "name another file")
        if version != LEDGER_VERSION:
            raise self._error(
                f"is of version {version}, this program writes version {LEDGER_VERSION}",
                "use the program that made it, or move it aside to begin a new paper account",
            )
        (found,) = self._file.execute("PRAGMA quick_check(1)").fetchone()
        if found != "ok":
            raise sqlite3.DatabaseError(str(found))
        row = self._file.execute("SELECT layout FROM account").fetchone()
        if row is not None and row[0] != _layout():
            raise self._error(
                "was written by another version of this program, which counts in other records",
                "use the program that made it, or move it aside to begin a new paper account",
            )

    def _error(self, what: str, remedy: str) -> BrokerError:
        return BrokerError(f"{self.path or 'ledger in memory'}: {what}; {remedy}")

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        """Say of a database's error what it means here, and what to do."""
        try:
            yield
        except sqlite3.OperationalError as cause:
            if "locked" in str(cause):
                raise self._error(
                    "another process runs on this paper account", "end it, or wait for it"
                ) from cause
            raise self._error(
                f"the paper account's ledger cannot be {doing} ({cause})",
                "see that its folder is there, may be written and has room",
            ) from cause
        except sqlite3.DatabaseError as cause:
            raise self._error(
                f"the paper account's ledger is damaged ({' '.join(str(cause).split())})",
                "restore a copy of it, or move it aside to begin a new paper account",
            ) from cause

    # -- writing -----------------------------------------------------------------------------

    def write(self, entry: Entry) -> None:
        """Commit what happened together with the state to go on from.

        Raises
        ------
        BrokerError : it could not be written; nothing of it was.
        """
        with self._explained("written"):
            try:
                self._put(entry)
            except sqlite3.Error:
                self._file.rollback()
                raise
            self._commit()

    def _put(self, entry: Entry) -> None:
        run, many = self._file.execute, self._file.executemany
        account = entry.account
        run(
            "INSERT OR REPLACE INTO account VALUES (1, ?, ?, ?, ?, ?, ?, ?)",
            (
                _layout(), account.positions, account.cash, account.balance, account.now,
                account.orders, account.fills,
            ),
        )  # fmt: skip
        many(_PUT_ORDER, entry.orders)
        many(_PUT_FILL, entry.fills)
        many(_PUT_CASH, entry.cash)
        many(_PUT_BOOK, entry.books)
        many("DELETE FROM books WHERE book = ?", [(book,) for book in entry.gone])
        many(_PUT_TRANSIT, entry.sent)
        many("DELETE FROM transit WHERE number = ?", [(number,) for number in entry.arrived])

    def _commit(self) -> None:
        """Commit, and keep the file ours."""
        self._file.execute("COMMIT")
        self._file.execute("BEGIN IMMEDIATE")

    # -- reading -----------------------------------------------------------------------------

    def load(self) -> dict[str, Any] | None:
        """Return the account as last committed, the fields of `AccountRow`; None for a new one."""
        rows = self._select("SELECT positions, cash, balance, now, orders, fills FROM account")
        return asdict(AccountRow(*rows[0])) if rows else None

    def number_of(self, order_id: str) -> int:
        """Return the number of the order with a client id, 0 where none ever had it."""
        rows = self._select("SELECT number FROM orders WHERE order_id = ?", (order_id,))
        return int(rows[0][0]) if rows else 0

    def orders(self, where: str = "1", values: Iterable[Any] = ()) -> list[dict[str, Any]]:
        """Return orders as dicts by `ORDER_COLUMNS`, oldest first; all that ever were by default.

        where, values : an SQL condition and what stands for its question marks.
        """
        return self._rows("orders", ORDER_COLUMNS, where, values)

    def fills(self, since: int = 0) -> list[dict[str, Any]]:
        """Return the fills from a time on (ns UTC) as dicts by `FILL_COLUMNS`, oldest first."""
        return self._rows("fills", FILL_COLUMNS, "ts >= ?", (since,))

    def cash(self) -> list[dict[str, Any]]:
        """Return money that belonged to no fill, as dicts by `CASH_COLUMNS`, oldest first."""
        return self._rows("cash", CASH_COLUMNS, "1", (), "rowid")

    def books(self) -> list[tuple[Any, ...]]:
        """Return the books' states, as they were written."""
        return self._select("SELECT * FROM books ORDER BY rowid")

    def transit(self) -> list[tuple[int, int, str]]:
        """Return the requests still on their way: number, due (ns UTC), body; oldest first."""
        return self._select("SELECT number, due, body FROM transit ORDER BY number")

    def _rows(
        self,
        table: str,
        columns: tuple[str, ...],
        where: str,
        values: Iterable[Any],
        order: str = "number",
    ) -> list[dict[str, Any]]:
        names = ", ".join(f'"{name}"' for name in columns)
        found = self._select(
            f"SELECT {names} FROM {table} WHERE {where} ORDER BY {order}", tuple(values)
        )
        return [dict(zip(columns, row, strict=True)) for row in found]

    def _select(self, statement: str, values: tuple[Any, ...] = ()) -> list[Any]:
        if not self._is_open:
            raise self._error("the paper account was closed", "open it again")
        with self._explained("read"):
            return self._file.execute(statement, values).fetchall()

    def close(self) -> None:
        """Let go of the file; safe to call again."""
        if self._is_open:
            self._is_open = False
            if hasattr(self, "_file"):
                self._file.close()


def _insert(table: str, columns: int, rule: str = "") -> str:
    return f"INSERT {rule} INTO {table} VALUES ({', '.join('?' * columns)})"


_CHANGES = ", ".join(f"{name} = excluded.{name}" for name in ORDER_COLUMNS)
_PUT_ORDER = (
    f"{_insert('orders', len(ORDER_COLUMNS))} ON CONFLICT (number) DO UPDATE SET {_CHANGES}"
)
_PUT_FILL = _insert("fills", len(FILL_COLUMNS))
_PUT_CASH = _insert("cash", len(CASH_COLUMNS))
_PUT_BOOK = _insert("books", 7, "OR REPLACE")
_PUT_TRANSIT = _insert("transit", 3)
