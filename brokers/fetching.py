"""A venue's history into a file: in pieces, each kept, so that an interrupted fetch goes on."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from brokers.registry import Credentials
from core.bars import BAR, Series, format_timeframe
from core.calendar import get_calendar
from core.errors import DataError
from core.instruments import get_instrument
from feeds.grid import Grid
from feeds.provenance import Provenance, now_text
from feeds.writing import series_data, write_whole

_Array = np.ndarray[Any, Any]
_FIELDS = ("start", "open", "high", "low", "close", "volume")


class Piece(NamedTuple):
    """A span [start, end) that one request may hold, ns UTC."""

    start: int
    end: int


@dataclass(frozen=True)
class FetchRequest:
    """What is wanted of a venue's history: bars with `start` <= START and END <= `end` (ns UTC).

    now : of the market, ns UTC. credentials, options : as for a port.
    """

    symbol: str
    timeframe_ns: int
    start: int
    end: int
    now: int
    credentials: Callable[[], Credentials] = Credentials
    options: Mapping[str, Any] = field(default_factory=dict)


class VenueHistory(Protocol):
    """What a venue offers for it."""

    @property
    def source(self) -> str:
        """What the bars are of, for the file's provenance."""

    def pieces(self) -> list[Piece]:
        """Return the spans to ask for, oldest first."""

    def ask(self, piece: Piece) -> _Array:
        """Return a span's bars; the last may be forming."""

    def notes(self, first: int | None) -> list[str]:
        """Return in plain words what was asked for and is not there."""


@dataclass(frozen=True)
class Fetched:
    """What was written. asked, kept : pieces asked for now, and found of an earlier try."""

    out: Path
    series: Series
    asked: int
    kept: int
    notes: list[str]


def fetch(
    history: VenueHistory,
    request: FetchRequest,
    out: Path,
    *,
    tool: str,
    tell: Callable[[int, int], None] = lambda done, total: None,
) -> Fetched:
    """Write a venue's history as a file with its provenance.

    Each piece is kept beside the target until the file is whole: the same command goes on where it
    was interrupted. A piece that was not over when it was asked for is asked for again.

    Parameters
    ----------
    tell : called with pieces done and pieces in all.

    Raises
    ------
    DataError : there are no bars in that span. VenueError : the venue refuses or is away.
    """
    pieces = history.pieces()
    folder = out.parent / f".{out.name}.pieces" / _digest(history.source)
    folder.mkdir(parents=True, exist_ok=True)
    parts, asked = [], 0
    for done, piece in enumerate(pieces):
        tell(done, len(pieces))
        path = folder / f"{piece.start}-{piece.end}.npy"
        bars = _kept(path)
        if bars is None:
            bars = history.ask(piece)
            asked += 1
            if piece.end <= request.now:
                _keep(path, bars)
        parts.append(bars)
    tell(len(pieces), len(pieces))
    series = _series(history, request, [part for part in parts if len(part)])
    first = int(series.bars["start"][0]) if len(series) else None
    notes = history.notes(first)
    if first is None:
        raise DataError("; ".join(["the venue has no bars in that span", *notes]))
    write_whole({out: series_data(out, series, _provenance(history, series, tool))})
    shutil.rmtree(folder.parent, ignore_errors=True)
    return Fetched(out, series, asked, len(pieces) - asked, notes)


def _series(history: VenueHistory, request: FetchRequest, parts: list[_Array]) -> Series:
    """Return the pieces as one series: in order, each bar once, none that is still forming."""
    calendar = get_calendar(get_instrument(request.symbol).calendar)
    bars = np.concatenate(parts) if parts else np.zeros(0, BAR)
    _, places = np.unique(bars["start"], return_index=True)
    fitted = Grid(calendar, request.timeframe_ns).fitted(bars[places])
    inside = (fitted["start"] >= request.start) & (fitted["end"] <= min(request.end, request.now))
    return Series(request.symbol, request.timeframe_ns, fitted[inside], {"path": history.source})


def _provenance(history: VenueHistory, series: Series, tool: str) -> Provenance:
    return Provenance(
        made_by="data fetch",
        tool=tool,
        made=now_text(),
        symbol=series.symbol,
        timeframe=format_timeframe(series.timeframe_ns),
        price_side=get_instrument(series.symbol).price_side,
        rows=len(series),
        sources=[{"name": history.source, "rows": len(series)}],
    )


def _keep(path: Path, bars: _Array) -> None:
    rows = np.array([[bar[name] for name in _FIELDS[1:]] for bar in bars], np.float64)
    part = path.with_suffix(".part")
    with part.open("wb") as file:
        np.savez(file, start=bars["start"].astype(np.int64) if len(bars) else [], rows=rows)
    part.replace(path)


def _kept(path: Path) -> _Array | None:
    """Return a piece of an earlier try, None where there is none that is whole."""
    try:
        with np.load(path) as held:
            starts, rows = held["start"], held["rows"]
            bars = np.zeros(len(starts), BAR)
            bars["start"] = starts
            for place, name in enumerate(_FIELDS[1:]):
                if len(starts):
                    bars[name] = rows[:, place]
            return bars
    except (OSError, ValueError, KeyError):
        return None


def _digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()[:12]
