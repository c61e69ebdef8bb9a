"""What the page's script draws: bars, zones, trades with their fills, curves and days, packed.

Names and meaning of the columns are read back in reports/page/data.js.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from core.results import ORDER_COLUMNS, SETUP_COLUMNS, RunFolder
from reports.packing import Array, ColumnPack, price_decimals, thin_curve

NS_PER_SECOND = 1_000_000_000
CURVE_ROWS = 12_000
NO_BAR = -1

_NUMBERS = (
    "quantity", "entry_price", "exit_price", "stop", "target", "pnl", "costs", "r_multiple",
    "mae_r", "mfe_r", "legs",
)  # fmt: skip


def page_data(folder: RunFolder, summary: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a run as the page's JSON document and the block of packed columns."""
    pack = ColumnPack()
    plans = summary["plans"]
    bars = [folder.bars(str(plan["plan_id"])) for plan in plans]
    accounts = [
        _account(folder, account, pack, f"account{i}")
        for i, account in enumerate(summary["accounts"])
    ]
    document: dict[str, Any] = {
        "run": folder.name,
        "accounts": accounts,
        "plans": [_plan(folder, plan, bars[i], pack, f"plan{i}") for i, plan in enumerate(plans)],
        "words": _trades(folder, [str(plan["plan_id"]) for plan in plans], bars, pack),
    }
    document["columns"] = pack.index
    return document, pack.text()


