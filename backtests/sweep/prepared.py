"""One plan made ready to be swept: its market, its settings, and what runs them compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backtests.loading import load_plan
from backtests.request import AccountRequest, BacktestRequest, PlanRequest
from backtests.sweep.engine import Outcome, SetupEngine
from backtests.sweep.market import Market, make_market
from backtests.sweep.results import Results, Words
from core.config import Settings
from core.errors import ConfigError
from core.matching.book import LimitFill
from strategies.base import SetupStrategy

_NOT_SETTINGS = ("plan_id", "instrument", "fx")


@dataclass(frozen=True)
class Prepared:
    """A plan ready to be swept (`prepare`).

    strategy : the class. base : all its settings, as the plan has them. plan_id, currency : as in
    results. market : what every parameter set shares.
    """

    strategy: Any
    base: Mapping[str, Any]
    plan_id: str
    currency: str
    market: Market

    def __getstate__(self) -> dict[str, Any]:
        # What runs it is made anew where it arrives.
        made = ("engine", "_base_values")
        return {name: value for name, value in vars(self).items() if name not in made}

    def values(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings with some of them replaced.

        Raises
        ------
        ConfigError : naming every unknown name, and every value that is not allowed or does not
            fit the others or the instrument.
        """
        values: dict[str, Any] = self.strategy.read(given, self._base_values)
        self.strategy.check(values, self.market.instrument)
        if self.market.is_stock and values["legs"]:
            raise ConfigError(
                f"legs={values['legs']!r}: fills=backtrader knows one target a bracket; leave legs "
                "out, or use fills=tola"
            )
        return values

    @cached_property
    def _base_values(self) -> dict[str, Any]:
        values: dict[str, Any] = self.strategy.read(self.base)
        return values

    @cached_property
    def engine(self) -> SetupEngine:
        """What runs parameter sets; it remembers the setups of the last structural set."""
        return SetupEngine(self.strategy, self.plan_id, self.market)

    @property
    def words(self) -> Words:
        """What codes of trades are called."""
        return Words(self.plan_id, self.market.symbol, self.strategy.flat_reason)


def prepare(request: BacktestRequest) -> Prepared:
    """Load a plan for a sweep.

    Parameters
    ----------
    request : a backtest of one plan (`backtests.resolve.resolve`).

    Raises
    ------
    ConfigError : several plans; a strategy that is not compiled; fills the compiled rules lack.
    DataError : a file is faulty.
    """
    account, plan = _only_plan(request)
    settings = request.settings
    _check_compiled(plan, settings)
    loaded = load_plan(plan, settings, (), account.limits)
    further = next(iter(loaded.further.values()), None)
    lower = loaded.series.lower
    if settings.intrabar == "drill" and lower is None:
        raise ConfigError(
            f"intrabar=drill: plan {plan.plan_id} reads bars of its own timeframe; give a file of "
            "finer ones"
        )
    limits = account.limits[0] if plan.plan.risk is not None and account.limits else None
    limit_fill: LimitFill = "through" if settings.limit_fill == "through" else "touch"
    market = make_market(
        loaded.series.bars,
        plan.instrument,
        loaded.calendar,
        account.cash,
        fx=plan.fx,
        further=None if further is None else further.bars,
        lower=lower.bars if lower is not None and settings.intrabar == "drill" else None,
        limits=limits,
        intrabar=settings.intrabar,
        limit_fill=limit_fill,
        volume_share=settings.volume_share,
        is_stock=settings.fills == "backtrader",
    )
    base = {name: value for name, value in plan.params.items() if name not in _NOT_SETTINGS}
    return Prepared(plan.strategy, base, plan.plan_id, account.currency, market)


def run(
    prepared: Prepared,
    table: Sequence[Mapping[str, Any]],
    *,
    keep_trades: bool = False,
    keep_curve: bool = False,
) -> Results:
    """Run parameter sets compiled.

    Parameters
    ----------
    table : for each set the settings that differ from the plan's.
    keep_trades : keep every trade and the fate of every setup.
    keep_curve : keep equity at each trading day's last close; Sharpe and the like need it.

    Raises
    ------
    ConfigError : a set is not allowed; the message names it.
    """
    values = [prepared.values(given) for given in table]
    return run_values(prepared, table, values, keep_trades=keep_trades, keep_curve=keep_curve)


def run_values(
    prepared: Prepared,
    table: Sequence[Mapping[str, Any]],
    values: Sequence[Mapping[str, Any]],
    *,
    keep_trades: bool = False,
    keep_curve: bool = False,
) -> Results:
    """Run sets whose settings were read before (`Prepared.values`); else as `run`."""
    outcomes: list[Outcome] = prepared.engine.run(
        values, keep_trades=keep_trades, keep_curve=keep_curve
    )
    market = prepared.market
    return Results(list(table), outcomes, prepared.words, market.bars, market.days, market.cash)


def _only_plan(request: BacktestRequest) -> tuple[AccountRequest, PlanRequest]:
    plans = request.plans
    if len(plans) != 1:
        names = ", ".join(plan.plan.name for plan in plans)
        raise ConfigError(f"a sweep runs one plan, and these were named: {names}")
    return request.accounts[0], plans[0]


def _check_compiled(plan: PlanRequest, settings: Settings) -> None:
    if not issubclass(plan.strategy, SetupStrategy):
        raise ConfigError(
            f"{plan.strategy.__name__} is a plain Backtrader strategy: its parameter sets run in "
            "Backtrader; a setup machine (strategies.base.SetupStrategy) runs compiled"
        )
    if settings.fills == "tola":
        return
    if settings.intrabar != "worst":
        raise ConfigError(
            f"intrabar={settings.intrabar}: Backtrader's own fills know no such choice"
        )
    if not plan.fx.is_constant:
        raise ConfigError("fills=backtrader: a sweep needs a constant exchange rate there")
