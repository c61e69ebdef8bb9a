"""`backtest --check-mask`: does a strategy keep what its entry mask promises?

The account is run twice: with every bar played, watching what `next` does where the strategy
says it sleeps; and with the bars skipped. The first bar on which it does something, or else the
first order or trade in which the runs differ, is named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import zip_longest
from typing import Any

from backtests.fills.stock_records import order_words
from backtests.loop.cerebro import Cerebro
from core.errors import StrategyError
from core.results import iso_time
from core.wording import plural
from risk.moment import bar_of

_OWN_COLUMNS = ("order_id", "parent_id")
"""Numbers that go on counting from run to run."""


class NextWatch:
    """Calls `next` of a strategy that should sleep and stops the run where it does something."""

    def __init__(self, cerebro: Any, guard: Any) -> None:
        self._cerebro = cerebro
        self._guard = guard
        self.found = ""

    def __call__(self, strategy: Any, step: int) -> None:
        """Play a bar the strategy says it sleeps on.

        Raises
        ------
        StrategyError : it asked for something.
        """
        before = self._guard.asked
        _called(strategy)()
        asked = self._guard.asked
        if asked is before:
            return
        what, order = asked
        when = iso_time(int(bar_of(strategy.data0).start))
        count = len(strategy.data0)
        raise StrategyError(
            f"{type(strategy).__name__}.entry_mask is false at the bar of {when} (bar {count}), "
            f"but next {what} {order_words(order.parent or order)} there; the mask must be true "
            "on every bar on which next may act"
        )


def _called(strategy: Any) -> Callable[[], None]:
    """Return the method Backtrader calls on the present bar."""
    status = strategy._minperstatus
    if status < 0:
        return strategy.next  # type: ignore[no-any-return]
    return strategy.nextstart if status == 0 else strategy.prenext  # type: ignore[no-any-return]


def check_masks(run: Callable[[Callable[[Any, Any], None]], Any]) -> list[str]:
    """Run an account twice and compare.

    Parameters
    ----------
    run : callable(prepare) -> AccountRun
        Makes the run; calls `prepare(cerebro, guard)` before it begins.

    Returns
    -------
    list of str : what to tell, one line a strategy.

    Raises
    ------
    StrategyError : a strategy acts on a bar its mask says it sleeps on, or the runs differ.
    """

    def watch(cerebro: Cerebro, guard: Any) -> None:
        cerebro.watch = NextWatch(cerebro, guard)

    masked: list[Cerebro] = []
    whole = run(watch)
    skipping = run(lambda cerebro, guard: masked.append(cerebro))
    _compare(_orders(whole), _orders(skipping), "order")
    _compare(_trades(whole), _trades(skipping), "trade")
    for one, other in zip(whole.plans, skipping.plans, strict=True):
        _compare(_setups(one), _setups(other), "setup")
    counted = (
        f"{plural(len(whole.broker.orders_log), 'order state')}, "
        f"{plural(len(whole.broker.ledger.trades), 'trade')}"
    )
    if masked[0].no_skipping:
        return [f"entry mask: not used, every bar is played ({masked[0].no_skipping})"]
    return [f"entry mask: kept; with and without it the same {counted}"]


def _compare(whole: Iterable[Any], skipping: Iterable[Any], name: str) -> None:
    for one, other in zip_longest(whole, skipping):
        if one != other:
            time, _ = one if one is not None else other
            raise StrategyError(
                f"with the entry mask the runs part at {iso_time(time)}: {name} "
                f"{_words(one)} with every bar played, {_words(other)} with bars skipped; next "
                "changes something on a bar the mask calls idle"
            )


def _words(item: Any) -> str:
    return "none" if item is None else str(item[1])


def _orders(run: Any) -> list[tuple[int, Any]]:
    rows = []
    for row in run.broker.orders_log:
        kept = {key: value for key, value in row.items() if key not in _OWN_COLUMNS}
        text = f"{kept['side']} {kept['kind']} {kept['quantity']:g} {kept['state']}"
        rows.append((int(kept["time"]), _Row(text, tuple(kept.items()))))
    return rows


def _trades(run: Any) -> list[tuple[int, Any]]:
    trades = run.broker.ledger.trades
    return [
        (item.exit_time, _Row(f"{item.side} {item.quantity:g} {item.pnl:g}", item.row()))
        for item in trades
    ]


def _setups(plan: Any) -> list[tuple[int, Any]]:
    log = getattr(plan.strategy, "setups_log", [])
    return [(item.bar, _Row(f"{item.side} {item.reason or 'taken'}", item)) for item in log]


class _Row:
    """A record with the words it is told by."""

    def __init__(self, text: str, record: Any) -> None:
        self._text = text
        self._record = record

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Row) and self._record == other._record

    __hash__ = None  # type: ignore[assignment]

    def __str__(self) -> str:
        return self._text
