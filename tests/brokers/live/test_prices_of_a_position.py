"""Stop and target as two prices of a position, without orders of their own (cTrader, MetaApi)."""

from dataclasses import replace

import pytest

from core.events import Outcome, PositionUpdate, Verb
from core.orders import Role
from tests.brokers.live.desk import PRICES, SELL, Desk, S


def opened(size=2, position_id="p7", **given):
    desk = Desk(PRICES)
    entry, stop, target = desk.bracket(size, **given)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), size, 1999.0, position_id=position_id)
    return desk, stop, target


def holds(desk, stop, target, quantity=2.0, position_id="p7"):
    desk.broker.hear_position(
        PositionUpdate("MGC", quantity, 1999.0, position_id, stop, target, ts_event=desk.now)
    )


def test_children_are_accepted_with_their_entry_and_work_from_its_fill():
    desk = Desk(PRICES)
    entry, stop, target = desk.bracket(2)
    assert [child.role for child in desk.venue.submitted[0].children] == [Role.STOP, Role.TARGET]
    desk.works(desk.id_of(entry))
    assert desk.states(stop) == ["Submitted", "Accepted"] and not stop.active()

    desk.fills(desk.id_of(entry), 2, 1999.0, position_id="p7")

    assert stop.active() and target.active()
    assert desk.plan.unprotected_since is None


@pytest.mark.parametrize(
    ("price", "reason", "filled"),
    [
        (1990.0, "stop", "stop"),
        (1987.3, "", "stop"),
        (2010.0, "", "target"),
        (2010.6, "", "target"),
        (1990.3, "", "stop"),
        (1990.0, "target", "target"),
    ],
    ids=["said", "slipped", "at the target", "beyond it", "a tick off", "said otherwise"],
)
def test_a_fill_of_the_venues_own_order_is_the_childs_it_names_or_is_near(price, reason, filled):
    desk, stop, target = opened()

    desk.hand_fills(SELL, 2, price, position_id="p7", reason=reason)

    hit, missed = (stop, target) if filled == "stop" else (target, stop)
    assert desk.states(hit)[-1] == "Completed"
    assert desk.states(missed)[-1] == "Canceled"
    assert desk.position == 0 and not desk.heard_hands
    assert desk.broker.ledger.trades[-1].exit_reason == filled
    assert desk.venue.asked == [("submit", desk.id_of(desk_entry(desk)))]


def desk_entry(desk):
    return desk.broker._tickets["t000001"].order


def test_a_fill_between_them_is_another_hands():
    desk, stop, target = opened()

    desk.hand_fills(SELL, 2, 2001.0, position_id="p7")

    assert desk.position == 0
    assert desk.broker.ledger.trades[-1].exit_reason == "closed_elsewhere"
    assert desk.states(stop)[-1] == desk.states(target)[-1] == "Canceled"
    assert [what.plan_id for _, what in desk.heard_hands] == ["plan0"]


def test_a_stop_that_fills_in_parts_is_one_order():
    desk, stop, target = opened(3)

    desk.hand_fills(SELL, 1, 1990.0, "d1", position_id="p7", venue_order_id="55")
    desk.hand_fills(SELL, 2, 1989.5, "d2", position_id="p7", venue_order_id="55")

    assert desk.states(stop)[-2:] == ["Partial", "Completed"]
    assert desk.states(target)[-1] == "Canceled"
    assert desk.position == 0


def test_a_move_sends_both_prices_with_the_childs_id():
    """What is left out is removed."""
    desk, stop, target = opened()

    desk.guard.modify(stop, price=1995.0)

    (change,) = desk.venue.modified
    assert change.order_id == desk.id_of(stop)
    assert change.protection.position_id == "p7"
    assert (change.protection.stop, change.protection.target) == (1995.0, 2010.0)
    assert change.protection.parent_id == ""
    desk.answers(desk.id_of(stop), verb=Verb.MODIFY)
    assert stop.created.price == 1995.0
    assert target.created.price == 2010.0


def test_before_the_fill_the_entry_that_brings_them_is_named():
    desk = Desk(PRICES)
    entry, stop, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))

    desk.guard.modify(stop, price=1991.0)

    protection = desk.venue.modified[0].protection
    assert (protection.position_id, protection.parent_id) == ("", f"v-{desk.id_of(entry)}")


def test_ending_the_target_keeps_the_stop():
    desk, stop, target = opened()

    desk.guard.cancel(target)

    protection = desk.venue.modified[0].protection
    assert (protection.stop, protection.target) == (1990.0, None)
    assert desk.venue.cancelled == []
    desk.answers(desk.id_of(target), verb=Verb.MODIFY)
    assert desk.states(target)[-1] == "Canceled"
    assert stop.alive()


