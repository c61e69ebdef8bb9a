"""The account's plans as a backtest over a record: its bars, its ticks, its commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import backtrader as bt
import numpy as np

from backtests.engine import PlanRun, strategy_maker
from backtests.loading import LoadedPlan
from backtests.loop.cerebro import Cerebro
from backtests.request import AccountRequest
from core.bars import BAR, Series, parse_timeframe
from core.calendar import get_calendar
from core.schedule import FlatRule, apply_flat_times
from core.ticks import TICK, Tape, TickModel
from feeds.bar_builder import BarBuilder
from feeds.bulk import BulkData
from live.controls import Controls
from live.halting import Halt
from live.hands import make_hands
from live.proof.orders import SentOrder, closes_apart, entry_ids
from live.proof.record import Record
from live.stepped import PlanView, SteppedBroker, closes
from risk.analyzers import DailyLoss, TradeRisk
from risk.guard import Guard
from risk.memory import remember

_SIZE_ZERO = "size_zero"
"""Why either broker refuses less than a lot step."""


class Proving:
    """The account's plans over the recorded bars and ticks."""

    def __init__(
        self,
        account: AccountRequest,
        flats: Sequence[Sequence[FlatRule]],
        record: Record,
        beginning: Mapping[str, Any],
        calendar_file: str | None,
        orders: Mapping[str, SentOrder],
        withheld: Mapping[str, str],
    ) -> None:
        cash = float(beginning["cash"])
        self._memory = beginning["guard"]
        self._model: TickModel = beginning.get("ticks", "path")
        self._account = account
        self._record = record
        self._calendar_file = calendar_file
        self.requests: list[tuple[int, Any, bool]] = []
        self.halt = Halt()
        self.plans: list[PlanRun] = []
        self._cerebro = Cerebro(stdstats=False)
        for plan, rules in zip(account.plans, flats, strict=True):
            self._add_feeds(plan, rules)
        feeds = [(run.loaded.request.instrument.symbol, run.data) for run in self.plans]
        self.hands = make_hands(feeds, [run.plan_id for run in self.plans])
        tapes = {run.plan_id: self._tape(run.loaded.request) for run in self.plans}
        tapes |= {hand.plan_id: tapes[self._run_on(hand.symbol).plan_id] for hand in self.hands}
        self.broker = SteppedBroker(
            record.course, entry_ids(orders), withheld, closes_apart(orders),
            cash=cash, account_currency=account.currency, intrabar="ticks", tapes=tapes,
        )  # fmt: skip
        for run in self.plans:
            asked = run.loaded.request
            self.broker.add_instrument(run.data, asked.instrument, asked.plan_id, fx=asked.fx)
        for hand in self.hands:
            asked = self._run_on(hand.symbol).loaded.request
            self.broker.add_instrument(hand.data, asked.instrument, hand.plan_id, fx=asked.fx)
            hand.data.trades_as(PlanView(self.broker, self.broker.plans[-1]))
            hand.data.now = lambda: self.broker.now
        self.guard = Guard(self.broker, *account.limits)
        self.broker.on_command = Controls(self, self._stopped).apply
        self._watch_requests()

    def run(self) -> None:
        """Run it."""
        cerebro = self._cerebro
        cerebro.setbroker(self.guard)
        cerebro.addstrategy(_Memory, guard=self.guard, memory=self._memory)
        for run in self.plans:
            cerebro.addstrategy(strategy_maker(run, alone=False), **run.loaded.request.params)
        cerebro.addanalyzer(DailyLoss, _name="daily_loss")
        cerebro.addanalyzer(TradeRisk, _name="trade_risk")
        cerebro.use_masks = False
        cerebro.run()
        self.broker.play_rest()

    @property
    def plan_ids(self) -> list[str]:
        """All that trades: the plans, then the hands."""
        return [plan.plan_id for plan in self.broker.plans]

    def _run_on(self, symbol: str) -> PlanRun:
        """Return the first plan on a symbol."""
        return next(run for run in self.plans if run.loaded.request.instrument.symbol == symbol)

    def _stopped(self, reason: str) -> None:
        self.guard.block("stopping", reason)

    def _add_feeds(self, plan: Any, rules: Sequence[FlatRule]) -> None:
        record = self._record
        calendar = get_calendar(plan.instrument.calendar, self._calendar_file)
        step = parse_timeframe(plan.plan.timeframe)
        bars, late = _with_unfinished(
            np.array(record.bars.get(plan.plan_id, []), BAR),
            record.late.get(plan.plan_id, []),
            record.ticks.get(plan.instrument.symbol, []),
            calendar,
            step,
        )
        schedule = apply_flat_times(bars.copy(), calendar, rules)
        series = Series(plan.instrument.symbol, step, bars)
        data = BulkData(series, late=late)
        data.tola_plan, data.tola_calendar = plan.plan_id, calendar
        self._cerebro.adddata(data, name=plan.plan_id)
        further = {}
        for name in record.bars:
            owner, _, short = name.partition("/")
            if owner == plan.plan_id and short:
                own = np.array(record.bars[name], BAR)
                length = int(np.median(own["end"] - own["start"]))
                other = Series(short, length, own)
                feed = BulkData(other)
                feed.tola_plan = plan.plan_id
                self._cerebro.adddata(feed, name=short)
                further[short] = other
        halting = replace(plan, strategy=self.halt.of(plan.strategy))
        loaded = LoadedPlan(halting, series, further, calendar, schedule)
        self.plans.append(PlanRun(loaded, data))

    def _tape(self, plan: Any) -> Tape:
        """Return a plan's ticks."""
        parts = self._record.ticks.get(plan.instrument.symbol, [])
        return Tape(np.concatenate(parts) if parts else np.zeros(0, TICK), self._model)

    def _watch_requests(self) -> None:
        submit = self.broker.submit_approved

        def noted(approved: Any, orders: Sequence[Any]) -> None:
            data, request = orders[0].data, approved.request
            held = float(self.broker.getposition(data).size)
            start = self.broker.bar_start(data)
            submit(approved, orders)
            if orders[0].info.get("reason") != _SIZE_ZERO:  # no session sends it either
                self.requests.append((start, request, closes(held, request)))

        self.broker.submit_approved = noted  # type: ignore[method-assign]


def _with_unfinished(
    bars: Any, late: Sequence[bool], parts: Sequence[Any], calendar: Any, step: int
) -> tuple[Any, Any]:
    """Return the delivered bars and, last, the one a session ended in, which takes no entry."""
    flags = np.array(late, np.bool_)
    if not parts or not len(bars):
        return bars, flags
    ticks = np.concatenate(parts)
    rest = ticks[ticks["ts_event"] >= bars["end"][-1]]
    if not len(rest):
        return bars, flags
    builder = BarBuilder(calendar, step)
    builder.begin_after(bars[-1])
    done = builder.take(rest)
    last = builder.forming if not len(done) else done[:1]
    if not len(last):
        return bars, flags
    spread = rest["spread"][0]
    last["flat_at"] = bars["flat_at"][-1]
    last["spread"] = bars["spread"][-1] if np.isnan(spread) else spread  # nan: as it was
    return np.concatenate([bars, last]), np.append(flags, True)


class _Memory(bt.Strategy):  # type: ignore[misc]
    """Trades nothing; it gives the guard the memory it had when the session began."""

    params = (("guard", None), ("memory", None))

    def start(self) -> None:
        """Remember what the session's guard knew when it began."""
        remember(self.p.guard, self.p.memory)
