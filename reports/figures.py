"""A run's plots as PNG files: equity with drawdown, R histogram, daily P&L, one per trade chart.

matplotlib's object interface only, so no backend is chosen and no window ever opens.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from core.results import RunFolder
from core.wording import plural
from reports.tables import daily_pnl, r_histogram, records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = np.ndarray[Any, np.dtype[Any]]

UP, DOWN, ACCENT, QUIET = "#17806d", "#c2413b", "#9a6b00", "#667080"
TRADE_CHARTS = 4
BARS_AROUND = 40


def write_plots(folder: RunFolder) -> list[Path]:
    """Write the run's PNG plots into plots/ and return their paths."""
    plots = folder.path / "plots"
    plots.mkdir(exist_ok=True)
    summary = folder.summary
    written = []
    for account in summary["accounts"]:
        name = str(account["account"])
        if folder.equity(name).empty:
            continue  # a session that ended before its first price
        written.append(_save(_equity_figure(folder, account), plots / f"equity-{name}.png"))
        written.append(_save(_days_figure(folder, account), plots / f"daily-{name}.png"))
    trades = folder.trades
    for plan in summary["plans"]:
        plan_id = str(plan["plan_id"])
        mine = trades[trades["plan_id"] == plan_id]
        if mine.empty:
            continue
        if mine["r_multiple"].notna().any():  # no stops, no R
            written.append(_save(_r_figure(plan_id, mine), plots / f"r-{plan_id}.png"))
        written.append(_save(_trades_figure(folder, plan, mine), plots / f"trades-{plan_id}.png"))
    return written


def _new_figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    # Margins in inches: a layout engine would draw each figure twice.
    figure = Figure(figsize=(width, height), dpi=110)
    figure.subplots_adjust(
        left=1.15 / width, right=1 - 0.2 / width, bottom=0.55 / height, top=1 - 0.4 / height,
        hspace=0.12, wspace=0.16,
    )  # fmt: skip
    return figure


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, pil_kwargs={"compress_level": 4})
    return path


