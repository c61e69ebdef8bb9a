"""What a run's tables say of one bar: setups and their fate, orders, position, locks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backtests.why.when import Bars
from core.errors import ConfigError
from core.results import RunFolder

if TYPE_CHECKING:
    import pandas as pd

Row = Mapping[str, Any]

_FINAL = ("filled", "canceled", "expired", "rejected", "margin", "refused")
_FILL = ("trade_id", "leg", "time", "bar", "side", "quantity", "price", "reason", "rate")


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
    """A plan's rows of a run folder, with times in ns UTC.

    Attributes
    ----------
    setups : DataFrame of setups.csv. refused : END of each bar at which an order was refused.
    rate : account money per quote money at the last fill, None before any.
    rules : the account's, as texts.
    """

    def __init__(self, folder: RunFolder, plan_id: str, bars: Bars) -> None:
        self._bars = bars
        self.setups = _table(folder, "setups.csv", plan_id)
        self._trades = _table(folder, "trades.csv", plan_id)
        self._orders = _table(folder, "orders.csv", plan_id)
        self._fills = _fills(folder, plan_id)
        self._entries = _working_spans(self._orders)
        summary = folder.summary
        plan = next(item for item in summary["plans"] if item["plan_id"] == plan_id)
        account = next(a for a in summary["accounts"] if a["account"] == plan["account"])
        self._open = [_timed(row) for row in plan.get("open_positions") or ()]
        self.rules: list[str] = list(account.get("rules") or ())
        self._locks = [_timed(row) for row in account.get("locks") or ()]

    @property
    def refused(self) -> np.ndarray[Any, Any]:
        """END of each bar at whose close an order was refused."""
        return self._orders.loc[self._orders["rule"].notna(), "time"].to_numpy(np.int64)

    @property
    def rate(self) -> float | None:
        """Account money per quote money at the last fill, None before any."""
        known = [] if self._fills is None else self._fills["rate"].dropna().to_list()
        return float(known[-1]) if known else None

    def at(self, index: int) -> There:
        """Return what was at work at a bar's close."""
        records = self._bars.records
        start, end = int(records["start"][index]), int(records["end"][index])
        first = int(np.searchsorted(records["day"], records["day"][index]))
        day_start = int(records["start"][first])
        trades = self._trades
        today = trades[trades["entry_bar"].between(day_start, start)]
        opened = [row for row in self._open if row["entry_time"] <= start]
        began = sum(row["entry_time"] >= day_start for row in opened)
        fills = [] if self._fills is None else _rows(self._fills[self._fills["bar"] == start])
        return There(
            setups=_rows(self.setups[self.setups["bar"] == start]),
            fills=fills,
            orders=_rows(self._orders[self._orders["time"] == end]),
            position=self._position(start, opened),
            working=self._working(end),
            entries_today=len(today) + began,
            losses_row=_losses_row(trades, day_start, start),
            locks=self._locked(day_start, end),
        )

    def end_of(self, order_id: int) -> Row:
        """Return the last state an order entered."""
        return _rows(self._orders[self._orders["order_id"] == order_id])[-1]

    def _position(self, start: int, opened: Sequence[Row]) -> Row | None:
        trades = self._trades
        held = trades[(trades["entry_bar"] <= start) & (trades["exit_bar"] > start)]
        if len(held):
            return _rows(held)[-1]
        return opened[-1] if opened else None

    def _working(self, end: int) -> list[Row]:
        """Return the entries that were sent and not done by the end of a bar."""
        spans = self._entries
        ids = spans.index[(spans["sent"] <= end) & (spans["done"] > end)]
        if not len(ids):
            return []
        rows = self._orders[self._orders["order_id"].isin(ids) & (self._orders["time"] <= end)]
        return _rows(rows.drop_duplicates("order_id", keep="last"))

    def _locked(self, day_start: int, end: int) -> list[str]:
        """Return the rules that locked the day so far; a trailing drawdown locks for good."""
        return [
            str(row["rule"])
            for row in self._locks
            if row["ts"] <= end and (row["ts"] > day_start or row["rule"] == "trailing_drawdown")
        ]


def _working_spans(orders: pd.DataFrame) -> pd.DataFrame:
    """Return by entry order when it was sent and when it was done (never: the end of time)."""
    entries = orders[(orders["role"] == "entry") & orders["order_id"].notna()]
    sent = entries.groupby("order_id")["time"].min().rename("sent").to_frame()
    done = entries[entries["state"].isin(_FINAL)].groupby("order_id")["time"].max()
    never = np.iinfo(np.int64).max
    return sent.assign(done=done.reindex(sent.index, fill_value=never).astype(np.int64))


def _losses_row(trades: pd.DataFrame, day_start: int, start: int) -> int:
    closed = trades[trades["exit_bar"].between(day_start, start)].sort_values("exit_bar")
    count = 0
    for pnl in closed["pnl"]:
        count = count + 1 if pnl < 0.0 else 0
    return count


def _table(folder: RunFolder, name: str, plan_id: str) -> pd.DataFrame:
    """Return a table's rows of one plan, times as ns UTC."""
    frame = folder.table(name)
    frame = frame[frame["plan_id"] == plan_id]
    times = {
        column: frame[column].dt.as_unit("ns").astype(np.int64)
        for column in frame.columns
        if str(frame[column].dtype).startswith("datetime")
    }
    return frame.assign(**times)


def _fills(folder: RunFolder, plan_id: str) -> pd.DataFrame | None:
    """Return the plan's fills with the START of their bars; None in runs that kept no books."""
    try:
        frame = folder.ledger()
    except ConfigError:
        return None
    return frame.loc[(frame["plan_id"] == plan_id) & (frame["leg"] >= 0), list(_FILL)]


def _rows(frame: pd.DataFrame) -> list[Row]:
    """Return a few rows as mappings, empty cells as None."""
    if frame.empty:
        return []
    rows: list[Row] = frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[assignment]
    return rows


def _timed(row: Row) -> dict[str, Any]:
    """Return a summary's row with its ISO times as ns UTC."""
    times = {
        key: int(np.datetime64(str(value).rstrip("Z"), "ns").astype(np.int64))
        for key, value in row.items()
        if key in ("ts", "entry_time") and value is not None
    }
    return {**row, **times}
