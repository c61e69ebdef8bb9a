"""Bars the backtest broker plays on its own, while strategies sleep and nothing happens.

The bars are played by the same compiled rules as any other, in one call; the first bar on which
something happens that must be told is taken back and played in full. So a run that skips gives the
results of one that does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backtests.fills.account import BacktestAccount
from backtests.fills.joint import see_others
from backtests.fills.plan_book import PlanBook
from backtests.loop.skipping import FLAT, OPEN, WORKING
from backtests.loop.timeline import Timeline
from core.matching.book import Array


class PlayingAhead(BacktestAccount):
    """The account, played on to the next bar that must be told (`backtests.loop.skipping`).

    Played in full are: the first bar of a trading day, bars on which a rule of time must be asked,
    all bars while two plans have something at work, those of feeds without BAR records, and those
    of plans with a tape (what plays many bars at once knows no ticks).
    """

    def begin_walk(self, timeline: Timeline) -> None:
        """Take the steps of the run that begins."""
        self._timeline = timeline
        self._indices = [timeline.index_of(plan.data) for plan in self._plans]
        self._may_play = not any(plan.columns.is_plain or plan.tape for plan in self._plans)
        self._traded: dict[int, list[PlanBook]] = {}

    def end_walk(self) -> None:
        """Forget them; the run is over."""
        del self._timeline, self._traded

    def standing(self, strategy: Any) -> int:
        """Return what a strategy has at work: FLAT, OPEN or WORKING."""
        if self._notifications:
            return WORKING
        plans = self._traded.get(id(strategy))
        if plans is None:
            own = {id(data) for data in strategy.datas}
            plans = [plan for plan in self._plans if id(plan.data) in own]
            self._traded[id(strategy)] = plans
        standing = FLAT
        for plan in plans:
            if plan.position_steps:
                return OPEN
            if plan.tickets:
                standing = WORKING
        return standing

    def play_until(self, stop: int) -> int:
        """Play on to a step, not included, or to the first that must be played in full."""
        timeline = self._timeline
        first = timeline.step + 1
        busy = [plan for plan in self._plans if plan.live]
        if not self._may_play or len(busy) > 1:
            return first
        for plan, index in zip(self._plans, self._indices, strict=True):
            stop = min(stop, timeline.step_of(index, self._first_loud_row(plan)))
        if stop <= first:
            return first
        if busy:
            stop = self._play_ahead(busy[0], stop)
        if stop > first:
            self._pass(first, stop)
        return stop

    def account_between(self, first: int, stop: int) -> tuple[Array, Array]:
        """Return cash and value after each of the steps first .. stop-1, just played."""
        cash, value = np.full(stop - first, self._cash), np.full(stop - first, self._value)
        for plan, index in zip(self._plans, self._indices, strict=True):
            if plan.live:
                rows = self._rows(index, first, stop)
                equity, margin = plan.columns.marks[:, rows]
                value = np.where(rows < self._first_row, self._value_before, equity)
                cash = np.where(rows < self._first_row, self._cash_before, equity - margin)
        return cash, value

    def _first_loud_row(self, plan: PlanBook) -> int:
        """Return the first row not yet played on which the account's day rolls or a rule is due."""
        columns = plan.columns
        row = columns.row_of_day_after(self._day)
        if self._bar_listener is not None:
            row = min(row, columns.row_ending_after(self._bar_listener.quiet_until(plan.symbol)))
        return max(row, plan.seen)

    def _play_ahead(self, plan: PlanBook, stop: int) -> int:
        """Play the one plan at work; return the step of its first bar that must be told."""
        timeline, index = self._timeline, self._indices[self._plans.index(plan)]
        if len(self._plans) > 1:
            see_others(plan, self._plans, (plan,))
        self._first_row = plan.seen
        self._value_before, self._cash_before = self._value, self._cash
        last = timeline.row(index, stop - 1) + 1
        played = plan.play_ahead(self._balance, last)
        self._balance = plan.balance.item(0)
        if plan.trails:
            plan.show_trails()
        return stop if played == last else min(stop, timeline.step_of(index, played))

    def _pass(self, first: int, stop: int) -> None:
        """Note the equity of steps just played, and move every plan on to its row."""
        timeline = self._timeline
        if len(self._plans) == 1 and timeline.rows[self._indices[0]] is None:
            ends = self._plans[0].columns.end[first:stop]
            if self._plans[0].live:
                value = self._plans[0].columns.marks[0, first:stop]
            else:
                value = np.full(stop - first, self._value)
            self._plans[0].seen = stop
        else:
            ends = self._ends_between(first, stop)
            _, value = self.account_between(first, stop)
            value = value[ends > 0]
            ends = ends[ends > 0]
            for plan, index in zip(self._plans, self._indices, strict=True):
                plan.seen = timeline.row(index, stop - 1) + 1
        self._ends.frombytes(ends.tobytes())
        self._equities.frombytes(value.tobytes())
        self._value_account()

    def _ends_between(self, first: int, stop: int) -> Array:
        """Return the END of the bars of each step, 0 where no plan has one."""
        ends = np.zeros(stop - first, np.int64)
        for plan, index in zip(self._plans, self._indices, strict=True):
            before = self._timeline.row(index, first - 1)
            rows = self._rows(index, first, stop)
            is_new = np.diff(rows, prepend=before) != 0
            np.maximum(ends, np.where(is_new, plan.columns.end[rows], 0), out=ends)
        return ends

    def _rows(self, index: int, first: int, stop: int) -> Array:
        rows = self._timeline.rows[index]
        return np.arange(first, stop) if rows is None else rows[first:stop]
