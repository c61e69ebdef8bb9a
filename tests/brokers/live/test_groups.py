"""Orders of which one cancels the others, where the venue does not do it."""

from dataclasses import replace

from tests.brokers.live.desk import KEPT, SELL, Desk, S


def pair(table=KEPT):
    desk = Desk(table)
    (low,) = desk.enter(1, price=1990.0)
    (high,) = desk.enter(1, price=2010.0, side=SELL, oco=low)
    desk.works(desk.id_of(low))
    desk.works(desk.id_of(high))
    return desk, low, high


def test_a_fill_cancels_the_others_of_its_group():
    desk, low, high = pair()

    desk.fills(desk.id_of(high), 1, 2010.0)

    assert desk.venue.cancelled == [desk.id_of(low)]
    desk.says(desk.id_of(low), S.CANCELLED)
    assert desk.states(low)[-1] == "Canceled" and low.info["reason"] == "oco"


def test_what_another_of_the_group_fills_all_the_same_is_closed():
    desk, low, high = pair()
    desk.fills(desk.id_of(low), 1, 1990.0)

    desk.fills(desk.id_of(high), 1, 2010.0)

    assert desk.position == 0, "the second fill closed the first"


def test_two_entries_to_one_side_leave_one_position():
    desk = Desk()
    (low,) = desk.enter(1, price=1990.0)
    (lower,) = desk.enter(1, price=1985.0, oco=low)
    desk.fills(desk.id_of(low), 1, 1990.0)

    desk.fills(desk.id_of(lower), 1, 1985.0)

    closing = desk.venue.submitted[-1]
    assert (closing.side, closing.quantity) == (SELL, 1.0)
    desk.fills(closing.order_id, 1, 1986.0)
    assert desk.position == 1


def test_a_venue_that_keeps_groups_is_told_of_them():
    desk, low, high = pair(replace(KEPT, one_cancels_other=True))

    assert [order.oco for order in desk.venue.submitted] == ["", desk.id_of(low)]
    desk.fills(desk.id_of(high), 1, 2010.0)
    assert desk.venue.cancelled == []
