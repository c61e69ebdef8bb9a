"""A study: every set ever run for a plan, with its figures, in one SQLite file.

What stands in it is not run again, whichever search asks: a search chooses its sets from seed and
figures alone, so one that goes on after a break asks the same questions, and those answered before
are answered from here. Each batch of results is one transaction: a process that is killed at any
moment loses only what was not done.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backtests.search.objective import METRICS
from backtests.search.runners import Given, Record
from core.errors import ConfigError, TolaError
from core.results import json_text
from core.sqlite import explained, open_database, transaction

FILE = "study.sqlite"
FORMAT = 1
_WAIT_SECS = 30.0

_SCHEMA = f"""
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE sets (
    number INTEGER PRIMARY KEY, params TEXT NOT NULL UNIQUE, fault TEXT NOT NULL,
    {", ".join(f"{name} REAL" for name in METRICS)}
);
"""
_INSERT = (
    f"INSERT OR IGNORE INTO sets (params, fault, {', '.join(METRICS)}) "
    f"VALUES (?, ?, {', '.join('?' * len(METRICS))})"
)
_SELECT = f"SELECT fault, {', '.join(METRICS)} FROM sets WHERE params = ?"
_NONE = [None] * len(METRICS)

IDENTITY = {
    "format": "form of the study",
    "plan": "plan",
    "strategy": "strategy",
    "source": "text of the strategy's file",
    "engine": "engine",
    "instrument": "instrument",
    "data": "price data",
    "settings": "settings of the strategy",
    "account": "cash and currency",
    "rules": "limits and fill rules",
    "code": "version of Tola",
    "libraries": "version of numpy or numba",
}
"""What two searches must share to use one study, and what it is called where it differs."""


def key_of(given: Given) -> str:
    """Return a set as the study names it."""
    return json.dumps(dict(given), sort_keys=True, default=list)


class Study:
    """An open study.

    Parameters
    ----------
    path : its file; made if it is not there.
    identity : what its results hang on, by the names of IDENTITY; plain JSON values.

    Raises
    ------
    ConfigError : the file is no study, or one of other things; the first difference is named.
    """

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        self.path = path
        is_new = not path.exists()
        if not is_new:
            check_same(path, read_identity(path), identity)
        with explained(str(path)):
            self._base = open_database(path, wait_secs=_WAIT_SECS)
        try:
            with explained(str(path)):
                if is_new:
                    self._create(identity)
                self.is_empty = not self._base.execute("SELECT 1 FROM sets LIMIT 1").fetchone()
        except BaseException:
            self._base.close()
            raise

    def _create(self, identity: Mapping[str, Any]) -> None:
        rows = [(name, json_text(value, indent=None)) for name, value in identity.items()]
        with transaction(self._base):
            for statement in _SCHEMA.split(";")[:-1]:
                self._base.execute(statement)
            self._base.executemany("INSERT INTO about VALUES (?, ?)", rows)

    def __enter__(self) -> Study:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def find(self, given: Given) -> Record | None:
        """Return what a set came to, None if it was never run."""
        if self.is_empty:
            return None
        row = self._base.execute(_SELECT, (key_of(given),)).fetchone()
        if row is None:
            return None
        return Record(None, row[0]) if row[0] else Record(row[1:])

    def keep(self, table: Sequence[Given], records: Iterable[Record]) -> None:
        """Keep results, all of them or, if the process dies, none."""
        rows = [
            (key_of(given), record.fault, *(_NONE if record.figures is None else record.figures))
            for given, record in zip(table, records, strict=True)
        ]
        try:
            with transaction(self._base):
                self._base.executemany(_INSERT, rows)
        except sqlite3.OperationalError as cause:
            raise TolaError(
                f"{self.path}: results cannot be kept ({cause}); those before are: free space and "
                "go on with --resume"
            ) from cause

    def __len__(self) -> int:
        return int(self._base.execute("SELECT COUNT(*) FROM sets").fetchone()[0])


def read_identity(path: Path) -> dict[str, Any]:
    """Return what a study's results hang on.

    Raises
    ------
    ConfigError : the file is not there, or no study.
    """
    if not path.is_file():
        raise ConfigError(f"{path}: there is no study; leave --resume out")
    try:
        with contextlib.closing(open_database(path, wait_secs=_WAIT_SECS)) as base:
            rows = base.execute("SELECT name, value FROM about").fetchall()
    except sqlite3.Error as cause:
        raise ConfigError(f"{path}: is no study ({cause}); leave --resume out") from cause
    return {name: json.loads(value) for name, value in rows}


def check_same(path: Path, found: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Refuse a study of other things, naming the first that differs.

    Raises
    ------
    ConfigError : they differ.
    """
    mine = json.loads(json_text(dict(wanted), indent=None))
    for name, text in IDENTITY.items():
        if found.get(name) != mine.get(name):
            raise ConfigError(
                f"{path}: is a study of another {text}: {_contrast(found.get(name), mine[name])}; "
                "leave --resume out to begin a new one"
            )


def _contrast(there: Any, here: Any) -> str:
    """Return two values side by side; of two mappings what differs first."""
    if isinstance(there, dict) and isinstance(here, dict):
        for name in sorted({*there, *here}):
            if there.get(name) != here.get(name):
                lead = f"{name}="
                return f"{lead}{_brief(there.get(name))} there, {_brief(here.get(name))} here"
    return f"{_brief(there)} there, {_brief(here)} here"


def _brief(value: Any) -> str:
    if isinstance(value, dict | list):
        value = json.dumps(value)
    text = "none" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
