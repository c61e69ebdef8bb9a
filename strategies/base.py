"""What the project's strategies share: a setup machine, and the management of its setups.

The machine never sees orders, positions or limits. Management takes a setup if nothing is at
work and nothing forbids it, else logs why not and forgets it. Everything goes through
Backtrader's own `buy`, `sell` and `cancel`, so the same strategy runs in a backtest, on paper and
on an account.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import backtrader as bt

from core.calendar import get_calendar
from core.errors import ConfigError
from core.instruments import Instrument, get_instrument
from core.orders import StopRuleKind
from core.ports import is_catching_up
from core.schedule import FlatRule
from core.setups import MARKET_SETUP
from strategies.bracket import Bracket, DayTally
from strategies.drawings import draw
from strategies.exits import STOP_RULES, moved_stop, parse_legs
from strategies.funnel import KIND_NAMES, SetupRow, count_steps
from strategies.handling import Handling
from strategies.machine import Machine
from strategies.machine_line import BarReader, MachineLine
from strategies.management import refusal, withdrawal
from strategies.settings import Setting, read_settings
from strategies.terms import Terms
from strategies.words import (
    CANCELS,
    KEEP,
    OPPOSITE_CLOSE,
    PATTERNS,
    REFUSALS,
    SIZE_ZERO,
    SPREAD,
    TAKEN,
    WARMUP,
)

COMMON_SETTINGS = (
    Setting("rr", 2.0, "target distance in units of risk", 0.1, 100.0),
    Setting("risk_pct", 0.5, "equity risked per trade, %", 0.001, 5.0),
    Setting("daily_loss_pct", 2.0, "loss of a day that locks it, % of equity; 0: none", 0.0, 50.0),
    Setting("max_trades_day", 0, "entries filled a trading day; 0: no limit", 0, 1000),
    Setting("max_losses_row", 0, "losing trades in a row a day; 0: no limit", 0, 1000),
    Setting("max_quantity", 0.0, "largest position, lots/contracts/units; 0: no limit", 0.0, 1e9),
    Setting("max_spread_risk", 0.2, "largest spread as a share of the risk; 0: any", 0.0, 10.0),
    Setting("legs", "", "exit legs SHARE@R[>R of the stop after it], such as 0.5@1>0,0.5@3"),
    Setting("be_at_1r", False, "stop to the entry after a close at 1R"),
    Setting("stop_rule", "fixed", "how the stop moves", choices=tuple(STOP_RULES)),
    Setting("stop_trigger_r", 1.0, "favourable close, in R, from which it moves", 0.0, 100.0),
    Setting("stop_distance", 2.0, "trail_atr: ATRs behind the close", 0.1, 100.0),
    Setting("warmup", 0, "first bars on which no setup is taken", 0, 1_000_000),
)
"""Management settings every strategy has; its own list may give another default."""

_EXECUTED = (bt.Order.Partial, bt.Order.Completed)


def with_common(*own: Setting) -> tuple[Setting, ...]:
    """Return a strategy's settings: its own, then the common ones it does not redefine."""
    names = {setting.name for setting in own}
    return (*own, *(setting for setting in COMMON_SETTINGS if setting.name not in names))


def backtrader_params(settings: tuple[Setting, ...]) -> tuple[tuple[str, Any], ...]:
    """Return the `params` declaration of a strategy.

    Besides the settings: `plan_id`; `instrument` (None: looked up by the first data's symbol);
    `fx`, account money per quote money, a number or an object with `at(ns)`.
    """
    declared = [(setting.name, setting.default) for setting in settings]
    return (*declared, ("plan_id", ""), ("instrument", None), ("fx", 1.0))


