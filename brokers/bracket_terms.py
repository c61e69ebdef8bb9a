"""How an account keeps brackets, as it stands in a session's record.

It may depend on the account's settings, and what an order asks for depends on it: a record is run
through again by the terms it was made with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from brokers.port import Brackets, Capabilities
from core.orders import Role

_FLAGS = ("one_cancels_other", "cancels_children_of_flat", "prices_follow_fill")


def bracket_terms(able: Capabilities) -> dict[str, Any]:
    """Return the terms as plain data."""
    return {
        "brackets": able.brackets.value,
        "roles": sorted(role.name for role in able.bracket_roles),
        "product": able.products[0],
        **{name: getattr(able, name) for name in _FLAGS},
    }


def with_bracket_terms(able: Capabilities, terms: Mapping[str, Any] | None) -> Capabilities:
    """Return a venue's table by recorded terms; None: as it is."""
    if terms is None:
        return able
    flags: dict[str, Any] = {name: bool(terms[name]) for name in _FLAGS}
    others = tuple(item for item in able.products if item != terms["product"])
    return replace(
        able,
        brackets=Brackets(terms["brackets"]),
        bracket_roles=frozenset(Role[name] for name in terms["roles"]),
        products=(str(terms["product"]), *others),
        **flags,
    )
