"""The suite: a venue inherits `Conformance` and says how its lab is made (docs/conformance.md)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.orders import Side
from tests.conformance.account import Flattening, Floors, Hands, Restarts, SessionEnds
from tests.conformance.lab import Lab
from tests.conformance.our_side import OurSide
from tests.conformance.trading import (
    Brackets,
    Cancelling,
    Connecting,
    History,
    Legs,
    Modifying,
    PartialFills,
    Stream,
    Submitting,
)
from tests.conformance.wire import Anything, CancelRaces, Disorder, UnknownOutcomes


class Group:
    """What the tests of a group stand on."""

    def make_lab(self, folder: Path) -> Lab:
        """Return a new lab in a folder of its own."""
        raise NotImplementedError

    @pytest.fixture
    def lab(self, tmp_path: Path) -> Iterator[Lab]:
        made = self.make_lab(tmp_path)
        yield made
        made.close()

    @pytest.fixture
    def our(self, lab: Lab) -> Iterator[OurSide]:
        ours = OurSide(lab).start()
        yield ours
        ours.stop()

    @pytest.fixture(autouse=True)
    def sound(self, lab: Lab, our: OurSide) -> Iterator[None]:
        """Whatever a test did: both sides' books agree at its end, and nothing is unprotected."""
        yield
        our.settle()
        truth, broker = lab.truth(), our.broker
        ids = [order.order_id for order in truth.orders if order.order_id]
        assert len(set(ids)) == len(ids), "an order was placed twice"
        assert our.position + broker.hands.held(lab.symbol) == pytest.approx(truth.net)
        lost = [order for order in truth.ours if _is_over(broker, order.order_id)]
        assert lost == [], "orders of ours work at the venue that we think are over"
        at_venue = {order.order_id for order in truth.ours}
        missing = [
            part.order_id
            for ticket in broker.tickets()
            if ticket.is_accepted and not (our.is_on_position and ticket.is_native)
            for part in broker.parts_at_work(ticket)
            if part.order_id not in at_venue
        ]
        assert missing == [], "orders that we think work are not at the venue"
        prices = {(order.is_stop, order.price) for order in truth.working if not order.order_id}
        away = [
            (ticket.order_id, ticket.wanted_price)
            for ticket in broker.tickets()
            if our.is_on_position and ticket.is_native and our.position and not ticket.is_over
            if (ticket.is_stop, ticket.wanted_price) not in prices
        ]
        assert away == [], "prices that we think the position has are not at the venue"
        plan = broker.plans[0]
        side = Side.SELL if our.position > 0 else Side.BUY
        assert truth.stops(side) >= plan.size(plan.stopped_steps), "a position has no stop"


def _is_over(broker: object, order_id: str) -> bool:
    ticket = broker.ticket_of(order_id)  # type: ignore[attr-defined]
    return ticket is None or ticket.is_over


class TradingConformance(
    Connecting, History, Stream, Submitting, Modifying, Cancelling, PartialFills, Brackets, Legs,
    CancelRaces, UnknownOutcomes, Disorder, Anything, Hands, Flattening, SessionEnds, Group,
):  # fmt: skip
    """Groups on an account without rules."""


class RestartConformance(Restarts, Anything, Group):
    """Groups restart, and anything with our death in it: with a record kept."""

    kills = True


class FloorConformance(Floors, Group):
    """Group: guard floor, with a daily loss limit."""
