"""From a bar's close to orders, from a fill to its stop and to `notify_order`.

python -m live.bench.orders '{"rounds": 100}'
"""

from __future__ import annotations

import gc
import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import backtrader as bt

from brokers.port import Brackets, VenueOrder
from core.events import Event, OrderStatus, Verb
from core.orders import Role, Side
from live.bench.job import Disk, scratch, serve, spread
from live.bench.scene import Scene
from live.bench.strategies import Looker

PLANS = 8


class Sender(Looker):
    """Sends a bracket at every close at which it has nothing at work; notes its fills."""

    params: Any = (("reach", 10.0),)

    def __init__(self) -> None:
        super().__init__()
        self.filled_at = 0.0
        self.order: Any = None

    def prenext(self) -> None:
        """Send while indicators still warm up."""
        self._send()

    def next(self) -> None:
        """Look, and send."""
        super().next()
        self._send()

    def _send(self) -> None:
        if self.position or (self.order is not None and self.order.alive()):
            return
        close, reach = self.data.close[0], self.p.reach
        self.order = self.buy_bracket(
            size=1.0, exectype=bt.Order.Market, stopprice=close - reach, limitprice=close + reach,
            oargs={"planned_entry": close, "planned_stop": close - reach},
        )[0]  # fmt: skip

    def notify_order(self, order: Any) -> None:
        """Note when the entry's fill was told."""
        if order.status == order.Completed and order.parent is None:
            self.filled_at = time.perf_counter()


