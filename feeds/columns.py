"""What every reader hands on: the columns of one source as they stand in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from core.errors import DataError
from feeds.kinds import PLAIN, Kind

PRICES = ("open", "high", "low", "close")

_ALIASES = {
    "datetime": (
        "datetime",
        "date time",
        "date_time",
        "timestamp",
        "ts",
        "stamp",
        "gmt time",
        "utc time",
        "local time",
        "time (utc)",
        "time (gmt)",
        "time (eet)",
        "open time",
        "open_time",
        "bar_time",
        "index",
        "__index_level_0__",
    ),
    "date": ("date", "day", "trade_date", "dtyyyymmdd"),
    "time": ("time", "hour", "trade_time"),
    "open": ("open", "o", "open price", "openbid", "bidopen", "first", "into"),
    "high": ("high", "h", "max", "high price", "highbid", "bidhigh", "inth"),
    "low": ("low", "l", "min", "low price", "lowbid", "bidlow", "intl"),
    "close": ("close", "c", "close price", "closebid", "bidclose", "last", "price", "intc"),
    "volume": ("volume", "vol", "vol.", "v", "real_volume", "shares traded", "qty", "intv"),
    "ticks": ("tickvol", "tick_volume", "tick volume", "tickvolume", "ticks"),
    "spread": ("spread",),
}
_NAME_OF = {alias: name for name, aliases in _ALIASES.items() for alias in aliases}


@dataclass(frozen=True)
class Columns:
    """One source, read but not judged.

    name : the source as the user named it, for messages.
    stamps : int64 ns; UTC if `zone_known`, else the wall clock of a zone still to be found.
    zone_known : how the stamps themselves tell the zone ('offsets in the stamps', ...), or None.
    offsets : offsets named in the stamps, minutes.
    epoch : the stamps count from 1970; UTC unless the user says it is a server's wall clock.
    open, high, low, close, volume, spread : float64, NaN where a cell is empty.
    line_of : row -> 1-based line of the file (None for sources without lines).
    facts : provenance to report (sha256, kind, columns, notes).
    kind : whose way of writing it is, and what its maker states.
    bars : the columns' own BAR records where the reader made them, prices, volume and spread set.
    """

    name: str
    stamps: np.ndarray[Any, Any]
    zone_known: str | None
    epoch: bool
    open: np.ndarray[Any, Any]
    high: np.ndarray[Any, Any]
    low: np.ndarray[Any, Any]
    close: np.ndarray[Any, Any]
    volume: np.ndarray[Any, Any]
    spread: np.ndarray[Any, Any]
    line_of: Callable[[int], int | None]
    facts: dict[str, Any] = field(default_factory=dict)
    bars: np.ndarray[Any, Any] | None = None
    kind: Kind = PLAIN

    def take(self, rows: np.ndarray[Any, Any]) -> Columns:
        """Return some rows, in this order; lines stay those of the whole source."""
        names = ("stamps", *PRICES, "volume", "spread")
        return replace(
            self,
            bars=None,
            **{name: getattr(self, name)[rows] for name in names},
            line_of=lambda row: self.line_of(int(rows[row])) if row < len(rows) else None,
        )

    def fault(self, message: str, row: int | None = None) -> DataError:
        """Return an error that names this source and, where there is one, the line of a row."""
        line = None if row is None else self.line_of(row)
        if row is not None and line is None:
            message = f"row {row}: {message}"
        return DataError(message, file=self.name, line=line)


def known_name(header: str) -> str | None:
    """Return our word for a column header ('<TICKVOL>' -> 'ticks'), None if it means nothing."""
    return _NAME_OF.get(header.strip().strip("<>\"'").strip().lower())


def match_columns(
    headers: list[str], mapping: dict[str, str], name: str, line: int | None = None
) -> dict[str, int]:
    """Return the place of each column we use.

    Parameters
    ----------
    headers : list of str
        As the source has them.
    mapping : dict
        Our word -> the source's header, for headers we cannot know.
    name, line : str, int
        The source and its header's line, for messages.

    Raises
    ------
    DataError : if a price or the stamp is missing, or a mapped header is absent.
    """
    places: dict[str, int] = {}
    for place, header in enumerate(headers):
        word = known_name(header)
        if word is not None:
            places.setdefault(word, place)
    folded = {header.strip().lower(): place for place, header in reversed(list(enumerate(headers)))}
    for word, header in mapping.items():
        if word not in _ALIASES:
            known = ", ".join(_ALIASES)
            raise DataError(f"column mapping {word!r}: expected one of {known}", file=name)
        if header.strip().lower() not in folded:
            raise DataError(
                f"no column {header!r} (asked for as {word}); the file has {', '.join(headers)}",
                file=name,
                line=line,
            )
        places[word] = folded[header.strip().lower()]
    if "time" in places and "datetime" in places and "time" not in mapping:
        places.pop("time")
    return _with_stamp(places, headers, name, line)


def _with_stamp(
    places: dict[str, int], headers: list[str], name: str, line: int | None
) -> dict[str, int]:
    """Settle which column is the stamp and refuse a source without one or without a price."""
    if "datetime" not in places:
        if "date" in places:
            places["datetime"] = places.pop("date")
        elif "time" in places:
            places["datetime"] = places.pop("time")
    else:
        places.pop("date", None)
    missing = [word for word in ("datetime", *PRICES) if word not in places]
    if missing:
        raise DataError(
            f"missing column {', '.join(missing)}: the file has {', '.join(headers)};"
            f' name it so in the header (in Python: columns={{"{missing[0]}": "..."}})',
            file=name,
            line=line,
        )
    return places
