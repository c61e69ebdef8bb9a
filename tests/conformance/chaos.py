"""Anything in any order: random acts of the strategy, of other hands, of the wire, and our death.

Whatever happened, once the wire is whole again and some time has passed both sides agree, nothing
was placed twice, and no position is without its stop; and flatten ends it all.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from core.errors import BrokerError
from tests.conformance.lab import Ability, Lab
from tests.conformance.our_side import OurSide

STEPS = 25
PEACE_SECS = 45


class Chaos:
    """A seeded run over one lab.

    Attributes
    ----------
    done : what was done, one line each.
    """

    def __init__(self, lab: Lab, our: OurSide, seed: int, *, hands: bool, kills: bool) -> None:
        self.lab, self.our = lab, our
        self.done: list[str] = []
        self._draw = random.Random(seed)
        self._ticks = 0
        self._names = 0
        self._holds = False
        self._acts: list[tuple[Ability | None, Callable[[], str]]] = [
            (None, self._enter), (None, self._enter), (None, self._price), (None, self._price),
            (None, self._price), (None, self._price), (None, self._move_stop),
            (None, self._cancel), (None, self._close),
            (Ability.LOSES_ANSWERS, self._lose_answer),
            (Ability.LOSES_REQUESTS, self._lose_request), (Ability.HOLDS, self._hold),
            (Ability.PARTIAL_FILLS, self._thin_price),
        ]  # fmt: skip
        if hands:
            self._acts += [
                (Ability.OTHER_HAND, self._hand_closes),
                (Ability.OTHER_HAND, self._hand_deletes_stop),
                (Ability.OTHER_HAND, self._hand_moves_stop),
            ]
        if kills:
            self._acts += [(Ability.RESTARTS, self._die)]

    def run(self) -> None:
        """Do it, and make peace."""
        self.our.show(self.lab.at(0))
        for _ in range(STEPS):
            able = [act for ability, act in self._acts if ability not in self.lab.lacks]
            self.done.append(self._draw.choice(able)())
            self.our.settle()
        self._let_through()
        self.our.settle()
        self.our.wait(PEACE_SECS)

    # -- the strategy ------------------------------------------------------------------------

    def _enter(self) -> str:
        self._names += 1
        name, draw = f"n{self._names}", self._draw
        side = draw.choice(("buy", "sell"))
        way = 1 if side == "buy" else -1
        kind = draw.choice(("market", "limit", "stop"))
        away = {"market": 0, "limit": -10 * way, "stop": 10 * way}[kind]
        at, size = self._ticks + away, draw.choice((1, 2, 3))
        price = None if kind == "market" else self.lab.at(at)
        targets = [[self.our.lots(size), self.lab.at(at + 40 * way)]]
        if size > 1 and draw.random() < 0.5:
            targets = [
                [self.our.lots(1), self.lab.at(at + 20 * way), self.lab.at(at)],
                [self.our.lots(size - 1), self.lab.at(at + 40 * way)],
            ]
        self.our.do("bracket", name, side=side, size=self.our.lots(size), kind=kind, price=price,
                    stop=self.lab.at(at - 30 * way), targets=targets)  # fmt: skip
        return f"{name}: {side} {size} {kind} at {at}"

    def _some(self, ending: str) -> str | None:
        names = [name for name in self.our.working if name.endswith(ending)]
        return self._draw.choice(sorted(names)) if names else None

    def _move_stop(self) -> str:
        name = self._some(".stop")
        if name is None:
            return "no stop to move"
        order = self.our.strategy.orders[name]
        nearer = 5 if not order.isbuy() else -5
        price = float(order.created.price) + nearer * self.lab.tick
        self.our.do("modify", name, price=round(price, 9))
        return f"move {name} by {nearer}"

    def _cancel(self) -> str:
        names = sorted(name for name in self.our.working if "." not in name)
        if not names:
            return "no entry to cancel"
        name = self._draw.choice(names)
        self.our.do("cancel", name)
        return f"cancel {name}"

    def _close(self) -> str:
        self._names += 1
        self.our.do("close", f"c{self._names}")
        return "close"

    # -- the market --------------------------------------------------------------------------

    def _price(self) -> str:
        self._ticks += self._draw.randint(-15, 15)
        self.our.show(self.lab.at(self._ticks))
        return f"price {self._ticks}"

    def _thin_price(self) -> str:
        self._ticks += self._draw.randint(-15, 15)
        self.our.show(self.lab.at(self._ticks), volume=self.our.lots(1))
        return f"thin price {self._ticks}"

    # -- the wire ----------------------------------------------------------------------------

    def _lose_answer(self) -> str:
        verb, deaf = self._draw.choice(("submit", "modify", "cancel")), self._draw.random() < 0.5
        self.lab.lose_answer(verb, stream_too=deaf)
        return f"lose the answer to a {verb}{', deaf' if deaf else ''}"

    def _lose_request(self) -> str:
        verb = self._draw.choice(("submit", "modify", "cancel"))
        self.lab.lose_request(verb)
        return f"lose a {verb}"

    def _hold(self) -> str:
        if self._holds:
            return self._let_through()
        self._holds = True
        self.lab.hold()
        return "hold back"

    def _let_through(self) -> str:
        if not self._holds:
            return "nothing held back"
        self._holds = False
        backwards = self._draw.random() < 0.5 and Ability.REORDERS not in self.lab.lacks
        self.lab.let_through(backwards=backwards)
        return "let through" + (" backwards" if backwards else "")

    # -- other hands, death ------------------------------------------------------------------

    def _stop_at_venue(self) -> Any:
        stops = [order for order in self.lab.truth().working if order.is_stop and order.order_id]
        return self._draw.choice(stops) if stops else None

    def _hand_closes(self) -> str:
        part = self._draw.choice((None, self.our.lots(1)))
        try:
            self.lab.hand_closes(part)
        except BrokerError:
            return "nothing for a hand to close"
        return f"hand closes {'all' if part is None else part}"

    def _hand_deletes_stop(self) -> str:
        stop = self._stop_at_venue()
        if stop is None:
            return "no stop for a hand to delete"
        self.lab.hand_cancels(stop.venue_order_id)
        return f"hand deletes stop {stop.order_id}"

    def _hand_moves_stop(self) -> str:
        stop = self._stop_at_venue()
        if stop is None or stop.price is None:
            return "no stop for a hand to move"
        away = self._draw.choice((-6, 6))
        self.lab.hand_moves(stop.venue_order_id, round(stop.price + away * self.lab.tick, 9))
        return f"hand moves stop {stop.order_id} by {away}"

    def _die(self) -> str:
        self._holds = False
        self.our.kill()
        self.our.restart()
        return "die and come back"