class SetupStrategy(bt.Strategy):  # type: ignore[misc]
    """Base of the strategies made of a setup machine and a management layer.

    Attributes
    ----------
    name : str
        As in plans and on the command line.
    settings : tuple of Setting
    further : names of the further series it can use.
    warmup_bars : bars of history a live session loads before it may trade.
    flat_reason : what leaving at the flat time is called.
    range_names : what the machine's completed ranges are called on charts.
    layer_settings : names of settings; sets that agree in them are cheapest one after the other.
    setups_log : list of SetupRow, one an emitted setup, oldest first.
    size_zero_cash : for each setup refused `size_zero` the equity that would have bought one lot.
    """

    name: ClassVar[str] = ""
    settings: ClassVar[tuple[Setting, ...]] = COMMON_SETTINGS
    further: ClassVar[tuple[str, ...]] = ()
    warmup_bars: ClassVar[int] = 0
    flat_reason: ClassVar[str] = "flat_time"
    range_names: ClassVar[tuple[str, str]] = ("range high", "range low")
    layer_settings: ClassVar[tuple[str, ...]] = ()

    params = backtrader_params(COMMON_SETTINGS)

    # -- what a subclass says ---------------------------------------------------------------

    @classmethod
    def build_machine(cls, values: Mapping[str, Any], tick: float) -> Machine:
        """Return the strategy's machine in its fresh state."""
        raise NotImplementedError

    @classmethod
    def count_machine(cls, counted: Mapping[str, int]) -> tuple[dict[str, int], dict[str, int]]:
        """Return the machine's counters as steps of the funnel, and as reasons for dropping."""
        return {"bars": counted["bars"]}, {}

    @classmethod
    def flat_rules(cls, values: Mapping[str, Any]) -> tuple[FlatRule, ...]:
        """Return the strategy's own flat times; none if positions are held overnight."""
        return ()

    @classmethod
    def check(cls, values: Mapping[str, Any], instrument: Instrument) -> None:
        """Raise ConfigError where settings and instrument do not fit each other."""
        parse_legs(values["legs"])

    @classmethod
    def layers(cls, bars: Any, further: Any, tick: float) -> Any | None:
        """Return what finds the setups of many structural sets over one series, sharing work.

        Its `find(values)` returns rows, SETUP, FACTS and ATRs (`strategies.gold_shared`). None
        runs the machine anew for each set.
        """
        return None

    @classmethod
    def handling(cls, values: Mapping[str, Any]) -> Handling:
        """Return what is done with setups besides the common settings."""
        return Handling()

    # -- classes as data --------------------------------------------------------------------

    @classmethod
    def read(
        cls, given: Mapping[str, Any], base: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return all settings, the given ones checked; raise ConfigError naming every fault.

        What is not given stands as in `base` (all settings, read before), else at its default.
        """
        return read_settings(cls.name, cls.settings, given, base)

    @classmethod
    def structural(cls) -> tuple[str, ...]:
        """Return the names of the settings that change which setups exist."""
        return tuple(setting.name for setting in cls.settings if setting.structural)

    @classmethod
    def management_params(cls) -> tuple[str, ...]:
        """Return the names of the settings that change only what is done with a setup."""
        return tuple(setting.name for setting in cls.settings if not setting.structural)

    @classmethod
    def default_rules(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the risk settings made of the strategy's own parameters, as plain data.

        They are what the guard enforces where no preset is named.
        """
        return {
            key: values[key]
            for key in ("daily_loss_pct", "max_trades_day", "max_losses_row")
            if values[key] > 0
        }

    @classmethod
    def drawings(cls, bars: Any, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return zones and levels for charts (see `drawings.draw`).

        Parameters
        ----------
        bars : ndarray of BAR, shape (n,)
        params : settings, and `instrument` for its price step.
        """
        names = {setting.name for setting in cls.settings}
        values = cls.read({name: value for name, value in params.items() if name in names})
        instrument = params.get("instrument")
        tick = 0.01 if instrument is None else instrument.facts(int(bars["day"][0])).tick
        return draw(bars, cls.build_machine(values, tick), cls.range_names)

    # -- Backtrader's calls -----------------------------------------------------------------

    def __init__(self) -> None:
        given = {setting.name: getattr(self.p, setting.name) for setting in self.settings}
        self.values = self.read(given)
        self.instrument = self._find_instrument()
        self.check(self.values, self.instrument)
        self.setups_log: list[SetupRow] = []
        self.size_zero_cash: list[float | None] = []
        self.take_settings()
        self._bracket: Bracket | None = None
        self._leaving = False
        self._entries_today = DayTally()
        self._losses_in_row = DayTally()
        self._day_filled = -1
        self._seen = 0
        self._reader = self._reader_of(self.data0)
        self.machine = MachineLine(
            self.data0,
            build=self._fresh_machine,
            reader=self._reader,
            others=self._find_further(),
            tick_of=self._terms.tick_of,
        )

    def take_settings(self) -> None:
        """Work out what follows from `values`: at the start, and when one of them changes."""
        self._terms = Terms(self.instrument, self.p.fx, self.values)
        self._handling = self.handling(self.values)

    def change(self, name: str, value: Any) -> tuple[Any, Any]:
        """Give a management setting another value, for setups to come; return the old and the new.

        A setup at work is left to the terms it was sent with.

        Raises
        ------
        ConfigError : no such setting, not allowed, or nothing that can change in a running session.
        """
        new = self.read({**self.values, name: value})
        if name in self.structural():
            raise ConfigError(
                f"{self.name}: {name} is structural: it decides which setups exist, and those that "
                f"form now were begun with {name}={self.values[name]}; end the session and start "
                f"it with --set {name}={value}"
            )
        if self.flat_rules(new) != self.flat_rules(self.values):
            raise ConfigError(
                f"{self.name}: {name} is a flat time: bars and orders carry it already; end the "
                f"session and start it with --set {name}={value}"
            )
        self.check(new, self.instrument)
        old = self.values[name]
        self.values[name] = new[name]
        self.take_settings()
        return old, new[name]

    def prenext(self) -> None:
        """Trade from the first bar on: a further series may start late or be absent."""
        self.next()

    def next(self) -> None:
        """Manage what is at work, then offer the bar's setups."""
        count = len(self.data0)
        if count == self._seen:
            self.machine.collect_further()
            return
        self._seen = count
        index = count - 1
        if self._bracket is None and not self.machine.has_setups(index):
            return
        bar = self.machine.bar(index)
        facts = self.machine.facts(index)
        self._settle()
        if self._bracket is not None:
            if self._bracket.is_filled:
                self._move_stop(bar, facts)
            else:
                self._reconsider(index, bar, facts)
        for setup in self.machine.setups_at(index):
            self._offer(setup, index, bar, facts)

    # -- when it sleeps (docs/entry-masks.md) -----------------------------------------------

    def entry_mask(self) -> Any | None:
        """Return the bars on which the machine emits setups; None in next mode, bar by bar.

        Without a setup, a position and an entry at work there is nothing to manage.
        """
        return self.machine.emits()

    def position_mask(self) -> Any | None:
        """Return the same bars: a setup met in a position is logged as refused."""
        return self.machine.emits()

    @property
    def idle_in_position(self) -> bool:
        """Whether an open position needs nothing at each close: its stop does not move."""
        bracket = self._bracket
        if bracket is None:
            return True
        return bracket.is_filled and bracket.plan.stop_rule.kind is StopRuleKind.FIXED

    # -- orders and trades ------------------------------------------------------------------

    def notify_order(self, order: Any) -> None:
        """Follow the entry of the setup at work; note the day of the bar each fill lies in."""
        if order.status in _EXECUTED:
            self._day_filled = self._reader.day_of(float(order.executed.dt))
        bracket = self._bracket
        if bracket is None or bracket.entry is None or order.ref != bracket.entry.ref:
            return
        if order.executed.size and not bracket.is_filled:
            bracket.row.filled = True
            self._entries_today.add(self._day_filled)
        if order.executed.size:
            bracket.entry_price = float(order.executed.price)
        elif not order.alive():
            self._note_end(order, bracket)
            self._bracket = None

    def notify_trade(self, trade: Any) -> None:
        """Count losing trades in a row by the day they close.

        That is the day of the fill told just before: `trade.dtclose` is the last bar delivered,
        which in a live session ended before the fill.
        """
        if trade.isclosed:
            if trade.pnlcomm < 0.0:
                self._losses_in_row.add(self._day_filled)
            else:
                self._losses_in_row.set(self._day_filled, 0)

    def rolled(self, entry: Any, stop: Any, targets: list[Any], difference: float) -> None:
        """Go on with a position that was carried into the next contract.

        Parameters
        ----------
        entry, stop, targets : the orders it has there. difference : by which prices are higher.
        """
        bracket = self._bracket
        if bracket is not None:
            bracket.carry(entry, stop, targets, difference)

    # -- results ----------------------------------------------------------------------------

    @property
    def funnel(self) -> dict[str, Any]:
        """Counts from bars to fills, with drops by reason (see `funnel.count_steps`)."""
        steps, drops = self.count_machine(self.machine.machine.funnel())
        return count_steps(steps, drops, self.setups_log)

    # -- inside -----------------------------------------------------------------------------

    def _find_instrument(self) -> Instrument:
        if self.p.instrument is not None:
            return self.p.instrument  # type: ignore[no-any-return]
        symbol = getattr(self.data0, "symbol", None) or getattr(self.data0, "_name", "")
        if not symbol:
            raise ConfigError(
                f"{self.name}: the first data has no symbol; name it (name='MGC') or pass "
                "instrument=get_instrument('MGC')"
            )
        return get_instrument(str(symbol))

    def _reader_of(self, data: Any) -> BarReader:
        # A run's feeds bring the calendar that knows the user's own dates.
        calendar = getattr(self.data0, "tola_calendar", None)
        calendar = calendar or get_calendar(self.instrument.calendar)
        return BarReader(data, calendar, self.flat_rules(self.values))

    def _find_further(self) -> tuple[tuple[Any, BarReader], ...]:
        """Return the further series among the datas, found by name."""
        found = []
        for data in self.datas[1:]:
            names = {getattr(data, "symbol", None), getattr(data, "_name", None)}
            if names & set(self.further):
                found.append((data, self._reader_of(data)))
        return tuple(found[:1])

    def _fresh_machine(self) -> Machine:
        return self.build_machine(self.values, self._terms.tick_of(0))

    def _settle(self) -> None:
        """Forget a setup whose position has been left."""
        bracket = self._bracket
        if bracket is not None and bracket.is_filled and not self.position.size:
            if bracket.entry.alive():
                self.cancel(bracket.entry)
            self._bracket = None
            self._leaving = False

    def _note_end(self, order: Any, bracket: Bracket) -> None:
        """Log why an entry ended unfilled without our asking."""
        refused = order.info.get("refused")
        if refused:
            bracket.row.taken = False
            bracket.row.reason = str(getattr(refused, "rule", refused))
        elif not bracket.row.cancel:
            told = order.info.get("reason")
            if told in (None, "", "entry"):  # what it was sent as is no reason
                told = "cancelled" if order.status == bt.Order.Canceled else None
            bracket.row.cancel = str(told or order.getstatusname().lower())

    def _reconsider(self, index: int, bar: Any, facts: Any) -> None:
        """Withdraw a working entry whose reason is gone."""
        bracket = self._bracket
        assert bracket is not None
        code = withdrawal(
            bar,
            bracket.direction,
            bracket.target,
            bracket.sweep_extreme,
            index - bracket.sent_at,
            bracket.order_bars,
            int(facts.choch) if self._handling.watches_choch else 0,
            self._handling.hours.cancel(bar, bracket.pattern),
        )
        if code != KEEP:
            bracket.row.cancel = CANCELS[code]
            self.cancel(bracket.entry)
            self._bracket = None

    def _move_stop(self, bar: Any, facts: Any) -> None:
        """Apply the stop rule of the open position at this close."""
        bracket = self._bracket
        assert bracket is not None
        rule = bracket.plan.stop_rule
        if rule.kind is StopRuleKind.FIXED or not bracket.stop.alive():
            return
        now = float(bracket.stop.created.price)
        price = moved_stop(
            rule,
            bracket.direction,
            bracket.entry_price,
            bracket.risk,
            now,
            bar,
            facts,
            self._terms.facts(bar).tick,
        )
        if price != now:
            self.broker.modify(bracket.stop, price=price)

    def _offer(self, setup: Any, index: int, bar: Any, facts: Any) -> None:
        """Take a setup, or log why not."""
        target = self._terms.target(setup, bar)
        row = SetupRow(
            bar=int(bar.start),
            side="long" if setup.direction > 0 else "short",
            kind=KIND_NAMES[int(setup.kind)],
            entry=float(setup.entry),
            stop=float(setup.stop),
            target=target,
            pattern=PATTERNS[int(setup.pattern)],
        )
        self.setups_log.append(row)
        code = self._refuse(setup, index, bar, facts)
        quantity = 0.0
        if code == TAKEN:
            equity, free = float(self.broker.getvalue()), float(self.broker.getcash())
            quantity = self._terms.quantity(setup, bar, equity, free)
            if not quantity > 0.0:
                code = SIZE_ZERO
                self.size_zero_cash.append(self._terms.cash_needed(setup, bar))
        if code == TAKEN:
            self._send(setup, row, target, quantity, index, bar)
        else:
            row.reason = REFUSALS[code]

    def _refuse(self, setup: Any, index: int, bar: Any, facts: Any) -> int:
        if index < self.values["warmup"] or is_catching_up(self.data0):
            return WARMUP
        if self._closes_opposite(setup):
            return OPPOSITE_CLOSE
        day = int(bar.day)
        blocked = facts.blocked_long if setup.direction > 0 else facts.blocked_short
        code: int = refusal(
            self._bracket is not None or bool(self.position.size),
            bool(getattr(self.broker, "locked", False)),
            self._entries_today.of(day),
            self.values["max_trades_day"],
            self._losses_in_row.of(day),
            self.values["max_losses_row"],
            self._handling.hours.refusal(bar, int(setup.pattern)),
            bool(facts.special),
            int(blocked) & self._handling.filters,
        )
        limit = self.values["max_spread_risk"]
        if code == TAKEN and limit > 0.0 and bar.spread > limit * setup.risk:
            return SPREAD
        return code

    def _closes_opposite(self, setup: Any) -> bool:
        """Leave on a setup against the position where the strategy says so."""
        is_against = self.position.size * setup.direction < 0
        if not (self._handling.closes_opposite and is_against) or self._leaving:
            return False
        self._leave("opposite")
        return True

    def _leave(self, reason: str) -> None:
        """Close the position at the next open and withdraw its children."""
        bracket = self._bracket
        if bracket is None or self._leaving:
            return
        self._leaving = True
        for child in bracket.children:
            if child is not None and child.alive():
                self.cancel(child)
        self.close(data=self.data0, reason=reason)

    def _send(
        self, setup: Any, row: SetupRow, target: float, quantity: float, index: int, bar: Any
    ) -> None:
        """Send the bracket of a setup; a refusal of the guard is logged at once."""
        bracket = Bracket(
            row=row,
            direction=int(setup.direction),
            pattern=int(setup.pattern),
            plan=self._terms.exit_plan(setup, target, quantity, bar, self._handling.day_orders),
            quantity=quantity,
            risk=float(setup.risk),
            target=target,
            sweep_extreme=float(setup.sweep_extreme),
            sent_at=index,
            order_bars=0 if setup.kind == MARKET_SETUP else self._handling.order_bars,
            stop_price=float(setup.stop),
            day_only=self._handling.day_orders,
            flat_reason=self.flat_reason,
        )
        row.taken = True
        self._bracket = bracket
        bracket.send(self, setup, self._terms.facts(bar).lot)
        if bracket.entry.status == bt.Order.Rejected:
            self._note_end(bracket.entry, bracket)
            self._bracket = None
