"""Runs the fault matrix at Kite: cells side by side, for they mostly wait."""

from __future__ import annotations

import contextlib
import queue
import shutil
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.chaos.cell_run import CellRun
from tests.chaos.cells import FAULTS, STEPS, Cell, cells
from tests.chaos.harness import Row
from tests.chaos.lane import Lane

AT_ONCE = 5


def run_matrix(home: Path, keep: Path | None = None, only: Sequence[str] = ()) -> list[Row]:
    """Run all cells, or those of some faults; tell each on stderr as it ends."""
    todo: queue.SimpleQueue[tuple[int, Cell]] = queue.SimpleQueue()
    wanted = [cell for cell in cells() if not only or cell.fault in only or cell.step in only]
    for numbered in enumerate(wanted):
        todo.put(numbered)
    lane = Lane(home / "matrix", None, "kite")
    lane.open()
    rows: list[Row] = []
    threads = [
        threading.Thread(target=_serve, args=(lane, todo, rows, keep)) for _ in range(AT_ONCE)
    ]
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        lane.close()
    return sorted(rows, key=lambda row: row.seed)


def _serve(
    lane: Lane, todo: queue.SimpleQueue[tuple[int, Cell]], rows: list[Row], keep: Path | None
) -> None:
    while True:
        try:
            number, cell = todo.get_nowait()
        except queue.Empty:
            return
        row = run_cell(lane, number, cell, keep)
        rows.append(row)
        if not cell.why_not:
            word = f"ok {row.unprotected_secs:.1f} s" if row.ok else f"FAILED: {row.detail[:300]}"
            print(f"{len(rows)} {cell.fault} / {cell.step}: {word}", file=sys.stderr, flush=True)


def run_cell(lane: Lane, number: int, cell: Cell, keep: Path | None = None) -> Row:
    """Run one cell in a folder of its own; keep the folder of one that fails."""
    folder = Path(tempfile.mkdtemp(prefix=f"cell{number}-", dir=lane.home))
    run = CellRun(lane, number, cell, folder)
    try:
        row = run.run()
    except Exception as failure:  # the harness itself: a cell that cannot be judged has failed
        row = run.row
        row.fail(f"harness: {type(failure).__name__}: {str(failure)[-400:]}")
    if not row.ok and keep is not None:
        name = f"{cell.fault} at {cell.step}".replace(" ", "-")
        with contextlib.suppress(shutil.Error):  # a session that hangs still writes there
            shutil.copytree(folder, keep / name, dirs_exist_ok=True)
    shutil.rmtree(folder, ignore_errors=True)
    return row


def matrix_table(rows: Sequence[Row]) -> str:
    """Return the outcome as a table: unprotected seconds of each cell, "-" where none applies."""
    told = {(row.fault, row.step): row for row in rows}
    lines = [("fault", *STEPS)]
    for fault in FAULTS:
        found = [told.get((fault, step)) for step in STEPS]
        if any(found):
            lines.append((fault, *("" if row is None else _shown(row) for row in found)))
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    text = [
        "  ".join(word.rjust(width) for word, width in zip(line, widths, strict=True))
        for line in lines
    ]
    text += [f"{row.fault} / {row.step}: {row.detail}" for row in rows if not row.ok]
    return "\n".join(text)


def _shown(row: Row) -> str:
    if row.detail.startswith("does not apply"):
        return "-"
    return f"{row.unprotected_secs:.1f}" if row.ok else "FAILED"
