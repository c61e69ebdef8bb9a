"""Rows of the bench as text: the table on screen and the one in the README."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

README_TASKS = (
    ("t1_next_every_bar", "a strategy file as it is, `next` on every bar"),
    ("t1_mask_dense", "with an entry mask, 42 trades per 1,000 bars"),
    ("t1_mask_sparse", "with an entry mask, 1 trade per 1,000 bars"),
    ("t1_whole_next", "the first row as `backtest` runs it, with analyzers"),
    ("t1_whole_dense", "the second row so"),
    ("t1_whole_sparse", "the third row so"),
    ("t1_tola_fills", "the first row with own fills"),
    ("t1_gold_bot", "the first row with own fills and `gold_bot` limits"),
    ("t1_vs_backtesting_py", "entry mask, own fills, as `backtest` runs it"),
    ("t1_untouched_vs_backtesting_py", "the same, `next` on every bar"),
    ("t1_vs_nautilus_100k", "entry mask, own fills, as `backtest` runs it"),
    ("t1_untouched_vs_nautilus_100k", "the same, `next` on every bar"),
    ("t1_vs_vectorbt", "entry mask, own fills, as `backtest` runs it"),
    ("t1_first_run_100k", "first run ever: a new process, nothing compiled"),
    ("t1_memory", "memory of the fourth row's run"),
    ("load_csv_1m", "loading CSV, first time"),
    ("load_columns_1m", "loading CSV, second time"),
    ("smc_four_200k", "swings, gaps, order blocks, structure; equal tables"),
    ("gold_smc_command", "`backtest gold_smc` with DXY, the whole command"),
    ("compiled_t1_1m", "compiled: one run, indicators included, equal to the last bit"),
    ("compiled_vs_backtesting_py", "compiled: one run, by Backtrader's rules"),
    ("compiled_vs_vectorbt", "compiled: one run, by Backtrader's rules"),
    ("compiled_vs_nautilus_100k", "compiled: one run, by Backtrader's rules"),
    ("sweep_t1_vs_vectorbt", "sweep of 400 sets, two cores"),
    ("sweep_t1_vs_backtesting_py", "sweep of 400 sets, two cores"),
    ("sweep_t1_vs_optstrategy", "sweep of 400 sets, two cores"),
    ("sweep_gold_structural", "sweep of gold_smc with DXY, structure varied, two workers"),
    ("sweep_gold_unshared", "the same, nothing shared between sets"),
    ("sweep_gold_management", "the same, only management varied"),
    ("walkforward_gold", "walk-forward of gold_smc, 12 windows x 2,040 sets"),
    ("ticks_to_bars", "live: ticks into one-minute bars, equal bars"),
    ("tick_to_next", "live: end of a bar to `next`, eight feeds, seven of them silent, median"),
    ("tick_to_next_p99", "the same, 99 of 100"),
    ("tick_to_next_one", "live: end of a bar to `next`, one feed, median"),
    ("bar_close_to_order", "live: eight bars' end to eight brackets sent, journal synced, median"),
    ("fill_to_stop", "live: an entry's fill to its stop sent, journal synced, median"),
    ("fill_to_notify", "live: a fill to `notify_order`, median"),
    ("idle_cpu", "live: a session of eight silent feeds, share of a core"),
    ("session_bars_idle", "live: a paper session, flat"),
    ("session_bars_holding", "live: a paper session, in a position"),
    ("session_memory", "live: growth in a month of minute bars, two trades a day"),
    ("recovery_100k", "live: a restart through 100,000 recorded events"),
    ("kite_full_3000", "Kite: 3,000 instruments in full mode, a tick a second, share of a core"),
    ("kite_full_3000_memory", "the same, growth of memory"),
    ("kite_full_3000_rate", "the same, highest rate held"),
    (
        "kite_tick_to_order",
        "Kite: a tick to its order request at the venue, journal synced, median",
    ),
    ("kite_tick_to_order_p99", "the same, 99 of 100"),
    ("kite_burst_500", "Kite: 500 mixed calls at once, within the venue's limits"),
)
"""What the README shows, in its words."""

_WITH_UNIT = ("seconds", "milliseconds", "megabytes", "percent", "bars_per_second",
              "ticks_per_second", "combinations_per_second")  # fmt: skip
_HEAD = "| task | bars | against | Tola | other | times faster | target |\n" + "| --- " * 7 + "|"
_MARKS = re.compile(r"(?<=<!-- bench -->\n).*?(?=<!-- /bench -->)", re.DOTALL)


def screen_line(row: Mapping[str, Any]) -> str:
    """Return a row as a line of the screen's table."""
    if row["status"] in ("failed", "skipped"):
        return f"{row['task']:<30} {row['status']}: {row[row['status']]}"
    text = f"{row['task']:<30} {_figure(row['ours']):>9} {_unit(row['metric']):<10}"
    if row["peer"] is not None:
        text += f" {row['peer_name']} {_figure(row['peer'])}"
    if row["ratio"] is not None:
        text += f" = {_times(row['ratio'])}"
    if row["target"] is not None:
        text += f"  {row['status']} (target {_target(row)})"
    return text


