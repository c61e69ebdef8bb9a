"""From bars to fills: how many ideas each step of a strategy let through, and what it dropped."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
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


def count_steps(
    steps: Mapping[str, int], drops: Mapping[str, int], rows: Iterable[SetupRow]
) -> dict[str, Any]:
    """Return the funnel of a run.

    Parameters
    ----------
    steps, drops : counts of the machine, by step and by reason for dropping.
    rows : iterable of SetupRow

    Returns
    -------
    dict
        Counts by step, widest first, and under `dropped` counts by reason: what the machine gave
        up, what management refused, what was withdrawn unfilled.
    """
    fates = list(rows)
    dropped = Counter({reason: count for reason, count in drops.items() if count})
    dropped.update(row.reason or row.cancel for row in fates if row.reason or row.cancel)
    return {
        **steps,
        "setups": len(fates),
        "armed": sum(row.taken for row in fates),
        "filled": sum(row.filled for row in fates),
        "dropped": dict(dropped),
    }
