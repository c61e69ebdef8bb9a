"""Run the measurements: `python -m backtests.bench [NAME...]`; writes bench.json."""

from __future__ import annotations

import importlib
import json
import pkgutil
import sys
from pathlib import Path

from backtests import bench


def main(wanted: list[str]) -> int:
    """Measure the named modules (all by default), print a table, write bench.json."""
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    rows = []
    for name in names:
        if name.startswith("_") or (wanted and name not in wanted):
            continue
        module = importlib.import_module(f"backtests.bench.{name}")
        for row in module.measure():
            rows.append(row)
            print(_line(row), flush=True)
    Path("bench.json").write_text(
        json.dumps([row.as_dict() for row in rows], indent=2) + "\n", encoding="utf-8"
    )
    print(f"wrote bench.json, {len(rows)} tasks")
    return 0


def _line(row: bench.Row) -> str:
    text = f"{row.task:<22} {row.metric:<15} ours {row.ours:>12.5g}"
    if row.ratio is not None:
        text += f"  {row.peer_name} {row.peer:.5g}  x{row.ratio:,.1f}"
    if row.target is not None:
        text += f"  (target {row.target:g})"
    return text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
