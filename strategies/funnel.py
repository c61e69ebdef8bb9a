"""From bars to fills: how many ideas each step of a strategy let through, and what it dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from core.setups import LIMIT_SETUP, MARKET_SETUP, STOP_SETUP

KIND_NAMES = {MARKET_SETUP: "market", LIMIT_SETUP: "limit", STOP_SETUP: "stop"}


@dataclass(slots=True)
class SetupRow:
    """One emitted setup and its fate; a row of a run's setups table.

    bar : ns UTC, START of the bar at whose close the setup was known.
    side : long or short. kind : market, limit or stop. Prices in quote currency.
    taken : an order was sent. reason : why not, where it was not.
    cancel : why the order of a taken setup never filled.
    filled : the order was filled, wholly or in part.
    """

    bar: int
    side: str
    kind: str
    entry: float
    stop: float
    target: float
    pattern: str
    taken: bool = False
    reason: str = ""
    cancel: str = ""
    filled: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the row's fields by name."""
        return asdict(self)


def count_steps(machine: dict[str, int], rows: Iterable[SetupRow]) -> dict[str, Any]:
    """Return the funnel of a run.

    Parameters
    ----------
    machine : dict of str to int
        The machine's counters; those named in `MACHINE_STEPS` are steps, those in
        `MACHINE_DROPS` reasons for dropping.
    rows : iterable of SetupRow

    Returns
    -------
    dict
        Counts by step, widest first, and under `dropped` counts by reason: what the machine gave
        up, what management refused, what was withdrawn unfilled.
    """
    fates = list(rows)
    steps: dict[str, Any] = {
        name: machine[source] for source, name in MACHINE_STEPS.items() if source in machine
    }
    steps["setups"] = len(fates)
    steps["armed"] = sum(row.taken for row in fates)
    steps["filled"] = sum(row.filled for row in fates)
    dropped = Counter(
        {name: machine[source] for source, name in MACHINE_DROPS.items() if machine.get(source)}
    )
    for row in fates:
        if row.reason:
            dropped[row.reason] += 1
        elif row.cancel:
            dropped[row.cancel] += 1
    steps["dropped"] = dict(dropped)
    return steps


MACHINE_STEPS = {
    "bars": "bars",
    "in_window": "in_window",
    "sweeps": "sweeps",
    "shifts": "shifts",
    "breaks": "breaks",
}
"""Counters of machines that are steps of the funnel, in order, and the step's name."""

MACHINE_DROPS = {
    "no_zone": "no_zone",
    "risk": "risk_bounds",
    "breaker_risk": "breaker_risk_bounds",
    "low_volume": "low_volume",
    "low_confidence": "low_confidence",
    "cooldown": "cooldown",
}
"""Counters of machines that are reasons for dropping an idea, and the reason's name."""
