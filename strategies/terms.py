"""What a strategy must know of its instrument's money: steps, worth of a point, size, costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from core.bars import NEVER_NS
from core.costs import charge
from core.instruments import Instrument, InstrumentFacts
from core.orders import ExitPlan, StopRule, StopRuleKind
from core.prices import steps_to_quantity
from core.sizing import cash_needed, size_steps
from strategies.exits import STOP_RULES, break_even_offset, parse_legs, plan_exit
from strategies.management import rounded_target


class Terms:
    """An instrument in account money, with the settings that size positions and plan exits.

    Parameters
    ----------
    instrument : Instrument
    fx : float or object with `at(ns)`
        Account money per 1.0 of quote money.
    values : mapping of str to Any
        The strategy's settings.
    """

    def __init__(self, instrument: Instrument, fx: Any, values: Mapping[str, Any]) -> None:
        self.instrument = instrument
        self._fx = fx
        self._values = values
        self._legs = parse_legs(values["legs"])

    def facts(self, bar: Any) -> InstrumentFacts:
        """Return the facts in force on a bar's trading day."""
        return self.instrument.facts(int(bar.day))

    def tick_of(self, day: int) -> float:
        """Return the price step in force on a trading day."""
        return self.instrument.facts(day).tick

    def rate(self, bar: Any) -> float:
        """Return account money per 1.0 of quote money at a bar's END."""
        if hasattr(self._fx, "at"):
            return float(self._fx.at(int(bar.end)))
        return float(self._fx)

    def target(self, setup: Any, bar: Any) -> float:
        """Return a setup's target: the machine's own, else `rr` times the risk."""
        if setup.target == setup.target:
            return float(setup.target)
        distance = self._values["rr"] * float(setup.risk)
        direction = int(setup.direction)
        return float(rounded_target(float(setup.entry), direction, distance, self.facts(bar).tick))

    def quantity(self, setup: Any, bar: Any, equity: float, free: float) -> float:
        """Return how much to trade, 0 if not even one lot.

        Parameters
        ----------
        equity, free : equity and free margin at this bar's close, account currency.
        """
        facts, rate = self.facts(bar), self.rate(bar)
        steps = size_steps(
            self._values["risk_pct"] / 100.0 * equity,
            float(setup.risk),
            facts.multiplier * rate,
            facts.lot,
            self._values["max_quantity"] or float("inf"),
            free,
            facts.margin_per_unit(float(setup.entry)) * rate,
        )
        return float(steps_to_quantity(steps, facts.lot))

    def cash_needed(self, setup: Any, bar: Any) -> float | None:
        """Return the equity at which one lot would pass, account currency.

        None where the largest quantity allowed is below a lot: no cash helps then.
        """
        facts, rate = self.facts(bar), self.rate(bar)
        if 0.0 < self._values["max_quantity"] < facts.lot:
            return None
        needed: float = cash_needed(
            float(setup.risk),
            facts.multiplier * rate,
            facts.lot,
            self._values["risk_pct"] / 100.0,
            facts.margin_per_unit(float(setup.entry)) * rate,
        )
        return needed

    def exit_plan(
        self, setup: Any, target: float, quantity: float, bar: Any, keeps_flat_time: bool
    ) -> ExitPlan:
        """Return how the position of a setup will be left."""
        flat_at = int(bar.flat_at)
        return plan_exit(
            float(setup.entry),
            float(setup.stop),
            target,
            self.facts(bar).tick,
            self._legs,
            self._stop_rule(float(setup.entry), quantity, bar),
            flat_at if keeps_flat_time and flat_at != NEVER_NS else None,
        )

    def _stop_rule(self, entry: float, quantity: float, bar: Any) -> StopRule:
        values = self._values
        if values["be_at_1r"]:
            return StopRule(StopRuleKind.BREAK_EVEN)
        kind = STOP_RULES[values["stop_rule"]]
        offset = 0.0
        if kind is StopRuleKind.BREAK_EVEN:
            facts = self.facts(bar)
            cost, worth = facts.cost[0], facts.multiplier
            paid = charge(cost, True, quantity, entry, worth)
            paid += charge(cost, False, quantity, entry, worth)
            offset = break_even_offset(paid, quantity, worth, facts.tick)
        return StopRule(kind, values["stop_trigger_r"], values["stop_distance"], offset)
