"""`python -m tests.chaos --seeds 200 --seed 0`: kill sessions, start them again, judge.

At Kite (`--venue kite`) come besides: accounts with two plans and nights (a quarter as many seeds
each), the fault matrix and the timeouts after acceptance. Exit code 1 if something failed, 2 where
it cannot run here.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from tests.chaos import powercut
from tests.chaos.harness import Row, run_seed
from tests.chaos.lane import Lane
from tests.chaos.matrix import matrix_table, run_matrix
from tests.chaos.scenario import FAULTS
from tests.chaos.timeouts import run_timeouts
from tests.chaos.venue import get_venue

PARTS = ("kills", "pairs", "nights", "matrix", "timeouts")
_FURTHER = {"pairs": "kite pair", "nights": "kite night"}
_SEEDS_A_FURTHER = 4


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many seeds (20)")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--venue", choices=("paper", "kite"), default="paper", help="(paper)")
    parser.add_argument("--json", type=Path, help="write the rows there")
    parser.add_argument("--only", choices=PARTS, help="(kite) one part alone")
    parser.add_argument("--cells", nargs="*", default=(), help="faults or steps of the matrix")
    parser.add_argument("--timeouts", type=int, default=10_000, help="orders unanswered (10000)")
    parser.add_argument("--workers", type=int, choices=(1, 2), default=2, help="at once (2)")
    parser.add_argument("--keep", type=Path, help="keep the folders of failed seeds there")
    asked = parser.parse_args(arguments)
    if os.name == "nt":
        print("chaos needs fork and SIGKILL: run it on Linux or macOS", file=sys.stderr)
        return 2
    rows: list[Row] = []
    parts = ("kills",) if asked.venue != "kite" else (asked.only,) if asked.only else PARTS
    if "kills" in parts:
        seeds = range(asked.seed, asked.seed + asked.seeds)
        rows = run(seeds, asked.workers, asked.keep, asked.venue)
        print(table(rows))
    for part in (name for name in parts if name in _FURTHER):
        seeds = range(asked.seed, asked.seed + max(1, asked.seeds // _SEEDS_A_FURTHER))
        found = run(seeds, asked.workers, asked.keep, _FURTHER[part])
        print(table(found))
        rows += found
    if "matrix" in parts:
        with tempfile.TemporaryDirectory(prefix="tola-chaos-", dir=_quick_folder()) as home:
            found = run_matrix(Path(home), asked.keep, asked.cells)
        print(matrix_table(found))
        rows += found
    if "timeouts" in parts:
        found = list(run_timeouts(asked.timeouts))
        bad = sum(not row.ok for row in found)
        print(
            f"{asked.timeouts} orders taken and never answered: {bad} of {len(found)} days failed"
        )
        rows += found
    if asked.json:
        asked.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    return 0 if all(row.ok for row in rows) else 1


def run(
    seeds: Sequence[int], workers: int = 2, keep: Path | None = None, venue: str = "paper"
) -> list[Row]:
    """Run seeds; tell each on stderr as it ends; return their rows by seed."""
    with tempfile.TemporaryDirectory(prefix="tola-chaos-", dir=_quick_folder()) as home:
        shim, why = _shim(Path(home))
        todo: queue.SimpleQueue[int] = queue.SimpleQueue()
        rows: list[Row] = []
        for seed in seeds:
            fault = get_venue(venue).scenario(seed).fault
            if shim is None and fault != FAULTS[0]:
                rows.append(Row(seed, venue, fault, detail=f"skipped: {why}"))
            else:
                todo.put(seed)
        lanes = [
            Lane(Path(home) / f"lane{i}", shim, venue) for i in range(min(workers, todo.qsize()))
        ]
        progress = _Progress(todo.qsize())
        threads = [
            threading.Thread(target=_serve, args=(lane, todo, rows, progress, keep))
            for lane in lanes
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if len(rows) < len(seeds):
            raise SystemExit("chaos: a worker of the harness ended before its time; see above")
    return sorted(rows, key=lambda row: row.seed)


def _shim(home: Path) -> tuple[Path | None, str]:
    try:
        return powercut.compile_shim(home), ""
    except powercut.NoShim as reason:
        return None, str(reason)


def _quick_folder() -> str | None:
    """Return a folder in memory, where there is one: what is tested is not the disk."""
    memory = Path("/dev/shm")
    return str(memory) if memory.is_dir() and os.access(memory, os.W_OK) else None


def _serve(
    lane: Lane,
    todo: queue.SimpleQueue[int],
    rows: list[Row],
    progress: _Progress,
    keep: Path | None,
) -> None:
    lane.open()
    try:
        while True:
            try:
                seed = todo.get_nowait()
            except queue.Empty:
                return
            row = run_seed(lane, seed, keep)
            rows.append(row)
            progress.tell(row)
    finally:
        lane.close()


class _Progress:
    def __init__(self, count: int) -> None:
        self._count, self._done, self._began = count, 0, time.monotonic()
        self._lock = threading.Lock()

    def tell(self, row: Row) -> None:
        with self._lock:
            self._done += 1
            passed = time.monotonic() - self._began
            left = passed / self._done * (self._count - self._done)
            word = "ok" if row.ok else f"FAILED: {row.detail.splitlines()[-1][:200]}"
            print(
                f"{self._done}/{self._count} seed {row.seed} {row.fault} [{row.step}] {word}  "
                f"ETA {left:.0f} s",
                file=sys.stderr, flush=True,
            )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """Return the outcome as a table: a line for each fault."""
    ran = [row for row in rows if not row.detail.startswith("skipped")]
    by_fault: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_fault[row.fault].append(row)
    head = ("fault", "seeds", "ok", "failed", "skipped", "kills", "in flight", "verify same",
            "lost", "bare s", "with downtime s")  # fmt: skip
    lines = [head]
    for fault in [name for name in FAULTS if name in by_fault]:
        lines.append(_line(fault, by_fault[fault]))
    lines.append(_line("all", rows))
    widths = [max(len(str(line[i])) for line in lines) for i in range(len(head))]
    text = ["  ".join(str(item).rjust(width) for item, width in zip(line, widths, strict=True))
            for line in lines]  # fmt: skip
    for row in ran:
        if not row.ok:
            text.append(f"seed {row.seed} ({row.fault}; {row.step}): {row.detail}")
    return "\n".join(text)


def _line(name: str, rows: Sequence[Row]) -> tuple[str | int, ...]:
    skipped = [row for row in rows if row.detail.startswith("skipped")]
    ran = [row for row in rows if not row.detail.startswith("skipped")]
    kills = sum(row.kills for row in ran)
    flying = sum(row.in_flight for row in ran)
    share = f"{flying} ({100 * flying // kills} %)" if kills else "0"
    return (
        name, len(rows), sum(row.ok for row in ran), sum(not row.ok for row in ran), len(skipped),
        kills, share, sum(row.verify in ("identical", "as without kills") for row in ran),
        sum(row.lost for row in ran),
        f"{max((row.unprotected_secs for row in ran), default=0.0):.1f}",
        f"{max((row.unprotected_with_downtime_secs for row in ran), default=0.0):.1f}",
    )  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
