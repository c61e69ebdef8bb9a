"""The search itself: a driver asks, the study or workers answer, in whatever order they like."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backtests.search.drivers import Driver
from backtests.search.here import Stopped, Workers
from backtests.search.study import Answers
from backtests.search.table import Picked, Table

Watch = Callable[[Table, int], None]


@dataclass
class Tally:
    """What a search has done: sets answered by the study, and sets run now."""

    known: int = 0
    run: int = 0


def search(
    driver: Driver,
    workers: Workers,
    study: Answers,
    table: Table,
    tally: Tally,
    stopped: Stopped,
    watch: Watch,
) -> None:
    """Ask until the driver has no further question, or `stopped` says so.

    Every result is in the study before it is counted. Rows that were not run stay undone.

    Parameters
    ----------
    table, tally : are filled as it goes.
    watch : callable(table, sets run now), called whenever results have come.
    """
    while not stopped() and (sets := driver.ask()):
        rows = table.take(sets) if driver.learns else table.take_all(sets)
        missing = _answer_known(rows, study, table)
        tally.known += len(rows) - len(missing)
        watch(table, tally.run)
        asked = Picked(table.sets, missing)
        for first, records in workers.run(asked, stopped):
            study.keep(asked[first : first + len(records)], records)
            for row, record in zip(missing[first : first + len(records)], records, strict=True):
                table.put(row, record)
            tally.run += len(records)
            watch(table, tally.run)
        if driver.learns and all(table.done[row] for row in rows):
            driver.tell([table.record(row) for row in rows])
        elif driver.learns:
            break


def _answer_known(rows: Sequence[int], study: Answers, table: Table) -> Sequence[int]:
    """Fill in what the study knows; return the other rows, each once."""
    missing: dict[int, None] = {}
    if study.is_empty and isinstance(rows, range):
        return rows
    for row in rows:
        if table.done[row]:
            continue
        record = None if row in missing else study.find(table.sets[row])
        if record is None:
            missing[row] = None
        else:
            table.put(row, record)
    return list(missing)
