"""What becomes of a request: rejected only on definite evidence, never sent twice."""

import pytest

from core.events import CashFlow, OrderUpdate, Outcome, Snapshot, Verb
from tests.brokers.live.desk import BUY, CHILDREN, SELL, Desk, S, able


def test_an_unanswered_entry_freezes_its_instrument_for_new_entries():
    desk = Desk()
    (first,) = desk.enter()
    desk.answers(desk.id_of(first), Outcome.UNKNOWN)

    (second,) = desk.enter()

    assert desk.states(second) == ["Submitted", "Rejected"]
    assert second.info["reason"] == "order_uncertain"
    assert desk.states(first) == ["Submitted"]
    assert len(desk.venue.submitted) == 1
    assert desk.broker.needs_snapshot


def test_a_frozen_instrument_still_takes_what_shrinks_the_position():
    desk = Desk()
    held = desk.filled_bracket(2)
    (more,) = desk.enter()
    desk.answers(desk.id_of(more), Outcome.UNKNOWN)

    out = desk.guard.sell(None, desk.feeds[0], 2)

    assert desk.states(out) == ["Submitted"]
    assert desk.venue.submitted[-1].side is SELL
    assert held[0].getstatusname() == "Completed"


def test_any_word_of_the_venue_thaws_the_instrument():
    desk = Desk()
    (first,) = desk.enter()
    desk.answers(desk.id_of(first), Outcome.UNKNOWN)

    desk.works(desk.id_of(first))

    assert desk.states(first) == ["Submitted", "Accepted"]
    assert desk.states(desk.enter()[0]) == ["Submitted"]


def test_an_order_that_two_late_snapshots_lack_has_never_arrived():
    desk = Desk()
    (order,) = desk.enter()
    desk.answers(desk.id_of(order), Outcome.UNKNOWN)

    desk.snapshot(after=5)
    desk.snapshot(after=4)
    assert desk.states(order) == ["Submitted"], "nine seconds are not ten"
    desk.snapshot(after=2)
    assert desk.states(order) == ["Submitted"], "one snapshot is not two"
    desk.snapshot(after=1)

    assert desk.states(order) == ["Submitted", "Rejected"]
    assert order.info["reason"] == "never_arrived"
    assert len(desk.venue.submitted) == 1
    assert not desk.broker.is_frozen("MGC")


def test_a_snapshot_that_has_the_order_begins_the_count_anew():
    desk = Desk()
    (order,) = desk.enter()
    name = desk.id_of(order)
    desk.answers(name, Outcome.UNKNOWN)

    desk.snapshot(after=11)
    desk.snapshot(desk.listed(name), after=5)
    desk.snapshot(after=5)

    assert desk.states(order) == ["Submitted", "Accepted"]


def test_an_answer_that_never_came_at_all_is_settled_the_same_way():
    desk = Desk()
    (order,) = desk.enter()

    desk.snapshot(after=11)
    desk.snapshot(after=5)

    assert order.info["reason"] == "never_arrived"


def test_a_failed_snapshot_is_unknown_and_changes_nothing():
    desk = Desk()
    desk.filled_bracket(2)
    (order,) = desk.enter()
    desk.answers(desk.id_of(order), Outcome.UNKNOWN)

    for after in (20, 20, 20):
        now = desk.now + after * 10**9
        found = desk.broker.hear_snapshot(Snapshot(1, now, error="503", ts_event=now))
        assert found == []

    assert desk.states(order) == ["Submitted"]
    assert desk.position == 2


def test_an_order_that_turns_up_after_it_never_arrived_is_cancelled():
    desk = Desk()
    (order,) = desk.enter()
    name = desk.id_of(order)
    desk.snapshot(after=11)
    desk.snapshot(after=5)

    desk.works(name)

    assert desk.venue.cancelled == [name]
    assert desk.states(order) == ["Submitted", "Rejected"]
    desk.says(name, S.CANCELLED)
    assert desk.states(order) == ["Submitted", "Rejected"]