def _account(
    folder: RunFolder, account: dict[str, Any], pack: ColumnPack, prefix: str
) -> dict[str, Any]:
    name = str(account["account"])
    curve, days = folder.equity(name), folder.days(name)
    equity, drawdown = curve["equity"].to_numpy(float), curve["drawdown"].to_numpy(float)
    rows = thin_curve(equity, drawdown, CURVE_ROWS)
    pack.add(f"{prefix}.time", nanoseconds(curve["time"])[rows] // NS_PER_SECOND)
    pack.add(f"{prefix}.equity", equity[rows])
    pack.add(f"{prefix}.drawdown", drawdown[rows])
    numbers = days["day"].astype("datetime64[s]").to_numpy().astype("datetime64[D]")
    pack.add(f"{prefix}.day", numbers.astype(np.int64))
    for column in ("pnl", "trades", "locked"):
        pack.add(f"{prefix}.day_{column}", days[column].to_numpy(float))
    return {
        "account": name,
        "currency": str(account.get("currency", "")),
        "cash": account.get("cash_start"),
        "plans": list(account.get("plans", [])),
    }


def _plan(
    folder: RunFolder, plan: dict[str, Any], bars: pd.DataFrame, pack: ColumnPack, prefix: str
) -> dict[str, Any]:
    plan_id = str(plan["plan_id"])
    decimals = _pack_bars(bars, pack, prefix)
    kinds = _pack_zones(folder.zones(plan_id), pack, prefix)
    reasons = _pack_refused(folder, plan_id, bars["start"].to_numpy(np.int64), pack, prefix)
    names = ("account", "currency", "instrument", "timeframe", "strategy")
    return {
        "plan_id": plan_id,
        "zone": str(plan.get("zone") or "UTC"),
        "decimals": decimals,
        "kinds": kinds,
        "reasons": reasons,
        "hold": _hold(plan),
        **{name: str(plan.get(name, "")) for name in names},
    }


def _hold(plan: dict[str, Any]) -> dict[str, float] | None:
    """Return what the page needs to draw the summary's buy-and-hold beside the equity."""
    held = plan.get("buy_and_hold") or {}
    names = ("quantity", "point_value", "entry_price")
    return {name: held[name] for name in names} if all(held.get(name) for name in names) else None


def _pack_bars(bars: pd.DataFrame, pack: ColumnPack, prefix: str) -> int:
    """Pack START (seconds), trading day and prices; return the decimals of the prices.

    Prices go as what is small: the gap to the close before, the body and the two wicks.
    """
    prices = {name: bars[name].to_numpy(float) for name in ("open", "high", "low", "close")}
    decimals = max((price_decimals(column) for column in prices.values()), default=0)
    while decimals > 0 and prices["high"].max(initial=0.0) * 10**decimals >= 2**30:
        decimals -= 1
    steps = {name: np.rint(c * 10**decimals).astype(np.int64) for name, c in prices.items()}
    top = np.maximum(steps["open"], steps["close"])
    bottom = np.minimum(steps["open"], steps["close"])
    before = np.concatenate(([0], steps["close"][:-1]))[: len(bars)]
    pack.add(f"{prefix}.start", bars["start"].to_numpy(np.int64) // NS_PER_SECOND)
    pack.add(f"{prefix}.day", bars["day"].to_numpy(np.int64))
    pack.add(f"{prefix}.gap", steps["open"] - before)
    pack.add(f"{prefix}.body", steps["close"] - steps["open"])
    pack.add(f"{prefix}.upper", steps["high"] - top)
    pack.add(f"{prefix}.lower", bottom - steps["low"])
    return decimals


def _pack_zones(zones: pd.DataFrame, pack: ColumnPack, prefix: str) -> list[str]:
    zones = zones.sort_values("known", kind="stable")
    kinds, codes = _words(zones["kind"])
    pack.add(f"{prefix}.zone_kind", codes)
    for column in ("side", "known", "end"):
        pack.add(f"{prefix}.zone_{column}", zones[column].to_numpy(np.int64))
    for column in ("top", "bottom"):
        pack.add(f"{prefix}.zone_{column}", zones[column].to_numpy(float))
    return kinds


def _pack_refused(
    folder: RunFolder, plan_id: str, starts: Array, pack: ColumnPack, prefix: str
) -> list[str]:
    """Pack the setups that were not taken: their bar, side and why; return the reasons' words."""
    setups = _table_or_none(folder, "setups.csv")
    if setups is None or not len(starts):
        setups = pd.DataFrame({name: [] for name in ("plan_id", "taken", *SETUP_COLUMNS)})
        index = np.zeros(0, np.int64)
    else:
        setups = setups[(setups["plan_id"].astype(str) == plan_id) & (setups["taken"] != 1)]
        index = bar_index(nanoseconds(setups["bar"]), starts)
    reasons, codes = _words(setups["reason"])
    pack.add(f"{prefix}.refused_index", index)
    pack.add(f"{prefix}.refused_long", (setups["side"] == "long").to_numpy(bool))
    pack.add(f"{prefix}.refused_reason", codes)
    return reasons


def _words(texts: pd.Series) -> tuple[list[str], Array]:
    """Return the sorted distinct texts and, for each row, which one it is."""
    plain = ["" if text != text or text is None else str(text) for text in texts]
    words = sorted(set(plain))
    places = {word: i for i, word in enumerate(words)}
    return words, np.array([places[text] for text in plain], np.int64)


def nanoseconds(stamps: pd.Series) -> Array:
    """Return aware stamps as int64 ns UTC."""
    return np.asarray(stamps.dt.tz_localize(None).to_numpy("datetime64[ns]").view(np.int64))


def bar_index(times: Array, starts: Array) -> Array:
    """Return the index of the bar each START names (or the bar that holds it)."""
    return np.clip(np.searchsorted(starts, times, side="right") - 1, 0, None)


def _trades(
    folder: RunFolder, plan_ids: list[str], bars: list[pd.DataFrame], pack: ColumnPack
) -> dict[str, list[str]]:
    """Pack the trades of all plans in one table, their fills and the moves of stop and target."""
    trades = folder.trades
    trades = trades[trades["plan_id"].astype(str).isin(plan_ids)].reset_index(drop=True)
    places = {plan_id: i for i, plan_id in enumerate(plan_ids)}
    plan = np.array([places[str(name)] for name in trades["plan_id"]], np.int64)
    entry, exit_ = np.zeros(len(trades), np.int64), np.zeros(len(trades), np.int64)
    starts = [frame["start"].to_numpy(np.int64) for frame in bars]
    for i, stamps in enumerate(starts):
        mine = plan == i
        entry[mine] = bar_index(nanoseconds(trades["entry_bar"][mine]), stamps)
        exit_[mine] = bar_index(nanoseconds(trades["exit_bar"][mine]), stamps)
    patterns, pattern = _words(trades["pattern"])
    reasons, reason = _words(trades["exit_reason"])
    columns = {
        "trade_id": trades["trade_id"].to_numpy(np.int64),
        "plan": plan,
        "long": (trades["side"] == "long").to_numpy(),
        "entry_index": entry,
        "exit_index": exit_,
        "entry_time": _seconds(trades["entry_time"]),
        "exit_time": _seconds(trades["exit_time"]),
        "pattern": pattern,
        "exit_reason": reason,
        "ambiguous": trades["ambiguous"].to_numpy(np.int64),
        **{name: trades[name].to_numpy(float) for name in _NUMBERS},
    }
    for name, values in columns.items():
        pack.add(f"trade.{name}", values)
    _pack_setups(folder, trades, plan, entry, starts, pack)
    causes = _pack_fills(folder.table("fills.csv"), trades, plan, (entry, exit_), bars, pack)
    _pack_moves(folder, trades, plan, plan_ids, starts, pack)
    return {"pattern": patterns, "exit_reason": reasons, "fill_reason": causes}


def _table_or_none(folder: RunFolder, name: str) -> pd.DataFrame | None:
    """Return a table of the run, None where the run has none (a strategy without setups)."""
    return folder.table(name) if (folder.path / name).is_file() else None


def _seconds(stamps: pd.Series) -> Array:
    times = nanoseconds(stamps)
    whole = times // NS_PER_SECOND
    return whole if np.array_equal(whole * NS_PER_SECOND, times) else times / NS_PER_SECOND


def _pack_setups(
    folder: RunFolder, trades: pd.DataFrame, plan: Array, entry: Array, starts: list[Array],
    pack: ColumnPack,
) -> None:  # fmt: skip
    """Pack the bar whose close gave each trade's setup and its planned entry price.

    A trade's setup is the last one taken before its entry with its side and pattern.
    """
    setups = _table_or_none(folder, "setups.csv")
    index = np.full(len(trades), NO_BAR, np.int64)
    planned = np.full(len(trades), np.nan)
    if setups is not None:
        setups = setups[setups["taken"] == 1]
    if setups is not None and len(setups) and len(trades):
        keys, wanted = _setup_keys(setups), _setup_keys(trades)
        bars, prices = nanoseconds(setups["bar"]), setups["entry"].to_numpy(float)
        for key in set(wanted):
            mine = np.flatnonzero(keys == key)
            which = np.flatnonzero(wanted == key)
            stamps = starts[plan[which[0]]]
            place = np.searchsorted(bars[mine], stamps[entry[which]], side="left") - 1
            which, place = which[place >= 0], place[place >= 0]
            index[which] = bar_index(bars[mine[place]], stamps)
            planned[which] = prices[mine[place]]
    pack.add("trade.setup_index", index)
    pack.add("trade.planned", planned)


def _setup_keys(rows: pd.DataFrame) -> Array:
    """Return what joins a trade to its setup: plan, side and pattern."""
    names = (rows[name].fillna("").astype(str) for name in ("plan_id", "side", "pattern"))
    return np.array([*map("\0".join, zip(*names, strict=True))], object)


def _pack_fills(
    fills: pd.DataFrame, trades: pd.DataFrame, plan: Array, ends: tuple[Array, Array],
    bars: list[pd.DataFrame], pack: ColumnPack,
) -> list[str]:  # fmt: skip
    """Pack the fills of closed trades, ordered by trade; return the words of their reasons."""
    row_of = {int(trade): row for row, trade in enumerate(trades["trade_id"])}
    fills = fills[fills["trade_id"].isin(row_of)]
    row = np.array([row_of[int(trade)] for trade in fills["trade_id"]], np.int64)
    order = np.argsort(row, kind="stable")
    fills, row = fills.iloc[order], row[order]
    price, times = fills["price"].to_numpy(float), nanoseconds(fills["time"])
    entry, exit_ = ends
    index = np.zeros(len(fills), np.int64)
    for i, frame in enumerate(bars):
        mine = plan[row] == i
        index[mine] = _fill_bars(times[mine], price[mine], frame)
    index = np.clip(index, entry[row], exit_[row])
    first = np.concatenate(([True], np.diff(row) != 0))[: len(row)]
    last = np.concatenate((np.diff(row) != 0, [True]))[: len(row)]
    index[first], index[last] = entry[row[first]], exit_[row[last]]
    words, codes = _words(fills["reason"])
    pack.add("fill.trade", row)
    pack.add("fill.index", index)
    pack.add("fill.time", _seconds(fills["time"]))
    pack.add("fill.buy", (fills["side"] == "buy").to_numpy())
    pack.add("fill.reason", codes)
    for name in ("quantity", "price", "costs", "leg"):
        pack.add(f"fill.{name}", fills[name].to_numpy(float))
    return words


def _fill_bars(times: Array, prices: Array, bars: pd.DataFrame) -> Array:
    """Return the bars fills fall in: a stamp is START at the open, and END inside the bar.

    One bar's END is mostly the next one's START; the price then tells the two apart.
    """
    starts = bars["start"].to_numpy(np.int64)
    at = bar_index(times, starts)
    before = np.clip(at - 1, 0, None)
    opens, lows, highs = (bars[name].to_numpy(float) for name in ("open", "low", "high"))
    inside = (lows[before] <= prices) & (prices <= highs[before]) & (prices != opens[at])
    return np.asarray(np.where((starts[at] == times) & inside, before, at))


def _pack_moves(
    folder: RunFolder, trades: pd.DataFrame, plan: Array, plan_ids: list[str],
    starts: list[Array], pack: ColumnPack,
) -> None:  # fmt: skip
    """Pack each new price of a stop or target while its trade was open, ordered by trade."""
    orders = _table_or_none(folder, "orders.csv")
    if orders is None:
        orders = pd.DataFrame(columns=list(ORDER_COLUMNS))
    wanted = orders["role"].isin(("stop", "target")) & orders["state"].isin(
        ("submitted", "changed")
    )
    orders = orders[wanted]
    moved = orders.groupby("order_id", sort=False)["price"].diff().fillna(0.0) != 0
    orders = orders[moved & (orders["state"] == "changed")]
    found: list[tuple[int, int, int, float]] = []
    entered, left = nanoseconds(trades["entry_time"]), nanoseconds(trades["exit_time"])
    for i, plan_id in enumerate(plan_ids):
        rows = np.flatnonzero(plan == i)
        mine = orders[orders["plan_id"].astype(str) == plan_id]
        if not len(rows) or mine.empty:
            continue
        times = nanoseconds(mine["time"])
        place = np.searchsorted(entered[rows], times, side="right") - 1
        bars = np.searchsorted(starts[i], times, side="left")
        moves = zip(place, bars, times, mine["role"], mine["price"], strict=True)
        for at, bar, time, role, price in moves:
            if at >= 0 and time <= left[rows[at]]:
                found.append((int(rows[at]), int(bar), int(role == "target"), float(price)))
    found.sort(key=lambda move: move[0])
    for name, kind, column in (("trade", int, 0), ("index", int, 1), ("target", int, 2),
                               ("price", float, 3)):  # fmt: skip
        pack.add(f"move.{name}", np.array([move[column] for move in found], kind))
