"""One account's plans inside one Cerebro: feeds, strategies, guard and broker, run to the end.

Ctrl-C stops the run after the bar at hand and keeps what there is; a strategy of the user's that
raises ends it with the bar and the line.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from traceback import extract_tb
from typing import Any

import backtrader as bt
import numpy as np

from backtests.fills.broker import BacktestBroker
from backtests.fills.stock import StockBroker
from backtests.interrupts import stopping
from backtests.loading import LoadedPlan
from backtests.loop.cerebro import Cerebro
from backtests.request import AccountRequest
from backtests.usercode import blame, is_file_name, split_file_name
from backtests.verbs.progress import Progress
from core.bars import Series, format_timeframe
from core.config import Settings
from core.errors import ConfigError, StrategyError, TolaError
from core.results import iso_time
from feeds import BulkData
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard


@dataclass
class PlanRun:
    """A plan with its feed and, once run, its strategy."""

    loaded: LoadedPlan
    data: Any
    strategy: Any = None

    @property
    def plan_id(self) -> str:
        """The plan's name in files."""
        return self.loaded.request.plan_id

    @property
    def bars(self) -> np.ndarray[Any, Any]:
        """The bars the strategy has seen: all of them, unless the run was interrupted."""
        return self.loaded.series.bars[: len(self.data)]


@dataclass(frozen=True)
class Parts:
    """The classes a run is built of; an audit puts watched ones in their places."""

    feed: Callable[[Series], Any] = BulkData
    guard: Callable[..., Guard] = Guard


@dataclass
class AccountRun:
    """What is left of an account's run."""

    request: AccountRequest
    plans: list[PlanRun]
    broker: Any
    guard: Guard
    interrupted: bool


class Counter(bt.Analyzer):  # type: ignore[misc]
    """Tells the progress display how many steps are done."""

    params = (("show", None),)

    def prenext(self) -> None:
        """Count a bar of the warm-up."""
        self.next()

    def next(self) -> None:
        """Count a bar; most of them silently."""
        done = len(self.strategy)
        if done & 255 == 0:
            self.p.show(done)

    def skipped(self, span: Any) -> None:
        """Count bars that were skipped."""
        self.p.show(span.stop)


def run_account(
    request: AccountRequest,
    loaded: list[LoadedPlan],
    settings: Settings,
    intrabar: str,
    progress: Progress,
    prepare: Callable[[Cerebro, Guard], None] | None = None,
    parts: Parts = Parts(),
) -> AccountRun:
    """Run an account's plans over their bars.

    Parameters
    ----------
    loaded : list of LoadedPlan
        The bars of each plan, in the request's order.
    intrabar : str
        Which path through each bar counts (the settings' own, or one of a band).
    prepare : callable(cerebro, guard), optional
        Called before the run begins.
    parts : Parts, optional
        Other classes in the place of some of ours.

    Raises
    ------
    StrategyError : a user's strategy raised.
    KeyboardInterrupt : Ctrl-C before the first bar, or a second time.
    """
    cerebro = Cerebro(stdstats=False)
    plans = [_add_feeds(cerebro, item, parts.feed) for item in loaded]
    broker = make_broker(request, plans, settings, intrabar)
    guard = parts.guard(broker, *request.limits)
    cerebro.setbroker(guard)
    for plan in plans:
        asked = plan.loaded.request
        cerebro.addstrategy(strategy_maker(plan, alone=len(plans) == 1), **asked.params)
    _add_analyzers(cerebro, progress, plans)
    if prepare is not None:
        prepare(cerebro, guard)
    with stopping(cerebro.runstop, lambda: _has_begun(plans), progress.tell) as was_interrupted:
        try:
            cerebro.run()
        except TolaError:
            raise
        except (Exception, SystemExit) as error:  # whatever a strategy raises; ours go on as such
            raise _strategy_error(error, plans) or error from error
    return AccountRun(request, plans, broker, guard, was_interrupted())


def _add_feeds(cerebro: bt.Cerebro, loaded: LoadedPlan, feed: Callable[[Series], Any]) -> PlanRun:
    """Add a plan's feed and its further series; each plan has feeds of its own."""
    plan_id = loaded.request.plan_id
    data = feed(loaded.series)
    data.tola_plan = plan_id
    data.tola_calendar = loaded.calendar
    cerebro.adddata(data, name=plan_id)
    for name, series in loaded.further.items():
        further = feed(series)
        further.tola_plan = plan_id
        cerebro.adddata(further, name=name)
    return PlanRun(loaded, data)