def test_a_late_fill_of_an_order_that_never_arrived_is_booked_and_closed():
    desk = Desk()
    (order,) = desk.enter(2)
    name = desk.id_of(order)
    desk.snapshot(after=11)
    desk.snapshot(after=5)

    desk.fills(name, 2, 1999.0)

    assert desk.position == 2
    closing = desk.venue.submitted[-1]
    assert (closing.side, closing.quantity, closing.reduces) == (SELL, 2.0, True)
    assert desk.states(order)[-1] == "Completed"
    desk.fills(closing.order_id, 2, 1998.0)
    assert desk.position == 0
    assert desk.broker.ledger.trades[-1].exit_reason == "late_fill"


def test_a_refused_entry_that_fills_all_the_same_is_booked_and_closed_once():
    """One venue refuses the bracket and places the entry."""
    desk = Desk(CHILDREN)
    entry, stop, target = desk.bracket(2)
    name = desk.id_of(entry)
    desk.answers(name, Outcome.REFUSED, reason="brackets cannot be used")
    assert [desk.states(order)[-1] for order in (entry, stop, target)] == ["Rejected"] * 3

    desk.fills(name, 1, 1999.0, "f1")
    desk.fills(name, 1, 1999.0, "f1")
    desk.fills(name, 1, 1998.5, "f2")

    sent = desk.venue.submitted[1:]
    assert [(order.side, order.quantity) for order in sent] == [(SELL, 1.0), (SELL, 1.0)]
    assert desk.position == 2
    assert desk.venue.cancelled == [name], "what was left of it after its first fill"
    assert desk.states(entry)[-1] == "Completed"


def test_a_refused_entry_that_works_is_cancelled_until_the_venue_has_done_it():
    desk = Desk(CHILDREN)
    entry, *_ = desk.bracket(2)
    name = desk.id_of(entry)
    desk.answers(name, Outcome.REFUSED)
    desk.works(name)
    assert desk.venue.cancelled == [name]

    desk.answers(name, Outcome.REFUSED, Verb.CANCEL)
    desk.bar(desk.now + 10**9)

    assert desk.venue.cancelled == [name, name]


def test_a_cancel_the_venue_said_no_to_is_asked_for_again():
    desk = Desk()
    (order,) = desk.enter()
    name = desk.id_of(order)
    desk.works(name)
    assert desk.guard.cancel(order)
    assert not desk.guard.cancel(order), "asked for already"

    desk.answers(name, Outcome.REFUSED, Verb.CANCEL, "pending")
    desk.bar(desk.now + 10**9)

    assert desk.venue.cancelled == [name, name]
    desk.says(name, S.CANCELLED)
    assert desk.states(order) == ["Submitted", "Accepted", "Canceled"]


def test_a_fill_that_wins_against_a_cancel_counts():
    desk = Desk()
    entry, stop, _ = desk.bracket(2)
    name = desk.id_of(entry)
    desk.works(name)
    desk.guard.cancel(entry)

    desk.fills(name, 2, 1999.0)
    desk.answers(name, Outcome.REFUSED, Verb.CANCEL, "already filled")

    assert desk.states(entry)[-1] == "Completed"
    assert desk.position == 2
    assert desk.id_of(stop) in [order.order_id for order in desk.venue.submitted]


def test_a_fill_told_after_the_cancel_is_closed_for_its_stop_is_gone():
    desk = Desk()
    entry, stop, _ = desk.bracket(2)
    name = desk.id_of(entry)
    desk.works(name)
    desk.guard.cancel(entry)
    desk.says(name, S.CANCELLED)
    assert desk.states(stop)[-1] == "Canceled"

    desk.fills(name, 2, 1999.0)

    assert desk.position == 2
    assert (desk.venue.submitted[-1].side, desk.venue.submitted[-1].quantity) == (SELL, 2.0)


