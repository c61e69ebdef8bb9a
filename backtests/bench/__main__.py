"""Measure: `python -m backtests.bench [NAME...]`; writes bench.json. QUICK=1: small sizes."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from backtests.bench import GROUPS, Row, Task
from backtests.bench.session import ROOT, Session, machine
from backtests.bench.table import screen_line, summary_line, write_readme
from core.errors import ConfigError, TolaError, near_name

OUT = Path("bench.json")


def main(arguments: Sequence[str]) -> int:
    """Measure the named rows or groups (all by default), print a table, write bench.json."""
    given = _parser().parse_args(arguments)
    try:
        if given.list:
            print("\n".join(_listing()))
            return 0
        if given.readme:
            print(write_readme(_stored(), ROOT / "README.md"))
            return 0
        return _measure(_chosen(given.names), given.json, _is_quick())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m backtests.bench",
        description="Measure speed against other libraries on the same prices, and write "
        "bench.json. The libraries are installed once, into environments of their own. QUICK=1 in "
        "the environment takes small sizes. The exit code is 1 if a row failed (results differ, a "
        "run broke); a target that is not reached is a result, not a failure.",
        epilog="Examples: python -m backtests.bench t1   |   QUICK=1 python -m backtests.bench   | "
        "  python -m backtests.bench t1_mask_sparse --json",
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="rows or groups; see --list")
    parser.add_argument("--list", action="store_true", help="what can be measured")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON, nothing else")
    parser.add_argument("--readme", action="store_true", help="bench.json into the README's table")
    return parser


def _is_quick() -> bool:
    return os.environ.get("QUICK", "") not in ("", "0")


def _tasks(group: str) -> tuple[Task, ...]:
    tasks: tuple[Task, ...] = importlib.import_module(f"backtests.bench.{group}").TASKS
    return tasks


def _listing() -> Iterator[str]:
    for group in GROUPS:
        yield group
        for task in _tasks(group):
            goal = f"  (target {task.target})" if task.target else ""
            yield f"  {task.name:<31} {task.text}{goal}"


def _chosen(names: Sequence[str]) -> dict[str, frozenset[str]]:
    """Return the wanted rows by group.

    Raises
    ------
    ConfigError : a name is no row and no group.
    """
    known = {group: {task.name for task in _tasks(group)} for group in GROUPS}
    every = [*known, *(name for tasks in known.values() for name in tasks)]
    wrong = [name for name in names if name not in every]
    if wrong:
        raise ConfigError(f"nothing to measure is named {wrong[0]!r}{near_name(wrong[0], every)}")
    return {
        group: frozenset(tasks if not names or group in names else tasks & set(names))
        for group, tasks in known.items()
        if not names or group in names or tasks & set(names)
    }


def _measure(chosen: dict[str, frozenset[str]], as_json: bool, quick: bool) -> int:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tola-bench-") as folder:
        session = Session(quick, Path(folder))
        for group, wanted in chosen.items():
            for row in _group_rows(group, wanted, session):
                rows.append({**row.as_dict(), "quick": quick, "machine": machine()})
                if not as_json:
                    print(screen_line(rows[-1]), flush=True)
    text = json.dumps(rows, indent=2)
    OUT.write_text(text + "\n", encoding="utf-8")
    if as_json:
        print(text)
    else:
        small = "; small sizes, the targets are those of the full ones" if quick else ""
        print(f"{summary_line(rows)}{small}; written to {OUT}")
    return int(any(row["status"] == "failed" for row in rows))


def _group_rows(group: str, wanted: frozenset[str], session: Session) -> Iterator[Row]:
    """Yield a group's rows; what breaks becomes a failed row, and the other groups go on."""
    module = importlib.import_module(f"backtests.bench.{group}")
    try:
        yield from module.measure(session, wanted)
    except CalledProcessError as error:
        last = (str(error.stderr or "").strip().splitlines() or ["no message"])[-1]
        yield Row(group, "seconds", failed=f"exit code {error.returncode}: {last}")
    except (TolaError, ValueError, OSError) as error:
        yield Row(group, "seconds", failed=f"{type(error).__name__}: {error}")


def _stored() -> list[dict[str, Any]]:
    """Return the rows of bench.json.

    Raises
    ------
    ConfigError : there are none, or they are of a quick run.
    """
    if not OUT.exists():
        raise ConfigError(f"{OUT} is not there; run: python -m backtests.bench")
    rows: list[dict[str, Any]] = json.loads(OUT.read_text(encoding="utf-8"))
    if any(row["quick"] for row in rows):
        raise ConfigError(f"{OUT} holds a quick run; run without QUICK before quoting figures")
    return rows


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
