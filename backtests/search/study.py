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
from typing import Any, Protocol, Self

from backtests.search.objective import METRICS
from backtests.search.runners import Given, Record
from core.errors import ConfigError, TolaError
from core.results import json_text
from core.sqlite import explained, open_database, transaction

FILE = "study.sqlite"
FORMAT = 2
_WAIT_SECS = 30.0

_ABOUT = "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);"
_SCHEMA = f"""
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
    "rules": "limits, costs and fill rules",
    "facts": "contract facts",
    "code": "version of Tola",
    "libraries": "version of numpy or numba",
}
"""What two sweeps must share to use one study, and what it is called where it differs."""


def key_of(given: Given) -> str:
    """Return a set as the study names it."""
    return json.dumps(dict(given), sort_keys=True, default=list)


class Answers(Protocol):
    """What may know a set's result already: a study, or a part of one.

    Attributes
    ----------
    is_empty : it knew nothing when it was opened.
    """

    is_empty: bool

    def find(self, given: Given) -> Record | None:
        """Return what a set came to, None if it was never run."""

    def keep(self, table: Sequence[Given], records: Iterable[Record]) -> None:
        """Keep results, all of them or, if the process dies, none."""


class StudyFile:
    """An SQLite file of what was done, and what that hangs on.

    Parameters
    ----------
    path : made if it is not there.
    identity : what its results hang on; plain JSON values. names : what each is called.
    schema : of its tables, but for the identity's own.

    Raises
    ------
    ConfigError : the file is no study, or one of other things; the first difference is named.
    TolaError : it cannot be opened.
    """

    def __init__(
        self, path: Path, identity: Mapping[str, Any], names: Mapping[str, str], schema: str
    ) -> None:
        self.path = path
        is_new = not path.exists()
        if not is_new:
            check_same(path, read_identity(path), identity, names)
        with explained(str(path)):
            self._base = open_database(path, wait_secs=_WAIT_SECS)
        if is_new:
            self._create(identity, schema)

    def _create(self, identity: Mapping[str, Any], schema: str) -> None:
        rows = [(name, json_text(value, indent=None)) for name, value in identity.items()]
        try:
            with explained(str(self.path)), transaction(self._base):
                for statement in f"{_ABOUT}{schema}".split(";")[:-1]:
                    self._base.execute(statement)
                self._base.executemany("INSERT INTO about VALUES (?, ?)", rows)
        except BaseException:
            self._base.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._base.close()

    def insert(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Write rows, all of them or, if the process dies, none.

        Raises
        ------
        TolaError : they cannot be written; those before are kept.
        """
        try:
            with transaction(self._base):
                self._base.executemany(statement, rows)
        except sqlite3.OperationalError as cause:
            raise TolaError(
                f"{self.path}: results cannot be kept ({cause}); those before are: free space and "
                "go on with --resume"
            ) from cause

    def select(self, statement: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query.

        Raises
        ------
        TolaError : they cannot be read.
        """
        with explained(str(self.path)):
            return self._base.execute(statement, values).fetchall()


class Study(StudyFile):
    """The open study of a sweep. identity : by the names of IDENTITY."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        super().__init__(path, identity, IDENTITY, _SCHEMA)
        self.is_empty = not self.select("SELECT 1 FROM sets LIMIT 1")

    def find(self, given: Given) -> Record | None:
        """Return what a set came to, None if it was never run."""
        if self.is_empty:
            return None
        rows = self.select(_SELECT, (key_of(given),))
        if not rows:
            return None
        fault, *figures = rows[0]
        return Record(None, fault) if fault else Record(figures)

    def keep(self, table: Sequence[Given], records: Iterable[Record]) -> None:
        """Keep results, all of them or, if the process dies, none."""
        rows = [
            (key_of(given), record.fault, *(_NONE if record.figures is None else record.figures))
            for given, record in zip(table, records, strict=True)
        ]
        self.insert(_INSERT, rows)

    def __len__(self) -> int:
        return int(self.select("SELECT COUNT(*) FROM sets")[0][0])


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


def check_same(
    path: Path,
    found: Mapping[str, Any],
    wanted: Mapping[str, Any],
    names: Mapping[str, str] = IDENTITY,
) -> None:
    """Refuse a study of other things, naming the first that differs.

    names : what must be the same, and what each is called.

    Raises
    ------
    ConfigError : they differ.
    """
    mine = json.loads(json_text(dict(wanted), indent=None))
    for name, text in names.items():
        if found.get(name) != mine.get(name):
            contrast = _contrast(found.get(name), mine[name])
            raise ConfigError(
                f"{path}: is a study that differs in its {text}: {contrast}; leave --resume out to "
                "begin a new one"
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