def measure(rounds: int = 100) -> dict[str, Any]:
    """Measure both: brackets kept by the venue, and kept by us."""
    told: dict[str, Any] = {}
    with scratch() as folder:
        _Closes(folder / "warm").run(3)
        disk = Disk(folder)
        closes = _Closes(folder / "closes").run(rounds, disk)
        native = _Fills(folder / "native", Brackets.CHILD_ORDERS).run(rounds // 4 + 1, disk)
        kept = _Fills(folder / "kept", Brackets.NONE).run(rounds // 4 + 1, disk)
        disk.close()
    told["bar_close_to_order"] = spread(closes.taken)
    told["bar_close_to_first_order"] = spread(closes.firsts)
    told["bar_close_to_last_order"] = spread(closes.lasts)
    told["journal_of_close"] = spread(closes.journal)
    told["fill_to_stop"] = spread(kept.stops)
    told["journal_of_fill"] = spread(kept.journal)
    told["fill_to_notify_kept"] = spread(kept.notices)
    told["fill_to_notify"] = spread(native.notices)
    told["disk"] = spread(disk.taken)
    return told


class _Play:
    """A venue's part in a scene of eight instruments."""

    def __init__(self, folder: Path, brackets: Brackets) -> None:
        folder.mkdir(parents=True)
        self.scene = Scene([Sender] * PLANS, folder, brackets=brackets)
        self.journal: list[float] = []
        self._in_journal = 0.0
        self._chance = random.Random(7)
        self._watch("intend")
        self._watch("intend_all")
        self._watch("try_intend")

    def _watch(self, name: str) -> None:
        """Add up what the journal takes before an order may leave."""
        inner: Callable[..., Any] | None = getattr(self.scene.journal, name, None)
        if inner is None:
            return

        def timed(*given: Any) -> Any:
            began = time.perf_counter()
            try:
                return inner(*given)
            finally:
                self._in_journal += time.perf_counter() - began

        setattr(self.scene.journal, name, timed)

    def _taken_by_journal(self) -> float:
        taken, self._in_journal = self._in_journal, 0.0
        return taken

    def _let_bars_form(self, number: int) -> None:
        """Tell one price of each instrument, then let the market's time go on to the close."""
        scene = self.scene
        scene.now += 1_000_000_000
        price = 2400.0 + number % 5
        scene.tell(*(scene.tick(symbol, price) for symbol in scene.symbols))
        scene.settle()
        scene.next_bar()
        time.sleep(self._chance.uniform(0.005, 0.03))

    def _close_bars(self) -> tuple[float, list[tuple[float, VenueOrder]]]:
        """End the bars of all instruments; return when, and the orders handed over."""
        scene = self.scene
        scene.venue.expect(PLANS)
        self._taken_by_journal()
        began = scene.tell(scene.clock())
        handed = scene.venue.wait()
        scene.settle()
        return began, handed


class _Closes(_Play):
    """Eight bars end at once; each strategy sends a bracket; the venue rejects them all."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, Brackets.CHILD_ORDERS)
        self.taken: list[float] = []
        self.firsts: list[float] = []
        self.lasts: list[float] = []

    def run(self, rounds: int, disk: Disk | None = None) -> _Closes:
        """Play."""

        def venue() -> None:
            gc.collect()
            for number in range(rounds):
                self._let_bars_form(number)
                began, handed = self._close_bars()
                self.journal.append(self._taken_by_journal())
                taken = [at - began for at, _ in handed]
                self.taken += taken
                self.firsts.append(min(taken))
                self.lasts.append(max(taken))
                self._reject([order for _, order in handed])
                if disk is not None:
                    disk.probe()

        self.scene.run(venue)
        return self

    def _reject(self, orders: list[VenueOrder]) -> None:
        scene = self.scene
        for order in orders:
            ids = [order.order_id, *(child.order_id for child in order.children)]
            scene.tell(*(scene.update(order_id, OrderStatus.REJECTED) for order_id in ids))
        scene.settle()


class _Fills(_Play):
    """Entries fill one after the other; then their targets, so that all is flat again."""

    def __init__(self, folder: Path, brackets: Brackets) -> None:
        super().__init__(folder, brackets)
        self._is_native = brackets is not Brackets.NONE
        self.stops: list[float] = []
        self.notices: list[float] = []

    def run(self, rounds: int, disk: Disk | None = None) -> _Fills:
        """Play."""

        def venue() -> None:
            gc.collect()
            for number in range(rounds):
                self._let_bars_form(number)
                _, handed = self._close_bars()
                for place, (_, order) in enumerate(handed):
                    self._answer([order], OrderStatus.WORKING)
                    children = self._fill(place, order)
                    self._leave(order, children)
                    if disk is not None:
                        disk.probe()

        self.scene.run(venue)
        return self

    def _answer(self, orders: list[VenueOrder], status: OrderStatus) -> None:
        scene = self.scene
        scene.tell(*(event for order in orders for event in scene.answers(order, status)))
        scene.settle()

    def _fill(self, place: int, order: VenueOrder) -> list[str]:
        """Fill an entry; return the ids of its stop and its target."""
        scene = self.scene
        strategy = self._strategy_of(order)
        scene.venue.expect(0 if self._is_native else 2)
        self._taken_by_journal()
        time.sleep(self._chance.uniform(0.002, 0.01))
        began = scene.tell(scene.execution(order, 2400.0 + place))
        handed = [] if self._is_native else scene.venue.wait()
        scene.settle()
        self.notices.append(strategy.filled_at - began)
        if self._is_native:
            return [child.order_id for child in order.children]
        self.journal.append(self._taken_by_journal())
        self.stops += [at - began for at, item in handed if item.role is Role.STOP]
        self._answer([item for _, item in handed], OrderStatus.WORKING)
        return [item.order_id for _, item in handed]

    def _leave(self, order: VenueOrder, children: list[str]) -> None:
        """Fill the target and end the stop, as a venue or we ourselves would."""
        scene = self.scene
        stop, target = children
        done: list[Event] = []
        exit_order = _exit_of(order, target)
        scene.venue.expect(0)
        scene.tell(scene.execution(exit_order, 2410.0))
        scene.settle()
        if stop in scene.venue.cancelled:
            done.append(scene.accepted(stop, Verb.CANCEL))
        done.append(scene.update(stop, OrderStatus.CANCELLED))
        scene.tell(*done)
        scene.settle()

    def _strategy_of(self, order: VenueOrder) -> Any:
        (plan,) = (plan for plan in self.scene.plans if plan.plan_id == order.plan_id)
        return plan.strategy


def _exit_of(order: VenueOrder, order_id: str) -> VenueOrder:
    return replace(order, order_id=order_id, side=Side.SELL, children=())


if __name__ == "__main__":
    serve(measure)
