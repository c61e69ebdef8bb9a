"""`set` while a session runs: a management setting for new setups, or a limit made stricter."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from core.errors import ConfigError, RiskRefused, near_name
from live.given import Given, Told, shown, word
from risk.tightening import ONLY_TIGHTEN, TIGHTENABLE, limit_in_force, tightened

ACCOUNT = "account"
"""Stands for a plan's name where a limit of all of them is meant."""
LIMITS_OF_STRATEGIES = ("max_quantity", "max_trades_day", "max_losses_row")
"""Settings by which our strategies keep a limit themselves, as the guard does; 0 there: none."""


@dataclass(frozen=True)
class _Meant:
    """What a `set` is for: a plan with its strategy (None for hands), or ("") the account."""

    plan_id: str
    strategy: Any = None

    @property
    def name(self) -> str:
        return self.plan_id or ACCOUNT

    @property
    def settings(self) -> dict[str, Any]:
        """The values of its settings; empty where the strategy is none of ours."""
        return dict(self.strategy.values) if hasattr(self.strategy, "change") else {}


class Changes:
    """Changes settings and limits of what a `Stage` runs."""

    def __init__(self, stage: Any) -> None:
        self._stage = stage

    def change(self, given: Given) -> Told:
        """Carry a `set` out; return what is told of it.

        Raises
        ------
        ConfigError : no such plan or setting, or one that cannot change while it runs.
        RiskRefused : a limit in force is stricter.
        """
        name, value = word(given, "name"), given.get("value")
        meant = self._meant(given)
        if name not in meant.settings and name not in TIGHTENABLE:
            raise ConfigError(_unknown(meant, name))
        old = self._value_of(meant, name)
        if name in TIGHTENABLE:
            new = self._tighten(meant, name, value)
            until = "until the next trading day"
        else:
            old, new = meant.strategy.change(name, value)
            until = "for new setups"
        bar = str(given.get("bar") or "")
        since = f" from the bar of {self._there(bar)}" if bar else ""
        locks = [lock.rule for lock in self._stage.guard.context.locks.values()]
        text = f"{meant.name}: {name} {shown(old)} -> {shown(new)}{since}, {until}"
        return {"text": f"{text}; locked by {', '.join(locks)}" if locks else text,
                "plan": meant.name, "name": name, "old": old, "new": new, "bar": bar,
                "locked_by": locks}  # fmt: skip

    def value_of(self, given: Given) -> Any:
        """Return the value in force of what a `set` names, None where there is none."""
        try:
            return self._value_of(self._meant(given), word(given, "name"))
        except ConfigError:
            return None

    def _there(self, bar: str) -> str:
        """Return a bar's START as the market's people read it."""
        zone = self._stage.plans[0].loaded.calendar.zone.name
        there = datetime.fromisoformat(bar).astimezone(ZoneInfo(zone))
        return f"{there:%Y-%m-%d %H:%M} {zone.rpartition('/')[2].replace('_', ' ')}"

    def _tighten(self, meant: _Meant, name: str, value: Any) -> Any:
        """Tighten a limit of the guard; where the strategy keeps it too, there as well."""
        guard = self._stage.guard
        wanted = tightened(guard.sources, name, value, meant.plan_id)
        new = getattr(wanted, name)
        if name in LIMITS_OF_STRATEGIES and name in meant.settings:
            held = meant.settings[name]
            if 0 < held < new:
                raise RiskRefused(name, held, new, ONLY_TIGHTEN)
            meant.strategy.change(name, value)
        guard.tighten(wanted)
        return new

    def _value_of(self, meant: _Meant, name: str) -> Any:
        if name not in TIGHTENABLE:
            return meant.settings.get(name)
        limits = [limit_in_force(self._stage.guard.sources, name, meant.plan_id)]
        if name in LIMITS_OF_STRATEGIES and meant.settings.get(name):
            limits.append(meant.settings[name])
        return min((item for item in limits if item is not None), default=None)

    def _meant(self, given: Given) -> _Meant:
        """Return what is named: a plan, by its symbol too, a hand's, or the account."""
        wanted, runs = str(given.get("plan") or ""), list(self._stage.plans)
        by_hand = [hand.plan_id for hand in self._stage.hands]
        if wanted == ACCOUNT:
            return _Meant("")
        if wanted in by_hand:
            return _Meant(wanted)
        found = [
            run for run in runs if wanted in ("", run.plan_id, run.loaded.request.instrument.symbol)
        ]
        known = [run.plan_id for run in runs]
        if len(found) > 1:
            raise ConfigError(f"which plan? name one of {', '.join(known)}")
        if not found:
            raise ConfigError(f"plan {wanted!r}{near_name(wanted, [*known, *by_hand, ACCOUNT])}")
        return _Meant(found[0].plan_id, found[0].strategy)


def _unknown(meant: _Meant, name: str) -> str:
    if meant.settings:
        return f"setting {name!r}{near_name(name, {*meant.settings, *TIGHTENABLE})}"
    if meant.strategy is None:
        return f"limit {name!r}{near_name(name, TIGHTENABLE)}"
    return (
        f"{meant.name}: {name} cannot change while it runs, its strategy has no settings of ours; "
        f"limits can be tightened: {', '.join(TIGHTENABLE)}"
    )