def test_a_refused_move_leaves_the_price_as_it_is():
    desk, stop, _ = opened()
    holds(desk, 1990.0, 2010.0)
    desk.guard.modify(stop, price=2005.0)

    desk.answers(desk.id_of(stop), Outcome.REFUSED, Verb.MODIFY, "TRADING_BAD_STOPS")

    assert stop.created.price == 1990.0
    holds(desk, 1990.0, 2010.0)
    assert not desk.heard_hands


def test_a_stop_the_position_has_lost_is_put_back():
    desk, stop, _ = opened()

    holds(desk, None, 2010.0)
    assert desk.plan.unprotected_since == desk.now
    desk.price(2000.0, after=3)

    (change,) = desk.venue.modified
    assert (change.protection.stop, change.protection.target) == (1990.0, 2010.0)
    holds(desk, 1990.0, 2010.0)
    assert desk.plan.unprotected_since is None
    assert stop.alive()


def test_a_stop_moved_by_hand_stays_where_it_lowers_risk_and_goes_back_where_it_does_not():
    desk, stop, _ = opened()
    holds(desk, 1990.0, 2010.0)

    holds(desk, 1993.0, 2010.0)
    assert stop.created.price == 1993.0 and desk.venue.modified == []

    holds(desk, 1980.0, 2010.0)
    assert stop.created.price == 1993.0
    assert desk.venue.modified[-1].protection.stop == 1993.0
    assert [what.adds_risk for _, what in desk.heard_hands] == [False, True]


def test_an_exit_of_ours_ends_both():
    desk, stop, target = opened()

    desk.broker.close_plan(desk.plan, "flat_time")
    desk.fills(desk.venue.submitted[-1].order_id, 2, 2000.0, position_id="p7")

    assert desk.position == 0 and desk.plan.positions == {}
    assert desk.states(stop)[-1] == desk.states(target)[-1] == "Canceled"
    assert desk.venue.cancelled == []


def test_a_partial_exit_leaves_them_for_what_is_left():
    desk, stop, target = opened(2)

    desk.broker.close_plan(desk.plan, "half", share=0.5)
    desk.fills(desk.venue.submitted[-1].order_id, 1, 2000.0, position_id="p7")
    desk.hand_fills(SELL, 1, 2010.0, position_id="p7")

    assert desk.position == 0
    assert desk.states(target)[-1] == "Completed"
    assert desk.states(stop)[-1] == "Canceled"


def test_an_entry_that_ended_unfilled_takes_them_along():
    desk = Desk(PRICES)
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))

    desk.says(desk.id_of(entry), S.EXPIRED)

    assert desk.states(stop)[-1] == desk.states(target)[-1] == "Canceled"
    assert desk.broker.tickets() == []


FOLLOW = replace(PRICES, prices_follow_fill=True)


def filled(table):
    desk = Desk(table)
    entry, stop, target = desk.bracket(2)
    desk.works(desk.id_of(entry))
    desk.fills(desk.id_of(entry), 2, 1999.0)
    return desk, stop, target


def test_prices_that_follow_the_fill_protect_once_the_venue_has_told_them():
    desk, _, _ = filled(FOLLOW)
    assert desk.plan.unprotected_since == desk.now

    holds(desk, 1990.0, 2010.0, position_id="")

    assert desk.plan.unprotected_since is None


def test_prices_told_before_the_fill_that_opened_the_position_count():
    desk = Desk(FOLLOW)
    entry, _, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))
    holds(desk, 1990.0, 2010.0, position_id="")

    desk.fills(desk.id_of(entry), 2, 1999.0)

    assert desk.plan.unprotected_since is None


def test_after_a_restart_the_prices_of_an_entry_that_waits_are_told_again():
    desk = Desk(FOLLOW)
    entry, _, _ = desk.bracket(2)
    desk.works(desk.id_of(entry))

    desk.broker.note_restart()
    desk.snapshot(orders=desk.listed(desk.id_of(entry)))

    (change,) = desk.venue.modified
    protection = change.protection
    assert (protection.stop, protection.target) == (1990.0, 2010.0)
    assert (protection.symbol, protection.quantity) == ("MGC", 0.0)
    assert protection.entry_id == desk.id_of(entry)
    assert protection.parent_id == f"v-{desk.id_of(entry)}"


def test_a_lost_stop_of_a_position_that_another_hand_closed_ends_with_it():
    desk, stop, target = opened()
    holds(desk, None, 2010.0)
    assert stop.alive()

    desk.hand_fills(SELL, 2, 2001.0, position_id="p7")

    assert desk.position == 0
    assert desk.states(stop)[-1] == desk.states(target)[-1] == "Canceled"
    assert desk.broker.tickets() == []
