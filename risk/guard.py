"""The guard: the one door between a strategy and a broker, in backtest, paper and live alike.

`cerebro.setbroker(Guard(inner, settings))` puts it in front of any broker that takes approved
orders; a strategy written by anyone is guarded without a change. Whatever is not named here is
the inner broker's: attributes read and written, cash, value, positions.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Sequence
from typing import Any

import numpy as np

from core.bars import NEVER_NS
from core.errors import ConfigError
from core.orders import Approved, Fill, OrderChange, OrderRequest
from core.ports import BREACH_TRAIL, is_catching_up, no_limits
from risk.changes import judge_change, judge_entry, tightened_stops
from risk.context import FOREVER, GuardContext, Lock
from risk.events import GuardEvent
from risk.floors import write_floors
from risk.groups import Group, build_request, has_wrong_stop, is_day_order, pending_exits
from risk.lean_orders import make_order, noted
from risk.moment import bar_of, symbol_of
from risk.presets import get_preset
from risk.rules import Act, Headroom, Refusal, Rule, build_rules, in_order
from risk.settings import RiskSettings
from risk.tightening import Tightening

logger = logging.getLogger(__name__)

_MISSED = Refusal("warmup", 0.0, 0.0, "history: a missed entry is not chased")
_LOSS_RULES = ("daily_loss", "trailing_drawdown")
_FORWARDED = ("getcash", "getvalue", "getposition", "getcommissioninfo")
"""Methods asked on every bar: bound once a run, so that the proxy costs nothing there."""


class Guard:
    """Check every order against the rules, hand approved groups to the inner broker, watch limits.

    Parameters
    ----------
    inner : GuardedBroker
        Our backtest, paper or venue broker, or `backtests.fills.stock.StockBroker`.
    *sources : RiskSettings or str
        Limits, or names of presets. With several the strictest of each holds. None: no order is
        ever limited, and `describe()` says so.

    Attributes
    ----------
    refused : Counter
        Rule name -> refused order groups and changes of this run.
    wrong_stops : Counter
        plan_id -> entries that were sent on with a stop on the wrong side: no rule forbade it.
    asked : tuple
        What was asked for last (sent, cancelled or changed) and the order.
    events : list of GuardEvent
        Refusals, breaches, locks, unlocks, flattenings, oldest first.
    limits : ndarray of LIMITS, shape (1,)
        What the matching engine tests inside a bar; written here, in place.

    Notes
    -----
    An order group (a parent and its children) is held until its last order transmits, then
    judged whole. A refusal is a real Rejected order: `order.info.refused` is a `Refusal` with
    rule, limit and value; the children of a refused parent are refused with it. Orders that only
    reduce a position always pass; of two market exits only what the position still holds counts
    as reducing. A protecting stop moves only to less risk. A breach cancels, flattens and locks
    until the next trading day (daily limits) or for good (trailing drawdown). On a bar that its
    feed calls `catching_up` no entry is taken, whatever the rules.
    """

    inner: Any
    rules: list[Rule]
    context: GuardContext
    limits: np.ndarray[Any, Any]
    refused: Counter[str]
    wrong_stops: Counter[str]
    events: list[GuardEvent]
    _sources: tuple[RiskSettings, ...]
    _tightened: list[Tightening]
    _timed: list[Rule]
    _held: dict[int, Group]
    _waiting: list[Group]
    _notifications: deque[Any]
    _blocked_end: int
    _quiet_until: dict[str, int]
    asked: tuple[str, Any]
    _blocks: dict[tuple[str, str], str]

    def __init__(self, inner: Any, *sources: RiskSettings | str) -> None:
        if not hasattr(inner, "submit_approved"):
            raise ConfigError(
                f"{type(inner).__name__} takes unapproved orders: wrap a stock broker as "
                "backtests.fills.stock.StockBroker, or use backtests.fills.broker.BacktestBroker"
            )
        own = self.__dict__  # plain attribute writes of unknown names go to the inner broker
        own["inner"] = inner
        self._sources = tuple(
            get_preset(source) if isinstance(source, str) else source for source in sources
        )
        self._tightened = []
        self._use(build_rules(self._sources))
        self.limits = no_limits()
        self.context = GuardContext(inner)
        self._blocks = {}
        self._reset()
        inner.supervise(self)

    # -- the proxy ---------------------------------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "inner" not in self.__dict__:
            raise AttributeError(name)  # else unpickling in a worker would recurse
        return getattr(self.__dict__["inner"], name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN:
            self.__dict__[name] = value
        else:
            setattr(self.inner, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in _FORWARDED}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _reset(self) -> None:
        self.refused = Counter()
        self.wrong_stops = Counter()
        self.events = []
        self._held = {}
        self._waiting = []
        self._notifications = deque()
        self._blocked_end = 0
        self._quiet_until = {}
        self.asked = ("", None)

    def start(self) -> None:
        """Start the inner broker and forget the last run."""
        self.inner.start()
        self._reset()
        for name in _FORWARDED:
            self.__dict__[name] = getattr(self.inner, name)
        self.context.start(self.context.equity)
        self._loosen(self._tightened)
        for rule in self.rules:
            rule.start(self.context)
        self.limits[:] = no_limits()
        write_floors(self.limits, self.rules, self.context)
        for line in self.describe():
            logger.info("guard rule=%s", line)

    def next(self) -> None:
        """Let the inner broker match the bar; then release what waited for another plan."""
        self.inner.next()
        if self._waiting:
            self._release_waiting()

    def get_notification(self) -> Any | None:
        """Return the next order notification: our refusals first, then the inner broker's."""
        if self._notifications:
            return self._notifications.popleft()
        return self.inner.get_notification()

    # -- what a user reads -------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether no rule is in force."""
        return not self.rules

    @property
    def locked(self) -> bool:
        """Whether a loss limit was met, so that no entry is taken until its reset."""
        return any(rule in _LOSS_RULES for rule, _ in self.context.locks)

    def describe(self) -> list[str]:
        """Return the rules in force, one line each."""
        if not self.rules:
            return ["no risk rules: orders are not limited"]
        return [rule.describe() for rule in self.rules]

    def headroom(self) -> list[Headroom]:
        """Return how much of each limit is used now."""
        used = [rule.headroom(self.context) for rule in self.rules]
        return [item for item in used if item is not None]

    def block(self, rule: str, detail: str, plan: str = "") -> None:
        """Refuse every entry (of one plan, or all) from now on; what reduces risk goes on."""
        self._blocks[rule, plan] = detail

    def unblock(self, rule: str, plan: str = "") -> None:
        """Take back a `block`."""
        self._blocks.pop((rule, plan), None)

    @property
    def blocks(self) -> dict[str, str]:
        """What refuses every entry of the account now: rule -> why."""
        return self.blocks_of("")

    def blocks_of(self, plan: str) -> dict[str, str]:
        """Return what refuses every entry of one plan alone: rule -> why."""
        return {rule: why for (rule, whose), why in self._blocks.items() if whose == plan}

    # -- stricter by hand --------------------------------------------------------------------

    @property
    def sources(self) -> tuple[RiskSettings, ...]:
        """The limits in force: those it was made with, then those added by hand."""
        return (*self._sources, *(item.settings for item in self._tightened))

    @property
    def tightenings(self) -> tuple[Tightening, ...]:
        """What was added by hand and holds until the next trading day."""
        return tuple(self._tightened)

    def tighten(self, settings: RiskSettings, until_day: int | None = None) -> None:
        """Hold a further source of limits beside those in force; the strictest of each holds.

        It ends with the trading day (or where `until_day` begins). Rules keep what they know; a
        new one goes on from it. A limit that is used up already locks at once; a floor above
        equity is met at the next price.
        """
        context = self.context
        for rule in self.rules:  # the engine has written peaks that they must not forget
            rule.before_day(self.limits, context)
        fresh = build_rules([settings])
        for rule in fresh:
            rule.start(context)
            for known in self.rules:
                rule.go_on_from(known)
        if until_day is None and context.day >= 0:
            until_day = context.day + 1
        self._tightened = [*self._tightened, Tightening(settings, fresh, until_day)]
        self._use([*self.rules, *fresh])
        write_floors(self.limits, self.rules, context)
        for rule in fresh:
            self._note(rule.name, "tightened")
            used_up = rule.used_up(context)
            if used_up is not None:
                self._lock(used_up, context.day + 1, rule.plan)

    def _loosen(self, ended: Sequence[Tightening]) -> None:
        """Let what was added by hand end."""
        gone = {id(rule) for item in ended for rule in item.rules}
        if gone:
            self._tightened = [item for item in self._tightened if item not in ended]
            self._use([rule for rule in self.rules if id(rule) not in gone])

    def _loosen_for(self, day: int) -> None:
        """Let end what held until this trading day."""
        ended = [item for item in self._tightened if (item.until_day or day + 1) <= day]
        for item in self._tightened:
            item.until_day = day + 1 if item.until_day is None else item.until_day
        for rule in [rule for item in ended for rule in item.rules]:
            self._note(rule.name, "loosened")
        self._loosen(ended)

    def _use(self, rules: list[Rule]) -> None:
        self.rules = in_order(rules)
        self._timed = [rule for rule in self.rules if rule.is_timed]

    # -- orders ------------------------------------------------------------------------------

    def buy(self, owner: Any, data: Any, size: float, **given: Any) -> Any:
        """Take a buy order as Backtrader's brokers do; always returns an order."""
        return self._take(True, owner, data, size, **given)

    def sell(self, owner: Any, data: Any, size: float, **given: Any) -> Any:
        """Take a sell order as Backtrader's brokers do; always returns an order."""
        return self._take(False, owner, data, size, **given)

    def cancel(self, order: Any) -> bool:
        """Cancel an order; one still held or waiting is dropped with its whole group."""
        self.asked = ("cancelled", order)
        for group in (*self._held.values(), *self._waiting):
            if any(item is order or item.ref == order.ref for item in group.orders):
                self._drop(group)
                return True
        return bool(self.inner.cancel(order))

    def modify(
        self,
        order: Any,
        price: float | None = None,
        size: float | None = None,
        limit_price: float | None = None,
    ) -> bool:
        """Change a working order; return False (and count the refusal) if the rules forbid it.

        A protecting stop may only move to less risk. An entry is judged again as changed.
        """
        self.asked = ("changed", order)
        change = OrderChange(int(order.ref), price, limit_price, size)
        refusal = judge_change(order, change, self.rules, self.context)
        if refusal is not None:
            self._note_refusal(refusal, order)
            return False
        self.inner.modify_approved(Approved(change), order)
        return True

    def _take(
        self,
        is_buy: bool,
        owner: Any,
        data: Any,
        size: float,
        price: float | None = None,
        plimit: float | None = None,
        exectype: int | None = None,
        valid: Any = None,
        tradeid: int = 0,
        oco: Any = None,
        trailamount: float | None = None,
        trailpercent: float | None = None,
        parent: Any = None,
        transmit: bool = True,
        histnotify: bool = False,
        _checksubmit: bool = True,
        **keywords: Any,
    ) -> Any:
        order = make_order(
            is_buy,
            owner,
            data,
            size,
            price,
            plimit,
            exectype,
            valid,
            tradeid,
            oco,
            trailamount,
            trailpercent,
            parent,
            transmit,
            histnotify,
        )
        if keywords:
            order.addinfo(**keywords)
        if valid is not None and is_day_order(valid):
            order.addinfo(valid_day=True)
        self.asked = ("sent", order)
        return self._group(order)

    def _group(self, order: Any) -> Any:
        """Put an order into its group; send the group when this order transmits it."""
        parent = order.parent
        if parent is not None and noted(parent, "refused"):
            self._reject(order, Refusal("parent_refused", 0.0, 0.0, "its parent was refused"))
            return order
        key = order.ref if parent is None else parent.ref
        group = self._held.pop(key, None) or Group()
        group.orders.append(order)
        if order.transmit:
            self._send(group)
        else:
            self._held[key] = group
        return order

    def _send(self, group: Group) -> None:
        """Judge a complete group; approve it, refuse it, or let it wait."""
        parent = group.parent
        plan_id = self.inner.plan_of(parent.data)
        barred = self._barred(parent.data, plan_id)
        if not self.rules and barred is None:
            request = build_request(group, plan_id, reduces=False)
            self._count_wrong_stop(request, parent)
            self.inner.submit_approved(Approved(request), group.orders)
            return
        context = self.context
        context.add_data(parent.data)
        context.bar = bar_of(parent.data)
        context.now = int(context.bar.end)
        request = build_request(group, plan_id, reduces=self._reduces(parent))
        group.request = request
        refusal, rule = None if request.reduces else barred, None
        if refusal is None and not request.reduces:
            refusal, rule = judge_entry(request, self.rules, context)
        if refusal is None:
            self._approve(group, request)
        elif rule is not None and rule.waits:
            self._waiting.append(group)
        else:
            self._refuse(group, refusal)

    def _barred(self, data: Any, plan_id: str) -> Refusal | None:
        """Return why no entry at all is taken now, None if it is for the rules to say."""
        if is_catching_up(data):
            return _MISSED
        for (rule, plan), detail in self._blocks.items():
            if plan in ("", plan_id):
                return Refusal(rule, 0.0, 0.0, detail)
        return None

    def _refuse(self, group: Group, refusal: Refusal) -> None:
        self._note_refusal(refusal, group.parent)
        for order in group.orders:
            self._reject(order, refusal)

    def _approve(self, group: Group, request: OrderRequest) -> None:
        for rule in self.rules:
            rule.on_sent(len(group.orders), self.context)
        self._count_wrong_stop(request, group.parent)
        self.context.live_groups().append(group)
        self.inner.submit_approved(Approved(request), group.orders)

    def _count_wrong_stop(self, request: OrderRequest, parent: Any) -> None:
        if has_wrong_stop(request, float(parent.created.pclose)):
            self.wrong_stops[request.plan_id] += 1

    def _reduces(self, order: Any) -> bool:
        """Whether an order shrinks its plan's position without turning it round."""
        position = float(self.inner.getposition(order.data).size)
        if position * order.size >= 0:
            return False
        left = abs(position) - pending_exits(self.context.live_groups(), order.data)
        return bool(abs(order.size) <= left + 1e-9)

    def _reject(self, order: Any, refusal: Refusal) -> None:
        order.addinfo(refused=refusal)
        order.addcomminfo(self.inner.getcommissioninfo(order.data))
        order.reject()
        self._notifications.append(order.clone())

    def _drop(self, group: Group) -> None:
        self._held.pop(int(group.parent.ref), None)
        if group in self._waiting:
            self._waiting.remove(group)
        for order in group.orders:
            order.addcomminfo(self.inner.getcommissioninfo(order.data))
            order.cancel()
            self._notifications.append(order.clone())

    def _release_waiting(self) -> None:
        """Judge the groups again that waited for another plan to be flat."""
        waiting, self._waiting = self._waiting, []
        for group in waiting:
            expires = group.request.expires if group.request is not None else None
            if expires is not None and expires <= self.context.now:
                self._drop(group)
            else:
                self._send(group)

    def standing(self, strategy: Any) -> int:
        """Return what a strategy has at work; 2 (orders) as long as a notification is due."""
        if self._notifications or self._waiting or self._held:
            return 2
        return int(self.inner.standing(strategy))

    # -- the supervisor (called by the inner broker) -----------------------------------------

    def on_bar_start(self, symbol: str, bar: np.record) -> None:
        """Act on time: block entries, tighten stops or flatten in the bar that begins."""
        if not self._timed:
            return
        if 0 < self._blocked_end < bar.end:  # what blocked an earlier moment says nothing of this
            self._blocked_end = 0
            self._write_locked()
        if bar.end <= self._quiet_until.get(symbol, 0):
            return
        self.context.now = int(bar.start)
        acts = [(rule.at_bar(symbol, bar, self.context), rule) for rule in self._timed]
        act, rule = max(acts, key=lambda pair: pair[0])
        if act is not Act.NONE:
            self._blocked_end = int(bar.end)
            self._write_locked()
        else:
            quiet = min(item.quiet_until(symbol, bar) for item in self._timed)
            self._quiet_until[symbol] = quiet
        if act is Act.FLATTEN and self._is_exposed():
            self._note(rule.name, "flatten", symbol=symbol)
            self.inner.flatten(rule.exit_reason)
        elif act is Act.TIGHTEN:
            for order, change in tightened_stops(symbol, bar, self.context):
                self._note(rule.name, "tighten", value=change.price or 0.0, symbol=symbol)
                self.inner.modify_approved(Approved(change), order)

    def quiet_until(self, symbol: str) -> int:
        """Return the time (ns) up to which a symbol's bars, by their END, need not be told of."""
        if self._waiting or self._blocked_end:
            return 0
        return self._quiet_until.get(symbol, 0) if self._timed else NEVER_NS

    def on_day(self, day: int, equity: float, balance: float) -> None:
        """Begin a trading day: lift the locks that end with it, set the new floors."""
        context = self.context
        self.limits[0].low_equity = equity
        for rule in self.rules:
            rule.before_day(self.limits, context)
        for lock in context.begin_day(day, equity, balance):
            self._note(lock.rule, "unlocked", lock.limit, lock.value)
        self._loosen_for(day)
        for rule in self.rules:
            rule.on_day(context)
        write_floors(self.limits, self.rules, context)
        self._write_locked()

    def on_fill(self, fill: Fill, equity: float) -> None:
        """Count a fill; a rule whose limit it uses up locks the rest of the day."""
        if not self.rules:
            return
        context = self.context
        context.now = fill.ts_event
        context.book(fill)
        for rule in self.rules:
            used_up = rule.on_fill(fill, context)
            if used_up is not None and rule.plan in ("", fill.plan_id):
                self._lock(used_up, context.day + 1, rule.plan)

    def on_breach(self, ts_event: int) -> None:
        """Lock after the engine met a floor, cancelled and flattened."""
        context = self.context
        context.now = ts_event
        floors = self.limits[0]
        is_trail = int(floors.breach) == BREACH_TRAIL
        name = "trailing_drawdown" if is_trail else "daily_loss"
        limit = float(floors.trail_floor if is_trail else floors.day_floor)
        self._note(name, "breach", limit, float(floors.breach_equity))
        refusal = Refusal(name, limit, float(floors.breach_equity), "equity at the floor")
        self._lock(refusal, FOREVER if is_trail else context.day + 1)
        floors.breach = 0
        write_floors(self.limits, self.rules, context)

    def _lock(self, refusal: Refusal, until_day: int, plan: str = "") -> None:
        if (refusal.rule, plan) in self.context.locks:
            return
        lock = Lock(refusal.rule, refusal.limit, refusal.value, until_day, plan)
        self.context.locks[lock.rule, plan] = lock
        self._note(lock.rule, "locked", lock.limit, lock.value)
        self._write_locked()

    def rewrite_locked(self) -> None:
        """Tell the engine again whether entries are locked: the locks were set from outside."""
        self._write_locked()

    def _write_locked(self) -> None:
        whole = any(not plan for _, plan in self.context.locks)
        self.limits[0].locked = whole or self._blocked_end > 0

    def _is_exposed(self) -> bool:
        context = self.context
        if context.live_groups():
            return True
        return any(context.position(symbol) for symbol in list(context.datas))

    # -- the log -----------------------------------------------------------------------------

    def _note_refusal(self, refusal: Refusal, order: Any) -> None:
        self.refused[refusal.rule] += 1
        self.events.append(
            GuardEvent(
                self.context.now,
                refusal.rule,
                "refused",
                refusal.limit,
                refusal.value,
                symbol_of(order.data),
                int(order.ref),
                refusal.detail,
                self.inner.plan_of(order.data),
                "buy" if order.isbuy() else "sell",
                order.getordername(),
                abs(float(order.created.size)),
                order.created.price,
                self.context.day,
            )
        )

    def _note(
        self,
        rule: str,
        action: str,
        limit: float = 0.0,
        value: float = 0.0,
        *,
        symbol: str = "",
    ) -> None:
        self.events.append(
            GuardEvent(self.context.now, rule, action, limit, value, symbol, day=self.context.day)
        )


_OWN = frozenset(Guard.__annotations__)
