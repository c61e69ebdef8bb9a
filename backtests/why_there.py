"""What a run's tables say of one bar: setups and their fate, orders, position, locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backtests.why_when import Bars
from core.errors import ConfigError
from core.results import RunFolder

Row = Mapping[str, Any]

_FINAL = frozenset({"filled", "canceled", "expired", "rejected", "margin", "refused"})


@dataclass
class There:
    """What was at work at a bar's close.

    setups : made at this close, with their fate. fills : of trades, inside the bar.
    orders : states entered during the bar or at its close. position : open after it, None if flat.
    working : entries that worked on. entries_today, losses_row : of its trading day so far.
    locks : rules that had locked entries.
    """

    setups: list[Row] = field(default_factory=list)
    fills: list[Row] = field(default_factory=list)
    orders: list[Row] = field(default_factory=list)
    position: Row | None = None
    working: list[Row] = field(default_factory=list)
    entries_today: int = 0
    losses_row: int = 0
    locks: list[str] = field(default_factory=list)


class Tables:
    """A plan's rows of a run folder, with times in ns UTC."""

    def __init__(self, folder: RunFolder, plan_id: str, bars: Bars) -> None:
        self._bars = bars
        self.setups = _rows(folder, "setups.csv", plan_id)
        self._trades = _rows(folder, "trades.csv", plan_id)
        self._orders = _rows(folder, "orders.csv", plan_id)
        self.fills = _fills(folder, plan_id)
        summary = folder.summary
        plan = next(item for item in summary["plans"] if item["plan_id"] == plan_id)
        account = next(a for a in summary["accounts"] if a["account"] == plan["account"])
        self._open = [_timed(row) for row in plan.get("open_positions") or ()]
        self._locks = [_timed(row) for row in account.get("locks") or ()]

    def at(self, index: int) -> There:
        """Return what was at work at a bar's close."""
        records = self._bars.records
        start, end = int(records["start"][index]), int(records["end"][index])
        day = records["start"][records["day"] == records["day"][index]]
        day_start = int(day[0])
        here = [row for row in self._trades if day_start <= row["entry_bar"] <= start]
        opened = [row for row in self._open if _entry_bar(row) <= start]
        return There(
            setups=[row for row in self.setups if row["start"] == start],
            fills=[row for row in self.fills if row["bar"] == start],
            orders=[row for row in self._orders if row["time"] == end],
            position=self._position(start, opened),
            working=self._working(end),
            entries_today=len(here) + sum(_entry_bar(row) >= day_start for row in opened),
            losses_row=_losses_row(self._trades, day_start, start),
            locks=self._locked(day_start, end),
        )

    def _position(self, start: int, opened: Sequence[Row]) -> Row | None:
        held = [row for row in self._trades if row["entry_bar"] <= start < row["exit_bar"]]
        return held[-1] if held else (opened[-1] if opened else None)

    def _working(self, end: int) -> list[Row]:
        """Return the entries that were sent and not done by the end of a bar."""
        last: dict[int, Row] = {}
        for row in self._orders:
            if row["time"] <= end and row["role"] == "entry":
                last[row["order_id"]] = row
        return [row for row in last.values() if row["state"] not in _FINAL]

    def _locked(self, day_start: int, end: int) -> list[str]:
        """Return the rules that locked the day so far; a trailing drawdown locks for good."""
        return [
            str(row["rule"])
            for row in self._locks
            if row["ts"] <= end and (row["ts"] > day_start or row["rule"] == "trailing_drawdown")
        ]


def _entry_bar(row: Row) -> int:
    return int(row.get("entry_bar", row["entry_time"]))


def _losses_row(trades: Sequence[Row], day_start: int, start: int) -> int:
    count = 0
    for row in sorted(trades, key=lambda row: int(row["exit_bar"])):
        if day_start <= row["exit_bar"] <= start:
            count = count + 1 if row["pnl"] < 0.0 else 0
    return count


def _rows(folder: RunFolder, name: str, plan_id: str) -> list[dict[str, Any]]:
    """Return a table's rows of one plan: times as ns UTC, empty cells as None."""
    frame = folder.table(name)
    frame = frame[frame["plan_id"] == plan_id]
    for column in frame.columns:
        if str(frame[column].dtype).startswith("datetime"):
            frame = frame.assign(**{column: frame[column].dt.as_unit("ns").astype(np.int64)})
    rows = _records(frame.astype(object).where(frame.notna(), None))
    if name == "setups.csv":
        return [{**row, "start": row["bar"]} for row in rows]
    return rows


def _fills(folder: RunFolder, plan_id: str) -> list[dict[str, Any]]:
    """Return the plan's fills with the START of their bars; [] in runs that kept no books."""
    try:
        frame = folder.ledger()
    except ConfigError:
        return []
    names = ["trade_id", "leg", "time", "bar", "side", "quantity", "price", "reason", "rate"]
    mine = (frame["plan_id"] == plan_id) & (frame["leg"] >= 0)
    return _records(frame.loc[mine, names])


def _records(frame: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = frame.to_dict("records")
    return rows


def _timed(row: Row) -> dict[str, Any]:
    """Return a summary's row with its ISO times as ns UTC."""
    times = {
        key: int(np.datetime64(str(value).rstrip("Z"), "ns").astype(np.int64))
        for key, value in row.items()
        if key in ("ts", "entry_time", "entry_bar") and value is not None
    }
    return {**row, **times}