def test_what_fills_after_a_flatten_is_closed_too():
    desk = Desk()
    entry, *_ = desk.bracket(2)
    name = desk.id_of(entry)
    desk.works(name)
    desk.broker.flatten("daily_loss")
    assert desk.venue.cancelled == [name]

    desk.fills(name, 1, 1999.0)

    closing = desk.venue.submitted[-1]
    assert (closing.side, closing.quantity) == (SELL, 1.0)
    desk.fills(closing.order_id, 1, 1998.0)
    assert desk.broker.ledger.trades[-1].exit_reason == "daily_loss"


def test_more_filled_than_ordered_is_closed():
    desk = Desk(CHILDREN)
    entry, *_ = desk.bracket(2)
    name = desk.id_of(entry)
    desk.works(name)
    desk.fills(name, 2, 1999.0)

    desk.fills(name, 1, 1998.9)

    closing = desk.venue.submitted[-1]
    assert (closing.side, closing.quantity, closing.kind.name) == (SELL, 1.0, "MARKET")
    assert desk.states(entry)[-1] == "Completed"
    desk.fills(closing.order_id, 1, 1999.0)
    assert desk.position == 2


def test_a_close_that_the_venue_refuses_is_asked_for_again():
    desk = Desk()
    desk.filled_bracket(2)
    desk.broker.flatten("killed")
    first = desk.venue.submitted[-1]
    desk.answers(first.order_id, Outcome.REFUSED, reason="market closed")

    desk.price(2000.0, after=4)
    assert desk.venue.submitted[-1] is first
    desk.price(2000.0, after=2)

    again = desk.venue.submitted[-1]
    assert again.order_id != first.order_id
    assert (again.side, again.quantity) == (SELL, 2.0)


def test_an_order_whose_fills_are_called_but_not_told_stays_open_until_they_are():
    desk = Desk()
    (order,) = desk.enter(2)
    name = desk.id_of(order)
    desk.works(name)

    desk.says(name, S.FILLED, filled=2.0)
    assert desk.states(order)[-1] == "Accepted"
    assert desk.broker.needs_snapshot

    desk.fills(name, 2, 1999.0)
    assert desk.states(order)[-1] == "Completed"
    assert not desk.broker.needs_snapshot


def test_a_fill_told_again_with_its_costs_corrects_the_balance():
    desk = Desk()
    (order,) = desk.enter(2)
    name = desk.id_of(order)
    desk.fills(name, 2, 1999.0, "f1")
    assert desk.broker.balance == pytest.approx(100_000 - 2 * 0.62)

    desk.fills(name, 2, 1999.0, "f1", costs={"commission": 1.0, "fee": 0.5})
    desk.fills(name, 2, 1999.0, "f1")

    assert desk.broker.balance == pytest.approx(100_000 - 1.5)
    assert desk.broker.ledger.costs["commission"] + desk.broker.ledger.costs["fee"] == 1.5
    assert desk.position == 2


def test_fills_told_out_of_their_turn_earn_what_they_would_have_in_it():
    """Buy 1 at 2000, sell 1 at 2010, buy 1 at 2020: 10 points were earned, whatever came first."""
    desk = Desk(commission_per_unit=0)
    desk.plan.owner = None
    (first,) = desk.enter(1, price=None)
    (out,) = desk.enter(1, price=None, side=SELL)
    (last,) = desk.enter(1, price=None)
    moment = desk.now

    desk.fills(desk.id_of(first), 1, 2000.0, ts_event=moment + 1)
    desk.fills(desk.id_of(last), 1, 2020.0, ts_event=moment + 3)
    desk.fills(desk.id_of(out), 1, 2010.0, ts_event=moment + 2)

    assert desk.position == 1
    assert desk.plan.average == 2020.0
    assert desk.broker.balance == pytest.approx(100_000 + 10 * 10)


