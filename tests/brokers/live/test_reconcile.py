"""A venue's books against ours, as pure functions of a snapshot and what is believed."""

from dataclasses import replace

import pytest

from brokers.reconcile import (
    BalanceDiffers,
    Believed,
    BelievedOrder,
    MissingOrder,
    PositionDiffers,
    StopMissing,
    TermsDiffer,
    UnknownOrder,
    compare,
    find_order,
    quantities_of,
)
from core.events import AccountUpdate, OrderStatus, OrderUpdate, PositionUpdate, Snapshot
from core.orders import Role, Side

WORKS = OrderStatus.WORKING
STOP = BelievedOrder("t2", frozenset({"v2"}), "gold", "MGC", Role.STOP, 2.0, 1990.0)
TARGET = BelievedOrder("t3", frozenset({"v3"}), "gold", "MGC", Role.TARGET, 2.0, 2010.0)
BELIEVED = Believed(
    (STOP, TARGET), frozenset({"t1", "t2", "t3"}), {"MGC": 2.0}, frozenset(), 1000.0, 1.0
)
HOLDS = Snapshot(
    1, 100, AccountUpdate(1000.0),
    (
        OrderUpdate(WORKS, "v2", quantity=2.0, price=1990.0, symbol="MGC"),
        OrderUpdate(WORKS, "v3", "t3", quantity=2.0, price=2010.0, symbol="MGC"),
    ),
    (PositionUpdate("MGC", 2.0, 1999.0),),
)  # fmt: skip


def without(place):
    return replace(HOLDS, orders=tuple(row for n, row in enumerate(HOLDS.orders) if n != place))


def kinds(snapshot, believed=BELIEVED):
    return [type(item) for item in compare(snapshot, believed)]


def test_equal_books_differ_in_nothing():
    assert compare(HOLDS, BELIEVED) == [] == quantities_of(HOLDS, BELIEVED)


def test_a_failed_snapshot_is_not_compared():
    assert compare(Snapshot(1, 100, error="503"), BELIEVED) == []


def test_an_order_is_found_by_any_id_or_its_tag():
    tagged = replace(HOLDS, orders=(OrderUpdate(WORKS, "v9", tag="t2"),))

    assert find_order(HOLDS, STOP) is HOLDS.orders[0]
    assert find_order(HOLDS, TARGET) is HOLDS.orders[1]
    assert find_order(tagged, STOP) is tagged.orders[0]
    assert find_order(tagged, TARGET) is None


def test_what_the_venue_lacks_is_named_by_what_it_was_for():
    assert kinds(without(0)) == [StopMissing]
    assert kinds(without(1)) == [MissingOrder]


@pytest.mark.parametrize(
    "given", [{"heard_at": 100}, {"is_settled": False}, {"is_shown": False}], ids=str
)
def test_an_order_that_need_not_be_there_is_not_missed(given):
    believed = replace(BELIEVED, orders=(replace(STOP, **given), TARGET))

    assert compare(without(0), believed) == []


@pytest.mark.parametrize(("stop", "missing"), [(1990.0, False), (None, True)])
def test_a_price_of_a_position_is_looked_for_on_the_position(stop, missing):
    believed = replace(BELIEVED, orders=(replace(STOP, on_position=True, is_shown=False),))
    held = replace(HOLDS, orders=(), positions=(PositionUpdate("MGC", 2.0, 1999.0, stop=stop),))

    assert kinds(held, believed) == [StopMissing] * missing


def test_a_flat_position_has_lost_no_stop():
    believed = replace(BELIEVED, orders=(replace(STOP, on_position=True),), positions={})

    assert kinds(replace(HOLDS, orders=(), positions=()), believed) == []


def test_an_order_of_no_one_we_know_is_unknown_and_an_ended_one_is_no_matter():
    stranger = OrderUpdate(WORKS, "v8", symbol="MGC", side=Side.BUY, quantity=1.0)
    ended = OrderUpdate(OrderStatus.CANCELLED, "v9", symbol="MGC")

    found = compare(replace(HOLDS, orders=(*HOLDS.orders, stranger, ended)), BELIEVED)

    assert [type(item) for item in found] == [UnknownOrder]
    assert found[0].venue_order_id == "v8" and found[0].is_foreign


def test_an_ended_order_of_ours_is_ours():
    row = OrderUpdate(WORKS, "v1", "t1", symbol="MGC")

    assert compare(replace(HOLDS, orders=(*HOLDS.orders, row)), BELIEVED) == []


def test_positions_are_compared_by_their_sum():
    two = (PositionUpdate("MGC", 3.0, 1999.0, "a"), PositionUpdate("MGC", -1.0, 2001.0, "b"))

    assert compare(replace(HOLDS, positions=two), BELIEVED) == []
    assert kinds(replace(HOLDS, positions=two[:1])) == [PositionDiffers]
    assert kinds(replace(HOLDS, positions=())) == [PositionDiffers]


def test_a_position_of_which_something_is_in_flight_is_not_compared_nor_the_balance():
    believed = replace(BELIEVED, unsettled=frozenset({"MGC"}), balance=0.0)

    assert compare(replace(HOLDS, positions=()), believed) == []


def test_float_dust_is_no_difference():
    held = replace(HOLDS, positions=(PositionUpdate("MGC", 0.1 + 0.2 + 1.7, 1999.0),))

    assert compare(held, BELIEVED) == []


def test_quantities_are_compared_by_what_is_left():
    rows = (replace(HOLDS.orders[0], quantity=3.0, filled=1.0), HOLDS.orders[1])
    assert quantities_of(replace(HOLDS, orders=rows), BELIEVED) == []

    rows = (replace(HOLDS.orders[0], quantity=1.0), HOLDS.orders[1])
    (found,) = quantities_of(replace(HOLDS, orders=rows), BELIEVED)
    assert isinstance(found, TermsDiffer) and (found.ours, found.theirs) == (2.0, 1.0)


def test_a_balance_is_compared_where_both_say_one():
    assert kinds(replace(HOLDS, account=AccountUpdate(998.0))) == [BalanceDiffers]
    assert kinds(replace(HOLDS, account=None)) == []
    assert kinds(HOLDS, replace(BELIEVED, balance=0.0, balance_tolerance=None)) == []
