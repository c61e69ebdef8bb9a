"""Money in files: whole cents whose rows add up to the run's own totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]


def cents_that_add_up(amounts: Array, groups: Array) -> Array:
    """Return amounts in whole cents; each group's cents add up to its rounded total.

    Parameters
    ----------
    amounts : ndarray of float64, shape (n,)
        Money, in the order of the file.
    groups : ndarray of int64, shape (n,)
        Whose total each amount belongs to.

    Returns
    -------
    ndarray of int64, shape (n,)
        What the running total, rounded half-even to the cent, grows by: an amount of whole cents
        is kept as it is, any other is less than a cent off.
    """
    cents = np.empty(len(amounts), np.int64)
    for group in np.unique(groups):
        mine = groups == group
        running = np.rint(np.cumsum(amounts[mine]) * 100.0).astype(np.int64)
        cents[mine] = np.diff(running, prepend=0)
    return cents


def split_cents(
    costs: Mapping[str, Array], net: Array, groups: Array
) -> tuple[dict[str, Array], Array, Array, Array]:
    """Return (costs by kind, all costs, net, gross) in cents.

    Each kind and the net add up to their totals; in every row the kinds add up to the costs, and
    gross less costs is net.
    """
    kinds = {kind: cents_that_add_up(money, groups) for kind, money in costs.items()}
    total = np.zeros(len(net), np.int64)
    for cents in kinds.values():
        total += cents
    net_cents = cents_that_add_up(net, groups)
    return kinds, total, net_cents, net_cents + total