def test_a_venue_without_tags_is_asked_by_terms_which_order_is_ours():
    desk = Desk(able(tag_chars=0, tag_on_executions=False))
    (order,) = desk.enter(2, price=1999.0)
    desk.answers(desk.id_of(order), Outcome.UNKNOWN)

    row = {"symbol": "MGC", "side": BUY, "version": 1, "ts_event": desk.now}
    desk.broker.hear(OrderUpdate(S.WORKING, "77", quantity=3.0, price=1999.0, **row))
    assert desk.states(order) == ["Submitted"], "another quantity"
    desk.broker.hear(OrderUpdate(S.WORKING, "78", quantity=2.0, price=1999.0, **row))

    assert desk.states(order) == ["Submitted", "Accepted"]
    assert desk.plan_of(order).venue_order_id == "78"


def test_a_fill_that_comes_before_the_answer_is_ours_once_the_answer_is_there():
    """Executions of some venues carry no tag: until the answer nothing names our order."""
    desk = Desk(able(tag_on_executions=False))
    (order,) = desk.enter(2)
    name = desk.id_of(order)

    desk.hand_fills(BUY, 2, 1999.0, venue_order_id="900")
    assert desk.position == 0 and not desk.heard_hands

    desk.answers(name, venue="900")
    assert desk.states(order)[-1] == "Completed"
    assert desk.position == 2 and not desk.heard_hands


def test_a_fill_placed_before_its_order_was_known_counts_once():
    """The exit had never arrived, its fill was a close elsewhere; then they turn out to be one."""
    desk = Desk(able(tag_on_executions=False))
    desk.filled_bracket(2)
    desk.snapshot(desk.listed("t000002", "t000003"))
    out = desk.guard.sell(None, desk.feeds[0], 2)
    name = desk.id_of(out)
    desk.answers(name, Outcome.UNKNOWN)
    desk.hand_fills(SELL, 2, 2003.0, "f7", venue_order_id="900")
    assert desk.position == 2, "it may be ours"
    for after in (11, 5):
        desk.snapshot(desk.listed("t000002", "t000003"), position=0.0, after=after)
    assert desk.position == 0 and out.info["reason"] == "never_arrived"

    desk.broker.hear(OrderUpdate(S.FILLED, "900", name, filled=2.0, quantity=2.0, version=9))

    assert desk.position == 0
    assert desk.states(out)[-1] == "Rejected", "what it closed was told as another order's"


def test_what_was_decided_before_a_restart_leaves_late_only_if_it_reduces_or_is_fresh():
    desk = Desk()
    entry, stop, _ = desk.filled_bracket(2)
    (stale,) = desk.enter()
    sent = {order.order_id: order for order in desk.venue.submitted}
    desk.venue.submitted.clear()
    later = desk.now + 60 * 10**9

    desk.broker.settle_unsent("submit", sent[desk.id_of(stop)], later, 10 * 10**9)
    desk.broker.settle_unsent("submit", sent[desk.id_of(stale)], later, 10 * 10**9)

    assert [order.order_id for order in desk.venue.submitted] == [desk.id_of(stop)]
    assert desk.venue.given_up == [(desk.id_of(stale), "too_late")]
    assert entry.getstatusname() == "Completed"


def test_swap_that_was_told_to_nobody_is_learned_from_a_snapshot_once():
    """A payment is another's act, which is named as a difference; swap is our positions' own."""
    desk = Desk()
    later = desk.now + 1
    swap = CashFlow("swap", 12.5, "MGC", "plan0", flow_id="1-1", ts_event=later)
    paid = CashFlow("withdrawal", 100.0, flow_id="1-2", ts_event=later)
    desk.snapshot()
    before = desk.broker.balance

    for _ in range(2):
        desk.snapshot(flows=(swap, paid), after=1.0)
    desk.broker.hear_cash(swap)

    assert desk.broker.balance == before - 12.5


def test_an_order_the_venue_turned_down_is_told_with_its_words(caplog):
    desk = Desk()
    (order,) = desk.enter()

    with caplog.at_level("INFO", logger="brokers.telling"):
        desk.answers(desk.id_of(order), Outcome.REFUSED, reason="Insufficient funds")

    (line,) = [text for text in caplog.messages if "Insufficient funds" in text]
    assert desk.id_of(order) in line
