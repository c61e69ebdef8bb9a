"""A small finished run, written with the project's own writer from the real 15-minute shape."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.bars import BAR
from core.results import (
    DAY_COLUMNS,
    EQUITY_COLUMNS,
    FILL_COLUMNS,
    ORDER_COLUMNS,
    SETUP_COLUMNS,
    TRADE_COLUMNS,
    ZONE_COLUMNS,
    RunFolder,
    RunWriter,
    iso_time,
)

QUARTER = 15 * 60 * 1_000_000_000
FIRST = 1_704_189_600 * 1_000_000_000


def make_bars(count: int) -> np.ndarray:
    bars = np.zeros(count, BAR)
    walk = 2000 + np.cumsum(np.random.default_rng(7).normal(0, 1.2, count + 1))
    bars["start"] = FIRST + QUARTER * np.arange(count)
    bars["end"] = bars["start"] + QUARTER
    bars["open"], bars["close"] = np.round(walk[:-1], 2), np.round(walk[1:], 2)
    bars["high"] = np.maximum(bars["open"], bars["close"]) + 0.8
    bars["low"] = np.minimum(bars["open"], bars["close"]) - 0.8
    bars["day"] = bars["start"] // (86_400 * 1_000_000_000)
    return bars


def trade_rows(bars: np.ndarray, every: int = 90) -> list[dict]:
    rows = []
    for number, entry in enumerate(range(50, len(bars) - 30, every), start=1):
        long = number % 2 == 1
        won = number % 3 == 0
        price = float(bars["close"][entry])
        risk = 4.0
        sign = 1 if long else -1
        r = 2.0 if won else -1.0
        rows.append(
            {
                "trade_id": number, "plan_id": "gold", "entry_bar": iso_time(bars["start"][entry]),
                "exit_bar": iso_time(bars["start"][entry + 12]),
                "entry_time": iso_time(bars["end"][entry]),
                "exit_time": iso_time(bars["end"][entry + 12]), "side": "long" if long else "short",
                "quantity": 3.0, "entry_price": price, "exit_price": price + sign * r * risk,
                "stop": price - sign * risk, "target": price + sign * 2 * risk,
                "pnl": 120.0 * r - 6, "costs": 6.0, "r_multiple": r - 0.05, "mae_r": -0.6,
                "mfe_r": 1.2, "legs": 1, "pattern": "breaker" if long else "sweep_choch",
                "exit_reason": "target" if won else "stop", "ambiguous": number == 4,
            }
        )  # fmt: skip
    return rows


def write_run(
    runs: Path,
    count: int = 2000,
    title: str = "gold_smc",
    every: int = 90,
    pattern: str = "breaker",
    zone_every: int = 0,
    is_plain: bool = False,
) -> RunFolder:
    """Write a run; a plain one has no setups, patterns, stops or targets."""
    bars = make_bars(count)
    trades = trade_rows(bars, every)
    for row in trades:
        row["pattern"] = pattern if row["pattern"] == "breaker" else row["pattern"]
        if is_plain:
            nothing = ("pattern", "stop", "target", "r_multiple", "mae_r", "mfe_r")
            row |= dict.fromkeys(nothing)
    pnl = np.zeros(count)
    for row in trades:
        pnl[np.searchsorted(bars["start"], FIRST) + 50 + (row["trade_id"] - 1) * every + 12] += row[
            "pnl"
        ]
    equity = 100_000 + np.cumsum(pnl)
    drawdown = equity - np.maximum.accumulate(equity)
    plan = {
        "plan_id": "gold", "account": "main", "currency": "USD", "strategy": title,
        "instrument": "MGC", "timeframe": "15m", "bars": count, "first": iso_time(bars["start"][0]),
        "last": iso_time(bars["end"][-1]), "zone": "America/New_York", "synthetic": True,
        "trades": len(trades), "net_profit": float(pnl.sum()), "return_pct": 0.4,
        "max_drawdown_pct": -0.9, "win_rate": 0.33, "expectancy_r": -0.02,
        "expectancy_ci95": [-0.4, 0.36], "profit_factor": 0.98, "sharpe": 0.1, "sortino": 0.2,
        "calmar": 0.1, "ambiguous_trades": 1, "band": {"worst": -500.0, "best": 350.0},
        "verdict": "no edge shown", "costs": {"commission": 88.0, "spread": 40.5},
        "refused": {"trade_risk": 4, "daily_loss": 1},
    }  # fmt: skip
    days = [
        {
            "day": str(np.datetime64(int(day), "D")), "start_equity": 100_000.0,
            "low_equity": 99_700.0, "end_equity": 100_050.0,
            "pnl": float(pnl[bars["day"] == day].sum()), "limit": 800.0, "headroom": 500.0,
            "trades": 1, "locked": 0,
        }
        for day in np.unique(bars["day"])
    ]  # fmt: skip
    zones = [
        {"kind": "FVG", "side": 1, "known": 40, "end": 70, "top": float(bars["high"][40]),
         "bottom": float(bars["low"][40]), "origin": 39},
        {"kind": "PDH", "side": -1, "known": 30, "end": -1, "top": float(bars["high"][30]),
         "bottom": float(bars["high"][30]), "origin": 20},
    ]  # fmt: skip
    zones += [
        {"kind": "OB", "side": 1 - 2 * (i % 2), "known": i, "end": i + 40, "origin": i - 1,
         "top": float(bars["high"][i]), "bottom": float(bars["low"][i])}
        for i in range(100, count, zone_every or count)
    ]  # fmt: skip
    writer = RunWriter(runs)
    with writer:
        writer.table("trades.csv", TRADE_COLUMNS, trades)
        writer.table("fills.csv", FILL_COLUMNS, _fills(trades))
        writer.table("orders.csv", ORDER_COLUMNS, [] if is_plain else _stop_orders(trades, bars))
        writer.table("setups.csv", SETUP_COLUMNS, [] if is_plain else _setups(trades, bars))
        account = {"account": "main", "currency": "USD", "cash_start": 100_000.0,
                   "equity_end": float(equity[-1]), "net_profit": float(pnl.sum()),
                   "plans": ["gold"]}  # fmt: skip
        curve = [
            {"time": iso_time(t), "equity": e, "drawdown": d}
            for t, e, d in zip(bars["end"], equity, drawdown, strict=True)
        ]
        writer.table("equity-main.csv", EQUITY_COLUMNS, curve)
        writer.table("days-main.csv", DAY_COLUMNS, days)
        writer.table("zones-gold.csv", ZONE_COLUMNS, zones)
        writer.bars("gold", bars)
        counts = {"bars": count, "sweeps": 512, "filled": len(trades), "dropped": {"dxy": 6}}
        writer.json("funnel.json", {"gold": counts})
        writer.json("run.json", {"params": {"rr": {"value": 2.0, "from": "default"}}})
        writer.json("summary.json", {"mode": "backtest", "accounts": [account], "plans": [plan]})
        return writer.publish()


def _fills(trades: list[dict]) -> list[dict]:
    fills = []
    for row in trades:
        sides = ("buy", "sell") if row["side"] == "long" else ("sell", "buy")
        for leg, (when, price) in enumerate(
            (("entry_time", "entry_price"), ("exit_time", "exit_price"))
        ):
            fills.append(
                {"trade_id": row["trade_id"], "leg": leg, "time": row[when], "side": sides[leg],
                 "quantity": 3.0, "price": row[price], "reason": row["exit_reason"], "costs": 3.0}
            )  # fmt: skip
    return fills


def _stop_orders(trades: list[dict], bars: np.ndarray) -> list[dict]:
    """One stop order a trade, moved to the entry's price three bars later."""
    orders = []
    starts = {iso_time(start): i for i, start in enumerate(bars["start"])}
    for row in trades:
        later = iso_time(bars["start"][starts[row["entry_bar"]] + 4])
        same = {"order_id": row["trade_id"], "plan_id": "gold", "role": "stop", "kind": "Stop"}
        for state, when, price in (
            ("submitted", row["entry_time"], row["stop"]),
            ("changed", later, row["entry_price"]),
        ):
            orders.append({**same, "state": state, "time": when, "price": price})
    return orders


def _setups(trades: list[dict], bars: np.ndarray) -> list[dict]:
    starts = {iso_time(start): i for i, start in enumerate(bars["start"])}
    return [
        {"plan_id": "gold", "bar": iso_time(bars["start"][starts[row["entry_bar"]] - 1]),
         "side": row["side"], "entry": row["entry_price"] - 0.1, "stop": row["stop"],
         "target": row["target"], "pattern": row["pattern"], "taken": 1}
        for row in trades
    ]  # fmt: skip


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One Chromium for all page tests; they are skipped where there is none."""
    if sys.platform == "win32":
        pytest.skip("the browser is driven through a POSIX pipe")
    from tests.reports.browser import Browser, find_browser

    program = find_browser()
    if program is None:
        pytest.skip("no Chromium on this machine: the page is not opened in a browser")
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture
def finished_run(tmp_path: Path) -> RunFolder:
    return write_run(tmp_path / "runs")
