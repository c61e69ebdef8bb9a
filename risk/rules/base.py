"""What every rule has in common: when it is asked, and what it may answer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from core.orders import Fill, OrderRequest
from risk.settings import RiskSettings

if TYPE_CHECKING:
    from risk.context import GuardContext


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an order was refused; a Rejected order carries it as `order.info.refused`.

    limit, value : the limit in force and what the order would have made of it, in the rule's
        unit (money, quantity, count, percent, minutes).
    """

    rule: str
    limit: float
    value: float
    detail: str = ""

    def __str__(self) -> str:
        text = f"{self.rule}: {self.value:g} against a limit of {self.limit:g}"
        return f"{text} ({self.detail})" if self.detail else text


class Act(IntEnum):
    """What a rule of time asks for in a bar, weakest first."""

    NONE = 0
    BLOCK = 1
    TIGHTEN = 2
    FLATTEN = 3


@dataclass(frozen=True, slots=True)
class Headroom:
    """How near a rule is to its limit now: `used` of `limit`, in `unit`."""

    rule: str
    limit: float
    used: float
    unit: str


class Rule:
    """One limit. Subclasses override the moments they care about.

    Attributes
    ----------
    name : as in `refused` of run results.
    plan : the plan whose orders it limits, "" for all of the account's.
    is_timed : `at_bar` is asked at the start of every bar.
    exit_reason : reason of the exits where `at_bar` flattens.
    waits : an order this rule refuses is held and judged again later instead.
    """

    name = ""
    plan = ""
    is_timed = False
    exit_reason = ""
    waits = False

    @classmethod
    def from_settings(cls, settings: RiskSettings) -> Self | None:
        """Return the rule these settings ask for, None where they have no such limit."""
        raise NotImplementedError

    def describe(self) -> str:
        """Return the rule in one line: its name, its limit, its terms."""
        raise NotImplementedError

    def start(self, context: GuardContext) -> None:
        """Forget the last run. `context` already holds the starting equity."""

    def go_on_from(self, other: Rule) -> None:
        """Take over what a rule in force knows and the context does not, as if there from then."""

    def used_up(self, context: GuardContext) -> Refusal | None:
        """Return a refusal that locks the rest of the day, where the day has used the limit up."""
        return None

    def check(self, request: OrderRequest, context: GuardContext) -> Refusal | None:
        """Judge an order that opens or adds; orders that only reduce are never asked about."""
        return None

    def on_sent(self, orders: int, context: GuardContext) -> None:
        """Count orders (children too) handed to the broker, reducing ones included."""

    def before_day(self, limits: np.ndarray[Any, Any], context: GuardContext) -> None:
        """Look at what the engine wrote into `limits` during the day that ends."""

    def on_day(self, context: GuardContext) -> None:
        """Begin a trading day; day-start figures are in the context."""

    def on_fill(self, fill: Fill, context: GuardContext) -> Refusal | None:
        """Note a fill. A refusal returned locks entries until the next trading day."""
        return None

    def at_bar(self, symbol: str, bar: np.record, context: GuardContext) -> Act:
        """Say what a bar's time asks for; `bar` is about to begin, only its times may be read."""
        return Act.NONE

    def quiet_until(self, symbol: str, bar: np.record) -> int:
        """Return the time (ns) up to which bars that END by it need not be asked about.

        Called after `at_bar` answered NONE for this bar; 0 asks at every bar.
        """
        return 0

    def headroom(self, context: GuardContext) -> Headroom | None:
        """Return how much of the limit is used now, None where that has no meaning."""
        return None
