"""The second half of a rollover: a position is opened again in the next contract."""

from __future__ import annotations

from typing import Any

import backtrader as bt

from core.errors import ConfigError
from live.given import Given, Told, word
from live.hand_orders import raise_refusal


def reopen(stage: Any, given: Given) -> Told:
    """Open what was closed, with its stop and targets, as an order of the strategy that had it.

    A strategy with a method `rolled(entry, stop, targets, difference)` is told of its new orders
    and by how much the new contract's prices are higher; any other one just has its position.

    Raises
    ------
    RiskRefused : the guard said no.
    """
    plan_id, quantity = word(given, "plan"), float(given["quantity"])
    if not quantity > 0.0:
        return {"text": f"{plan_id}: ended with its contract", "plan": plan_id}
    owner, data = _owner(stage, plan_id)
    enter, leave = stage.guard.buy, stage.guard.sell
    if given["side"] == "sell":
        enter, leave = leave, enter
    children = [("stop", bt.Order.Stop, given["stop"], quantity)] if given["stop"] else []
    children += [
        ("target", bt.Order.Limit, float(leg["price"]), float(leg["quantity"]))
        for leg in given["targets"]
    ]
    entry = enter(
        owner, data, quantity, exectype=bt.Order.Market, transmit=not children, reason="entry",
        pattern="roll", planned_entry=float(given["price"]),
    )  # fmt: skip
    sent: dict[str, list[Any]] = {"stop": [], "target": []}
    for place, (name, kind, price, size) in enumerate(children, start=1):
        sent[name].append(
            leave(
                owner, data, size, price=price, exectype=kind, parent=entry,
                transmit=place == len(children), reason=name,
            )
        )  # fmt: skip
    raise_refusal(entry)
    if hasattr(owner, "rolled"):
        stop = sent["stop"][0] if sent["stop"] else None
        owner.rolled(entry, stop, sent["target"], float(given["difference"]))
    return {"text": f"{plan_id}: opened again in {given['new']}", "plan": plan_id}


def _owner(stage: Any, plan_id: str) -> tuple[Any, Any]:
    """Return whose orders a plan's are, and its feed."""
    for run in stage.plans:
        if run.plan_id == plan_id:
            return run.strategy, run.data
    for hand in stage.hands:
        if hand.plan_id == plan_id:
            return hand.owner, hand.data
    raise ConfigError(f"plan {plan_id!r} is none of this session")
