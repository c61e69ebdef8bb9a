"""One order to Backtrader, several at the venue: slices, positions apart, orders made anew."""

from dataclasses import replace

import backtrader as bt
import pytest

from brokers.port import Brackets
from brokers.reconcile import BalanceDiffers
from core.events import AccountUpdate, Outcome
from core.orders import OrderKind, Role
from tests.brokers.live.desk import BUY, HEDGING, KEPT, SELL, Desk, S, able

# -- above the freeze quantity ---------------------------------------------------------------------


def nifty(**given):
    """Return a desk for the Nifty future, whose orders hold 1800 units at most."""
    return Desk(KEPT, "NIFTY-FUT", lot=75, freeze_quantity=1800, **given)


def sizes(desk, role=Role.ENTRY):
    return [order.quantity for order in desk.venue.submitted if order.role is role]


def test_an_order_above_the_freeze_quantity_leaves_in_slices():
    desk = nifty()

    (order,) = desk.enter(4200, price=23_000.0)

    assert sizes(desk) == [1800.0, 1800.0, 600.0]
    assert [item.order_id for item in desk.venue.submitted] == [
        "t000001", "t000001x2", "t000001x3",
    ]  # fmt: skip
    assert order.created.size == 4200 and len(desk.broker.tickets()) == 1


def test_an_order_at_the_freeze_quantity_is_one():
    desk = nifty()

    desk.enter(1800, price=23_000.0)

    assert sizes(desk) == [1800.0]


def test_slices_are_whole_lots_where_the_limit_is_not():
    desk = Desk(KEPT, "NIFTY-FUT", lot=75, freeze_quantity=2800)

    desk.enter(5625, price=23_000.0)

    assert sizes(desk) == [2775.0, 2775.0, 75.0]


def test_backtrader_sees_one_order_that_fills_in_parts():
    desk = nifty()
    (order,) = desk.enter(3750, price=23_000.0)

    for name, quantity in (("t000001x2", 1800), ("t000001", 1800), ("t000001x3", 150)):
        desk.works(name)
        desk.fills(name, quantity, 23_000.0, side=BUY)

    assert desk.states(order) == ["Submitted", "Accepted", "Partial", "Partial", "Completed"]
    assert desk.position == 3750


def test_a_slice_that_is_refused_ends_the_order_once_the_others_are_filled():
    desk = nifty()
    (order,) = desk.enter(3600, price=23_000.0)
    desk.answers("t000001x2", Outcome.REFUSED, reason="RMS: margin")
    assert order.alive()

    desk.fills("t000001", 1800, 23_000.0, side=BUY)

    assert desk.states(order)[-1] == "Margin"
    assert order.executed.size == 1800 and desk.position == 1800


def test_the_stop_of_a_sliced_entry_is_sliced_and_covers_all_of_it():
    desk = nifty()
    entry, stop, _ = desk.enter(
        3600, price=23_000.0, stop=22_900.0, targets=((3600, 23_200.0),)
    )  # fmt: skip

    for name in ("t000001", "t000001x2"):
        desk.fills(name, 1800, 23_000.0, side=BUY)

    assert sizes(desk, Role.STOP) == [1800.0, 1800.0]
    for part in desk.plan_of(stop).parts:
        assert desk.plan.unprotected_since is not None
        desk.works(part.order_id)
    assert desk.plan.unprotected_since is None
    assert entry.getstatusname() == "Completed"


def test_a_sliced_stop_shrinks_and_moves_slice_by_slice():
    desk = nifty()
    _, stop, target, _ = desk.enter(
        3600, price=23_000.0, stop=22_900.0, targets=((1875, 23_200.0, 23_000.0), (1725, 23_400.0))
    )
    for name in ("t000001", "t000001x2"):
        desk.fills(name, 1800, 23_000.0, side=BUY)
    for ticket in map(desk.plan_of, (stop, target)):
        for part in ticket.parts:
            desk.works(part.order_id)
    last = desk.id_of(target) + "x2"

    desk.fills(desk.id_of(target), 1800, 23_200.0, side=SELL)
    desk.fills(last, 75, 23_200.0, side=SELL)

    stops = [(item.order_id, item.price) for item in desk.venue.modified]
    assert stops[0] == ("t000002", 23_000.0)
    assert "t000002x2" in desk.venue.cancelled
    assert desk.venue.modified[-1].quantity == 1725.0
    desk.works("t000002", quantity=1725.0, price=23_000.0)
    assert desk.plan_of(stop).remaining == 23 and desk.plan.unprotected_since is None


