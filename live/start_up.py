"""Before a session takes entries: venue, journal and strategy must agree.

The venue's books are asked for. What is in flight is settled first and asked about once more, so
that only what lasts counts as a difference; what another hand did counts in any case. A failed
answer is unknown, never flat: it is asked again. While they differ entries stay off, exits and
stops go on, and each difference has a name. Two remedies are a person's to choose: to adopt what
the venue holds, or to flatten what is not ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from typing import Any

from brokers.live_terms import Foreign
from brokers.reconcile import BalanceDiffers, Difference, PositionDiffers, UnknownOrder
from core.events import CashFlow, Execution, Snapshot
from core.orders import Side
from live.foreign import RULE as FOREIGN
from live.recovery import settle_requests
from live.snapshots import Snapshots

STARTING, DIFFERENCE = "starting", "difference"
"""Rules of the guard's blocks: nothing to compare with yet, and found to differ."""
AGAIN_SECS = 2.0
"""Time between questions while an answer failed, or something is being closed."""
MOST_ROUNDS = 4
"""So often what differs is adopted before it is given up."""
ADOPTED = "adopted"
"""Reason of the fills and kind of the money that stand for what was taken over."""


class Remedy(Enum):
    """What is done about differences. NONE: they are shown."""

    NONE = ""
    ADOPT = "adopt"
    FLATTEN = "flatten"


