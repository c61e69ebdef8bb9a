"""Zones as tables: one row per gap, block or breaker a run of bars has made.

For charts, notebooks and comparisons. Rows hold bar numbers, so a reader can draw a zone from
the bar at which it was known to the bar at which it ended. -1 means: not (yet).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from indicators import breakers, fvg, order_blocks
from indicators.block import Block, Records, pieces

if TYPE_CHECKING:
    import pandas as pd

GAP_REASONS = ("", "closed_back", "mitigated", "expired", "dropped", "joined")
BLOCK_REASONS = ("", "run_through", "dropped")
BREAKER_REASONS = ("", "closed_beyond", "dropped")
BREAKER_KINDS = ("", "breaker", "mitigation")


def _run(block: Block, limit: str, bars: Records, values: Mapping[str, Any]) -> Records:
    """Run a block with every zone kept; return its 1-item state."""
    params = block.read_params({**values, limit: None})
    state = block.state(params, len(bars))
    for _ in pieces(block, bars, params, state):
        pass
    return state


def _sides(record: Records, reasons: tuple[str, ...]) -> list[tuple[Records, dict[str, Any]]]:
    """Return each side's zones and the columns all tables share."""
    sides = []
    for name, sign in (("bull", 1), ("bear", -1)):
        side = record[name][0]
        zones = side["zones"][: side["births"]]
        shared = {
            "side": np.full(len(zones), sign),
            "top": zones["top"],
            "bottom": zones["bottom"],
            "origin": zones["origin"],
            "ended": zones["ended"],
            "reason": np.array(reasons)[zones["end_reason"]],
        }
        sides.append((zones, shared))
    return sides


def _table(sides: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    table = pd.concat([pd.DataFrame(side) for side in sides], ignore_index=True)
    return table.sort_values(["known", "origin", "side"], kind="stable", ignore_index=True)


def gap_table(bars: Records, **values: Any) -> pd.DataFrame:
    """Return every fair value gap of these bars (records of BAR).

    Columns side, top, bottom, origin (middle bar), known, touched, half, filled, inverted, ended,
    reason; parameters as in `fvg.params`, and `atr_period`.
    """
    state = _run(fvg.BLOCK, "max_zones", bars, values)
    return _table(
        [
            {
                **shared,
                "known": zones["origin"] + 1,
                **{
                    name: zones["reached"][:, event]
                    for event, name in enumerate(("touched", "half", "filled", "inverted"))
                },
            }
            for zones, shared in _sides(state["fvg"], GAP_REASONS)
        ]
    )


def order_block_table(bars: Records, **values: Any) -> pd.DataFrame:
    """Return every order block of these bars (records of BAR).

    Columns side, top, bottom, origin (its bar), known, touched, broken, ended, reason, volume,
    percentage; parameters of `order_blocks.PARTS` by name.
    """
    state = _run(order_blocks.BLOCK, "max_blocks", bars, values)
    return _table(
        [
            {
                **shared,
                "known": zones["born"],
                "touched": zones["reached"][:, order_blocks.TOUCHED],
                "broken": zones["reached"][:, order_blocks.BROKEN],
                "volume": zones["volume"],
                "percentage": zones["percentage"],
            }
            for zones, shared in _sides(state["order_blocks"], BLOCK_REASONS)
        ]
    )


def breaker_table(bars: Records, **values: Any) -> pd.DataFrame:
    """Return every breaker and mitigation block of these bars (records of BAR).

    Columns side, kind, top, bottom, origin (its bar), known, ended, reason; parameters of
    `breakers.PARTS` by name.
    """
    state = _run(breakers.BLOCK, "max_breakers", bars, values)
    return _table(
        [
            {**shared, "known": zones["born"], "kind": np.array(BREAKER_KINDS)[zones["kind"]]}
            for zones, shared in _sides(state["breakers"], BREAKER_REASONS)
        ]
    )
