"""What a search came to, as the object its run folder holds and `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backtests.request import BacktestRequest
from backtests.search.facts import plan_facts, result_rows
from backtests.search.objective import Goal
from backtests.search.runners import BACKTRADER, Runner, bars_of
from backtests.search.search import Tally
from backtests.search.space import Space
from backtests.search.table import Table
from core.errors import TolaError
from core.results import iso_time
from core.wording import plural

MOST_TOLD = 10
FIRST_FAULTS = 3


@dataclass(frozen=True)
class Made:
    """How a search was made, for its summary.

    total : sets it would have run, had nothing stopped it. seconds : from the first question to
    the last answer, without compiling. remarks : what a reader must know.
    """

    engine: str
    search: str
    seed: int
    workers: int
    cluster: str | None
    total: int
    interrupted: bool
    seconds: float
    compile_seconds: float
    load_seconds: float
    remarks: Sequence[str] = ()


def summarize(
    request: BacktestRequest,
    runner: Runner,
    space: Space,
    goal: Goal,
    table: Table,
    tally: Tally,
    made: Made,
) -> dict[str, Any]:
    """Return the summary of a search (its keys in docs/sweep.md)."""
    bars = bars_of(runner)[0]
    ranking = goal.ranking(table.figures)
    ranking = ranking[table.done[ranking]]
    best = told(table, int(ranking[0]), goal) if len(ranking) else None
    rows = table.rows()
    figures = {} if best is None else best["figures"]
    facts = plan_facts(
        request, len(bars),
        iso_time(bars["start"][0]) if len(bars) else None,
        iso_time(bars["end"][-1]) if len(bars) else None,
    )  # fmt: skip
    return {
        "mode": "sweep",
        "interrupted": made.interrupted,
        "notes": _notes(made, table, tally),
        **facts,
        "engine": made.engine,
        "search": made.search,
        "seed": made.seed,
        "workers": made.workers,
        "cluster": made.cluster,
        "objective": goal.first.name,
        "direction": goal.first.direction,
        "objectives": [f"{item.name}:{item.direction}" for item in goal.objectives],
        "constraints": [item.told() for item in goal.constraints],
        "axes": [_axis(axis) for axis in space.axes],
        "combinations": {
            "asked": made.total,
            "evaluated": len(rows),
            "run": tally.run,
            "from_study": tally.known,
            "repeated": table.repeated,
            "failed": len(table.faults),
            "without_trades": int((table.column("trades")[rows] == 0).sum()),
            "meeting_constraints": len(ranking),
        },
        "best": best,
        "top": [told(table, int(row), goal) for row in ranking[:MOST_TOLD]],
        "front": _front(table, goal),
        "failures": first_faults(table),
        "seconds": made.seconds,
        "load_seconds": made.load_seconds,
        "compile_seconds": made.compile_seconds,
        "combinations_per_second": tally.run / made.seconds if made.seconds else None,
        **result_rows(facts, figures, f"best of {len(rows):,}"),
    }


def _axis(axis: Any) -> dict[str, Any]:
    return {
        "name": axis.name,
        "values": list(axis.values) or None,
        "low": None if axis.values else axis.low,
        "high": None if axis.values else axis.high,
    }


def told(table: Table, row: int, goal: Goal) -> dict[str, Any]:
    """Return one set with its figures."""
    figures = table.told(row)
    return {**brief(table, row, goal), "figures": figures}


def brief(table: Table, row: int, goal: Goal) -> dict[str, Any]:
    """Return one set as the results of `--json` hold it."""
    figures = table.told(row)
    found: dict[str, Any] = {
        "params": dict(table.sets[row]),
        "trades": figures["trades"],
        "net_profit": figures["net_profit"],
        "objective": figures[goal.first.name],
        "max_drawdown_pct": figures["max_drawdown_pct"],
    }
    if row in table.faults:
        found["failed"] = table.faults[row]
    return found


def _front(table: Table, goal: Goal) -> list[dict[str, Any]] | None:
    """Return the trade-off of several objectives: the sets none betters in all; None for one."""
    if len(goal.objectives) == 1:
        return None
    return [told(table, int(row), goal) for row in goal.front(table.figures)]


def first_faults(table: Table) -> list[dict[str, Any]]:
    """Return the first sets that failed, and why."""
    rows = sorted(table.faults)[:FIRST_FAULTS]
    return [{"params": dict(table.sets[row]), "fault": table.faults[row]} for row in rows]


def _notes(made: Made, table: Table, tally: Tally) -> list[str]:
    notes = list(made.remarks)
    if made.engine == BACKTRADER:
        notes.append("each combination was a Backtrader run of its own: the slow road")
    if tally.known:
        notes.append(f"{plural(tally.known, 'combination')} stood in the study already")
    if table.repeated:
        notes.append(
            f"the search came back to a combination it had seen {plural(table.repeated, 'time')}"
        )
    return notes


def check_any(table: Table) -> None:
    """Refuse a search in which every set failed.

    Raises
    ------
    TolaError : naming the first three, and why.
    """
    rows = table.rows()
    if len(rows) and len(table.faults) == len(rows):
        from backtests.search.text import params_text

        reasons = "; ".join(
            f"{params_text(item['params'])}: {item['fault']}" for item in first_faults(table)
        )
        many = "the one combination" if len(rows) == 1 else f"all {len(rows):,} combinations"
        more = "" if len(rows) <= FIRST_FAULTS else "; ..."
        raise TolaError(f"{many} failed: {reasons}{more}")
