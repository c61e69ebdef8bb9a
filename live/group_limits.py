"""Limits over several accounts together, judged from their status documents alone.

What is not known counts against the group, never for it: entries are off until it is known again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from core.errors import ConfigError
from core.instruments import Instrument, get_instrument
from live.pool import Document, PoolState, pool_state

OUNCES_A_GRAM = 1 / 31.1034768
GOLD_OUNCES: Mapping[str, float] = {
    "XAUUSD": 100.0,
    "GC": 100.0,
    "MGC": 10.0,
    "GOLD": 1000.0 * OUNCES_A_GRAM,
    "GOLDM": 100.0 * OUNCES_A_GRAM,
    "GOLDGUINEA": 8.0 * OUNCES_A_GRAM,
    "GOLDPETAL": 1.0 * OUNCES_A_GRAM,
}
"""Troy ounces of gold that 1.0 of quantity is, by symbol."""


class GroupAct(IntEnum):
    """What the group's state asks of each of its sessions, weakest first.

    ENTER : nothing. BLOCK : no entry. FLATTEN : cancel, close and lock for the day.
    """

    ENTER = 0
    BLOCK = 1
    FLATTEN = 2


@dataclass(frozen=True)
class GroupLimits:
    """Limits over accounts together; None: no such limit.

    Attributes
    ----------
    members : accounts of the group. currency : of the money here.
    daily_loss : the members' day P&L together that flattens all.
    open_risk : money lost together if every stop were hit, from which on no entry is taken.
    gold_ounces : troy ounces long, or short, together, likewise.
    fx : money of `currency` per 1.0 of an account's, by that account's currency.
    """

    members: tuple[str, ...]
    currency: str
    daily_loss: float | None = None
    open_risk: float | None = None
    gold_ounces: float | None = None
    fx: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        limits = {name: getattr(self, name) for name in ("daily_loss", "open_risk", "gold_ounces")}
        faults = [
            f"{name}={value!r}: expected a number above 0; leave it out for no limit"
            for name, value in limits.items()
            if value is not None and not 0 < value < float("inf")
        ]
        if not self.members:
            faults.append("members: name at least one account")
        if faults:
            raise ConfigError(f"group limits: {'; '.join(faults)}")


@dataclass(frozen=True, slots=True)
class GroupReason:
    """Why the group may not enter: a rule with its limit and what is used, or what is unknown."""

    rule: str
    detail: str
    limit: float | None = None
    used: float | None = None


@dataclass(frozen=True, slots=True)
class GroupState:
    """What a group's limits come to. figures : used of each limit, None where it is not known."""

    act: GroupAct
    reasons: tuple[GroupReason, ...]
    figures: Mapping[str, float | None]

    @property
    def may_enter(self) -> bool:
        """Whether entries are on."""
        return self.act is GroupAct.ENTER

    def describe(self) -> str:
        """Return why entries are off, "" where they are on."""
        return "; ".join(f"{item.rule}: {item.detail}" for item in self.reasons)


def group_state(
    documents: Mapping[str, Document | str],
    limits: GroupLimits,
    *,
    is_killed: bool = False,
    instruments: Callable[[str], Instrument] = get_instrument,
) -> GroupState:
    """Return what a group's sessions may do now.

    Parameters
    ----------
    documents : status of each member, or why there is none; others are left out.
    is_killed : the group's kill switch is pressed.

    Notes
    -----
    An account or a figure that is not known turns entries off. What the others have lost, risk or
    hold counts all the same: beyond a limit without the unknown account is beyond it.
    """
    ours = {name: documents.get(name, "it has no status") for name in limits.members}
    state = pool_state(ours, instruments)
    reasons = [GroupReason("unknown", f"{name}: {why}") for name, why in state.unknown.items()]
    if is_killed:
        reasons.insert(0, GroupReason("kill", "the group's kill switch is pressed"))
    act = GroupAct.FLATTEN if is_killed else GroupAct.BLOCK if reasons else GroupAct.ENTER
    figures: dict[str, float | None] = {}
    for rule, limit, consequence in (
        ("daily_loss", limits.daily_loss, GroupAct.FLATTEN),
        ("open_risk", limits.open_risk, GroupAct.BLOCK),
        ("gold_ounces", limits.gold_ounces, GroupAct.BLOCK),
    ):
        if limit is None:
            continue
        used, unknown = _USED[rule](state, limits)
        figures[rule] = None if unknown or state.unknown else used
        if used >= limit:
            detail = f"{used:,.2f} against a limit of {limit:,.2f}"
            reasons.append(GroupReason(rule, detail, limit, used))
            act = max(act, consequence)
        if unknown:
            reasons.append(GroupReason(rule, unknown, limit))
            act = max(act, GroupAct.BLOCK)
    return GroupState(act, tuple(reasons), figures)


def _money(state: PoolState, limits: GroupLimits, figure: str) -> tuple[float, str]:
    """Return a figure of all known members in the group's currency, and what of it is unknown."""
    total, unknown = 0.0, ""
    for item in state.members:
        if item.unknown:
            continue
        value = getattr(item, figure)
        rate = 1.0 if item.currency == limits.currency else limits.fx.get(item.currency)
        if value is None:
            unknown = unknown or f"that of {item.name} is not known"
        elif rate is None:
            unknown = unknown or f"no rate from {item.currency} to {limits.currency}"
        else:
            total += value * rate
    return total, unknown


def _lost(state: PoolState, limits: GroupLimits) -> tuple[float, str]:
    won, unknown = _money(state, limits, "day_pnl")
    return max(-won, 0.0), unknown


def _risked(state: PoolState, limits: GroupLimits) -> tuple[float, str]:
    return _money(state, limits, "open_risk")


def _gold(state: PoolState, limits: GroupLimits) -> tuple[float, str]:
    """Return ounces of the heavier side: a long and a short at two venues may part."""
    gold = [(GOLD_OUNCES[item.symbol], item) for item in state.exposure
            if item.symbol in GOLD_OUNCES]  # fmt: skip
    long = sum(ounces * item.long for ounces, item in gold)
    return max(long, sum(ounces * item.short for ounces, item in gold)), ""


_USED: Mapping[str, Callable[[PoolState, GroupLimits], tuple[float, str]]] = {
    "daily_loss": _lost,
    "open_risk": _risked,
    "gold_ounces": _gold,
}
