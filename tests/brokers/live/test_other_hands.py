"""Orders, fills and moves that are not ours: seen, booked where they belong, never cancelled."""

import pytest

from brokers.live_terms import Foreign, LiveTerms
from brokers.reconcile import (
    BalanceDiffers,
    MissingOrder,
    PositionDiffers,
    StopMissing,
    StopMoved,
    TermsDiffer,
    UnknownExecution,
    UnknownOrder,
)
from core.events import AccountUpdate, Execution, OrderUpdate, Verb
from core.orders import Role
from tests.brokers.live.desk import BUY, CHILDREN, KEPT, SELL, Desk, S

TABLES = pytest.mark.parametrize("table", [KEPT, CHILDREN], ids=["kept", "native"])


def kinds(found):
    return [type(item) for item in found]


# -- fills -----------------------------------------------------------------------------------------


@TABLES
def test_a_position_closed_by_hand_is_booked_to_its_plan_and_its_children_end(table):
    desk = Desk(table)
    _, stop, target = desk.filled_bracket(2)

    desk.hand_fills(SELL, 2, 2003.0)

    assert desk.position == 0
    trade = desk.broker.ledger.trades[-1]
    assert (trade.exit_reason, trade.exit_price, trade.quantity) == ("closed_elsewhere", 2003.0, 2)
    assert set(desk.venue.cancelled) == {desk.id_of(stop), desk.id_of(target)}
    ((act, what),) = desk.heard_hands
    assert act is Foreign.PAUSE
    assert (what.plan_id, what.quantity) == ("plan0", 2.0)


def test_half_closed_by_hand_leaves_children_for_the_other_half():
    desk = Desk()
    _, stop, target = desk.filled_bracket(2)

    desk.hand_fills(SELL, 1, 2003.0)

    assert desk.position == 1
    assert [(item.order_id, item.quantity) for item in desk.venue.modified] == [
        (desk.id_of(stop), 1.0), (desk.id_of(target), 1.0),
    ]  # fmt: skip
    assert desk.venue.cancelled == []


def test_backtrader_sees_a_close_by_hand_as_an_order_of_its_own():
    desk = Desk()
    desk.filled_bracket(2)
    known = {ref for ref, _, _ in desk.notes()}

    desk.hand_fills(SELL, 2, 2003.0)

    told = [(status, size) for ref, status, size in desk.notes() if ref not in known]
    assert told == [("Submitted", 0), ("Accepted", 0), ("Completed", -2)]


def test_a_fill_told_by_stream_and_by_snapshot_counts_once():
    desk = Desk()
    desk.filled_bracket(2)
    desk.snapshot(desk.listed("t000002", "t000003"))
    desk.hand_fills(SELL, 1, 2003.0, "h1")

    told = Execution("h1", "h-h1", "MGC", SELL, 1, 2003.0, ts_event=desk.now)
    desk.snapshot(desk.listed("t000002", "t000003"), executions=[told], after=1)

    assert desk.position == 1


def test_a_hands_own_position_counts_in_the_equity_and_not_in_a_plan():
    desk = Desk()

    desk.hand_fills(BUY, 3, 2000.0)
    desk.price(1990.0)

    assert desk.position == 0
    assert desk.broker.getvalue() == pytest.approx(100_000 - 3 * 10 * 10 - 3 * 0.62)
    assert desk.broker.getcash() < desk.broker.getvalue(), "its margin is bound too"
    desk.hand_fills(SELL, 3, 1990.0, "hand-2")
    assert desk.broker.balance == pytest.approx(100_000 - 300 - 6 * 0.62)


def test_more_closed_by_hand_than_we_hold_is_the_hands_for_the_rest():
    desk = Desk()
    desk.filled_bracket(2)

    desk.hand_fills(SELL, 5, 2003.0)

    assert desk.position == 0
    assert desk.broker.hands.held("MGC") == -3.0
    assert desk.broker.ledger.trades[-1].quantity == 2


def test_a_close_that_either_of_two_plans_may_own_is_neither_ones():
    desk = Desk(plans=2)
    for plan in (0, 1):
        (order,) = desk.enter(1, plan=plan)
        desk.fills(desk.id_of(order), 1, 2000.0, f"f{plan}")

    desk.hand_fills(SELL, 1, 2003.0)

    assert [plan.position_steps for plan in desk.broker.plans] == [1, 1]
    assert desk.broker.hands.held("MGC") == -1.0


def test_a_hand_that_closes_its_own_position_leaves_ours_alone():
    desk = Desk()
    desk.filled_bracket(2)
    desk.hand_fills(BUY, 1, 2000.0, "h1")

    desk.hand_fills(SELL, 1, 2003.0, "h2")

    assert desk.position == 2 and desk.broker.hands.held("MGC") == 0.0


def test_what_the_venue_closes_itself_says_so_and_is_no_hands_doing():
    desk = Desk()
    desk.filled_bracket(2)

    desk.hand_fills(SELL, 2, 1950.0, reason="stop_out")

    assert desk.broker.ledger.trades[-1].exit_reason == "stop_out"
    assert desk.heard_hands == []