def _unit(metric: str) -> str:
    names = {"seconds": "s", "milliseconds": "ms", "ns_per_bar": "ns a bar", "megabytes": "MB",
             "percent": "%", "bars_per_second": "bars/s", "ticks_per_second": "ticks/s",
             "combinations_per_second": "sets/s",
             "ratio": ""}  # fmt: skip
    return names.get(metric, metric)


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f}x" if ratio >= 100 else f"{ratio:.2g}x" if ratio < 10 else f"{ratio:.0f}x"


def _target(row: Mapping[str, Any]) -> str:
    if row["at_most"] is not None:
        return f"at most {row['at_most']:g}"
    if row.get("at_least") is not None:
        return f"at least {row['at_least']:,g}"
    if row["target"] < 1.0:
        return f"at most {1 / row['target']:.1f}x as long"
    return f"{row['target']:g}x"


def summary_line(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many rows reached their target, fell short, failed, were skipped."""
    counts = [
        f"{sum(row['status'] == status for row in rows)} {text}"
        for status, text in (
            ("pass", "reach their target"),
            ("short", "fall short"),
            ("failed", "failed"),
            ("skipped", "skipped"),
        )
        if any(row["status"] == status for row in rows)
    ]
    return f"{len(rows)} rows: " + (", ".join(counts) or "none has a target")


def readme_table(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the README's table, with what did not reach its target said as such.

    Rows of a quick run don't enter: too small to be quoted.
    """
    by_task = {row["task"]: row for row in rows}
    lines = [
        _readme_row(by_task[task], text)
        for task, text in README_TASKS
        if task in by_task and by_task[task]["status"] not in ("failed", "skipped")
    ]
    return "\n".join([_HEAD, *lines])


def _readme_row(row: Mapping[str, Any], text: str) -> str:
    size = "" if row["bars"] is None else f"{row['bars']:,}"
    unit = f" {_unit(row['metric'])}" if row["metric"] in _WITH_UNIT else ""
    other = "" if row["peer"] is None else f"{_figure(row['peer'])}{unit}"
    ratio = "" if row["ratio"] is None else _times(row["ratio"])
    goal = "" if row["target"] is None else _target(row)
    if row["status"] == "short":
        goal = f"{goal}: **not reached**"
    against = "the first row" if row["peer_name"] == "t1_next_every_bar" else row["peer_name"]
    cells = (text, size, against, f"{_figure(row['ours'])}{unit}", other, ratio, goal)
    return f"| {' | '.join(cells)} |"


def write_readme(rows: Sequence[Mapping[str, Any]], readme: Path) -> str:
    """Put the table between the README's marks; return it."""
    table = readme_table(rows)
    measured_on = next((row["machine"] for row in rows if row.get("machine")), "")
    text = readme.read_text(encoding="utf-8")
    inside = f"{table}\n\nMeasured on {measured_on}.\n"
    readme.write_text(_MARKS.sub(lambda _: inside, text), encoding="utf-8")
    return table
