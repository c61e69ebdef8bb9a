"""Measure: `python -m backtests.bench [NAME...]`; writes bench.json. QUICK=1: small sizes."""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

from backtests.bench import GROUPS, Row, Task
from backtests.bench.session import ROOT, Session, machine
from backtests.bench.table import screen_line, summary_line, write_readme
from core.errors import ConfigError, TolaError, near_name

OUT = Path("bench.json")


def main(arguments: Sequence[str]) -> int:
    """Measure the named rows or groups (all by default), print a table, write bench.json.

    Named rows replace themselves in bench.json; the others measured at such sizes stay.
    """
    given = _parser().parse_args(arguments)
    try:
        if given.list:
            print("\n".join(_listing()))
            return 0
        if given.readme:
            print(write_readme(_stored(), ROOT / "README.md"))
            return 0
        rows = _measure(_chosen(given.names), given, _is_quick())
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 2
    return int(any(row["status"] == "failed" for row in rows))


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
    parser.add_argument("--rounds", type=int, help="processes of each entrant, at most")
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


def _measure(
    chosen: dict[str, frozenset[str]], given: argparse.Namespace, quick: bool
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="tola-bench-") as folder:
        session = Session(quick, Path(folder), rounds=given.rounds or (1 if quick else 2))
        for group, wanted in chosen.items():
            for row in _group_rows(group, wanted, session):
                about = {"quick": quick, "machine": machine(), "when": _now()}
                rows.append({**row.as_dict(), **about})
                if not given.json:
                    print(screen_line(rows[-1]), flush=True)
    kept = _others(rows) if given.names else []
    OUT.write_text(json.dumps([*kept, *rows], indent=2) + "\n", encoding="utf-8")
    if given.json:
        print(json.dumps(rows, indent=2))
    else:
        small = "; small sizes, the targets are those of the full ones" if quick else ""
        print(f"{summary_line(rows)}{small}; written to {OUT}")
    return rows


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _others(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of bench.json that were not measured anew; those of other sizes go."""
    if not rows or not OUT.exists():
        return []
    new = {row["task"] for row in rows}
    stored: list[dict[str, Any]] = json.loads(OUT.read_text(encoding="utf-8"))
    return [row for row in stored if row["task"] not in new and row["quick"] == rows[0]["quick"]]


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
