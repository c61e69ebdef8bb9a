"""A million rows into Backtrader's lines: from text, and from columns kept ready."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import backtrader as bt
import numpy as np

import feeds
from backtests.bench import Row, Task, seconds
from backtests.bench.session import Session

TASKS = (
    Task("load_csv_1m", "a million rows of text into Backtrader's lines", "65x"),
    Task("load_columns_1m", "the same from the column cache", "250x"),
)
_SYMBOL = "BTCUSD"
_PEER = f"backtrader {bt.__version__} GenericCSVData"


def measure(session: Session, wanted: frozenset[str]) -> Iterator[Row]:
    """Yield both tasks; the peer reads the very same file, and the lines are compared."""
    count = session.size(1_000_000, 100_000)
    session.tell(f"writing a file of {count:,} rows")
    with tempfile.TemporaryDirectory(dir=session.folder) as folder:
        path = Path(folder) / "bars.csv"
        _write_rows(path, count)
        os.environ["TOLA_CACHE_DIR"], before = folder, os.environ.get("TOLA_CACHE_DIR")
        try:
            for row in _rows(path, count, session):
                if row.task in wanted:
                    yield row
        finally:
            os.environ.pop("TOLA_CACHE_DIR")
            if before is not None:
                os.environ["TOLA_CACHE_DIR"] = before


def _rows(path: Path, count: int, session: Session) -> Iterator[Row]:
    began = time.perf_counter()
    theirs = _theirs(path)
    peer_cold = time.perf_counter() - began
    colds = []
    for cache in (False, True, True):
        began = time.perf_counter()
        ours = _ours(path, cache)
        colds.append(time.perf_counter() - began)
        _require_equal(ours, theirs)
    del theirs, ours
    text, columns, peer = [], [], []
    for number in range(session.size(3, 1)):
        # By turns, so that a busy machine slows all alike.
        session.tell(f"loading by turns, round {number + 1}")
        text += [seconds(lambda: _ours(path, False), 1) for _ in range(5)]
        columns += [seconds(lambda: _ours(path, True), 1) for _ in range(5)]
        peer.append(seconds(lambda: _theirs(path), 1))
    rules = "CPU s, medians by turns, one-minute rows checked, in UTC, with calendar facts"
    for task, taken, target, cold, more in (
        ("load_csv_1m", text, 65.0, colds[0], ""),
        ("load_columns_1m", columns, 250.0, colds[2], ", kept in the cache folder"),
    ):
        yield Row(
            task, "seconds", median(taken), median(peer), _PEER, target, rules + more,
            ours_cold=cold, peer_cold=peer_cold, bars=count,
        )  # fmt: skip


def _write_rows(path: Path, count: int) -> None:
    """Write a random walk of one-minute bars, an hour old so that it may be kept."""
    rng = np.random.default_rng(7)
    close = np.round(2000.0 + np.cumsum(rng.normal(0, 0.4, count)), 2)
    close -= min(0.0, close.min() - 100.0)
    open_ = np.concatenate((close[:1], close[:-1]))
    wick = np.abs(rng.normal(0, 0.4, (2, count)))
    columns = (open_, np.maximum(open_, close) + wick[0], np.minimum(open_, close) - wick[1], close)
    starts = np.datetime64("2022-01-03T00:00") + np.arange(count)
    stamps = np.char.replace(np.datetime_as_string(starts, unit="s"), "T", " ")
    volumes = rng.integers(1, 500, count)
    rows = zip(stamps, *(column.tolist() for column in columns), volumes, strict=True)
    with path.open("w", encoding="ascii") as file:
        file.write("datetime,open,high,low,close,volume\n")
        for stamp, o, h, low, c, v in rows:
            file.write(f"{stamp},{o:.2f},{h:.2f},{low:.2f},{c:.2f},{v}\n")
    hour_ago = time.time() - 3600
    os.utime(path, (hour_ago, hour_ago))


def _ours(path: Path, cache: bool) -> Any:
    return _preloaded(feeds.BulkData(feeds.load(path, symbol=_SYMBOL, tz="UTC", cache=cache)))


def _theirs(path: Path) -> Any:
    return _preloaded(
        bt.feeds.GenericCSVData(
            dataname=str(path),
            dtformat="%Y-%m-%d %H:%M:%S",
            openinterest=-1,
            timeframe=bt.TimeFrame.Minutes,
        )
    )


def _preloaded(data: Any) -> Any:
    """Fill a feed's lines as Cerebro does before a run."""
    data.setenvironment(bt.Cerebro())
    data.reset()
    data._start()
    data.preload()
    return data


def _require_equal(ours: Any, theirs: Any) -> None:
    """Refuse to compare times of feeds that hold other bars (theirs are stamped at the start)."""
    for name in ("open", "high", "low", "close", "volume"):
        mine, other = (np.frombuffer(getattr(f.lines, name).array) for f in (ours, theirs))
        if not np.array_equal(mine, other):
            raise ValueError(f"line {name} differs from the peer's")
    mine, other = (np.frombuffer(f.lines.datetime.array) for f in (ours, theirs))
    if np.abs((mine - other) * 86_400.0 - 60.0).max() > 0.001:
        raise ValueError("stamps differ from the peer's by other than the bar's minute")
