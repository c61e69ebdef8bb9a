"""Write the README's table of runs on real prices: `make real-runs`.

The prices are not part of the project (most sources give no right to pass them on); they are read
from ../shared/data, or from the folder TOLA_SHARED names.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
DATA = Path(os.environ.get("TOLA_SHARED", ROOT.parent / "shared")) / "data"

RUNS = (
    ("gold_smc", "XAUUSD", "15m", "xauusd_15m", True),
    ("gold_smc", "XAUUSD", "5m", "xauusd_5m", True),
    ("nifty_smc", "NIFTY50", "5m", "nifty50_1m", False),
    ("nifty_smc", "NIFTY50", "3m", "nifty50_1m", False),
    ("breakout", "MGC", "1h", "gc_fut_1h", False),
)
HEAD = (
    "| strategy | prices | days | trades | winners | mean R [95 %] | net | drawdown | band | says |"
    "\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def measure(out: Path, run: tuple[str, str, str, str, bool]) -> dict[str, Any]:
    """Make one run with costs and band, and return its summary."""
    import run as command_line

    strategy, instrument, timeframe, file, dollar = run
    words = ["backtest", strategy, "--instrument", instrument, "--timeframe", timeframe]
    words += ["--data", str(DATA / f"{file}.csv.gz"), "--band", "--no-report", "--json"]
    words += ["--out", str(out / f"{file}-{timeframe}")]
    if dollar:
        words += ["--with", f"DXY={DATA / 'dxy_1h.csv.gz'}"]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = command_line.main(words)
    if code:
        sys.exit(code)
    summary: dict[str, Any] = json.loads(printed.getvalue())
    return summary


def row(summary: dict[str, Any], file: str) -> str:
    """Return a summary as a row of the table."""
    low, high = summary["expectancy_ci95"]
    cash = summary["cash_start"]
    band = " … ".join(f"{100 * summary['band'][side] / cash:+.1f}" for side in ("worst", "best"))
    cells = (
        summary["strategy"],
        f"{file} as {summary['instrument']} {summary['timeframe']}",
        f"{summary['first'][:7]} to {summary['last'][:7]}",
        str(summary["trades"]),
        f"{100 * summary['win_rate']:.0f} %",
        f"{summary['expectancy_r']:+.2f} [{low:+.2f}, {high:+.2f}]",
        f"{summary['return_pct']:+.1f} %",
        f"{summary['max_drawdown_pct']:.1f} %",
        f"{band} %",
        summary["verdict"],
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run all and write the table between the README's marks."""
    if not DATA.is_dir():
        sys.exit(f"{DATA}: the real prices are not there (see TOLA_SHARED)")
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(measure(Path(folder), run), run[3]) for run in RUNS]
    table = "\n".join([HEAD, *rows])
    print(table)
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8")
    inside = re.compile(r"(?<=<!-- real runs -->\n).*?(?=<!-- /real runs -->)", re.DOTALL)
    readme.write_text(inside.sub(lambda _: table + "\n", text), encoding="utf-8")


if __name__ == "__main__":
    main()
