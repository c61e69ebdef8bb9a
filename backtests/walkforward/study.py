"""The study of a walk-forward: every set that was run, and every window that is finished.

It is to a walk-forward what `backtests.search.study` is to a sweep. But a finished window hangs on
what was searched too, so grid, objective, bounds, search and windows are part of its identity.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from backtests.search.runners import Given, Record
from backtests.search.study import IDENTITY, Answers, StudyFile, key_of

Figures = Sequence[float | None]

FILE = "walk.sqlite"
FORMAT = 2
NAMES = {
    **IDENTITY,
    "windows": "cut into windows",
    "grid": "grid",
    "objective": "objective",
    "constraints": "bounds",
    "search": "search",
}
"""What two walk-forwards must share to use one study, and what it is called where it differs."""

ALL = -1
"""In the place of a window's number: a set that was run for all windows at once."""

_SCHEMA = """
CREATE TABLE sets (
    place INTEGER NOT NULL, params TEXT NOT NULL, fault TEXT NOT NULL, figures BLOB,
    PRIMARY KEY (place, params)
);
CREATE TABLE windows (
    place INTEGER PRIMARY KEY, params TEXT, tried INTEGER NOT NULL, failed INTEGER NOT NULL,
    inside BLOB NOT NULL, outside BLOB NOT NULL, equity BLOB NOT NULL
);
"""
_PUT_SET = "INSERT OR IGNORE INTO sets VALUES (?, ?, ?, ?)"
_PUT_WINDOW = "INSERT OR REPLACE INTO windows VALUES (?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True)
class Done:
    """A finished window.

    params : what was chosen, None where no set counted. tried : sets; failed : of them.
    inside, outside : figures in the order of METRICS. equity : at each day's close out of sample.
    """

    params: Given | None
    tried: int
    failed: int
    inside: Figures
    outside: Figures
    equity: Sequence[float]


class Memory(Protocol):
    """What keeps a walk-forward as it goes."""

    def part(self, place: int) -> Answers:
        """Return what knows the sets that were run for one window, or for ALL."""

    def windows(self) -> list[Done]:
        """Return the windows finished before, in order."""

    def keep_window(self, place: int, done: Done) -> None:
        """Keep a window that is finished."""


class Forgetful:
    """Keeps nothing."""

    is_empty = True

    def part(self, place: int) -> Answers:
        """Return itself: no set is known."""
        return self

    def find(self, given: Given) -> Record | None:
        """Return None."""
        return None

    def keep(self, table: Sequence[Given], records: Iterable[Record]) -> None:
        """Nothing is kept."""

    def windows(self) -> list[Done]:
        """Return none."""
        return []

    def keep_window(self, place: int, done: Done) -> None:
        """Nothing is kept."""


class WalkStudy(StudyFile):
    """An open study. identity : by the names of NAMES."""

    def __init__(self, path: Path, identity: Mapping[str, Any]) -> None:
        super().__init__(path, identity, NAMES, _SCHEMA)

    def part(self, place: int) -> Answers:
        """Return what knows the sets that were run for one window, or for ALL."""
        return _Part(self, place)

    def windows(self) -> list[Done]:
        """Return the windows finished before, in order."""
        rows = self.select("SELECT * FROM windows ORDER BY place")
        return [
            Done(_params(params), tried, failed, _figures(inside), _figures(outside),
                 np.frombuffer(equity).tolist())
            for _, params, tried, failed, inside, outside, equity in rows
        ]  # fmt: skip

    def keep_window(self, place: int, done: Done) -> None:
        """Keep a window that is finished."""
        params = None if done.params is None else json.dumps(dict(done.params), default=list)
        row = (
            place, params, done.tried, done.failed, _bytes(done.inside), _bytes(done.outside),
            _bytes(done.equity),
        )  # fmt: skip
        self.insert(_PUT_WINDOW, [row])

    def failed(self) -> int:
        """Return how many of the sets that were run failed."""
        return int(self.select("SELECT COUNT(*) FROM sets WHERE fault <> ''")[0][0])

    def __len__(self) -> int:
        return int(self.select("SELECT COUNT(*) FROM sets")[0][0])


class _Part:
    """The sets that were run for one window, or for all at once."""

    def __init__(self, study: WalkStudy, place: int) -> None:
        self._study, self._place = study, place
        self.is_empty = not study.select("SELECT 1 FROM sets WHERE place = ? LIMIT 1", (place,))

    def find(self, given: Given) -> Record | None:
        """Return what a set came to, None if it was never run."""
        if self.is_empty:
            return None
        rows = self._study.select(
            "SELECT fault, figures FROM sets WHERE place = ? AND params = ?",
            (self._place, key_of(given)),
        )
        if not rows:
            return None
        fault, figures = rows[0]
        return Record(None, fault) if fault else Record(_figures(figures))

    def keep(self, table: Sequence[Given], records: Iterable[Record]) -> None:
        """Keep results, all of them or, if the process dies, none."""
        rows = [
            (self._place, key_of(given), record.fault,
             None if record.figures is None else _bytes(record.figures))
            for given, record in zip(table, records, strict=True)
        ]  # fmt: skip
        self._study.insert(_PUT_SET, rows)


def _bytes(figures: Figures) -> bytes:
    """Return figures to the last bit; nan stands for one that cannot be formed."""
    return np.array([np.nan if value is None else value for value in figures], float).tobytes()


def _figures(kept: bytes) -> list[float | None]:
    return [None if value != value else value for value in np.frombuffer(kept).tolist()]


def _params(text: str | None) -> Given | None:
    if text is None:
        return None
    values = json.loads(text)
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