@pytest.mark.parametrize("act", list(Foreign))
def test_the_setting_says_what_another_hand_leads_to(act):
    desk = Desk(terms=LiveTerms(foreign=act))

    desk.hand_fills(BUY, 1, 2000.0)

    assert [told for told, _ in desk.heard_hands] == [act]


# -- orders ----------------------------------------------------------------------------------------


def stranger(**given):
    row = {"symbol": "MGC", "side": BUY, "quantity": 1.0, "price": 1980.0}
    return OrderUpdate(S.WORKING, "999", **(row | given))


def test_an_unknown_order_is_named_once_and_left_alone():
    desk = Desk()
    desk.filled_bracket(2)
    rows = desk.listed("t000002", "t000003")

    first = desk.snapshot([*rows, stranger()], after=1)
    desk.snapshot([*rows, stranger()], after=5)
    desk.broker.flatten("killed")

    assert kinds(first) == [UnknownOrder]
    assert "999" in first[0].describe() and "not ours" in first[0].describe()
    assert len(desk.heard_hands) == 1
    assert "999" not in desk.venue.cancelled


def test_an_entry_moved_by_hand_stands_where_it_was_moved():
    desk = Desk()
    (order,) = desk.enter(2, price=1999.0)
    desk.works("t000001")

    desk.works("t000001", price=1995.0)

    assert order.created.price == 1995.0 and desk.venue.modified == []


@TABLES
def test_a_stop_moved_to_less_risk_stays_there(table):
    desk = Desk(table)
    _, stop, _ = desk.filled_bracket(2)
    desk.works(desk.id_of(stop), quantity=2.0, price=1990.0)

    desk.works(desk.id_of(stop), quantity=2.0, price=1994.0)

    assert stop.created.price == 1994.0 and desk.venue.modified == []
    ((_, what),) = desk.heard_hands
    assert isinstance(what, StopMoved) and not what.adds_risk


@TABLES
def test_a_stop_moved_to_more_risk_goes_back(table):
    desk = Desk(table)
    _, stop, _ = desk.filled_bracket(2)
    name = desk.id_of(stop)
    desk.works(name, quantity=2.0, price=1990.0)

    desk.works(name, quantity=2.0, price=1980.0)

    assert stop.created.price == 1990.0
    assert [(item.order_id, item.price) for item in desk.venue.modified] == [(name, 1990.0)]
    desk.answers(name, verb=Verb.MODIFY)
    desk.works(name, quantity=2.0, price=1990.0)
    assert len(desk.heard_hands) == 1


def test_or_it_is_only_told_of_where_the_setting_says_so():
    desk = Desk(terms=LiveTerms(restores_stops=False))
    _, stop, _ = desk.filled_bracket(2)

    desk.works(desk.id_of(stop), quantity=2.0, price=1980.0)

    assert stop.created.price == 1980.0 and desk.venue.modified == []
    assert desk.heard_hands[0][1].adds_risk


def test_a_short_positions_stop_adds_risk_upwards():
    desk = Desk()
    _, stop, _ = desk.filled_bracket(2, side=SELL, stop=2010.0, target=1990.0)

    desk.works(desk.id_of(stop), quantity=2.0, price=2015.0)

    assert desk.heard_hands[0][1].adds_risk
    assert desk.venue.modified[-1].price == 2010.0


def test_our_own_moves_and_the_venues_trail_are_no_hands():
    desk = Desk(CHILDREN)
    _, stop, _ = desk.filled_bracket(2)
    name = desk.id_of(stop)
    desk.works(name, quantity=2.0, price=1990.0)

    desk.guard.modify(stop, price=1992.0)
    desk.works(name, quantity=2.0, price=1990.0)
    desk.works(name, quantity=2.0, price=1992.0)
    desk.answers(name, verb=Verb.MODIFY)

    assert desk.heard_hands == [] and stop.created.price == 1992.0


# -- snapshots -------------------------------------------------------------------------------------


def test_books_that_agree_differ_in_nothing():
    desk = Desk()
    desk.filled_bracket(2)

    assert desk.snapshot(desk.listed("t000002", "t000003"), after=1) == []


def test_a_stop_deleted_by_hand_is_missed_at_once_and_put_back():
    desk = Desk()
    _, stop, target = desk.filled_bracket(2)

    found = desk.snapshot(desk.listed(desk.id_of(target)), after=1)
    assert kinds(found) == [StopMissing]
    assert "no stop at the venue for 2" in found[0].describe()
    assert desk.plan.unprotected_since == desk.now
    desk.price(2000.0, after=3)

    again = desk.venue.submitted[-1]
    assert (again.order_id, again.price) == (f"{desk.id_of(stop)}x2", 1990.0)
    desk.works(again.order_id)
    assert stop.alive()


