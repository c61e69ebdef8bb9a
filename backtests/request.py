"""What one backtest is, all values settled: what the runner takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.config import AlertSettings, Group, LiveSettings, Plan, Settings

if TYPE_CHECKING:
    from core.fx import FxRate
    from core.instruments import Instrument
    from risk.settings import RiskSettings

BAND = ("worst", "nearest", "best")
"""The intrabar readings a band is made of."""


@dataclass(frozen=True)
class PlanRequest:
    """One strategy on one instrument.

    Attributes
    ----------
    plan : Plan
        As configured; `data` and `further` name files that exist.
    plan_id : str
        Its name in files: letters, digits, '.', '-' and '_'.
    strategy : type
        The Backtrader strategy class.
    params : mapping
        Its parameters, all of them for a strategy of ours.
    instrument : Instrument
        With the run's overrides; without costs or margin where so asked.
    fx : FxRate
        Account money per quote money.
    own_limits : mapping
        Risk settings made of the strategy's own parameters; empty for a plain strategy.
    synthetic : bool
        The bundled, generated prices.
    """

    plan: Plan
    plan_id: str
    strategy: type[Any]
    params: Mapping[str, Any]
    instrument: Instrument
    fx: FxRate
    own_limits: Mapping[str, Any] = field(default_factory=dict)
    synthetic: bool = False


@dataclass(frozen=True)
class AccountRequest:
    """Plans that share one cash, one guard, one equity curve.

    limits : what the guard enforces; several sources, the strictest holds; none: an empty set.
    """

    name: str
    currency: str
    cash: float
    plans: tuple[PlanRequest, ...]
    limits: tuple[RiskSettings, ...] = ()


@dataclass(frozen=True)
class BacktestRequest:
    """A whole backtest.

    origins : every value with its source, for run.json.
    overrides : a line for each value that a flag or the environment set, for the screen.
    live, alerts, groups : what holds for a session on a clock. fx : pair to rate or file.
    """

    accounts: tuple[AccountRequest, ...]
    settings: Settings
    origins: Mapping[str, Any] = field(default_factory=dict)
    overrides: tuple[str, ...] = ()
    live: LiveSettings = field(default_factory=LiveSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    groups: Mapping[str, Group] = field(default_factory=dict)
    fx: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def plans(self) -> list[PlanRequest]:
        """All plans of all accounts, in order."""
        return [plan for account in self.accounts for plan in account.plans]