class StartUp:
    """Compares, settles, and lets a session trade once all agree.

    Parameters
    ----------
    built : BuiltSession
    snapshots : asks for the venue's books.
    command : puts a command into the sequence.
    tell : called with a text that a person should see.
    remedy : Remedy
    on_accepted : called when a remedy has been carried out: what others did leads to nothing more.
    clock : seconds that never run backwards.

    Attributes
    ----------
    is_over : entries are on, as far as this is concerned.
    standing : what keeps them off, in words.
    """

    def __init__(
        self,
        built: Any,
        snapshots: Snapshots,
        command: Callable[[str, Mapping[str, Any]], None],
        tell: Callable[[str], None],
        remedy: Remedy = Remedy.NONE,
        on_accepted: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._built = built
        self._snapshots = snapshots
        self._command = command
        self._tell = tell
        self._remedy = remedy
        self._on_accepted = on_accepted
        self._clock = clock
        self.is_over = False
        self.standing: list[str] = []
        self._heard: tuple[Snapshot, list[Difference]] | None = None
        self._ask_at: float | None = None
        self._is_settled = False
        self._by_hand: dict[str, Difference] = {}
        self._accepted: set[str] = set()
        self._is_closing = False
        self._rounds = 0
        self._cleared: set[str] = set()
        self._closed: set[str] = set()

    def begin(self) -> None:
        """Take no entry before the venue was heard."""
        detail = "not yet compared with the venue"
        self._command("block", {"rule": STARTING, "detail": detail})

    def hear(self, snapshot: Snapshot, found: Sequence[Difference]) -> None:
        """Take the venue's books and where they differ from ours; it is acted on by `look`."""
        if not self.is_over:
            self._heard = snapshot, list(found)

    def look(self) -> None:
        """Go on, as far as is known by now."""
        while not self.is_over and self._heard is not None:
            snapshot, found = self._heard
            self._heard = None
            self._judge(snapshot, found)
        if self.is_over:
            return
        if self._is_closing and not self._close_others():
            self._is_closing = False
            self._ask()
        elif self._ask_at is not None and self._clock() >= self._ask_at:
            self._ask()

    # -- comparing ---------------------------------------------------------------------------

    def _ask(self, after_secs: float = 0.0) -> None:
        """Ask for the books, now or later."""
        if after_secs:
            self._ask_at = self._clock() + after_secs
            return
        self._ask_at = None
        self._snapshots.ask()
        self._built.engine.settle()

    def _judge(self, snapshot: Snapshot, found: list[Difference]) -> None:
        if snapshot.error:
            self._show(STARTING, [f"the venue's books are unknown: {snapshot.error}"])
            self._ask(AGAIN_SECS)
        elif not self._is_settled:
            self._settle(found)
        else:
            standing = {item.describe(): item for item in found} | self._by_hand
            left = {
                text: item
                for text, item in standing.items()
                if text not in self._accepted and self._keeps_off(item)
            }
            self._act(snapshot, left)

    def _settle(self, found: list[Difference]) -> None:
        """Settle what a process that died left open; ask again where that may explain something."""
        outbox = self._built.outbox
        was_open = bool(outbox.unanswered or outbox.unsent)
        self._by_hand = {item.describe(): item for item in found if _is_told_once(item)}
        settle_requests(self._built)
        self._is_settled = True
        if found or was_open or self._unexplained:
            self._ask()
        else:
            self._agree()

    @property
    def _unexplained(self) -> list[str]:
        """Symbols of which the venue holds something else, and it is not known yet why."""
        return sorted(self._built.broker.settling.unexplained)

    def _keeps_off(self, item: Difference) -> bool:
        """Whether a difference is a matter: hands beside us may be allowed, not on what is ours."""
        counts_only = self._built.broker.terms.foreign is Foreign.COUNT
        return not (item.is_foreign and counts_only and not item.plan_id)

    def _act(self, snapshot: Snapshot, left: dict[str, Difference]) -> None:
        if not left and self._unexplained:
            texts = [
                f"{symbol}: what was sent before is not settled" for symbol in self._unexplained
            ]
            self._show(STARTING, texts)
            self._ask(AGAIN_SECS)
        elif not left:
            self._is_closing = self._remedy is Remedy.FLATTEN and self._close_others()
            if not self._is_closing:
                self._agree()
        elif self._remedy is Remedy.NONE or self._rounds >= MOST_ROUNDS:
            self._show(DIFFERENCE, list(left))
        else:
            self._rounds += 1
            self._adopt(snapshot, left)
            self._ask()

    def _agree(self) -> None:
        self.is_over, self.standing = True, []
        rules = [STARTING, DIFFERENCE]
        if self._remedy is not Remedy.NONE:
            rules.append(FOREIGN)
            self._on_accepted()
        for plan_id in ("", *(plan.plan_id for plan in self._built.broker.plans)):
            for rule in rules:
                if rule in self._built.guard.blocks_of(plan_id):
                    self._command("unblock", {"rule": rule, "plan": plan_id})

    def _show(self, rule: str, texts: list[str]) -> None:
        """Keep entries off by one rule alone and say why."""
        if texts == self.standing:
            return
        self.standing = texts
        detail = "; ".join(texts)
        self._command("block", {"rule": rule, "detail": detail})
        other = STARTING if rule == DIFFERENCE else DIFFERENCE
        if other in self._built.guard.blocks:
            self._command("unblock", {"rule": other})
        self._tell(f"entries stay off: {detail}")

    # -- remedies ----------------------------------------------------------------------------

    def _adopt(self, snapshot: Snapshot, left: Mapping[str, Difference]) -> None:
        """Book what the venue holds as another hand's doing; money once positions agree.

        It enters the sequence as the events a venue would tell it by, so the record holds it.
        """
        engine = self._built.engine
        held = [item for item in left.values() if isinstance(item, PositionDiffers)]
        for item in held:
            if self._plans_on(item.symbol):
                engine.consume(self._fill_of(item, snapshot))
            else:  # nobody here trades it: there is nothing to book it in
                self._accept(item)
        for other in left.values():
            if isinstance(other, BalanceDiffers):
                if not held:
                    paid = other.ours - other.theirs
                    engine.consume(CashFlow(ADOPTED, paid, ts_event=engine.now))
            elif not isinstance(other, PositionDiffers):
                self._accept(other)
        engine.settle()

    def _accept(self, item: Difference) -> None:
        """Let a difference be, or take away what makes it."""
        self._accepted.add(item.describe())
        if self._remedy is Remedy.FLATTEN and isinstance(item, UnknownOrder):
            if not self._is_closing_order(item):
                self._clear({"symbol": item.symbol, "venue_order_id": item.venue_order_id})
        elif self._remedy is Remedy.FLATTEN and isinstance(item, PositionDiffers):
            self._clear({"symbol": item.symbol})

    def _is_closing_order(self, item: UnknownOrder) -> bool:
        """Whether an order that works is the one by which what others hold is closed.

        It has no id of ours.
        """
        held = self._built.broker.hands.held(item.symbol)
        is_against = item.side is not None and held * int(item.side) < 0.0
        return item.symbol in self._closed and item.price is None and is_against

    def _fill_of(self, item: PositionDiffers, snapshot: Snapshot) -> Execution:
        """Return the fill that explains a position; what grew was bought at the average told."""
        engine = self._built.engine
        missing = item.theirs - item.ours
        price = self._plans_on(item.symbol)[0].last_price
        grew = [
            told.average_price
            for told in snapshot.positions
            if told.symbol == item.symbol and told.quantity * missing > 0.0
        ]
        number = f"{ADOPTED}-{engine.seq}-{item.symbol}"
        side = Side.BUY if missing > 0.0 else Side.SELL
        return Execution(
            number, number, item.symbol, side, abs(missing),
            grew[0] if grew else float(price), reason=ADOPTED, costs={}, ts_event=engine.now,
        )  # fmt: skip

    def _plans_on(self, symbol: str) -> list[Any]:
        return [plan for plan in self._built.broker.plans if plan.symbol == symbol]

    def _close_others(self) -> bool:
        """Close what others hold; say whether some of it is left."""
        held = self._held_by_others()
        if held:
            what = f"closing at the venue what is not ours: {', '.join(held)}"
            self._show(DIFFERENCE, [what])
        for symbol in held:
            ours = [plan for plan in self._plans_on(symbol) if plan.position_steps]
            foreign = self._foreign_positions(symbol)
            if foreign:
                for position_id in foreign:
                    self._clear({"symbol": symbol, "position_id": position_id})
            elif ours:  # one netted position: ours ends first, then the rest can be told apart
                for plan in ours:
                    self._once(f"flatten {plan.plan_id}", "flatten",
                               {"plan": plan.plan_id, "reason": DIFFERENCE})  # fmt: skip
            else:
                self._clear({"symbol": symbol})
        return bool(held)

    def _held_by_others(self) -> list[str]:
        """Return the symbols of which other hands hold something."""
        broker = self._built.broker
        symbols = {plan.symbol for plan in broker.plans}
        return sorted(symbol for symbol in symbols if broker.hands.held(symbol))

    def _foreign_positions(self, symbol: str) -> list[str]:
        """Return the ids of positions that are no plan's, on a hedging account."""
        ours = {item for plan in self._plans_on(symbol) for item in plan.positions}
        told = self._built.broker.venue_positions
        return [
            position_id
            for (name, position_id), update in told.items()
            if name == symbol and position_id and update.quantity and position_id not in ours
        ]

    def _clear(self, what: Mapping[str, str]) -> None:
        if "venue_order_id" not in what:
            self._closed.add(what["symbol"])
        self._once(f"clear {sorted(what.items())}", "clear", what)

    def _once(self, key: str, name: str, arguments: Mapping[str, Any]) -> None:
        if key not in self._cleared:
            self._cleared.add(key)
            self._command(name, arguments)


def _is_told_once(item: Difference) -> bool:
    """Whether another hand's act is heard of once, and no later snapshot shows it."""
    return item.is_foreign and not isinstance(item, PositionDiffers | UnknownOrder)