def strategy_maker(plan: PlanRun, *, alone: bool) -> Callable[..., Any]:
    """Return what Cerebro calls to make a plan's strategy: with the plan's own feeds only."""
    wanted = plan.loaded.request.strategy
    kind = wanted if alone else _own_bars_only(wanted)

    def make(*datas: Any, **params: Any) -> Any:
        own = [data for data in datas if data.tola_plan == plan.plan_id]
        plan.strategy = kind(*own, **params)
        return plan.strategy

    return make


def _own_bars_only(kind: type[Any]) -> type[Any]:
    """Return the strategy made deaf to bars of other plans' feeds in the same Cerebro.

    Cerebro steps every strategy whenever any feed has a bar; a strategy alone in its account never
    sees that, so it must not see it in company either.
    """

    class OwnBars(kind):  # type: ignore[misc]
        only_forwards = True  # what the strategy declares of its `next` holds for this one
        _bars_seen = 0

        def _on_news(self, step: Callable[[], None]) -> None:
            """Step once for each new bar; what a step calls in turn (`next`) is of the same one."""
            seen = sum(map(len, self.datas))
            if seen == self._bars_seen:
                return
            self._bars_seen = -1
            step()
            self._bars_seen = seen

        def prenext(self) -> None:
            self._on_news(super().prenext)

        def nextstart(self) -> None:
            self._on_news(super().nextstart)

        def next(self) -> None:
            self._on_news(super().next)

    OwnBars.__name__ = OwnBars.__qualname__ = kind.__name__
    return OwnBars


def make_broker(
    request: AccountRequest, plans: list[PlanRun], settings: Settings, intrabar: str
) -> Any:
    """Return the broker of an account with its instruments known.

    Raises
    ------
    ConfigError : an intrabar path is asked of Backtrader's own fills, which know none; or `drill`
        without finer bars.
    """
    if settings.fills == "backtrader":
        if intrabar != "worst":
            raise ConfigError(f"--intrabar {intrabar}: Backtrader's own fills know no such choice")
        broker: Any = StockBroker(cash=request.cash)
    else:
        broker = BacktestBroker(
            cash=request.cash,
            account_currency=request.currency,
            intrabar=intrabar,
            limit_fill="through" if settings.limit_fill == "through" else "touch",
            volume_share=settings.volume_share,
            drill=_drill_bars(plans) if intrabar == "drill" else None,
        )
    for plan in plans:
        asked = plan.loaded.request
        broker.add_instrument(plan.data, asked.instrument, asked.plan_id, fx=asked.fx)
    return broker


def _drill_bars(plans: list[PlanRun]) -> dict[str, Series]:
    return {plan.loaded.request.instrument.symbol: _lower(plan) for plan in plans}


def _lower(plan: PlanRun) -> Series:
    """Return the finer bars a plan's were built from.

    Raises
    ------
    ConfigError : the file holds the strategy's own bars: there is nothing to walk inside them.
    """
    series = plan.loaded.series
    if series.lower is None:
        own = format_timeframe(series.timeframe_ns)
        raise ConfigError(
            f"--intrabar drill: plan {plan.plan_id} reads a file of {own} bars; give a file of "
            f"finer bars with --data and --timeframe {own}"
        )
    return series.lower


def _add_analyzers(cerebro: bt.Cerebro, progress: Progress, plans: list[PlanRun]) -> None:
    cerebro.addanalyzer(DailyLoss, _name="daily_loss")
    cerebro.addanalyzer(TradeRisk, _name="trade_risk")
    if progress.active:
        ends = np.unique(np.concatenate([plan.loaded.series.bars["end"] for plan in plans]))
        progress.begin(", ".join(plan.plan_id for plan in plans), len(ends))
        cerebro.addanalyzer(Counter, show=progress.update)


def _has_begun(plans: list[PlanRun]) -> bool:
    return any(len(plan.data) for plan in plans)


def _strategy_error(error: BaseException, plans: list[PlanRun]) -> StrategyError | None:
    """Return the user's error with its bar and line; None if no user's strategy is in it."""
    frames = {Path(frame.filename).resolve() for frame in extract_tb(error.__traceback__)}
    for plan in plans:
        asked = plan.loaded.request
        source = inspect.getsourcefile(asked.strategy)
        if source and is_file_name(asked.plan.strategy) and Path(source).resolve() in frames:
            return blame(error, Path(split_file_name(asked.plan.strategy)[0]), _bar_text(plan))
    return None


def _bar_text(plan: PlanRun) -> str:
    count, bars = len(plan.data), plan.loaded.series.bars
    if count == 0 or count > len(bars) or plan.strategy is None:
        return f"plan {plan.plan_id}, before the first bar"
    return f"plan {plan.plan_id}, at the bar of {iso_time(bars['start'][count - 1])}"