def test_cancelling_a_sliced_order_cancels_every_slice():
    desk = nifty()
    (order,) = desk.enter(3600, price=23_000.0)
    desk.works("t000001")
    desk.works("t000001x2")

    desk.guard.cancel(order)
    assert desk.venue.cancelled == ["t000001", "t000001x2"]
    desk.says("t000001", S.CANCELLED)
    assert order.alive()
    desk.says("t000001x2", S.CANCELLED)

    assert desk.states(order)[-1] == "Canceled"


def test_a_filled_slice_pays_the_brokerage_of_an_order_as_in_a_backtest():
    desk = nifty(cash=1e7)
    desk.enter(3600, price=23_000.0)
    whole = desk.plan.costs_by_kind(True, 3600.0, 23_000.0)

    for name in ("t000001", "t000001x2"):
        desk.fills(name, 1800, 23_000.0, side=BUY)

    paid = desk.broker.ledger.costs
    assert paid["brokerage"] == whole["brokerage"] == 40.0
    assert sum(paid.values()) == pytest.approx(sum(whole.values()), abs=1.0)


# -- positions beside each other -------------------------------------------------------------------


def hedged(size=2):
    desk = Desk(HEDGING)
    (order,) = desk.enter(size, price=None)
    desk.fills(desk.id_of(order), size, 2000.0, position_id="p1")
    return desk


def closes(desk, first=1):
    return [
        (item.side, item.quantity, item.position_id, item.reduces)
        for item in desk.venue.submitted[first:]
    ]


def test_closing_names_the_position_it_closes():
    desk = hedged()

    desk.broker.close_plan(desk.plan, "flat_time")

    assert closes(desk) == [(SELL, 2.0, "p1", True)]


def test_a_close_over_two_positions_is_two_orders_and_one_to_backtrader():
    desk = hedged()
    (more,) = desk.enter(1, price=None)
    desk.fills(desk.id_of(more), 1, 2001.0, position_id="p2")

    out = desk.guard.sell(None, desk.feeds[0], 3)

    assert closes(desk, 2) == [(SELL, 2.0, "p1", True), (SELL, 1.0, "p2", True)]
    name = desk.id_of(out)
    desk.fills(name, 2, 2002.0, position_id="p1", side=SELL)
    desk.fills(f"{name}x2", 1, 2002.0, position_id="p2", side=SELL)
    assert desk.states(out)[-1] == "Completed"
    assert desk.position == 0 and desk.plan.positions == {}


def test_a_position_that_an_exit_on_its_way_closes_is_not_closed_again():
    desk = hedged(1)
    (more,) = desk.enter(1, price=None)
    desk.fills(desk.id_of(more), 1, 2001.0, position_id="p2")

    desk.broker.close_plan(desk.plan, "half", share=0.5)
    desk.broker.close_plan(desk.plan, "rest")

    assert closes(desk, 2) == [(SELL, 1.0, "p1", True), (SELL, 1.0, "p2", True)]


def test_a_brackets_children_close_the_position_its_entry_opened():
    desk = Desk(replace(HEDGING, brackets=Brackets.NONE))
    for number, price in ((1, 2000.0), (2, 2001.0)):
        entry, *_ = desk.enter(2, price=None, stop=1990.0, targets=((2, 2010.0),))
        desk.fills(desk.id_of(entry), 2, price, position_id=f"p{number}")

    kept = [item for item in desk.venue.submitted if item.role in (Role.STOP, Role.TARGET)]

    assert [(item.role, item.position_id) for item in kept] == [
        (Role.STOP, "p1"), (Role.TARGET, "p1"), (Role.STOP, "p2"), (Role.TARGET, "p2"),
    ]  # fmt: skip