def _plain_axes(axes: Axes) -> None:
    axes.grid(True, color="#e4e8ee", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _money_axis(axes: Axes) -> None:
    """Show thousands parted on the left axis, and no gap beside the first and last day."""
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.margins(x=0.01)


def _equity_figure(folder: RunFolder, account: dict[str, Any]) -> Figure:
    curve = folder.equity(str(account["account"]))
    figure = _new_figure(10, 5)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    # A row is written only where equity changed, so the curve is a staircase.
    upper.step(curve["time"], curve["equity"], where="post", color=ACCENT, linewidth=1.1)
    upper.set_ylabel(f"equity {account.get('currency', '')}")
    upper.set_title(f"{account['account']}: equity and drawdown")
    lower.fill_between(
        curve["time"], curve["drawdown"], 0, step="post", color=DOWN, alpha=0.35, linewidth=0
    )
    lower.set_ylabel("drawdown")
    lower.locator_params(axis="y", nbins=3, integer=True)
    lower.set_ylim(min(1.05 * float(curve["drawdown"].min()), -1.0), 0.0)
    for axes in (upper, lower):
        _plain_axes(axes)
        _money_axis(axes)
    return figure


def _days_figure(folder: RunFolder, account: dict[str, Any]) -> Figure:
    days = folder.days(str(account["account"]))
    by_day = daily_pnl(days)
    pnl = np.array(list(by_day.values()))
    figure = _new_figure(10, 3.4)
    axes = figure.subplots()
    colours = np.where(pnl >= 0, UP, DOWN)
    stamps = np.array(list(by_day), dtype="datetime64[D]")
    axes.vlines(stamps, 0, pnl, color=colours, linewidth=max(0.6, min(6.0, 450 / (len(pnl) + 1))))
    axes.axhline(0, color=QUIET, linewidth=0.8)
    limits = days["limit"].astype(float).to_numpy()
    if not np.isnan(limits).all():
        axes.plot(stamps, -limits, color=QUIET, linewidth=1, linestyle="--", label="daily limit")
        axes.legend(frameon=False)
    axes.set_ylabel(str(account.get("currency", "")))
    axes.set_title(f"{account['account']}: profit and loss by trading day")
    _plain_axes(axes)
    _money_axis(axes)
    return figure


def _r_figure(plan_id: str, trades: pd.DataFrame) -> Figure:
    bins = r_histogram(trades["r_multiple"].astype(float).tolist())
    figure = _new_figure(7, 3.4)
    axes = figure.subplots()
    for bin_ in bins:
        axes.bar(
            bin_["from"],
            bin_["count"],
            width=(bin_["to"] - bin_["from"]) * 0.92,
            align="edge",
            color=UP if bin_["from"] >= 0 else DOWN,
        )
    axes.set_xlabel("R-multiple, net of costs")
    axes.set_ylabel("trades")
    axes.set_title(f"{plan_id}: {plural(len(trades), 'trade')}")
    _plain_axes(axes)
    return figure


def _trades_figure(folder: RunFolder, plan: dict[str, Any], trades: pd.DataFrame) -> Figure:
    """Show the last trades of a plan with the zones known at their entry."""
    plan_id = str(plan["plan_id"])
    bars = folder.bars(plan_id)
    zones, zone = folder.zones(plan_id), str(plan.get("zone") or "UTC")
    chosen = records(trades.tail(TRADE_CHARTS))
    rows = 2 if len(chosen) > 2 else 1
    figure = _new_figure(13, 4 * rows)
    grid = figure.subplots(rows, 2).ravel()
    figure.subplots_adjust(left=0.05, right=0.985, hspace=0.24)
    figure.text(0.985, 0.01, f"times: {zone}", ha="right", va="bottom", fontsize=8, color=QUIET)
    for axes, trade in zip(grid, chosen, strict=False):
        _trade_chart(axes, bars, zones, trade, zone)
    for axes in grid[len(chosen) :]:
        axes.set_visible(False)
    return figure


def _trade_chart(
    axes: Axes, bars: pd.DataFrame, zones: pd.DataFrame, trade: dict[str, Any], zone: str
) -> None:
    starts = bars["start"].to_numpy(np.int64)
    entry = int(np.searchsorted(starts, trade["entry_bar"].value, side="right")) - 1
    exit_ = int(np.searchsorted(starts, trade["exit_bar"].value, side="right")) - 1
    first, last = max(0, entry - BARS_AROUND), min(len(bars) - 1, exit_ + BARS_AROUND // 2)
    _zone_boxes(axes, zones, first, last)
    _candles(axes, bars, first, last)
    for level, colour, label in (
        (trade["stop"], DOWN, "stop"),
        (trade["target"], UP, "target"),
        (trade["entry_price"], QUIET, "entry"),
    ):
        if level == level:
            axes.hlines(level, entry - 0.5, exit_ + 0.5, color=colour, linewidth=1.3, label=label)
    marker = "^" if trade["side"] == "long" else "v"
    axes.plot(entry, trade["entry_price"], marker, color="black", markersize=8)
    axes.plot(exit_, trade["exit_price"], "o", color=ACCENT, markersize=6)
    low = bars["low"].iloc[first : last + 1].min()
    high = bars["high"].iloc[first : last + 1].max()
    levels = [v for v in (trade["stop"], trade["target"]) if v == v]
    pad = (high - low) * 0.05
    axes.set_ylim(min([low, *levels]) - pad, max([high, *levels]) + pad)
    when = trade["entry_time"].tz_convert(zone).strftime("%Y-%m-%d %H:%M")
    r = "" if trade["r_multiple"] != trade["r_multiple"] else f", {trade['r_multiple']:+.2f} R"
    axes.set_title(
        f"{trade['side']} {trade['pattern']} {when}, {trade['exit_reason']}{r}", fontsize=10
    )
    edge = (last - first) / 14  # a label at the very edge would be cut off
    places = np.linspace(first + edge, last - edge, 5).astype(int)
    stamps = pd.to_datetime(starts[places], utc=True).tz_convert(zone)
    axes.set_xticks(places, [stamp.strftime("%d %b %H:%M") for stamp in stamps], fontsize=8)
    axes.set_xlim(first - 1, last + 1)
    axes.legend(frameon=False, fontsize=8, loc="best")
    _plain_axes(axes)


def _candles(axes: Axes, bars: pd.DataFrame, first: int, last: int) -> None:
    part = bars.iloc[first : last + 1]
    x = np.arange(first, last + 1)
    colours = np.where(part["close"] >= part["open"], UP, DOWN)
    axes.vlines(x, part["low"], part["high"], color=colours, linewidth=0.8)
    bottom = part[["open", "close"]].to_numpy(float).min(axis=1)
    top = part[["open", "close"]].to_numpy(float).max(axis=1)
    _boxes(axes, x - 0.33, x + 0.33, bottom, top, facecolors=colours, edgecolors=colours, lw=0.4)


def _boxes(axes: Axes, left: Array, right: Array, bottom: Array, top: Array, **style: Any) -> None:
    """Draw rectangles as one collection: hundreds of patches would take a second a chart."""
    from matplotlib.collections import PolyCollection

    corners = np.stack(
        [
            np.stack([x, y], axis=1)
            for x, y in ((left, bottom), (left, top), (right, top), (right, bottom))
        ],
        axis=1,
    )
    axes.add_collection(PolyCollection(list(corners), **style), autolim=False)


def _zone_boxes(axes: Axes, zones: pd.DataFrame, first: int, last: int) -> None:
    """Draw each zone from the bar after its close became known, never before."""
    ends = np.where(zones["end"].to_numpy(int) < 0, last, zones["end"].to_numpy(int))
    known, sides = zones["known"].to_numpy(int), zones["side"].to_numpy(int)
    tops, bottoms = zones["top"].to_numpy(float), zones["bottom"].to_numpy(float)
    seen = (known + 1 <= last) & (ends >= first)
    left, right = np.maximum(known + 1, first) - 0.5, np.minimum(ends, last) + 0.5
    colours = np.where(sides > 0, UP, DOWN)
    flat = seen & (tops == bottoms)
    axes.hlines(tops[flat], left[flat], right[flat], color=colours[flat], lw=0.8, linestyle=":")
    boxes = seen & ~flat
    _boxes(
        axes, left[boxes], right[boxes], bottoms[boxes], tops[boxes],
        facecolors=colours[boxes], alpha=0.13, linewidths=0,
    )  # fmt: skip
