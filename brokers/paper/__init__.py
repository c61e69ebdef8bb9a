"""Paper: an exchange in this process that fills on the prices the engine consumes.

It stands behind the same port as every venue and keeps a ledger of its own, on disk, as a venue
would. It has no socket, no SDK and no credential: no order can leave it.
"""

from __future__ import annotations

from brokers.port import Brackets, Capabilities, Distances, PositionMode, TickSource
from core.orders import OrderKind, Role, TimeInForce

__all__ = ["paper_capabilities"]


def paper_capabilities(*, native: bool = True, hedging: bool = False) -> Capabilities:
    """Return what a paper account can do.

    Parameters
    ----------
    native : it keeps stop and targets of an entry itself; else our broker does.
    hedging : each plan's position is one of its own; else the account shows the net.
    """
    return Capabilities(
        venue="paper",
        order_kinds=frozenset(OrderKind),
        times_in_force=frozenset(TimeInForce),
        brackets=Brackets.CHILD_ORDERS if native else Brackets.NONE,
        bracket_prices=Distances.PRICES,
        bracket_roles=frozenset({Role.STOP, Role.TARGET}) if native else frozenset(),
        legs=native,
        one_cancels_other=native,
        cancels_children_of_flat=native,
        trailing=True,
        tag_chars=40,
        tag_on_executions=True,
        finds_by_tag=True,
        shows_held_children=True,
        position_mode=PositionMode.HEDGING if hedging else PositionMode.NETTING,
        ticks=TickSource.TRADES,
        has_bars=False,
        history_has_forming=False,
        takes_at_once=True,
        keeps_floors=native,
    )