def test_a_stop_over_two_positions_has_a_part_on_each_and_loses_that_of_a_closed_one():
    """Positions stand against each other: p1 long, p2 short, and p3 short beside it."""
    desk = Desk(replace(HEDGING, brackets=Brackets.NONE))
    (short,) = desk.enter(1, price=1990.0, side=SELL, kind=bt.Order.Stop)
    (long,) = desk.enter(1, price=None)
    desk.fills(desk.id_of(long), 1, 2000.0, position_id="p1")
    desk.fills(desk.id_of(short), 1, 1990.0, position_id="p2")

    entry, stop, target = desk.enter(2, None, SELL, stop=2005.0, targets=((2, 1980.0),))
    desk.fills(desk.id_of(entry), 1, 1990.0, position_id="p1")
    desk.fills(f"{desk.id_of(entry)}x2", 1, 1990.0, position_id="p3")
    stops = [item for item in desk.venue.submitted if item.role is Role.STOP]
    for name in (stop, target):
        for part in desk.plan_of(name).parts:
            desk.works(part.order_id)
    covered = [(item.quantity, item.position_id) for item in stops]
    desk.fills(desk.id_of(target), 1, 1980.0, position_id="p2")

    assert covered == [(1.0, "p2"), (1.0, "p3")]
    assert desk.venue.cancelled == [stops[0].order_id]
    assert desk.position == -1 and desk.plan.unprotected_since is None


def paired():
    """Return a desk that is long p1 and short p2: a resting entry filled against the position."""
    desk = Desk(HEDGING)
    (short,) = desk.enter(2, price=1990.0, side=SELL, kind=bt.Order.Stop)
    (long,) = desk.enter(2, price=None)
    desk.fills(desk.id_of(long), 2, 2000.0, position_id="p1")
    desk.fills(desk.id_of(short), 2, 1990.0, position_id="p2")
    return desk


def test_positions_that_stand_against_each_other_are_closed_when_all_is():
    desk = paired()
    assert (desk.position, desk.plan.paired_steps) == (0, 2)

    desk.broker.flatten("daily_loss")
    desk.broker.flatten("daily_loss")

    assert closes(desk, 2) == [(SELL, 2.0, "p1", True), (BUY, 2.0, "p2", True)]
    for item in desk.venue.submitted[2:]:
        desk.fills(item.order_id, 2, 1995.0, position_id=item.position_id)
    assert (desk.position, desk.plan.positions) == (0, {})
    assert len(desk.venue.submitted) == 4


def test_what_is_realised_is_not_compared_while_it_depends_on_how_one_counts():
    """Of two positions a hedging venue counts each for itself, our books by their average."""
    desk = hedged()
    (more,) = desk.enter(2, price=None)
    desk.fills(desk.id_of(more), 2, 2010.0, position_id="p2")
    told = []

    for position_id in ("p1", "p2"):
        out = desk.guard.sell(None, desk.feeds[0], 2)
        desk.fills(desk.id_of(out), 2, 2010.0, position_id=position_id, side=SELL)
        at_venue = AccountUpdate(desk.broker.balance + 100.0)
        told.append([type(item) for item in desk.snapshot(account=at_venue)])

    assert told == [[], [BalanceDiffers]]


def test_the_next_entry_closes_the_position_that_stands_against_it():
    desk = paired()

    desk.enter(1, price=None)

    assert closes(desk, 2) == [(BUY, 1.0, "p2", True)]


def test_an_order_that_turns_the_position_closes_it_and_opens_the_rest():
    desk = hedged()

    desk.guard.sell(None, desk.feeds[0], 5)

    assert closes(desk) == [(SELL, 2.0, "p1", True), (SELL, 3.0, "", False)]


def test_kept_children_close_the_position_of_their_entry():
    desk = Desk(HEDGING)
    entry, *_ = desk.bracket(2)

    desk.fills(desk.id_of(entry), 2, 1999.0, position_id="p9")

    assert closes(desk) == [(SELL, 2.0, "p9", True), (SELL, 2.0, "p9", True)]