def test_a_stop_believed_missing_that_shows_life_again_is_ended_beside_the_new_one():
    desk = Desk()
    _, stop, target = desk.filled_bracket(2)
    old = desk.id_of(stop)
    desk.snapshot(desk.listed(desk.id_of(target)), after=1)
    desk.price(2000.0, after=3)
    desk.works(f"{old}x2")

    desk.works(old)

    assert desk.venue.cancelled == [old]
    assert stop.alive()


def test_a_missing_target_is_gone_after_two_snapshots():
    desk = Desk()
    _, stop, target = desk.filled_bracket(2)

    first = desk.snapshot(desk.listed(desk.id_of(stop)), after=1)
    assert kinds(first) == [MissingOrder] and target.alive()
    desk.snapshot(desk.listed(desk.id_of(stop)), after=5)

    assert desk.states(target)[-1] == "Canceled"
    assert target.info["reason"] == "not_at_venue"
    assert desk.position == 2


def test_an_order_heard_of_after_the_snapshot_was_asked_for_is_not_missing():
    desk = Desk()
    (order,) = desk.enter(2)
    asked_at = desk.now
    desk.price(2000.0, after=1)
    desk.works(desk.id_of(order))

    for _ in range(3):
        assert desk.snapshot(asked_at=asked_at) == []

    assert order.alive()


def test_a_fill_missing_in_the_stream_comes_with_the_snapshot():
    desk = Desk()
    entry, *_ = desk.bracket(2)
    desk.works(desk.id_of(entry))

    told = Execution("f9", "v-t000001", "MGC", BUY, 2, 1999.0, desk.id_of(entry), ts_event=desk.now)
    found = desk.snapshot(executions=[told], position=2.0, after=1)

    assert desk.states(entry)[-1] == "Completed"
    assert len(desk.venue.submitted) == 3, "its stop and its target"
    assert found == []


def test_a_position_no_fill_explains_is_named_at_the_start():
    desk = Desk()

    found = desk.snapshot(position=3.0)

    assert kinds(found) == [PositionDiffers]
    assert (found[0].ours, found[0].theirs) == (0.0, 3.0)
    assert "the venue holds 3, our books 0 (+3)" in found[0].describe()


def test_later_it_is_named_when_two_snapshots_say_so():
    desk = Desk()
    desk.snapshot()

    assert desk.snapshot(position=3.0, after=5) == []
    assert kinds(desk.snapshot(position=3.0, after=5)) == [PositionDiffers]


def test_a_position_is_not_compared_while_an_order_may_be_filling():
    desk = Desk()
    desk.snapshot()
    desk.enter(2)

    for _ in range(2):
        assert desk.snapshot(position=2.0, after=1) == []


def test_what_others_did_before_the_first_snapshot_is_history():
    desk = Desk()
    old = Execution("x1", "55", "MGC", BUY, 1, 1990.0, ts_event=desk.now - 10**12)

    found = desk.snapshot(executions=[old])

    assert found == [] and desk.broker.hands.held("MGC") == 0.0


def test_what_others_did_since_is_named_with_whose_position_it_closed():
    desk = Desk()
    desk.filled_bracket(2)
    desk.snapshot(desk.listed("t000002", "t000003"))
    new = Execution("x2", "56", "MGC", SELL, 2, 2004.0, ts_event=desk.now + 10**9)

    found = desk.snapshot(executions=[new], position=0.0, after=2)

    assert kinds(found)[0] is UnknownExecution
    assert found[0].plan_id == "plan0" and desk.position == 0


def test_a_quantity_changed_by_hand_is_named():
    desk = Desk()
    (order,) = desk.enter(2)
    desk.works("t000001")

    found = desk.snapshot(desk.listed("t000001", quantity=1.0), after=1)

    assert kinds(found) == [TermsDiffer]
    assert (found[0].term, found[0].ours, found[0].theirs) == ("quantity", 2.0, 1.0)
    assert order.created.size == 1


@pytest.mark.parametrize(("off", "differs"), [(0.9, False), (-1.5, True)])
def test_a_balance_that_differs_by_more_than_is_tolerated_is_named(off, differs):
    desk = Desk()

    found = desk.snapshot(account=AccountUpdate(desk.broker.balance + off))

    assert kinds(found) == [BalanceDiffers] * differs


def test_balances_are_not_compared_where_the_setting_says_so():
    desk = Desk(terms=LiveTerms(balance_tolerance=None))

    assert desk.snapshot(account=AccountUpdate(5.0)) == []


def test_every_difference_describes_itself_in_one_line():
    named = {"symbol": "MGC", "plan_id": "gold"}
    for item in (
        MissingOrder("t1", Role.TARGET, **named),
        StopMissing("t1", 2.0, **named),
        UnknownOrder("9", None, None, None, symbol="MGC"),
        TermsDiffer("t1", "price", 1.0, 2.0, **named),
        StopMoved("t1", 1990.0, 1980.0, True, True, **named),
        PositionDiffers(1.0, -1.0, symbol="MGC"),
        UnknownExecution("f", BUY, 1.0, 2000.0, **named),
        BalanceDiffers(1.0, 2.0),
    ):
        text = item.describe()
        assert text and "\n" not in text