def test_a_hand_that_closes_a_named_position_closes_its_plans():
    desk = Desk(HEDGING, plans=2)
    for plan in (0, 1):
        (order,) = desk.enter(1, price=None, plan=plan)
        desk.fills(desk.id_of(order), 1, 2000.0, f"f{plan}", position_id=f"p{plan}")

    desk.hand_fills(SELL, 1, 2005.0, position_id="p1")

    assert [plan.position_steps for plan in desk.broker.plans] == [1, 0]


# -- orders that cannot be changed -----------------------------------------------------------------

FIXED = able(modifies_quantity=False)
TWICE = able(changes_an_order=2)


def test_a_stop_that_cannot_be_resized_is_placed_anew_first_and_the_old_ended_after():
    desk = Desk(FIXED)
    entry, stop, _ = desk.bracket(3)
    name = desk.id_of(entry)
    desk.works(name)
    desk.fills(name, 1, 1999.0)
    old = desk.id_of(stop)
    desk.works(old)

    desk.fills(name, 2, 1998.9)

    new = f"{old}x2"
    assert [item.order_id for item in desk.venue.submitted if item.role is Role.STOP] == [old, new]
    assert desk.venue.submitted[-1].quantity == 3.0 or desk.venue.submitted[-2].quantity == 3.0
    assert desk.venue.cancelled == [desk.id_of(desk.broker._tickets["t000003"].order)]
    desk.works(new)
    assert old in desk.venue.cancelled
    desk.says(old, S.CANCELLED)
    assert stop.alive() and desk.plan.unprotected_since is None
    assert desk.states(stop) == ["Submitted", "Accepted"]


def test_the_old_stop_stays_where_the_new_one_is_refused():
    desk = Desk(FIXED)
    _, stop, _ = desk.filled_bracket(2)
    old = desk.id_of(stop)

    desk.broker.close_plan(desk.plan, "half", share=0.5)
    desk.fills(desk.venue.submitted[-1].order_id, 1, 2000.0)
    desk.answers(f"{old}x2", Outcome.REFUSED)

    assert old not in desk.venue.cancelled
    assert stop.alive() and desk.plan.unprotected_since is None


def test_an_entry_that_cannot_be_changed_ends_before_the_new_one_is_placed():
    desk = Desk(FIXED)
    (order,) = desk.enter(3)
    name = desk.id_of(order)
    desk.works(name)

    desk.guard.modify(order, size=2)
    assert desk.venue.cancelled == [name] and len(desk.venue.submitted) == 1
    desk.says(name, S.CANCELLED)

    again = desk.venue.submitted[-1]
    assert (again.order_id, again.quantity, again.price) == (f"{name}x2", 2.0, 1999.0)
    assert order.alive()
    desk.fills(again.order_id, 2, 1999.0, side=BUY)
    assert desk.states(order)[-1] == "Completed"


def test_what_filled_meanwhile_is_not_placed_again():
    desk = Desk(FIXED)
    (order,) = desk.enter(3)
    name = desk.id_of(order)
    desk.works(name)
    desk.guard.modify(order, size=2)

    desk.fills(name, 1, 1999.0)
    desk.says(name, S.CANCELLED, filled=1.0)

    assert desk.venue.submitted[-1].quantity == 1.0


def test_an_order_that_has_used_up_its_changes_is_placed_anew():
    desk = Desk(TWICE)
    _, stop, _ = desk.filled_bracket(2)
    old = desk.id_of(stop)
    for price in (1991.0, 1992.0):
        desk.guard.modify(stop, price=price)
        desk.says(old, S.WORKING, quantity=2.0, price=price)

    desk.guard.modify(stop, price=1993.0)

    assert len(desk.venue.modified) == 2
    again = desk.venue.submitted[-1]
    assert (again.order_id, again.kind, again.price) == (f"{old}x2", OrderKind.STOP, 1993.0)
    desk.works(again.order_id)
    assert desk.venue.cancelled == [old]
    assert stop.created.price == 1993.0


def test_prices_alone_are_changed_where_only_quantities_cannot_be():
    desk = Desk(replace(FIXED))
    _, stop, _ = desk.filled_bracket(2)

    desk.guard.modify(stop, price=1995.0)

    assert [item.price for item in desk.venue.modified] == [1995.0]
